// SPDX-License-Identifier: Apache-2.0
// Quantized networks as ONNX and back: the integers must come out again.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <iostream>

#include "model/golden.h"
#include "model/onnx/onnx.h"
#include "quant/calibration/calibrate.h"
#include "tests/model/onnx_space_cases.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using namespace quant;
using ::testing::HasSubstr;

FloatNetwork calibrated(const OnnxCase& tested, const TemporaryFolder& folder, int weight_bits, int activation_bits) {
  const FloatNetwork network = import_onnx(tested.model.save(folder / "model.onnx"));
  const CalibrationInputs inputs{
      8, [&](int i) { return to_nhwc(random_input(tested.model, static_cast<std::uint64_t>(i) + 1)); }};
  Plan plan = plan_of(network, weight_bits, activation_bits);
  if (activation_bits <= 8) plan.output_bits = 8;
  return calibrate(network, plan, inputs, {.method = RangeMethod::mse});
}

Codes random_codes(const TensorFormat& format, std::uint64_t seed) {
  const CodeRange range = code_range(format.coding, format.bits);
  Codes codes;
  for (std::int64_t i = 0; i < format.shape.elements(); ++i) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    codes.push_back(range.low +
                    static_cast<std::int32_t>((seed >> 33) % static_cast<std::uint64_t>(range.high - range.low + 1)));
  }
  return codes;
}

// Numbers that differ between the layers of two networks.
std::size_t differences(const IntegerNetwork& a, const IntegerNetwork& b) {
  std::size_t count = a.layers.size() == b.layers.size() ? 0 : 1;
  for (std::size_t i = 0; i < std::min(a.layers.size(), b.layers.size()); ++i) {
    const IntegerLayer &x = a.layers[i], &y = b.layers[i];
    const bool same = x.name == y.name && x.weights == y.weights && x.bias == y.bias && x.multiplier == y.multiplier &&
                      x.shift == y.shift && x.weight_bits == y.weight_bits && x.clip_low == y.clip_low &&
                      x.clip_high == y.clip_high && x.factor == y.factor && x.table == y.table &&
                      x.negative_multiplier == y.negative_multiplier && x.swish_three == y.swish_three &&
                      x.swish_shift == y.swish_shift && x.window == y.window && x.groups == y.groups;
    count += same ? 0 : 1;
  }
  return count;
}

TEST(Export, WrittenFilesGiveTheSameIntegers) {
  const TemporaryFolder folder;
  std::size_t layers = 0;
  std::int64_t codes = 0;
  std::vector<OnnxCase> cases = onnx_cases();
  for (OnnxCase& more : onnx_space_cases()) cases.push_back(std::move(more));
  for (const OnnxCase& tested : cases) {
    for (const auto& [w, a] : {std::pair{8, 8}, {4, 6}, {1, 3}, {12, 8}}) {
      const bool transposed = tested.name.find("Transposed") == 0 || tested.name.find("Cut") == 0;
      if (w == 1 && transposed) continue;  // refused, see below
      const FloatNetwork network = calibrated(tested, folder, w, a);
      const IntegerNetwork before = assemble(network);
      for (const OnnxStyle style : {OnnxStyle::qdq, OnnxStyle::qonnx}) {
        SCOPED_TRACE(fmt::format("{} {}x{} {}", tested.name, w, a, style == OnnxStyle::qdq ? "qdq" : "qonnx"));
        write_onnx(network, style, folder / "model.onnx");
        const FloatNetwork back = import_onnx(folder / "model.onnx");
        const IntegerNetwork after = assemble(calibrate(back, plan_of(back), {}));
        // Two orders of channels in one file are one order in ours, which may be spread later: the same codes, other
        // layers.
        const bool two_orders = tested.name == "ColumnsBeforeTheActivation" || tested.name == "ColumnsOfWhatOthersRead";
        EXPECT_EQ(two_orders ? 0U : differences(before, after), 0U);
        layers += before.layers.size();
        const Codes input = random_codes(before.tensors[0], 3);
        const Codes one = model::run(before, input), two = model::run(after, input);
        EXPECT_EQ(one, two);
        codes += static_cast<std::int64_t>(one.size());
      }
    }
  }
  std::cout << fmt::format("{} layers and {} output codes compared\n", layers, codes);
  EXPECT_GT(layers, 300U);
}

TEST(Export, PhasesOfTransposedConvolutionsNeedTwoBits) {
  const TemporaryFolder folder;
  for (const OnnxCase& tested : onnx_space_cases()) {
    if (tested.name != "Transposed") continue;
    EXPECT_THAT(message_of<std::invalid_argument>([&] { calibrated(tested, folder, 1, 4); }),
                HasSubstr("phases need weights of 0, which 1 bit cannot hold; give it 2"));
    EXPECT_NO_THROW(calibrated(tested, folder, 2, 4));
  }
}

TEST(Export, SixteenBitTypesStandInAnOpsetThatHasThem) {
  const TemporaryFolder folder;
  const OnnxCase tested = onnx_cases().at(0);
  const auto versions = [&](int weight_bits, int activation_bits, OnnxStyle style) {
    write_onnx(calibrated(tested, folder, weight_bits, activation_bits), style, folder / "model.onnx");
    onnx::ModelProto model;
    EXPECT_TRUE(model.ParseFromString(read_text(folder / "model.onnx")));
    return std::pair{model.opset_import(0).version(), model.ir_version()};
  };
  EXPECT_EQ(versions(8, 8, OnnxStyle::qdq), (std::pair<std::int64_t, std::int64_t>{14, 8}));
  EXPECT_EQ(versions(9, 8, OnnxStyle::qdq), (std::pair<std::int64_t, std::int64_t>{21, 10}));
  EXPECT_EQ(versions(8, 9, OnnxStyle::qdq), (std::pair<std::int64_t, std::int64_t>{21, 10}));
  EXPECT_EQ(versions(16, 16, OnnxStyle::qonnx), (std::pair<std::int64_t, std::int64_t>{14, 8}));
}

TEST(Export, SettledNetworksKeepTheirCodes) {
  const TemporaryFolder folder;
  std::size_t changed = 0, codes = 0, different = 0;
  for (const OnnxCase& tested : onnx_cases()) {
    for (const auto& [w, a] : {std::pair{8, 8}, {4, 6}, {12, 8}}) {
      SCOPED_TRACE(fmt::format("{} {}x{}", tested.name, w, a));
      const FloatNetwork free = calibrated(tested, folder, w, a);
      const IntegerNetwork before = assemble(free);
      const FloatNetwork network = settled(free, before);
      for (std::size_t i = 0; i < network.parameters.size(); ++i)
        changed += network.parameters[i].bias != free.parameters[i].bias ? 1 : 0;
      write_onnx(network, OnnxStyle::qdq, folder / "model.onnx");
      const FloatNetwork back = import_onnx(folder / "model.onnx");
      const IntegerNetwork after = assemble(calibrate(back, plan_of(back), {}));
      const Codes input = random_codes(before.tensors[0], 5);
      const Codes one = model::run(before, input), two = model::run(after, input);
      ASSERT_EQ(one.size(), two.size());
      for (std::size_t k = 0; k < one.size(); ++k) different += one[k] != two[k] ? 1 : 0;
      codes += one.size();
    }
  }
  std::cout << fmt::format("{} layers changed, {} of {} codes differ\n", changed, different, codes);
  EXPECT_GT(changed, 50U);
  EXPECT_EQ(different, 0U);
}

TEST(Export, IntegersAloneAreEnoughForConvolutionsAndPooling) {
  const TemporaryFolder folder;
  std::int64_t codes = 0;
  for (const char* name : {"BatchNormAlone", "FlattenGemm", "Depthwise", "Pools", "Relu6", "PadMerges"}) {
    const std::vector<OnnxCase> cases = onnx_cases();
    const auto tested = std::find_if(cases.begin(), cases.end(), [&](const OnnxCase& c) { return c.name == name; });
    ASSERT_NE(tested, cases.end()) << name;
    SCOPED_TRACE(name);
    const IntegerNetwork before = assemble(calibrated(*tested, folder, 5, 7));
    const FloatNetwork network = float_of(before);
    for (const OnnxStyle style : {OnnxStyle::qdq, OnnxStyle::qonnx}) {
      write_onnx(network, style, folder / "model.onnx");
      const FloatNetwork back = import_onnx(folder / "model.onnx");
      const IntegerNetwork after = assemble(calibrate(back, plan_of(back), {}));
      for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        const Codes input = random_codes(before.tensors[0], seed);
        const Codes one = model::run(before, input);
        EXPECT_EQ(one, model::run(after, input));
        codes += static_cast<std::int64_t>(one.size());
      }
    }
  }
  std::cout << codes << " output codes compared\n";
  EXPECT_GT(codes, 1000);
}

TEST(Export, WhatCannotBeWrittenIsNamed) {
  const TemporaryFolder folder;
  const OnnxCase tested = onnx_cases().at(0);
  const FloatNetwork network = import_onnx(tested.model.save(folder / "model.onnx"));
  EXPECT_THAT(message_of<std::invalid_argument>([&] { write_onnx(network, OnnxStyle::qdq, folder / "out.onnx"); }),
              HasSubstr("calibrate"));
}

}  // namespace
}  // namespace bitstrata::testing
