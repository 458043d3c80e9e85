// SPDX-License-Identifier: Apache-2.0
// Exact inference on tensors, independent of model/golden (internal: includes LibTorch).
#pragma once

#include <torch/torch.h>

#include <vector>

#include "quant/integers.h"

namespace bitstrata::quant {

// Convolutions on integer codes in double precision (exact: every sum stays below 2^53, which is checked), then
// requantization in int64. What training evaluates by before export.
class ExactPath {
 public:
  // Throws std::invalid_argument naming the layer whose sums could exceed what double holds exactly.
  explicit ExactPath(const Module& module);

  // Codes of every tensor of the layout, int64 [n][channel][y][x], for a batch of byte images [n][channel][y][x].
  std::vector<torch::Tensor> run_all(const torch::Tensor& images) const;
  // The output codes, [n][classes].
  torch::Tensor run(const torch::Tensor& images) const;

 private:
  std::vector<torch::Tensor> execute(const torch::Tensor& images, bool keep_all) const;
  const Module& module_;
  ModuleIntegers integers_;
};

}  // namespace bitstrata::quant
