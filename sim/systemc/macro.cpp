// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/macro.h"

#include <algorithm>
#include <bit>

namespace bitstrata::sim::systemc {

Macro::Macro(const model::Architecture& architecture)
    : overlay_(architecture.overlay()),
      rows_(architecture.rows),
      rows_at_once_(architecture.rows_at_once()),
      columns_(architecture.columns),
      row_words_((architecture.rows + 63) / 64),
      column_words_((architecture.columns + 63) / 64),
      unused_sum_bits_(64 - architecture.accumulator_bits),
      depth_(static_cast<std::size_t>(architecture.psum_depth)) {
  const auto columns = static_cast<std::size_t>(columns_);
  row_cells_.resize(static_cast<std::size_t>(row_words_) * 64 * static_cast<std::size_t>(column_words_));
  // Columns are turned 64 at a time.
  cells_.resize(static_cast<std::size_t>(row_words_) * static_cast<std::size_t>(column_words_) * 64);
  for (auto* of_columns : {&counts_, &fours_, &accs_, &joined_, &values_, &partials_, &read_partials_}) {
    of_columns->resize(columns);
  }
  sums_.resize(2 * depth_ * columns);
}

void Macro::reset() {
  std::ranges::fill(row_cells_, 0);
  turned_ = counts_ahead_ = false;
  begin_vector();
  for (auto* registers : {&counts_, &fours_, &accs_, &joined_, &values_, &sums_}) std::ranges::fill(*registers, 0);
}

void Macro::configure(int weight_bits) { weight_bits_ = std::max(1, weight_bits); }

void Macro::write_word(int word, std::span<const Word> bits) {
  // Words are read from the buffer while no plane is issued, so they come behind the addition of the last one.
  if (counts_ahead_) throw std::logic_error("weights of a macro change while a plane meets them");
  work_off();
  const auto words = static_cast<std::size_t>(column_words_), first = static_cast<std::size_t>(word * rows_at_once_);
  Word* const cells = &row_cells_[first * words];
  if (toggles_) {
    written_word_ = word;
    written_before_.assign(cells, cells + static_cast<std::size_t>(rows_at_once_) * words);
  }
  const int count = static_cast<int>(bits.size());
  for (int row = 0; row < rows_at_once_; ++row) {
    for (int w = 0; w < column_words_; ++w)
      cells[static_cast<std::size_t>(row) * words + static_cast<std::size_t>(w)] =
          bits_at(bits.data(), count, row * columns_ + w * 64) & mask_word(0, columns_, w);
  }
  turned_ = false;
}

// 64 x 64 blocks, halves exchanged at ever smaller distances.
void Macro::transpose() {
  for (int w = 0; w < row_words_; ++w) {
    for (int v = 0; v < column_words_; ++v) {
      Word block[64];
      for (int i = 0; i < 64; ++i) block[i] = row_cells_[static_cast<std::size_t>((w * 64 + i) * column_words_ + v)];
      Word mask = 0x00000000ffffffff;
      for (int j = 32; j != 0; j >>= 1, mask ^= mask << j) {
        for (int k = 0; k < 64; k = ((k | j) + 1) & ~j) {
          const Word swap = (block[k] >> j ^ block[k | j]) & mask;
          block[k] ^= swap << j;
          block[k | j] ^= swap;
        }
      }
      std::copy_n(block, 64, &cells_[static_cast<std::size_t>((w * column_words_ + v) * 64)]);
    }
  }
  turned_ = true;
}

void Macro::settle(const Word* plane, int fold) {
  if (!toggles_) return;
  if (written_word_ >= 0) {
    const auto first = static_cast<std::size_t>(written_word_ * rows_at_once_);
    toggles_->weight_rows(static_cast<int>(first), rows_at_once_, written_before_.data(),
                          &row_cells_[first * static_cast<std::size_t>(column_words_)], plane == nullptr);
    written_word_ = -1;
  }
  if (plane == nullptr) return;
  if (!turned_) transpose();
  toggles_->activations(plane, 1);
  toggles_->fold(fold);
  toggles_->products(cells_.data(), static_cast<std::size_t>(column_words_) * 64);
}

void Macro::watch_outputs(int lanes, const std::int64_t* values) {
  if (toggles_) toggles_->outputs({values, static_cast<std::size_t>(lanes)});
}

void Macro::read_sums(int lanes, bool half, std::uint32_t pixel) {
  std::copy_n(&sums_[at(half, pixel)], lanes, read_partials_.begin());
}

void Macro::write_sums(int lanes, const std::int64_t* values, bool first, bool maximum, bool half,
                       std::uint32_t pixel) {
  std::int64_t* const sums = &sums_[at(half, pixel)];
  const std::int64_t* const partials = partials_.data();
  const int unused = unused_sum_bits_;
  // Sums keep accumulator_bits bits.
  const auto cut = [unused](std::int64_t value) {
    return static_cast<std::int64_t>(static_cast<Word>(value) << unused) >> unused;
  };
  if (first) {
    for (int j = 0; j < lanes; ++j) sums[j] = cut(values[j]);
  } else if (maximum) {
    for (int j = 0; j < lanes; ++j) sums[j] = cut(std::max(values[j], partials[j]));
  } else {
    for (int j = 0; j < lanes; ++j) sums[j] = cut(values[j] + partials[j]);
  }
}

void Macro::take_joined(int lanes, std::int64_t activation_sum) {
  std::int64_t* const values = values_.data();
  const std::int64_t* const joined = joined_.data();
  if (weight_bits_ == 1) {
    // Weights -1 and +1: sum((2b - 1) * a) = 2 * sum(b * a) - sum(a).
    for (int j = 0; j < lanes; ++j) values[j] = 2 * joined[j] - activation_sum;
  } else {
    for (int j = 0; j < lanes; ++j) values[j] = joined[j * weight_bits_];
  }
  watch_outputs(lanes, values);
}

void Macro::take_sums(int lanes, const std::int64_t* sums, std::int64_t activation_sum) {
  const std::int64_t factor = weight_bits_ == 1 ? 2 : 1, less = weight_bits_ == 1 ? activation_sum : 0;
  for (int j = 0; j < lanes; ++j) values_[static_cast<std::size_t>(j)] = sums[j] * factor - less;
  watch_outputs(lanes, values_.data());
}

// The next planes, the first one the highest.
template <int planes>
void Macro::add_planes(const Word* from) {
  std::int64_t* const accs = accs_.data();
  for (int w = 0; w < row_words_; ++w) {
    const Word* const cells = &cells_[static_cast<std::size_t>(w * column_words_ * 64)];
    const int shift = w == 0 ? planes : 0;
    Word plane[planes];
    for (int p = 0; p < planes; ++p) plane[p] = from[p * row_words_ + w];
    for (int c = 0; c < collected_columns_; ++c) {
      std::int64_t sum = accs[c] * (std::int64_t{1} << shift);
      for (int p = 0; p < planes; ++p) {
        sum += std::int64_t{std::popcount(cells[c] & plane[p])} << (planes - 1 - p);
      }
      accs[c] = sum;
    }
  }
}

void Macro::count_parts(int columns, const Word* plane, int fold, std::int64_t* counts) const {
  const int part = rows_ >> fold;
  for (int s = 0; s < 1 << fold; ++s) {
    for (int w = 0; w < row_words_; ++w) {
      const Word bits = plane[w] & mask_word(s * part, (s + 1) * part, w);
      if (bits == 0) continue;
      const Word* const cells = &cells_[static_cast<std::size_t>(w * column_words_ * 64)];
      for (int c = 0; c < columns; ++c) counts[c] += std::int64_t{std::popcount(cells[c] & bits)} << s;
    }
  }
}

void Macro::work_off() {
  if (collected_ == 0) return;
  if (!turned_) transpose();
  std::int64_t* const accs = accs_.data();
  if (fold_ != 0) {
    for (int p = 0; p < collected_; ++p) {
      for (int c = 0; c < collected_columns_; ++c) accs[c] = accs[c] * (std::int64_t{1} << (1 << fold_));
      count_parts(collected_columns_, &planes_[static_cast<std::size_t>(p * row_words_)], fold_, accs);
    }
    collected_ = 0;
    return;
  }
  const auto turn_sign = [&] {
    for (int c = 0; c < collected_columns_; ++c) accs[c] = -accs[c];
  };
  for (int p = 0; p < collected_;) {
    const Word* const from = &planes_[static_cast<std::size_t>(p * row_words_)];
    const unsigned negative = negative_ >> p;
    const int left = collected_ - p;
    if ((negative & 1) != 0) {
      // 2 * acc - count = -(2 * -acc + count)
      turn_sign();
      add_planes<1>(from);
      turn_sign();
      ++p;
    } else if (left >= 4 && (negative & 0xf) == 0) {
      add_planes<4>(from);
      p += 4;
    } else if (left >= 2 && (negative & 3) == 0) {
      add_planes<2>(from);
      p += 2;
    } else {
      add_planes<1>(from);
      ++p;
    }
  }
  collected_ = 0;
  negative_ = 0;
}

// The columns of an output by their places, the last one, of several, with its sign.
void Macro::join_all(int columns) {
  work_off();
  const std::int64_t* const accs = accs_.data();
  for (int c = 0; c + weight_bits_ <= columns; c += weight_bits_) {
    const int last = c + weight_bits_ - 1;
    std::int64_t sum = last == c ? accs[last] : -accs[last];
    for (int i = last - 1; i >= c; --i) sum = sum * 2 + accs[i];
    joined_[static_cast<std::size_t>(c)] = sum;
  }
}

// The joiner's first half: up to four columns by their places. A sign's column that is alone is subtracted in the
// second.
void Macro::join_watched(int columns) {
  for (int c = 0; c + weight_bits_ <= columns; c += weight_bits_) {
    for (int first = 0; first < weight_bits_; first += 4) {
      std::int64_t sum = 0;
      for (int i = first; i < std::min(first + 4, weight_bits_); ++i) {
        const std::int64_t count = counts_[static_cast<std::size_t>(c + i)] * (std::int64_t{1} << (i - first));
        sum += i + 1 == weight_bits_ && i != first ? -count : count;
      }
      toggles_->four(static_cast<std::size_t>(c + first), sum);
      fours_[static_cast<std::size_t>(c + first)] = sum;
    }
  }
}

// Its second half, and the accumulators: in the first column of an output.
void Macro::sum_watched(int columns, bool first, bool negative, int fold) {
  for (int c = 0; c + weight_bits_ <= columns; c += weight_bits_) {
    const auto column = static_cast<std::size_t>(c);
    std::int64_t sum = 0;
    for (int i = 0; i < weight_bits_; i += 4) {
      const std::int64_t four = fours_[column + static_cast<std::size_t>(i)] * (std::int64_t{1} << i);
      sum += i + 1 == weight_bits_ && i != 0 ? -four : four;
    }
    toggles_->output_sum(column, sum);
    const std::int64_t augend = first ? 0 : joined_[column] * (1 << (1 << fold)), addend = negative ? -sum : sum;
    toggles_->operands(column, augend, addend);
    joined_[column] = augend + addend;
    toggles_->accumulator(column, joined_[column]);
  }
}

void Macro::count_watched(int columns, const Word* plane, int fold) {
  if (!turned_) transpose();
  std::int64_t* const counts = counts_.data();
  if (fold != 0) {
    std::fill_n(counts, columns, 0);
    count_parts(columns, plane, fold, counts);
    toggles_->counts(0, {counts, static_cast<std::size_t>(columns)});
    return;
  }
  const Word* cells = cells_.data();
  const Word first = plane[0];
  for (int c = 0; c < columns; ++c) counts[c] = std::popcount(cells[c] & first);
  for (int w = 1; w < row_words_; ++w) {
    cells += column_words_ * 64;
    const Word bits = plane[w];
    for (int c = 0; c < columns; ++c) counts[c] += std::popcount(cells[c] & bits);
  }
  toggles_->counts(0, {counts, static_cast<std::size_t>(columns)});
}

}  // namespace bitstrata::sim::systemc
