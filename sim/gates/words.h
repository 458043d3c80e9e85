// SPDX-License-Identifier: Apache-2.0
// 64 streams a word, and the functions of the usual cells on them.
#pragma once

#include <bit>
#include <cstdint>

#include "sim/gates/boolean.h"

namespace bitstrata::sim::gates {

inline constexpr int lanes = 64;
using Word = std::uint64_t;  // bit l: stream l
inline constexpr Word all_lanes = ~Word{0};

// X(name, inputs, function of a, b, c, d). Cells of other functions are evaluated from their truth tables, which is
// slower; the order decides where two are the same.
#define BITSTRATA_CELL_FUNCTIONS(X)   \
  X(inv, 1, ~a)                       \
  X(buf, 1, a)                        \
  X(nand2, 2, ~(a & b))               \
  X(nor2, 2, ~(a | b))                \
  X(and2, 2, (a & b))                 \
  X(or2, 2, a | b)                    \
  X(xor2, 2, a ^ b)                   \
  X(xnor2, 2, ~(a ^ b))               \
  X(nand2b, 2, ~(~a & b))             \
  X(nor2b, 2, ~(~a | b))              \
  X(nand3, 3, ~(a & b & c))           \
  X(nor3, 3, ~(a | b | c))            \
  X(and3, 3, (a & b & c))             \
  X(or3, 3, a | b | c)                \
  X(aoi21, 3, ~((a & b) | c))         \
  X(oai21, 3, ~((a | b) & c))         \
  X(ao21, 3, (a & b) | c)             \
  X(oa21, 3, (a | b) & c)             \
  X(mux2, 3, b ^ ((a ^ b) & c))       \
  X(mux2i, 3, ~(b ^ ((a ^ b) & c)))   \
  X(xor3, 3, a ^ b ^ c)               \
  X(maj3, 3, (a & b) | (c & (a | b))) \
  X(nand4, 4, ~(a & b & c & d))       \
  X(nor4, 4, ~(a | b | c | d))        \
  X(and4, 4, (a & b & c & d))         \
  X(or4, 4, a | b | c | d)            \
  X(aoi22, 4, ~((a & b) | (c & d)))   \
  X(oai22, 4, ~((a | b) & (c | d)))   \
  X(aoi211, 4, ~((a & b) | c | d))    \
  X(oai211, 4, ~((a | b) & c & d))

enum class CellFunction : std::uint8_t {
#define X(name, inputs, function) name,
  BITSTRATA_CELL_FUNCTIONS(X)
#undef X
      table,
};

// Value of a truth table over up to max_inputs inputs, all streams at once.
inline Word evaluate_table(TruthTable table, const Word* values, int inputs) {
  Word leaves[1 << max_inputs];
  for (int i = 0; i < 1 << inputs; ++i) leaves[i] = Word{0} - ((table >> i) & 1);
  for (int k = 0; k < inputs; ++k) {
    for (int i = 0; i < 1 << (inputs - 1 - k); ++i)
      leaves[i] = leaves[2 * i] ^ ((leaves[2 * i] ^ leaves[2 * i + 1]) & values[k]);
  }
  return leaves[0];
}

}  // namespace bitstrata::sim::gates
