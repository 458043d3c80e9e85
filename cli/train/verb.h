// SPDX-License-Identifier: Apache-2.0
// What the training verbs share beside cli/common.h: the data set, options of training, and a run folder that is
// written while the run goes on. Misuse is std::invalid_argument and ends the program with exit status 2.
#pragma once

#include <boost/program_options.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/common.h"
#include "cli/run_folder.h"
#include "quant/options.h"
#include "quant/training_data.h"

namespace bitstrata::cli {

// Options of stochastic gradient descent.
struct Training {
  std::string dataset = "fashion-mnist";
  int batch = 64;
  std::int64_t epoch_images = 0;
  std::string augment = "none";
  int crop_padding = 4;
  bool resume = false;
  void add(po::options_description& options);
  void check(const po::variables_map& values) const;
  // What decides how images are changed, in words.
  std::string augmentation() const;
  quant::TrainOptions options(const Common& common, int accumulator_bits = 48) const;
  // The data set to train on. Throws std::invalid_argument when there is no such data set or it cannot be split.
  quant::TrainingData load() const;
  // The data set as another verb finds it from any folder: a name, or an absolute path.
  std::string source() const;
  // Passes over the training images in so many epochs.
  double passes(const quant::TrainingData& data, int epochs) const;
};

// How training under quantization rounds, and what it follows.
struct RoundingOptions {
  std::string quantizer = "lsq";
  double distillation = 0, temperature = 2;
  void add(po::options_description& options);
  void check(const po::variables_map& values) const;
  quant::Quantizer kind() const;
  quant::TrainOptions options(quant::TrainOptions base) const;  // `base` with distillation
  // Throws std::invalid_argument where there is no float network to distil from.
  void check_start(const std::string& network, bool trained) const;
  std::string text() const;
  nlohmann::json identity() const;
};

void add_dataset_option(po::options_description& options, std::string& dataset);
// Throws std::invalid_argument when there is no such data set.
quant::TrainingData load_data(const std::string& name);

// What a run is made from besides its options, under "contents" of what decides its result: the digests of the
// program's code, of the data set and, where there is one, of the weights it starts from. Names of files say nothing of
// it.
nlohmann::json contents_of(const quant::TrainingData& dataset, const std::filesystem::path& start);

// Throws std::invalid_argument naming the first option that `now` has otherwise than `before`; `run`: "interrupted",
// "finished". "contents" is no option.
void check_same_options(const nlohmann::json& before, const nlohmann::json& now, const std::string& run);
// Which of the contents `now` has otherwise than `before`; empty: none.
std::string changed_content(const nlohmann::json& before, const nlohmann::json& now);

constexpr const char* resume_file = "resume.safetensors";

// The folder a run writes into, file by file, each whole or not at all. A folder with run.json and without resume_file
// holds a finished run.
class RunFolder {
 public:
  // Throws std::invalid_argument when the folder cannot be written to.
  RunFolder(const std::filesystem::path& folder, const std::string& verb, const std::vector<std::string>& arguments,
            const Common& common);
  std::filesystem::path file(const std::string& name) const { return folder_ / name; }
  void add_input(const std::string& name, const std::filesystem::path& file) { record_.add_file(name, file); }
  void add_input(const std::string& name, const quant::TrainingData& dataset);
  // With --resume: run.json of a finished run of the same verb, options and contents, which is to be left as it is;
  // where contents differ it says so, and the run begins anew. Without: says what will be replaced. Throws
  // std::invalid_argument when the finished run is another one.
  std::optional<nlohmann::json> finished(bool resume, const nlohmann::json& options);
  // Removes what an earlier run left, so that the folder never holds half of each: called before the first file of a
  // new run is written; does nothing from then on, nor with --resume. `keep`: the name of a file that stays.
  void replace_earlier(const std::string& keep = "");
  // Writes run.json: the fields that all verbs have, the options that decide the result, and `results`.
  void write_run(const std::string& engine, const nlohmann::json& options, const nlohmann::json& results) const;
  void write(const std::string& name, const nlohmann::json& content) const;
  void write_text(const std::string& name, const std::string& content) const;

 private:
  OutputFolder probe_;  // makes and tries the folder, and removes it when the run fails before anything is in it
  std::filesystem::path folder_;
  std::string verb_;
  const Common& common_;
  RunRecord record_;
  bool replaced_ = false;
};

int train_verb(const std::vector<std::string>& arguments);
int quantize_verb(const std::vector<std::string>& arguments);
// quantize with a method of quant/search.
int search_quantize(const std::vector<std::string>& arguments);
int evaluate_verb(const std::vector<std::string>& arguments);

}  // namespace bitstrata::cli
