// SPDX-License-Identifier: Apache-2.0
// Builds network graphs node by node; every node's shape is inferred and checked as it is added.
#include "model/network.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "model/yaml_reader.h"

namespace bitstrata::model {
namespace {

[[noreturn]] void refuse(const Node& node, const std::string& message) {
  throw std::invalid_argument(fmt::format("{} '{}': {}", to_string(node.op), node.name, message));
}

std::string to_text(Shape shape) { return fmt::format("{}x{}x{}", shape.height, shape.width, shape.channels); }

// Positions of a window along one axis.
int positions(const Node& node, const char* axis, int size, int kernel, int stride, int pad_before, int pad_after,
              int dilation) {
  if (kernel < 1 || stride < 1 || dilation < 1) {
    refuse(node, fmt::format("kernel, stride and dilation must be at least 1; {} has kernel {}, stride {}, dilation {}",
                             axis, kernel, stride, dilation));
  }
  if (pad_before < 0 || pad_after < 0) refuse(node, fmt::format("padding of {} is negative", axis));
  const std::int64_t reach = std::int64_t{dilation} * (kernel - 1) + 1;
  const std::int64_t padded = std::int64_t{size} + pad_before + pad_after;
  if (reach > padded) {
    refuse(node, fmt::format("a kernel reaching over {} does not fit the padded {} of {}", reach, axis, padded));
  }
  return static_cast<int>((padded - reach) / stride + 1);
}

Shape slide(const Node& node, Shape input, int channels) {
  const Window& w = node.window;
  return {.height = positions(node, "height", input.height, w.kernel_height, w.stride_height, w.pad_top, w.pad_bottom,
                              w.dilation_height),
          .width = positions(node, "width", input.width, w.kernel_width, w.stride_width, w.pad_left, w.pad_right,
                             w.dilation_width),
          .channels = channels};
}

// Numbers that are wrong whatever the inputs are.
void check_numbers(const Node& node) {
  const Shape& shape = node.output;
  if (node.op == Op::input && (shape.height < 1 || shape.width < 1 || shape.channels < 1))
    refuse(node, fmt::format("the shape {} has a side below 1", to_text(shape)));
  if (node.op == Op::linear && node.out_channels < 1)
    refuse(node, fmt::format("out_features is {}; it must be at least 1", node.out_channels));
  if (node.op == Op::relu && !(node.limit >= 0))
    refuse(node, fmt::format("the limit is {}; it must be above 0 (or 0 for none)", node.limit));
  if (node.op == Op::leaky_relu && !(node.slope >= 0 && node.slope < 1))
    refuse(node, fmt::format("the slope is {}; it must lie in 0..1", node.slope));
  const Window& w = node.window;
  const bool padded = w.pad_top != 0 || w.pad_bottom != 0 || w.pad_left != 0 || w.pad_right != 0;
  if (node.op == Op::average_pool && padded) refuse(node, "average pooling takes no padding");
  if (info(node.op).kind && joins_channels(*info(node.op).kind) && node.inputs.size() < 2)
    refuse(node, "needs at least two inputs");
  if (node.op == Op::upsample && (node.factor < 1 || node.factor > 64))
    refuse(node, fmt::format("the factor is {}; it must lie in 1..64", node.factor));
  const auto [rows, columns] = node.block;
  if (node.op == Op::depth_to_space && (rows < 1 || rows > 64 || columns < 1 || columns > 64))
    refuse(node, fmt::format("the block is {}x{}; its sides must lie in 1..64", rows, columns));
}

Shape convolved(const Node& node, Shape input) {
  if (node.out_channels < 1) refuse(node, fmt::format("out_channels is {}; it must be at least 1", node.out_channels));
  if (node.groups < 1 || input.channels % node.groups != 0 || node.out_channels % node.groups != 0) {
    refuse(node, fmt::format("{} groups do not divide {} input and {} output channels", node.groups, input.channels,
                             node.out_channels));
  }
  return slide(node, input, node.out_channels);
}

Shape combined(const Node& node, Shape a, Shape b) {
  const bool pixel = operands(*info(node.op).kind) == Operands::pair_or_pixel;
  const auto scales = [&](Shape one, Shape whole) { return pixel && one == Shape{.channels = whole.channels}; };
  if (a != b && !scales(a, b) && !scales(b, a)) {
    refuse(node, fmt::format("its inputs are {} and {}; they must be equal{}", to_text(a), to_text(b),
                             pixel ? ", or one of them 1x1 with the other's channels" : ""));
  }
  return scales(a, b) ? b : a;
}

Shape joined(const Node& node, const std::vector<Shape>& inputs) {
  Shape output = inputs.front();
  output.channels = 0;
  for (const Shape shape : inputs) {
    if (shape.height != output.height || shape.width != output.width)
      refuse(node,
             fmt::format("joins {} and {}; heights and widths must agree", to_text(inputs.front()), to_text(shape)));
    if (__builtin_add_overflow(output.channels, shape.channels, &output.channels))
      refuse(node, "has too many channels");
  }
  return output;
}

Shape enlarged(const Node& node, Shape input) {
  Shape output = input;
  if (__builtin_mul_overflow(output.height, node.factor, &output.height) ||
      __builtin_mul_overflow(output.width, node.factor, &output.width)) {
    refuse(node, fmt::format("enlarges {} by {}, which is too large", to_text(input), node.factor));
  }
  return output;
}

Shape spread(const Node& node, Shape input) {
  const auto [rows, columns] = node.block;
  Shape output = input;
  if (output.channels % (rows * columns) != 0) {
    refuse(node, fmt::format("{} channels are not a multiple of the {} pixels of a block of {}x{}", output.channels,
                             rows * columns, rows, columns));
  }
  output.channels /= rows * columns;
  if (__builtin_mul_overflow(output.height, rows, &output.height) ||
      __builtin_mul_overflow(output.width, columns, &output.width)) {
    refuse(node, fmt::format("spreads {} to blocks of {}x{}, which is too large", to_text(input), rows, columns));
  }
  return output;
}

// The output's shape of an operator that is a kind of layer.
Shape output_shape(const Node& node, const std::vector<Shape>& inputs) {
  switch (operands(*info(node.op).kind)) {
    case Operands::window:
      return has_weights(node.op) ? convolved(node, inputs.at(0)) : slide(node, inputs.at(0), inputs.at(0).channels);
    case Operands::pair:
    case Operands::pair_or_pixel:
      return combined(node, inputs.at(0), inputs.at(1));
    case Operands::joined:
      return joined(node, inputs);
    case Operands::enlarged:
      return enlarged(node, inputs.at(0));
    case Operands::spread:
      return spread(node, inputs.at(0));
  }
  return {};
}

std::vector<std::string> combining_names() {
  std::vector<std::string> names;
  for (const LayerKind kind : all_layer_kinds)
    if (combines_codes(kind)) names.emplace_back(to_string(kind));
  return names;
}

}  // namespace

int Network::add(Node node) {
  node.output = shape_of(node);
  if (node.name.empty()) refuse(node, "a node needs a name");
  for (const Node& other : nodes_) {
    if (other.name == node.name) refuse(node, "the name is taken already");
  }
  const int self = static_cast<int>(nodes_.size());
  if (node.op != Op::input && nodes_.empty()) refuse(node, "the first node must be the input");
  for (int input : node.inputs) {
    if (input < 0 || input >= self) refuse(node, fmt::format("reads node {}, which does not exist yet", input));
    // Folding a batch norm changes the values of its producer for every reader.
    const std::vector<int> readers = consumers(input);
    const bool folded = std::any_of(readers.begin(), readers.end(),
                                    [&](int reader) { return this->node(reader).op == Op::batch_norm; });
    if (folded || (node.op == Op::batch_norm && !readers.empty())) {
      refuse(node, fmt::format("a batch norm must be the only reader of '{}', which '{}' reads already",
                               this->node(input).name, this->node(readers.front()).name));
    }
  }
  nodes_.push_back(std::move(node));
  return self;
}

Shape Network::shape_of(const Node& node) const {
  check_numbers(node);
  if (node.op == Op::input) {
    if (!nodes_.empty()) refuse(node, "a network has one input, and it comes first");
    return node.output;
  }
  if (node.op == Op::linear) return {.channels = node.out_channels};
  std::vector<Shape> inputs;
  for (const int input : node.inputs) {
    if (input < 0 || input >= static_cast<int>(nodes_.size())) return {};
    inputs.push_back(this->node(input).output);
  }
  if (node.op == Op::batch_norm) {
    const Node& source = this->node(node.inputs.at(0));
    if (!has_weights(source.op)) {
      refuse(node, fmt::format("must follow a convolution or linear node, not the {} '{}'", to_string(source.op),
                               source.name));
    }
  }
  return info(node.op).kind ? output_shape(node, inputs) : inputs.at(0);
}

int Network::add_input(Shape shape, std::string name) {
  return add({.name = std::move(name), .op = Op::input, .output = shape});
}

int Network::add_convolution(int input, std::string name, int out_channels, Window window, int groups, bool bias) {
  return add({.name = std::move(name),
              .op = Op::convolution,
              .inputs = {input},
              .window = window,
              .groups = groups,
              .out_channels = out_channels,
              .bias = bias});
}

int Network::add_linear(int input, std::string name, int out_features) {
  return add({.name = std::move(name), .op = Op::linear, .inputs = {input}, .out_channels = out_features});
}

int Network::add_batch_norm(int input, std::string name) {
  return add({.name = std::move(name), .op = Op::batch_norm, .inputs = {input}});
}

int Network::add_relu(int input, std::string name, double limit) {
  return add({.name = std::move(name), .op = Op::relu, .inputs = {input}, .limit = limit});
}

int Network::add_leaky_relu(int input, std::string name, double slope) {
  return add({.name = std::move(name), .op = Op::leaky_relu, .inputs = {input}, .slope = slope});
}

int Network::add_activation(int input, std::string name, Op kind, double alpha, double gamma) {
  Node node{.name = std::move(name), .op = kind, .inputs = {input}, .alpha = alpha, .gamma = gamma};
  if (!is_activation(kind) || kind == Op::leaky_relu) refuse(node, "is not an activation without parameters");
  return add(std::move(node));
}

int Network::add_pool(int input, std::string name, Op kind, Window window) {
  Node node{.name = std::move(name), .op = kind, .inputs = {input}, .window = window};
  if (!is_pooling(kind)) refuse(node, "is not a kind of pooling");
  return add(std::move(node));
}

int Network::add_global_average_pool(int input, std::string name) {
  const Shape shape = node(input).output;
  return add_pool(input, std::move(name), Op::average_pool,
                  {.kernel_height = shape.height, .kernel_width = shape.width});
}

int Network::add_elementwise(int first, int second, std::string name, Op kind) {
  Node node{.name = std::move(name), .op = kind, .inputs = {first, second}};
  if (!combines_codes(kind)) refuse(node, fmt::format("is neither {}", fmt::join(combining_names(), " nor ")));
  return add(std::move(node));
}

int Network::add_concatenate(std::vector<int> inputs, std::string name) {
  return add({.name = std::move(name), .op = Op::concatenate, .inputs = std::move(inputs)});
}

int Network::add_upsample(int input, std::string name, int factor) {
  return add({.name = std::move(name), .op = Op::upsample, .inputs = {input}, .factor = factor});
}

int Network::add_depth_to_space(int input, std::string name, std::array<int, 2> block) {
  return add({.name = std::move(name), .op = Op::depth_to_space, .inputs = {input}, .block = block});
}

std::vector<int> Network::weight_layers() const {
  std::vector<int> result;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (has_weights(nodes_[i].op)) result.push_back(static_cast<int>(i));
  }
  return result;
}

int Network::find(const std::string& name) const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].name == name) return static_cast<int>(i);
    names.push_back(nodes_[i].name);
  }
  throw std::invalid_argument(
      fmt::format("network '{}' has no node '{}'; the nearest is '{}'", name_, name, nearest(name, names)));
}

std::vector<int> Network::consumers(int index) const {
  std::vector<int> result;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const std::vector<int>& inputs = nodes_[i].inputs;
    if (std::find(inputs.begin(), inputs.end(), index) != inputs.end()) result.push_back(static_cast<int>(i));
  }
  return result;
}

std::int64_t Network::macs(int index) const {
  const Node& n = node(index);
  if (n.op == Op::linear) return input_shape(index).elements() * n.out_channels;
  if (n.op != Op::convolution) return 0;
  const std::int64_t taps = std::int64_t{n.window.kernel_height} * n.window.kernel_width;
  return n.output.elements() * taps * (input_shape(index).channels / n.groups);
}

std::int64_t Network::parameters(int index) const {
  const Node& n = node(index);
  if (n.op == Op::batch_norm) return 2 * std::int64_t{n.output.channels};
  if (n.op == Op::linear) return (input_shape(index).elements() + 1) * n.out_channels;
  if (n.op != Op::convolution) return 0;
  const std::int64_t taps = std::int64_t{n.window.kernel_height} * n.window.kernel_width;
  return (taps * (input_shape(index).channels / n.groups) + (n.bias ? 1 : 0)) * n.out_channels;
}

std::int64_t Network::total_macs() const {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < nodes_.size(); ++i) sum += macs(static_cast<int>(i));
  return sum;
}

std::int64_t Network::total_parameters() const {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < nodes_.size(); ++i) sum += parameters(static_cast<int>(i));
  return sum;
}

Network Network::with_channels(const std::vector<int>& channels) const {
  const std::vector<int> layers = weight_layers();
  if (channels.size() != layers.size()) {
    throw std::invalid_argument(fmt::format("network '{}' has {} layers with weights, {} channel counts were given",
                                            name_, layers.size(), channels.size()));
  }
  Network result(name_);
  std::size_t layer = 0;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    Node n = nodes_[i];
    if (has_weights(n.op)) {
      const int count = channels[layer++];
      if (layer == layers.size() && count != n.out_channels)
        refuse(n, fmt::format("is the last layer and keeps its {} outputs, not {}", n.out_channels, count));
      n.out_channels = count;
      // A depthwise layer stays depthwise: its groups follow its input.
      if (n.groups > 1 && n.groups == input_shape(static_cast<int>(i)).channels)
        n.groups = result.node(n.inputs.front()).output.channels;
    }
    result.add(std::move(n));
  }
  return result;
}

}  // namespace bitstrata::model
