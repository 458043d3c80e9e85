// SPDX-License-Identifier: Apache-2.0
// A hierarchical netlist of library cells and memories (Yosys' write_json), elaborated into one flat graph in which
// everything still knows its instance.
//
// The netlist comes from a synthesis without -flatten: logic mapped to cells of the Liberty file, memories left as
// $mem_v2. Undefined and undriven bits read 0. One clock, rising edges; it may pass through instances of a module
// `bs_clock_gate` (ports clk_i, enable_i, clk_o), the only place where latches may be.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "sim/gates/liberty.h"

namespace bitstrata::sim::gates {

using NetId = std::uint32_t;
inline constexpr NetId net_zero = 0, net_one = 1, no_net = ~NetId{0};

struct Instance {
  std::string path;    // "bitstrata_top.u_top.u_feeder"
  std::string module;  // without Yosys' $paramod prefix
  int parent = -1;
};

// A cell; outputs that nothing is connected to are no_net.
struct PlacedCell {
  const LibertyCell* cell = nullptr;
  std::uint32_t instance = 0;
  const std::string* name = nullptr;
  std::vector<NetId> inputs, outputs;  // in the order of the library's cell; unconnected inputs are net_zero
  // Flip-flops, and cells of clock gates: index into Netlist::domains.
  std::uint32_t domain = 0;
};

// $mem_v2. Bits of ports follow each other, as Yosys has them: port p's address at p * address_bits.
struct PlacedMemory {
  std::uint32_t instance = 0;
  std::string name;
  int width = 0, size = 0, address_bits = 0, offset = 0, read_ports = 0, write_ports = 0;
  std::vector<bool> synchronous;  // read port has its own register
  std::vector<bool> transparent;  // read port shows what is written at the same edge
  std::vector<NetId> read_enable, read_address, read_data, write_enable, write_address, write_data;
  std::vector<std::uint32_t> read_domain, write_domain;
  std::vector<bool> content;  // INIT, bit b of word w at w * width + b
};

// Flip-flops that share a clock. 0 is the root; others come out of a clock gate.
struct ClockDomain {
  NetId clock = no_net;
  std::uint32_t parent = 0;
  std::uint32_t instance = 0;
  std::vector<std::uint32_t> cells;  // of the gate, in the order of evaluation; index into Netlist::cells
};

struct Port {
  bool input = false;
  std::vector<NetId> bits;  // least significant first
};

struct Netlist {
  std::vector<Instance> instances;
  std::uint32_t nets = 0;
  // Combinational cells and flip-flops and, behind them in no order, those inside clock gates.
  std::vector<PlacedCell> cells;
  std::vector<PlacedMemory> memories;
  std::vector<ClockDomain> domains;  // a domain's parent comes before it
  std::map<std::string, Port> ports;
  std::vector<std::string> net_names;  // hierarchical, public ones where there are; empty without Options::names

  // The cell's hierarchical name.
  std::string name(const PlacedCell& cell) const { return instances[cell.instance].path + "." + *cell.name; }

  std::deque<std::vector<std::string>> names;  // storage of PlacedCell::name
};

struct NetlistOptions {
  std::string top = "bitstrata_top";
  bool names = false;  // keep the names of nets
  // Where given, nets get buffer trees (buffers.h).
  const struct BufferRule* buffers = nullptr;
};

// Cells refer to `library`, which must live as long. Throws std::runtime_error with one line naming the file and the
// cell where a cell is unmapped or unusable, a net has two drivers, a clock does not come from the one clock input
// through clock gates, a latch lies outside of one, or a memory has features this simulator lacks. (Combinational
// loops are found by Schedule.)
Netlist read_netlist(const std::filesystem::path& file, const Library& library, const NetlistOptions& options = {});

}  // namespace bitstrata::sim::gates
