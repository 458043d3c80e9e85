// SPDX-License-Identifier: Apache-2.0
// Simulator: what a node does in a cycle. The inner loops of the whole thing.
#include <algorithm>

#include "sim/gates/simulator.h"

namespace bitstrata::sim::gates {

void Simulator::count(Slot slot, Word streams) {
  auto& counts = counts_[slot];
  for (int g = 0; g < max_groups; ++g)
    counts[static_cast<std::size_t>(g)] +=
        static_cast<std::uint32_t>(std::popcount(streams & groups_[static_cast<std::size_t>(g)]));
}

void Simulator::mark(const Net& net) {
  for (std::uint32_t f = net.first_fanout; f < net.end_fanout; ++f) mark(schedule_.fanout[f]);
}

void Simulator::commit(Slot slot, Toggle* begin, Toggle* end) {
  Word change = 0;
  Toggle* kept = begin;
  // Words, not counts of 32 bits: a processor that counts the ones of eight words at once then does so.
  std::array<Word, max_groups> sums{};
  const std::array<Word, max_groups> groups = groups_;
  for (const Toggle* t = begin; t != end; ++t) {
    const Toggle toggle = *t;
    change ^= toggle.streams;
    for (std::size_t g = 0; g < max_groups; ++g)
      sums[g] += static_cast<Word>(std::popcount(toggle.streams & groups[g]));
    *kept = toggle;
    kept += toggle.streams != 0;
  }
  if (kept == begin) return;
  *kept = {0, never};
  Net& net = nets_[slot];
  net.after = net.before ^ change;
  net.wave = static_cast<std::uint32_t>(begin - arena_.data());
  net.count = static_cast<std::uint32_t>(kept - begin);
  used_ = net.wave + net.count + 1;
  toggles_ += net.count;
  active_.push_back(slot);
  if (counting_) {
    auto& counts = counts_[slot];
    for (std::size_t g = 0; g < max_groups; ++g) counts[g] += static_cast<std::uint32_t>(sums[g]);
  }
  mark(net);
}

void Simulator::toggle_once(Slot slot, Word streams, std::uint32_t time) {
  if (streams == 0) return;
  if (timed_) {
    reserve(1);
    Toggle* const at = arena_.data() + used_;
    *at = {streams, time};
    commit(slot, at, at + 1);
    return;
  }
  Net& net = nets_[slot];
  net.after = net.before ^ streams;
  active_.push_back(slot);
  ++toggles_;
  if (counting_) count(slot, streams);
  mark(net);
}

template <int N, class F>
void Simulator::evaluate_gate(const ScheduledNode& node, F function) {
  std::array<Word, N> values;
  if (!timed_) {
    for (int k = 0; k < N; ++k) values[k] = nets_[node.in[k]].after;
    toggle_once(node.out, function(values) ^ nets_[node.out].before, 0);
    return;
  }
  std::size_t room = 0;
  int active = 0, which = 0;
  for (int k = 0; k < N; ++k) {
    const Net& net = nets_[node.in[k]];
    values[k] = net.before;
    room += net.count;
    if (net.count != 0) {
      ++active;
      which = k;
    }
  }
  reserve(room);
  Waveform output(arena_.data() + used_, node.inertia);
  if (active == 1) {
    // One input moves: it shows through where the others let it.
    std::array<Word, N> flipped = values;
    flipped[which] = ~flipped[which];
    const Word open = function(values) ^ function(flipped);
    if (open == 0) return;
    const std::uint32_t delay = node.delay[which];
    for (const Toggle* t = arena_.data() + nets_[node.in[which]].wave; t->time < never; ++t) {
      if (const Word change = t->streams & open; change != 0) output.toggle(t->time + delay, change);
    }
  } else {
    std::array<const Toggle*, N> waves;
    for (int k = 0; k < N; ++k) waves[k] = arena_.data() + nets_[node.in[k]].wave;
    merge<N>(waves, values, node.delay.data(), nets_[node.out].before, function, output);
  }
  commit(node.out, output.begin(), output.end());
}

void Simulator::evaluate_table(const TableNode& node) {
  std::array<Word, max_inputs> values{};
  const auto function = [&](const std::array<Word, max_inputs>& in) {
    return gates::evaluate_table(node.table, in.data(), node.inputs);
  };
  if (!timed_) {
    for (std::size_t k = 0; k < static_cast<std::size_t>(node.inputs); ++k) values[k] = nets_[node.in[k]].after;
    toggle_once(node.out, function(values) ^ nets_[node.out].before, 0);
    return;
  }
  std::size_t room = 0;
  for (std::size_t k = 0; k < static_cast<std::size_t>(node.inputs); ++k) room += nets_[node.in[k]].count;
  reserve(room);
  std::array<const Toggle*, max_inputs> waves;
  waves.fill(arena_.data());
  for (std::size_t k = 0; k < static_cast<std::size_t>(node.inputs); ++k) {
    values[k] = nets_[node.in[k]].before;
    waves[k] = arena_.data() + nets_[node.in[k]].wave;
  }
  Waveform output(arena_.data() + used_, node.inertia);
  merge<max_inputs>(waves, values, node.delay.data(), nets_[node.out].before, function, output);
  commit(node.out, output.begin(), output.end());
}

std::uint32_t Simulator::last_time(Slot slot) const {
  const Net& net = nets_[slot];
  return net.count == 0 ? 0 : arena_[net.wave + net.count - 1].time;
}

// State and complement toggle in `toggles`, `late` after the time at which the clock would make them.
void Simulator::write_flop(const Flop& flop, Word toggles, std::uint32_t late) {
  for (std::size_t o = 0; o < flop.out.size(); ++o)
    if (flop.out[o] != Flop::none) toggle_once(flop.out[o], toggles, late + flop.delay[o]);
}

// With clear or preset: what the edge did, then what the settled controls make of it.
void Simulator::evaluate_flop(std::uint32_t index) {
  const Flop& flop = schedule_.flops[index];
  const FlopFunction& f = schedule_.functions[static_cast<std::size_t>(flop.function)];
  const Slot q = flop.out[flop.out[0] == Flop::none];
  if (q == Flop::none) return;
  std::array<Word, max_inputs> in;
  std::uint32_t time = 0;
  for (std::size_t k = 0; k < static_cast<std::size_t>(f.inputs); ++k) {
    in[k] = nets_[f.in[k]].after;
    if (depends_on(f.clear | f.preset, static_cast<int>(k))) time = std::max(time, last_time(f.in[k]));
  }
  const Word state = nets_[q].before ^ (flop.out[0] == Flop::none ? all_lanes : 0);
  const Word clear = gates::evaluate_table(f.clear, in.data(), f.inputs);
  const Word preset = gates::evaluate_table(f.preset, in.data(), f.inputs);
  const Word edge = edge_toggles_[index];
  edge_toggles_[index] = 0;
  const Word final = ((state ^ edge) | preset) & ~clear;
  const Word forced = final ^ state ^ edge;
  if (!timed_ || forced == 0) {
    write_flop(flop, final ^ state, 0);
    return;
  }
  for (std::size_t o = 0; o < flop.out.size(); ++o) {
    if (flop.out[o] == Flop::none) continue;
    reserve(2);
    Waveform output(arena_.data() + used_, flop.delay[o]);
    if (edge != 0) output.toggle(flop.delay[o], edge);
    output.toggle(flop.delay[o] + time, forced);
    commit(flop.out[o], output.begin(), output.end());
  }
}

// Asynchronous read ports.
void Simulator::evaluate_memory(std::uint32_t index) {
  const PlacedMemory& m = netlist_.memories[index];
  const auto width = static_cast<std::size_t>(m.width), address_bits = static_cast<std::size_t>(m.address_bits);
  scratch_.resize(address_bits + width);
  const std::span address = std::span(scratch_).first(address_bits);
  const std::span data = std::span(scratch_).subspan(address_bits, width);
  for (std::size_t p = 0; p < m.synchronous.size(); ++p) {
    if (m.synchronous[p]) continue;
    std::uint32_t time = 0;
    Word moved = 0;
    for (std::size_t b = 0; b < address_bits; ++b) {
      const Slot slot = schedule_.slot[m.read_address[p * address_bits + b]];
      address[b] = nets_[slot].after;
      moved |= nets_[slot].after ^ nets_[slot].before;
      time = std::max(time, last_time(slot));
    }
    memories_[index].read(address, all_lanes, data);
    for (std::size_t b = 0; b < width; ++b) {
      const Slot slot = schedule_.slot[m.read_data[p * width + b]];
      const Word change = data[b] ^ nets_[slot].before;
      moved |= change;
      toggle_once(slot, change, time + memory_delay_);
    }
    if (counting_) add(accesses_[index].reads, moved);
  }
}

void Simulator::evaluate(std::uint32_t index) {
  const ScheduledNode& node = schedule_.nodes[index];
  ++evaluations_;
  switch (node.kind) {
    case NodeKind::gate:
      break;
    case NodeKind::table:
      return evaluate_table(schedule_.tables[node.index]);
    case NodeKind::flop:
      return evaluate_flop(node.index);
    case NodeKind::memory:
      return evaluate_memory(node.index);
  }
  switch (node.function) {
#define X(name, inputs, text)                                       \
  case CellFunction::name:                                          \
    return evaluate_gate<inputs>(node, [](const auto& in) -> Word { \
      [[maybe_unused]] const Word a = in[0];                        \
      [[maybe_unused]] const Word b = in[1 % inputs];               \
      [[maybe_unused]] const Word c = in[2 % inputs];               \
      [[maybe_unused]] const Word d = in[3 % inputs];               \
      return text;                                                  \
    });
    BITSTRATA_CELL_FUNCTIONS(X)
#undef X
    case CellFunction::table:
      return;
  }
}

}  // namespace bitstrata::sim::gates
