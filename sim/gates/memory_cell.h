// SPDX-License-Identifier: Apache-2.0
// Yosys' $mem_v2: its parameters and ports.
#pragma once

#include <functional>
#include <vector>

#include "sim/gates/netlist.h"
#include "sim/gates/yosys_json.h"

namespace bitstrata::sim::gates {

// `connected` gives the nets of a port. Instance and clock domains are left open. Throws std::invalid_argument saying
// what the simulator lacks: registers with reset, falling clocks, ports of several widths, ports that see some writes
// of their own edge and others not.
PlacedMemory read_memory_cell(const JsonCell& source, const std::function<std::vector<NetId>(const char*)>& connected);

}  // namespace bitstrata::sim::gates
