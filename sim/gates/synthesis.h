// SPDX-License-Identifier: Apache-2.0
// Synthesis of an accelerator to a Liberty library's cells with Yosys and ABC, and its clock with OpenSTA.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "model/architecture.h"
#include "sim/gates/netlist.h"

namespace bitstrata::sim::gates {

struct Synthesis {
  std::filesystem::path netlist;  // Yosys JSON: modules of mapped cells, memories as $mem_v2
  std::string tools;              // versions
  double seconds = 0;             // what it took; 0: known from before
};

// `architecture` is taken as it is but for popcount_tree, which is set, and event_counters, which are left out. The
// result is cached by the hash of RTL, script and library under cache_folder(). `period` (s) is what ABC sizes for.
// Clock gates are the library's gating cell, or a latch and an AND where it has none.
// Throws std::runtime_error naming the kept log where a tool fails, and what the library lacks.
Synthesis synthesize(const model::Architecture& architecture, const Library& library, double period);

// The shortest clock period (s) of the synthesized accelerator, whose elaborated netlist is given, by OpenSTA: ideal
// clock, no wires, memory ports with the timing of flip-flops.
double clock_period(const Netlist& netlist, const Library& library);

}  // namespace bitstrata::sim::gates
