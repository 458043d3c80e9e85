// SPDX-License-Identifier: Apache-2.0
// Buffer trees. ABC sees a module at a time, so a net that goes to many instances, or to many cells behind them, has
// one driver for all; here every such net gets a tree, as placement would give it. Clocks stay ideal.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/gates/timing.h"

namespace bitstrata::sim::gates {

// What a driver may be loaded with, and what is put in where it is more.
struct BufferRule {
  const LibertyCell* cell = nullptr;
  double most = 0;                  // F: pins and wires
  double wire = 0, memory_pin = 0;  // F, as in TimingOptions
};

// The load that synthesis lets ABC assume of a module's output, eight inputs of the smallest buffer, and the library's
// buffer that drives it fastest. Throws std::runtime_error where the library has no buffer.
BufferRule buffer_rule(const Library& library, const TimingOptions& options);

// The smallest buffer, by area; nullptr without one.
const LibertyCell* smallest_buffer(const Library& library);

// Adds cells to the netlist, each in the innermost instance around what it drives, until no net but those of `clocks`
// carries more than the rule allows, if its sinks can be parted. Returns how many cells.
int add_buffers(Netlist& netlist, const BufferRule& rule, const std::vector<NetId>& clocks);

}  // namespace bitstrata::sim::gates
