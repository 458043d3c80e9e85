// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/simulator.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace bitstrata::sim::gates {

Simulator::Simulator(const Netlist& netlist, const Timing& timing, std::span<const Word> groups)
    : netlist_(netlist),
      schedule_(netlist, timing),
      memory_delay_(timing.memory_delay),
      input_delay_(timing.input_delay),
      nets_(netlist.nets),
      counts_(netlist.nets),
      arena_(1 << 16),
      dirty_(schedule_.nodes.size() / 64 + 1),
      clocked_(netlist.domains.size()),
      latched_(netlist.domains.size()),
      edge_toggles_(schedule_.flops.size()),
      written_(netlist.memories.size()),
      accesses_(netlist.memories.size()) {
  if (groups.size() > static_cast<std::size_t>(max_groups))
    throw std::invalid_argument(fmt::format("{} groups of streams, {} are possible", groups.size(), max_groups));
  groups_[0] = all_lanes;
  std::ranges::copy(groups, groups_.begin());
  group_count_ = std::max<std::size_t>(groups.size(), 1);
  arena_[0].time = never;
  for (const PlacedMemory& m : netlist.memories) memories_.emplace_back(m.size, m.width, m.offset, m.content);
  for (Slot s = 0; s < netlist.nets; ++s) {
    nets_[s].first_fanout = schedule_.first_fanout[s];
    nets_[s].end_fanout = schedule_.first_fanout[s + 1];
  }
  settle_all();
}

// The values that the netlist has before the first edge, found without counting.
void Simulator::settle_all() {
  const auto start = [&](Slot slot) { nets_[slot].before = nets_[slot].after = all_lanes; };
  start(schedule_.slot[net_one]);
  for (const Flop& flop : schedule_.flops)
    if (flop.out[1] != Flop::none) start(flop.out[1]);
  for (std::uint32_t node = 0; node < schedule_.nodes.size(); ++node) mark(node);
  timed_ = false;
  propagate();
  clock_phase(false);
  begin_cycle();
  timed_ = true;
}

void Simulator::set(NetId input, Word value) { inputs_.emplace_back(schedule_.slot[input], value); }

void Simulator::cycle() {
  begin_cycle();
  if (counting_) ++counted_cycles_;
  clock_phase(true);
  edge_of_memories();
  edge_of_flops();
  apply_inputs();
  propagate();
  clock_phase(false);
}

void Simulator::begin_cycle() {
  for (const Slot slot : active_) {
    Net& net = nets_[slot];
    net.before = net.after;
    net.wave = 0;
    net.count = 0;
  }
  active_.clear();
  used_ = arena_start;
}

// The first half of a cycle, when flip-flops have just been clocked, or the second, when the latches of clock gates
// follow their enables.
void Simulator::clock_phase(bool high) {
  const auto drive = [&](NetId id, Word value) {
    Net& net = nets_[schedule_.slot[id]];
    const Word change = net.after ^ value;
    net.before = net.after = value;
    if (counting_ && change != 0) count(schedule_.slot[id], change);
  };
  const auto value = [&](NetId id) { return nets_[schedule_.slot[id]].after; };
  if (const NetId root = netlist_.domains[0].clock; root != no_net) drive(root, high ? all_lanes : 0);
  if (high) clocked_[0] = all_lanes;
  std::array<Word, max_inputs> in;
  for (std::size_t d = 1; d < netlist_.domains.size(); ++d) {
    for (const std::uint32_t index : netlist_.domains[d].cells) {
      const PlacedCell& cell = netlist_.cells[index];
      const int inputs = static_cast<int>(cell.inputs.size());
      // At the edge the enable is still what it was: the latches have it.
      for (int k = 0; k < inputs; ++k)
        in[static_cast<std::size_t>(k)] = value(cell.inputs[static_cast<std::size_t>(k)]);
      for (std::size_t o = 0; o < cell.outputs.size(); ++o) {
        if (cell.outputs[o] == no_net) continue;
        const CellOutput& output = cell.cell->outputs[o];
        if (cell.cell->kind == CellKind::combinational) {
          drive(cell.outputs[o], gates::evaluate_table(output.function, in.data(), inputs));
          continue;
        }
        if (cell.cell->kind == CellKind::clock_gate) {
          const Word clock = in[static_cast<std::size_t>(cell.cell->clock)];
          const Word enable = gates::evaluate_table(cell.cell->next_state, in.data(), inputs);
          latched_[d] ^= (latched_[d] ^ enable) & ~clock;
          drive(cell.outputs[o], clock & latched_[d]);
          continue;
        }
        const Word flip = output.inverted ? all_lanes : 0;
        const Word open = gates::evaluate_table(cell.cell->enable, in.data(), inputs);
        const Word data = gates::evaluate_table(cell.cell->next_state, in.data(), inputs) ^ flip;
        const Word held = value(cell.outputs[o]);
        drive(cell.outputs[o], held ^ ((held ^ data) & open));
      }
    }
    if (high) clocked_[d] = value(netlist_.domains[d].clock);
  }
}

void Simulator::edge_of_memories() {
  for (std::size_t i = 0; i < memories_.size(); ++i) {
    const PlacedMemory& m = netlist_.memories[i];
    const auto width = static_cast<std::size_t>(m.width), address_bits = static_cast<std::size_t>(m.address_bits);
    scratch_.resize(address_bits + 3 * width);
    const std::span address = std::span(scratch_).first(address_bits);
    const std::span data = std::span(scratch_).subspan(address_bits, width);
    const std::span old = std::span(scratch_).subspan(address_bits + width, width);
    const std::span enable = std::span(scratch_).subspan(address_bits + 2 * width, width);
    const auto settled = [&](const std::vector<NetId>& from, std::size_t port, std::span<Word> to) {
      for (std::size_t b = 0; b < to.size(); ++b) to[b] = nets_[schedule_.slot[from[port * to.size() + b]]].before;
    };
    const auto read = [&](bool transparent) {
      for (std::size_t p = 0; p < m.synchronous.size(); ++p) {
        if (!m.synchronous[p] || m.transparent[p] != transparent) continue;
        const Word mask = nets_[schedule_.slot[m.read_enable[p]]].before & clocked_[m.read_domain[p]];
        if (mask == 0) continue;
        settled(m.read_address, p, address);
        settled(m.read_data, p, old);
        std::ranges::copy(old, data.begin());
        memories_[i].read(address, mask, data);
        for (std::size_t b = 0; b < width; ++b)
          toggle_once(schedule_.slot[m.read_data[p * width + b]], data[b] ^ old[b], memory_delay_);
        if (counting_) add(accesses_[i].reads, mask);
      }
    };
    read(false);
    written_[i] = false;
    for (std::size_t p = 0; p < static_cast<std::size_t>(m.write_ports); ++p) {
      const Word clocked = clocked_[m.write_domain[p]];
      if (clocked == 0) continue;
      settled(m.write_enable, p, enable);
      Word any = 0;
      for (Word& bit : enable) any |= bit &= clocked;
      if (any == 0) continue;
      settled(m.write_address, p, address);
      settled(m.write_data, p, data);
      memories_[i].write(address, enable, data);
      written_[i] = true;
      if (!counting_) continue;
      add(accesses_[i].writes, any);
      for (const Word bit : enable) add(accesses_[i].bits_written, bit);
    }
    read(true);
    if (written_[i] && schedule_.memory_node[i] >= 0) mark(static_cast<std::uint32_t>(schedule_.memory_node[i]));
  }
}

void Simulator::edge_of_flops() {
  for (std::size_t d = 0; d < clocked_.size(); ++d) {
    const Word clocked = clocked_[d];
    if (clocked == 0) continue;
    for (std::uint32_t i = schedule_.first_flop[d]; i < schedule_.first_flop[d + 1]; ++i) {
      const Flop& flop = schedule_.flops[i];
      const Slot q = flop.out[flop.out[0] == Flop::none];
      if (q == Flop::none) continue;
      const Word state = nets_[q].before ^ (flop.out[0] == Flop::none ? all_lanes : 0);
      if (flop.function < 0) {
        if (const Word toggles = (nets_[flop.data].before ^ state) & clocked; toggles != 0)
          write_flop(flop, toggles, 0);
        continue;
      }
      const FlopFunction& f = schedule_.functions[static_cast<std::size_t>(flop.function)];
      std::array<Word, max_inputs> in;
      for (int k = 0; k < f.inputs; ++k)
        in[static_cast<std::size_t>(k)] = nets_[f.in[static_cast<std::size_t>(k)]].before;
      Word toggles = (gates::evaluate_table(f.next, in.data(), f.inputs) ^ state) & clocked;
      if (toggles == 0) continue;
      if (flop.node < 0) {
        write_flop(flop, toggles, 0);
        continue;
      }
      toggles &= ~gates::evaluate_table(f.clear | f.preset, in.data(), f.inputs);
      if (toggles == 0) continue;
      edge_toggles_[i] = toggles;
      mark(static_cast<std::uint32_t>(flop.node));
    }
  }
}

void Simulator::apply_inputs() {
  for (const auto& [slot, value] : inputs_) toggle_once(slot, nets_[slot].after ^ value, input_delay_);
  inputs_.clear();
}

void Simulator::propagate() {
  for (std::size_t i = 0; i < dirty_.size(); ++i) {
    // Evaluation marks nodes behind the one evaluated, maybe in the same word.
    while (dirty_[i] != 0) {
      const auto bit = static_cast<std::uint32_t>(std::countr_zero(dirty_[i]));
      dirty_[i] &= dirty_[i] - 1;
      evaluate(static_cast<std::uint32_t>(i) * 64 + bit);
    }
  }
}

GroupCounts Simulator::transitions(NetId net) const {
  GroupCounts counts{};
  std::ranges::copy(counts_[schedule_.slot[net]], counts.begin());
  return counts;
}

void Simulator::clear_counts() {
  std::ranges::fill(counts_, std::array<std::uint32_t, max_groups>{});
  std::ranges::fill(accesses_, MemoryAccesses{});
  counted_cycles_ = 0;
}

void Simulator::add(GroupCounts& counts, Word streams) const {
  for (std::size_t g = 0; g < group_count_; ++g)
    counts[g] += static_cast<unsigned>(std::popcount(streams & groups_[g]));
}

}  // namespace bitstrata::sim::gates
