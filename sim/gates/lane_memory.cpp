// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/lane_memory.h"

#include <algorithm>

namespace bitstrata::sim::gates {

LaneMemory::LaneMemory(int size, int width, int offset, const std::vector<bool>& content)
    : size_(size), width_(width), offset_(offset), content_(content.size()) {
  std::ranges::transform(content, content_.begin(), [](bool bit) { return bit ? all_lanes : Word{0}; });
}

// visit(row or nullptr, streams): once for each address that occurs.
template <class F>
void LaneMemory::each_address(std::span<const Word> address, Word mask, F visit) const {
  if (mask == 0) return;
  bool equal = true;
  while (mask != 0) {
    const int lane = std::countr_zero(mask);
    Word same = mask;
    std::int64_t value = 0;
    for (std::size_t i = 0; i < address.size(); ++i) {
      const Word bit = (address[i] >> lane) & 1;
      value |= static_cast<std::int64_t>(bit << i);
      same &= ~(address[i] ^ (Word{0} - bit));
    }
    value -= offset_;
    equal = equal && same == mask;
    visit(value >= 0 && value < size_ ? value * width_ : -1, same);
    mask &= ~same;
  }
  ++(equal ? fast_ : slow_);
}

void LaneMemory::read(std::span<const Word> address, Word mask, std::span<Word> data) const {
  each_address(address, mask, [&](std::int64_t row, Word streams) {
    for (std::size_t b = 0; b < data.size(); ++b) {
      const Word word = row < 0 ? 0 : content_[static_cast<std::size_t>(row) + b];
      data[b] ^= (data[b] ^ word) & streams;
    }
  });
}

void LaneMemory::write(std::span<const Word> address, std::span<const Word> enable, std::span<const Word> data) {
  Word any = 0;
  for (const Word bit : enable) any |= bit;
  each_address(address, any, [&](std::int64_t row, Word streams) {
    if (row < 0) return;
    for (std::size_t b = 0; b < data.size(); ++b) {
      Word& word = content_[static_cast<std::size_t>(row) + b];
      word ^= (word ^ data[b]) & enable[b] & streams;
    }
  });
}

}  // namespace bitstrata::sim::gates
