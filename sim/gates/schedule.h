// SPDX-License-Identifier: Apache-2.0
// A netlist laid out for simulation: what is evaluated in one order in which everything comes behind its drivers, nets
// numbered in that order (their `slots`), so that neighbours in the netlist are neighbours in memory.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "sim/gates/netlist.h"
#include "sim/gates/timing.h"
#include "sim/gates/words.h"

namespace bitstrata::sim::gates {

using Slot = std::uint32_t;

enum class NodeKind : std::uint8_t { gate, table, flop, memory };

// One output of a combinational cell; half a cache line. For the other kinds of nodes only kind and index.
struct ScheduledNode {
  std::array<Slot, 4> in{};
  std::array<std::uint16_t, 4> delay{};
  union {
    Slot out = 0;
    std::uint32_t index;  // into tables, flops, or the netlist's memories
  };
  std::uint16_t inertia = 1;  // narrower pulses do not come out; the least of the delays
  NodeKind kind = NodeKind::gate;
  CellFunction function = CellFunction::table;
};
static_assert(sizeof(ScheduledNode) == 32);

// An output of a cell that has no CellFunction.
struct TableNode {
  std::array<Slot, max_inputs> in{};
  std::array<std::uint16_t, max_inputs> delay{};
  TruthTable table = 0;
  Slot out = 0;
  std::uint16_t inertia = 1;
  int inputs = 0;
};

// Next state, clear and preset of flip-flops that have more than a data input.
struct FlopFunction {
  std::array<Slot, max_inputs> in{};
  int inputs = 0;
  TruthTable next = 0, clear = 0, preset = 0;
};

struct Flop {
  static constexpr Slot none = ~Slot{0};
  Slot data = 0;                        // where function < 0
  std::array<Slot, 2> out{none, none};  // state and complement
  std::array<std::uint16_t, 2> delay{};
  std::int32_t function = -1;
  std::int32_t node = -1;  // of those with clear or preset
};

struct Schedule {
  // Throws std::runtime_error naming a cell of it where there is a combinational loop.
  Schedule(const Netlist& netlist, const Timing& timing);

  std::vector<Slot> slot;  // by net
  std::vector<ScheduledNode> nodes;
  std::vector<TableNode> tables;
  std::vector<Flop> flops;                // by domain
  std::vector<std::uint32_t> first_flop;  // by domain, and one more
  std::vector<FlopFunction> functions;
  std::vector<std::int32_t> memory_node;            // by memory; -1: all reads are synchronous
  std::vector<std::uint32_t> first_fanout, fanout;  // nodes by slot, and one more
};

}  // namespace bitstrata::sim::gates
