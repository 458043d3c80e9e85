// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/timing.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace bitstrata::sim::gates {

namespace {

std::uint16_t steps(double seconds, double grid) {
  return static_cast<std::uint16_t>(std::clamp(std::round(seconds / grid), 1.0, 65535.0));
}

std::vector<double> loads(const Netlist& netlist, const TimingOptions& options) {
  std::vector<double> load(netlist.nets);
  const auto pin = [&](NetId net, double capacitance) {
    if (net != no_net) load[net] += capacitance + options.wire;
  };
  for (const PlacedCell& cell : netlist.cells) {
    for (std::size_t k = 0; k < cell.inputs.size(); ++k) pin(cell.inputs[k], cell.cell->inputs[k].capacitance);
    for (std::size_t o = 0; o < cell.outputs.size(); ++o) {
      if (cell.outputs[o] != no_net) load[cell.outputs[o]] += cell.cell->outputs[o].capacitance;
    }
  }
  for (const PlacedMemory& m : netlist.memories) {
    for (const auto* list : {&m.read_enable, &m.read_address, &m.write_address, &m.write_data})
      for (const NetId net : *list) pin(net, options.memory_pin);
    // A word's bits share one enable unless it is masked; the same net counts once.
    std::vector<NetId> enables = m.write_enable;
    std::ranges::sort(enables);
    const auto repeated = std::ranges::unique(enables);
    enables.erase(repeated.begin(), repeated.end());
    for (const NetId net : enables) pin(net, options.memory_pin);
    for (std::size_t p = 0; p < m.synchronous.size(); ++p)
      if (m.synchronous[p]) pin(netlist.domains[m.read_domain[p]].clock, options.memory_pin);
    for (const std::uint32_t domain : m.write_domain) pin(netlist.domains[domain].clock, options.memory_pin);
  }
  for (const auto& [name, port] : netlist.ports) {
    for (const NetId net : port.bits)
      if (!port.input) load[net] += options.port_load;
  }
  return load;
}

}  // namespace

Timing make_timing(const Netlist& netlist, const TimingOptions& options) {
  Timing timing;
  timing.grid = options.grid;
  timing.load = loads(netlist, options);
  timing.memory_delay = steps(options.memory_delay, options.grid);
  timing.input_delay = steps(options.input_delay, options.grid);
  timing.first.reserve(netlist.cells.size());
  for (const PlacedCell& cell : netlist.cells) {
    timing.first.push_back(static_cast<std::uint32_t>(timing.delay.size()));
    std::vector<double> loads_of_outputs;
    for (const NetId net : cell.outputs) loads_of_outputs.push_back(net == no_net ? 0 : timing.load[net]);
    for (std::size_t o = 0; o < cell.outputs.size(); ++o)
      for (std::size_t k = 0; k < cell.inputs.size(); ++k)
        timing.delay.push_back(steps(delay_of(*cell.cell, k, o, loads_of_outputs, options.slew), options.grid));
  }
  return timing;
}

}  // namespace bitstrata::sim::gates
