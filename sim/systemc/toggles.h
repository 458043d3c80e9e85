// SPDX-License-Identifier: Apache-2.0
// Toggle events (model/events.h) of a macro or of dot units: what the nets of rtl/bs_column.sv and bs_dot.sv held last,
// and how many of their bits change. Free of SystemC; called with the values the model has anyway.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "model/architecture.h"
#include "model/events.h"
#include "sim/systemc/lines.h"

namespace bitstrata::sim::systemc {

// Values of `width` bits, two's complement, as they were last seen.
class Watched {
 public:
  Watched(std::size_t count, int width) : last_(count), mask_(width >= 64 ? ~Word{0} : (Word{1} << width) - 1) {}
  // Changed bits of value i.
  std::int64_t change(std::size_t i, std::int64_t value) {
    const Word bits = static_cast<Word>(value) & mask_, changed = bits ^ last_[i];
    last_[i] = bits;
    return std::popcount(changed);
  }
  std::int64_t change(std::size_t first, std::span<const std::int64_t> values) {
    std::int64_t changed = 0;
    for (std::size_t i = 0; i < values.size(); ++i) changed += change(first + i, values[i]);
    return changed;
  }

 private:
  std::vector<Word> last_;
  Word mask_;
};

// The AND of an activation plane and a weight plane, and the tree that counts it, of `units` columns or dot units.
class WatchedProducts {
 public:
  WatchedProducts(std::size_t units, int rows);
  // log2 of the planes on the activation lines from now on: the tree weights their counts.
  void fold(int fold) { fold_ = fold; }
  // Word w of unit u is activations[w] & weights[w * stride].
  void change(std::size_t unit, const Word* activations, const Word* weights, std::size_t stride,
              model::Toggles& toggles);
  // Products of the unit change: those of word w that `changed` says.
  void flip(std::size_t unit, std::size_t word, Word changed, model::Toggles& toggles);

 private:
  // Word `index` becomes `bits`: number of changed bits in the nodes of its tree.
  std::int64_t tree_change(std::size_t index, Word bits);

  int rows_, fold_ = 0;
  std::size_t row_words_;
  std::vector<Word> products_;       // [unit][word]
  std::vector<std::uint8_t> folds_;  // with which the trees were last looked at
};

// Everything of a macro or of the dot units. Columns are the units of style pim, of overlay vectors x outputs, vector
// by vector.
class ArrayToggles {
 public:
  explicit ArrayToggles(const model::Architecture& architecture);

  const model::Toggles& sums() const { return sums_; }

  // Lines of the activation planes of the first `vectors` vectors, as the array's register holds them from now on.
  void activations(const Word* planes, int vectors);
  // pim: planes at once, of those shown last.
  void fold(int fold) { products_.fold(fold); }
  // pim: products of all columns with the planes shown last; word w of column c at cells[w * stride + c].
  void products(const Word* cells, std::size_t stride);
  // pim: neighbouring rows of cells are written at once; the products that change with them are counted unless all are
  // looked at anyway.
  void weight_rows(int first, int rows, const Word* before, const Word* after, bool count_products);
  // overlay: the weight planes that meet the activations, word w of output n at planes[w * outputs + n].
  void weight_planes(const Word* planes);
  void plane_written(const Word* before, const Word* after);

  void counts(std::size_t first, std::span<const std::int64_t> values) {
    sums_.count_toggles += counts_.change(first, values);
  }
  void operands(std::size_t unit, std::int64_t augend, std::int64_t addend) {
    sums_.operand_toggles += augends_.change(unit, augend) + addends_.change(unit, addend);
  }
  void accumulators(std::size_t first, std::span<const std::int64_t> values) {
    sums_.accumulator_toggles += accumulators_.change(first, values);
  }
  void accumulator(std::size_t column, std::int64_t value) {
    sums_.accumulator_toggles += accumulators_.change(column, value);
  }
  // overlay: captured sums.
  void joined(std::size_t first, std::span<const std::int64_t> values) {
    sums_.joiner_toggles += joined_.change(first, values);
  }
  // pim: sums of up to four columns, and of all of an output.
  void four(std::size_t column, std::int64_t value) { sums_.joiner_toggles += fours_.change(column, value); }
  void output_sum(std::size_t column, std::int64_t value) {
    sums_.joiner_toggles += output_sums_.change(column, value);
  }
  void outputs(std::span<const std::int64_t> values) { sums_.output_toggles += outputs_.change(0, values); }

 private:
  const std::size_t row_words_, columns_, vectors_;
  model::Toggles sums_;
  std::vector<Word> activations_, weight_lines_;
  WatchedProducts products_;
  Watched counts_, augends_, addends_, accumulators_, joined_, fours_, output_sums_, outputs_;
};

}  // namespace bitstrata::sim::systemc
