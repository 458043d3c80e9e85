// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/energy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>

namespace bitstrata::sim::gates {

EnergyModel::EnergyModel(const Netlist& netlist, const Timing& timing, const TimingOptions& options, double voltage,
                         const ComponentOf& component_of)
    : netlist_(netlist), timing_(timing), options_(options), voltage_(voltage), is_clock_(netlist.nets) {
  std::map<std::string, std::uint32_t> numbers;
  for (const Instance& instance : netlist.instances) {
    const std::string name = component_of ? component_of(instance) : instance.module;
    const auto [at, added] = numbers.emplace(name, static_cast<std::uint32_t>(components_.size()));
    if (added) components_.push_back({.name = name});
    component_.push_back(at->second);
  }
  std::vector<bool> in_gate(netlist.cells.size());
  for (const ClockDomain& domain : netlist.domains) {
    if (domain.clock != no_net) is_clock_[domain.clock] = true;
    for (const std::uint32_t cell : domain.cells) in_gate[cell] = true;
  }
  for (std::uint32_t i = 0; i < netlist.cells.size(); ++i) add_cell(i, in_gate[i]);
  add_nets();
  // Terms of a net behind each other, and of the same kind as one.
  const auto key = [](const Term& t) {
    return std::tuple(t.net, t.component, t.part == &ComponentEnergy::switching, t.part == &ComponentEnergy::clock);
  };
  std::ranges::sort(terms_, {}, key);
  std::size_t kept = 0;
  for (const Term& term : terms_) {
    if (kept > 0 && key(terms_[kept - 1]) == key(term)) {
      terms_[kept - 1].energy += term.energy;
    } else {
      terms_[kept++] = term;
    }
  }
  terms_.resize(kept);
}

void EnergyModel::add(NetId net, std::uint32_t instance, Part part, double energy) {
  if (net > net_one && net != no_net && energy != 0) terms_.push_back({net, component_[instance], part, energy});
}

void EnergyModel::add_cell(std::uint32_t index, bool in_gate) {
  const PlacedCell& placed = netlist_.cells[index];
  const LibertyCell& cell = *placed.cell;
  Component& component = components_[component_[placed.instance]];
  component.leakage += cell.leakage;
  component.area += cell.area;
  // A finite table may leave the numbers there are where it is continued far beyond its points.
  const auto checked = [&](const std::string& pin, double energy) {
    if (!std::isfinite(energy))
      throw std::runtime_error(fmt::format("cell {} of type {}: the energy of its pin {} is no finite number",
                                           netlist_.name(placed), cell.name, pin));
    return energy;
  };
  ++component.cells;
  component.flip_flops += cell.kind == CellKind::flip_flop;
  for (std::size_t k = 0; k < placed.inputs.size(); ++k) {
    const NetId net = placed.inputs[k];
    double energy = checked(cell.inputs[k].name, energy_of(cell.inputs[k].energy, 0, options_.slew));
    // A clock's net is charged where it ends; other nets where they are driven.
    const bool clock = is_clock_[net];
    if (clock) energy += (cell.inputs[k].capacitance + options_.wire) * voltage_ * voltage_ / 2;
    add(net, placed.instance, clock || in_gate ? &ComponentEnergy::clock : &ComponentEnergy::internal, energy);
  }
  for (std::size_t o = 0; o < placed.outputs.size(); ++o) {
    const NetId net = placed.outputs[o];
    if (net == no_net) continue;
    const double load = timing_.load[net];
    add(net, placed.instance, in_gate ? &ComponentEnergy::clock : &ComponentEnergy::internal,
        checked(cell.outputs[o].name, energy_of(cell.outputs[o].energy, load, options_.slew)));
    if (!is_clock_[net])
      add(net, placed.instance, in_gate ? &ComponentEnergy::clock : &ComponentEnergy::switching,
          load * voltage_ * voltage_ / 2);
  }
}

// Nets that memories and ports drive; clock pins of memories.
void EnergyModel::add_nets() {
  const auto switching = [&](NetId net, std::uint32_t instance) {
    if (!is_clock_[net]) add(net, instance, &ComponentEnergy::switching, timing_.load[net] * voltage_ * voltage_ / 2);
  };
  for (const PlacedMemory& m : netlist_.memories) {
    for (const NetId net : m.read_data) switching(net, m.instance);
    const double pin = (options_.memory_pin + options_.wire) * voltage_ * voltage_ / 2;
    for (std::size_t p = 0; p < m.synchronous.size(); ++p)
      if (m.synchronous[p]) add(netlist_.domains[m.read_domain[p]].clock, m.instance, &ComponentEnergy::clock, pin);
    for (const std::uint32_t domain : m.write_domain)
      add(netlist_.domains[domain].clock, m.instance, &ComponentEnergy::clock, pin);
  }
  for (const auto& [name, port] : netlist_.ports) {
    for (const NetId net : port.bits)
      if (port.input) switching(net, 0);
  }
}

std::vector<ComponentEnergy> EnergyModel::energies(std::size_t groups,
                                                   const std::function<GroupCounts(NetId)>& transitions) const {
  std::vector<ComponentEnergy> sums(components_.size());
  for (const Term& term : terms_) {
    const GroupCounts counts = transitions(term.net);
    GroupEnergy& sum = sums[term.component].*term.part;
    for (std::size_t g = 0; g < groups; ++g) sum[g] += term.energy * static_cast<double>(counts[g]);
  }
  return sums;
}

EnergyWindow EnergyModel::read(const Simulator& simulator) const {
  EnergyWindow window;
  window.cycles = simulator.counted_cycles();
  window.components = energies(simulator.groups().size(), [&](NetId net) { return simulator.transitions(net); });
  for (std::size_t i = 0; i < netlist_.memories.size(); ++i) window.memories.push_back(simulator.accesses(i));
  return window;
}

}  // namespace bitstrata::sim::gates
