// SPDX-License-Identifier: Apache-2.0
// Examples as tensors; LibTorch shows.
#pragma once

#include <torch/torch.h>

#include "quant/training_data.h"

namespace bitstrata::quant {

struct Labelled {
  torch::Tensor images;  // [n][channel][y][x], bytes or values: as Module::forward takes them
  torch::Tensor labels;  // [n], int64

  explicit Labelled(const Examples& source) : Labelled(source, source.count()) {}
  // The first `count` of them.
  Labelled(const Examples& source, std::int64_t count) {
    const model::Shape& s = source.shape;
    const std::vector<std::int64_t> sizes{count, s.height, s.width, s.channels};
    const torch::Tensor view =
        source.bytes.empty() ? torch::from_blob(const_cast<float*>(source.values.data()), sizes, torch::kFloat32)
                             : torch::from_blob(const_cast<std::uint8_t*>(source.bytes.data()), sizes, torch::kUInt8);
    images = view.permute({0, 3, 1, 2}).clone(torch::MemoryFormat::Contiguous);
    labels = torch::from_blob(const_cast<int*>(source.labels.data()), {count}, torch::kInt32).to(torch::kInt64);
  }
};

}  // namespace bitstrata::quant
