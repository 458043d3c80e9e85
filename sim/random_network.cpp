// SPDX-License-Identifier: Apache-2.0
#include "sim/random_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "model/fixed_point.h"
#include "model/stages.h"

namespace bitstrata::sim {

namespace {

using namespace model;

// splitmix64: millions of weights in milliseconds, and the same on every platform.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : state_(seed) {}
  void skip(std::uint64_t count) { state_ += count * 0x9e3779b97f4a7c15u; }
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // low..high, for ranges far below 2^32.
  std::int64_t pick(std::int64_t low, std::int64_t high) {
    const auto range = static_cast<std::uint64_t>(high - low + 1);
    return low + static_cast<std::int64_t>(((next() >> 32) * range) >> 32);
  }

 private:
  std::uint64_t state_;
};

// The closest multiplier and shift; ratios outside their range go to its ends.
Requantizer closest(double ratio) { return multiply_shift(std::clamp(ratio, 0x1p-63, largest_ratio)); }

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// Root mean square of a tensor's random codes as the next layer sees them: a little below uniform ones.
double typical_code(const TensorFormat& format) {
  if (format.coding == Coding::bipolar) return 1.0;
  return 0.4 * std::max(1, code_range(format.coding, format.bits).high);
}

// The constants of hard swish and tables; p is spread over +-12000, three of which stand for 3.
void randomize_activation(IntegerLayer& layer, const TensorFormat& out, Draws& draws) {
  if (layer.activation == Activation::hard_swish) {
    layer.swish_three = static_cast<std::int32_t>(draws.pick(3000, 6000));
    layer.swish_six = 2 * layer.swish_three;
    const double largest = 12000.0 * layer.swish_six;
    layer.swish_shift =
        std::clamp(static_cast<int>(std::lround(std::log2(largest / std::max(1, layer.clip_high)))), 0, 31);
  } else if (layer.activation == Activation::table) {
    layer.table.clear();
    for (int i = 0; i < 256; ++i) {
      const double x = (i - 128) / 16.0, range = layer.clip_high - layer.clip_low;
      const double sigmoid = 1 / (1 + std::exp(-x));
      const double value = out.coding == Coding::unsigned_code ? range * sigmoid : layer.clip_high * x * sigmoid / 8;
      layer.table.push_back(
          static_cast<std::int16_t>(std::clamp<double>(std::nearbyint(value), layer.clip_low, layer.clip_high)));
    }
  }
}

std::int64_t fan_in_of(const IntegerNetwork& network, const IntegerLayer& layer) {
  return std::int64_t{layer.window.kernel_height} * layer.window.kernel_width *
         (network.tensors[at(layer.input)].shape.channels / layer.groups);
}

// Each weight takes one draw, so that any of them can be made again without those before it.
void draw_weights(IntegerLayer& layer, std::size_t count, bool keep, Draws& draws) {
  const int top = layer.weight_bits == 1 ? 1 : (1 << (layer.weight_bits - 1)) - 1;
  const Weights::Source source = [top, bits = layer.weight_bits, draws](std::size_t first,
                                                                        std::span<std::int16_t> block) {
    Draws here = draws;
    here.skip(first);
    for (std::int16_t& weight : block)
      weight = static_cast<std::int16_t>(bits == 1 ? 2 * here.pick(0, 1) - 1 : here.pick(-top, top));
  };
  draws.skip(count);
  if (keep) {
    std::vector<std::int16_t> weights(count);
    source(0, weights);
    layer.weights = std::move(weights);
  } else {
    layer.weights = Weights(count, source);
  }
}

}  // namespace

Coding coding_of(bool rectified, int bits) {
  if (rectified) return Coding::unsigned_code;
  return bits == 1 ? Coding::bipolar : Coding::twos_complement;
}

void fit_to_tensors(IntegerLayer& layer, const IntegerNetwork& network) {
  const TensorFormat& in = network.tensors[at(layer.input)];
  const TensorFormat& out = network.tensors[at(layer.output)];
  layer.acc_shift = has_weights(layer.kind) && in.coding == Coding::bipolar ? 1 : 0;
  if (const int most = info(layer.activation).most_bits; out.bits > most) {
    throw std::invalid_argument(
        fmt::format("layer '{}': an activation by table gives at most {} bits, the plan gives its output {}",
                    layer.name, most, out.bits));
  }
  const CodeRange range = code_range(out.coding, out.bits);
  layer.clip_low = range.low;
  layer.clip_high = range.high;
  layer.bias.assign(at(out.shape.channels), 0);
}

IntegerNetwork integer_shapes(const Network& original, const Plan& plan) {
  const Network network = planned_network(original, plan);
  const Layout layout = lay_out(network);
  const std::vector<int> bits = tensor_bits(layout, plan);
  IntegerNetwork result{.name = network.name()};
  for (std::size_t t = 0; t < layout.tensors.size(); ++t) {
    const TensorNode& tensor = layout.tensors[t];
    result.tensors.push_back({.shape = network.node(tensor.node).output, .bits = bits[t]});
    result.tensors.back().coding = coding_of(layout.source(static_cast<int>(t)).rectified, bits[t]);
  }
  for (const Step& step : layout.steps) {
    IntegerLayer layer = layer_of(network, step.node);
    layer.input = step.input();
    layer.output = step.output;
    if (step.activation >= 0) layer.activation = ending_of(network.node(step.activation).op);
    if (step.stage >= 0) layer.weight_bits = plan.layers.at(static_cast<std::size_t>(step.stage)).weight_bits;
    // A joining of more than two tensors is a chain of joinings of two; all but the last write tensors of their own.
    for (std::size_t i = 1; i < step.inputs.size(); ++i) {
      layer.second = step.inputs[i];
      if (combines_codes(layer.kind) &&
          result.tensors[at(layer.input)].shape.elements() < result.tensors[at(layer.second)].shape.elements()) {
        std::swap(layer.input, layer.second);
      }
      if (i + 1 == step.inputs.size()) break;
      TensorFormat part = result.tensors[at(step.output)];
      part.shape.channels =
          result.tensors[at(layer.input)].shape.channels + result.tensors[at(layer.second)].shape.channels;
      IntegerLayer joined = layer;
      joined.name = fmt::format("{}_{}", layer.name, i);
      joined.activation = Activation::clip;
      joined.output = layer.input = static_cast<int>(result.tensors.size());
      result.tensors.push_back(part);
      result.layers.push_back(std::move(joined));
    }
    result.layers.push_back(std::move(layer));
  }
  for (IntegerLayer& layer : result.layers) fit_to_tensors(layer, result);
  mark_depthwise(result);
  return result;
}

void randomize_layer(IntegerNetwork& network, std::size_t index, std::uint64_t seed, bool keep) {
  IntegerLayer& layer = network.layers.at(index);
  const TensorFormat& in = network.tensors[at(layer.input)];
  const TensorFormat& out = network.tensors[at(layer.output)];
  Draws draws(seed);
  for (char c : layer.name) draws = Draws(draws.next() ^ static_cast<unsigned char>(c));
  const auto channels = static_cast<std::size_t>(out.shape.channels);
  const int taps = layer.window.kernel_height * layer.window.kernel_width;
  const int out_high = std::max(1, code_range(out.coding, out.bits).high);
  randomize_activation(layer, out, draws);
  if (!has_weights(layer.kind)) {
    // Formats of equal scale pass through; products and sums are spread over the output's codes.
    double ratio = accumulation(layer.kind) == Accumulation::sum ? 1.0 / taps : 1.0;
    if (layer.second >= 0) {
      const TensorFormat& second = network.tensors[at(layer.second)];
      const double a = typical_code(in), b = typical_code(second);
      if (accumulation(layer.kind) == Accumulation::scaled_sum) {
        layer.factor = {static_cast<std::int32_t>(draws.pick(8192, 32767)),
                        static_cast<std::int32_t>(draws.pick(8192, 32767))};
        ratio = out_high / (2.5 * std::hypot(a * layer.factor[0], b * layer.factor[1]));
      } else if (accumulation(layer.kind) == Accumulation::product) {
        layer.factor = {-second.zero_point, -in.zero_point};
        ratio = out_high / (2.5 * a * b);
      } else {
        ratio = out_high / (2.5 * std::max(a, b));
      }
    }
    const Requantizer divide = closest(ratio);
    layer.bias.assign(channels, 0);
    layer.multiplier.assign(channels, divide.multiplier);
    layer.shift.assign(channels, divide.shift);
    if (layer.activation == Activation::leaky) layer.negative_multiplier.assign(channels, divide.multiplier / 8);
    return;
  }
  const std::int64_t fan_in = fan_in_of(network, layer);
  const int top = layer.weight_bits == 1 ? 1 : (1 << (layer.weight_bits - 1)) - 1;
  draw_weights(layer, channels * static_cast<std::size_t>(fan_in), keep, draws);
  const double weight_rms = layer.weight_bits == 1 ? 1.0 : std::sqrt(top * (top + 1.0) / 3.0);
  const double sigma = std::sqrt(static_cast<double>(fan_in)) * weight_rms * typical_code(in) * (1 << layer.acc_shift);
  // Two and a half standard deviations reach the largest code.
  const double reached = layer.activation == Activation::hard_swish ? 12000
                         : layer.activation == Activation::table    ? 127
                                                                    : out_high;
  const double ratio = reached / (2.5 * sigma);
  const auto reach = static_cast<std::int64_t>(std::min(0.5 * sigma, 1e9));
  layer.bias.clear();
  layer.multiplier.clear();
  layer.shift.clear();
  for (std::size_t c = 0; c < channels; ++c) {
    layer.bias.push_back(draws.pick(-reach, reach));
    const Requantizer scale = closest(ratio * (0.8 + 0.004 * static_cast<double>(draws.pick(0, 100))));
    layer.multiplier.push_back(scale.multiplier);
    layer.shift.push_back(scale.shift);
    if (layer.activation == Activation::leaky) layer.negative_multiplier.push_back(scale.multiplier / 8);
  }
}

Plan random_plan(const Network& network, int low, int high, std::uint64_t seed) {
  Draws draws(seed);
  Plan plan = uniform_plan(network, low, low);
  for (LayerPlan& layer : plan.layers) {
    layer.weight_bits = static_cast<int>(draws.next() % static_cast<unsigned>(high - low + 1)) + low;
    layer.activation_bits = static_cast<int>(draws.next() % static_cast<unsigned>(high - low + 1)) + low;
  }
  tie_widths(lay_out(network), plan);
  validate(plan, network);
  return plan;
}

IntegerNetwork random_integer_network(const Network& network, const Plan& plan, std::uint64_t seed) {
  IntegerNetwork result = integer_shapes(network, plan);
  std::int64_t weights = 0;
  for (const IntegerLayer& layer : result.layers) {
    if (has_weights(layer.kind)) weights += layer.out_channels() * fan_in_of(result, layer);
  }
  const bool keep = weights <= Weights::most_kept;
  for (std::size_t i = 0; i < result.layers.size(); ++i) randomize_layer(result, i, seed, keep);
  validate(result);
  return result;
}

}  // namespace bitstrata::sim
