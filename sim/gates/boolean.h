// SPDX-License-Identifier: Apache-2.0
// Boolean functions as Liberty writes them, as truth tables.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitstrata::sim::gates {

// Most inputs a function of a cell may have.
inline constexpr int max_inputs = 6;

// Bit i: the value where input k is bit k of i. Bits above 2^inputs repeat those below.
using TruthTable = std::uint64_t;

// Truth table in which input k alone decides.
inline constexpr TruthTable input_table[max_inputs] = {0xAAAAAAAAAAAAAAAA, 0xCCCCCCCCCCCCCCCC, 0xF0F0F0F0F0F0F0F0,
                                                       0xFF00FF00FF00FF00, 0xFFFF0000FFFF0000, 0xFFFFFFFF00000000};

// Parses !a, a', a^b, a*b, a&b, a b, a+b, a|b, parentheses, 0 and 1; ! binds tightest, then ^, then and, then or.
// Throws std::invalid_argument where the text is damaged, names something else than `inputs`, or there are too many.
TruthTable parse_function(std::string_view text, std::span<const std::string> inputs);

// The names in the text, in the order they first occur.
std::vector<std::string> function_names(std::string_view text);

// Whether input k ever decides.
inline bool depends_on(TruthTable table, int k) {
  const int step = 1 << k;
  return ((table >> step) & ~input_table[k]) != (table & ~input_table[k]);
}

}  // namespace bitstrata::sim::gates
