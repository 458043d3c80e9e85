// SPDX-License-Identifier: Apache-2.0
// In what order the planes of a vector are issued: what the style's body in rtl/bs_streamer.sv decides.
#pragma once

#include <algorithm>

#include "model/style.h"

namespace bitstrata::sim::systemc {

// A plane of the activations on its way to the columns; overlay: with a plane of the weights.
struct PlaneStep {
  int activation = 0, weight = 0;
  int fold = 0;           // pim: log2 of the planes at once, of which `activation` is the lowest
  bool last = false;      // of the vector
  bool shift = false;     // overlay: first pair of a further diagonal
  bool negative = false;  // counts are subtracted (but in pim's sign columns)
  bool operator==(const PlaneStep&) const = default;
};

class PlaneOrder {
 public:
  explicit PlaneOrder(const model::Style& style) : pairs_(!style.row_is_a_value) {}

  // The first one, of a vector whose highest plane is `top`.
  // `fold`: log2 of the planes at once, of which none is subtracted then.
  PlaneStep first(int top, int weight_bits, bool signed_codes, int fold) const {
    if (!pairs_) {
      const int lowest = top >> fold << fold;
      return {lowest, 0, fold, lowest == 0, false, signed_codes && fold == 0};
    }
    const int weight = weight_bits - 1;
    return {top, weight, 0, top + weight == 0, false, signed_codes != (weight != 0)};
  }

  // What follows `step`, which is not the last. Fields are written one by one: what is written in pieces and read as a
  // whole waits for the pieces to reach the cache.
  void next(const PlaneStep& step, int top, int weight_bits, bool signed_codes, PlaneStep& next) const {
    if (!pairs_) {
      next.activation = step.activation - (1 << step.fold);
      next.weight = 0;
      next.fold = step.fold;
      next.last = next.activation == 0;
      next.shift = next.negative = false;
      return;
    }
    // Along the diagonals, on which the places of the two planes add up to the same.
    const int top_weight = weight_bits - 1;
    const bool diagonal_end = step.weight == 0 || step.activation == top;
    const int diagonal = step.weight + step.activation - (diagonal_end ? 1 : 0);
    const int weight = diagonal_end ? std::min(diagonal, top_weight) : step.weight - 1, activation = diagonal - weight;
    next.activation = activation;
    next.weight = weight;
    next.last = diagonal == 0;
    next.shift = diagonal_end;
    next.negative = (signed_codes && activation == top) != (top_weight != 0 && weight == top_weight);
  }

 private:
  bool pairs_;
};

}  // namespace bitstrata::sim::systemc
