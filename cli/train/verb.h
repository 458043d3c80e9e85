// SPDX-License-Identifier: Apache-2.0
// What the training verbs share: reading options, refusing misuse with one line, and the run folder.
#pragma once

#include <boost/program_options.hpp>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "model/dataset.h"
#include "quant/options.h"

namespace bitstrata::cli {

// Ends the program with exit code 2 and its message as the one line on stderr.
class Misuse : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace po = boost::program_options;

// Prints the help and returns false when --help is asked for; throws Misuse for unknown or malformed options.
bool parse(const std::vector<std::string>& arguments, const po::options_description& options, const std::string& usage,
           const std::string& example, po::variables_map& values);

// Throws Misuse unless low <= value <= high.
void check_range(const std::string& option, double value, double low, double high);

// Options every verb has.
struct Common {
  std::string dataset = "fashion-mnist";
  std::uint64_t seed = 1;
  int threads = 0;  // 0: one a core
  bool quiet = false, json = false;
  void add(po::options_description& options);
  void check();  // resolves threads
};

// Options of stochastic gradient descent.
struct Training {
  int batch = 64;
  std::int64_t epoch_images = 0;
  std::string augment = "none";
  bool resume = false;
  void add(po::options_description& options);
  void check() const;
  quant::TrainOptions options(const Common& common) const;
  // Passes over the training images in so many epochs.
  double passes(const model::Dataset& data, int epochs) const;
};

model::Dataset load_data(const Common& common);

// The folder a run writes into.
class RunFolder {
 public:
  // Creates the folder and checks that it can be written to; throws Misuse.
  RunFolder(const std::filesystem::path& folder, std::vector<std::string> command, const Common& common);
  // Removes the folder again when this run made it and wrote nothing into it.
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;
  std::filesystem::path file(const std::string& name) const { return folder_ / name; }
  // A file or folder the run reads; its SHA-1 goes into run.json.
  void add_input(const std::string& name, const std::filesystem::path& file);
  // The data set's pixels and labels.
  void add_input(const std::string& name, const model::Dataset& dataset);
  // Writes run.json: the fields that all verbs have, and `results`.
  void write_run(const std::string& engine, const nlohmann::json& results) const;
  void write(const std::string& name, const nlohmann::json& content) const;
  void write_text(const std::string& name, const std::string& content) const;

 private:
  std::filesystem::path folder_;
  bool made_ = false;
  std::vector<std::string> command_;
  const Common& common_;
  nlohmann::json inputs_ = nlohmann::json::object();
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// One line on stderr, unless quiet.
void say(const Common& common, const std::string& line);

int train_verb(const std::vector<std::string>& arguments);
int quantize_verb(const std::vector<std::string>& arguments);
int evaluate_verb(const std::vector<std::string>& arguments);

}  // namespace bitstrata::cli
