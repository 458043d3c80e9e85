// SPDX-License-Identifier: Apache-2.0
// Trained networks and data that lie beside the checkout on some machines.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <iostream>

#include "model/golden.h"
#include "model/onnx/onnx.h"
#include "model/samples.h"
#include "quant/calibration/calibrate.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using namespace quant;

namespace fs = std::filesystem;

const fs::path shared = BITSTRATA_SHARED;

#define NEED(path)                                                    \
  if (!fs::exists(path)) {                                            \
    std::cout << "skipped: " << (path).string() << " is not there\n"; \
    GTEST_SKIP() << (path).string() << " is not there";               \
  }

struct Published {
  const char* file;
  std::int64_t macs;
  int layers;
};

TEST(RealNetworks, AreImportedWithTheirPublishedSize) {
  NEED(shared / "models");
  for (const Published& p : {Published{"mlpt_kws_dscnn.onnx", 2'656'768, 10},
                             {"mlpt_vww_mobilenetv1_025_96.onnx", 7'489'664, 28},
                             {"onnxzoo_mnist_conv.onnx", 784'000 + 2'560, 3},
                             {"qonnx_TFC_1W1A.onnx", 59'008, 4},
                             {"qonnx_TFC_2W2A.onnx", 59'008, 4}}) {
    SCOPED_TRACE(p.file);
    const FloatNetwork network = import_onnx(shared / "models" / p.file);
    EXPECT_EQ(network.graph.total_macs(), p.macs);
    EXPECT_EQ(network.graph.weight_layers().size(), static_cast<std::size_t>(p.layers));
  }
}

TEST(RealNetworks, QonnxWidthsReachTheIntegers) {
  NEED(shared / "models" / "qonnx_TFC_2W2A.onnx");
  const CalibrationInputs inputs{4, [](int i) {
                                   Reals values(784);
                                   for (std::size_t k = 0; k < values.size(); ++k)
                                     values[k] =
                                         static_cast<float>((k * 7 + static_cast<std::size_t>(i) * 31) % 256) / 255;
                                   return values;
                                 }};
  for (const auto& [file, bits] : {std::pair{"qonnx_TFC_2W2A.onnx", 2}, {"qonnx_TFC_1W1A.onnx", 1}}) {
    SCOPED_TRACE(file);
    const FloatNetwork network = import_onnx(shared / "models" / file);
    const FloatNetwork calibrated = calibrate(network, plan_of(network), inputs);
    const IntegerNetwork integers = assemble(calibrated);
    std::int64_t compared = 0, differ = 0;
    for (const IntegerLayer& layer : integers.layers) EXPECT_EQ(layer.weight_bits, bits);
    for (int i = 0; i < 4; ++i) {
      const std::vector<Reals> simulated = run_all(calibrated, inputs.get(i));
      const std::vector<Codes> golden =
          run_all(integers, encode(input_grid(calibrated), prepare_input(calibrated, inputs.get(i))));
      for (std::size_t t = 0; t + 1 < golden.size(); ++t) {  // the output has 16 bits
        const std::vector<std::int32_t> codes = encode(*calibrated.grids[t], simulated[t]);
        for (std::size_t k = 0; k < codes.size(); ++k) ++compared, differ += codes[k] != golden[t][k] ? 1 : 0;
      }
    }
    std::cout << fmt::format("{}: {} codes compared, {} differ\n", file, compared, differ);
    // One threshold a value stays exact; of two, one may move by half a unit of the accumulator.
    EXPECT_LE(differ, bits == 1 ? 0 : compared / 100);
  }
}

TEST(RealNetworks, KeywordSpottingReachesItsAccuracy) {
  const fs::path features = shared / "data" / "kws01_features_49x10_int8.bin";
  NEED(features);
  NEED(shared / "models");
  const TemporaryFolder folder;
  const fs::path yaml =
      folder.write("kws.yaml", fmt::format("format: bitstrata-dataset-1\nkind: raw\ntype: int8\nshape: [49, 10, 1]\n"
                                           "scale: 0.5847029\nmean: 48.5303407\ntest: {{images: {}, labels: {}}}\n",
                                           fs::absolute(features).string(),
                                           fs::absolute(shared / "data" / "kws01_labels_u8.bin").string()));
  const SampleSet set = load_samples(yaml.string());
  const Samples& test = *set.test;
  const FloatNetwork network = import_onnx(shared / "models" / "mlpt_kws_dscnn.onnx");
  const auto floats = [&](const FloatNetwork& n) {
    std::vector<int> right(static_cast<std::size_t>(test.count()));
    for_each_index(test.count(), 0, [&](int i) {
      const Reals result = run(n, test.values(i));
      right[static_cast<std::size_t>(i)] =
          std::max_element(result.begin(), result.end()) - result.begin() == test.label(i) ? 1 : 0;
    });
    return std::count(right.begin(), right.end(), 1);
  };
  EXPECT_EQ(floats(network), 902);  // 90.2 %, as published with the file
  const CalibrationInputs inputs{100, [&](int i) { return test.values(i); }};
  for (const char* method : {"max", "percentile", "mse", "kl"}) {
    const FloatNetwork calibrated =
        calibrate(network, plan_of(network, 8, 8), inputs, {.method = range_method(method)});
    const IntegerNetwork integers = assemble(calibrated);
    std::vector<Codes> codes;
    for (int i = 0; i < test.count(); ++i) codes.push_back(encode(input_grid(calibrated), test.values(i)));
    const std::vector<Codes> outputs = run_batch(integers, codes);
    int right = 0;
    for (int i = 0; i < test.count(); ++i)
      right += argmax(outputs[static_cast<std::size_t>(i)]) == test.label(i) ? 1 : 0;
    std::cout << fmt::format("8 x 8, {}: {} of {} right\n", method, right, test.count());
    EXPECT_GE(right, 893);  // float less one standard error
  }
}

}  // namespace
}  // namespace bitstrata::testing
