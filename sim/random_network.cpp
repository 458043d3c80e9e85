// SPDX-License-Identifier: Apache-2.0
#include "sim/random_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace bitstrata::sim {

namespace {

using namespace model;

// splitmix64: millions of weights in milliseconds, and the same on every platform.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : state_(seed) {}
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

struct Requantizer {
  std::uint16_t multiplier;
  std::uint8_t shift;
};

// The closest multiplier / 2^shift with a multiplier of 16 bits; ratios outside its range go to its ends.
Requantizer multiply_shift(double ratio) {
  int exponent = 0;
  double multiplier = std::nearbyint(std::ldexp(std::frexp(ratio, &exponent), 16));
  int shift = 16 - exponent;
  if (multiplier == 65536.0) {
    multiplier = 32768.0;
    --shift;
  }
  if (shift < 0) return {65535, 0};
  if (shift > 63) {
    multiplier = std::max(1.0, std::nearbyint(std::ldexp(multiplier, 63 - shift)));
    shift = 63;
  }
  return {static_cast<std::uint16_t>(multiplier), static_cast<std::uint8_t>(shift)};
}

Coding coding_of(bool rectified, int bits) {
  if (rectified) return Coding::unsigned_code;
  return bits == 1 ? Coding::bipolar : Coding::twos_complement;
}

// Root mean square of a tensor's random codes as the next layer sees them: a little below uniform ones.
double typical_code(const TensorFormat& format) {
  if (format.coding == Coding::bipolar) return 1.0;
  return 0.4 * std::max(1, code_range(format.coding, format.bits).high);
}

}  // namespace

IntegerNetwork integer_shapes(const Network& original, const Plan& plan) {
  const Network network = planned_network(original, plan);
  const auto& nodes = network.nodes();
  IntegerNetwork result{.name = network.name()};
  std::vector<int> readers(nodes.size(), 0), tensor_of(nodes.size(), -1);
  for (const Node& node : nodes) {
    for (int input : node.inputs) ++readers[static_cast<std::size_t>(input)];
  }
  // Per tensor: the one whose format it shares, whether it is never negative, its width.
  std::vector<std::size_t> source;
  std::vector<bool> rectified;
  std::vector<int> bits;
  const auto add_tensor = [&](std::size_t node, int from, bool positive) {
    const std::size_t index = result.tensors.size();
    result.tensors.push_back({.shape = nodes[node].output});
    source.push_back(from < 0 ? index : source[static_cast<std::size_t>(from)]);
    rectified.push_back(positive);
    bits.push_back(0);
    tensor_of[node] = static_cast<int>(index);
  };
  std::size_t stage = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    if (node.op == Op::input) {
      add_tensor(i, -1, true);
      continue;
    }
    const auto before = static_cast<std::size_t>(node.inputs.at(0));
    const int input = tensor_of[before];
    IntegerLayer layer;
    layer.name = node.name;
    layer.window = node.window;
    layer.input = input;
    layer.output = static_cast<int>(result.tensors.size());
    switch (node.op) {
      case Op::batch_norm:
      case Op::relu: {
        const Op op = nodes[before].op;
        if (readers[before] != 1 || (op != Op::convolution && op != Op::linear && op != Op::batch_norm)) {
          throw std::invalid_argument(fmt::format(
              "node '{}' cannot be folded: it must be the only reader of a convolution or linear layer", node.name));
        }
        tensor_of[i] = input;
        if (node.op == Op::relu) rectified[static_cast<std::size_t>(input)] = true;
        continue;
      }
      case Op::convolution:
      case Op::linear: {
        const LayerPlan& widths = plan.layers.at(stage++);
        layer.weight_bits = widths.weight_bits;
        layer.macs = network.macs(static_cast<int>(i));
        if (node.op == Op::convolution) {
          layer.groups = node.groups;
        } else {
          const Shape in = result.tensors[static_cast<std::size_t>(input)].shape;
          layer.window = {.kernel_height = in.height, .kernel_width = in.width};
        }
        bits[source[static_cast<std::size_t>(input)]] = widths.activation_bits;
        add_tensor(i, -1, false);
        break;
      }
      default:
        layer.kind = node.op == Op::max_pool ? LayerKind::max_pool : LayerKind::average_pool;
        add_tensor(i, input, rectified[static_cast<std::size_t>(input)]);
        break;
    }
    result.layers.push_back(std::move(layer));
  }
  if (result.layers.empty() || result.layers.back().kind != LayerKind::convolution) {
    throw std::invalid_argument(fmt::format("network '{}' must end in a convolution or linear layer", network.name()));
  }
  bits.back() = plan.output_bits;
  for (std::size_t t = 0; t < result.tensors.size(); ++t) {
    TensorFormat& format = result.tensors[t];
    format.bits = bits[source[t]];
    if (format.bits == 0)
      throw std::invalid_argument(fmt::format("network '{}': a tensor is never read", network.name()));
    format.coding = coding_of(rectified[t], format.bits);
  }
  for (IntegerLayer& layer : result.layers) {
    const TensorFormat& in = result.tensors[static_cast<std::size_t>(layer.input)];
    const TensorFormat& out = result.tensors[static_cast<std::size_t>(layer.output)];
    layer.acc_shift = layer.kind == LayerKind::convolution && in.coding == Coding::bipolar ? 1 : 0;
    const CodeRange range = code_range(out.coding, out.bits);
    layer.clip_low = range.low;
    layer.clip_high = range.high;
  }
  return result;
}

void randomize_layer(IntegerNetwork& network, std::size_t index, std::uint64_t seed) {
  IntegerLayer& layer = network.layers.at(index);
  const TensorFormat& in = network.tensors[static_cast<std::size_t>(layer.input)];
  const TensorFormat& out = network.tensors[static_cast<std::size_t>(layer.output)];
  Draws draws(seed);
  for (char c : layer.name) draws = Draws(draws.next() ^ static_cast<unsigned char>(c));
  const auto channels = static_cast<std::size_t>(out.shape.channels);
  const int taps = layer.window.kernel_height * layer.window.kernel_width;
  if (layer.kind != LayerKind::convolution) {
    const Requantizer divide = multiply_shift(layer.kind == LayerKind::average_pool ? 1.0 / taps : 1.0);
    layer.bias.assign(channels, 0);
    layer.multiplier.assign(channels, divide.multiplier);
    layer.shift.assign(channels, divide.shift);
    return;
  }
  const int fan_in = taps * (in.shape.channels / layer.groups);
  const int top = layer.weight_bits == 1 ? 1 : (1 << (layer.weight_bits - 1)) - 1;
  layer.weights.resize(channels * static_cast<std::size_t>(fan_in));
  for (auto& weight : layer.weights) {
    weight = static_cast<std::int16_t>(layer.weight_bits == 1 ? 2 * draws.pick(0, 1) - 1 : draws.pick(-top, top));
  }
  const double weight_rms = layer.weight_bits == 1 ? 1.0 : std::sqrt(top * (top + 1.0) / 3.0);
  const double sigma = std::sqrt(fan_in) * weight_rms * typical_code(in) * (1 << layer.acc_shift);
  // Two and a half standard deviations reach the largest code.
  const double ratio = std::max(1, code_range(out.coding, out.bits).high) / (2.5 * sigma);
  const auto reach = static_cast<std::int64_t>(std::min(0.5 * sigma, 1e9));
  layer.bias.clear();
  layer.multiplier.clear();
  layer.shift.clear();
  for (std::size_t c = 0; c < channels; ++c) {
    layer.bias.push_back(draws.pick(-reach, reach));
    const Requantizer scale = multiply_shift(ratio * (0.8 + 0.004 * static_cast<double>(draws.pick(0, 100))));
    layer.multiplier.push_back(scale.multiplier);
    layer.shift.push_back(scale.shift);
  }
}

IntegerNetwork random_integer_network(const Network& network, const Plan& plan, std::uint64_t seed) {
  IntegerNetwork result = integer_shapes(network, plan);
  for (std::size_t i = 0; i < result.layers.size(); ++i) randomize_layer(result, i, seed);
  validate(result);
  return result;
}

}  // namespace bitstrata::sim
