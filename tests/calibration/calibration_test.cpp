// SPDX-License-Identifier: Apache-2.0
// Calibrated networks: the golden integers against the float execution on the same grids, and against the float
// network.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>

#include "model/activations.h"
#include "model/golden.h"
#include "model/onnx/onnx.h"
#include "model/stages.h"
#include "quant/calibration/calibrate.h"
#include "quant/calibration/ranges.h"
#include "tests/model/onnx_cases.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using namespace quant;
using ::testing::HasSubstr;

struct Comparison {
  std::int64_t codes = 0, differ = 0, far = 0;  // far: by more than one step
  double error = 0, signal = 0;                 // squares, of the output against the float network
  double relative_error() const { return std::sqrt(error / std::max(signal, 1e-30)); }
};

class Model {
 public:
  explicit Model(const OnnxCase& tested) : builder_(tested.model) {
    network_ = import_onnx(builder_.save(folder_ / "model.onnx"));
  }

  Reals input(int i) const { return to_nhwc(random_input(builder_, static_cast<std::uint64_t>(i) + 1)); }
  CalibrationInputs inputs() const {
    return {16, [this](int i) { return input(i); }};
  }
  const FloatNetwork& network() const { return network_; }

  // `narrow_output`: the output has the activations' width, as a code of 16 bits is finer than what the 16 bits of a
  // multiplier make of a coarse layer's sums.
  FloatNetwork calibrated(int weight_bits, int activation_bits, CalibrationOptions options = {},
                          bool narrow_output = false) const {
    Plan plan = plan_of(network_, weight_bits, activation_bits);
    if (narrow_output) plan.output_bits = std::max(2, activation_bits);
    return calibrate(network_, plan, inputs(), options);
  }

  Comparison compare(int weight_bits, int activation_bits, CalibrationOptions options = {},
                     bool narrow_output = false) const {
    const FloatNetwork network = calibrated(weight_bits, activation_bits, options, narrow_output);
    return compare(network, assemble(network));
  }

  Comparison compare(const FloatNetwork& calibrated, const IntegerNetwork& integers) const {
    const Layout layout = lay_out(calibrated.graph);
    Comparison result;
    for (int i = 0; i < 6; ++i) {
      const std::vector<Reals> simulated = run_all(calibrated, input(i));
      const std::vector<Codes> golden =
          run_all(integers, encode(input_grid(calibrated), prepare_input(calibrated, input(i))));
      for (std::size_t t = 0; t < layout.tensors.size(); ++t) {
        const auto node = static_cast<std::size_t>(layout.tensors[t].node);
        const std::vector<std::int32_t> codes = encode(*calibrated.grids[node], simulated[node]);
        // A 16-bit code may be off by the 16 bits of the multiplier, and what that makes of its inputs.
        const int step = calibrated.grids[node]->bits > 8 ? 1 << (calibrated.grids[node]->bits - 8) : 1;
        for (std::size_t k = 0; k < codes.size(); ++k) {
          const int difference = std::abs(codes[k] - golden[t][k]);
          ++result.codes;
          result.differ += difference > step - 1 ? 1 : 0;
          result.far += difference > step ? 1 : 0;
        }
      }
      const Reals wanted = run(network_, input(i));
      const auto last = static_cast<std::size_t>(layout.tensors.back().node);
      for (std::size_t k = 0; k < wanted.size(); ++k) {
        const double error = calibrated.grids[last]->value(golden[layout.tensors.size() - 1][k]) - wanted[k];
        result.error += error * error;
        result.signal += double{wanted[k]} * wanted[k];
      }
    }
    return result;
  }

 private:
  OnnxBuilder builder_;
  TemporaryFolder folder_;
  FloatNetwork network_;
};

TEST(Calibration, IntegersAreTheFloatExecutionOnTheSameGrids) {
  Comparison all;
  for (const OnnxCase& tested : onnx_cases()) {
    SCOPED_TRACE(tested.name);
    const Model model(tested);
    for (const auto& [w, a] : {std::pair{8, 8}, {4, 6}, {6, 4}, {1, 8}, {3, 2}}) {
      SCOPED_TRACE(fmt::format("{} x {}", w, a));
      const Comparison one = model.compare(w, a, {}, true);
      // Ties and a last bit of a bias fall either way; a wrong constant would move most codes.
      EXPECT_LE(static_cast<double>(one.differ), 0.03 * static_cast<double>(one.codes) + 2);
      EXPECT_LE(static_cast<double>(one.far), 0.008 * static_cast<double>(one.codes));
      all.codes += one.codes, all.differ += one.differ, all.far += one.far;
    }
  }
  std::cout << fmt::format("{} codes compared, {} differ, {} by more than one step\n", all.codes, all.differ, all.far);
  EXPECT_GT(all.codes, 100000);
  EXPECT_LT(all.differ, all.codes / 200);
}

// The bias of each of a convolution's channels as a real number, in units of its accumulators.
std::vector<double> real_biases(const FloatNetwork& network, const Step& step, const IntegerLayer& layer,
                                const Grid& in, const Grid& out) {
  const Parameters& p = network.parameters[static_cast<std::size_t>(step.node)];
  const double zero = in.coding == Coding::bipolar ? 1 : in.zero_point;
  const std::size_t each = layer.weights.size() / layer.bias.size();
  std::vector<double> biases;
  for (std::size_t n = 0; n < layer.bias.size(); ++n) {
    double sum = 0;
    for (const std::int16_t weight : layer.weights.block(n * each, each)) sum += weight;
    const double unit = in.scale * p.scales[n];
    biases.push_back(p.bias[n] / unit - zero * sum + out.zero_point * out.scale / unit);
  }
  return biases;
}

TEST(Calibration, BiasesOfFewBitLayersHaveFractionBits) {
  Comparison whole, fraction;
  int biases = 0, layers = 0;
  double largest = 0, largest_whole = 0;
  for (const OnnxCase& tested : onnx_cases()) {
    const Model model(tested);
    for (const auto& [w, a] : {std::pair{1, 1}, {2, 2}, {2, 3}, {3, 2}, {3, 3}}) {
      if (a == 1 && tested.name != "BatchNormAlone" && tested.name != "Depthwise") continue;  // others need a zero
      SCOPED_TRACE(fmt::format("{} {} x {}", tested.name, w, a));
      const FloatNetwork network = model.calibrated(w, a, {}, true);
      // Accumulators of one bit have no room for fractions.
      const IntegerNetwork coarse = assemble(network, 1), fine = assemble(network);
      const Comparison before = model.compare(network, coarse), after = model.compare(network, fine);
      whole.codes += before.codes, whole.differ += before.differ;
      fraction.codes += after.codes, fraction.differ += after.differ;
      const Layout layout = lay_out(network.graph);
      for (std::size_t i = 0; i < fine.layers.size() && fine.layers.size() == layout.steps.size(); ++i) {
        const IntegerLayer& layer = fine.layers[i];
        const Step& step = layout.steps[i];
        if (layer.kind != LayerKind::convolution || layer.activation != Activation::clip) continue;
        const auto grid = [&](int tensor) {
          return *network.grids[static_cast<std::size_t>(layout.tensors[static_cast<std::size_t>(tensor)].node)];
        };
        const Grid in = grid(layer.input), out = grid(layer.output);
        const Op activation = step.activation < 0 ? Op::relu : network.graph.node(step.activation).op;
        if (activation != Op::relu || out.coding == Coding::bipolar) continue;
        ++layers;
        const int bits = layer.acc_shift - (in.coding == Coding::bipolar ? 1 : 0);
        const std::vector<double> wanted = real_biases(network, step, layer, in, out);
        for (std::size_t n = 0; n < wanted.size(); ++n, ++biases) {
          const double ratio = std::ldexp(layer.multiplier[n], bits - layer.shift[n]);
          // The multiplier's own rounding moves the output's zero point by 2^-16 of it.
          const double slack = std::abs(out.zero_point) / ratio * 0x1p-16 + 1e-4;
          const double error = std::abs(std::ldexp(static_cast<double>(layer.bias[n]), -bits) - wanted[n]) - slack;
          EXPECT_LE(error, std::max(0x1p-8, 0x1p-13 / ratio)) << "channel " << n;
          largest = std::max(largest, error * ratio);
          largest_whole =
              std::max(largest_whole, std::abs(static_cast<double>(coarse.layers[i].bias[n]) - wanted[n]) * ratio);
        }
      }
    }
  }
  std::cout << fmt::format(
      "{} codes: {} differ with biases of whole units ({:.3f} %), {} with fraction bits ({:.3f} %); {} biases of {} "
      "layers, off by up to {:.3f} of a code and {:.5f}\n",
      whole.codes, whole.differ, 100.0 * static_cast<double>(whole.differ) / static_cast<double>(whole.codes),
      fraction.differ, 100.0 * static_cast<double>(fraction.differ) / static_cast<double>(fraction.codes), biases,
      layers, largest_whole, largest);
  EXPECT_GT(layers, 100);
  EXPECT_GT(largest_whole, 0.1);
  EXPECT_LT(10 * fraction.differ, whole.differ);
}

TEST(Calibration, FractionBitsLeaveRoomForAccumulators) {
  int limited = 0;
  for (const OnnxCase& tested : onnx_cases()) {
    const FloatNetwork network = Model(tested).calibrated(3, 3, {}, true);
    const IntegerNetwork coarse = assemble(network, 1), fine = assemble(network);
    for (int bits = 6; bits <= 24; bits += 2) {
      SCOPED_TRACE(fmt::format("{}, {} bits", tested.name, bits));
      const IntegerNetwork some = assemble(network, bits);
      const std::int64_t room = std::int64_t{1} << (bits - 1);
      for (std::size_t i = 0; i < some.layers.size(); ++i) {
        const int least = coarse.layers[i].acc_shift, most = fine.layers[i].acc_shift, shift = some.layers[i].acc_shift;
        if (accumulator_bound(coarse, coarse.layers[i]) < room) {
          EXPECT_LT(accumulator_bound(some, some.layers[i]), room);
        }
        if (accumulator_bound(fine, fine.layers[i]) < room / 2) {
          EXPECT_EQ(shift, most);
        }
        EXPECT_GE(shift, least);
        limited += shift > least && shift < most;
      }
    }
  }
  EXPECT_GT(limited, 20);
}

TEST(Calibration, SlopesSurviveScalesThatArePowersOfTwo) {
  // From codes of 1/32 to codes of 1/32: the multiplier of positive values would be 1, of which a quarter is nothing.
  const TemporaryFolder folder;
  OnnxBuilder m({1, 3, 4, 4});
  const auto rounded = [&](const std::string& x) {
    const std::string codes = m.node("QuantizeLinear", {x, m.scalar(1.0 / 32), m.scalar(0, 3)});
    return m.node("DequantizeLinear", {codes, m.scalar(1.0 / 32), m.scalar(0, 3)});
  };
  const std::string one =
      m.node("DequantizeLinear", {m.constant({3, 1, 1, 1}, {1, 1, 1}, 3), m.scalar(1), m.scalar(0, 3)});
  rounded(m.node("LeakyRelu", {m.node("Conv", {rounded("x"), one}, {{"group", 3}})}, {{"alpha", 0.25}}));
  const FloatNetwork network = import_onnx(m.save(folder / "model.onnx"));
  const FloatNetwork whole = calibrate(network, plan_of(network), {});
  const IntegerNetwork integers = assemble(whole);
  Codes input;
  for (int i = 0; i < 48; ++i) input.push_back(4 * (i - 24));
  const Codes output = model::run(integers, input);
  for (std::size_t i = 0; i < input.size(); ++i) EXPECT_EQ(output[i], input[i] < 0 ? input[i] / 4 : input[i]);
}

// A ReLU that lets nothing pass has no range; what it is added to must not lose its codes for that.
TEST(Calibration, TensorsThatAreAlwaysZeroCostOthersNothing) {
  for (const char* kind : {"Add", "Mul", "Concat"}) {
    OnnxCase dead{"dead", OnnxBuilder({1, 3, 4, 4})};
    OnnxBuilder& m = dead.model;
    const auto pointwise = [&](double weight, double bias) {
      const std::string weights = m.constant({3, 1, 1, 1}, {weight, weight, weight});
      return m.node("Conv", {"x", weights, m.constant({3}, {bias, bias, bias})}, {{"group", 3}});
    };
    const std::string nothing = m.node("Relu", {pointwise(0.01, -100)}), small = pointwise(0.01, 0);
    if (kind == std::string("Concat"))
      m.node(kind, {nothing, small}, {{"axis", 1}});
    else
      m.node(kind, {nothing, small});
    const Model model(dead);
    const FloatNetwork calibrated = model.calibrated(16, 16);
    const Comparison result = model.compare(calibrated, assemble(calibrated));
    if (kind == std::string("Mul")) {
      EXPECT_EQ(result.error, 0);  // all of it is 0
    } else {
      EXPECT_GT(result.signal, 0);
      EXPECT_LT(result.relative_error(), 1e-3) << kind;
    }
  }
}

// What a dynamically quantized file becomes: integers with one range for all inputs, near the layer of the weights.
TEST(Calibration, DynamicallyQuantizedLayersAreNearTheirFloatLayer) {
  for (const bool convolution : {false, true}) {
    OnnxCase dynamic{
        "dynamic", OnnxBuilder(convolution ? std::vector<std::int64_t>{1, 3, 5, 4} : std::vector<std::int64_t>{1, 12})};
    OnnxBuilder& m = dynamic.model;
    OnnxBuilder plain(m.input_dims());
    std::vector<double> codes, values;
    for (int k = 0; k < 48; ++k) {
      codes.push_back((k * 37 + 11) % 201 - 100);
      values.push_back((codes.back() - 5) / 64);
    }
    const std::vector<std::int64_t> dims =
        convolution ? std::vector<std::int64_t>{4, 3, 2, 2} : std::vector<std::int64_t>{12, 4};
    const std::string q = m.node("DynamicQuantizeLinear", {"x"}, {}, "", 3), stem = q.substr(0, q.size() - 1);
    const std::string sums = m.node(convolution ? "ConvInteger" : "MatMulInteger",
                                    {q, m.constant(dims, codes, 3), stem + "2", m.scalar(5, 3)});
    const std::string scale = m.node("Mul", {stem + "1", m.scalar(1.0 / 64)});
    m.node("Mul", {m.node("Cast", {sums}, {{"to", 1}}), scale});
    plain.node(convolution ? "Conv" : "MatMul", {"x", plain.constant(dims, values)});
    const Model model(dynamic);
    const FloatNetwork calibrated = model.calibrated(8, 8);
    for (int i = 0; i < 4; ++i) {
      const std::vector<float> wanted = to_nhwc(plain.run(random_input(plain, static_cast<std::uint64_t>(i) + 1)));
      const Reals result = model::run(calibrated, model.input(i));
      ASSERT_EQ(result.size(), wanted.size());
      double largest = 0;
      for (const float value : wanted) largest = std::max(largest, std::abs(double{value}));
      EXPECT_GT(largest, 0.5);
      for (std::size_t k = 0; k < wanted.size(); ++k) EXPECT_NEAR(result[k], wanted[k], 0.02 * largest);
    }
  }
}

TEST(Calibration, ErrorFallsWithTheWidths) {
  for (const OnnxCase& tested : onnx_cases()) {
    SCOPED_TRACE(tested.name);
    const Model model(tested);
    const double narrow = model.compare(4, 4).relative_error(), wide = model.compare(8, 8).relative_error();
    EXPECT_LT(wide, 0.06);
    EXPECT_LT(wide, narrow);
    EXPECT_LT(narrow, 0.9);
  }
}

TEST(Calibration, SixteenBitsAreNearlyFloat) {
  for (const OnnxCase& tested : onnx_cases()) {
    const Model model(tested);
    const std::vector<Node>& nodes = model.network().graph.nodes();
    if (std::any_of(nodes.begin(), nodes.end(), [](const Node& node) { return needs_table(node.op); }))
      continue;  // tables have 8 bits
    SCOPED_TRACE(tested.name);
    EXPECT_LT(model.compare(16, 16).relative_error(), 1e-3);
  }
}

TEST(Calibration, EveryMethodAndPerTensorScales) {
  const std::vector<OnnxCase> cases = onnx_cases();
  const auto found = std::find_if(cases.begin(), cases.end(), [](const OnnxCase& c) { return c.name == "Residual"; });
  ASSERT_NE(found, cases.end());
  const Model model(*found);
  for (const char* name : {"max", "percentile", "mse", "kl"}) {
    SCOPED_TRACE(name);
    EXPECT_LT(model.compare(8, 6, {.method = range_method(name), .per_channel = false}).relative_error(), 0.15);
  }
  EXPECT_THAT(message_of<std::invalid_argument>([] { range_method("mes"); }), HasSubstr("did you mean 'mse'"));
}

TEST(Calibration, TheNumberOfThreadsChangesNothing) {
  const Model model(onnx_cases().at(0));
  const Plan plan = plan_of(model.network());
  const FloatNetwork one = calibrate(model.network(), plan, model.inputs(), {.method = RangeMethod::mse, .threads = 1});
  const FloatNetwork two = calibrate(model.network(), plan, model.inputs(), {.method = RangeMethod::mse, .threads = 2});
  EXPECT_EQ(one.grids, two.grids);
  for (std::size_t i = 0; i < one.parameters.size(); ++i) EXPECT_EQ(one.parameters[i].bias, two.parameters[i].bias);
}

TEST(Calibration, TailsAreClipped) {
  // 9,999 values in -1..1 and one of 10.
  Observation seen;
  std::vector<float> values;
  for (int i = 0; i < 9999; ++i) values.push_back(static_cast<float>(i % 201 - 100) / 100);
  values.push_back(10);
  seen.see(values, 1);
  seen.count(values);
  EXPECT_EQ(seen.choose(RangeMethod::max, 0, 15, false).high, 10);
  EXPECT_LT(seen.choose(RangeMethod::percentile, 99.9, 15, false).high, 1.2);
  EXPECT_LT(seen.choose(RangeMethod::mse, 0, 15, false).high, 5);
  EXPECT_LT(seen.choose(RangeMethod::kl, 0, 15, true).high, 5);
  for (const RangeMethod method : {RangeMethod::percentile, RangeMethod::mse, RangeMethod::kl}) {
    EXPECT_GT(seen.choose(method, 99.9, 15, true).high, 0.8);
  }
}

TEST(Calibration, PrescribedCodesAreKept) {
  const TemporaryFolder folder;
  OnnxBuilder m({1, 4});
  const auto pair = [&](const std::string& x, double scale, int zero) {
    const std::string code = m.node("QuantizeLinear", {x, m.scalar(scale), m.scalar(zero, 3)});
    return m.node("DequantizeLinear", {code, m.scalar(scale), m.scalar(zero, 3)});
  };
  const std::string w = m.node("DequantizeLinear",
                               {m.constant({2, 4}, {1, -2, 3, -4, 127, 0, -128, 5}, 3), m.scalar(0.5), m.scalar(0, 3)});
  const std::string b = m.node("DequantizeLinear", {m.constant({2}, {100, -7}, 6), m.scalar(0.125), m.scalar(0, 6)});
  pair(m.node("Gemm", {pair("x", 0.25, 3), w, b}, {{"transB", 1}}), 2.0, -5);
  const FloatNetwork network = import_onnx(m.save(folder / "model.onnx"));
  const IntegerNetwork integers = assemble(calibrate(network, plan_of(network), {}));
  ASSERT_EQ(integers.layers.size(), 1U);
  const IntegerLayer& layer = integers.layers[0];
  EXPECT_TRUE((layer.weights == Weights{1, -2, 3, -4, 127, 0, -128, 5}));
  // 100 - 3 * (1 - 2 + 3 - 4) - 5 * 16, where one code of the output is 16 of the accumulator.
  EXPECT_EQ(layer.bias[0], 100 + 6 - 80);
  EXPECT_EQ(layer.multiplier[0], 1);
  EXPECT_EQ(layer.shift[0], 4);
  EXPECT_EQ(model::run(integers, {10, 20, 30, 40})[0], (10 - 40 + 90 - 160 + 100 + 6 - 80 + 8) >> 4);
}

TEST(Calibration, MisuseIsNamed) {
  const Model model(onnx_cases().at(0));
  EXPECT_THAT(message_of<std::invalid_argument>([&] { calibrate(model.network(), plan_of(model.network()), {}); }),
              HasSubstr("at least one input"));
  EXPECT_THAT(message_of<std::invalid_argument>([&] { assemble(model.network()); }), HasSubstr("has no grid"));
  Plan pruned = plan_of(model.network());
  pruned.layers[0].channels = 1;
  pruned.layers[0].layer = model.network().graph.node(1).name;
  EXPECT_THAT(message_of<std::invalid_argument>([&] { calibrate(model.network(), pruned, model.inputs()); }),
              HasSubstr("channels"));
}

}  // namespace
}  // namespace bitstrata::testing
