// SPDX-License-Identifier: Apache-2.0
#include "tests/model/onnx_quantized_rows.h"

namespace bitstrata::testing::rows {

// Each between quantizers: of int8 codes, which index the table themselves, and of uint8 codes, which a layer of its
// own reads.
void function_rows(Table& t) {
  struct Function {
    const char *name, *op;
    Attrs attributes;
    int opset;
    Q out;
  };
  const Q open{1.0 / 64, 20, u8}, within{1.0 / 128, 0, i8};
  const std::vector<Function> functions = {
      {"Tanh", "Tanh", {}, 13, within},
      {"Erf", "Erf", {}, 13, within},
      {"Elu", "Elu", {}, 13, {1.0 / 32, 40, u8}},
      {"EluOfAlpha", "Elu", {{"alpha", 0.5}}, 13, {1.0 / 32, -100, i8}},
      {"Selu", "Selu", {}, 13, {1.0 / 32, 64, u8}},
      {"SeluOfParameters", "Selu", {{"alpha", 1.25}, {"gamma", 0.75}}, 13, open},
      {"Celu", "Celu", {{"alpha", 2.0}}, 13, {1.0 / 32, 64, u8}},
      {"Softplus", "Softplus", {}, 13, {1.0 / 64, 0, u8}},
      {"Softsign", "Softsign", {}, 13, {1.0 / 100, 0, i8}},
      {"Mish", "Mish", {}, 18, open},
      {"Gelu", "Gelu", {}, 20, open},
      {"GeluOfTanh", "Gelu", {{"approximate", "tanh"}}, 20, open},
      {"ThresholdedRelu", "ThresholdedRelu", {{"alpha", 0.5}}, 13, {1.0 / 32, 0, u8}},
  };
  for (const Function& f : functions) {
    for (const Q& in : {signed_values, values}) {
      const std::string name = std::string(f.name) + (in.type == i8 ? "OfInt8" : "OfUint8");
      t.row(name.c_str(), [&](Case& c) {
        c.m.opset(f.opset);
        c.qdq(c.m.node(f.op, {c.first(pixels, in)}, f.attributes), f.out);
        return f.out;
      });
    }
  }
  t.row("GeluOfErfOfInt8", [=](Case& c) {
    const std::string x = c.first(pixels, signed_values);
    const std::string erf = c.m.node("Erf", {c.m.node("Div", {x, c.m.scalar(1.4142135)})});
    c.qdq(c.m.node("Mul", {c.m.node("Mul", {x, c.m.node("Add", {erf, c.m.scalar(1)})}), c.m.scalar(0.5)}), open);
    return open;
  });
}

void border_rows(Table& t) {
  const auto average = [&](const char* name, const Attrs& attributes, const Q& in) {
    t.row(name, [=](Case& c) {
      c.m.opset(19);
      c.qdq(c.m.node("AveragePool", {c.first(pixels, in)}, attributes), in);
      return in;
    });
  };
  const Attrs pads = {{"kernel_shape", Dims{3, 3}}, {"pads", Dims{1, 1, 1, 1}}};
  average("AverageWithoutPadding", pads, values);
  average("AverageWithoutPaddingOfInt8", pads, signed_values);
  average("AverageOfCeilMode", {{"kernel_shape", Dims{2, 2}}, {"strides", Dims{2, 2}}, {"ceil_mode", 1}}, values);
  average("AverageOfCeilModeOverPadding",
          {{"kernel_shape", Dims{2, 2}},
           {"pads", Dims{1, 1, 1, 1}},
           {"strides", Dims{2, 3}},
           {"ceil_mode", 1},
           {"count_include_pad", 1}},
          values);
  for (const char* coordinates : {"half_pixel", "asymmetric"}) {
    for (const double factor : {2.0, 4.0}) {
      const std::string name = std::string("LinearBy") + (factor == 2 ? "2" : "4") + "_" + coordinates;
      t.row(name.c_str(), [=](Case& c) {
        const std::string x = c.first(pixels, signed_values);
        c.qdq(c.m.node("Resize", {x, "", c.m.constant({4}, {1, 1, factor, factor})},
                       {{"mode", "linear"}, {"coordinate_transformation_mode", coordinates}}),
              signed_values);
        return signed_values;
      });
    }
  }
  // Scales that are no powers of two: what a mean is between two codes depends on the order of its sums.
  const Q free{0.03, 99}, other{0.0613, 80};
  const auto mean = [&](const char* name, const char* op, const Attrs& attributes, const Q& behind, int opset = 18) {
    t.row(name,
          [=](Case& c) {
            c.m.opset(opset);
            Names inputs = {c.first(pixels, free)};
            if (std::string(op) == "Resize") inputs.insert(inputs.end(), {"", c.m.constant({4}, {1, 1, 2, 2})});
            c.qdq(c.m.node(op, inputs, attributes), behind);
            return behind;
          },
          "", {1, 3, 7, 6});
  };
  const Attrs by_three = {{"kernel_shape", Dims{2, 3}}};
  Attrs padded = pads, counted = pads;
  padded.insert({"strides", Dims{2, 1}});
  counted.insert({"count_include_pad", 1});
  mean("FreeAverage", "AveragePool", by_three, free);
  mean("FreeAverageOfOpset19", "AveragePool", by_three, free, 19);
  mean("FreeAverageByThrees", "AveragePool", {{"kernel_shape", Dims{2, 4}}, {"strides", Dims{1, 3}}}, free);
  mean("FreeAverageOfTheImage", "AveragePool", {{"kernel_shape", Dims{7, 6}}}, free);
  mean("FreeAverageInPadding", "AveragePool", pads, free);
  mean("FreeAverageInPaddingByTwos", "AveragePool", padded, other);
  mean("FreeAverageOverPadding", "AveragePool", counted, free);
  mean("FreeGlobalAverage", "GlobalAveragePool", {}, free);
  mean("FreeHardSwish", "HardSwish", {}, free);
  for (const char* coordinates : {"half_pixel", "asymmetric"}) {
    const std::string name = std::string("FreeLinear_") + coordinates;
    const Attrs linear = {{"mode", "linear"}, {"coordinate_transformation_mode", coordinates}};
    mean(name.c_str(), "Resize", linear, free);
    mean((name + "ToAnotherScale").c_str(), "Resize", linear, other);
  }
  t.row("FreeQLinearAverage",
        [=](Case& c) {
          Names operands = c.operands(c.first_codes(pixels, free), free);
          for (const std::string& name : c.pair(other)) operands.push_back(name);
          c.dequantize(c.m.node("QLinearAveragePool", operands, pads, microsoft), other);
          return other;
        },
        "", {1, 3, 7, 6});
  // Codes that are read with another scale than they were made with, and a factor behind the mean.
  for (const bool padding : {false, true}) {
    t.row(padding ? "FreeAverageInPaddingOfRescaledCodes" : "FreeAverageOfRescaledCodes", [=](Case& c) {
      const Q wider{0.0517, 99}, behind{0.0517, 70};
      c.m.opset(18);
      const std::string x = c.dequantize(c.first_codes(pixels, free), wider);
      c.qdq(c.m.node("AveragePool", {x}, padding ? pads : by_three), behind);
      return behind;
    });
    t.row(padding ? "FreeAverageInPaddingTwice" : "FreeAverageTwice", [=](Case& c) {
      const Q behind{0.06, 99};
      c.m.opset(18);
      const std::string y = c.m.node("AveragePool", {c.first(pixels, free)}, padding ? counted : by_three);
      c.qdq(c.m.node("Mul", {y, c.m.scalar(2)}), behind);
      return behind;
    });
  }
  t.row("SpatialAttention", [=](Case& c) {
    const Q gate{1.0 / 256};
    const std::string x = c.first(pixels, values);
    const std::string logits = c.qdq(c.m.node("Conv", {x, c.weights({1, 4, 1, 1}, 1.0 / 16)}), signed_values);
    c.qdq(c.m.node("Mul", {x, c.qdq(c.m.node("Sigmoid", {logits}), gate)}), values);
    return values;
  });
  // Constants in front of a product that its quantizer's scale takes: x * (relu6(x + 2.5) / 5), and both operands
  // scaled.
  for (const bool both : {false, true}) {
    for (const bool rounded : {false, true}) {
      const std::string name = std::string("ProductOfQuotient") + (both ? "s" : "") + (rounded ? "OfCodes" : "");
      t.row(name.c_str(), [=](Case& c) {
        const Q in{1.0 / 16, 0, i8}, behind{0.05, 20}, between{1.0 / 16};  // many results lie just between two codes
        const std::string x = c.qdq(c.m.node("Conv", {c.qdq("x", pixels), c.weights({4, 3, 1, 1}, 0.5)}), in);
        std::string clip = c.m.node("Clip", {c.m.node("Add", {x, c.m.scalar(2.5)}), c.m.scalar(0), c.m.scalar(6)});
        if (rounded) clip = c.qdq(clip, between);
        const std::string quotient = c.m.node("Div", {clip, c.m.scalar(5)});
        c.qdq(c.m.node("Mul", {both ? c.m.node("Mul", {x, c.m.scalar(0.3)}) : x, quotient}), behind);
        return behind;
      });
    }
  }
  const Q offset{1.0 / 32, 30};
  t.row("LeakyReluWithAZeroPoint", [=](Case& c) {
    const std::string x = c.m.node("Conv", {c.qdq("x", pixels), c.weights({4, 3, 1, 1})});
    c.qdq(c.m.node("LeakyRelu", {x}, {{"alpha", 0.25}}), offset);
    return offset;
  });
}

}  // namespace bitstrata::testing::rows
