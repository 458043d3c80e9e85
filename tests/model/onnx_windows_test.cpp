// SPDX-License-Identifier: Apache-2.0
// Windows and slopes at values that are rare: what ONNX Runtime's answers to changed attributes brought up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/model/imported.h"
#include "tests/model/onnx_builder.h"
#include "tests/model/onnx_variants.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Dims = std::vector<std::int64_t>;

std::string first(OnnxBuilder& m) { return m.node("Conv", {"x", m.random({4, 3, 1, 1}), m.random({4}, 0.2)}); }

// Zeros around values that are never negative, of which a pooling makes padding of its own.
OnnxBuilder pool_over_pad(std::int64_t pad, const Attrs& attributes) {
  OnnxBuilder m({1, 3, 6, 5});
  const std::string a = m.node("Relu", {first(m)});
  m.node("MaxPool", {m.node("Pad", {a, m.ints({0, 0, pad, 0, 0, 0, 0, 0})})}, attributes);
  return m;
}

TEST(OnnxWindows, NoMaximumIsTakenOfPaddingAlone) {
  const auto refused = [](const OnnxBuilder& m) { return refusal(m); };
  EXPECT_THAT(refused(pool_over_pad(3, {{"kernel_shape", Dims{3, 3}}})), HasSubstr("windows that hold padding alone"));
  EXPECT_THAT(refused(pool_over_pad(1, {{"kernel_shape", Dims{1, 1}}})), HasSubstr("windows that hold padding alone"));
  // The first window reaches over the image: its taps lie at rows -3 and 7 of 6.
  EXPECT_THAT(
      refused(pool_over_pad(3, {{"kernel_shape", Dims{2, 1}}, {"dilations", Dims{10, 1}}, {"pads", Dims{0, 0, 2, 0}}})),
      HasSubstr("windows that hold padding alone"));
  const OnnxBuilder held = pool_over_pad(2, {{"kernel_shape", Dims{3, 3}}});
  const Array input = random_input(held, 1);
  const std::vector<float> wanted = to_nhwc(held.run(input));
  const Reals result = run(imported(held), to_nhwc(input));
  ASSERT_EQ(result.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(result[i], wanted[i], 1e-5);
}

std::vector<std::string> notes_of_average(int opset, const Attrs& attributes) {
  OnnxBuilder m({1, 3, 7, 6});
  m.opset(opset);
  m.node("AveragePool", {first(m)}, attributes);
  return imported(m).notes;
}

TEST(OnnxWindows, PaddingBelowIsNotThatOfTheLeft) {
  Attrs attributes = {
      {"kernel_shape", Dims{3, 2}}, {"count_include_pad", 1}, {"pads", Dims{1, 0, 1, 1}}, {"strides", Dims{2, 1}}};
  EXPECT_THAT(notes_of_average(19, attributes),
              ElementsAre(HasSubstr("padding of 1 below the image counts in its means, as ONNX says; ONNX Runtime "
                                    "counts 0 there, that of the left side: 1 of 4 rows differ by a factor of up to "
                                    "1.5")));
  EXPECT_THAT(notes_of_average(18, attributes), IsEmpty());
  attributes.at("pads") = Dims{1, 1, 1, 0};
  EXPECT_THAT(notes_of_average(19, attributes), IsEmpty());
  attributes.at("pads") = Dims{1, 0, 1, 1};
  attributes.at("count_include_pad") = 0;
  EXPECT_THAT(notes_of_average(19, attributes), IsEmpty());
}

TEST(OnnxWindows, OneOfTwoSpellingsOfPadding) {
  const auto refused = [](const char* op, const char* automatic) {
    OnnxBuilder m({1, 4, 7, 6});
    m.node(op, {"x", m.random({4, 4, 3, 3})}, {{"auto_pad", automatic}, {"pads", Dims{0, 1, 0, 1}}});
    return refusal(m);
  };
  for (const char* op : {"Conv", "ConvTranspose"}) {
    for (const char* automatic : {"SAME_UPPER", "SAME_LOWER", "VALID"})
      EXPECT_THAT(refused(op, automatic), HasSubstr("has pads of 0x1x0x1 and auto_pad '")) << op;
    EXPECT_THAT(refused(op, "NOTSET"), ::testing::Not(HasSubstr("auto_pad"))) << op;
  }
}

TEST(OnnxWindows, LeakyReluOfAnySlope) {
  for (const double alpha : {-0.25, 0.0, 0.5, 1.0, 1.5}) {
    OnnxBuilder m({1, 3, 6, 5});
    m.node("LeakyRelu", {first(m)}, {{"alpha", alpha}});
    Array input = random_input(m, 1);
    for (double& value : input.values) value = 2 * value - 1;
    const std::vector<float> wanted = to_nhwc(m.run(input));
    const Reals result = run(imported(m), to_nhwc(input));
    ASSERT_EQ(result.size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(result[i], wanted[i], 1e-5) << alpha;
  }
}

TEST(OnnxWindows, LimitsWithoutARangeAreNamed) {
  OnnxBuilder m({1, 3, 6, 5});
  m.node("Clip", {first(m), m.scalar(0.5), m.scalar(0.5)});
  EXPECT_THAT(refusal(m), HasSubstr("clips to 0.5..0.5, which is no range"));
}

// The variants that the runtime judges: there are many, each parses, and none is the model itself.
TEST(OnnxVariants, EachDiffersFromItsModel) {
  OnnxBuilder m({1, 4, 6, 5});
  const std::string a = m.node("Conv", {"x", m.random({4, 4, 3, 3})}, {{"pads", Dims{1, 1, 1, 1}}});
  m.node("Transpose", {m.node("Add", {a, m.random({4, 1, 1})})}, {{"perm", Dims{0, 2, 3, 1}}});
  const std::string bytes = m.bytes();
  std::map<std::string, int> counts;
  for_each_variant(bytes, [&](const Variant& variant) {
    EXPECT_NE(variant.bytes, bytes) << variant.op << variant.attribute << variant.change;
    ++counts[variant.op + "." + variant.attribute];
  });
  EXPECT_EQ(counts["Conv.auto_pad"], 4);
  EXPECT_EQ(counts["Conv.pads"], 9);  // eight others, and left out
  EXPECT_EQ(counts["Conv.group"], 2);
  EXPECT_EQ(counts["Transpose.perm"], 24);  // all others of four, and left out
  EXPECT_EQ(counts["Add.input 1"], 2);      // a side more in front, and none of 1 behind
  EXPECT_EQ(counts["model.constants"], 5);
}

}  // namespace
}  // namespace bitstrata::testing
