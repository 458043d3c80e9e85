// SPDX-License-Identifier: Apache-2.0
// The network graph: what is computed, independent of precision and of hardware.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "model/operators.h"

namespace bitstrata::model {

// One image's tensor, NHWC in memory everywhere in Bitstrata (batch is handled outside).
struct Shape {
  int height = 1;
  int width = 1;
  int channels = 1;
  std::int64_t elements() const { return std::int64_t{height} * width * channels; }
  bool operator==(const Shape&) const = default;
};

// Sliding window of convolution and pooling.
struct Window {
  int kernel_height = 1, kernel_width = 1;
  int stride_height = 1, stride_width = 1;
  int pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0;
  int dilation_height = 1, dilation_width = 1;
  bool operator==(const Window&) const = default;
};

struct Node {
  std::string name;  // unique; convolution and linear names are the layer names of plans and reports
  Op op = Op::input;
  std::vector<int> inputs;            // indices of earlier nodes
  Window window;                      // convolution and pooling
  int groups = 1;                     // convolution
  int out_channels = 0;               // convolution, linear
  int factor = 1;                     // upsample
  std::array<int, 2> block = {1, 1};  // depth_to_space: rows and columns that a pixel becomes
  double limit = 0;                   // relu: upper limit, 0 for none
  double slope = 0;                   // leaky_relu
  double alpha = 0;                   // elu, selu, celu, thresholded_relu
  double gamma = 0;                   // selu
  bool rounded = false;  // its values are rounded by themselves: no activation behind it becomes part of its layer
  bool bias = true;      // convolution: has one of its own; published ones in front of a batch norm often have none
  Shape output;          // inferred by Network::add
};

// A directed acyclic graph in topological order. `add` infers and checks shapes and throws
// std::invalid_argument with the node's name when something does not fit.
class Network {
 public:
  explicit Network(std::string name = "") : name_(std::move(name)) {}

  int add_input(Shape shape, std::string name = "input");
  int add_convolution(int input, std::string name, int out_channels, Window window, int groups = 1, bool bias = true);
  int add_linear(int input, std::string name, int out_features);
  int add_batch_norm(int input, std::string name);
  int add_relu(int input, std::string name, double limit = 0);
  int add_leaky_relu(int input, std::string name, double slope);
  // All functions but leaky_relu; `alpha` and `gamma` go into the node.
  int add_activation(int input, std::string name, Op kind, double alpha = 0, double gamma = 0);
  int add_pool(int input, std::string name, Op kind, Window window);
  int add_global_average_pool(int input, std::string name);
  // add and multiply (the kinds that combine two codes); multiply takes a 1 x 1 x channels tensor on either side.
  int add_elementwise(int first, int second, std::string name, Op kind);
  int add_concatenate(std::vector<int> inputs, std::string name);
  int add_upsample(int input, std::string name, int factor);
  int add_depth_to_space(int input, std::string name, std::array<int, 2> block);
  // Sets Node::rounded.
  void keep_rounding(int index) { nodes_.at(static_cast<std::size_t>(index)).rounded = true; }

  const std::string& name() const { return name_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(int index) const { return nodes_.at(static_cast<std::size_t>(index)); }
  // Shape of the node's first input.
  Shape input_shape(int index) const { return node(node(index).inputs.at(0)).output; }

  // Indices of convolution and linear nodes in order: the layers a plan gives widths to.
  std::vector<int> weight_layers() const;
  // Index of the node called `name`; throws std::invalid_argument naming the nearest one.
  int find(const std::string& name) const;
  // Nodes that read node `index`.
  std::vector<int> consumers(int index) const;

  // Multiply-accumulates of one image / weights plus biases (batch norm: scale and shift), per node and in total.
  std::int64_t macs(int index) const;
  std::int64_t parameters(int index) const;
  std::int64_t total_macs() const;
  std::int64_t total_parameters() const;

  // This network with `channels[i]` output channels for the i-th weight layer
  // (the last layer's count must not change); shapes are inferred again.
  Network with_channels(const std::vector<int>& channels) const;

 private:
  // Infers the output's shape, checks the node's place and adds it.
  int add(Node node);
  // The output's shape, once the node's numbers and its inputs' shapes are checked; inputs that do not exist are
  // `add`'s.
  Shape shape_of(const Node& node) const;
  std::string name_;
  std::vector<Node> nodes_;
};

// Built-in networks by name (model/networks/builders.h); throws std::invalid_argument with the known names.
Network build_network(const std::string& name);
std::vector<std::string> network_names();

}  // namespace bitstrata::model
