// SPDX-License-Identifier: Apache-2.0
// Which channels of a group are kept where only some can be (internal: includes LibTorch).
#pragma once

#include <vector>

#include "quant/module.h"

namespace bitstrata::quant {

// Channels of every group from the most to the least important: the share of non-zero outputs of a channel times the
// scale its batch norm gives it (without batch norm: the norm of its weights), as a share of the layer's largest, over
// all layers that write the group. A dead channel comes last whatever its weights.
std::vector<torch::Tensor> rank_channels(Module& module, const torch::Tensor& images, bool quantized);

// The `counts` highest ranked channels of every group.
KeptChannels highest(const std::vector<torch::Tensor>& ranking, const std::vector<int>& counts);

}  // namespace bitstrata::quant
