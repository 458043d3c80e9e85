// SPDX-License-Identifier: Apache-2.0
#include "cli/train/verb.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <boost/uuid/detail/sha1.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

#include "cli/train/build_info.h"
#include "model/yaml_reader.h"
#include "quant/tensor_file.h"
#include "quant/trainer.h"

namespace bitstrata::cli {

using nlohmann::json;

namespace {

class Hash {
 public:
  void add(const void* data, std::size_t size) { hash_.process_bytes(data, size); }
  std::string text() {
    unsigned int digest[5];
    hash_.get_digest(digest);
    return fmt::format("sha1:{:08x}{:08x}{:08x}{:08x}{:08x}", digest[0], digest[1], digest[2], digest[3], digest[4]);
  }

 private:
  boost::uuids::detail::sha1 hash_;
};

}  // namespace

bool parse(const std::vector<std::string>& arguments, const po::options_description& options, const std::string& usage,
           const std::string& example, po::variables_map& values) {
  for (const std::string& argument : arguments)
    if (argument == "--help" || argument == "-h") {
      std::cout << "usage: bitstrata " << usage << "\n\n" << options << "\nexample:\n  bitstrata " << example << "\n";
      return false;
    }
  try {
    const auto style = po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(arguments).options(options).positional({}).style(style).run(), values);
    po::notify(values);
  } catch (const po::unknown_option& error) {
    std::vector<std::string> known;
    for (const auto& option : options.options()) known.push_back("--" + option->long_name());
    throw Misuse("unknown option '" + error.get_option_name() + "'" +
                 model::did_you_mean(error.get_option_name(), known));
  } catch (const po::too_many_positional_options_error&) {
    throw Misuse("a word stands alone on the command line; every value needs its option (see --help)");
  } catch (const po::error& error) {
    throw Misuse(error.what());
  }
  return true;
}

void check_range(const std::string& option, double value, double low, double high) {
  if (!(value >= low && value <= high))
    throw Misuse(fmt::format("--{} is {:g}; allowed is {:g} to {:g}", option, value, low, high));
}

void Common::add(po::options_description& options) {
  options.add_options()
      // clang-format off
      ("dataset", po::value(&dataset)->default_value(dataset), "fashion-mnist, or a folder of IDX files")
      ("seed", po::value(&seed)->default_value(seed), "of weights, order and augmentation of images")
      ("threads", po::value(&threads)->default_value(threads), "0: one a core")
      ("quiet", po::bool_switch(&quiet), "no log and no progress bar on stderr")
      ("json", po::bool_switch(&json), "one JSON object on stdout instead of lines")
      ("help", "this text");
  // clang-format on
}

void Common::check() {
  check_range("threads", threads, 0, 1024);
  if (threads == 0) threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

void Training::add(po::options_description& options) {
  options.add_options()
      // clang-format off
      ("batch", po::value(&batch)->default_value(batch), "images of a training step")
      ("epoch-images", po::value(&epoch_images)->default_value(epoch_images),
       "images of one epoch, drawn without repetition; 0: all")
      ("augment", po::value(&augment)->default_value(augment), "none, or flip (mirror every second image at random; pays from about ten epochs on)")
      ("resume", po::bool_switch(&resume), "go on where an interrupted run into --out stopped");
  // clang-format on
}

void Training::check() const {
  check_range("batch", batch, 8, 65536);
  check_range("epoch-images", static_cast<double>(epoch_images), 0, 1e9);
  if (augment != "flip" && augment != "none")
    throw Misuse(fmt::format("--augment is '{}'; allowed: flip, none", augment));
  if (epoch_images > 0 && epoch_images < batch) throw Misuse("--epoch-images must hold at least one --batch");
}

quant::TrainOptions Training::options(const Common& common) const {
  quant::TrainOptions options;
  options.batch = batch;
  options.epoch_images = epoch_images;
  options.augment = augment == "flip";
  options.seed = common.seed;
  options.threads = common.threads;
  return options;
}

double Training::passes(const model::Dataset& data, int epochs) const {
  const double all = data.train.count();
  return epochs * (epoch_images > 0 ? std::min(1.0, static_cast<double>(epoch_images) / all) : 1.0);
}

model::Dataset load_data(const Common& common) {
  try {
    return model::load_dataset(common.dataset);
  } catch (const std::exception& error) {
    throw Misuse(error.what());
  }
}

RunFolder::RunFolder(const std::filesystem::path& folder, std::vector<std::string> command, const Common& common)
    : folder_(folder), command_(std::move(command)), common_(common) {
  std::error_code error;
  made_ = std::filesystem::create_directories(folder_, error);
  if (error || !std::filesystem::is_directory(folder_))
    throw Misuse(fmt::format("--out: the folder '{}' cannot be created: {}", folder_.string(),
                             error ? error.message() : "a file of that name is in the way"));
  try {
    const std::filesystem::path probe = file(".write-test");
    quant::replace_file(probe, std::string("x"));
    std::filesystem::remove(probe);
  } catch (const std::exception&) {
    throw Misuse(fmt::format("--out: the folder '{}' cannot be written to", folder_.string()));
  }
}

RunFolder::~RunFolder() {
  std::error_code ignored;
  if (made_) std::filesystem::remove(folder_, ignored);  // leaves folders alone that hold something
}

void RunFolder::add_input(const std::string& name, const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream content;
  content << stream.rdbuf();
  const std::string bytes = content.str();
  Hash hash;
  hash.add(bytes.data(), bytes.size());
  inputs_[name] = {{"file", file.string()}, {"hash", hash.text()}};
}

void RunFolder::add_input(const std::string& name, const model::Dataset& dataset) {
  Hash hash;
  for (const model::Images* part : {&dataset.train, &dataset.validation, &dataset.test}) {
    hash.add(part->pixels.data(), part->pixels.size());
    hash.add(part->labels.data(), part->labels.size());
  }
  inputs_[name] = {{"name", dataset.name},
                   {"hash", hash.text()},
                   {"images", {dataset.train.count(), dataset.validation.count(), dataset.test.count()}}};
}

void RunFolder::write_run(const std::string& engine, const json& results) const {
  const std::time_t now = std::time(nullptr);
  json run = {{"command", command_},
              {"version", build_info::version},
              {"commit", build_info::commit},
              {"date", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now))},
              {"seed", common_.seed},
              {"threads", common_.threads},
              {"engine", engine},
              {"tools", {{"compiler", build_info::compiler}, {"libtorch", quant::libtorch_version()}}},
              {"inputs", inputs_},
              {"wall_time_s", std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count()}};
  run.update(results);
  write("run.json", run);
}

void RunFolder::write(const std::string& name, const json& content) const { write_text(name, content.dump(2) + "\n"); }

void RunFolder::write_text(const std::string& name, const std::string& content) const {
  quant::replace_file(file(name), content);
}

void say(const Common& common, const std::string& line) {
  if (!common.quiet) fmt::print(stderr, "{}\n", line);
}

}  // namespace bitstrata::cli
