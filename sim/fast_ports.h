// SPDX-License-Identifier: Apache-2.0
// Read and write masters against the deterministic memory, burst by burst (bs_axi_read, bs_axi_write, AxiMemory).
// All times are cycles; a time is the cycle in which a handshake or pulse happens.
#pragma once

#include <cstdint>
#include <vector>

#include "model/architecture.h"

namespace bitstrata::sim {

using Cycle = std::int64_t;
inline constexpr Cycle never_yet = -(Cycle{1} << 60);

// Times of the last few bursts, by burst number.
class BurstHistory {
 public:
  explicit BurstHistory(int length) : times_(static_cast<std::size_t>(length), never_yet) {}
  Cycle oldest() const { return times_[next_]; }  // of the burst `length` bursts ago
  void push(Cycle time) {
    times_[next_] = time;
    next_ = next_ + 1 == times_.size() ? 0 : next_ + 1;
  }

 private:
  std::vector<Cycle> times_;
  std::size_t next_ = 0;
};

class ReadPort {
 public:
  explicit ReadPort(const model::Architecture& architecture);
  // First cycle in which a command can be taken.
  Cycle ready() const { return ready_; }
  // A command taken in cycle `taken`; returns the cycle of its last data beat.
  Cycle read(Cycle taken, std::uint32_t address, std::int64_t beats);

 private:
  int beat_bytes_, burst_beats_;
  Cycle latency_, interval_;
  Cycle ready_ = never_yet, last_beat_ = never_yet;
  BurstHistory last_beats_;
};

class WritePort {
 public:
  explicit WritePort(const model::Architecture& architecture);
  // First cycle in which a command can be taken.
  Cycle ready() const { return ready_; }
  struct Times {
    Cycle read_out;  // the store unit has read the last line from the output buffer
    Cycle answered;  // the last write response
  };
  // A row of `beats` lines whose command is taken in cycle `taken`, with the store unit's queue of four lines ahead.
  Times write(Cycle taken, std::uint32_t address, std::int64_t beats);

 private:
  int beat_bytes_, burst_beats_;
  Cycle latency_, interval_;
  Cycle ready_ = never_yet, last_beat_ = never_yet, last_answer_ = never_yet;
  BurstHistory answers_;
  BurstHistory sent_{5};  // the last beats: a line is read when the fourth one before it has gone
};

}  // namespace bitstrata::sim
