// SPDX-License-Identifier: Apache-2.0
// Builds network graphs node by node; every node's shape is inferred and checked as it is added.
#include "model/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "model/activations.h"
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

}  // namespace

const char* to_string(Op op) {
  switch (op) {
    case Op::input:
      return "input";
    case Op::convolution:
      return "convolution";
    case Op::linear:
      return "linear";
    case Op::batch_norm:
      return "batch_norm";
    case Op::max_pool:
      return "max_pool";
    case Op::average_pool:
      return "average_pool";
    case Op::add:
      return "add";
    case Op::multiply:
      return "multiply";
    case Op::concatenate:
      return "concatenate";
    case Op::upsample:
      return "upsample";
    case Op::depth_to_space:
      return "depth_to_space";
    case Op::relu:
      return "relu";
    case Op::leaky_relu:
      return "leaky_relu";
    case Op::hard_sigmoid:
      return "hard_sigmoid";
    case Op::hard_swish:
      return "hard_swish";
    default:
      break;
  }
  const TableFunction* table = table_function(op);
  return table == nullptr ? "unknown" : table->name;
}

int Network::add(Node node) {
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

int Network::add_input(Shape shape, std::string name) {
  Node node{.name = std::move(name), .op = Op::input, .output = shape};
  if (!nodes_.empty()) refuse(node, "a network has one input, and it comes first");
  if (shape.height < 1 || shape.width < 1 || shape.channels < 1) {
    refuse(node, fmt::format("the shape {} has a side below 1", to_text(shape)));
  }
  return add(std::move(node));
}

int Network::add_convolution(int input, std::string name, int out_channels, Window window, int groups, bool bias) {
  Node node{.name = std::move(name),
            .op = Op::convolution,
            .inputs = {input},
            .window = window,
            .groups = groups,
            .out_channels = out_channels,
            .bias = bias};
  if (input >= 0 && input < static_cast<int>(nodes_.size())) {
    const Shape shape = this->node(input).output;
    if (out_channels < 1) refuse(node, fmt::format("out_channels is {}; it must be at least 1", out_channels));
    if (groups < 1 || shape.channels % groups != 0 || out_channels % groups != 0) {
      refuse(node, fmt::format("{} groups do not divide {} input and {} output channels", groups, shape.channels,
                               out_channels));
    }
    node.output = slide(node, shape, out_channels);
  }
  return add(std::move(node));
}

int Network::add_linear(int input, std::string name, int out_features) {
  Node node{.name = std::move(name), .op = Op::linear, .inputs = {input}, .out_channels = out_features};
  if (out_features < 1) refuse(node, fmt::format("out_features is {}; it must be at least 1", out_features));
  node.output = {.channels = out_features};
  return add(std::move(node));
}

int Network::add_batch_norm(int input, std::string name) {
  Node node{.name = std::move(name), .op = Op::batch_norm, .inputs = {input}};
  if (input >= 0 && input < static_cast<int>(nodes_.size())) {
    const Node& source = this->node(input);
    if (!has_weights(source.op)) {
      refuse(node, fmt::format("must follow a convolution or linear node, not the {} '{}'", to_string(source.op),
                               source.name));
    }
    node.output = source.output;
  }
  return add(std::move(node));
}

int Network::add_relu(int input, std::string name, double limit) {
  Node node{.name = std::move(name), .op = Op::relu, .inputs = {input}, .limit = limit};
  if (!(limit >= 0)) refuse(node, fmt::format("the limit is {}; it must be above 0 (or 0 for none)", limit));
  return add(same_shape(std::move(node)));
}

int Network::add_leaky_relu(int input, std::string name, double slope) {
  Node node{.name = std::move(name), .op = Op::leaky_relu, .inputs = {input}, .slope = slope};
  if (!(slope >= 0 && slope < 1)) refuse(node, fmt::format("the slope is {}; it must lie in 0..1", slope));
  return add(same_shape(std::move(node)));
}

int Network::add_activation(int input, std::string name, Op kind, double alpha, double gamma) {
  Node node{.name = std::move(name), .op = kind, .inputs = {input}, .alpha = alpha, .gamma = gamma};
  if (!is_activation(kind) || kind == Op::leaky_relu) refuse(node, "is not an activation without parameters");
  return add(same_shape(std::move(node)));
}

int Network::add_pool(int input, std::string name, Op kind, Window window) {
  Node node{.name = std::move(name), .op = kind, .inputs = {input}, .window = window};
  if (kind != Op::max_pool && kind != Op::average_pool) refuse(node, "is not a kind of pooling");
  const bool padded = window.pad_top != 0 || window.pad_bottom != 0 || window.pad_left != 0 || window.pad_right != 0;
  if (kind == Op::average_pool && padded) refuse(node, "average pooling takes no padding");
  if (input >= 0 && input < static_cast<int>(nodes_.size())) {
    const Shape shape = this->node(input).output;
    node.output = slide(node, shape, shape.channels);
  }
  return add(std::move(node));
}

int Network::add_global_average_pool(int input, std::string name) {
  const Shape shape = node(input).output;
  return add_pool(input, std::move(name), Op::average_pool,
                  {.kernel_height = shape.height, .kernel_width = shape.width});
}

int Network::add_elementwise(int first, int second, std::string name, Op kind) {
  Node node{.name = std::move(name), .op = kind, .inputs = {first, second}};
  if (kind != Op::add && kind != Op::multiply) refuse(node, "is neither add nor multiply");
  const int count = static_cast<int>(nodes_.size());
  if (first >= 0 && first < count && second >= 0 && second < count) {
    const Shape a = this->node(first).output, b = this->node(second).output;
    const auto scales = [&](Shape one, Shape whole) {
      return kind == Op::multiply && one == Shape{.channels = whole.channels};
    };
    if (a != b && !scales(a, b) && !scales(b, a)) {
      refuse(node, fmt::format("its inputs are {} and {}; they must be equal{}", to_text(a), to_text(b),
                               kind == Op::multiply ? ", or one of them 1x1 with the other's channels" : ""));
    }
    node.output = scales(a, b) ? b : a;
  }
  return add(std::move(node));
}

int Network::add_concatenate(std::vector<int> inputs, std::string name) {
  Node node{.name = std::move(name), .op = Op::concatenate, .inputs = std::move(inputs)};
  if (node.inputs.size() < 2) refuse(node, "needs at least two inputs");
  node.output.channels = 0;
  for (int input : node.inputs) {
    if (input < 0 || input >= static_cast<int>(nodes_.size())) continue;
    const Shape first = this->node(node.inputs[0]).output, shape = this->node(input).output;
    if (shape.height != first.height || shape.width != first.width) {
      refuse(node, fmt::format("joins {} and {}; heights and widths must agree", to_text(first), to_text(shape)));
    }
    node.output.height = shape.height, node.output.width = shape.width;
    if (__builtin_add_overflow(node.output.channels, shape.channels, &node.output.channels))
      refuse(node, "has too many channels");
  }
  return add(std::move(node));
}

int Network::add_upsample(int input, std::string name, int factor) {
  Node node{.name = std::move(name), .op = Op::upsample, .inputs = {input}, .factor = factor};
  if (factor < 1 || factor > 64) refuse(node, fmt::format("the factor is {}; it must lie in 1..64", factor));
  node = same_shape(std::move(node));
  if (__builtin_mul_overflow(node.output.height, factor, &node.output.height) ||
      __builtin_mul_overflow(node.output.width, factor, &node.output.width)) {
    refuse(node, fmt::format("enlarges {} by {}, which is too large", to_text(this->node(input).output), factor));
  }
  return add(std::move(node));
}

int Network::add_depth_to_space(int input, std::string name, std::array<int, 2> block) {
  Node node{.name = std::move(name), .op = Op::depth_to_space, .inputs = {input}, .block = block};
  const auto [rows, columns] = block;
  if (rows < 1 || rows > 64 || columns < 1 || columns > 64)
    refuse(node, fmt::format("the block is {}x{}; its sides must lie in 1..64", rows, columns));
  node = same_shape(std::move(node));
  Shape& shape = node.output;
  if (shape.channels % (rows * columns) != 0) {
    refuse(node, fmt::format("{} channels are not a multiple of the {} pixels of a block of {}x{}", shape.channels,
                             rows * columns, rows, columns));
  }
  shape.channels /= rows * columns;
  if (__builtin_mul_overflow(shape.height, rows, &shape.height) ||
      __builtin_mul_overflow(shape.width, columns, &shape.width)) {
    refuse(node, fmt::format("spreads {} to blocks of {}x{}, which is too large", to_text(this->node(input).output),
                             rows, columns));
  }
  return add(std::move(node));
}

Node Network::same_shape(Node node) const {
  const int input = node.inputs.at(0);
  if (input >= 0 && input < static_cast<int>(nodes_.size())) node.output = this->node(input).output;
  return node;
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
    const Node& n = nodes_[i];
    const int input = n.inputs.empty() ? 0 : n.inputs.front();
    const int count = has_weights(n.op) ? channels[layer++] : 0;
    if (has_weights(n.op) && layer == layers.size() && count != n.out_channels) {
      refuse(n, fmt::format("is the last layer and keeps its {} outputs, not {}", n.out_channels, count));
    }
    switch (n.op) {
      case Op::input:
        result.add_input(n.output, n.name);
        break;
      case Op::convolution: {
        // A depthwise layer stays depthwise: its groups follow its input.
        const bool depthwise = n.groups > 1 && n.groups == input_shape(static_cast<int>(i)).channels;
        const int groups = depthwise ? result.node(input).output.channels : n.groups;
        result.add_convolution(input, n.name, count, n.window, groups, n.bias);
        break;
      }
      case Op::linear:
        result.add_linear(input, n.name, count);
        break;
      case Op::batch_norm:
        result.add_batch_norm(input, n.name);
        break;
      case Op::max_pool:
      case Op::average_pool:
        result.add_pool(input, n.name, n.op, n.window);
        break;
      case Op::add:
      case Op::multiply:
        result.add_elementwise(input, n.inputs[1], n.name, n.op);
        break;
      case Op::concatenate:
        result.add_concatenate(n.inputs, n.name);
        break;
      case Op::upsample:
        result.add_upsample(input, n.name, n.factor);
        break;
      case Op::depth_to_space:
        result.add_depth_to_space(input, n.name, n.block);
        break;
      default: {
        Node activation = n;
        result.add(result.same_shape(std::move(activation)));
        break;
      }
    }
  }
  return result;
}

}  // namespace bitstrata::model
