// SPDX-License-Identifier: Apache-2.0
// What the importer calculates of constants: floats of 16 bits, and nodes that would draw values.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/model/imported.h"
#include "tests/model/onnx_builder.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using Dims = std::vector<std::int64_t>;

constexpr int f32 = 1, f16 = 10, bf16 = 16;

// The weights that a product with `values` has once `change` has made others of their name.
std::vector<float> weights_of(const std::vector<double>& values, int type,
                              const std::function<std::string(OnnxBuilder&, const std::string&)>& change) {
  const auto count = static_cast<std::int64_t>(values.size());
  OnnxBuilder m({1, count});
  m.node("MatMul", {"x", change(m, m.constant({count, 1}, values, type))});
  m.opset(19);
  return imported(m).parameters[1].weights;
}

TEST(OnnxConstants, CastsToShortFloatsRoundToTheNearestEven) {
  const std::vector<double> values = {0.1, 1.0 / 3, 2049, 2051, 257, 259, 3e-8, 1e-8, -65519, 3.14159265};
  const std::vector<float> half = {0.0999755859375F, 0.333251953125F, 2048, 2052, 257, 259, 0x1p-24F, 0,
                                   -65504,           3.140625F},
                           brain = {
                               0.10009765625F,          0.333984375F, 2048,     2048, 256, 260, 3.003515303134918e-08F,
                               1.0011717677116394e-08F, -65536,       3.140625F};
  const auto cast = [](int to) {
    return [to](OnnxBuilder& m, const std::string& w) {
      return m.node("Cast", {m.node("Cast", {w}, {{"to", to}})}, {{"to", f32}});
    };
  };
  EXPECT_THAT(weights_of(values, f32, cast(f16)), ElementsAreArray(half));
  EXPECT_THAT(weights_of(values, f32, cast(bf16)), ElementsAreArray(brain));
  const auto like = [](OnnxBuilder& m, const std::string& w) {
    return m.node("CastLike", {w, m.constant({}, {0x3c00}, f16)});
  };
  EXPECT_THAT(weights_of(values, f32, like), ElementsAreArray(half));
}

TEST(OnnxConstants, ArithmeticOfShortFloatsIsRounded) {
  // A tenth, the smallest number, the smallest normal one, the largest one, -2.
  const std::vector<double> bits = {0x2e66, 0x0001, 0x0400, 0x7bff, 0xc000};
  const auto as_they_are = [](OnnxBuilder& m, const std::string& w) { return m.node("Cast", {w}, {{"to", f32}}); };
  EXPECT_THAT(weights_of(bits, f16, as_they_are),
              ElementsAreArray({0.0999755859375F, 0x1p-24F, 0x1p-14F, 65504.0F, -2.0F}));
  // 3 * 0.0999755859375 lies just between two halves.
  const auto tripled = [](OnnxBuilder& m, const std::string& w) {
    return m.node("Mul", {w, m.constant({}, {0x4200}, f16)});
  };
  EXPECT_THAT(weights_of({0x2e66, 0xc000}, f16, tripled), ElementsAreArray({0.2998046875F, -6.0F}));
  // 0x3dcd is 0.10009765625 in bfloat16, whose triple takes 9 bits.
  const auto brain = [](OnnxBuilder& m, const std::string& w) {
    return m.node("Mul", {w, m.constant({}, {0x4040}, bf16)});
  };
  EXPECT_THAT(weights_of({0x3dcd, 0xc000}, bf16, brain), ElementsAreArray({0.30078125F, -6.0F}));
  const auto root = [](OnnxBuilder& m, const std::string& w) { return m.node("Sqrt", {w}); };
  EXPECT_THAT(weights_of({0x4000}, f16, root), ElementsAreArray({1.4140625F}));
}

constexpr int u8 = 2, i8 = 3, u16 = 4, i16 = 5, i32 = 6, i64 = 7, f64 = 11, u32 = 12;

// What `op` makes of whole numbers of `type`, with a second operand where one is given.
std::vector<float> whole_results(const std::string& op, int type, const std::vector<double>& values,
                                 const std::vector<double>& other = {}) {
  return weights_of(values, type, [&](OnnxBuilder& m, const std::string& w) {
    std::vector<std::string> inputs = {w};
    if (!other.empty()) inputs.push_back(m.constant({static_cast<std::int64_t>(other.size()), 1}, other, type));
    return m.node("Cast", {m.node(op, inputs)}, {{"to", f32}});
  });
}

TEST(OnnxConstants, WholeNumbersKeepTheBitsOfTheirType) {
  EXPECT_THAT(whole_results("Add", u8, {250, 5}, {10, 10}), ElementsAreArray({4.0F, 15.0F}));
  EXPECT_THAT(whole_results("Sub", u8, {3, 200}, {128, 128}), ElementsAreArray({131.0F, 72.0F}));
  EXPECT_THAT(whole_results("Sub", i8, {-100, 100}, {100, -100}), ElementsAreArray({56.0F, -56.0F}));
  EXPECT_THAT(whole_results("Mul", i8, {-128, 100}, {-1, 3}), ElementsAreArray({-128.0F, 44.0F}));
  EXPECT_THAT(whole_results("Div", i8, {-128, 100}, {-1, 3}), ElementsAreArray({-128.0F, 33.0F}));
  EXPECT_THAT(whole_results("Mul", i16, {300, -300}, {300, 300}), ElementsAreArray({24464.0F, -24464.0F}));
  EXPECT_THAT(whole_results("Add", i32, {2147483647}, {1}), ElementsAreArray({-2147483648.0F}));
  // Beyond 64 bits: (2^32 - 1)^2 is 1 modulo 2^32.
  EXPECT_THAT(whole_results("Mul", u32, {4294967295}, {4294967295}), ElementsAreArray({1.0F}));
  EXPECT_THAT(whole_results("Neg", i8, {-128, 5}), ElementsAreArray({-128.0F, -5.0F}));
  EXPECT_THAT(whole_results("Abs", i16, {-32768, -7}), ElementsAreArray({-32768.0F, 7.0F}));
  EXPECT_THAT(whole_results("Sign", i32, {-9, 0}), ElementsAreArray({-1.0F, 0.0F}));
}

TEST(OnnxConstants, CastsBetweenIntegersDropBits) {
  const auto cast = [](int from, int to, const std::vector<double>& values) {
    return weights_of(values, from, [to](OnnxBuilder& m, const std::string& w) {
      return m.node("Cast", {m.node("Cast", {w}, {{"to", to}})}, {{"to", f32}});
    });
  };
  EXPECT_THAT(cast(u8, i8, {127, 128, 255}), ElementsAreArray({127.0F, -128.0F, -1.0F}));
  EXPECT_THAT(cast(i8, u8, {-1, -128, 5}), ElementsAreArray({255.0F, 128.0F, 5.0F}));
  EXPECT_THAT(cast(i16, i8, {300, -300}), ElementsAreArray({44.0F, -44.0F}));
  EXPECT_THAT(cast(i32, u16, {65537, -1}), ElementsAreArray({1.0F, 65535.0F}));
  EXPECT_THAT(cast(i64, i32, {4294967298}), ElementsAreArray({2.0F}));
  // CastLike is the same.
  const auto like = [](OnnxBuilder& m, const std::string& w) {
    return m.node("Cast", {m.node("CastLike", {w, m.constant({}, {0}, i8)})}, {{"to", f32}});
  };
  EXPECT_THAT(weights_of({200}, u8, like), ElementsAreArray({-56.0F}));
}

TEST(OnnxConstants, FloatsOutsideOfAnIntegerTypeAreRefused) {
  const auto cast = [](int to, double value) {
    OnnxBuilder m({1, 1});
    const std::string w = m.node("Cast", {m.constant({1, 1}, {value})}, {{"to", to}});
    m.node("MatMul", {"x", m.node("Cast", {w}, {{"to", f32}})});
    return refusal(m);
  };
  EXPECT_THAT(cast(i8, 127.5), HasSubstr("(no exception)"));
  EXPECT_THAT(cast(i8, 128), HasSubstr("Cast node 'n_Cast_0_0': 128 is none of INT8's values"));
  EXPECT_THAT(cast(u8, -1), HasSubstr("-1 is none of UINT8's values"));
  EXPECT_THAT(cast(i64, 1e19), HasSubstr("is no whole number"));
}

TEST(OnnxConstants, DoublesAreCalculatedInSixtyFourBits) {
  // 1 / 3 survives a detour through 10^9 in 64 bits to 1e-7 and is lost in 32.
  const auto detour = [](OnnxBuilder& m, const std::string& w) {
    const std::string wide = m.node("Cast", {w}, {{"to", f64}});
    const std::string large = m.node("Cast", {m.constant({}, {1e9})}, {{"to", f64}});
    const std::string back = m.node("Sub", {m.node("Add", {wide, large}), large});
    const std::string turned = m.node("Transpose", {m.node("Transpose", {back})});
    return m.node("Cast", {turned}, {{"to", f32}});
  };
  const std::vector<float> got = weights_of({1.0 / 3, -0.7}, f32, detour);
  ASSERT_EQ(got.size(), 2U);
  EXPECT_NEAR(got[0], 1.0 / 3, 1.2e-7);
  EXPECT_NEAR(got[1], -0.7, 1.2e-7);
  // Weights of 64 bits are read as floats.
  const auto kept = [](OnnxBuilder& m, const std::string& w) { return m.node("Cast", {w}, {{"to", f64}}); };
  EXPECT_THAT(weights_of({0.1}, f32, kept), ElementsAreArray({0.1F}));
}

TEST(OnnxConstants, LargeWholeNumbersAreComparedAndNegatedExactly) {
  // 2^53 and 2^53 + 1 have one double.
  const auto above = [](OnnxBuilder& m, const std::string& w) {
    return m.node("Cast", {m.node("Greater", {w, m.constant({}, {9007199254740992}, i64)})}, {{"to", f32}});
  };
  const auto next = [&](OnnxBuilder& m, const std::string& w) {
    return above(m, m.node("Add", {w, m.constant({}, {1}, i64)}));
  };
  EXPECT_THAT(weights_of({9007199254740992}, i64, next), ElementsAreArray({1.0F}));
  EXPECT_THAT(weights_of({9007199254740992}, i64, above), ElementsAreArray({0.0F}));
  const auto negated = [&](OnnxBuilder& m, const std::string& w) {
    const std::string one = m.constant({}, {1}, i64);
    const std::string twice = m.node("Neg", {m.node("Neg", {m.node("Add", {w, one})})});
    return above(m, twice);
  };
  EXPECT_THAT(weights_of({9007199254740992}, i64, negated), ElementsAreArray({1.0F}));
}

TEST(OnnxConstants, OperandsOfDifferentTypesAreRefused) {
  const auto together = [](const std::string& op) {
    OnnxBuilder m({1, 2});
    const std::string mixed = m.node(op, {m.constant({2, 1}, {1, 2}, i8), m.constant({2, 1}, {1, 2}, i64)});
    m.node("MatMul", {"x", m.node("Cast", {mixed}, {{"to", f32}})});
    return refusal(m);
  };
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Concat", "Less"})
    EXPECT_THAT(together(op), HasSubstr("reads INT8 and INT64 together; its operands must have one type")) << op;
}

TEST(OnnxConstants, AttributesOfTheWrongTypeAreRefused) {
  const auto words = [](const std::string& op, const Attrs& attributes) {
    OnnxBuilder m({1, 2, 4, 4});
    std::vector<std::string> inputs = {"x"};
    if (op == "Conv") inputs.push_back(m.random({2, 2, 3, 3}));
    if (op == "Flatten" || op == "LeakyRelu") inputs[0] = m.node("Relu", inputs);
    m.node(op, inputs, attributes);
    return refusal(m);
  };
  EXPECT_THAT(words("LeakyRelu", {{"alpha", 1}}),
              HasSubstr("LeakyRelu node 'n_LeakyRelu_1_0': attribute 'alpha' is an INT; it must be a FLOAT"));
  EXPECT_THAT(words("Flatten", {{"axis", 1.0}}), HasSubstr("attribute 'axis' is a FLOAT; it must be an INT"));
  EXPECT_THAT(words("Conv", {{"auto_pad", 1}}), HasSubstr("attribute 'auto_pad' is an INT; it must be a STRING"));
  EXPECT_THAT(words("Conv", {{"strides", 2}}), HasSubstr("attribute 'strides' is an INT; it must be an INTS"));
  EXPECT_EQ(words("Conv", {{"strides", Dims{1, 1}}}), "(no exception)");
}

TEST(OnnxConstants, FilesOfShortFloatsSaySo) {
  for (const int type : {f16, bf16}) {
    OnnxBuilder m({1, 3});
    m.node("MatMul", {"x", m.constant({3, 1}, {0x3c00, 0x3c00, 0x3c00}, type)});
    m.input_type(type);
    const FloatNetwork network = imported(m);
    ASSERT_EQ(network.notes.size(), 1U);
    EXPECT_EQ(network.notes[0], std::string("the file computes in ") + (type == f16 ? "FLOAT16" : "BFLOAT16") +
                                    "; here values are floats of 32 bits");
  }
}

TEST(OnnxConstants, DropoutInTrainingModeIsRefused) {
  // In front of values, and in front of weights, which the importer calculates itself.
  for (const bool weights : {false, true}) {
    const auto dropped = [&](int opset, const std::vector<double>& operands, const Attrs& attributes) {
      OnnxBuilder m({1, 3, 4, 4});
      std::vector<std::string> inputs = {weights ? m.random({2, 3, 1, 1}) : "x"};
      if (!operands.empty()) inputs.push_back(m.scalar(operands[0]));
      if (operands.size() > 1) inputs.push_back(m.scalar(operands[1], 9));
      const std::string y = m.node("Dropout", inputs, attributes);
      m.node("Conv", {weights ? "x" : y, weights ? y : m.random({2, 3, 1, 1})});
      m.opset(opset);
      return refusal(m);
    };
    const auto words = HasSubstr("Dropout node 'n_Dropout_0_0': is in training mode; export the network for inference");
    const std::string taken = "(no exception)";
    EXPECT_THAT(dropped(13, {0.5, 1}, {}), words);
    EXPECT_EQ(dropped(13, {0, 1}, {}), taken);
    EXPECT_EQ(dropped(13, {0.5, 0}, {}), taken);
    EXPECT_EQ(dropped(13, {0.5}, {}), taken);
    EXPECT_EQ(dropped(10, {}, {{"ratio", 0.5}}), taken);
    EXPECT_THAT(dropped(6, {}, {{"ratio", 0.5}}), words);
    EXPECT_EQ(dropped(6, {}, {{"ratio", 0.5}, {"is_test", 1}}), taken);
  }
}

}  // namespace
}  // namespace bitstrata::testing
