// SPDX-License-Identifier: Apache-2.0
#include "tests/model/onnx_cases.h"

#include <random>

namespace bitstrata::testing {
namespace {

using Dims = std::vector<std::int64_t>;

std::string convolution(OnnxBuilder& m, const std::string& x, std::int64_t in, std::int64_t out, Attrs attributes = {},
                        std::int64_t kernel = 3, std::int64_t groups = 1) {
  if (groups > 1) attributes.emplace("group", static_cast<int>(groups));
  return m.node("Conv", {x, m.random({out, in / groups, kernel, kernel}, 0.6), m.random({out}, 0.2)}, attributes);
}

Attrs same() { return {{"pads", Dims{1, 1, 1, 1}}}; }

std::string batch_norm(OnnxBuilder& m, const std::string& x, std::int64_t channels) {
  std::vector<double> variance;
  for (std::int64_t c = 0; c < channels; ++c) variance.push_back(0.5 + 0.1 * static_cast<double>(c));
  return m.node("BatchNormalization", {x, m.random({channels}), m.random({channels}), m.random({channels}),
                                       m.constant({channels}, variance)});
}

OnnxCase build(const char* name, int nodes, const Dims& input, void (*make)(OnnxBuilder&), bool image = false) {
  OnnxCase made{name, OnnxBuilder(input), nodes, image};
  make(made.model);
  return made;
}

// Channel shuffle as exporters write it: channels in groups, groups and channels exchanged.
std::string shuffle(OnnxBuilder& m, const std::string& x, std::int64_t groups, std::int64_t each, std::int64_t height,
                    std::int64_t width) {
  const std::string parted = m.node("Reshape", {x, m.ints({1, groups, each, height, width})});
  const std::string turned = m.node("Transpose", {parted}, {{"perm", Dims{0, 2, 1, 3, 4}}});
  return m.node("Reshape", {turned, m.ints({1, groups * each, height, width})});
}

// An activation behind a convolution.
OnnxCase activated(const char* name, const char* op, Attrs attributes, int nodes, std::vector<double> limits = {}) {
  OnnxCase made{name, OnnxBuilder({1, 3, 6, 5}), nodes, true};
  OnnxBuilder& m = made.model;
  std::vector<std::string> inputs = {convolution(m, "x", 3, 4, same())};
  for (const double limit : limits) inputs.push_back(m.scalar(limit));
  m.node(op, inputs, attributes);
  return made;
}

}  // namespace

OnnxCase random_convolution(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto pick = [&](int low, int high) {
    return low + static_cast<int>(random() % static_cast<std::uint64_t>(high - low + 1));
  };
  const int groups = pick(1, 3), in = groups * pick(1, 3), out = groups * pick(1, 3);
  const int kh = pick(1, 3), kw = pick(1, 4), dh = pick(1, 2), dw = pick(1, 2);
  OnnxCase made{"random", OnnxBuilder({1, in, pick(6, 9), pick(7, 11)}), 0, true};
  Attrs attributes = {{"group", groups}, {"strides", Dims{pick(1, 3), pick(1, 3)}}, {"dilations", Dims{dh, dw}}};
  if (const int kind = pick(0, 3); kind == 1) {
    attributes.emplace("auto_pad", "SAME_UPPER");
  } else if (kind == 2) {
    attributes.emplace("auto_pad", "SAME_LOWER");
  } else {
    attributes.emplace("pads", Dims{pick(0, 2), pick(0, 2), pick(0, 2), pick(0, 2)});
  }
  made.model.node("Conv", {"x", made.model.random({out, in / groups, kh, kw}), made.model.random({out})}, attributes);
  return made;
}

std::vector<OnnxCase> onnx_cases() {
  std::vector<OnnxCase> cases;
  cases.push_back(build(
      "BatchNormFolds", 3, {1, 3, 6, 6},
      [](OnnxBuilder& m) { m.node("Relu", {batch_norm(m, convolution(m, "x", 3, 5, same()), 5)}); }, true));
  cases.push_back(build(
      "BatchNormAlone", 4, {1, 3, 6, 6},
      [](OnnxBuilder& m) {
        m.node("Relu", {batch_norm(m,
                                   m.node("MaxPool", {convolution(m, "x", 3, 5)},
                                          {{"kernel_shape", Dims{2, 2}}, {"strides", Dims{2, 2}}}),
                                   5)});
      },
      true));
  cases.back().nodes = 5;  // convolution, pooling, depthwise convolution, ReLU
  cases.push_back(build(
      "PadMerges", 3, {1, 2, 5, 7},
      [](OnnxBuilder& m) {
        const std::string padded = m.node("Pad", {"x", m.ints({0, 0, 1, 2, 0, 0, 0, 1})});
        m.node("Relu", {convolution(m, padded, 2, 4, {{"strides", Dims{2, 2}}})});
      },
      true));
  cases.push_back(build("FlattenGemm", 4, {1, 3, 5, 4}, [](OnnxBuilder& m) {
    const std::string x = m.node("Relu", {convolution(m, "x", 3, 4, same())});
    m.node("Gemm", {m.node("Flatten", {x}), m.random({7, 80}), m.random({7})}, {{"transB", 1}});
  }));
  cases.push_back(build("ReshapeMatMulAdd", 3, {1, 3, 5, 4}, [](OnnxBuilder& m) {
    const std::string x = m.node("Reshape", {convolution(m, "x", 3, 4, same()), m.ints({1, 80})});
    m.node("Add", {m.node("MatMul", {x, m.random({80, 6})}), m.random({6})});
  }));
  cases.push_back(build("TransposeGemm", 3, {1, 3, 5, 4}, [](OnnxBuilder& m) {
    const std::string x = m.node("Transpose", {convolution(m, "x", 3, 4, same())}, {{"perm", Dims{0, 2, 3, 1}}});
    m.node("MatMul", {m.node("Reshape", {x, m.ints({1, 80})}), m.random({80, 6})});
  }));
  cases.push_back(build(
      "TransposesAround", 4, {1, 3, 5, 4},
      [](OnnxBuilder& m) {
        const std::string y = m.node("Transpose", {convolution(m, "x", 3, 4, same())}, {{"perm", Dims{0, 2, 3, 1}}});
        const std::string z = m.node("Transpose", {m.node("Relu", {y})}, {{"perm", Dims{0, 3, 1, 2}}});
        convolution(m, z, 4, 2);
      },
      true));
  cases.push_back(build(
      "Depthwise", 4, {1, 4, 6, 6},
      [](OnnxBuilder& m) { convolution(m, m.node("Relu", {convolution(m, "x", 4, 4, same(), 3, 4)}), 4, 6, {}, 1); },
      true));
  cases.push_back(build(
      "Residual", 6, {1, 3, 6, 6},
      [](OnnxBuilder& m) {
        const std::string a = m.node("Relu", {convolution(m, "x", 3, 4, same())});
        m.node("Relu", {m.node("Add", {convolution(m, a, 4, 4, same()), a})});
      },
      true));
  cases.push_back(build(
      "Difference", 0, {1, 3, 6, 6},
      [](OnnxBuilder& m) {
        const std::string a = m.node("Relu", {convolution(m, "x", 3, 4, same())});
        m.node("Sub", {convolution(m, a, 4, 4, same()), a});
      },
      true));
  cases.push_back(build(
      "SqueezeExcite", 8, {1, 3, 6, 6},
      [](OnnxBuilder& m) {
        const std::string a = m.node("Relu", {convolution(m, "x", 3, 4, same())});
        const std::string s = convolution(m, m.node("GlobalAveragePool", {a}), 4, 4, {}, 1);
        const std::string gate = m.node("HardSigmoid", {s}, {{"alpha", 1.0 / 6}, {"beta", 0.5}});
        convolution(m, m.node("Mul", {gate, a}), 4, 2, {}, 1);
      },
      true));
  cases.push_back(build(
      "ConcatOfThree", 0, {1, 3, 6, 6},
      [](OnnxBuilder& m) {
        const std::string a = m.node("Relu", {convolution(m, "x", 3, 4, same())});
        const std::string b = convolution(m, a, 4, 2, same()), c = m.node("Sigmoid", {convolution(m, a, 4, 3, {}, 1)});
        convolution(m, m.node("Relu", {m.node("Concat", {a, b, c}, {{"axis", 1}})}), 9, 3, {}, 1);
      },
      true));
  cases.push_back(build(
      "UpsampleConcat", 0, {1, 3, 8, 8},
      [](OnnxBuilder& m) {
        const std::string a = m.node("LeakyRelu", {convolution(m, "x", 3, 4, same())}, {{"alpha", 0.2}});
        const std::string b =
            m.node("Relu", {convolution(m, a, 4, 6, {{"pads", Dims{1, 1, 1, 1}}, {"strides", Dims{2, 2}}})});
        const std::string up =
            m.node("Resize", {b, "", m.constant({4}, {1, 1, 2, 2})},
                   {{"mode", "nearest"}, {"coordinate_transformation_mode", "asymmetric"}, {"nearest_mode", "floor"}});
        convolution(m, m.node("Concat", {up, a}, {{"axis", 1}}), 10, 3);
      },
      true));
  cases.push_back(build(
      "Pools", 0, {1, 3, 9, 8},
      [](OnnxBuilder& m) {
        const std::string a = convolution(m, "x", 3, 4, same());
        const std::string p =
            m.node("MaxPool", {a}, {{"kernel_shape", Dims{3, 2}}, {"strides", Dims{2, 2}}, {"pads", Dims{1, 0, 1, 0}}});
        m.node("AveragePool", {p}, {{"kernel_shape", Dims{2, 2}}, {"strides", Dims{1, 2}}});
      },
      true));
  cases.push_back(build(
      "AverageOverPadding", 0, {1, 3, 7, 8},
      [](OnnxBuilder& m) {
        m.node("AveragePool", {convolution(m, "x", 3, 4)},
               {{"kernel_shape", Dims{3, 3}}, {"pads", Dims{1, 1, 1, 1}}, {"count_include_pad", 1}});
      },
      true));
  cases.push_back(build(
      "SiluSpelledOut", 3, {1, 3, 6, 6},
      [](OnnxBuilder& m) {
        const std::string a = convolution(m, "x", 3, 4, same());
        m.node("Mul", {a, m.node("Sigmoid", {a})});
      },
      true));
  cases.push_back(build(
      "HardSwishSpelledOut", 3, {1, 3, 6, 6},
      [](OnnxBuilder& m) {
        const std::string a = convolution(m, "x", 3, 4, same());
        const std::string clip = m.node("Clip", {m.node("Add", {a, m.scalar(3)}), m.scalar(0), m.scalar(6)});
        m.node("Div", {m.node("Mul", {a, clip}), m.scalar(6)});
      },
      true));
  cases.push_back(build(
      "HardSwishOfHardSigmoid", 3, {1, 3, 6, 6},
      [](OnnxBuilder& m) {
        const std::string a = convolution(m, "x", 3, 4, same());
        const std::string clip = m.node("Clip", {m.node("Add", {a, m.scalar(3)}), m.scalar(0), m.scalar(6)});
        m.node("Mul", {a, m.node("Mul", {clip, m.scalar(1.0 / 6)})});
      },
      true));
  cases.push_back(build(
      "MeanAndDeviation", 2, {1, 3, 6, 6},
      [](OnnxBuilder& m) {
        const std::string shifted = m.node("Sub", {"x", m.constant({1, 3, 1, 1}, {0.4, 0.5, 0.6})});
        convolution(m, m.node("Div", {shifted, m.constant({1, 3, 1, 1}, {0.2, 0.3, 0.4})}), 3, 4, same());
      },
      true));
  cases.push_back(build(
      "ScaleInBetween", 0, {1, 3, 6, 6},
      [](OnnxBuilder& m) {
        const std::string a = m.node("Relu", {convolution(m, "x", 3, 4, same())});
        convolution(m, m.node("Mul", {a, m.scalar(0.25)}), 4, 3);
      },
      true));
  cases.back().nodes = 4;  // the factor goes into the second convolution
  cases.push_back(build(
      "ChannelScaleInBetween", 0, {1, 3, 6, 6},
      [](OnnxBuilder& m) {
        const std::string a = m.node("Relu", {convolution(m, "x", 3, 4, same())});
        convolution(m, m.node("Add", {m.node("Mul", {a, m.random({1, 4, 1, 1})}), m.random({4, 1, 1})}), 4, 3);
      },
      true));
  cases.push_back(build(
      "LoneActivation", 0, {1, 3, 6, 6},
      [](OnnxBuilder& m) {
        const std::string a = convolution(m, "x", 3, 4, same());
        m.node("Add", {m.node("HardSwish", {a}), m.node("Sigmoid", {a})});
      },
      true));
  cases.push_back(build(
      "ShuffleIntoDense", 4, {1, 3, 5, 4},
      [](OnnxBuilder& m) {
        const std::string a = m.node("Relu", {convolution(m, "x", 3, 6, same())});
        convolution(m, shuffle(m, a, 2, 3, 5, 4), 6, 4, same());
      },
      true));
  cases.push_back(build(
      "ShuffleIntoDepthwise", 5, {1, 3, 5, 4},
      [](OnnxBuilder& m) {
        const std::string a = m.node("Relu", {convolution(m, "x", 3, 6, same())});
        convolution(m, convolution(m, shuffle(m, a, 3, 2, 5, 4), 6, 6, same(), 3, 6), 6, 4, {}, 1);
      },
      true));
  cases.push_back(build(
      "ShuffleIntoGroups", 5, {1, 3, 5, 4},
      [](OnnxBuilder& m) {
        const std::string a = m.node("Relu", {convolution(m, "x", 3, 6, same())});
        convolution(m, shuffle(m, a, 2, 3, 5, 4), 6, 4, same(), 3, 2);
      },
      true));
  cases.push_back(build("ShuffleIntoGemm", 4, {1, 3, 5, 4}, [](OnnxBuilder& m) {
    const std::string a = m.node("Relu", {convolution(m, "x", 3, 6, same())});
    m.node("MatMul", {m.node("Flatten", {shuffle(m, a, 2, 3, 5, 4)}), m.random({120, 5})});
  }));
  cases.push_back(build(
      "ShuffleIntoPooling", 0, {1, 3, 6, 6},
      [](OnnxBuilder& m) {
        const std::string a = m.node("Relu", {convolution(m, "x", 3, 6, same())}), b = shuffle(m, a, 2, 3, 6, 6);
        const std::string sum = m.node("Add", {m.node("Relu", {b}), a});
        m.node("MaxPool", {sum}, {{"kernel_shape", Dims{2, 2}}, {"strides", Dims{2, 2}}});
      },
      true));
  cases.push_back(build(
      "ShuffleIntoSplit", 0, {1, 3, 5, 4},
      [](OnnxBuilder& m) {
        const std::string a = m.node("Relu", {convolution(m, "x", 3, 6, same())});
        const std::string second = m.node("Slice", {shuffle(m, a, 2, 3, 5, 4), m.ints({2}), m.ints({6}), m.ints({1})});
        convolution(m, second, 4, 3, same());
      },
      true));
  cases.push_back(build(
      "ShuffleAtTheEnd", 4, {1, 3, 5, 4},
      [](OnnxBuilder& m) { shuffle(m, m.node("Relu", {convolution(m, "x", 3, 6, same())}), 2, 3, 5, 4); }, true));
  cases.push_back(build(
      "PReluOfChannels", 0, {1, 3, 6, 5},
      [](OnnxBuilder& m) {
        const std::string a = convolution(m, "x", 3, 4, same());
        convolution(m, m.node("PRelu", {a, m.constant({4, 1, 1}, {0.25, -0.5, 1.5, 0})}), 4, 3, {}, 1);
      },
      true));
  cases.push_back(build(
      "PReluOfOneSlope", 3, {1, 3, 6, 5},
      [](OnnxBuilder& m) {
        m.node("PRelu", {convolution(m, "x", 3, 4, same()), m.constant({1}, {0.2})});
      },
      true));
  cases.push_back(build(
      "PadOfAxes", 3, {1, 2, 5, 7},
      [](OnnxBuilder& m) {
        const std::string padded = m.node("Pad", {"x", m.ints({2, 1, 1, 0}), "", m.ints({-1, 2})});
        m.node("Relu", {convolution(m, padded, 2, 4, {{"strides", Dims{2, 2}}})});
      },
      true));
  cases.push_back(build("BatchNormBehindFlatten", 4, {1, 3, 5, 4}, [](OnnxBuilder& m) {
    const std::string a = m.node("Relu", {convolution(m, "x", 3, 4, same())});
    const std::string scaled = m.node("Mul", {a, m.scalar(0.25)});
    m.node("Gemm", {batch_norm(m, m.node("Flatten", {scaled}), 80), m.random({7, 80}, 0.3), m.random({7})},
           {{"transB", 1}});
  }));
  cases.push_back(build("BatchNormOfChannelsBehindFlatten", 4, {1, 3, 5, 4}, [](OnnxBuilder& m) {
    std::vector<double> scale, shift;
    for (int k = 0; k < 80; ++k) scale.push_back(0.5 + 0.25 * (k / 20)), shift.push_back(0.1 * (k / 20) - 0.2);
    const std::string one = m.constant({80}, std::vector<double>(80, 1)),
                      none = m.constant({80}, std::vector<double>(80, 0));
    const std::string flat = m.node("Flatten", {convolution(m, "x", 3, 4, same())});
    const std::string normal =
        m.node("BatchNormalization", {flat, m.constant({80}, scale), m.constant({80}, shift), none, one});
    m.node("MatMul", {m.node("Relu", {normal}), m.random({80, 5})});
  }));
  cases.push_back(build("RowsOfPixels", 4, {1, 3, 4, 5}, [](OnnxBuilder& m) {
    const std::string a = m.node("Relu", {convolution(m, "x", 3, 6, same())});
    const std::string rows =
        m.node("Transpose", {m.node("Reshape", {a, m.ints({1, 6, 20})})}, {{"perm", Dims{0, 2, 1}}});
    m.node("Add", {m.node("MatMul", {rows, m.random({6, 3})}), m.random({3})});
  }));
  cases.push_back(activated("Relu", "Relu", {}, 3));
  cases.push_back(activated("Relu6", "Clip", {}, 3, {0, 6}));
  cases.push_back(activated("ClipBothSides", "Clip", {}, 0, {-0.5, 0.75}));
  cases.push_back(activated("LeakyRelu", "LeakyRelu", {{"alpha", 0.1}}, 3));
  cases.push_back(activated("HardSigmoid", "HardSigmoid", {{"alpha", 1.0 / 6}, {"beta", 0.5}}, 3));
  cases.push_back(activated("HardSigmoidOfKeras", "HardSigmoid", {}, 3));
  cases.push_back(activated("HardSwish", "HardSwish", {}, 3));
  cases.push_back(activated("Sigmoid", "Sigmoid", {}, 3));
  cases.push_back(activated("Tanh", "Tanh", {}, 3));
  cases.push_back(activated("Erf", "Erf", {}, 3));
  cases.push_back(activated("Elu", "Elu", {}, 3));
  cases.push_back(activated("EluOfAlpha", "Elu", {{"alpha", 0.5}}, 3));
  cases.push_back(activated("Selu", "Selu", {}, 3));
  cases.push_back(activated("SeluOfParameters", "Selu", {{"alpha", 1.25}, {"gamma", 0.75}}, 3));
  cases.push_back(activated("Celu", "Celu", {{"alpha", 2.0}}, 3));
  cases.push_back(activated("Softplus", "Softplus", {}, 3));
  cases.push_back(activated("Softsign", "Softsign", {}, 3));
  cases.push_back(activated("Mish", "Mish", {}, 3));
  cases.back().model.opset(18);
  cases.push_back(activated("Gelu", "Gelu", {}, 3));
  cases.back().model.opset(20);
  cases.push_back(activated("GeluOfTanh", "Gelu", {{"approximate", "tanh"}}, 3));
  cases.back().model.opset(20);
  cases.push_back(activated("ThresholdedRelu", "ThresholdedRelu", {{"alpha", 0.25}}, 3));
  cases.push_back(build(
      "GeluOfErf", 3, {1, 3, 6, 6},
      [](OnnxBuilder& m) {
        const std::string a = convolution(m, "x", 3, 4, same());
        const std::string erf = m.node("Erf", {m.node("Div", {a, m.scalar(1.4142135)})});
        m.node("Mul", {m.node("Mul", {a, m.node("Add", {erf, m.scalar(1)})}), m.scalar(0.5)});
      },
      true));
  cases.push_back(build(
      "GeluOfHalfTheValue", 3, {1, 3, 6, 6},
      [](OnnxBuilder& m) {
        const std::string a = convolution(m, "x", 3, 4, same());
        const std::string erf = m.node("Erf", {m.node("Mul", {m.scalar(0.70710678), a})});
        m.node("Mul", {m.node("Add", {m.scalar(1), erf}), m.node("Div", {a, m.scalar(2)})});
      },
      true));
  // The factor 1 / sqrt(3) makes it something else, which runs node by node.
  cases.push_back(build(
      "AlmostGelu", 0, {1, 3, 6, 6},
      [](OnnxBuilder& m) {
        const std::string a = convolution(m, "x", 3, 4, same());
        const std::string erf = m.node("Erf", {m.node("Mul", {a, m.scalar(0.5773503)})});
        m.node("Mul", {m.node("Mul", {a, m.node("Add", {erf, m.scalar(1)})}), m.scalar(0.5)});
      },
      true));
  add_border_cases(cases);
  add_branch_cases(cases);
  return cases;
}

}  // namespace bitstrata::testing
