// SPDX-License-Identifier: Apache-2.0
// How a float graph becomes integer layers. A convolution or linear node takes the batch norm and the activation that
// follow it into one layer; adds, products, joins and poolings take the activation; an activation that nothing can
// take is a layer of its own.
#pragma once

#include <string>
#include <vector>

#include "model/network.h"
#include "model/plan.h"

namespace bitstrata::model {

// One weight layer with what is folded into it. Node indices; -1 where there is none.
struct Stage {
  std::string name;  // of the weight node
  int weight = -1;
  int batch_norm = -1;
  int activation = -1;
  int last() const { return activation >= 0 ? activation : batch_norm >= 0 ? batch_norm : weight; }
};

// One quantized tensor: the network's input or the output of a step.
struct TensorNode {
  int node = 0;    // the node whose value it is
  int source = 0;  // tensor whose format it shares: itself, or through pooling and upsampling its origin;
                   // an average pooling that ends the network has its own
  bool rectified =
      false;  // never negative: the input image, behind a ReLU, sigmoid or the like, or made of such tensors
  bool is_output = false;    // the network's output
  std::vector<int> readers;  // stages that read it, directly or through pooling (source tensors only)
};

// One step of execution, in graph order: an integer layer.
struct Step {
  int stage = -1;           // index into Layout::stages, or -1
  int node = 0;             // its node; the activation itself where that stands alone
  int activation = -1;      // node, where one is folded or stands alone
  bool pools = false;       // an average pooling
  std::vector<int> inputs;  // tensors
  int output = 0;           // tensor
  int activated = 0;        // tensor behind its activation function: `output`, or what a sum and the function behind it
                            // make of it (a residual block's last layer), or `output` where no function follows
  int input() const { return inputs.front(); }
};

struct Layout {
  std::vector<Stage> stages;
  std::vector<TensorNode> tensors;  // entry 0 is the network's input
  std::vector<Step> steps;
  const TensorNode& source(int tensor) const { return tensors[tensors[tensor].source]; }
};

// Throws std::invalid_argument naming the node whose place in the graph cannot be folded, or that nothing reads.
Layout lay_out(const Network& network);

// Width of every tensor under `plan`: the activation_bits of the layers that read it, directly or through pooling
// (layers that read one tensor must agree); the network's output has plan.output_bits; a tensor that only adds,
// products, joins and activations read has the width of the widest of their results, so that a residual path is as
// wide as the tensor it ends in; one that only an average pooling at the network's end reads is as wide as what the
// last layer before it reads. Throws std::invalid_argument naming both layers where two disagree.
std::vector<int> tensor_bits(const Layout& layout, const Plan& plan);

// Sets tied layers (several readers of one tensor) to the largest activation width among them.
void tie_widths(const Layout& layout, Plan& plan);

// Output channels of every weight layer, as a plan wants them.
std::vector<int> channels_of(const Network& network);

}  // namespace bitstrata::model
