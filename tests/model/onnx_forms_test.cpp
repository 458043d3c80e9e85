// SPDX-License-Identifier: Apache-2.0
// Spellings of operators that are easily read as another one: old versions, defaults, and axes that only broadcasting
// tells apart. Dynamically quantized layers are held against the float network of their dequantized weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/model/imported.h"
#include "tests/model/onnx_builder.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::HasSubstr;
using Dims = std::vector<std::int64_t>;

void expect_near(const Reals& result, const std::vector<float>& wanted, double tolerance = 2e-5) {
  ASSERT_EQ(result.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(result[i], wanted[i], tolerance) << i;
}

void expect_as_the_file(const OnnxBuilder& m, bool image = true) {
  const Array input = random_input(m, 1), wanted = m.run(input);
  const std::vector<float> plain(wanted.values.begin(), wanted.values.end());
  expect_near(run(imported(m), to_nhwc(input)), image ? to_nhwc(wanted) : plain);
}

// A small dynamically quantized layer. `made` gives the float layer of the same weights where `dynamic` is false.
struct DynamicLayer {
  bool convolution = false, per_column = false, zero_points = false, bias = false, relu = false;
  int order = 0;  // of the products
};

OnnxBuilder layer(const DynamicLayer& form, bool dynamic) {
  constexpr int i8 = 3, f32 = 1;
  OnnxBuilder m(form.convolution ? Dims{1, 3, 5, 4} : Dims{1, 12});
  const Dims dims = form.convolution ? Dims{4, 3, 2, 2} : Dims{12, 4};
  std::vector<double> codes, values, scales, zeros;
  for (int n = 0; n < 4; ++n) {
    scales.push_back(form.per_column ? 0.0078125 * (n + 1) : 0.015625);
    zeros.push_back(form.zero_points ? (form.per_column ? 3 * n - 4 : 5) : 0);
  }
  for (int k = 0; k < 48; ++k) {
    const auto n = static_cast<std::size_t>(form.convolution ? k / 12 : k % 4);
    codes.push_back((k * 37 + 11) % 201 - 100);
    values.push_back((codes.back() - zeros[n]) * scales[n]);
  }
  const Dims entries = form.convolution ? Dims{1, 4, 1, 1} : Dims{4};
  std::string y;
  if (dynamic) {
    const std::string q = m.node("DynamicQuantizeLinear", {"x"}, {}, "", 3), stem = q.substr(0, q.size() - 1);
    std::vector<std::string> inputs = {q, m.constant(dims, codes, i8), stem + "2"};
    if (form.zero_points) inputs.push_back(form.per_column ? m.constant({4}, zeros, i8) : m.scalar(zeros[0], i8));
    const std::string sums = m.node(form.convolution ? "ConvInteger" : "MatMulInteger", inputs);
    const std::string cast = m.node("Cast", {sums}, {{"to", f32}}), scale = stem + "1";
    const std::string weight = form.per_column ? m.constant(entries, scales) : m.scalar(scales[0]);
    switch (form.order) {
      case 0:
        y = m.node("Mul", {cast, m.node("Mul", {scale, weight})});
        break;
      case 1:
        y = m.node("Mul", {m.node("Mul", {weight, scale}), cast});
        break;
      case 2:
        y = m.node("Mul", {m.node("Mul", {cast, scale}), weight});
        break;
      default:
        y = m.node("Mul", {scale, m.node("Mul", {weight, cast})});
    }
  } else {
    y = m.node(form.convolution ? "Conv" : "MatMul", {"x", m.constant(dims, values)});
  }
  if (form.bias) y = m.node("Add", {y, m.constant(entries, {0.25, -0.5, 0.125, 0.75})});
  if (form.relu) m.node("Relu", {y});
  return m;
}

TEST(OnnxForms, DynamicQuantizationIsTheLayerOfItsWeights) {
  for (int bits = 0; bits < 128; ++bits) {
    SCOPED_TRACE(bits);
    const DynamicLayer form{(bits & 1) != 0, (bits & 2) != 0,  (bits & 4) != 0,
                            (bits & 8) != 0, (bits & 16) != 0, bits >> 5};
    const OnnxBuilder plain = layer(form, false);
    const Array input = random_input(plain, 3), wanted = plain.run(input);
    const FloatNetwork network = imported(layer(form, true));
    // The layer stands for the sums' node, with the codes of its weights; nothing else multiplies.
    EXPECT_EQ(network.graph.nodes().size(), form.relu ? 3U : 2U);
    EXPECT_THAT(network.graph.node(1).name, HasSubstr(form.convolution ? "ConvInteger" : "MatMulInteger"));
    EXPECT_GE(network.parameters[1].weight_bits, 8);
    ASSERT_EQ(network.parameters[1].scales.size(), 4U);
    EXPECT_FLOAT_EQ(network.parameters[1].scales[2], form.per_column ? 0.0234375F : 0.015625F);
    ASSERT_EQ(network.notes.size(), 1U);
    EXPECT_THAT(network.notes[0], HasSubstr("calibration fixes one"));
    const Reals values = run(network, to_nhwc(input));
    expect_near(values, to_nhwc(wanted), 1e-4);
    OnnxBuilder nameless = layer(form, true);
    nameless.leave_out_names();
    const FloatNetwork same = imported(nameless);
    ASSERT_EQ(same.graph.nodes().size(), network.graph.nodes().size());
    EXPECT_EQ(run(same, to_nhwc(input)), values);
  }
}

TEST(OnnxForms, DynamicLayersInARow) {
  // One quantizer feeds two products of sums, whose results another one reads.
  OnnxBuilder m({1, 6});
  const auto part = [&](const std::string& q, double step) {
    const std::string stem = q.substr(0, q.size() - 1);
    const std::string sums =
        m.node("MatMulInteger", {q, m.constant({6, 6}, std::vector<double>(36, step), 3), stem + "2"});
    return m.node("Mul", {m.node("Cast", {sums}, {{"to", 1}}), m.node("Mul", {stem + "1", m.scalar(0.0625)})});
  };
  const std::string q = m.node("DynamicQuantizeLinear", {"x"}, {}, "", 3);
  const std::string both = m.node("Add", {part(q, 3), part(q, 5)});
  part(m.node("DynamicQuantizeLinear", {both}, {}, "", 3), 2);
  const Array input = random_input(m, 1);
  double sum = 0;
  for (const double value : input.values) sum += value;
  const Reals result = run(imported(m), to_nhwc(input));
  m.leave_out_names();
  EXPECT_EQ(run(imported(m), to_nhwc(input)), result);
  ASSERT_EQ(result.size(), 6U);
  for (const float value : result) EXPECT_NEAR(value, sum * 8 * 0.0625 * 6 * 2 * 0.0625, 1e-4);
}

TEST(OnnxForms, ScalesThatMissTheChannelsAreRefused) {
  // A scale of 4 entries behind an image of width 4 runs along its columns.
  OnnxBuilder m({1, 3, 4, 4});
  const std::string q = m.node("DynamicQuantizeLinear", {"x"}, {}, "", 3), stem = q.substr(0, q.size() - 1);
  const std::string sums =
      m.node("ConvInteger", {q, m.constant({4, 3, 1, 1}, std::vector<double>(12, 7), 3), stem + "2"});
  const std::string scale = m.node("Mul", {stem + "1", m.constant({4}, {0.1, 0.2, 0.3, 0.4})});
  m.node("Mul", {m.node("Cast", {sums}, {{"to", 1}}), scale});
  EXPECT_THAT(refusal(m), HasSubstr("a constant that differs from pixel to pixel is not supported"));
}

TEST(OnnxForms, ResizeOfVersionTenKeepsTheCorner) {
  const auto enlarged = [](int opset, int factor, bool told) {
    OnnxBuilder m({1, 2, 4, 3});
    const std::string x = m.node("Conv", {"x", m.random({3, 2, 1, 1}, 0.6)});
    const double f = factor;
    Attrs attributes = {{"mode", "linear"}};
    if (told) attributes.emplace("coordinate_transformation_mode", "asymmetric");
    std::vector<std::string> inputs = {x};
    if (opset > 10) inputs.emplace_back("");
    inputs.push_back(m.constant({4}, {1, 1, f, f}));
    m.node("Resize", inputs, attributes);
    m.opset(opset);
    return m;
  };
  for (const int factor : {2, 3}) {
    const OnnxBuilder old = enlarged(10, factor, false), present = enlarged(13, factor, true);
    const Array input = random_input(old, 1);
    expect_near(run(imported(old), to_nhwc(input)), to_nhwc(present.run(input)));
  }
}

// A file's input of channels last, of which a Resize is the first to tell.
TEST(OnnxForms, ResizeTellsWhereTheChannelsLie) {
  const auto enlarged = [](bool last) {
    OnnxBuilder m(last ? Dims{1, 4, 3, 2} : Dims{1, 2, 4, 3});
    std::string x = m.node(
        "Resize", {"x", "", m.constant({4}, last ? std::vector<double>{1, 2, 2, 1} : std::vector<double>{1, 1, 2, 2})},
        {{"mode", "nearest"}, {"coordinate_transformation_mode", "asymmetric"}, {"nearest_mode", "floor"}});
    if (last) x = m.node("Transpose", {x}, {{"perm", Dims{0, 3, 1, 2}}});
    m.node("Conv", {x, m.random({3, 2, 2, 2})});
    return m;
  };
  const OnnxBuilder first = enlarged(false);
  const Array input = random_input(first, 1);
  expect_near(run(imported(enlarged(true)), to_nhwc(input)), to_nhwc(first.run(input)));
}

TEST(OnnxForms, CodesAreJoinedWhateverTheyStoodFor) {
  for (const bool pooled : {false, true}) {
    constexpr double step = 0.03125;
    OnnxBuilder m({1, 3, 6, 6});
    const auto coded = [&](const std::string& x, double scale) {
      return m.node("QuantizeLinear", {x, m.scalar(scale), m.scalar(0, 2)});
    };
    std::string x = m.node("Relu", {m.node("Conv", {"x", m.random({4, 3, 1, 1})})});
    const std::string a = coded(x, step), b = coded(m.node("Mul", {x, m.scalar(2)}), 2 * step);
    std::string both = m.node("Concat", {a, b}, {{"axis", 1}});
    if (pooled) both = m.node("MaxPool", {both}, {{"kernel_shape", Dims{2, 2}}});
    m.node("DequantizeLinear", {both, m.scalar(pooled ? 3 * step : step), m.scalar(0, 2)});
    expect_as_the_file(m);
  }
}

TEST(OnnxForms, BiasesOfAMatrixStandInARow) {
  const auto product = [](const Dims& bias, std::int64_t rows) {
    OnnxBuilder m(rows == 1 ? Dims{1, 5} : Dims{1, 3, 2, 2});
    std::string x = "x";
    if (rows > 1) {
      const std::string y = m.node("Conv", {"x", m.random({5, 3, 1, 1})});
      x = m.node("Reshape", {m.node("Transpose", {y}, {{"perm", Dims{0, 2, 3, 1}}}), m.ints({4, 5})});
    }
    m.node("Gemm", {x, m.random({5, 4}), m.random(bias)});
    return m;
  };
  EXPECT_THAT(refusal(product({4, 1}, 4)), HasSubstr("its bias of 4x1 differs from row to row"));
  for (const Dims& bias : {Dims{4}, Dims{1, 4}, Dims{1}}) {
    expect_as_the_file(product(bias, 4), false);
    expect_as_the_file(product(bias, 1), false);
  }
  EXPECT_THAT(refusal(product({2}, 1)), HasSubstr("has 2 biases for 4 outputs"));
}

TEST(OnnxForms, BiasesOfAQuantizedMatrixStandInARow) {
  constexpr int i8 = 3, i32 = 6;
  const auto product = [](const Dims& bias, const std::vector<double>& codes) {
    OnnxBuilder m({1, 4, 2, 2});
    const std::string q = m.node("QuantizeLinear", {"x", m.scalar(0.125), m.scalar(0, i8)});
    const std::string rows =
        m.node("Reshape", {m.node("Transpose", {q}, {{"perm", Dims{0, 2, 3, 1}}}), m.ints({4, 4})});
    m.node("QGemm",
           {rows, m.scalar(0.125), m.scalar(0, i8), m.constant({4, 4}, std::vector<double>(16, 1), i8), m.scalar(0.5),
            m.scalar(0, i8), m.constant(bias, codes, i32), m.scalar(0.0625), m.scalar(0, i8)},
           {}, "com.microsoft");
    return m;
  };
  const std::vector<double> codes = {1, -2, 3, 40};
  EXPECT_THAT(refusal(product({4, 1}, codes)), HasSubstr("its bias of 4x1 differs from row to row"));
  EXPECT_THAT(refusal(product({2}, {1, 2})), HasSubstr("has 2 biases for 4 outputs"));
  for (const Dims& bias : {Dims{4}, Dims{1, 4}})
    EXPECT_EQ(imported(product(bias, codes)).parameters[1].bias, (std::vector<float>{0.0625F, -0.125F, 0.1875F, 2.5F}));
  EXPECT_EQ(imported(product({1}, {8})).parameters[1].bias, std::vector<float>(4, 0.5F));
}

TEST(OnnxForms, ReductionsWithoutAxesMayDoNothing) {
  for (const char* op : {"ReduceMean", "ReduceMax"}) {
    for (const bool empty_list : {false, true}) {
      OnnxBuilder m({1, 3, 4, 4}), same({1, 3, 4, 4});
      const std::string y = m.node("Conv", {"x", m.random({2, 3, 1, 1})});
      same.node("Conv", {"x", same.random({2, 3, 1, 1})});
      std::vector<std::string> inputs = {y};
      if (empty_list) inputs.push_back(m.ints({}));
      m.node(op, inputs, {{"noop_with_empty_axes", 1}});
      m.opset(18);
      const Array input = random_input(m, 1);
      expect_near(run(imported(m), to_nhwc(input)), to_nhwc(same.run(input)));
    }
  }
}

TEST(OnnxForms, ZeroPointsOfQonnxRunWhereTheyAreBroadcast) {
  // There are as many inputs as outputs: only the zero points' own shape tells the axis.
  const std::string domain = "qonnx.custom_op.general";
  const auto quantized = [&](const Dims& scale, const Dims& zero, std::int64_t depth) {
    OnnxBuilder m({1, depth, 3, 3});
    std::vector<double> values;
    for (std::int64_t k = 0; k < 4 * depth; ++k) values.push_back(0.25 * static_cast<double>(k % 7 - 3));
    const auto elements = [](const Dims& dims) {
      std::int64_t all = 1;
      for (const std::int64_t side : dims) all *= side;
      return static_cast<std::size_t>(all);
    };
    std::vector<double> zeros = {0, 6, -7, 2};
    zeros.resize(elements(zero));
    const std::string w =
        m.node("Quant",
               {m.constant({4, depth, 1, 1}, values), m.constant(scale, std::vector<double>(elements(scale), 0.25)),
                m.constant(zero, zeros), m.scalar(4)},
               {{"signed", 1}, {"narrow", 0}, {"rounding_mode", "ROUND"}}, domain);
    m.node("Conv", {"x", w});
    return m;
  };
  // Codes of 4 bits are cut off at -8..7 behind the zero point: 6 leaves -3.5..0.25, -7 leaves -0.25..3.5.
  const auto limit = [](double value, std::size_t n) {
    const double low[] = {-2, -3.5, -0.25, -2.5}, high[] = {1.75, 0.25, 3.5, 1.25};
    return std::clamp(value, low[n], high[n]);
  };
  for (const std::int64_t depth : {3, 4}) {
    for (const Dims& scale : {Dims{4, 1, 1, 1}, Dims{}}) {
      const FloatNetwork network = imported(quantized(scale, {4, 1, 1, 1}, depth));
      const std::vector<float>& weights = network.parameters[1].weights;
      ASSERT_EQ(weights.size(), static_cast<std::size_t>(4 * depth));
      for (std::size_t k = 0; k < weights.size(); ++k)
        EXPECT_FLOAT_EQ(weights[k], static_cast<float>(limit(0.25 * (static_cast<double>(k % 7) - 3),
                                                             k / static_cast<std::size_t>(depth))));
    }
  }
  const FloatNetwork columns = imported(quantized({}, {1, 4, 1, 1}, 4));
  for (std::size_t k = 0; k < 16; ++k)
    EXPECT_FLOAT_EQ(columns.parameters[1].weights[k],
                    static_cast<float>(limit(0.25 * (static_cast<double>(k % 7) - 3), k % 4)));
  EXPECT_THAT(refusal(quantized({}, {2, 2, 1, 1}, 4)),
              HasSubstr("its zero point of 2x2x1x1 does not run along one axis"));
}

TEST(OnnxForms, TransposedKernelsBelowTheStrideKeepTheStandardsSides) {
  for (const char* automatic : {"SAME_UPPER", "SAME_LOWER", "VALID"}) {
    OnnxBuilder m({1, 3, 4, 5});
    m.node("ConvTranspose", {"x", m.random({3, 2, 2, 3}), m.random({2})},
           {{"strides", Dims{3, 2}}, {"auto_pad", automatic}});
    expect_as_the_file(m);
    const FloatNetwork network = imported(m);
    const bool same = std::string(automatic) != "VALID";
    EXPECT_EQ(network.graph.nodes().back().output.height, same ? 12 : 11);
    ASSERT_EQ(network.notes.size(), same ? 1U : 0U);
    for (const std::string& note : network.notes)
      EXPECT_THAT(note, HasSubstr(std::string("auto_pad ") + automatic + " with a kernel smaller than its stride"));
  }
}

TEST(OnnxForms, SlopesOfWhatIsNeverNegativeAreNoLayers) {
  for (const bool codes : {false, true}) {
    OnnxBuilder m({1, 3, 4, 4});
    std::string x = m.node("Conv", {"x", m.random({3, 3, 1, 1})});
    if (codes) {
      const std::string scale = m.scalar(0.0078125), zero = m.scalar(0, 2);
      x = m.node("DequantizeLinear", {m.node("QuantizeLinear", {x, scale, zero}), scale, zero});
    } else {
      x = m.node("AveragePool", {m.node("Relu", {x})}, {{"kernel_shape", Dims{2, 2}}});
    }
    m.node("PRelu", {x, m.constant({3, 1, 1}, {0.5, -0.25, 2})});
    expect_as_the_file(m);
    EXPECT_EQ(imported(m).graph.nodes().size(), codes ? 2U : 4U);
  }
  OnnxBuilder half({1, 3, 4, 4});
  const std::string x = half.node("Conv", {"x", half.random({3, 3, 1, 1})});
  half.node("PRelu", {half.node("Concat", {half.node("Relu", {x}), x}, {{"axis", 1}}),
                      half.constant({6, 1, 1}, {0.5, -0.25, 2, 0.5, -0.25, 2})});
  expect_as_the_file(half);
}

TEST(OnnxForms, ExchangedSidesOfASquareInputAreRefused) {
  const auto turned = [](const Dims& input, const Dims& order, std::int64_t channels) {
    OnnxBuilder m(input);
    m.node("Conv", {m.node("Transpose", {"x"}, {{"perm", order}}), m.random({2, channels, 3, 3})});
    return m;
  };
  const char* words = "a Reshape or Transpose before it moves pixels";
  EXPECT_THAT(refusal(turned({1, 1, 6, 6}, {0, 1, 3, 2}, 1)), HasSubstr(words));
  EXPECT_THAT(refusal(turned({1, 3, 6, 6}, {0, 1, 3, 2}, 3)), HasSubstr(words));
  EXPECT_THAT(refusal(turned({1, 6, 6, 3}, {0, 3, 2, 1}, 3)), HasSubstr(words));
  // Channels in another order are what a convolution copes with.
  OnnxBuilder shuffled({1, 4, 5, 6});
  const std::string parted = shuffled.node("Reshape", {"x", shuffled.ints({1, 2, 2, 5, 6})});
  const std::string moved = shuffled.node("Transpose", {parted}, {{"perm", Dims{0, 2, 1, 3, 4}}});
  const std::string whole = shuffled.node("Reshape", {moved, shuffled.ints({1, 4, 5, 6})});
  shuffled.node("Conv", {whole, shuffled.random({2, 4, 3, 3})});
  expect_as_the_file(shuffled);
  // The usual turn of an image whose channels stand last is none of these, square or not.
  for (const Dims& input : {Dims{1, 6, 6, 3}, Dims{1, 5, 6, 3}, Dims{1, 4, 4, 4}})
    EXPECT_EQ(imported(turned(input, {0, 3, 1, 2}, input[3])).graph.node(0).output.channels, input[3]);
}

TEST(OnnxForms, WordsForWhatCannotBeRead) {
  OnnxBuilder dropout({1, 3, 4, 4});
  dropout.node("Dropout",
               {dropout.node("Conv", {"x", dropout.random({2, 3, 1, 1})}), dropout.scalar(0.5), dropout.scalar(1, 9)});
  EXPECT_THAT(refusal(dropout), HasSubstr("is in training mode; export the network for inference"));
  OnnxBuilder empty({1, 3, 4, 4});
  empty.node("Conv", {"x", empty.constant({0, 3, 1, 1}, {})});
  EXPECT_THAT(refusal(empty), HasSubstr("its weights of 0x3x1x1 are empty"));
  OnnxBuilder half({1, 3, 4, 4});
  half.node("Cast", {half.node("Cast", {half.node("Conv", {"x", half.random({2, 3, 1, 1})})}, {{"to", 10}})},
            {{"to", 1}});
  ASSERT_EQ(imported(half).notes.size(), 1U);
  EXPECT_THAT(imported(half).notes[0], HasSubstr("FLOAT16 is left out: values are not rounded to 16 bits"));
}

}  // namespace
}  // namespace bitstrata::testing
