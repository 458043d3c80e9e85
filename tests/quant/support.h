// SPDX-License-Identifier: Apache-2.0
// Small data and networks for the tests of training.
#pragma once

#include <filesystem>

#include "model/network.h"
#include "quant/training_data.h"

namespace bitstrata::test {

// The first images of Fashion-MNIST: 1,024 for training, 256 each for validation and test.
const quant::TrainingData& small_dataset();

// 28x28 images through two normalised convolutions, both poolings and a linear layer; a few thousand MACs.
model::Network tiny_network();

// Like tiny_network with a convolution without ReLU in the middle, so that a hidden tensor takes both signs.
model::Network signed_network();

// A residual network: an identity and a projected shortcut, ReLUs behind the sums, a mean over the image.
model::Network residual_network();

// A mobile network: depthwise layers, ReLU6, hard swish, squeeze and excitation (a product with one pixel).
model::Network mobile_network();

// A detector's operators: SiLU, sigmoid, leaky ReLU, enlarging, depth to space, joining of two and of four tensors,
// padded maximum pooling, and a product of two images.
model::Network branching_network();

// Every function that hardware reads from a table, behind a convolution of its own.
model::Network functions_network();

// A folder of its own for each test, empty.
std::filesystem::path scratch_folder();

}  // namespace bitstrata::test
