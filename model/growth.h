// SPDX-License-Identifier: Apache-2.0
// What a cost of gates grows with: products of the accelerator's parameters, and sums of such terms.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "model/architecture.h"

namespace bitstrata::model {

// X(name, of an architecture a, meaning)
#define BITSTRATA_FACTORS(X)                                                                   \
  X(column, a.columns* a.tiles, "columns (overlay: columns of dot units) of all macros")       \
  X(row, a.rows, "rows of a macro")                                                            \
  X(count_bit, bits_to_hold(a.rows), "bits of a column's count")                               \
  X(vector, a.vectors, "overlay: vectors of a group")                                          \
  X(fold, a.planes_at_once(), "planes that short vectors stream at once")                      \
  X(load_row, a.rows_at_once(), "rows of weights written at once")                             \
  X(plane, a.plane_banks(), "banks of activation planes, and their wires")                     \
  X(plane_stage, bits_to_hold(a.plane_banks()) - 1, "stages that bring planes to their banks") \
  X(weight_bit, a.max_weight_bits, "bits of the widest weights")                               \
  X(line_bit, a.data_bits, "bits of a line, and of the bus")                                   \
  X(line_stage, bits_to_hold(a.data_bits) - 1, "stages that rotate a line")                    \
  X(post_lane, a.post_lanes, "post lanes")                                                     \
  X(accumulator_bit, a.accumulator_bits, "bits of a partial sum")                              \
  X(vector_unit, a.vector_unit ? 1 : 0, "1 where there is a unit for two operands")            \
  X(swish_unit, a.swish_unit ? 1 : 0, "1 where there is a unit for hard swish")                \
  X(table_unit, a.table_unit ? 1 : 0, "1 where there is a unit for tables")                    \
  X(address_bit, bits_to_hold(a.activation_depth - 1), "bits of an address of the activation buffer")

// A product of factors; "fixed" is that of none, and 1.
class Scale {
 public:
  Scale() = default;
  // "row*column", "fixed". Throws std::invalid_argument naming the factors there are.
  Scale(const char* text) : Scale(std::string_view(text)) {}
  explicit Scale(std::string_view text);

  double of(const Architecture& architecture) const;
  std::string text() const;
  bool operator==(const Scale&) const = default;

 private:
  std::vector<int> factors_;  // places in the table, ascending
};

struct GrowthTerm {
  Scale per;
  double value = 0;  // SI, of one
};

// A sum of terms.
struct Growth {
  std::vector<GrowthTerm> terms;

  static Growth fixed(double value) { return {{{Scale(), value}}}; }
  double of(const Architecture& architecture) const;
};

}  // namespace bitstrata::model
