// SPDX-License-Identifier: Apache-2.0
#include "sim/fast_ports.h"

#include <algorithm>

namespace bitstrata::sim {

namespace {

constexpr std::uint32_t page_bytes = 4096;

// Beats of the next burst: the longest allowed that stays in its page.
std::int64_t burst_length(std::uint32_t address, std::int64_t beats, int burst_beats, int beat_bytes) {
  const std::int64_t page_left = (page_bytes - address % page_bytes) / static_cast<std::uint32_t>(beat_bytes);
  return std::min({beats, std::int64_t{burst_beats}, page_left});
}

}  // namespace

// The memory's outputs are registered, so nothing comes before the cycle after its cause.
ReadPort::ReadPort(const model::Architecture& a)
    : beat_bytes_(a.data_bits / 8),
      burst_beats_(a.burst_beats),
      latency_(std::max(1, a.memory.read_latency)),
      interval_(std::max(1, a.memory.beat_interval)),
      last_beats_(a.outstanding) {}

Cycle ReadPort::read(Cycle taken, std::uint32_t address, std::int64_t beats) {
  Cycle request = taken;
  while (beats > 0) {
    const std::int64_t burst = burst_length(address, beats, burst_beats_, beat_bytes_);
    request = std::max(request + 1, last_beats_.oldest() + 1);
    const Cycle first_beat = std::max(request + latency_, last_beat_ + interval_);
    last_beat_ = first_beat + (burst - 1) * interval_;
    last_beats_.push(last_beat_);
    address += static_cast<std::uint32_t>(burst * beat_bytes_);
    beats -= burst;
  }
  ready_ = request + 1;
  return last_beat_;
}

WritePort::WritePort(const model::Architecture& a)
    : beat_bytes_(a.data_bits / 8),
      burst_beats_(a.burst_beats),
      latency_(std::max(1, a.memory.write_latency)),
      interval_(std::max(1, a.memory.beat_interval)),
      answers_(a.outstanding) {}

// Lines are read ahead of the bus: a line is on the queue two cycles after its read, and the read of line m follows
// the sending of line m - 4. As beats are at least a cycle apart, reading holds up only the first beat of a row. A
// command is taken when the one before is wholly addressed; its data follow when theirs have gone.
WritePort::Times WritePort::write(Cycle taken, std::uint32_t address, std::int64_t beats) {
  Cycle request = taken, queued = taken + 3;
  std::int64_t left = beats;
  while (left > 0) {
    const std::int64_t burst = burst_length(address, left, burst_beats_, beat_bytes_);
    request = std::max(request + 1, answers_.oldest() + 1);
    const Cycle first_beat = std::max({request + 1, last_beat_ + interval_, queued});
    last_beat_ = first_beat + (burst - 1) * interval_;
    for (std::int64_t i = std::min<std::int64_t>(burst, 5); i-- > 0;) sent_.push(last_beat_ - i * interval_);
    last_answer_ = std::max(last_beat_ + latency_, last_answer_ + 1);
    answers_.push(last_answer_);
    address += static_cast<std::uint32_t>(burst * beat_bytes_);
    left -= burst;
  }
  ready_ = request + 1;
  return {std::max(taken + beats, sent_.oldest() + 1), last_answer_};
}

}  // namespace bitstrata::sim
