// SPDX-License-Identifier: Apache-2.0
// What the importer calculates of constants: floats of 16 bits, and nodes that would draw values.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "model/onnx/onnx.h"
#include "tests/model/onnx_builder.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using Dims = std::vector<std::int64_t>;

constexpr int f32 = 1, f16 = 10, bf16 = 16;

FloatNetwork imported(const OnnxBuilder& m) {
  const TemporaryFolder folder;
  return import_onnx(m.save(folder / "model.onnx"));
}

std::string refusal(const OnnxBuilder& m) {
  return message_of<std::runtime_error>([&] { imported(m); });
}

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
