// SPDX-License-Identifier: Apache-2.0
// Models that are no network, or no sensible one: each ends in a network that runs or in one line, soon, and in little
// memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>
#include <ctime>
#include <functional>
#include <iostream>
#include <limits>

#include "model/onnx/onnx.h"
#include "tests/model/onnx_mutants.h"
#include "tests/model/onnx_quantized_cases.h"
#include "tests/model/onnx_space_cases.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::HasSubstr;
using Dims = std::vector<std::int64_t>;

// The sanitizers' own share of time and memory.
#ifdef __SANITIZE_ADDRESS__
constexpr int checked = 10;
#else
constexpr int checked = 1;
#endif
constexpr double longest = 2.0 * checked;            // seconds of the processor
constexpr std::int64_t most_memory = checked << 20;  // KiB

constexpr std::int64_t huge = std::int64_t{1} << 40;

std::string refusal(const OnnxBuilder& model) {
  const TemporaryFolder folder;
  return message_of<std::runtime_error>([&] { import_onnx(model.save(folder / "model.onnx")); });
}

// A scale that is 0 in 32-bit floats makes values that no code stands for.
TEST(OnnxRobust, ValuesThatAreNoNumbersHaveNoCode) {
  Grid grid{.bits = 8};
  for (const Rounding rounding :
       {Rounding::half_up, Rounding::half_even, Rounding::half_even_step, Rounding::half_away, Rounding::floor}) {
    grid.rounding = rounding;
    grid.scale = 0.5;
    EXPECT_EQ(grid.code(3.0F), 6);
    EXPECT_THROW(grid.code(std::numeric_limits<float>::quiet_NaN()), std::invalid_argument);
    grid.scale = 1e-60;  // 0 as a 32-bit float
    EXPECT_THROW(grid.code(0.0F), std::invalid_argument);
  }
}

// The refusal of a Reshape whose target is made from constants; the model is else sound.
std::string refusal_of_shape(const std::function<std::string(OnnxBuilder&)>& shape) {
  OnnxBuilder m({1, 6});
  m.node("Gemm", {m.node("Reshape", {"x", shape(m)}), m.random({6, 2})});
  return refusal(m);
}

TEST(OnnxRobust, PartsOfASplitLieInItsInput) {
  OnnxBuilder m({1, 3, 4, 4});
  const std::string x = m.node("Conv", {"x", m.random({3, 3, 1, 1})});
  m.node("Split", {x, m.ints({-4, 7})}, {{"axis", 1}}, "", 2);
  EXPECT_THAT(refusal(m), HasSubstr("a part is negative or larger than its input's 3"));
}

TEST(OnnxRobust, LimitsAndScalesNeedAValue) {
  OnnxBuilder clip({1, 6});
  clip.node("Clip", {"x", "", clip.constant({0}, {})});
  EXPECT_THAT(refusal(clip), HasSubstr("Clip node 'n_Clip_0_0'"));
  OnnxBuilder decode({1, 6});
  const std::string codes = decode.node("QuantizeLinear", {"x", decode.scalar(0.5), decode.scalar(0, 2)});
  decode.node("DequantizeLinear", {codes, decode.constant({0}, {})});
  EXPECT_THAT(refusal(decode), HasSubstr("DequantizeLinear node 'n_DequantizeLinear_1_0'"));
  OnnxBuilder conv({1, 2, 4, 4});
  const auto zero = [&] { return conv.scalar(0, 3); };
  const std::string x = conv.node("QuantizeLinear", {"x", conv.scalar(0.5), zero()});
  conv.node("QLinearConv", {x, conv.scalar(0.5), zero(), conv.constant({3, 2, 1, 1}, {1, 2, 3, 4, 5, 6}, 3),
                            conv.constant({3}, {0.5, 0.25, 0.5}), zero(), conv.scalar(0.25), zero(),
                            conv.constant({5}, {8, 0, -8, 1, 1}, 6)});
  EXPECT_THAT(refusal(conv), HasSubstr("QLinearConv node 'n_QLinearConv_1_0'"));
}

TEST(OnnxRobust, WholeNumbersThatLeave64BitsAreRefused) {
  const std::int64_t least = std::numeric_limits<std::int64_t>::min();
  const auto two = [](const char* op, std::int64_t a, std::int64_t b) {
    return refusal_of_shape([=](OnnxBuilder& m) { return m.node(op, {m.ints({a, 6}), m.ints({b})}); });
  };
  EXPECT_THAT(two("Div", least, -1), HasSubstr("leaves 64 bits"));
  EXPECT_THAT(two("Div", 5, 0), HasSubstr("division by zero"));
  EXPECT_THAT(two("Mul", huge, huge), HasSubstr("leaves 64 bits"));
  EXPECT_THAT(two("Add", least, least), HasSubstr("leaves 64 bits"));
  EXPECT_THAT(two("Sub", least, huge), HasSubstr("leaves 64 bits"));
  EXPECT_THAT(two("Pow", huge, 7), HasSubstr("is no whole number"));
  const auto one = [](const char* op, double value, const Attrs& attributes) {
    return refusal_of_shape([=](OnnxBuilder& m) { return m.node(op, {m.constant({2}, {value, 6})}, attributes); });
  };
  EXPECT_THAT(one("Cast", std::nan(""), {{"to", 7}}), HasSubstr("nan is no whole number"));
  EXPECT_THAT(one("Cast", 1e30, {{"to", 7}}), HasSubstr("is no whole number"));
  EXPECT_THAT(one("Cast", 1, {{"to", 8}}), HasSubstr("data type 8"));
  EXPECT_THAT(refusal_of_shape([=](OnnxBuilder& m) {
                return m.node("Neg", {m.ints({least, 6})});
              }),
              HasSubstr("leaves 64 bits"));
}

// Fields of the file are wider than the types: a code of 300 in 8 bits is no code.
TEST(OnnxRobust, ConstantsHoldWhatTheirTypeHolds) {
  const auto refused = [](int type, double value) {
    OnnxBuilder m({1, 6});
    m.node("Gemm", {"x", m.node("DequantizeLinear", {m.constant({6, 1}, {1, 1, 1, 1, 1, value}, type), m.scalar(1)})});
    return refusal(m);
  };
  constexpr int uint8 = 2, int8 = 3, uint16 = 4, int16 = 5, boolean = 9, uint32 = 12, uint64 = 13;
  EXPECT_THAT(refused(uint8, 300), HasSubstr("holds 300; its type has 0 to 255"));
  EXPECT_THAT(refused(uint8, -1), HasSubstr("holds -1; its type has 0 to 255"));
  EXPECT_THAT(refused(int8, 128), HasSubstr("holds 128; its type has -128 to 127"));
  EXPECT_THAT(refused(uint16, 65536), HasSubstr("holds 65536; its type has 0 to 65535"));
  EXPECT_THAT(refused(int16, -32769), HasSubstr("holds -32769; its type has -32768 to 32767"));
  EXPECT_THAT(refused(boolean, 2), HasSubstr("holds 2; its type has 0 to 1"));
  EXPECT_THAT(refused(uint32, 0x1p32), HasSubstr("holds 4294967296; its type has 0 to 4294967295"));
  EXPECT_THAT(refused(uint64, 0x1p63), HasSubstr("holds 9223372036854775808; its type has 0 to 9223372036854775807"));
  for (const auto& [type, value] : {std::pair(uint8, 255.0), std::pair(int8, -128.0), std::pair(boolean, 1.0)})
    EXPECT_THAT(refused(type, value), ::testing::Not(HasSubstr("its type has")));
}

TEST(OnnxRobust, ListsHoldWholeNumbers) {
  EXPECT_THAT(refusal_of_shape([](OnnxBuilder& m) {
                return m.constant({2}, {1, 6});
              }),
              HasSubstr("its shape must hold whole numbers"));
}

TEST(OnnxRobust, FactorsOfAResizeAreNotCutOff) {
  for (const double factor : {65.0, 2147483648.0, 1e12}) {
    OnnxBuilder m({1, 3, 4, 4});
    m.node("Resize", {m.node("Conv", {"x", m.random({3, 3, 1, 1})}), "", m.constant({4}, {1, 1, factor, factor})},
           {{"mode", "nearest"}, {"coordinate_transformation_mode", "asymmetric"}, {"nearest_mode", "floor"}});
    EXPECT_THAT(refusal(m), HasSubstr("at most 64 is supported")) << factor;
  }
}

TEST(OnnxRobust, TensorsWithoutElementsCostNothing) {
  const std::clock_t begin = std::clock();
  const auto shape_with = [](const std::function<std::string(OnnxBuilder&, const std::string&)>& use) {
    return refusal_of_shape([&](OnnxBuilder& m) {
      const std::string none = m.constant({huge, 0}, {}, 7);
      return m.node("Concat", {m.node("Reshape", {use(m, none), m.ints({0})}, {{"allowzero", 1}}), m.ints({2, 2})},
                    {{"axis", 0}});
    });
  };
  using Use = std::function<std::string(OnnxBuilder&, const std::string&)>;
  const std::vector<std::pair<std::string, Use>> uses = {
      {"Concat",
       [](auto& m, auto& none) {
         return m.node("Concat", {none, none}, {{"axis", 0}});
       }},
      {"Concat",
       [](auto& m, auto& none) {
         return m.node("Concat", {none, none}, {{"axis", 1}});
       }},
      {"Transpose",
       [](auto& m, auto& none) {
         return m.node("Transpose", {none}, {{"perm", Dims{1, 0}}});
       }},
      {"Add",
       [](auto& m, auto& none) {
         return m.node("Add", {none, m.ints({1})});
       }},
      {"Gather",
       [](auto& m, auto& none) {
         return m.node("Gather", {none, m.ints({1, 2})}, {{"axis", 0}});
       }},
      {"Slice", [](auto& m, auto& none) {
         return m.node("Slice", {none, m.ints({0}), m.ints({huge}), m.ints({0})});
       }}};
  // All of them come as far as the Reshape of x, which 2 x 2 does not fit.
  for (const auto& [name, use] : uses) EXPECT_THAT(shape_with(use), HasSubstr("1x6 does not go into 2x2")) << name;
  EXPECT_LT(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC, longest);
}

TEST(OnnxRobust, SmallFilesMakeNoLargeConstants) {
  EXPECT_THAT(refusal_of_shape([](OnnxBuilder& m) { return m.node("ConstantOfShape", {m.ints({1 << 23})}); }),
              HasSubstr("a constant of 8388608 is too large"));
  const std::string many = refusal_of_shape([](OnnxBuilder& m) {
    std::string x = m.node("ConstantOfShape", {m.ints({1 << 22})});
    for (int i = 0; i < 8; ++i) x = m.node("Neg", {x});
    return x;
  });
  EXPECT_THAT(many, HasSubstr("take too much memory"));
}

TEST(OnnxRobust, StepsOfASliceReachAsFarAsTheyLike) {
  // Element 4, then -2 and further: the step leaves the list at once.
  const std::int64_t least = std::numeric_limits<std::int64_t>::min();
  for (const std::int64_t step : {std::int64_t{-6}, least}) {
    const TemporaryFolder folder;
    OnnxBuilder m({1, 6});
    const std::string last =
        m.node("Slice", {m.ints({1, 2, 3, 4, 6}), m.ints({-1}), m.ints({least}), m.ints({0}), m.ints({step})});
    m.node("Gemm", {m.node("Reshape", {"x", m.node("Concat", {m.ints({1}), last}, {{"axis", 0}})}), m.random({6, 2})});
    EXPECT_EQ(import_onnx(m.save(folder / "model.onnx")).graph.nodes().size(), 2U) << step;
  }
}

TEST(OnnxRobust, PermutationsNameEveryAxisOnce) {
  EXPECT_THAT(refusal_of_shape([](OnnxBuilder& m) {
                return m.node("Transpose", {m.constant({2, 2}, {1, 2, 3, 4}, 7)}, {{"perm", Dims{0, 0}}});
              }),
              HasSubstr("perm names an axis twice"));
}

TEST(OnnxRobust, DeepChainsNeedNoStack) {
  const TemporaryFolder folder;
  OnnxBuilder m({1, 3, 4, 4});
  std::string low = m.scalar(0);
  for (int i = 0; i < 100000; ++i) low = m.node("Identity", {low});
  m.node("Clip", {m.node("Conv", {"x", m.random({4, 3, 1, 1})}), low});
  EXPECT_EQ(import_onnx(m.save(folder / "model.onnx")).graph.nodes().size(), 3U);
  OnnxBuilder layers({1, 3});
  std::string x = "x";
  for (int i = 0; i < 10001; ++i) x = layers.node("Sigmoid", {x});
  EXPECT_THAT(refusal(layers), HasSubstr("more than 10000 layers"));
}

TEST(OnnxRobust, OneChangeInAValidModel) {
  const TemporaryFolder folder;
  const std::size_t every = std::getenv("BITSTRATA_ALL_MUTANTS") != nullptr ? 1 : 20;
  std::vector<std::pair<std::string, std::string>> models;
  for (const OnnxCase& tested : onnx_cases()) models.emplace_back(tested.name, tested.model.bytes());
  for (const OnnxCase& tested : onnx_space_cases()) models.emplace_back(tested.name, tested.model.bytes());
  for (const QuantizedCase& tested : quantized_cases())
    models.emplace_back(tested.graph.name, tested.graph.model.bytes());
  std::size_t mutants = 0, refused = 0, ran = 0;
  for (const auto& [name, model] : models) {
    const std::string& named = name;
    for_each_mutant(model, [&](const std::string& bytes, const std::string& what) {
      if (++mutants % every != 0) return;
      SCOPED_TRACE(named + ": " + what);
      const auto file = folder.write("mutant.onnx", bytes);
      const std::clock_t begin = std::clock();
      try {
        const FloatNetwork network = import_onnx(file);
        const Shape input = network.graph.node(0).output;
        if (network.graph.total_macs() < 1000000 && input.elements() < 100000) {
          run(network, Reals(static_cast<std::size_t>(input.elements()), 0.5F));
          ++ran;
        }
      } catch (const std::runtime_error& error) {
        ++refused;
        const std::string text = error.what();
        EXPECT_THAT(text, HasSubstr("mutant.onnx"));
        EXPECT_THAT(text, ::testing::Not(::testing::AnyOf(HasSubstr("\n"), HasSubstr("std::"), HasSubstr("vector"),
                                                          HasSubstr("::at"), HasSubstr("_M_"))));
      }
      EXPECT_LT(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC, longest);
    });
  }
  std::cout << mutants << " mutants: " << refused << " refused, " << ran << " ran\n";
  EXPECT_GT(refused, 1000U);
  EXPECT_GT(ran, 300U);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  EXPECT_LT(usage.ru_maxrss, most_memory);
}

}  // namespace
}  // namespace bitstrata::testing
