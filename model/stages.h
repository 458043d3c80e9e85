// SPDX-License-Identifier: Apache-2.0
// How a float graph becomes integer layers: convolution or linear, batch norm and ReLU together form one stage, and
// pooling keeps the format of its input tensor.
#pragma once

#include <string>
#include <vector>

#include "model/network.h"
#include "model/plan.h"

namespace bitstrata::quant {

// One weight layer with what is folded into it. Node indices; -1 where there is none.
struct Stage {
  std::string name;  // of the weight node
  int weight = -1;
  int batch_norm = -1;
  int relu = -1;
  int last() const { return relu >= 0 ? relu : batch_norm >= 0 ? batch_norm : weight; }
};

// One quantized tensor: the network's input, the output of a stage or of a pooling node.
struct TensorNode {
  int node = 0;              // the node whose value it is
  int source = 0;            // tensor whose range and width it shares: itself, or through pooling its origin
  bool rectified = false;    // never negative: the input image, or behind a ReLU
  bool is_output = false;    // the network's output
  std::vector<int> readers;  // stages that read it, directly or through pooling (source tensors only)
};

// One step of execution: a stage or a pooling node, in graph order.
struct Step {
  int stage = -1;  // index into Layout::stages, or -1 for pooling
  int node = 0;    // weight node or pooling node
  int input = 0;   // tensors
  int output = 0;
};

struct Layout {
  std::vector<Stage> stages;
  std::vector<TensorNode> tensors;  // entry 0 is the network's input
  std::vector<Step> steps;
};

// Throws std::invalid_argument naming the node whose place in the graph cannot be folded.
Layout lay_out(const model::Network& network);

// Width of every tensor under `plan`. Layers that read one tensor must agree (a tied tensor); throws
// std::invalid_argument naming both layers where they do not.
std::vector<int> tensor_bits(const Layout& layout, const model::Plan& plan);

// Sets tied layers (several readers of one tensor) to the largest activation width among them.
void tie_widths(const Layout& layout, model::Plan& plan);

// Output channels of every weight layer, as a plan wants them.
std::vector<int> channels_of(const model::Network& network);

}  // namespace bitstrata::quant
