// SPDX-License-Identifier: Apache-2.0
// Read and write masters against the deterministic memory, burst by burst (bs_axi_read, bs_axi_write, AxiMemory).
// All times are cycles; a time is the cycle in which a handshake or pulse happens.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "model/architecture.h"
#include "sim/fast_state.h"

namespace bitstrata::sim {

// Whether the recurrences leap over what only repeats or take every step; both give the same times, and a test compares
// them.
enum class Pace { leaping, stepping };

// Times of the last few bursts or beats, by number.
class BurstHistory {
 public:
  static constexpr int longest = 16;  // Architecture::outstanding
  explicit BurstHistory(int length) : length_(static_cast<std::size_t>(length)) { times_.fill(never_yet); }
  Cycle oldest() const { return times_[next_]; }  // of the burst `length` bursts ago
  void push(Cycle time) {
    times_[next_] = time;
    next_ = next_ + 1 == length_ ? 0 : next_ + 1;
  }
  // Counted from the oldest, 0.
  Cycle operator[](std::size_t index) const {
    index += next_;
    return times_[index < length_ ? index : index - length_];
  }
  std::size_t length() const { return length_; }
  void shift(Cycle by) {
    for (std::size_t i = 0; i < length_; ++i) shift_time(times_[i], by);
  }
  void add_to(StateKey& key) const {
    for (std::size_t n = 0, i = next_; n < length_; ++n, i = i + 1 == length_ ? 0 : i + 1) key.add_time(times_[i]);
  }

 private:
  std::array<Cycle, longest> times_;
  std::size_t length_, next_ = 0;
};

// Cuts a command into bursts.
class Bursts {
 public:
  explicit Bursts(const model::Architecture& architecture);
  static constexpr std::uint32_t page_bytes = 4096;
  // Beats of the next burst: the longest allowed that stays in its page.
  std::int64_t length(std::uint32_t address, std::int64_t beats) const {
    return std::min({beats, burst_beats_, page_left(address)});
  }
  // Bursts of full length that follow from here on before one that is shorter.
  std::int64_t full(std::uint32_t address, std::int64_t beats) const {
    if (!parts_of_page_ || (address & (burst_bytes_ - 1)) != 0) beats = std::min(beats, page_left(address));
    return burst_shift_ >= 0 ? beats >> burst_shift_ : beats / burst_beats_;
  }
  std::int64_t full_beats() const { return burst_beats_; }
  std::uint32_t bytes(std::int64_t beats) const { return static_cast<std::uint32_t>(beats << beat_shift_); }
  // What of an address decides how commands from there on are cut, when all of them are `command_beats` long.
  std::uint32_t place(std::uint32_t address, std::int64_t command_beats) const {
    return place(address, command_beats, bytes(command_beats));
  }
  // Place for commands whose addresses are `stride` bytes apart.
  std::uint32_t place(std::uint32_t address, std::int64_t command_beats, std::uint32_t stride) const;

 private:
  std::int64_t page_left(std::uint32_t address) const { return (page_bytes - address % page_bytes) >> beat_shift_; }

  int beat_shift_;
  std::int64_t burst_beats_;
  int burst_shift_;  // -1: the length is no power of two
  std::uint32_t burst_bytes_;
  bool parts_of_page_;  // full bursts that begin on multiples of their length end with their pages
};

class ReadPort {
 public:
  ReadPort(const model::Architecture& architecture, Pace pace);
  // First cycle in which a command can be taken.
  Cycle ready() const { return ready_; }
  // A command taken in cycle `taken`; returns the cycle of its last data beat.
  Cycle read(Cycle taken, std::uint32_t address, std::int64_t beats);
  const Bursts& bursts() const { return bursts_; }
  void shift(Cycle by);
  void add_to(StateKey& key) const;

 private:
  Bursts bursts_;
  Cycle latency_, interval_;
  bool leaps_;
  Cycle ready_ = never_yet, last_beat_ = never_yet;
  BurstHistory last_beats_;
};

class WritePort {
 public:
  WritePort(const model::Architecture& architecture, Pace pace);
  // First cycle in which a command can be taken.
  Cycle ready() const { return ready_; }
  struct Times {
    Cycle read_out;  // the store unit has read the last line from the output buffer
    Cycle answered;  // the last write response
  };
  // A row of `beats` lines whose command is taken in cycle `taken`, with the store unit's queue of four lines ahead.
  Times write(Cycle taken, std::uint32_t address, std::int64_t beats);
  const Bursts& bursts() const { return bursts_; }
  void shift(Cycle by);
  void add_to(StateKey& key) const;

 private:
  Bursts bursts_;
  Cycle latency_, interval_;
  bool leaps_;
  Cycle ready_ = never_yet, last_beat_ = never_yet;
  BurstHistory answers_;
  static constexpr std::int64_t lines_ahead = 4;  // a line is read when the fourth one before it has gone
  BurstHistory sent_{lines_ahead + 1};            // the last beats
};

}  // namespace bitstrata::sim
