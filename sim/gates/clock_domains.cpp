// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/clock_domains.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <unordered_map>

namespace bitstrata::sim::gates {

namespace {

// The cells of a clock gate such that each comes behind those that drive it.
std::vector<std::uint32_t> ordered(const Netlist& netlist, const ClockGate& gate) {
  std::vector<std::uint32_t> left = gate.cells, order;
  while (!left.empty()) {
    const auto ready = std::ranges::find_if(left, [&](std::uint32_t cell) {
      return std::ranges::none_of(left, [&](std::uint32_t other) {
        const auto& inputs = netlist.cells[cell].inputs;
        return std::ranges::any_of(netlist.cells[other].outputs, [&](NetId net) {
          return net != no_net && std::ranges::find(inputs, net) != inputs.end();
        });
      });
    });
    if (ready == left.end())
      throw std::runtime_error(
          fmt::format("cell {} is part of a combinational loop", netlist.name(netlist.cells[left.front()])));
    order.push_back(*ready);
    left.erase(ready);
  }
  return order;
}

}  // namespace

void assign_domains(Netlist& netlist, const ClockSources& sources) {
  std::unordered_map<NetId, std::uint32_t> domain_of;
  NetId root = no_net;
  const auto meet = [&](NetId clock) {
    const bool gated = std::ranges::find(sources.gates, clock, &ClockGate::out) != sources.gates.end();
    if (!gated && root == no_net) root = clock;
  };
  for (std::size_t i = 0; i < netlist.cells.size(); ++i) {
    const PlacedCell& cell = netlist.cells[i];
    if (cell.cell->kind == CellKind::flip_flop) meet(cell.inputs[static_cast<std::size_t>(cell.cell->clock)]);
  }
  for (const ClockGate& gate : sources.gates) meet(gate.in);
  for (const MemoryClocks& memory : sources.memory_clocks) std::ranges::for_each(memory.write, meet);
  netlist.domains.push_back({root, 0, 0, {}});
  if (root != no_net) {
    const bool is_input = std::ranges::any_of(netlist.ports, [&](const auto& port) {
      return port.second.input && std::ranges::find(port.second.bits, root) != port.second.bits.end();
    });
    if (!is_input) throw std::runtime_error("the clock is no input of the top module");
    domain_of[root] = 0;
  }
  // Parents first.
  std::vector<bool> placed(sources.gates.size());
  for (bool more = true; more;) {
    more = false;
    for (std::size_t g = 0; g < sources.gates.size(); ++g) {
      const auto parent = domain_of.find(sources.gates[g].in);
      if (placed[g] || parent == domain_of.end()) continue;
      placed[g] = more = true;
      const auto self = static_cast<std::uint32_t>(netlist.domains.size());
      netlist.domains.push_back(
          {sources.gates[g].out, parent->second, sources.gates[g].instance, ordered(netlist, sources.gates[g])});
      for (const std::uint32_t cell : sources.gates[g].cells) netlist.cells[cell].domain = self;
      domain_of[sources.gates[g].out] = self;
    }
  }
  for (std::size_t g = 0; g < sources.gates.size(); ++g) {
    if (!placed[g])
      throw std::runtime_error(fmt::format("the clock of clock gate {} does not come from the clock input",
                                           netlist.instances[sources.gates[g].instance].path));
  }
  for (std::size_t i = 0; i < netlist.cells.size(); ++i) {
    PlacedCell& cell = netlist.cells[i];
    if (sources.inside_gate[i]) continue;
    for (std::size_t k = 0; k < cell.inputs.size(); ++k) {
      const auto domain = domain_of.find(cell.inputs[k]);
      const bool is_clock = cell.cell->kind == CellKind::flip_flop && static_cast<int>(k) == cell.cell->clock;
      if (is_clock != (domain != domain_of.end()))
        throw std::runtime_error(
            fmt::format("cell {}: {}", netlist.name(cell),
                        is_clock ? "its clock does not come from the clock input" : "it uses a clock as data"));
      if (is_clock) cell.domain = domain->second;
    }
  }
  for (std::size_t i = 0; i < netlist.memories.size(); ++i) {
    PlacedMemory& m = netlist.memories[i];
    const auto domain = [&](const std::vector<NetId>& clocks, std::size_t port) {
      const auto found = port < clocks.size() ? domain_of.find(clocks[port]) : domain_of.end();
      if (found == domain_of.end())
        throw std::runtime_error(fmt::format("the clock of memory {}.{} does not come from the clock input",
                                             netlist.instances[m.instance].path, m.name));
      return found->second;
    };
    for (std::size_t p = 0; p < m.synchronous.size(); ++p)
      m.read_domain.push_back(m.synchronous[p] ? domain(sources.memory_clocks[i].read, p) : 0);
    for (std::size_t p = 0; p < static_cast<std::size_t>(m.write_ports); ++p)
      m.write_domain.push_back(domain(sources.memory_clocks[i].write, p));
  }
}

}  // namespace bitstrata::sim::gates
