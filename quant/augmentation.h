// SPDX-License-Identifier: Apache-2.0
// Random changes of training images; LibTorch shows. What is drawn depends on the generator alone.
#pragma once

#include <torch/torch.h>

namespace bitstrata::quant {

// Mirrors about half of `images` ([n][channel][y][x]) left to right.
torch::Tensor flipped(const torch::Tensor& images, at::Generator& generator);

// A window of the images' size at a random place of each of `images` ([n][channel][y][x]), all (2 * padding + 1)^2
// places alike, with a border of `padding` pixels of value `border` ([1][channel][1][1]) around the image.
torch::Tensor cropped(const torch::Tensor& images, int padding, const torch::Tensor& border, at::Generator& generator);

}  // namespace bitstrata::quant
