// SPDX-License-Identifier: Apache-2.0
#include "tests/model/onnx_quantized_rows.h"

namespace bitstrata::testing::rows {
namespace {

// Scales between which many results lie just between two codes.
const Q in{0.03, 110}, narrow{0.02, 30}, same{0.03, 30};

using Make = std::function<std::string(Case&, const std::string&)>;

std::string limited(Case& c, const std::string& x, double low, double high) {
  return c.m.node("Clip", {x, c.m.scalar(low), c.m.scalar(high)});
}

std::string shifted(Case& c, const std::string& x) { return limited(c, c.m.node("Add", {x, c.m.scalar(3)}), 0, 6); }

std::string sixth(Case& c, const std::string& x, bool divided) {
  return divided ? c.m.node("Div", {x, c.m.scalar(6)}) : c.m.node("Mul", {c.m.scalar(double{1.0F / 6}), x});
}

}  // namespace

// What layers do at once and files one operator after another, each of which rounds to 32-bit floats.
void written_rows(Table& t) {
  const auto row = [&](const std::string& name, const Make& make) {
    for (const Q& out : {narrow, same}) {
      t.row((name + (out.scale == narrow.scale ? "" : "ToTheSameScale")).c_str(), [=](Case& c) {
        c.m.opset(14);
        // Values of all codes: the first layer passes its input on.
        const std::string x = c.m.node("Conv", {c.qdq("x", {1.0 / 128}), c.weights({4, 3, 1, 1}, 1.0 / 4)});
        c.qdq(make(c, c.qdq(x, in)), out);
        return out;
      });
    }
  };
  for (const bool divided : {true, false}) {
    const std::string by = divided ? "Divided" : "Multiplied";
    row("HardSigmoid" + by, [=](Case& c, const std::string& x) { return sixth(c, shifted(c, x), divided); });
    row("HardSwishOfAGate" + by, [=](Case& c, const std::string& x) {
      return c.m.node("Mul", {x, sixth(c, shifted(c, x), divided)});
    });
    row("HardSwish" + by, [=](Case& c, const std::string& x) {
      return sixth(c, c.m.node("Mul", {x, shifted(c, x)}), divided);
    });
  }
  for (const double alpha : {double{0.2F}, double{0.1667F}}) {
    row(alpha > 0.19 ? "HardSigmoidOfAFifth" : "HardSigmoidOfAboutASixth", [=](Case& c, const std::string& x) {
      return c.m.node("HardSigmoid", {x}, {{"alpha", alpha}, {"beta", 0.5}});
    });
  }
  row("HardSwishOfAboutASixth", [=](Case& c, const std::string& x) {
    return c.m.node("Mul", {x, c.m.node("HardSigmoid", {x}, {{"alpha", double{0.1667F}}, {"beta", 0.5}})});
  });
  const std::vector<std::pair<double, double>> ranges = {
      {-1, 1}, {-0.5, double{0.7F}}, {-1e38, double{0.7F}}, {0, double{0.7F}}};
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const auto [low, high] = ranges[i];
    const std::string name = "Clip" + std::to_string(i);
    row(name + "AndMaximum", [=, low = low, high = high](Case& c, const std::string& x) {
      return c.m.node("MaxPool", {limited(c, x, low, high)}, {{"kernel_shape", Dims{2, 2}}});
    });
    row(name + "AndConcat", [=, low = low, high = high](Case& c, const std::string& x) {
      return c.m.node("Concat", {limited(c, x, low, high), x}, {{"axis", 1}});
    });
    row(name + "AndProduct", [=, low = low, high = high](Case& c, const std::string& x) {
      return c.m.node(
          "Mul", {limited(c, c.m.node("Mul", {x, c.m.scalar(double{0.3F})}), low, high), c.m.scalar(double{1.7F})});
    });
  }
  const auto third = [](Case& c, const std::string& x) { return c.m.node("Div", {x, c.m.scalar(3)}); };
  row("Third", third);
  row("ThirdOfAThird", [=](Case& c, const std::string& x) { return third(c, third(c, x)); });
  row("ThirdOfChannels", [](Case& c, const std::string& x) {
    return c.m.node("Div", {x, c.m.constant({1, 4, 1, 1}, {3, 7, double{1.1F}, double{0.3F}})});
  });
  row("ThirdAndMaximum", [=](Case& c, const std::string& x) {
    return c.m.node("MaxPool", {third(c, x)}, {{"kernel_shape", Dims{2, 2}}});
  });
  row("ThirdAndSum", [=](Case& c, const std::string& x) {
    return c.m.node("Add", {third(c, x), c.m.scalar(double{0.05F})});
  });
  row("ThirdAndMean", [=](Case& c, const std::string& x) {
    return c.m.node("AveragePool", {third(c, x)}, {{"kernel_shape", Dims{2, 2}}});
  });
  row("ThirdAndRelu6", [=](Case& c, const std::string& x) { return limited(c, third(c, x), 0, double{0.31F}); });
  const Q wider{0.11, 110};
  const auto rescaled = [=](Case& c, const std::string& x) { return c.dequantize(c.quantize(x, in), wider); };
  row("Rescaled", rescaled);
  row("RescaledAndThird", [=](Case& c, const std::string& x) { return third(c, rescaled(c, x)); });
  row("RescaledAndTanh", [=](Case& c, const std::string& x) { return c.m.node("Tanh", {rescaled(c, x)}); });
  row("RescaledAndLeakyRelu", [=](Case& c, const std::string& x) {
    return c.m.node("LeakyRelu", {rescaled(c, x)}, {{"alpha", 0.25}});
  });
  row("RescaledTwice", [=](Case& c, const std::string& x) {
    return c.dequantize(c.quantize(rescaled(c, x), {0.07, 110}), {0.05, 110});
  });
}

}  // namespace bitstrata::testing::rows
