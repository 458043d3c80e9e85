// SPDX-License-Identifier: Apache-2.0
#include "quant/augmentation.h"

namespace bitstrata::quant {

using torch::Tensor;

Tensor flipped(const Tensor& images, at::Generator& generator) {
  const Tensor chosen = torch::rand({images.size(0), 1, 1, 1}, generator) < 0.5;
  return torch::where(chosen, images.flip({3}), images);
}

Tensor cropped(const Tensor& images, int padding, const Tensor& border, at::Generator& generator) {
  const std::int64_t n = images.size(0), height = images.size(2), width = images.size(3);
  Tensor padded = border.expand({n, images.size(1), height + 2 * padding, width + 2 * padding}).clone();
  padded.narrow(2, padding, height).narrow(3, padding, width).copy_(images);
  const auto places = [&](std::int64_t side, at::IntArrayRef view) {
    return (torch::randint(0, 2 * padding + 1, {n, 1}, generator, torch::kInt64) + torch::arange(side)).view(view);
  };
  const Tensor rows = places(height, {n, 1, height, 1}), columns = places(width, {n, 1, 1, width});
  using Indices = torch::List<c10::optional<Tensor>>;
  Indices indices;
  indices.push_back(torch::arange(n).view({n, 1, 1, 1}));
  indices.push_back(torch::arange(images.size(1)).view({1, -1, 1, 1}));
  indices.push_back(rows);
  indices.push_back(columns);
  return at::index(padded, indices);
}

}  // namespace bitstrata::quant
