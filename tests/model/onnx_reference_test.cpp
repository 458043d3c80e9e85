// SPDX-License-Identifier: Apache-2.0
// The reference executor against values worked out by hand from the operators' specifications. tests/onnx_runtime holds
// it against another executor.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include "tests/model/onnx_builder.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Dims = std::vector<std::int64_t>;
using Values = std::vector<double>;

constexpr int u8 = onnx::TensorProto::UINT8, i8 = onnx::TensorProto::INT8, i16 = onnx::TensorProto::INT16,
              i32 = onnx::TensorProto::INT32;
const std::string microsoft = "com.microsoft";

Array input_of(const OnnxBuilder& m, Values values) { return {m.input_dims(), std::move(values), m.input_type()}; }

TEST(OnnxReference, QuantizeLinearRoundsHalvesToEvenAndSaturates) {
  OnnxBuilder m({1, 7});
  m.node("QuantizeLinear", {"x", m.scalar(0.5), m.scalar(1, u8)});
  EXPECT_THAT(m.run(input_of(m, {0.25, 0.75, 1.25, -0.25, -0.75, 1000, -1000})).values,
              ElementsAre(1, 3, 3, 1, 0, 255, 0));
  OnnxBuilder wide({1, 3});
  wide.node("QuantizeLinear", {"x", wide.scalar(0.5), wide.scalar(-32768, i16)});
  EXPECT_THAT(wide.run(input_of(wide, {0.25, 0.75, -1})).values, ElementsAre(-32768, -32766, -32768));
}

TEST(OnnxReference, ScalesRunAlongEveryAxis) {
  for (const int axis : {0, 1, 2, -1}) {
    OnnxBuilder m({2, 2, 2});
    const auto scales = [&] { return m.constant({2}, {1, 10}); };
    const auto zeros = [&] { return m.constant({2}, {0, 3}, i8); };
    const std::string q = m.node("QuantizeLinear", {"x", scales(), zeros()}, {{"axis", axis}});
    const Array x = input_of(m, {10, 20, 30, 40, 50, 60, 70, 80});
    const std::size_t bit = axis == 0 ? 4 : axis == 1 ? 2 : 1;
    const Array codes = m.run(x);
    for (std::size_t k = 0; k < 8; ++k)
      EXPECT_EQ(codes.values[k], (k & bit) != 0 ? x.values[k] / 10 + 3 : x.values[k]) << axis << " " << k;
    m.node("DequantizeLinear", {q, scales(), zeros()}, {{"axis", axis}});
    EXPECT_EQ(m.run(x).values, x.values) << axis;
  }
}

TEST(OnnxReference, ConvolutionOfCodes) {
  OnnxBuilder m({1, 1, 1, 3});
  m.input_type(u8);
  // Less their zero points, the weights are 2, 1 and 4, -1, the codes 1, 2, 4; padding is the zero point.
  m.node("QLinearConv",
         {"x", m.scalar(0.5), m.scalar(1, u8), m.constant({2, 1, 1, 2}, {3, 2, 4, -1}, i8), m.constant({2}, {1, 0.25}),
          m.constant({2}, {1, 0}, i8), m.scalar(0.5), m.scalar(10, u8), m.constant({2}, {5, -2}, i32)},
         {{"pads", Dims{0, 1, 0, 0}}});
  // Sums of the first: 2*a + 1*b + 5 over (0 1), (1 2), (2 4); of the second: 4*a - b - 2, times 0.25 to even.
  EXPECT_THAT(m.run(input_of(m, {2, 3, 5})).values, ElementsAre(16, 19, 23, 9, 10, 10));
}

TEST(OnnxReference, MatricesOfCodes) {
  const Values x = {3, 5};
  OnnxBuilder m({1, 2});
  m.input_type(u8);
  const auto weights = [&](Dims dims, Values values) { return m.constant(std::move(dims), std::move(values), i8); };
  m.node("QLinearMatMul", {"x", m.scalar(0.5), m.scalar(1, u8), weights({2, 2}, {1, 2, 3, 4}), m.constant({2}, {1, 2}),
                           m.constant({2}, {0, 1}, i8), m.scalar(2), m.scalar(0, i8)});
  EXPECT_THAT(m.run(input_of(m, x)).values, ElementsAre(4, 7));  // (2*1 + 4*3)/4 = 3.5, (2*1 + 4*3)/2
  const std::string gemm_weights = weights({2, 2}, {1, 3, 1, 3});
  const std::vector<std::string> operands = {
      "x", m.scalar(0.5), m.scalar(1, u8), gemm_weights, m.scalar(1), m.scalar(0, i8), m.constant({2}, {2, -4}, i32)};
  m.node("QGemm", operands, {{"transB", 1}, {"alpha", 0.5}}, microsoft);
  EXPECT_THAT(m.run(input_of(m, x)).values, ElementsAre(4, 2.5));  // no output scale: floats
  std::vector<std::string> rounded = operands;
  rounded.insert(rounded.end(), {m.scalar(1), m.scalar(-1, i8)});
  m.node("QGemm", rounded, {{"transB", 1}, {"alpha", 0.5}}, microsoft);
  EXPECT_THAT(m.run(input_of(m, x)).values, ElementsAre(3, 1));
  m.node("MatMulInteger", {"x", gemm_weights, m.scalar(1, u8)});
  EXPECT_THAT(m.run(input_of(m, x)).values, ElementsAre(6, 18));  // 2*1 + 4*1, 2*3 + 4*3
}

TEST(OnnxReference, TransposedConvolutionsAddWhatEachInputGives) {
  OnnxBuilder m({1, 1, 1, 3});
  m.node("ConvTranspose", {"x", m.constant({1, 2, 1, 3}, {1, 10, 100, -1, 0, 0}), m.constant({2}, {0, 5})},
         {{"strides", Dims{1, 2}}, {"pads", Dims{0, 1, 0, 0}}, {"output_padding", Dims{0, 1}}});
  // 1 10 100, two further on 2 20 200, two further on 3 30 300; without the first, and with one more.
  EXPECT_THAT(m.run(input_of(m, {1, 2, 3})).values, ElementsAre(10, 102, 20, 203, 30, 300, 0, 5, 3, 5, 2, 5, 5, 5));
  OnnxBuilder groups({1, 2, 1, 2});
  groups.node("ConvTranspose", {"x", groups.constant({2, 1, 1, 2}, {1, 2, 10, 20})},
              {{"group", 2}, {"dilations", Dims{1, 2}}});
  EXPECT_THAT(groups.run(input_of(groups, {1, 2, 3, 4})).values, ElementsAre(1, 2, 2, 4, 30, 40, 60, 80));
  // The larger part of an odd padding lies behind the image where its name says the upper side.
  for (const bool upper : {true, false}) {
    OnnxBuilder same({1, 1, 1, 2});
    same.node("ConvTranspose", {"x", same.constant({1, 1, 1, 2}, {1, 10})},
              {{"auto_pad", upper ? "SAME_UPPER" : "SAME_LOWER"}});
    const Values expected = upper ? Values{1, 12} : Values{12, 20};
    EXPECT_EQ(same.run(input_of(same, {1, 2})).values, expected);
  }
}

TEST(OnnxReference, BlocksOfPixelsAndChannels) {
  const Values x = {1, 2, 3, 4, 5, 6, 7, 8};
  for (const char* mode : {"DCR", "CRD"}) {
    OnnxBuilder m({1, 8, 1, 1});
    m.node("DepthToSpace", {"x"}, {{"blocksize", 2}, {"mode", mode}});
    const Values by_row = {1, 3, 5, 7, 2, 4, 6, 8};
    EXPECT_EQ(m.run(input_of(m, x)).values, mode == std::string("DCR") ? by_row : x);
  }
  OnnxBuilder m({1, 2, 2, 2});
  m.node("SpaceToDepth", {"x"}, {{"blocksize", 2}});
  EXPECT_THAT(m.run(input_of(m, x)).values, ElementsAre(1, 5, 2, 6, 3, 7, 4, 8));
}

TEST(OnnxReference, GemmOfFloatsScalesBothItsParts) {
  OnnxBuilder m({2, 1});
  m.node("Gemm", {"x", m.constant({2, 1}, {3, 4}), m.constant({1}, {10})},
         {{"transA", 1}, {"alpha", 2.0}, {"beta", 0.5}});
  EXPECT_THAT(m.run(input_of(m, {1, 2})).values, ElementsAre(27));
}

TEST(OnnxReference, OperatorsOnSingleCodes) {
  OnnxBuilder m({1, 2, 1, 2});
  m.input_type(u8);
  const auto in = [&]() -> std::vector<std::string> { return {"x", m.scalar(0.5), m.scalar(2, u8)}; };
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = in();
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const auto run = [&] { return m.run(input_of(m, {2, 5, 0, 8})).values; };  // 0, 1.5, -1, 3
  const std::string other = m.constant({1, 2, 1, 1}, {3, 1}, i8);            // 1.5, 0.5 at scale 0.5
  const std::vector<std::string> both = with({other, m.scalar(0.5), m.scalar(0, i8), m.scalar(1), m.scalar(4, u8)});
  m.node("QLinearAdd", both, {}, microsoft);
  EXPECT_THAT(run(), ElementsAre(6, 7, 4, 8));  // 1.5, 3, -0.5, 3.5
  m.node("QLinearMul", both, {}, microsoft);
  EXPECT_THAT(run(), ElementsAre(4, 6, 4, 6));  // 0, 2.25, -0.5, 1.5
  m.node("QLinearLeakyRelu", with({m.scalar(0.25), m.scalar(1, u8)}), {{"alpha", 0.5}}, microsoft);
  EXPECT_THAT(run(), ElementsAre(1, 7, 0, 13));
  m.node("QLinearSigmoid", with({m.scalar(1.0 / 256), m.scalar(0, u8)}), {}, microsoft);
  EXPECT_THAT(run(), ElementsAre(128, 209, 69, 244));
  m.node("QLinearSoftmax", with({m.scalar(1.0 / 256), m.scalar(0, u8)}), {{"axis", -1}, {"opset", 13}}, microsoft);
  EXPECT_THAT(run(), ElementsAre(47, 209, 5, 251));
  m.node("QLinearGlobalAveragePool", with({m.scalar(0.5), m.scalar(1, u8)}), {}, microsoft);
  EXPECT_THAT(run(), ElementsAre(3, 3));  // 0.75 and 1 in halves: 1.5 goes to 2
  m.node("QLinearAveragePool", with({m.scalar(0.5), m.scalar(1, u8)}),
         {{"kernel_shape", Dims{1, 2}}, {"pads", Dims{0, 1, 0, 0}}}, microsoft);
  EXPECT_THAT(run(), ElementsAre(1, 2, 0, 3));  // 2.5 with its zero point; what lies in the padding does not count
  std::vector<std::string> joined = {m.scalar(1), m.scalar(0, u8)};
  for (const std::string& name : in()) joined.push_back(name);
  joined.insert(joined.end(), {m.constant({1, 1, 1, 2}, {4, 6}, i8), m.scalar(0.75), m.scalar(0, i8)});
  m.node("QLinearConcat", joined, {{"axis", 1}}, microsoft);
  EXPECT_THAT(run(), ElementsAre(0, 2, 0, 3, 3, 4));
}

TEST(OnnxReference, IntegerConvolutionAndDynamicQuantization) {
  OnnxBuilder m({1, 1, 1, 3});
  const std::string codes = m.node("DynamicQuantizeLinear", {"x"}, {}, "", 3);
  const auto run = [&] { return m.run(input_of(m, {-1, 0, 4.1})).values; };  // scale 0.02, zero point 50
  EXPECT_THAT(run(), ElementsAre(0, 50, 255));
  std::string zero = codes;
  zero.back() = '2';
  m.node("ConvInteger", {codes, m.constant({1, 1, 1, 2}, {1, 2}, i8), zero});
  EXPECT_THAT(run(), ElementsAre(-50, 410));
  std::string scale = codes;
  scale.back() = '1';
  m.output(scale);
  EXPECT_THAT(run(), ElementsAre(static_cast<double>(5.1F / 255)));
}

TEST(OnnxReference, CastTruncatesAndRefusesWhatDoesNotFit) {
  OnnxBuilder m({1, 3});
  m.node("Cast", {m.node("Cast", {"x"}, {{"to", i8}})}, {{"to", 1}});
  EXPECT_THAT(m.run(input_of(m, {-1.9, 2.5, 127.9})).values, ElementsAre(-1, 2, 127));
  EXPECT_THAT(message_of<std::invalid_argument>([&] { m.run(input_of(m, {0, 0, 128})); }), HasSubstr("Cast of 128"));
}

}  // namespace
}  // namespace bitstrata::testing
