// SPDX-License-Identifier: Apache-2.0
// Which flip-flops and memories share a clock.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/gates/netlist.h"

namespace bitstrata::sim::gates {

struct ClockGate {
  std::uint32_t instance = 0;
  NetId in = no_net, out = no_net;
  std::vector<std::uint32_t> cells;  // inside it; index into Netlist::cells
};

struct MemoryClocks {
  std::vector<NetId> read, write;  // by port
};

// What elaboration met.
struct ClockSources {
  std::vector<ClockGate> gates;
  std::vector<bool> inside_gate;            // by cell
  std::vector<MemoryClocks> memory_clocks;  // by memory
};

// Finds the root clock and the gated ones; gives every flip-flop and memory port its domain. Throws std::runtime_error
// naming the cell whose clock does not come from the clock input, or which uses a clock as data.
void assign_domains(Netlist& netlist, const ClockSources& sources);

}  // namespace bitstrata::sim::gates
