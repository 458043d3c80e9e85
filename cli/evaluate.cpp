// SPDX-License-Identifier: Apache-2.0
// bitstrata evaluate of an ONNX file: accuracy of the float network and of its integers, and their outputs. Run folders
// are evaluated by the training program.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>

#include "cli/imported.h"
#include "cli/npy.h"
#include "cli/verbs.h"
#include "model/golden.h"
#include "model/json_text.h"
#include "model/progress.h"
#include "quant/calibration/calibrate.h"

namespace bitstrata::cli {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

struct Options {
  std::string network, dataset = "fashion-mnist", outputs;
  int images = 0;
  WidthOptions widths;
  OnnxOptions import;
  Common common;
};

bool read(const std::vector<std::string>& arguments, Options& o) {
  po::options_description options("options");
  options.add_options()
      // clang-format off
      ("network", po::value(&o.network)->required(), "ONNX file")
      ("dataset", po::value(&o.dataset)->default_value(o.dataset),
       "dataset.yaml, fashion-mnist, or a folder of IDX files")
      ("images", po::value(&o.images)->default_value(o.images), "how many test samples, from the first on; 0: all")
      ("outputs", po::value(&o.outputs),
       "NAME.npy: write the outputs of every sample, in the order that the ONNX file gives its output (N,C,H,W): "
       "NAME.npy as the file says (float32), NAME.float.npy with no tensor rounded (float32), NAME.codes.npy of the "
       "golden integers (int32)");
  // clang-format on
  o.widths.add(options);
  o.import.add(options);
  o.common.add(options);
  po::variables_map values;
  if (!parse(arguments, options,
             {"evaluate --network FILE.onnx --dataset D [--plan P | --weight-bits W --activation-bits A]",
              "Calibrates the network and prints the share of test samples that the float network and the golden\n"
              "integers answer rightly, with their standard errors, and how many final codes of the integers differ\n"
              "from the run as the file says. With --outputs the samples need no labels. (evaluate --network DIR\n"
              "takes a run folder.)",
              "evaluate --network model.onnx --dataset dataset.yaml --weight-bits 6 --calibration mse"},
             values)) {
    return false;
  }
  check_range("images", o.images, 0, 1e9);
  if (values.count("outputs") != 0 && (fs::path(o.outputs).extension() != ".npy" || fs::is_directory(o.outputs)))
    throw std::invalid_argument(fmt::format("--outputs is '{}'; it is a file NAME.npy", o.outputs));
  o.widths.check(values);
  o.import.check(values, o.network);
  o.import.file_order = !o.outputs.empty();
  o.common.check();
  return true;
}

struct Score {
  int images = 0, correct = 0;
  double accuracy() const { return static_cast<double>(correct) / images; }
  double standard_error() const { return std::sqrt(accuracy() * (1 - accuracy()) / images); }
};

json to_json(const Score& score) {
  return {{"correct", score.correct}, {"accuracy", score.accuracy()}, {"standard_error", score.standard_error()}};
}

// One sample's output, in the network's own order.
struct Output {
  model::Reals as_file, unrounded;
  model::Codes golden;
};

// The outputs of all samples in the file's order, as NumPy files beside each other.
class OutputFiles {
 public:
  // The folder was tried before.
  OutputFiles(const std::string& file, const model::OutputLayout& layout, OutputFolder& folder)
      : layout_(layout), file_(file), folder_(folder) {}

  bool wanted() const { return folder_.wanted(); }

  void add(const Output& output) {
    if (!wanted()) return;
    for (const std::int64_t place : layout_.places) {
      as_file_.push_back(output.as_file.at(static_cast<std::size_t>(place)));
      unrounded_.push_back(output.unrounded.at(static_cast<std::size_t>(place)));
      golden_.push_back(output.golden.at(static_cast<std::size_t>(place)));
    }
    ++samples_;
  }

  void publish() {
    std::vector<std::size_t> shape = {samples_};
    for (const std::int64_t side : layout_.sample_dims()) shape.push_back(static_cast<std::size_t>(side));
    const std::string stem = file_.stem().string();
    folder_.add(file_.filename().string(), npy(std::span<const float>(as_file_), shape));
    folder_.add(stem + ".float.npy", npy(std::span<const float>(unrounded_), shape));
    folder_.add(stem + ".codes.npy", npy(std::span<const std::int32_t>(golden_), shape));
    folder_.publish();
  }

 private:
  const model::OutputLayout& layout_;
  fs::path file_;
  OutputFolder& folder_;
  std::vector<float> as_file_, unrounded_;
  std::vector<std::int32_t> golden_;
  std::size_t samples_ = 0;
};

// Final codes of the golden integers against those of the run as the file says.
struct CodeComparison {
  std::int64_t compared = 0, different = 0, largest = 0;
  void add(const model::Grid& grid, const Output& output) {
    const std::vector<std::int32_t> wanted = model::encode(grid, output.as_file);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const std::int64_t difference = std::abs(std::int64_t{wanted[i]} - output.golden.at(i));
      different += difference != 0 ? 1 : 0;
      largest = std::max(largest, difference);
      ++compared;
    }
  }
};

struct Results {
  int images = 0;
  bool labelled = false;
  Score floats, golden;
  CodeComparison codes;
};

Results measure(const Options& o, const Imported& imported, const model::IntegerNetwork& integers, Results results,
                OutputFiles& files) {
  const model::Samples& test = *imported.samples->test;
  const model::Grid& grid = imported.calibrated.grids.back().value();
  constexpr int batch = 64;
  model::Progress progress("evaluate", results.images, o.common.quiet);
  for (int first = 0; first < results.images; first += batch) {
    const int size = std::min(batch, results.images - first);
    std::vector<Output> outputs(static_cast<std::size_t>(size));
    std::vector<model::Codes> codes(outputs.size());
    quant::for_each_index(size, o.common.threads, [&](int i) {
      const model::Reals values = model::fit(test, first + i, imported.network);
      Output& output = outputs[static_cast<std::size_t>(i)];
      output.as_file = model::run(imported.network, values);
      if (files.wanted()) output.unrounded = model::run_all(imported.network, values, {.round = false}).back();
      codes[static_cast<std::size_t>(i)] =
          model::encode(quant::input_grid(imported.calibrated), model::prepare_input(imported.calibrated, values));
    });
    std::vector<model::Codes> golden = model::run_batch(integers, codes, o.common.threads);
    for (int i = 0; i < size; ++i) {
      Output& output = outputs[static_cast<std::size_t>(i)];
      output.golden = std::move(golden[static_cast<std::size_t>(i)]);
      if (results.labelled) {
        const int label = test.label(first + i);
        results.floats.correct += imported.output.largest(output.as_file) == label ? 1 : 0;
        results.golden.correct += imported.output.largest(output.golden) == label ? 1 : 0;
      }
      results.codes.add(grid, output);
      files.add(output);
      progress.advance();
    }
  }
  if (results.codes.compared == 0) throw CheckFailed("no final code was compared");
  return results;
}

json to_json(const Results& results, const Options& o, const Imported& imported, const std::string& network) {
  const model::Grid& grid = imported.calibrated.grids.back().value();
  json summary = {{"network", network},
                  {"dataset", imported.samples->name},
                  {"images", results.images},
                  {"calibration", o.import.calibration},
                  {"calibrated_on", imported.calibrated_on},
                  {"codes",
                   {{"compared", results.codes.compared},
                    {"different", results.codes.different},
                    {"largest_difference", results.codes.largest},
                    {"scale", grid.scale},
                    {"zero_point", grid.zero_point}}}};
  if (results.labelled) {
    summary["float"] = to_json(results.floats);
    summary["integer"] = to_json(results.golden);
  }
  if (!o.outputs.empty()) summary["outputs"] = o.outputs;
  return summary;
}

void print(const Results& results, const Options& o, const Imported& imported, const std::string& network) {
  const model::Grid& grid = imported.calibrated.grids.back().value();
  const char* name = imported.network.quantized() ? "as the file says" : "float";
  fmt::print("{} on {} test samples of {}; {}\n", network, results.images, imported.samples->name,
             imported.calibration_text());
  if (results.labelled) {
    for (const auto& [label, score] : {std::pair{name, results.floats}, std::pair{"golden integers", results.golden}}) {
      fmt::print("{:<17}{} right, accuracy {:.2f} % +- {:.2f}\n", label, score.correct, 100 * score.accuracy(),
                 100 * score.standard_error());
    }
  }
  fmt::print("final codes      {} of {} differ between golden integers and the run {}, by {} of {} steps at most{}\n",
             results.codes.different, results.codes.compared,
             imported.network.quantized() ? "as the file says" : "in float", results.codes.largest,
             grid.range().high - grid.range().low, imported.network.quantized() ? "" : ": what quantization changes");
  if (!o.outputs.empty()) {
    const bool bipolar = grid.coding == model::Coding::bipolar;
    const std::string code = bipolar                ? "(2 * code - 1)"
                             : grid.zero_point == 0 ? "code"
                             : grid.zero_point < 0  ? fmt::format("(code + {})", -grid.zero_point)
                                                    : fmt::format("(code - {})", grid.zero_point);
    const std::vector<std::int64_t> dims = imported.output.sample_dims();
    fmt::print("outputs          {}, its .float.npy and .codes.npy: {} samples of {}; value = {:.9g} * {}\n", o.outputs,
               results.images, dims.empty() ? "one value" : fmt::format("{}", fmt::join(dims, "x")), grid.scale, code);
  }
}

}  // namespace

bool evaluates_onnx(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].starts_with("--network=") && is_onnx(arguments[i].substr(10))) return true;
    if (arguments[i] == "--network" && i + 1 < arguments.size() && is_onnx(arguments[i + 1])) return true;
  }
  return false;
}

int evaluate(const std::vector<std::string>& arguments) {
  Options o;
  if (!read(arguments, o)) return 0;
  RunRecord record("evaluate", arguments, o.common);
  if (o.dataset == "random") throw std::invalid_argument("--dataset random has no right answers");
  OutputFolder folder(o.outputs.empty() ? fs::path() : fs::absolute(o.outputs).parent_path(), "--outputs");
  const Imported imported = import_network(o.network, o.widths, {}, o.dataset, o.import, o.common, record);
  OutputFiles files(o.outputs, imported.output, folder);
  const std::optional<model::Samples>& test = imported.samples->test;
  if (!test || (!test->labelled() && !files.wanted())) {
    throw std::invalid_argument(fmt::format("data set '{}' has no test samples{}", imported.samples->name,
                                            files.wanted() ? "" : " with labels"));
  }
  const model::IntegerNetwork integers = quant::assemble(imported.calibrated);
  const std::int64_t outputs = integers.tensors[integers.output()].shape.elements();
  if (outputs < 2 && !files.wanted())
    throw std::invalid_argument("the network has one output; nothing to compare labels with");
  Results results{.images = o.images > 0 ? std::min(o.images, test->count()) : test->count(),
                  .labelled = test->labelled() && outputs > 1,
                  .floats = {},
                  .golden = {},
                  .codes = {}};
  results.floats.images = results.golden.images = results.images;
  if (results.labelled) {
    std::vector<int> labels;
    for (int i = 0; i < results.images; ++i) labels.push_back(test->label(i));
    check_labels(labels, outputs, imported.samples->name);
    note_classes(o.common, *imported.samples, outputs);
  }
  results = measure(o, imported, integers, results, files);
  if (files.wanted()) files.publish();
  if (o.common.json) {
    std::cout << model::json_text(to_json(results, o, imported, integers.name)) << "\n";
  } else {
    print(results, o, imported, integers.name);
  }
  return 0;
}

}  // namespace bitstrata::cli
