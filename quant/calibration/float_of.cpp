// SPDX-License-Identifier: Apache-2.0
// The way back: a float network whose grids and codes give the integers again. Scales of weights are what the
// requantization of a layer applies, seen from the scales of its tensors.
#include <fmt/format.h>

#include <cmath>
#include <stdexcept>

#include "quant/calibration/calibrate.h"

namespace bitstrata::quant {
namespace {

using namespace model;

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

[[noreturn]] void refuse(const IntegerLayer& layer, const std::string& message) {
  throw std::invalid_argument(fmt::format("layer '{}': {}", layer.name, message));
}

// Files hold 32-bit floats.
Grid grid_of(const TensorFormat& format) {
  return {.bits = format.bits,
          .coding = format.coding,
          .zero_point = format.zero_point,
          .scale = static_cast<double>(static_cast<float>(format.scale))};
}

void take_weights(const IntegerLayer& layer, const Grid& in, const Grid& out, Parameters& p) {
  const bool bipolar_out = out.coding == Coding::bipolar;
  const double unit_out = bipolar_out ? 2 * out.scale : out.scale, zero_out = bipolar_out ? 0.5 : out.zero_point;
  const double zero_in = in.coding == Coding::bipolar ? 1 : in.zero_point;
  const std::size_t each = layer.weights.size() / layer.bias.size();
  // Bits of a bias behind the unit of the accumulators.
  const int fraction = layer.acc_shift - (in.coding == Coding::bipolar ? 1 : 0);
  p.weight_bits = layer.weight_bits;
  for (std::size_t n = 0; n < layer.bias.size(); ++n) {
    const double ratio = std::ldexp(static_cast<double>(layer.multiplier[n]), fraction - layer.shift[n]);
    if (!(ratio > 0)) refuse(layer, "a multiplier of 0 has no float counterpart");
    const double scale = static_cast<float>(ratio * unit_out / in.scale);
    std::int64_t sum = 0;
    for (const std::int16_t weight : layer.weights.block(n * each, each)) {
      sum += weight;
      p.weights.push_back(static_cast<float>(weight * scale));
    }
    p.scales.push_back(scale);
    // A single threshold is folded as assemble() does it.
    const double offset = bipolar_out ? std::ceil(zero_out / ratio) : zero_out / ratio;
    const double units = std::ldexp(static_cast<double>(layer.bias[n]), -fraction);
    const double bias = units - offset + zero_in * static_cast<double>(sum);
    p.bias.push_back(static_cast<float>(bias * in.scale * scale));
  }
}

}  // namespace

FloatNetwork float_of(const IntegerNetwork& integers) {
  FloatNetwork result;
  result.graph = Network(integers.name);
  std::vector<int> nodes(integers.tensors.size(), -1);
  const auto made = [&](int index) {
    result.parameters.resize(result.graph.nodes().size());
    result.grids.resize(result.graph.nodes().size());
    return index;
  };
  nodes[0] = made(result.graph.add_input(integers.tensors[0].shape));
  result.grids[0] = grid_of(integers.tensors[0]);
  for (const IntegerLayer& layer : integers.layers) {
    const Grid in = grid_of(integers.tensors[at(layer.input)]), out = grid_of(integers.tensors[at(layer.output)]);
    const int from = nodes[at(layer.input)];
    int node = -1;
    if (layer.activation != Activation::clip)
      refuse(layer, fmt::format("a {} activation cannot be told from its integers", to_string(layer.activation)));
    if (layer.kind == LayerKind::convolution) {
      const Shape shape = result.graph.node(from).output;
      const bool linear =
          layer.groups == 1 && layer.window == Window{.kernel_height = shape.height, .kernel_width = shape.width};
      node = made(
          linear ? result.graph.add_linear(from, layer.name, layer.out_channels())
                 : result.graph.add_convolution(from, layer.name, layer.out_channels(), layer.window, layer.groups));
      take_weights(layer, in, out, result.parameters[at(node)]);
      const CodeRange range = out.range();
      if (layer.clip_high < range.high) {
        node = made(result.graph.add_relu(node, layer.name + "_limit", out.value(layer.clip_high)));
      } else if (layer.clip_low == out.zero_point && out.coding != Coding::bipolar) {
        node = made(result.graph.add_relu(node, layer.name + "_relu"));
      }
    } else if (layer.kind == LayerKind::max_pool || layer.kind == LayerKind::average_pool) {
      node = made(result.graph.add_pool(
          from, layer.name, layer.kind == LayerKind::max_pool ? Op::max_pool : Op::average_pool, layer.window));
    } else {
      refuse(layer, fmt::format("a {} cannot be written from integers alone", to_string(layer.kind)));
    }
    result.grids[at(node)] = out;
    nodes[at(layer.output)] = node;
  }
  return result;
}

}  // namespace bitstrata::quant
