// SPDX-License-Identifier: Apache-2.0
// Cells that synthesis and timing need by what they do: storage with nothing but data and a clock, clock gates.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/gates/liberty.h"

namespace bitstrata::sim::gates {

// A flip-flop or latch whose further inputs (reset, scan) are tied so that they do nothing.
struct PlainStorage {
  const LibertyCell* cell = nullptr;
  std::size_t data = 0, control = 0;  // inputs; control: clock or enable
  bool active_high = true;            // enable
  std::vector<bool> tie;              // by input; those of data and control mean nothing
  std::size_t output = 0;             // a true one where there is one
};

// By area, then by inputs; nothing where the library has none. `kind`: flip_flop or latch.
std::optional<PlainStorage> smallest_storage(const Library& library, CellKind kind);

// The smallest clock gate, one that synthesis may use (not dont_use) where there is one; nullptr without any.
const LibertyCell* smallest_clock_gate(const Library& library);

// Connections of the tied inputs in Verilog: ", .RESET_B(1'b1)".
std::string tied_pins(const PlainStorage& storage);

}  // namespace bitstrata::sim::gates
