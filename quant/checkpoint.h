// SPDX-License-Identifier: Apache-2.0
// A module and its momentum as named tensors (internal: includes LibTorch).
#pragma once

#include <torch/torch.h>

#include <map>
#include <string>

#include "quant/module.h"
#include "quant/tensor_file.h"

namespace bitstrata::quant {

// A module in mid-training.
struct TrainingState {
  Module module;
  std::vector<torch::Tensor> momentum;  // parallel to module.parameters()
  TrainingState clone() const;
};

TensorData to_data(const torch::Tensor& tensor);
torch::Tensor to_tensor(const TensorData& data);

// Tensors under `prefix` (without momentum where there is none), plan and channels as JSON in the metadata under the
// same prefix.
void put_state(TensorFile& file, const std::string& prefix, const TrainingState& state);
// `base` is the network with all channels. Throws std::runtime_error naming what is missing or does not fit. With
// `weights_only` plan, ranges and momentum stay as a fresh module has them.
TrainingState take_state(const TensorFile& file, const std::string& prefix, const model::Network& base,
                         const QuantizeOptions& options, bool weights_only);

}  // namespace bitstrata::quant
