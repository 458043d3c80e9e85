// SPDX-License-Identifier: Apache-2.0
// Small models whose pixels come from channels: DepthToSpace, what it is spelled out as, and ConvTranspose.
#pragma once

#include "tests/model/onnx_cases.h"

namespace bitstrata::testing {

// Each followed by another kind of reader.
std::vector<OnnxCase> onnx_space_cases();
// A ConvTranspose of random attributes; all of them occur.
OnnxCase random_transposed_convolution(std::uint64_t seed);
// A small U-Net: two steps down by pooling, two up by ConvTranspose, each joined to what it came from.
OnnxBuilder unet();

}  // namespace bitstrata::testing
