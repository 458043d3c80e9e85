// SPDX-License-Identifier: Apache-2.0
// A layer descriptor as the accelerator reads it: 64 little-endian 32-bit words.
// The same list as rtl/bs_descriptor.svh; a test compares the two. describe.cpp says what each holds; memory layout and
// schedule behind them: docs/architecture.md.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace bitstrata::generate {

#define BITSTRATA_DESCRIPTOR_WORDS(X) \
  X(CONTROL)                          \
  X(WIDTHS)                           \
  X(IN_ADDRESS)                       \
  X(WEIGHT_ADDRESS)                   \
  X(PARAM_ADDRESS)                    \
  X(OUT_ADDRESS)                      \
  X(IN_ROW_BEATS)                     \
  X(IN_HEIGHT)                        \
  X(IN_ROW_BITS)                      \
  X(IN_SLOT)                          \
  X(IN_RING)                          \
  X(IN_SLOTS)                         \
  X(RUN_LENGTH)                       \
  X(RUN_COUNT_X)                      \
  X(RUN_STEP_X)                       \
  X(RUN_COUNT_Y)                      \
  X(RUN_STEP_Y)                       \
  X(RUN_STEP_RING)                    \
  X(PIXEL_STEP_X)                     \
  X(PIXEL_START_X)                    \
  X(PIXEL_STEP_Y)                     \
  X(PIXEL_STEP_RING)                  \
  X(PIXEL_START_Y)                    \
  X(PIXEL_START_RING)                 \
  X(OUT_WIDTH)                        \
  X(OUT_HEIGHT)                       \
  X(BLOCK_ROWS)                       \
  X(BLOCKS)                           \
  X(BLOCK_STEP_Y)                     \
  X(BLOCK_SPAN)                       \
  X(ROWS_NEEDED)                      \
  X(K_TILES)                          \
  X(N_TILES)                          \
  X(OUT_CHANNELS)                     \
  X(LANES)                            \
  X(TILE_STEP_X)                      \
  X(ROWS_LAST)                        \
  X(VECTOR_INTERVAL)                  \
  X(PARAM_BEATS)                      \
  X(OUT_ROW_LINES)                    \
  X(OUT_ROW_BITS)                     \
  X(OUT_SLOT)                         \
  X(CLIP_LOW)                         \
  X(CLIP_HIGH)                        \
  X(ZERO_POINT)                       \
  X(RUN_LENGTH_LAST)                  \
  X(OUT_ROW_BEATS)                    \
  X(OUT_ROW_STRIDE)                   \
  X(IN_ROW_STRIDE)                    \
  X(SECOND_ADDRESS)                   \
  X(SECOND_ROW_BEATS)                 \
  X(SECOND_ROW_STRIDE)                \
  X(SECOND_SLOT)                      \
  X(SECOND_START_X)                   \
  X(SECOND_STEP_X)                    \
  X(SEGMENT_CHANNELS)                 \
  X(SEGMENT_NEXT)                     \
  X(SEGMENT_STEP_X)                   \
  X(PSUM_STEP)                        \
  X(OPTIONS)                          \
  X(SWISH)                            \
  X(SWISH_OFFSET)                     \
  X(FACTOR_0)                         \
  X(FACTOR_1)

enum DescriptorWord : int {
#define X(name) D_##name,
  BITSTRATA_DESCRIPTOR_WORDS(X)
#undef X
      DESCRIPTOR_WORDS
};

inline constexpr std::array<std::string_view, DESCRIPTOR_WORDS> descriptor_word_names = {
#define X(name) #name,
    BITSTRATA_DESCRIPTOR_WORDS(X)
#undef X
};

inline constexpr std::uint32_t descriptor_magic = 0xB175;
inline constexpr std::uint32_t descriptor_stride = 256;  // bytes
enum Opcode : std::uint32_t {
  OP_CONVOLUTION = 1,
  OP_MAX_POOL = 2,
  OP_AVERAGE_POOL = 3,
  OP_ADD = 4,
  OP_MULTIPLY = 5,
  OP_COPY = 6,
};
// Bits of CONTROL above the opcode.
enum ControlBit : int {
  C_LAST = 8,
  C_RESIDENT = 9,
  C_SIGNED = 10,
  C_SECOND = 12,
  C_BROADCAST = 13,
  C_CARRY_IN = 14,
  C_CARRY_OUT = 15
};
// Bits of OPTIONS: the activation in 0..1 (model::Activation), SWISH's shift in 8..12, and these.
constexpr int O_ACC_SHIFT = 4;  // in 4..6: IntegerLayer's acc_shift
constexpr int O_KEEP_WEIGHTS = 16;

struct Descriptor {
  std::array<std::uint32_t, DESCRIPTOR_WORDS> words{};
  std::uint32_t& operator[](DescriptorWord word) { return words[static_cast<std::size_t>(word)]; }
  std::uint32_t operator[](DescriptorWord word) const { return words[static_cast<std::size_t>(word)]; }
  std::int32_t as_signed(DescriptorWord word) const { return static_cast<std::int32_t>((*this)[word]); }
  Opcode opcode() const { return static_cast<Opcode>((*this)[D_CONTROL] & 0xff); }
  bool keeps_weights() const { return ((*this)[D_OPTIONS] >> O_KEEP_WEIGHTS) & 1u; }
  bool control(ControlBit bit) const { return ((*this)[D_CONTROL] >> bit) & 1u; }
  int acc_shift() const { return static_cast<int>(((*this)[D_OPTIONS] >> O_ACC_SHIFT) & 7); }
  int weight_bits() const { return static_cast<int>((*this)[D_WIDTHS] & 31); }
  int activation_bits() const { return static_cast<int>(((*this)[D_WIDTHS] >> 8) & 31); }
  int output_bits() const { return static_cast<int>(((*this)[D_WIDTHS] >> 16) & 31); }
};

}  // namespace bitstrata::generate
