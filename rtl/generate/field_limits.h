// SPDX-License-Identifier: Apache-2.0
// What the fields of a descriptor can count, and what 32-bit addresses reach.
#pragma once

#include <cstdint>
#include <string>

#include "rtl/generate/descriptor.h"
#include "rtl/generate/tiling.h"

namespace bitstrata::generate {

inline constexpr std::int64_t most_descriptors = 65535;  // of a list: the sequencer counts them in 16 bits

// The most that rows, pixels, tiles and blocks are counted to.
std::int64_t longest_count(const model::Architecture& architecture);
// Bytes that a list's addresses reach.
std::int64_t address_space(const model::Architecture& architecture);
// The largest value that the architecture's registers of a field hold: its own, or less where `count_bits` or
// `address_width` are less than the fields allow.
std::int64_t most_held(const model::Architecture& architecture, Field field);

// Empty where every count of the piece fits its field; else what does not, with the limit. `output_tiles` and
// `parameter_bytes` of the piece's channels.
std::string field_misfit(const model::Architecture& architecture, const model::IntegerNetwork& network,
                         const model::IntegerLayer& layer, const Mapping& mapping, const Piece& piece, const Room& room,
                         std::int64_t output_tiles, std::int64_t parameter_bytes);

// Bytes of the layer's tensors, one image each, and of its weights without any gap: no layout takes less.
std::int64_t least_bytes(const model::Architecture& architecture, const model::IntegerNetwork& network,
                         const model::IntegerLayer& layer);

}  // namespace bitstrata::generate
