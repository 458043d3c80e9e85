// SPDX-License-Identifier: Apache-2.0
// bitstrata evaluate: accuracy of a run folder on the test images.
#include <fmt/format.h>

#include <iostream>

#include "cli/train/session.h"
#include "cli/train/verb.h"
#include "model/json_text.h"
#include "quant/price.h"

namespace bitstrata::cli {

using nlohmann::json;

namespace {

quant::Score float_score(const std::filesystem::path& file, const quant::TrainingData& data, int images,
                         const Common& common) {
  std::string name;
  try {
    name = quant::read_head(file).network;
  } catch (const std::exception& error) {
    throw std::invalid_argument(error.what());
  }
  quant::TrainOptions options;
  options.threads = common.threads;
  Session session(std::make_unique<quant::Trainer>(model::build_network(name), data, options), common);
  load_weights(session.trainer(), file);
  quant::Score score{images, 0};
  score.correct = static_cast<int>(session.trainer().accuracy(quant::Part::test, images) * images + 0.5);
  return score;
}

quant::Score integer_score(const std::filesystem::path& file, const quant::TrainingData& data, int images,
                           const Common& common) {
  model::IntegerNetwork network;
  try {
    network = model::load_integer_network(file);
  } catch (const std::exception& error) {
    throw std::invalid_argument(error.what());
  }
  return quant::golden_score(network, data.test, images, common.threads);
}

}  // namespace

int evaluate_verb(const std::vector<std::string>& arguments) {
  std::string folder, dataset = "fashion-mnist";
  int images = 0;
  Common common;
  po::options_description options("options");
  options.add_options()
      // clang-format off
      ("network", po::value(&folder)->required(), "run folder written by train or quantize")
      ("images", po::value(&images)->default_value(images), "how many test images, from the first on; 0: all");
  // clang-format on
  add_dataset_option(options, dataset);
  common.add(options);
  po::variables_map values;
  if (!parse(
          arguments, options,
          {"evaluate --network DIR [--dataset D] [--images N]",
           "Prints the share of test images answered rightly, with its standard error: by the golden integers where\n"
           "the run folder holds integers, else by the float network.",
           "evaluate --network out/ad --dataset fashion-mnist"},
          values))
    return 0;
  check_range("images", images, 0, 1e9);
  common.check();
  const std::filesystem::path integers = std::filesystem::path(folder) / "integer.safetensors";
  const std::filesystem::path weights = std::filesystem::path(folder) / "float.safetensors";
  const bool integer = std::filesystem::exists(integers);
  if (!integer && !std::filesystem::exists(weights))
    throw std::invalid_argument(fmt::format("'{}' holds neither integer.safetensors nor float.safetensors", folder));
  const quant::TrainingData data = load_data(dataset);
  const int count = images > 0 ? std::min(images, data.test.count()) : data.test.count();
  const quant::Score score =
      integer ? integer_score(integers, data, count, common) : float_score(weights, data, count, common);
  const char* engine = integer ? "golden integers" : "float";
  if (common.json)
    std::cout << model::json_text({{"engine", engine},
                                   {"dataset", data.name},
                                   {"images", score.images},
                                   {"correct", score.correct},
                                   {"test_accuracy", score.accuracy()},
                                   {"test_standard_error", score.standard_error()}})
              << "\n";
  else
    fmt::print("{}: {} of {} test images right, accuracy {:.2f} % +- {:.2f}\n", engine, score.correct, score.images,
               100 * score.accuracy(), 100 * score.standard_error());
  return 0;
}

}  // namespace bitstrata::cli
