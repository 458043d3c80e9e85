// SPDX-License-Identifier: Apache-2.0
// The memory image of a program: descriptors, parameters, weights, room for tensors.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "rtl/generate/descriptor.h"
#include "rtl/generate/tiling.h"

namespace bitstrata::generate {

// Hands out the places of a memory that is not there yet.
class MemoryLayout {
 public:
  // Every region starts on a page of AXI's burst rule, so that the bursts of a layer do not depend on its neighbours.
  static constexpr std::int64_t page = 4096;
  // Memory that fewer than 32 address bits reach has no room for pages: regions start on a record of parameters there.
  static std::int64_t alignment_of(const model::Architecture& a) {
    return a.address_width < 32 ? std::max(16, a.data_bits / 8) : page;
  }

  explicit MemoryLayout(const model::Architecture& architecture) : alignment_(alignment_of(architecture)) {}
  // Throws std::invalid_argument past 2 GiB.
  std::uint32_t reserve(std::int64_t bytes);
  std::size_t bytes() const { return static_cast<std::size_t>(bytes_); }

 private:
  std::int64_t alignment_, bytes_ = 0;
};

// Writes numbers into a memory that is zero where they go.
class MemoryImage {
 public:
  explicit MemoryImage(std::span<std::uint8_t> bytes) : bytes_(bytes) {}

  void put32(std::uint32_t address, std::uint32_t value);
  void put64(std::uint32_t address, std::uint64_t value);
  void put(std::uint32_t address, const Descriptor& descriptor);
  void set_bit(std::uint32_t address, int bit) {
    auto& byte = bytes_[address + static_cast<std::uint32_t>(bit / 8)];
    byte = static_cast<std::uint8_t>(byte | (1u << (bit % 8)));
  }
  // Up to 16 bits from bit `bit` of the address on.
  void put_bits(std::uint32_t address, int bit, unsigned value) {
    value <<= bit % 8;
    for (std::uint32_t at = address + static_cast<std::uint32_t>(bit / 8); value != 0; ++at, value >>= 8)
      bytes_[at] = static_cast<std::uint8_t>(bytes_[at] | value);
  }

 private:
  std::span<std::uint8_t> bytes_;
};

// Parameter records in the order post-processing uses them: groups of post_lanes for every output tile and macro.
int parameter_groups(const model::Architecture& architecture, const Mapping& mapping, const Piece& piece);
// Bytes of the records, with the table of the activation behind them.
std::int64_t parameter_bytes(const model::Architecture& architecture, const model::IntegerLayer& layer,
                             const Mapping& mapping, const Piece& piece);
void put_parameters(MemoryImage& image, std::uint32_t address, const model::Architecture& architecture,
                    const model::IntegerLayer& layer, const Mapping& mapping, const Piece& piece,
                    std::span<const std::int64_t> turned = {});

// log2 of the planes that vectors of the piece's last row tile stream at once.
int fold_of(const model::Architecture& architecture, const model::IntegerLayer& layer, const Mapping& mapping,
            const Piece& piece);
// Words of the weight buffer for the piece's weights, all tiles and macros; bytes of one.
std::int64_t weight_words(const model::Architecture& architecture, const model::IntegerLayer& layer,
                          const Mapping& mapping, const Piece& piece);
std::int64_t weight_word_bytes(const model::Architecture& architecture);
// Input values a full vector pass of a tile reads: rows of a macro's weights.
std::int64_t kernel_values(const model::IntegerLayer& layer, const Mapping& mapping, const Piece& piece);
// By output channel: what the accumulators hold too much, moved up by acc_shift, where codes enter with their sign
// plane turned over (Mapping::sign_plane); put_parameters takes it off the biases. Empty where none do.
std::vector<std::int64_t> turned_sums(const model::Architecture& architecture, const model::IntegerLayer& layer,
                                      int in_channels, const Mapping& mapping, const Piece& piece);
void put_weights(MemoryImage& image, std::uint32_t address, const model::Architecture& architecture,
                 const model::IntegerLayer& layer, int in_channels, const Mapping& mapping, const Piece& piece);

}  // namespace bitstrata::generate
