// SPDX-License-Identifier: Apache-2.0
// A flat netlist as Verilog for timing analysis.
#pragma once

#include <filesystem>

#include "sim/gates/netlist.h"

namespace bitstrata::sim::gates {

// Nets n2, n3, ..., cells c0_bs_post (of that module), ...; input ports bit by bit, no outputs: it serves paths to
// flip-flops. Every pin of a memory becomes a flip-flop, so that it has the timing of one, and one takes the enable of
// every clock gate. Throws std::runtime_error where the file cannot be written or the library has no plain flip-flop.
void write_timing_verilog(const Netlist& netlist, const Library& library, const std::filesystem::path& file);

}  // namespace bitstrata::sim::gates
