// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/toggles.h"

#include <algorithm>
#include <array>

namespace bitstrata::sim::systemc {

namespace {

// Words of the SWAR popcount, from pairs of bits to the whole. Where the column's `rows` hold 2^fold planes, the sums
// of its last halves and of its last quarters are weighted.
std::array<Word, 6> tree(Word bits, int rows, int fold) {
  std::array<Word, 6> nodes;
  constexpr std::array<Word, 6> masks = {0x5555555555555555, 0x3333333333333333, 0x0f0f0f0f0f0f0f0f,
                                         0x00ff00ff00ff00ff, 0x0000ffff0000ffff, 0x00000000ffffffff};
  for (std::size_t level = 0; level < nodes.size(); ++level) {
    const int joined = 2 << level;  // leaves
    const int up = joined == rows ? fold : 2 * joined == rows && fold == 2 ? 1 : 0;
    bits = (bits & masks[level]) + (((bits >> (1 << level)) & masks[level]) << up);
    nodes[level] = bits;
  }
  return nodes;
}

std::size_t units_of(const model::Architecture& a) {
  return static_cast<std::size_t>(a.columns) * static_cast<std::size_t>(a.overlay() ? a.vectors : 1);
}

// Widths as in bs_macro.sv.
int row_width(const model::Architecture& a) { return std::bit_width(static_cast<unsigned>(a.rows)); }
int count_width(const model::Architecture& a) { return row_width(a) + (a.planes_at_once() > 2 ? 1 : 0); }
int column_width(const model::Architecture& a) { return a.max_activation_bits + row_width(a) + 1; }
int join_width(const model::Architecture& a) { return std::max(10, column_width(a) + a.max_weight_bits); }
int four_width(const model::Architecture& a) { return count_width(a) + std::min(5, a.max_weight_bits); }
int sum_width(const model::Architecture& a) { return count_width(a) + a.max_weight_bits; }
int output_width(const model::Architecture& a) { return std::max(join_width(a), 2 * (a.max_activation_bits + 1)); }

}  // namespace

WatchedProducts::WatchedProducts(std::size_t units, int rows)
    : rows_(rows),
      row_words_(static_cast<std::size_t>((rows + 63) / 64)),
      products_(units * row_words_),
      folds_(units * row_words_) {}

std::int64_t WatchedProducts::tree_change(std::size_t index, Word bits) {
  const Word last = products_[index];
  if (last == bits && folds_[index] == fold_) return 0;
  const auto before = tree(last, rows_, folds_[index]), after = tree(bits, rows_, fold_);
  products_[index] = bits;
  folds_[index] = static_cast<std::uint8_t>(fold_);
  std::int64_t changed = 0;
  for (std::size_t level = 0; level < before.size(); ++level) changed += std::popcount(before[level] ^ after[level]);
  return changed;
}

void WatchedProducts::change(std::size_t unit, const Word* activations, const Word* weights, std::size_t stride,
                             model::Toggles& toggles) {
  for (std::size_t w = 0; w < row_words_; ++w) {
    const std::size_t index = unit * row_words_ + w;
    const Word bits = activations[w] & weights[w * stride];
    toggles.product_toggles += std::popcount(products_[index] ^ bits);
    toggles.tree_toggles += tree_change(index, bits);
  }
}

void WatchedProducts::flip(std::size_t unit, std::size_t word, Word changed, model::Toggles& toggles) {
  const std::size_t index = unit * row_words_ + word;
  toggles.product_toggles += std::popcount(changed);
  toggles.tree_toggles += tree_change(index, products_[index] ^ changed);
}

ArrayToggles::ArrayToggles(const model::Architecture& a)
    : row_words_(static_cast<std::size_t>((a.rows + 63) / 64)),
      columns_(static_cast<std::size_t>(a.columns)),
      vectors_(static_cast<std::size_t>(a.overlay() ? a.vectors : 1)),
      activations_(vectors_ * row_words_),
      weight_lines_(a.overlay() ? columns_ * row_words_ : 0),
      products_(units_of(a), a.rows),
      counts_(units_of(a), count_width(a)),
      augends_(units_of(a), join_width(a)),
      addends_(units_of(a), join_width(a)),
      accumulators_(units_of(a), join_width(a)),
      joined_(units_of(a), join_width(a)),
      fours_(columns_, four_width(a)),
      output_sums_(columns_, sum_width(a)),
      outputs_(columns_, output_width(a)) {}

void ArrayToggles::activations(const Word* planes, int vectors) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(vectors) * row_words_; ++i) {
    sums_.activation_toggles += std::popcount(activations_[i] ^ planes[i]);
    activations_[i] = planes[i];
  }
}

void ArrayToggles::products(const Word* cells, std::size_t stride) {
  for (std::size_t c = 0; c < columns_; ++c) products_.change(c, activations_.data(), cells + c, stride, sums_);
}

// Rows that are written at once lie in one word of a column: their number is a power of two below a word's.
void ArrayToggles::weight_rows(int first, int rows, const Word* before, const Word* after, bool count_products) {
  const auto word = static_cast<std::size_t>(first / 64), words = (columns_ + 63) / 64;
  const Word active = activations_[word];
  for (std::size_t w = 0; w < words; ++w) {
    Word any = 0;
    std::array<Word, 8> changed{};
    for (int r = 0; r < rows; ++r) {
      const std::size_t at = static_cast<std::size_t>(r) * words + w;
      Word& row = changed[static_cast<std::size_t>(r)];
      row = (before[at] ^ after[at]) & mask_word(0, static_cast<int>(columns_), static_cast<int>(w));
      sums_.weight_toggles += std::popcount(row);
      if ((active >> ((first + r) % 64) & 1) == 0) row = 0;
      any |= row;
    }
    for (; count_products && any != 0; any &= any - 1) {
      const int column = std::countr_zero(any);
      Word of_column = 0;
      for (int r = 0; r < rows; ++r)
        of_column |= (changed[static_cast<std::size_t>(r)] >> column & 1) << ((first + r) % 64);
      products_.flip(w * 64 + static_cast<std::size_t>(column), word, of_column, sums_);
    }
  }
}

void ArrayToggles::weight_planes(const Word* planes) {
  for (std::size_t i = 0; i < weight_lines_.size(); ++i) {
    sums_.weight_line_toggles += std::popcount(weight_lines_[i] ^ planes[i]);
    weight_lines_[i] = planes[i];
  }
  for (std::size_t v = 0; v < vectors_; ++v) {
    for (std::size_t n = 0; n < columns_; ++n) {
      products_.change(v * columns_ + n, &activations_[v * row_words_], &weight_lines_[n], columns_, sums_);
    }
  }
}

void ArrayToggles::plane_written(const Word* before, const Word* after) {
  for (std::size_t w = 0; w < row_words_; ++w) {
    sums_.weight_toggles += std::popcount(before[w * columns_] ^ after[w]);
  }
}

}  // namespace bitstrata::sim::systemc
