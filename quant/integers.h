// SPDX-License-Identifier: Apache-2.0
// The integers of a trained module: codes, biases and requantization of every stage, from which the exact path
// computes and the export writes (internal: includes LibTorch).
#pragma once

#include <torch/torch.h>

#include <vector>

#include "quant/module.h"

namespace bitstrata::quant {

struct StageIntegers {
  torch::Tensor weights;     // int64 [out][in/groups][ky][kx]
  torch::Tensor bias;        // int64 [out]
  torch::Tensor multiplier;  // int64 [out]
  torch::Tensor shift;       // int64 [out]
  int acc_shift = 0;
};

struct ModuleIntegers {
  std::vector<Grid> tensors;          // of Layout::tensors
  std::vector<StageIntegers> stages;  // of Layout::stages
};

// Computed in double from the folded weights. Throws std::invalid_argument when the ranges were never calibrated.
ModuleIntegers integers_of(const Module& module);

// Divides the sum over an average pooling window: 1 / taps.
StageIntegers average_integers(const model::Window& window, int channels);

}  // namespace bitstrata::quant
