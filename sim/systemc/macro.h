// SPDX-License-Identifier: Apache-2.0
// One macro: columns, joiner and lanes (rtl/bs_macro.sv, bs_column.sv) as arrays over the columns. Free of
// SystemC: the array's process calls it stage by stage, last pipeline stage first, so that every stage reads what the
// one before it held in the cycle.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <vector>

#include "model/architecture.h"
#include "sim/systemc/lines.h"
#include "sim/systemc/signals.h"
#include "sim/systemc/toggles.h"

namespace bitstrata::sim::systemc {

class Macro {
 public:
  explicit Macro(const model::Architecture& architecture);

  void reset();
  // Weights of `weight_bits` columns; called before a layer.
  void configure(int weight_bits);
  // A word of the weight buffer: neighbouring rows.
  void write_word(int word, std::span<const Word> bits);
  // From now on toggles are counted.
  void watch(const model::Architecture& architecture) { toggles_.emplace(architecture); }
  const model::Toggles* toggles() const { return toggles_ ? &toggles_->sums() : nullptr; }
  // The nets between registers in this cycle, if they are watched: `plane`, where the array's register took one at the
  // last edge, meets the cells.
  void settle(const Word* plane, int fold);

  // The lanes, in this order: read the sums a value of this cycle goes to, write the sums of the last cycle's value,
  // keep what was read and register this cycle's value.
  void read_sums(int lanes, bool half, std::uint32_t pixel);
  void write_sums(int lanes, const std::int64_t* values, bool first, bool maximum, bool half, std::uint32_t pixel);
  void keep_sums() { partials_.swap(read_partials_); }
  void take_joined(int lanes, std::int64_t activation_sum);
  // take_joined of dot units' sums.
  void take_sums(int lanes, const std::int64_t* sums, std::int64_t activation_sum);
  const std::int64_t* values() const { return values_.data(); }
  // The joiner's second half with the accumulators (`last`: of a vector's last plane, whose sums the lanes take next),
  // its first half, popcounts; of the first `columns` columns. Nobody sees what the columns hold between a vector's
  // first plane and its last sums, so planes are collected, and all are worked off with the last one or when the cells
  // change: several planes meet a column's cells while these are at hand. Where toggles are watched, every register is
  // loaded in its cycle.
  void sum(int columns, bool first, bool negative, int fold, bool last) {
    if (toggles_) {
      sum_watched(columns, first, negative, fold);
    } else if (last) {
      join_all(columns);
    }
  }
  void accumulate(int columns, bool first, bool negative, int fold) {
    if (toggles_) {
      join_watched(columns);
      return;
    }
    if (first) begin_vector();
    std::copy_n(counted_.begin(), row_words_, &planes_[static_cast<std::size_t>(collected_ * row_words_)]);
    negative_ |= unsigned{negative} << collected_;
    ++collected_;
    collected_columns_ = columns;
    fold_ = fold;
    counts_ahead_ = false;
  }
  // `fold`: log2 of the planes on `plane`, each in a part of the rows.
  void count(int columns, const Word* plane, int fold) {
    if (toggles_) {
      count_watched(columns, plane, fold);
      return;
    }
    for (int w = 0; w < row_words_; ++w) counted_[static_cast<std::size_t>(w)] = plane[w];
    counts_ahead_ = true;
  }

  // Values the lanes took from elsewhere: whole codes.
  void watch_outputs(int lanes, const std::int64_t* values);

  std::int64_t sum(bool half, std::uint32_t pixel, int lane) const {
    return lane < columns_ ? sums_[at(half, pixel) + static_cast<std::size_t>(lane)] : 0;
  }

 private:
  static constexpr std::size_t most_planes = 16, most_row_words = most_rows / 64;

  void transpose();
  void sum_watched(int columns, bool first, bool negative, int fold);
  void join_watched(int columns);
  void count_watched(int columns, const Word* plane, int fold);
  // The weighted counts of the planes in `plane`, of the first `columns` columns, added to `counts`.
  void count_parts(int columns, const Word* plane, int fold, std::int64_t* counts) const;
  void begin_vector() {
    std::ranges::fill(accs_, 0);
    collected_ = 0;
    negative_ = 0;
  }
  void work_off();
  template <int planes>
  void add_planes(const Word* from);
  void join_all(int columns);
  std::size_t at(bool half, std::uint32_t pixel) const {
    return (std::size_t{half} * depth_ + pixel) * static_cast<std::size_t>(columns_);
  }

  bool overlay_;  // lanes alone are used
  int rows_, rows_at_once_, columns_, row_words_, column_words_, unused_sum_bits_;
  std::size_t depth_;
  int weight_bits_ = 1;
  // Cells as written, row by row, and turned into columns when they are first counted after a write: word w of column
  // c at w * columns + c.
  std::vector<Word> row_cells_, cells_;
  bool turned_ = false;
  // The plane that was counted last, and those before it that are to be added to accs_, which then are without the sign
  // of their column.
  std::array<Word, most_row_words> counted_{};
  std::array<Word, most_planes * most_row_words> planes_{};
  unsigned negative_ = 0;  // a bit a plane
  int collected_ = 0, collected_columns_ = 0, fold_ = 0;
  bool counts_ahead_ = false;  // the last plane is counted and not yet added
  // Registers of the columns. `fours_`: sums of up to four columns of an output, in every fourth of them.
  std::vector<std::int64_t> counts_, fours_, accs_, joined_;
  // Registers of the lanes. Partial sums read in one cycle are used in the next one, while others are read.
  std::vector<std::int64_t> values_, partials_, read_partials_, sums_;
  std::optional<ArrayToggles> toggles_;
  // The row written at the last edge, and what it held: products change with it.
  int written_word_ = -1;
  std::vector<Word> written_before_;
};

}  // namespace bitstrata::sim::systemc
