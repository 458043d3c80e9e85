// SPDX-License-Identifier: Apache-2.0
// Small data and networks for the tests of training.
#pragma once

#include <filesystem>

#include "model/dataset.h"
#include "model/network.h"

namespace bitstrata::test {

// The first images of Fashion-MNIST: 1,024 for training, 256 each for validation and test.
const model::Dataset& small_dataset();

// 28x28 images through two normalised convolutions, both poolings and a linear layer; a few thousand MACs.
model::Network tiny_network();

// Like tiny_network with a convolution without ReLU in the middle, so that a hidden tensor takes both signs.
model::Network signed_network();

// A folder of its own for each test, empty.
std::filesystem::path scratch_folder();

}  // namespace bitstrata::test
