// SPDX-License-Identifier: Apache-2.0
// What a plan may cost: limits as people write them, and the costs that are held against them.
#pragma once

#include <array>
#include <limits>
#include <string>
#include <vector>

namespace bitstrata::quant {

enum class Quantity { latency, energy, size, area };
// The costs of plans; area is that of an array.
inline constexpr int quantities = 3;

const char* to_string(Quantity quantity);

// What one image costs: cycles, fJ, and bits of all weights.
using Costs = std::array<double, quantities>;

// A limit as it is written: "latency=0.6" (of uniform 8/8 with all channels), "latency=2.5ms", "energy=40uJ",
// "size=1.2MB" (of weights), "area=1.1" (of the bits on the chip of the array that shares are of). A number without a
// unit is a share and lies in (0, 10).
struct Limit {
  Quantity quantity = Quantity::latency;
  double value = 1;
  bool share = true;  // else cycles are still time: seconds, J, bytes
};

// Throws std::invalid_argument saying what a limit looks like.
Limit parse_limit(const std::string& text);

// Throws std::invalid_argument where a quantity is limited twice.
void check_single(const std::vector<Limit>& limits);

// The largest costs that are allowed; infinite where nothing is. `uniform` are those of uniform 8/8; limits of area are
// passed over. Throws std::invalid_argument where a quantity is limited twice, an energy is limited that nothing prices
// (0), or a share is one of nothing.
Costs resolve(const std::vector<Limit>& limits, const Costs& uniform, double clock_mhz);

inline bool within(const Costs& costs, const Costs& allowed) {
  for (int q = 0; q < quantities; ++q)
    if (costs[static_cast<std::size_t>(q)] > allowed[static_cast<std::size_t>(q)]) return false;
  return true;
}

// "63,312 cycles (0.598 of 8/8), ..." of the quantities that are limited.
std::string to_text(const Costs& costs, const Costs& allowed, const Costs& uniform);

}  // namespace bitstrata::quant
