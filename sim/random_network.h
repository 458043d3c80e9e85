// SPDX-License-Identifier: Apache-2.0
// From a float graph and a plan to the integer layers hardware executes, without training: the shapes, widths and
// codings a trained network's export would have, with seeded random numbers in them.
#pragma once

#include <cstdint>

#include "model/integer_network.h"
#include "model/plan.h"

namespace bitstrata::sim {

// Layers and tensors without weights and requantization, biases 0. Convolution or linear with its batch norm and ReLU
// is one layer; pooling keeps its input's format. Tensors behind a ReLU and the network's input are unsigned, others
// two's complement (1 bit: bipolar); each has the activation_bits of the weight layer that reads it, the network's
// output plan.output_bits. Throws std::invalid_argument naming the node that cannot be folded or the plan's error.
model::IntegerNetwork integer_shapes(const model::Network& network, const model::Plan& plan);

// The coding integer_shapes gives a tensor of `bits` bits; `rectified`: TensorNode::rectified of its source.
model::Coding coding_of(bool rectified, int bits);

// Sets what of a layer without numbers follows from the formats of its tensors; part of integer_shapes, which throws
// the same where the layer has no such output.
void fit_to_tensors(model::IntegerLayer& layer, const model::IntegerNetwork& network);

// Fills layer `index` of `network`: weights over the whole range, small biases, and requantization that spreads the
// outputs of random inputs over their codes. Depends on the layer and the seed only, not on the layers around it.
// Unless they are to be kept, the weights are drawn again whenever they are read.
void randomize_layer(model::IntegerNetwork& network, std::size_t index, std::uint64_t seed, bool keep = true);

// Widths of weights and of tensors drawn from low..high, seeded; layers that read one tensor agree.
model::Plan random_plan(const model::Network& network, int low, int high, std::uint64_t seed);

// Shapes and numbers together; validated. The weights of large networks (model::Weights) are not kept.
model::IntegerNetwork random_integer_network(const model::Network& network, const model::Plan& plan,
                                             std::uint64_t seed);

}  // namespace bitstrata::sim
