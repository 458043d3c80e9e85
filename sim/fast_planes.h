// SPDX-License-Identifier: Apache-2.0
// Which planes an accelerator with skip_planes streams: that depends on the activations.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/golden.h"
#include "rtl/generate/program.h"

namespace bitstrata::sim {

// Planes streamed of every vector (overlay: group of vectors) of a convolution's descriptor, from 1 to its
// activation_bits, in the order of the array: by block, output tile, row tile, pixel.
using PlaneCounts = std::vector<std::uint8_t>;

// The tensors of a batch as the accelerator sees them: the images' codes one behind the other. [image][tensor] ->
// [tensor]
std::vector<model::Codes> codes_of_batch(std::span<const std::vector<model::Codes>> images);

// Counts of descriptor `index` of the program, empty where it is no convolution; `input`: the codes of the tensor it
// reads, of all images of the batch.
PlaneCounts count_planes(const generate::Program& program, std::size_t index, const model::Codes& input);

// The tensor that descriptor `index` reads.
std::size_t input_tensor(const generate::Program& program, std::size_t index);

}  // namespace bitstrata::sim
