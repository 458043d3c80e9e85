// SPDX-License-Identifier: Apache-2.0
// The way back: a float network whose grids and codes give the integers again. Scales of weights are what the
// requantization of a layer applies, seen from the scales of its tensors.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string_view>

#include "model/stages.h"
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

// Does a value three quarters of the way to the next code stay at the lower one?
bool rounds_down(const Grid& grid) {
  const int low = grid.range().low;
  return grid.code(static_cast<float>(grid.value(low) + 0.75 * grid.scale)) == low;
}

// Scales, weights and biases whose real-valued arithmetic is the layer's: v = (acc << acc_shift) + bias counts in
// ratio * (unit of the output). `floors`: the output's codes are rounded down.
void take_weights(const IntegerLayer& layer, const Grid& in, const Grid& out, bool floors, Parameters& p) {
  const bool bipolar_in = in.coding == Coding::bipolar, bipolar_out = out.coding == Coding::bipolar;
  const double unit_in = bipolar_in ? 2 * in.scale : in.scale, zero_in = bipolar_in ? 0.5 : in.zero_point;
  const double unit_out = bipolar_out ? 2 * out.scale : out.scale;
  const double zero_out = bipolar_out ? 0.5 : out.zero_point - (floors ? 0.5 : 0.0);
  const std::size_t each = layer.weights.size() / layer.bias.size();
  const double step = std::ldexp(1.0, layer.acc_shift);
  const std::vector<double> present = std::move(p.scales);
  p.weight_bits = layer.weight_bits;
  p.weights.clear(), p.bias.clear(), p.scales.clear();
  for (std::size_t n = 0; n < layer.bias.size(); ++n) {
    const double ratio = std::ldexp(static_cast<double>(layer.multiplier[n]), -layer.shift[n]);
    if (!(ratio > 0)) refuse(layer, "a multiplier of 0 has no float counterpart");
    // A multiplier of 1 has been made of a scale that is exact already.
    const bool exact = layer.multiplier[n] == 1 && !present.empty();
    const double scale = exact ? present[n] : static_cast<float>(ratio * unit_out * step / unit_in);
    std::int64_t sum = 0;
    for (const std::int16_t weight : layer.weights.block(n * each, each)) {
      sum += weight;
      p.weights.push_back(static_cast<float>(weight * scale));
    }
    p.scales.push_back(scale);
    // A single threshold is folded as assemble() does it.
    const double offset = bipolar_out ? std::ceil(zero_out / ratio) : zero_out / ratio;
    const double bias = static_cast<double>(layer.bias[n]) - offset + zero_in * static_cast<double>(sum) * step;
    p.bias.push_back(static_cast<float>(bias * unit_in * scale / step));
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
    if (has_weights(layer.kind)) {
      const Shape shape = result.graph.node(from).output;
      const bool linear =
          layer.groups == 1 && layer.window == Window{.kernel_height = shape.height, .kernel_width = shape.width};
      node = made(
          linear ? result.graph.add_linear(from, layer.name, layer.out_channels())
                 : result.graph.add_convolution(from, layer.name, layer.out_channels(), layer.window, layer.groups));
      take_weights(layer, in, out, false, result.parameters[at(node)]);
      const CodeRange range = out.range();
      if (layer.clip_high < range.high) {
        node = made(result.graph.add_relu(node, layer.name + "_limit", out.value(layer.clip_high)));
      } else if (layer.clip_low == out.zero_point && out.coding != Coding::bipolar) {
        node = made(result.graph.add_relu(node, layer.name + "_relu"));
      }
    } else if (has_window(layer.kind)) {
      node = made(result.graph.add_pool(
          from, layer.name, layer.kind == LayerKind::max_pool ? Op::max_pool : Op::average_pool, layer.window));
    } else {
      refuse(layer,
             fmt::format("it is {} {}; from integers alone, networks of convolutions and poolings can be written. "
                         "Export the ONNX file that it comes from, if there is one",
                         std::string_view("aeiou").find(*to_string(layer.kind)) != std::string_view::npos ? "an" : "a",
                         to_string(layer.kind)));
    }
    result.grids[at(node)] = out;
    nodes[at(layer.output)] = node;
  }
  return result;
}

FloatNetwork settled(FloatNetwork network, const IntegerNetwork& integers) {
  const Layout layout = lay_out(network.graph);
  for (const Step& step : layout.steps) {
    const Node& node = network.graph.node(step.node);
    if (!has_weights(node.op)) continue;
    const auto layer = std::ranges::find(integers.layers, node.name, &IntegerLayer::name);
    if (layer == integers.layers.end())
      throw std::invalid_argument(fmt::format("node '{}' is no layer of the integers", node.name));
    // Other activations count v in units of their own.
    if (step.activation >= 0 && network.graph.node(step.activation).op != Op::relu) continue;
    const Grid in = grid_of(integers.tensors[at(layer->input)]), out = grid_of(integers.tensors[at(layer->output)]);
    const auto& grid = network.grids[at(layout.tensors[at(step.output)].node)];
    take_weights(*layer, in, out, grid && out.coding != Coding::bipolar && rounds_down(*grid),
                 network.parameters[at(step.node)]);
  }
  return network;
}

}  // namespace bitstrata::quant
