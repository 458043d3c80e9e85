// SPDX-License-Identifier: Apache-2.0
// One piece of a layer as the descriptor that runs it.
#pragma once

#include "rtl/generate/descriptor.h"
#include "rtl/generate/tiling.h"

namespace bitstrata::generate {

// Where a piece's operands lie: first bytes of the whole tensors (of one image), of the piece's weights and parameters.
struct Addresses {
  std::uint32_t input = 0, second = 0, output = 0, weights = 0, parameters = 0;
};

// A descriptor that is neither the last of its list nor keeps weights. Throws std::invalid_argument, naming the layer,
// for what the architecture was built without.
Descriptor describe(const model::Architecture& architecture, const model::IntegerNetwork& network,
                    const model::IntegerLayer& layer, const Tiling& tiling, const Piece& piece,
                    const Addresses& addresses);

// Lines of a row of the tensor in memory.
int row_lines(const model::Architecture& architecture, const model::TensorFormat& format);
// Bytes of one image's tensor, and so of the step to the next image's.
std::int64_t tensor_bytes(const model::Architecture& architecture, const model::TensorFormat& format);

// Takes the descriptor's operands so many bytes further on.
void shift(Descriptor& descriptor, const Addresses& by);

}  // namespace bitstrata::generate
