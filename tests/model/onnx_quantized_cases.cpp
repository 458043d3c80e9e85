// SPDX-License-Identifier: Apache-2.0
#include "tests/model/onnx_quantized_cases.h"

#include "tests/model/onnx_quantized_rows.h"

namespace bitstrata::testing {
namespace {

using namespace rows;

void branch_rows(Table& t) {
  // Two quantizers of one tensor that are alike, and a limit behind one of them.
  for (const bool limit_first : {true, false}) {
    t.row(limit_first ? "ClipBehindTheFirstOfTwoQuantizers" : "ClipBehindTheSecondOfTwoQuantizers", [=](Case& c) {
      const std::string x = c.m.node("Conv", {c.qdq("x", pixels), c.weights({4, 3, 1, 1})});
      const auto whole = [&] { return c.qdq(x, signed_values); };
      const auto limited = [&] {
        const std::string codes =
            c.m.node("Clip", {c.quantize(x, signed_values), c.m.scalar(-8, i8), c.m.scalar(7, i8)});
        return c.dequantize(codes, signed_values);
      };
      const std::string a = limit_first ? limited() : whole(), b = limit_first ? whole() : limited();
      c.qdq(c.m.node("Concat", {a, b}, {{"axis", 1}}), signed_values);
      return signed_values;
    });
  }
}

// Pixels out of channels, and transposed convolutions.
void space_rows(Table& t) {
  for (const char* mode : {"DCR", "CRD"}) {
    t.row(mode == std::string("DCR") ? "DepthToSpaceOfCodes" : "DepthToSpaceOfCodesByColumns", [=](Case& c) {
      const std::string codes =
          c.m.node("DepthToSpace", {c.first_codes(pixels, values)}, {{"blocksize", 2}, {"mode", mode}});
      c.qdq(c.m.node("Conv", {c.dequantize(codes, values), c.weights({3, 1, 2, 2})}), signed_values);
      return signed_values;
    });
  }
  t.row("SpaceToDepth",
        [](Case& c) {
          const std::string y = c.first(pixels, values);
          const std::string deep = c.m.node("SpaceToDepth", {y}, {{"blocksize", 2}});
          c.qdq(c.m.node("Conv", {deep, c.weights({3, 16, 1, 1}, 0.0625)}), signed_values);
          return signed_values;
        },
        "", {1, 3, 4, 6});
  const auto transposed = [&](const char* name, const Dims& weights, int axis, const std::vector<double>& scales,
                              const Attrs& attributes) {
    t.row(name, [=](Case& c) {
      const std::string x = c.first(pixels, signed_values);
      const auto group = attributes.find("group");
      const std::int64_t outputs = weights[1] * (group == attributes.end() ? 1 : group->second.wholes[0]);
      const std::string bias = c.m.constant({outputs}, std::vector<double>(static_cast<std::size_t>(outputs), 0.25));
      const std::string w = axis < 0 ? c.weights(weights) : c.weights(weights, axis, scales);
      const std::string y = c.qdq(c.m.node("ConvTranspose", {x, w, bias}, attributes), coarse);
      c.qdq(c.m.node("Relu", {y}), values);
      return values;
    });
  };
  transposed("ConvTranspose", {4, 3, 2, 2}, 1, {0.125, 0.25, 0.0625}, {{"strides", Dims{2, 2}}});
  transposed("ConvTransposeOfWideKernels", {4, 3, 4, 3}, 1, {0.125, 0.25, 0.0625},
             {{"strides", Dims{2, 2}}, {"pads", Dims{1, 1, 1, 1}}, {"output_padding", Dims{0, 1}}});
  transposed("ConvTransposeCutOff", {4, 3, 3, 3}, -1, {}, {{"strides", Dims{2, 3}}, {"pads", Dims{1, 0, 1, 0}}});
  transposed("ConvTransposeOfScalesByInput", {4, 1, 3, 3}, 0, {0.125, 0.25, 0.0625, 0.5},
             {{"strides", Dims{2, 2}}, {"pads", Dims{1, 1, 1, 1}}, {"output_padding", Dims{1, 1}}});
  transposed("DepthwiseConvTranspose", {4, 1, 4, 4}, 0, {0.125, 0.25, 0.0625, 0.5},
             {{"strides", Dims{2, 2}}, {"pads", Dims{1, 1, 1, 1}}, {"group", 4}});
  transposed("ConvTransposeOfLowerSides", {4, 2, 5, 4}, 1, {0.125, 0.25},
             {{"strides", Dims{2, 3}}, {"auto_pad", "SAME_LOWER"}});
  transposed("ConvTransposeOfAnOutputShape", {4, 2, 5, 4}, 1, {0.125, 0.25},
             {{"strides", Dims{2, 3}}, {"output_shape", Dims{10, 17}}});
  transposed("ConvTransposeOfSameSides", {4, 2, 5, 4}, 1, {0.125, 0.25},
             {{"strides", Dims{2, 3}}, {"auto_pad", "SAME_UPPER"}});
  for (const bool grouped : {false, true}) {
    t.row(grouped ? "ConvTransposeOfGroupsAndFreeScales" : "ConvTransposeOfFreeScales",
          [=](Case& c) {
            const Q in{0.0137}, out{grouped ? 0.011 : 0.031, 0, i8};
            const std::string w = c.weights({320, 3, 3, 4}, 1, {0.0171, 0.0093, 0.0061});
            const Attrs attributes = {{"strides", Dims{2, 3}}, {"group", grouped ? 2 : 1}};
            c.qdq(c.m.node("ConvTranspose", {c.qdq("x", in), w}, attributes), out);
            return out;
          },
          "", {1, 320, 4, 5});
    t.ordered_sums();
  }
  t.row("ConvTransposeOfGroups", [](Case& c) {
    const std::string x = c.first(pixels, signed_values);
    const std::string y = c.m.node("ConvTranspose", {x, c.weights({4, 2, 3, 3}, 1, {0.125, 0.5})},
                                   {{"strides", Dims{2, 2}}, {"group", 2}, {"dilations", Dims{1, 2}}});
    c.qdq(y, coarse);
    return coarse;
  });
}

void qdq_rows(Table& t) {
  const auto out = [](const Q& q) {
    return [q](Case& c) {
      c.qdq(c.m.node("Conv", {c.qdq("x", pixels), c.weights({4, 3, 3, 3}, 0, {0.125, 0.25, 0.0625, 0.5})}), q);
      return q;
    };
  };
  t.row("Unsigned", out(values));
  t.row("Signed", out(signed_values));
  t.row("SignedAsymmetric", out(coarse));
  for (const Q& wide : {Q{1.0 / 4096, -7, i16}, Q{1.0 / 4096, 30000, u16}}) {
    t.row(wide.type == i16 ? "SixteenBitSigned" : "SixteenBitUnsigned", [=](Case& c) {
      c.m.opset(21);
      return out(wide)(c);
    });
  }
  t.row("OneScale", [](Case& c) {
    c.first(pixels, values);
    return values;
  });
  t.row("WeightZeroPoints", [](Case& c) {
    const std::string w = c.m.node(
        "DequantizeLinear",
        {c.weight_codes({4, 3, 1, 1}), c.m.constant({4}, {0.5, 0.25, 1, 2}), c.m.constant({4}, {1, -2, 3, 0}, i8)},
        {{"axis", 0}});
    c.qdq(c.m.node("Conv", {c.qdq("x", pixels), w}), coarse);
    return coarse;
  });
  t.row("BiasOfCodes", [](Case& c) {
    const std::string b =
        c.m.node("DequantizeLinear", {c.m.constant({4}, {40, -90, 7, 0}, i32), c.m.scalar(1.0 / 1024)});
    c.qdq(c.m.node("Conv", {c.qdq("x", pixels), c.weights({4, 3, 1, 1}), b}), values);
    return values;
  });
  t.row("Depthwise", [](Case& c) {
    c.qdq(c.m.node("Conv", {c.qdq("x", pixels), c.weights({3, 1, 3, 3}, 0, {0.5, 0.25, 0.125})},
                   {{"group", 3}, {"pads", Dims{1, 1, 1, 1}}}),
          values);
    return values;
  });
  t.row("ReluTakesOver", [](Case& c) {
    c.qdq(c.m.node("Relu", {c.m.node("Conv", {c.qdq("x", pixels), c.weights({4, 3, 1, 1})})}), {1.0 / 64});
    return Q{1.0 / 64};
  });
  t.row("ReluBetweenTwoGrids", [](Case& c) {
    const Q fine{1.0 / 64};
    c.qdq(c.m.node("Relu", {c.first(pixels, {3.0 / 64, 0, i8})}), fine);
    return fine;
  });
  t.row("FloatSkipBesideAQuantizer", [](Case& c) {
    const std::string a = c.m.node("Conv", {c.qdq("x", pixels), c.weights({4, 3, 1, 1})});
    const std::string b = c.m.node("Conv", {c.qdq(a, coarse), c.weights({4, 4, 1, 1})});
    c.qdq(c.m.node("Add", {c.qdq(b, values), c.qdq(a, signed_values)}), signed_values);
    return signed_values;
  });
  t.row("Sum", [](Case& c) {
    const std::string a = c.first(pixels, values), b = c.qdq(c.m.node("Conv", {a, c.weights({4, 4, 1, 1})}), coarse);
    c.qdq(c.m.node("Add", {a, b}), {1.0 / 16, 3, i8});
    return Q{1.0 / 16, 3, i8};
  });
  t.row("Product", [](Case& c) {
    const std::string a = c.first(pixels, values), b = c.qdq(c.m.node("Conv", {a, c.weights({4, 4, 1, 1})}), coarse);
    c.qdq(c.m.node("Mul", {a, b}), {1.0 / 16, 3, i8});
    return Q{1.0 / 16, 3, i8};
  });
  t.row("Joined", [](Case& c) {
    const std::string a = c.first(pixels, values), b = c.qdq(c.m.node("Conv", {a, c.weights({2, 4, 1, 1})}), coarse);
    c.qdq(c.m.node("Concat", {a, b}, {{"axis", 1}}), {1.0 / 16, 3, i8});
    return Q{1.0 / 16, 3, i8};
  });
  t.row("LargestOfCodes", [](Case& c) {
    const std::string p =
        c.m.node("MaxPool", {c.first_codes(pixels, values)}, {{"kernel_shape", Dims{2, 2}}, {"strides", Dims{2, 2}}});
    c.qdq(c.m.node("Conv", {c.dequantize(p, values), c.weights({2, 4, 1, 1})}), coarse);
    return coarse;
  });
  t.row("Average", [](Case& c) {
    c.qdq(c.m.node("AveragePool", {c.first(pixels, values)}, {{"kernel_shape", Dims{2, 2}}}), values);
    return values;
  });
  t.row("GlobalAverage", [](Case& c) {
    c.qdq(c.m.node("GlobalAveragePool", {c.first(pixels, values)}), values);
    return values;
  });
  t.row("LeakyReluBetweenGrids", [](Case& c) {
    c.qdq(c.m.node("LeakyRelu", {c.first(pixels, values)}, {{"alpha", 0.25}}), signed_values);
    return signed_values;
  });
  t.row("SecondRounding", [](Case& c) {
    c.qdq(c.first(pixels, values), coarse);
    return coarse;
  });
  t.row("OtherScaleBehindTheCodes", [](Case& c) {
    const std::string q = c.first_codes(pixels, signed_values);
    c.qdq(c.m.node("Conv", {c.dequantize(q, {1.0 / 16, 0, i8}), c.weights({4, 4, 1, 1})}), coarse);
    return coarse;
  });
  t.row(
      "OtherZeroPointBehindTheCodes",
      [](Case& c) {
        const std::string q = c.first_codes(pixels, signed_values);
        c.qdq(c.m.node("Conv", {c.dequantize(q, {1.0 / 32, 5, i8}), c.weights({4, 4, 1, 1})}), coarse);
        return coarse;
      },
      "zero point");
}

void matrix_rows(Table& t) {
  const Dims vector = {1, 12};
  const auto linear = [&](const char* name, const std::function<std::string(Case&, const std::string&)>& product) {
    t.row(
        name,
        [=](Case& c) {
          c.qdq(product(c, c.qdq("x", pixels)), coarse);
          return coarse;
        },
        "", vector, false);
  };
  linear("GemmRowsScaled", [](Case& c, const std::string& x) {
    return c.m.node("Gemm", {x, c.weights({3, 12}, 0, {0.5, 0.25, 1})}, {{"transB", 1}});
  });
  linear("GemmColumnsScaled", [](Case& c, const std::string& x) {
    return c.m.node("Gemm", {x, c.weights({12, 3}, 1, {0.5, 0.25, 1})});
  });
  linear("MatMulLastAxisScaled", [](Case& c, const std::string& x) {
    return c.m.node("MatMul", {x, c.weights({12, 3}, -1, {0.5, 0.25, 1})});
  });
  linear("GemmAlphaAndBeta", [](Case& c, const std::string& x) {
    return c.m.node("Gemm", {x, c.weights({3, 12}), c.m.constant({3}, {1, -2, 0.5})},
                    {{"transB", 1}, {"alpha", 0.5}, {"beta", 0.25}});
  });
}

// Limits of codes: how widths below 8 bits are written.
void clip_rows(Table& t) {
  const auto few = [](Case& c, const std::string& codes, double low, double high, int type) {
    return c.m.node("Clip", {codes, c.m.scalar(low, type), c.m.scalar(high, type)});
  };
  t.row("FourBitActivations", [=](Case& c) {
    const Q q{1.0 / 8}, s{1.0 / 4, 0, i8};
    const std::string x = c.dequantize(few(c, c.quantize("x", q), 0, 15, u8), q);
    c.dequantize(few(c, c.quantize(c.m.node("Conv", {x, c.weights({4, 3, 1, 1})}), s), -8, 7, i8), s);
    return s;
  });
  t.row("NarrowActivations", [=](Case& c) {
    const Q s{1.0 / 4, 0, i8};
    c.dequantize(few(c, c.quantize(c.m.node("Conv", {c.qdq("x", pixels), c.weights({4, 3, 1, 1})}), s), -7, 7, i8), s);
    return s;
  });
  t.row("ThreeBitWeights", [=](Case& c) {
    const std::string w = c.m.node(
        "DequantizeLinear", {few(c, c.weight_codes({4, 3, 1, 1}), -4, 3, i8), c.m.scalar(0.25), c.m.scalar(0, i8)});
    c.qdq(c.m.node("Conv", {c.qdq("x", pixels), w}), coarse);
    return coarse;
  });
  t.row("WeightsQuantizedInTheFile", [=](Case& c) {
    const Q s{1.0 / 8, 0, i8};
    const std::string w = c.dequantize(few(c, c.quantize(c.m.random({4, 3, 1, 1}), s), -4, 3, i8), s);
    c.qdq(c.m.node("Conv", {c.qdq("x", pixels), w}), coarse);
    return coarse;
  });
}

void qlinear_rows(Table& t) {
  // Two tensors of 4 channels as codes.
  struct Two {
    std::string a, b;
  };
  const auto two = [](Case& c) {
    const std::string a = c.first_codes(pixels, values);
    const std::string b =
        c.quantize(c.m.node("Conv", {c.dequantize(a, values), c.weights({4, 4, 1, 1})}), {1.0 / 16, 90});
    return Two{a, b};
  };
  const Q second{1.0 / 16, 90}, sum{1.0 / 16, 120};
  const auto with = [](Names head, const Names& tail) {
    head.insert(head.end(), tail.begin(), tail.end());
    return head;
  };
  const auto convolution = [=](Case& c, const std::string& x, const Q& in, const Q& out, const Names& bias) {
    Names all = c.operands(x, in);
    all.insert(all.end(), {c.weight_codes({4, 3, 2, 2}), c.m.constant({4}, {0.25, 0.125, 0.5, 0.0625}),
                           c.m.constant({4}, {0, 0, 0, 0}, i8)});
    c.m.node("QLinearConv", with(with(all, c.pair(out)), bias), {{"pads", Dims{1, 0, 0, 1}}});
  };
  t.row("QLinearConv", [=](Case& c) {
    convolution(c, c.quantize("x", pixels), pixels, values, {c.m.constant({4}, {100, -50, 0, 7}, i32)});
    return values;
  });
  t.codes();
  t.row("QLinearConvOfCodes", [=](Case& c) {
    c.m.input_type(u8);
    const Q in{1.0 / 128, 3};
    convolution(c, "x", in, values, {});
    return values;
  });
  t.codes();
  t.row("DequantizeLinearOfCodes", [](Case& c) {
    c.m.input_type(i8);
    c.qdq(c.m.node("Conv", {c.dequantize("x", {1.0 / 64, -5, i8}), c.weights({4, 3, 1, 1})}), coarse);
    return coarse;
  });
  t.row(
      "QLinearMatMul",
      [=](Case& c) {
        Names all = c.operands(c.quantize("x", signed_pixels), signed_pixels);
        all.insert(all.end(),
                   {c.weight_codes({12, 3}), c.m.constant({3}, {0.25, 0.5, 1}), c.m.constant({3}, {0, 0, 0}, i8)});
        c.m.node("QLinearMatMul", with(all, c.pair(coarse)));
        return coarse;
      },
      "", {1, 12}, false);
  t.codes();
  for (const bool transposed : {true, false}) {
    t.row(
        transposed ? "QGemmTransposed" : "QGemm",
        [=](Case& c) {
          Names all = c.operands(c.quantize("x", pixels), pixels);
          all.insert(all.end(),
                     {c.weight_codes(transposed ? Dims{3, 12} : Dims{12, 3}), c.m.constant({3}, {0.25, 0.5, 1}),
                      c.m.constant({3}, {0, 0, 0}, i8), c.m.constant({3}, {64, -10, 3}, i32)});
          c.m.node("QGemm", with(all, c.pair(values)), {{"transB", transposed ? 1 : 0}}, microsoft);
          return values;
        },
        "", {1, 12}, false);
    t.codes();
  }
  for (const char* op : {"QLinearAdd", "QLinearMul"}) {
    t.row(op, [=](Case& c) {
      const Two x = two(c);
      c.m.node(op, with(with(c.operands(x.a, values), c.operands(x.b, second)), c.pair(sum)), {}, microsoft);
      return sum;
    });
    t.codes();
  }
  // Halves: the zero point is odd.
  for (const char* op : {"QLinearAdd", "QLinearMul"}) {
    t.row((std::string(op) + "OfAnOddZeroPoint").c_str(), [=](Case& c) {
      const Q out{1.0 / 8, 163};
      const Two x = two(c);
      c.m.node(op, with(with(c.operands(x.a, values), c.operands(x.b, second)), c.pair(out)), {}, microsoft);
      return out;
    });
    t.codes();
  }
  t.row("QLinearAddOfAConstant", [=](Case& c) {
    const std::string constant = c.m.constant({4, 1, 1}, {3, 200, 90, 40}, u8);
    const std::string a = c.first_codes(pixels, values);
    c.m.node("QLinearAdd", with(with(c.operands(a, values), c.operands(constant, second)), c.pair(sum)), {}, microsoft);
    return sum;
  });
  t.codes();
  const auto single = [&](const char* op, const Attrs& attributes, const Q& out, const char* refused = "") {
    t.row(
        op,
        [=](Case& c) {
          c.m.node(op, with(c.operands(c.first_codes(pixels, values), values), c.pair(out)), attributes, microsoft);
          return out;
        },
        refused);
    t.codes();
  };
  single("QLinearAveragePool", {{"kernel_shape", Dims{2, 2}}, {"strides", Dims{2, 2}}}, values);
  single("QLinearGlobalAveragePool", {}, values);
  // Scales whose ratio is 3 to 2: many means lie just between two codes, and 32-bit floats decide.
  const auto averaged = [&](const char* name, const char* op, const Attrs& attributes, const Q& in, const Q& out) {
    t.row(name, [=](Case& c) {
      c.m.node(op, with(c.operands(c.first_codes(pixels, in), in), c.pair(out)), attributes, microsoft);
      return out;
    });
    t.codes();
  };
  const Attrs windows = {{"kernel_shape", Dims{2, 2}}};
  averaged("QLinearAveragePoolOfFreeScales", "QLinearAveragePool", windows, {0.03, 100}, {0.02, 37});
  averaged("QLinearAveragePoolOfSignedCodes", "QLinearAveragePool", windows, {0.03, -5, i8}, {0.02, 21, i8});
  averaged("QLinearGlobalAveragePoolOfFreeScales", "QLinearGlobalAveragePool", {}, {0.03, 100}, {0.02, 37});
  averaged("QLinearGlobalAveragePoolOfSignedCodes", "QLinearGlobalAveragePool", {}, {0.045, -5, i8}, {0.02, 21, i8});
  single("QLinearLeakyRelu", {{"alpha", 0.25}}, {1.0 / 32, 31});
  single("QLinearSigmoid", {}, {1.0 / 256});
  t.row("QLinearConcat", [=](Case& c) {
    const Two x = two(c);
    c.m.node("QLinearConcat", with(with(c.pair(sum), c.operands(x.a, values)), c.operands(x.b, second)), {{"axis", 1}},
             microsoft);
    return sum;
  });
  t.codes();
}

// Operators between integers that are no quantizers.
void integer_rows(Table& t) {
  const auto outputs = [](const std::string& first) {
    std::vector<std::string> all = {first, first, first};
    for (std::size_t i = 0; i < 3; ++i) all[i].back() = static_cast<char>('0' + i);
    return all;
  };
  // Biases that are no whole numbers of the sums' unit.
  t.row("ConvIntegerAndAFloatBias", [](Case& c) {
    const std::string codes = c.quantize("x", pixels);
    const std::string sums =
        c.m.node("ConvInteger", {codes, c.weight_codes({4, 3, 2, 2}, u8, 9), c.m.scalar(0, u8), c.m.scalar(9, u8)});
    const std::string scaled = c.m.node("Mul", {c.m.node("Cast", {sums}, {{"to", f32}}), c.m.scalar(1.0 / 1024)});
    c.m.opset(21);  // quantizers know 16-bit codes from there on
    const Q fine{1.0 / 4096, 0, i16};
    c.qdq(c.m.node("Add", {scaled, c.m.constant({1, 4, 1, 1}, {0.00035, 0.0006, -0.0008, 0.00045})}), fine);
    return fine;
  });
  t.row(
      "QGemmInFloatsAndABias",
      [](Case& c) {
        Names all = c.operands(c.quantize("x", pixels), pixels);
        all.insert(all.end(), {c.weight_codes({3, 12}), c.m.scalar(0.125), c.m.scalar(0, i8)});
        const std::string sums = c.m.node("QGemm", all, {{"transB", 1}}, microsoft);
        c.m.opset(21);  // quantizers know 16-bit codes from there on
        const Q fine{1.0 / 4096, 0, i16};
        c.qdq(c.m.node("Add", {sums, c.m.constant({1, 3}, {0.00035, 0.0006, -0.0008})}), fine);
        return fine;
      },
      "", {1, 12}, false);
  t.row("DynamicConvInteger", [=](Case& c) {
    const Names q = outputs(c.m.node("DynamicQuantizeLinear", {"x"}, {}, "", 3));
    const std::string sums =
        c.m.node("ConvInteger", {q[0], c.weight_codes({4, 3, 2, 2}, u8, 9), q[2], c.m.scalar(9, u8)});
    const std::string scale = c.m.node("Mul", {q[1], c.m.scalar(0.25)});
    c.m.node("Mul", {c.m.node("Cast", {sums}, {{"to", f32}}), scale});
    return Q{1.0 / 1024};
  });
  t.reference_only();
  t.row(
      "DynamicMatMulInteger",
      [=](Case& c) {
        const Names q = outputs(c.m.node("DynamicQuantizeLinear", {"x"}, {}, "", 3));
        const std::string sums = c.m.node("MatMulInteger", {q[0], c.weight_codes({12, 3}), q[2]});
        const std::string scale = c.m.node("Mul", {q[1], c.m.scalar(0.25)});
        c.m.node("Mul", {c.m.node("Cast", {sums}, {{"to", f32}}), scale});
        return Q{1.0 / 1024};
      },
      "", {1, 12}, false);
  t.reference_only();
  t.row(
      "QLinearSoftmax",
      [=](Case& c) {
        const Q logits{1.0 / 8, 100};
        const std::string x = c.quantize(c.m.node("Gemm", {c.qdq("x", pixels), c.weights({12, 5})}), logits);
        Names all = c.operands(x, logits);
        all.insert(all.end(), {c.m.scalar(1.0 / 256), c.m.scalar(0, u8)});
        c.m.node("QLinearSoftmax", all, {{"axis", -1}, {"opset", 13}}, microsoft);
        return Q{1.0 / 256};
      },
      "", {1, 12}, false);
  t.codes();
  t.reference_only(1);
  t.row(
      "CastCutsOff",
      [](Case& c) {
        const std::string a = c.m.node("Conv", {"x", c.m.random({4, 3, 1, 1}, 4)});
        const std::string cut = c.m.node("Cast", {c.m.node("Cast", {a}, {{"to", i32}})}, {{"to", f32}});
        c.m.node("Conv", {cut, c.weights({2, 4, 1, 1}, 1)});
        return Q{1};
      },
      "Cast");
}

}  // namespace

std::vector<QuantizedCase> quantized_cases() {
  Table table;
  branch_rows(table);
  qdq_rows(table);
  space_rows(table);
  matrix_rows(table);
  clip_rows(table);
  qlinear_rows(table);
  integer_rows(table);
  function_rows(table);
  border_rows(table);
  written_rows(table);
  return table.take();
}

}  // namespace bitstrata::testing
