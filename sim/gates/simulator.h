// SPDX-License-Identifier: Apache-2.0
// A netlist in 64 streams at once, cycle by cycle, with glitches, counting transitions.
//
// cycle() is a clock edge and all that follows from it: flip-flops and memories take what was settled before it,
// primary inputs take what was set() since. Every cycle is long enough for everything to settle. Timed, toggles have
// times within the cycle and cells delays and inertia (sim/gates/waveform.h); at zero delay a net toggles at most once
// a cycle and stream. Both settle to the same values. Quiet parts of the netlist cost nothing.
//
// Simplifications. Values are 0 or 1; flip-flops and memories begin with 0 (memories with their INIT). The clock
// reaches all flip-flops at once. Asynchronous clear and preset act by their settled value, once a cycle. Memories
// answer once a cycle: memory_delay after the edge, or after the last toggle of an asynchronous port's address. The
// latch of a clock gate follows its enable while the clock is low, without the glitches before.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "sim/gates/lane_memory.h"
#include "sim/gates/schedule.h"
#include "sim/gates/waveform.h"

namespace bitstrata::sim::gates {

inline constexpr int max_groups = 8;
// A count for each group of streams.
using GroupCounts = std::array<std::uint64_t, max_groups>;

// Accesses to a memory. Of an asynchronous read port: its address or its data changed.
struct MemoryAccesses {
  GroupCounts reads{}, writes{}, bits_written{};
};

class Simulator {
 public:
  // `groups`: 1 to max_groups masks of streams, counted apart; they may overlap and leave streams out. Throws
  // std::invalid_argument for other numbers of groups, std::runtime_error as Schedule does. Refers to `netlist`.
  Simulator(const Netlist& netlist, const Timing& timing, std::span<const Word> groups = {});

  // The value of a primary input from the next cycle on; once a cycle.
  void set(NetId input, Word value);
  Word get(NetId net) const { return nets_[schedule_.slot[net]].after; }
  void cycle();

  // Both from the next cycle on; at the beginning: timed, not counting.
  void set_timed(bool timed) { timed_ = timed; }
  void set_counting(bool counting) { counting_ = counting; }

  // Counted since the beginning or clear_counts(). Counts of a net are exact below 2^32.
  GroupCounts transitions(NetId net) const;
  const MemoryAccesses& accesses(std::size_t memory) const { return accesses_[memory]; }
  std::int64_t counted_cycles() const { return counted_cycles_; }
  void clear_counts();

  std::span<const Word> groups() const { return std::span(groups_).first(group_count_); }
  const Netlist& netlist() const { return netlist_; }
  const LaneMemory& memory(std::size_t index) const { return memories_[index]; }
  // Nodes evaluated and toggles (of words of streams) produced in all cycles so far.
  std::int64_t evaluations() const { return evaluations_; }
  std::int64_t toggles() const { return toggles_; }

 private:
  static constexpr std::uint32_t arena_start = 1;  // element 0 ends the waveforms of quiet nets

  void settle_all();
  void begin_cycle();
  void clock_phase(bool high);
  void edge_of_memories();
  void edge_of_flops();
  void apply_inputs();
  void propagate();
  void evaluate(std::uint32_t node);
  template <int N, class F>
  void evaluate_gate(const ScheduledNode& node, F function);
  void evaluate_table(const TableNode& node);
  void evaluate_flop(std::uint32_t index);
  void evaluate_memory(std::uint32_t index);
  void write_flop(const Flop& flop, Word toggles, std::uint32_t late);

  // The waveform of a net, from what stands at the arena's end; marks what reads it.
  void commit(Slot slot, Toggle* begin, Toggle* end);
  // A waveform of one toggle.
  void toggle_once(Slot slot, Word streams, std::uint32_t time);
  void mark(const Net& net);
  void mark(std::uint32_t node) { dirty_[node / 64] |= Word{1} << (node % 64); }
  void reserve(std::size_t toggles) {
    if (arena_.size() - used_ < toggles + 2) arena_.resize(2 * arena_.size() + toggles);
  }
  void count(Slot slot, Word streams);
  void add(GroupCounts& counts, Word streams) const;
  std::uint32_t last_time(Slot slot) const;

  const Netlist& netlist_;
  Schedule schedule_;
  std::array<Word, max_groups> groups_{};
  std::size_t group_count_ = 1;
  std::uint32_t memory_delay_, input_delay_;
  bool timed_ = true, counting_ = false;

  std::vector<Net> nets_;
  std::vector<std::array<std::uint32_t, max_groups>> counts_;  // by slot
  std::vector<Toggle> arena_;
  std::uint32_t used_ = arena_start;
  std::vector<Slot> active_;                   // nets that toggled in this cycle
  std::vector<Word> dirty_;                    // a bit a node
  std::vector<std::pair<Slot, Word>> inputs_;  // set since the last cycle
  std::vector<Word> clocked_;                  // by domain: streams clocked by the last edge
  std::vector<Word> latched_;                  // by domain: enables held by a library's gating cells
  std::vector<Word> edge_toggles_;             // of flip-flops with a node, by flop: what the edge did
  std::vector<LaneMemory> memories_;
  std::vector<bool> written_;  // memories, at the last edge
  std::vector<MemoryAccesses> accesses_;
  std::vector<Word> scratch_;
  std::int64_t counted_cycles_ = 0, evaluations_ = 0, toggles_ = 0;
};

}  // namespace bitstrata::sim::gates
