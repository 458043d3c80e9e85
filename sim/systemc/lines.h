// SPDX-License-Identifier: Apache-2.0
// Arithmetic on lines of the plane buffers: data_bits bits (16 to 256) packed in 64-bit words. Free of SystemC.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitstrata::sim::systemc {

using Word = std::uint64_t;

// Bits [low, high) of word number `index`, as a mask.
inline Word mask_word(int low, int high, int index) {
  const int from = low - index * 64, to = high - index * 64;
  if (to <= 0 || from >= 64 || from >= to) return 0;
  const Word below = to >= 64 ? ~Word{0} : (Word{1} << to) - 1;
  return from <= 0 ? below : below & (~Word{0} << from);
}

// 64 bits of `words` (count of them) from bit `first` on; bits outside read as zero.
inline Word bits_at(const Word* words, int count, int first) {
  const int index = first >> 6, shift = first & 63;
  const Word low = index >= 0 && index < count ? words[index] : 0;
  if (shift == 0) return low;
  const Word high = index + 1 >= 0 && index + 1 < count ? words[index + 1] : 0;
  return low >> shift | high << (64 - shift);
}

}  // namespace bitstrata::sim::systemc
