// SPDX-License-Identifier: Apache-2.0
// Energy from counted transitions.
//
//   switching   1/2 C V^2 a transition of a net (its pins, wire and port), at the instance of its driver
//   internal    Liberty's internal_power, at the cell's instance: of outputs a transition, mean over conditions,
//   related
//               pins, rising and falling, at the net's load; of input pins that have it (data pins of flip-flops)
//   clock       at the flip-flop, memory or clock gate that a clock reaches: 1/2 C V^2 of its clock pin and the wire to
//               it, and the pin's internal energy, both a transition of that clock; everything inside clock gates
//   leakage, area
//
// Memories are no cells: their accesses are counted (Simulator::accesses), their output nets charged as others are.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sim/gates/simulator.h"

namespace bitstrata::sim::gates {

// J, by group of streams: sums over the streams of the group.
using GroupEnergy = std::array<double, max_groups>;

struct ComponentEnergy {
  GroupEnergy switching{}, internal{}, clock{};

  double total(std::size_t group) const { return switching[group] + internal[group] + clock[group]; }
};

// What was counted between two clearings.
struct EnergyWindow {
  std::int64_t cycles = 0;
  std::vector<ComponentEnergy> components;  // as EnergyModel::components
  std::vector<MemoryAccesses> memories;     // as Netlist::memories
};

// What does not depend on data.
struct Component {
  std::string name;
  double leakage = 0;  // W
  double area = 0;     // as the Liberty file has it
  std::int64_t cells = 0, flip_flops = 0;
};

class EnergyModel {
 public:
  // The component an instance's energy goes to; by default its module.
  using ComponentOf = std::function<std::string(const Instance&)>;

  // Throws std::runtime_error naming the cell whose energy is no finite number.
  EnergyModel(const Netlist& netlist, const Timing& timing, const TimingOptions& options, double voltage,
              const ComponentOf& component_of = {});

  const std::vector<Component>& components() const { return components_; }
  EnergyWindow read(const Simulator& simulator) const;
  // Energies of transitions from elsewhere, by component.
  std::vector<ComponentEnergy> energies(std::size_t groups, const std::function<GroupCounts(NetId)>& transitions) const;

 private:
  using Part = GroupEnergy ComponentEnergy::*;
  struct Term {
    NetId net;
    std::uint32_t component;
    Part part;
    double energy;  // J a transition of the net
  };
  void add(NetId net, std::uint32_t instance, Part part, double energy);
  void add_cell(std::uint32_t index, bool in_gate);
  void add_nets();

  const Netlist& netlist_;
  const Timing& timing_;
  TimingOptions options_;
  double voltage_;
  std::vector<Component> components_;
  std::vector<std::uint32_t> component_;  // by instance
  std::vector<bool> is_clock_;            // by net
  std::vector<Term> terms_;
};

}  // namespace bitstrata::sim::gates
