// SPDX-License-Identifier: Apache-2.0
// Conditions on the points of a sweep: "latency_us < 5000 and not (network == 'lenet5' or luts >= 53200)".
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/sweep_columns.h"

namespace bitstrata::cli {

// Comparisons (< <= > >= == = !=) of columns, numbers, 'words', true and false, joined by and, or, not and brackets; a
// column of yes and no stands for itself. What is not known keeps no comparison, and neither its opposite.
//
// This is no SQL, though SQLite is at hand: there a number is less than any text and a < b < c compares a truth value,
// so that a slip would choose points without a word.
class Condition {
 public:
  // Throws std::invalid_argument: what is not understood, and where; of an unknown column the nearest known one.
  Condition(const std::string& text, std::vector<Column> columns);
  ~Condition();
  // Throws std::invalid_argument where values of different kinds are compared.
  bool holds(const SweepPoint& point) const;

  struct Node;

 private:
  std::string text_;
  std::unique_ptr<Node> top_;
};

}  // namespace bitstrata::cli
