// SPDX-License-Identifier: Apache-2.0
// Files whose parts contradict each other are refused in words, and what is done differently from a file is noted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "tests/model/imported.h"
#include "tests/model/onnx_builder.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Dims = std::vector<std::int64_t>;
using Make = std::function<void(OnnxBuilder&)>;
// Operators on a tensor; gives the last one's.
using Work = std::function<std::string(OnnxBuilder&, const std::string&)>;

constexpr int u8 = 2, i8 = 3, i16 = 5, i32 = 6;
const std::string taken = "(no exception)";

OnnxBuilder model(const Make& make, int opset = 13) {
  OnnxBuilder m({1, 2, 4, 4});
  make(m);
  m.opset(opset);
  return m;
}

std::string refusal(const Make& make, int opset = 13) {
  return message_of<std::runtime_error>([&] { imported(model(make, opset)); });
}

std::vector<std::string> notes(const Make& make, int opset = 13) { return imported(model(make, opset)).notes; }

std::string quantized(OnnxBuilder& m, const std::string& x, int type = u8, double zero = 3, double scale = 0.5) {
  return m.node("QuantizeLinear", {x, m.scalar(scale), m.scalar(zero, type)});
}

std::string values(OnnxBuilder& m, const std::string& codes, int type = u8, double zero = 3, double scale = 0.5) {
  return m.node("DequantizeLinear", {codes, m.scalar(scale), m.scalar(zero, type)});
}

TEST(OnnxContradictions, ZeroPointsHaveTheTypeOfTheirCodes) {
  const auto around = [](int first, int second) {
    return refusal([=](OnnxBuilder& m) { values(m, quantized(m, "x", first), second); });
  };
  EXPECT_EQ(around(u8, u8), taken);
  EXPECT_THAT(around(u8, i8), HasSubstr("its zero point is INT8, the codes that it meets are UINT8"));
  EXPECT_THAT(around(i8, u8), HasSubstr("its zero point is UINT8, the codes that it meets are INT8"));
  // Through operators that move codes, and behind those that make them of codes.
  EXPECT_THAT(refusal([](OnnxBuilder& m) {
                const std::string q = quantized(m, "x");
                const std::string part = m.node("Slice", {q, m.ints({0}), m.ints({1}), m.ints({1})});
                values(m,
                       m.node("Concat",
                              {m.node("MaxPool", {part}, {{"kernel_shape", Dims{2, 2}}}),
                               m.node("MaxPool", {part}, {{"kernel_shape", Dims{2, 2}}})},
                              {{"axis", 1}}),
                       i8);
              }),
              HasSubstr("its zero point is INT8, the codes that it meets are UINT8"));
  EXPECT_THAT(refusal([](OnnxBuilder& m) {
                m.input_type(u8);
                values(m, m.node("MaxPool", {"x"}, {{"kernel_shape", Dims{2, 2}}}), i8);
              }),
              HasSubstr("its zero point is INT8, the codes that it meets are UINT8"));
  // A Cast makes codes of another type.
  EXPECT_EQ(refusal([](OnnxBuilder& m) {
              values(m, m.node("Cast", {quantized(m, "x", u8, 0)}, {{"to", i32}}), i32, 0);
            }),
            taken);
}

// A QLinearConv of x with the types of its input's, its weights' and its result's zero points, and of its bias.
std::string convolved(int input, int weights, int result, int bias) {
  return refusal([=](OnnxBuilder& m) {
    const std::string x = quantized(m, "x");
    const std::string y = m.node(
        "QLinearConv", {x, m.scalar(0.5), m.scalar(3, input), m.constant({1, 2, 1, 1}, {5, -7}, i8), m.scalar(0.25),
                        m.scalar(0, weights), m.scalar(0.5), m.scalar(1, result), m.constant({1}, {4}, bias)});
    values(m, y, u8, 1);
  });
}

TEST(OnnxContradictions, OperatorsOnCodesHaveTheirTypes) {
  EXPECT_EQ(convolved(u8, i8, u8, i32), taken);
  EXPECT_THAT(convolved(i8, i8, u8, i32), HasSubstr("its zero point is INT8, the codes that it meets are UINT8"));
  EXPECT_THAT(convolved(u8, u8, u8, i32), HasSubstr("its zero point is UINT8, its codes are INT8"));
  EXPECT_THAT(convolved(u8, i8, i8, i32), HasSubstr("its zero point is UINT8, the codes that it meets are INT8"));
  EXPECT_THAT(convolved(u8, i8, u8, 1), HasSubstr("its bias is FLOAT; it must be INT32"));
  EXPECT_THAT(
      refusal([](OnnxBuilder& m) {
        m.node("Cast",
               {m.node("ConvInteger", {quantized(m, "x"), m.constant({1, 2, 1, 1}, {5, -7}, i8), m.scalar(3, i8)})},
               {{"to", 1}});
      }),
      HasSubstr("its zero point is INT8, the codes that it meets are UINT8"));
}

TEST(OnnxContradictions, ConstantsThatMeetCodesAreCodes) {
  const auto clipped = [](int type) {
    return refusal([=](OnnxBuilder& m) {
      values(m, m.node("Clip", {quantized(m, "x"), m.scalar(1, type), m.scalar(100, type)}));
    });
  };
  EXPECT_EQ(clipped(u8), taken);
  EXPECT_THAT(clipped(1), HasSubstr("its limit is FLOAT, the codes that it meets are UINT8"));
  EXPECT_THAT(refusal([](OnnxBuilder& m) {
                values(m, m.node("Clip", {quantized(m, "x")}, {{"min", 1.0}}));
              }),
              HasSubstr("limits codes by floats"));
  EXPECT_THAT(refusal([](OnnxBuilder& m) {
                m.node("Clip", {"x", m.scalar(0, i32)});
              }),
              HasSubstr("limits values by INT32"));
  const auto padded = [](int type) {
    return refusal([=](OnnxBuilder& m) {
      const std::string p = m.node("Pad", {quantized(m, "x"), m.ints({0, 0, 1, 1, 0, 0, 1, 1}), m.scalar(3, type)});
      m.node("Conv", {values(m, p), m.random({1, 2, 3, 3})});
    });
  };
  EXPECT_EQ(padded(u8), taken);
  EXPECT_THAT(padded(1), HasSubstr("the value of its padding is FLOAT, the codes that it meets are UINT8"));
  // The importer calculates constants itself, and refuses the same of them.
  EXPECT_THAT(refusal([](OnnxBuilder& m) {
                const std::string w = m.node("Clip", {m.constant({1, 2, 1, 1}, {5, -7}, i8), m.scalar(-5)});
                m.node("Conv", {"x", m.node("DequantizeLinear", {w, m.scalar(0.5)})});
              }),
              HasSubstr("reads INT8 and FLOAT together"));
}

TEST(OnnxContradictions, BiasesOfCodesHaveNoZeroPoint) {
  const auto biased = [](double zero) {
    return refusal([=](OnnxBuilder& m) {
      const std::string bias = values(m, m.constant({1}, {40}, i32), i32, zero);
      m.node("Conv", {"x", m.random({1, 2, 1, 1}), bias});
    });
  };
  EXPECT_EQ(biased(0), taken);
  EXPECT_THAT(biased(7), HasSubstr("codes of INT32 have no zero point but 0"));
}

TEST(OnnxContradictions, KernelsHaveTheSidesOfTheirWeights) {
  const auto sides = [](const char* op, const Dims& kernel) {
    return refusal([=](OnnxBuilder& m) { m.node(op, {"x", m.random({2, 2, 3, 2})}, {{"kernel_shape", kernel}}); });
  };
  for (const char* op : {"Conv", "ConvTranspose"}) {
    EXPECT_EQ(sides(op, {3, 2}), taken) << op;
    EXPECT_THAT(sides(op, {2, 3}), HasSubstr("its kernel_shape is")) << op;
  }
  EXPECT_THAT(sides("Conv", {2, 3}), HasSubstr("its kernel_shape is 2x3, that of its weights 3x2"));
}

TEST(OnnxContradictions, TypesNewerThanTheOpsetAreNoted) {
  const Make make = [](OnnxBuilder& m) { values(m, quantized(m, "x", i16), i16); };
  EXPECT_THAT(notes(make, 17), ElementsAre("QuantizeLinear 'n_QuantizeLinear_0_0' has codes of INT16, which ONNX knows "
                                           "from opset 21 on; the file says 17"));
  EXPECT_THAT(notes(make, 21), IsEmpty());
  const Make weights = [](OnnxBuilder& m) {
    const std::string w = values(m, m.constant({1, 2, 1, 1}, {500, -700}, i16), i16, 0);
    m.node("Conv", {"x", w});
  };
  EXPECT_THAT(notes(weights, 17),
              ElementsAre(HasSubstr("DequantizeLinear 'n_DequantizeLinear_0_0' has codes of INT16")));
}

TEST(OnnxContradictions, WeightsThatLoseTheirCodesAreNoted) {
  const auto weights = [](double large, bool scaled) {
    return notes([=](OnnxBuilder& m) {
      std::string w = values(m, m.constant({2, 2, 1, 1}, {large, -7, 5, 9}, i32), i32, 0);
      if (scaled) w = m.node("Mul", {w, m.constant({2, 1, 1, 1}, {0.5, 0.75})});
      m.node("Conv", {"x", w});
    });
  };
  EXPECT_THAT(weights(100000, false),
              ElementsAre("Conv 'n_Conv_1_0': its weights have codes of 32 bits, the array has 16; "
                          "the weights are quantized anew"));
  EXPECT_THAT(weights(100, true),
              ElementsAre(HasSubstr("leaves no multiples of a scale; the weights are quantized anew")));
  EXPECT_THAT(notes([](OnnxBuilder& m) { m.node("Conv", {"x", m.random({2, 2, 1, 1})}); }), IsEmpty());
}

TEST(OnnxContradictions, OlderAveragesOfCeilModeAreNoted) {
  const auto pooled = [](int opset, int ceil, int counted, int stride) {
    return notes(
        [=](OnnxBuilder& m) {
          m.node("AveragePool", {"x"},
                 {{"kernel_shape", Dims{3, 3}},
                  {"pads", Dims{1, 1, 1, 1}},
                  {"strides", Dims{stride, stride}},
                  {"ceil_mode", ceil},
                  {"count_include_pad", counted}});
        },
        opset);
  };
  EXPECT_THAT(pooled(18, 1, 1, 2),
              ElementsAre(HasSubstr("for the file's opset 18 ONNX Runtime divides them by the whole")));
  EXPECT_THAT(pooled(19, 1, 1, 2), IsEmpty());
  EXPECT_THAT(pooled(18, 0, 1, 2), IsEmpty());
  EXPECT_THAT(pooled(18, 1, 0, 2), IsEmpty());
  EXPECT_THAT(pooled(18, 1, 1, 1), IsEmpty());  // no window reaches beyond
}

TEST(OnnxContradictions, MissingTensorsAreNamed) {
  EXPECT_THAT(refusal([](OnnxBuilder& m) {
                m.node("Conv", {"nope", m.random({2, 2, 1, 1})});
              }),
              HasSubstr("Conv node 'n_Conv_0_0': reads 'nope', which nothing writes"));
  EXPECT_THAT(refusal([](OnnxBuilder& m) {
                m.node("Relu", {"x"});
                m.output("gone");
              }),
              HasSubstr("no node writes the output 'gone'"));
  EXPECT_THAT(refusal([](OnnxBuilder& m) {
                m.node("Relu", {m.random({1, 2})});
              }),
              HasSubstr("its output 'Relu_0_0' depends on no input"));
  EXPECT_THAT(refusal([](OnnxBuilder& m) {
                const std::string y = m.node("Conv", {"x", m.random({2, 2, 1, 1})});
                m.node("Slice", {y, m.ints({1}), m.ints({1}), m.ints({1})});
              }),
              HasSubstr("takes nothing of axis 1 of 1x2x4x4"));
}

// Nearest enlarging of an image of 4x4; gives the output's height, width and channels.
std::vector<int> enlarged(const Dims& sizes, const Dims& axes, const char* policy) {
  const FloatNetwork network = imported(model(
      [&](OnnxBuilder& m) {
        const std::string y = m.node("Conv", {"x", m.random({2, 2, 1, 1})});
        Attrs attributes = {{"keep_aspect_ratio_policy", policy}};
        if (!axes.empty()) attributes.insert({"axes", axes});
        m.node("Resize", {y, "", "", m.ints(sizes)}, attributes);
      },
      18));
  const Shape shape = network.graph.nodes().back().output;
  return {shape.height, shape.width, shape.channels};
}

TEST(OnnxContradictions, ResizeKeepsTheAspectRatio) {
  EXPECT_THAT(enlarged({8, 13}, {2, 3}, "not_larger"), ElementsAre(8, 8, 2));
  EXPECT_THAT(enlarged({5, 12}, {2, 3}, "not_smaller"), ElementsAre(12, 12, 2));
  EXPECT_THAT(enlarged({12, 12}, {3, 2}, "stretch"), ElementsAre(12, 12, 2));
  // Without axes, the batch and the channels count: nothing is larger than they are.
  EXPECT_THAT(enlarged({1, 2, 8, 8}, {}, "not_larger"), ElementsAre(4, 4, 2));
  const auto words = [](const Dims& sizes, const Dims& axes, const char* policy) {
    return message_of<std::runtime_error>([&] { enlarged(sizes, axes, policy); });
  };
  EXPECT_THAT(words({1, 2, 8, 8}, {}, "not_smaller"), HasSubstr("enlarges the batch by 2 and the channels by 2"));
  EXPECT_THAT(words({8, 13}, {2, 3}, "stretch"), HasSubstr("enlarges by 2 and 3.25"));
  EXPECT_THAT(words({8, 8}, {2, 3}, "other"), HasSubstr("keep_aspect_ratio_policy 'other' is not known"));
  EXPECT_THAT(words({8, 8}, {2, 2}, "stretch"), HasSubstr("names axis 2 twice"));
}

TEST(OnnxContradictions, AttributesThatNobodyReadsAreRefused) {
  const auto with = [](const std::string& op, Attrs attributes) {
    return refusal([=](OnnxBuilder& m) {
      Attrs all = attributes;
      if (op == "MaxPool") all.insert({"kernel_shape", Dims{2, 2}});
      m.node(op, {"x"}, all);
    });
  };
  EXPECT_EQ(with("Relu", {}), taken);
  EXPECT_THAT(with("Relu", {{"slope", 0.5}}), HasSubstr("has an attribute 'slope', which Relu does not have"));
  EXPECT_EQ(with("MaxPool", {{"strides", Dims{2, 2}}, {"storage_order", 0}}), taken);
  EXPECT_THAT(with("MaxPool", {{"channels_last", 1}}),
              HasSubstr("has an attribute 'channels_last', which ONNX's MaxPool does not have (it has auto_pad, "));
  EXPECT_THAT(refusal([](OnnxBuilder& m) {
                m.node("Conv", {"x", m.random({2, 2, 1, 1})}, {{"activation", "Relu"}});
              }),
              HasSubstr("has an attribute 'activation', which Conv does not have"));
}

// A network with its channels in front and one with them last give one result; weights are [out][in][ky][kx] in both.
TEST(OnnxContradictions, ChannelsLastIsReadOrRefused) {
  const std::string microsoft = "com.microsoft";
  const auto layers = [&](bool last, bool turned) {
    OnnxBuilder m({1, 2, 4, 4});
    std::string x = quantized(m, "x");
    if (turned) x = m.node("Transpose", {x}, {{"perm", Dims{0, 2, 3, 1}}});
    Attrs attributes = {{"pads", Dims{1, 1, 1, 1}}}, pooled;
    if (last) attributes.insert({"channels_last", 1}), pooled.insert({"channels_last", 1});
    std::vector<double> codes;
    for (int i = 0; i < 3 * 2 * 3 * 3; ++i) codes.push_back(i * 7 % 23 - 11);
    x = m.node("QLinearConv",
               {x, m.scalar(0.5), m.scalar(3, u8), m.constant({3, 2, 3, 3}, codes, i8), m.scalar(0.25), m.scalar(0, i8),
                m.scalar(0.125), m.scalar(128, u8)},
               attributes, microsoft);
    const std::string conv = x;
    x = m.node(
        "QLinearAveragePool", {x, m.scalar(0.125), m.scalar(128, u8), m.scalar(0.125), m.scalar(128, u8)},
        [&] {
          Attrs windows = pooled;
          windows.insert({"kernel_shape", Dims{2, 2}});
          return windows;
        }(),
        microsoft);
    x = m.node("QLinearGlobalAveragePool", {x, m.scalar(0.125), m.scalar(128, u8), m.scalar(0.0625), m.scalar(128, u8)},
               pooled, microsoft);
    if (turned) x = m.node("Transpose", {x}, {{"perm", Dims{0, 3, 1, 2}}});
    values(m, x, u8, 128, 0.0625);
    return m;
  };
  const Array input = random_input(layers(false, false), 5);
  const model::Reals first = run(imported(layers(false, false)), to_nhwc(input));
  const model::Reals last = run(imported(layers(true, true)), to_nhwc(input));
  EXPECT_EQ(first, last);
  EXPECT_GT(std::set<float>(first.begin(), first.end()).size(), 2U);
  const auto refused = [&](bool channels_last, bool turned) {
    return message_of<std::runtime_error>([&] { imported(layers(channels_last, turned)); });
  };
  EXPECT_THAT(refused(false, true), HasSubstr("its weights of 3x2x3x3 in 1 group(s) do not fit 4 channels"));
  // One operator of the two arrangements behind the other.
  EXPECT_THAT(
      refusal([&](OnnxBuilder& m) {
        const std::string x = m.node("Conv", {"x", m.random({2, 2, 1, 1})});
        m.node("MaxPool", {m.node("Transpose", {x}, {{"perm", Dims{0, 2, 3, 1}}})}, {{"kernel_shape", Dims{2, 2}}});
      }),
      HasSubstr("its input of 1x4x4x2 has its channels last, but the operator takes them from the second"));
  EXPECT_THAT(refusal([&](OnnxBuilder& m) {
                const std::string x = m.node("Conv", {"x", m.random({2, 2, 1, 1})});
                m.node("GlobalAveragePool", {m.node("Transpose", {x}, {{"perm", Dims{0, 2, 3, 1}}})});
              }),
              HasSubstr("has its channels last"));
  EXPECT_THAT(refusal([&](OnnxBuilder& m) {
                const std::string x = quantized(m, m.node("Conv", {"x", m.random({2, 2, 1, 1})}));
                const std::string y = m.node("QLinearGlobalAveragePool",
                                             {x, m.scalar(0.5), m.scalar(3, u8), m.scalar(0.5), m.scalar(3, u8)},
                                             {{"channels_last", 1}}, microsoft);
                values(m, y);
              }),
              HasSubstr("its input of 1x2x4x4 has its channels in front"));
}

TEST(OnnxContradictions, CastsHoldAllCodes) {
  const auto cast = [](int from, double low, double high, int to) {
    return refusal([=](OnnxBuilder& m) {
      const std::string q = m.node("Clip", {quantized(m, "x", from, 0), m.scalar(low, from), m.scalar(high, from)});
      values(m, m.node("Cast", {q}, {{"to", to}}), to, 0);
    });
  };
  constexpr int u16 = 4;
  EXPECT_EQ(cast(i8, -128, 127, i16), taken);
  EXPECT_EQ(cast(u8, 0, 255, u16), taken);
  EXPECT_EQ(cast(u8, 0, 255, i16), taken);
  EXPECT_EQ(cast(u8, 0, 127, i8), taken);
  EXPECT_THAT(cast(i8, -128, 127, u16), HasSubstr("turns codes of -128..127 into UINT16"));
  EXPECT_THAT(cast(i8, -128, 127, u8), HasSubstr("turns codes of -128..127 into UINT8"));
  EXPECT_THAT(cast(u8, 0, 255, i8), HasSubstr("turns codes of 0..255 into INT8, which does not hold all of them"));
}

TEST(OnnxContradictions, ValuesMeetValues) {
  const std::vector<double> codes = {1, 2, 3, 4};
  EXPECT_THAT(refusal([&](OnnxBuilder& m) {
                m.node("Conv", {"x", m.constant({2, 2, 1, 1}, codes, i8)});
              }),
              HasSubstr("meets floats with its weights of INT8; a DequantizeLinear is missing"));
  EXPECT_THAT(refusal([&](OnnxBuilder& m) {
                m.node("Conv", {"x", m.random({2, 2, 1, 1}), m.constant({2}, {1, 2}, i32)});
              }),
              HasSubstr("meets floats with its bias of INT32"));
  EXPECT_THAT(refusal([&](OnnxBuilder& m) {
                m.node("MatMul", {m.node("GlobalAveragePool", {"x"}), m.constant({1, 3}, {1, 2, 3}, i8)});
              }),
              HasSubstr("meets floats with its matrix of INT8"));
}

TEST(OnnxContradictions, SumsBeyond32BitsAreNoted) {
  const auto noted = [](double bias) {
    return notes([=](OnnxBuilder& m) {
      const std::string y =
          m.node("QLinearConv",
                 {quantized(m, "x"), m.scalar(0.5), m.scalar(3, u8), m.constant({1, 2, 1, 1}, {100, -100}, i8),
                  m.scalar(0.25), m.scalar(0, i8), m.scalar(1e6), m.scalar(0, u8), m.constant({1}, {bias}, i32)});
      values(m, y, u8, 0, 1e6);
    });
  };
  EXPECT_THAT(noted(1e9), IsEmpty());
  EXPECT_THAT(noted(2147483000), ElementsAre(HasSubstr("can reach 2.15e+09, beyond the 32 bits")));
}

// A layer that takes an operator in rounds once where the file rounds twice; only codes can tell.
TEST(OnnxContradictions, ValuesBetweenTwoCodesAreNoted) {
  const auto made = [](bool with_codes, const Work& work) {
    return notes([&](OnnxBuilder& m) {
      std::string x = m.node("Conv", {"x", m.random({2, 2, 1, 1})});
      if (with_codes) x = values(m, quantized(m, x));
      x = work(m, m.node("Slice", {x, m.ints({1}), m.ints({2}), m.ints({1})}));
      if (with_codes) values(m, quantized(m, x));
    });
  };
  const auto sum = [](OnnxBuilder& m, const std::string& x) { return m.node("Add", {x, m.scalar(0.3)}); };
  const auto both = [&](OnnxBuilder& m, const std::string& x) { return m.node("Mul", {sum(m, x), m.scalar(0.7)}); };
  const auto limits = [](OnnxBuilder& m, const std::string& x) {
    return m.node("MaxPool", {m.node("Clip", {x, m.scalar(-1), m.scalar(0.7)})}, {{"kernel_shape", Dims{2, 2}}});
  };
  EXPECT_THAT(made(true, sum), IsEmpty());
  EXPECT_THAT(made(true, both), ElementsAre(HasSubstr("where a value lies just between two codes")));
  EXPECT_THAT(made(true, limits), ElementsAre(HasSubstr("Clip 'n_Clip_")));
  EXPECT_THAT(made(false, both), IsEmpty());
}

// Codes read with another scale than they were made with: the next layer multiplies once where the file does twice.
TEST(OnnxContradictions, FactorsThatLayersTakeAreNoted) {
  const auto made = [](double scale, const Work& work) {
    return notes([&](OnnxBuilder& m) {
      const std::string x = m.node("Conv", {values(m, quantized(m, "x")), m.random({2, 2, 1, 1})});
      values(m, quantized(m, work(m, values(m, quantized(m, x), u8, 3, scale))));
    });
  };
  const auto sum = [](OnnxBuilder& m, const std::string& x) { return m.node("Add", {x, x}); };
  const auto sums = [](OnnxBuilder& m, const std::string& x) { return m.node("Conv", {x, m.random({2, 2, 1, 1})}); };
  const auto row = [](OnnxBuilder& m, const std::string& x) {
    return m.node("MatMul", {m.node("Flatten", {x}), m.random({32, 3})});
  };
  const auto transposed = [](OnnxBuilder& m, const std::string& x) {
    return m.node("ConvTranspose", {x, m.random({2, 2, 2, 2})});
  };
  const auto product = [](OnnxBuilder& m, const std::string& x) {
    return m.node("Mul", {m.node("Mul", {x, x}), m.scalar(0.3)});
  };
  for (const auto& work : {Work{sum}, Work{sums}, Work{row}, Work{transposed}, Work{product}}) {
    EXPECT_THAT(made(0.3, work), ElementsAre(HasSubstr("where a value lies just between two codes")));
  }
  for (const auto& work : {Work{sum}, Work{sums}, Work{row}, Work{transposed}}) EXPECT_THAT(made(0.5, work), IsEmpty());
}

}  // namespace
}  // namespace bitstrata::testing
