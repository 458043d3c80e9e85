// SPDX-License-Identifier: Apache-2.0
// The content of a memory in 64 streams at once, a word of streams for each bit.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/gates/words.h"

namespace bitstrata::sim::gates {

class LaneMemory {
 public:
  // `content`: the same in all streams, bit b of word w at w * width + b. Addresses begin at `offset`.
  LaneMemory(int size, int width, int offset, const std::vector<bool>& content);

  // Bits of the addressed words in the streams of `mask`, left as they are in `data` elsewhere; 0 outside the memory.
  // Address bits are the least significant first.
  void read(std::span<const Word> address, Word mask, std::span<Word> data) const;
  // `enable` masks streams, bit by bit of the word. Addresses outside the memory are ignored.
  void write(std::span<const Word> address, std::span<const Word> enable, std::span<const Word> data);

  // Accesses that took the way of equal addresses, and those that did not.
  std::int64_t fast_accesses() const { return fast_; }
  std::int64_t slow_accesses() const { return slow_; }

 private:
  template <class F>
  void each_address(std::span<const Word> address, Word mask, F visit) const;

  int size_, width_, offset_;
  std::vector<Word> content_;
  mutable std::int64_t fast_ = 0, slow_ = 0;
};

}  // namespace bitstrata::sim::gates
