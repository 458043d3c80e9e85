// SPDX-License-Identifier: Apache-2.0
// The graph's operators on LibTorch tensors, [n][channel][y][x] (internal: includes LibTorch).
#pragma once

#include <torch/torch.h>

#include <vector>

#include "model/network.h"

namespace bitstrata::quant {

// Convolution, or linear layer whose weights are a kernel over its whole input. `padding` fills the border.
torch::Tensor convolve(const torch::Tensor& input, const torch::Tensor& weight, const model::Node& node,
                       double padding);

// This returns x where its values lie in one piece of memory, in whatever order, and a copy that does otherwise.
torch::Tensor dense(const torch::Tensor& x);

// Mean of every channel.
torch::Tensor channel_means(const torch::Tensor& x);

// x with a number added to every value of a channel; where nothing asks for gradients x itself is changed.
torch::Tensor add_to_channels(const torch::Tensor& x, const torch::Tensor& each);

// All other operators but batch norm: poolings (means, not sums), sums, products, joinings, enlargements and functions
// of single values. Throws std::logic_error for a node that is none of these.
torch::Tensor run_operator(const model::Node& node, const std::vector<torch::Tensor>& inputs);

}  // namespace bitstrata::quant
