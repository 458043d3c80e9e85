// SPDX-License-Identifier: Apache-2.0
// bitstrata evaluate of an ONNX file: accuracy of the float network and of its integers. Run folders are evaluated by
// the training program.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>

#include "cli/imported.h"
#include "cli/verbs.h"
#include "model/golden.h"
#include "model/progress.h"
#include "quant/calibration/calibrate.h"

namespace bitstrata::cli {

using nlohmann::json;

namespace {

struct Options {
  std::string network, dataset = "fashion-mnist", plan;
  int images = 0, weight_bits = 8, activation_bits = 8;
  ImportOptions import;
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
      ("plan", po::value(&o.plan), "plan.yaml with the widths")
      ("weight-bits", po::value(&o.weight_bits)->default_value(o.weight_bits), "of all layers, without --plan: 1 to 16")
      ("activation-bits", po::value(&o.activation_bits)->default_value(o.activation_bits),
       "of all tensors, without --plan: 1 to 16");
  // clang-format on
  o.import.add(options);
  o.common.add(options);
  po::variables_map values;
  if (!parse(arguments, options,
             {"evaluate --network FILE.onnx --dataset D [--plan P | --weight-bits W --activation-bits A]",
              "Calibrates the network and prints the share of test samples that the float network and the golden\n"
              "integers answer rightly, with their standard errors. (evaluate --network DIR takes a run folder.)",
              "evaluate --network model.onnx --dataset dataset.yaml --weight-bits 6 --calibration mse"},
             values)) {
    return false;
  }
  check_range("images", o.images, 0, 1e9);
  check_range("weight-bits", o.weight_bits, 1, 16);
  check_range("activation-bits", o.activation_bits, 1, 16);
  if (!o.plan.empty() && (!values["weight-bits"].defaulted() || !values["activation-bits"].defaulted())) {
    throw std::invalid_argument("--plan already gives the widths; leave out --*-bits");
  }
  o.import.check(values, o.network);
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
  const Imported imported =
      import_network(o.network, o.plan, o.weight_bits, o.activation_bits, o.dataset, o.import, o.common, record);
  if (!imported.samples->test || !imported.samples->test->labelled()) {
    throw std::invalid_argument(fmt::format("data set '{}' has no test samples with labels", imported.samples->name));
  }
  const model::Samples& test = *imported.samples->test;
  const model::IntegerNetwork integers = quant::assemble(imported.calibrated);
  const model::Shape input = imported.network.graph.node(0).output;
  const int count = o.images > 0 ? std::min(o.images, test.count()) : test.count();
  if (integers.tensors[integers.output()].shape.elements() < 2)
    throw std::invalid_argument("the network has one output; nothing to compare labels with");
  Score floats{count, 0}, golden{count, 0};
  constexpr int batch = 64;
  model::Progress progress("evaluate", count, o.common.quiet);
  for (int first = 0; first < count; first += batch) {
    const int size = std::min(batch, count - first);
    std::vector<char> right(static_cast<std::size_t>(size));
    std::vector<model::Codes> codes(static_cast<std::size_t>(size));
    quant::for_each_index(size, o.common.threads, [&](int i) {
      const model::Reals values = model::fit(test, first + i, input);
      const model::Reals result = model::run(imported.network, values);
      const auto best = std::max_element(result.begin(), result.end()) - result.begin();
      right[static_cast<std::size_t>(i)] = best == test.label(first + i) ? 1 : 0;
      codes[static_cast<std::size_t>(i)] =
          model::encode(quant::input_grid(imported.calibrated), model::prepare_input(imported.calibrated, values));
    });
    const std::vector<model::Codes> outputs = model::run_batch(integers, codes, o.common.threads);
    for (int i = 0; i < size; ++i) {
      floats.correct += right[static_cast<std::size_t>(i)];
      golden.correct += model::argmax(outputs[static_cast<std::size_t>(i)]) == test.label(first + i) ? 1 : 0;
      progress.advance();
    }
  }
  const char* name = imported.network.quantized() ? "as the file says" : "float";
  if (o.common.json) {
    std::cout << json{{"network", integers.name},
                      {"dataset", imported.samples->name},
                      {"images", count},
                      {"calibration", o.import.calibration},
                      {"calibrated_on", imported.calibrated_on},
                      {"float", to_json(floats)},
                      {"integer", to_json(golden)}}
                     .dump()
              << "\n";
    return 0;
  }
  fmt::print("{} on {} test samples of {}; calibration {} on {}\n", integers.name, count, imported.samples->name,
             o.import.calibration, imported.calibrated_on);
  for (const auto& [label, score] : {std::pair{name, floats}, std::pair{"golden integers", golden}}) {
    fmt::print("{:<17}{} right, accuracy {:.2f} % +- {:.2f}\n", label, score.correct, 100 * score.accuracy(),
               100 * score.standard_error());
  }
  return 0;
}

}  // namespace bitstrata::cli
