// SPDX-License-Identifier: Apache-2.0
// Which values are masked to see what a network makes of it (internal: includes LibTorch).
#pragma once

#include <torch/torch.h>

namespace bitstrata::quant {

// 0 for about an eighth of the values, drawn by a fixed seed, 1 for the others. Shape: that of `like`.
torch::Tensor mask_like(const torch::Tensor& like);

}  // namespace bitstrata::quant
