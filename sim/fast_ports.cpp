// SPDX-License-Identifier: Apache-2.0
#include "sim/fast_ports.h"

#include <algorithm>
#include <bit>

namespace bitstrata::sim {

Bursts::Bursts(const model::Architecture& a)
    : beat_shift_(std::bit_width(static_cast<unsigned>(a.data_bits / 8)) - 1),
      burst_beats_(a.burst_beats),
      burst_shift_(std::has_single_bit(static_cast<unsigned>(a.burst_beats))
                       ? std::bit_width(static_cast<unsigned>(a.burst_beats)) - 1
                       : -1),
      burst_bytes_(static_cast<std::uint32_t>(a.burst_beats * (a.data_bits / 8))),
      parts_of_page_(page_bytes % burst_bytes_ == 0) {}

std::uint32_t Bursts::place(std::uint32_t address, std::int64_t command_beats, std::uint32_t stride) const {
  const bool whole = parts_of_page_ && ((address | bytes(command_beats) | stride) & (burst_bytes_ - 1)) == 0;
  return whole ? page_bytes : address % page_bytes;
}

namespace {

constexpr std::int64_t worth_leaping = 4;  // bursts

// Leaps over `count` bursts of `beats` beats where all of them follow each other on the bus without a gap: their
// requests come early enough. A request waits for the one before it and for what `history` notes of the burst its
// length ago; the first beat comes `lead` cycles later at the earliest, the time noted is `back` cycles behind the last
// beat.
//
// Burst i (from 0) asks in max(request + 1 + i, noted(i) + 1), as times noted rise by at least one from burst to burst,
// and the bus is free for it in last_beat + interval + i * length. Burst `length of history` and those behind it wait
// for bursts of the leap, and have the time that the one before them had.
bool leap_bursts(Cycle& request, Cycle& last_beat, BurstHistory& history, std::int64_t count, std::int64_t beats,
                 Cycle interval, Cycle lead, Cycle back) {
  const Cycle length = beats * interval, free = last_beat + interval;
  if (request + 1 + lead > free) return false;
  const auto slots = static_cast<std::int64_t>(history.length()), old = std::min(count, slots);
  for (std::int64_t i = 0; i < old; ++i)
    if (history[static_cast<std::size_t>(i)] + 1 + lead > free + i * length) return false;
  const Cycle noted =
      count <= slots ? history[static_cast<std::size_t>(count - 1)] : last_beat + (count - slots) * length + back;
  request = std::max(request + count, noted + 1);
  last_beat += count * length;
  for (std::int64_t i = old; i-- > 0;) history.push(last_beat - i * length + back);
  return true;
}

}  // namespace

// The memory's outputs are registered, so nothing comes before the cycle after its cause.
ReadPort::ReadPort(const model::Architecture& a, Pace pace)
    : bursts_(a),
      latency_(std::max(1, a.memory.read_latency)),
      interval_(std::max(1, a.memory.beat_interval)),
      leaps_(pace == Pace::leaping),
      last_beats_(a.outstanding) {}

Cycle ReadPort::read(Cycle taken, std::uint32_t address, std::int64_t beats) {
  const std::int64_t full = bursts_.full_beats();
  Cycle request = taken, last_beat = last_beat_;
  const auto burst = [&](std::int64_t length) {
    request = std::max(request, last_beats_.oldest()) + 1;
    last_beat = std::max(request + latency_, last_beat + interval_) + (length - 1) * interval_;
    last_beats_.push(last_beat);
  };
  while (beats > 0) {
    std::int64_t alike = bursts_.full(address, beats);
    const std::int64_t length = alike > 0 ? full : bursts_.length(address, beats),
                       run = alike > 0 ? alike * full : length;
    address += bursts_.bytes(run);
    beats -= run;
    do {
      burst(length);
      --alike;
    } while (alike > 0 && !(leaps_ && alike >= worth_leaping &&
                            leap_bursts(request, last_beat, last_beats_, alike, full, interval_, latency_, 0)));
  }
  ready_ = request + 1;
  return last_beat_ = last_beat;
}

void ReadPort::shift(Cycle by) {
  shift_time(ready_, by);
  shift_time(last_beat_, by);
  last_beats_.shift(by);
}

void ReadPort::add_to(StateKey& key) const {
  key.add_time(ready_);
  key.add_time(last_beat_);
  last_beats_.add_to(key);
}

WritePort::WritePort(const model::Architecture& a, Pace pace)
    : bursts_(a),
      latency_(std::max(1, a.memory.write_latency)),
      interval_(std::max(1, a.memory.beat_interval)),
      leaps_(pace == Pace::leaping),
      answers_(a.outstanding) {}

void WritePort::shift(Cycle by) {
  shift_time(ready_, by);
  shift_time(last_beat_, by);
  answers_.shift(by);
  sent_.shift(by);
}

void WritePort::add_to(StateKey& key) const {
  key.add_time(ready_);
  key.add_time(last_beat_);
  answers_.add_to(key);
  sent_.add_to(key);
}

// Lines are read ahead of the bus: a line is on the queue two cycles after its read, and the read of line m follows
// the sending of line m - 4. As beats are at least a cycle apart, reading holds up only the first beat of a row. A
// command is taken when the one before is wholly addressed; its data follow when theirs have gone.
WritePort::Times WritePort::write(Cycle taken, std::uint32_t address, std::int64_t beats) {
  const std::int64_t full = bursts_.full_beats();
  const Cycle queued = taken + 3;
  Cycle request = taken;
  const auto burst = [&](std::int64_t length) {
    request = std::max(request, answers_.oldest()) + 1;
    last_beat_ = std::max({request + 1, last_beat_ + interval_, queued}) + (length - 1) * interval_;
    answers_.push(last_beat_ + latency_);
  };
  for (std::int64_t left = beats; left > 0;) {
    std::int64_t alike = bursts_.full(address, left);
    const std::int64_t length = alike > 0 ? full : bursts_.length(address, left),
                       run = alike > 0 ? alike * full : length;
    address += bursts_.bytes(run);
    left -= run;
    do {
      burst(length);
      // Nothing remains in `sent_` of a burst that a long one follows.
      if (alike <= 1 || full <= lines_ahead)
        for (std::int64_t i = std::min(length, lines_ahead + 1); i-- > 0;) sent_.push(last_beat_ - i * interval_);
      --alike;
      // `queued` lies in the past now. The last burst is not leapt over: its beats may remain in `sent_`.
      if (leaps_ && full > lines_ahead && alike > worth_leaping &&
          leap_bursts(request, last_beat_, answers_, alike - 1, full, interval_, 1, latency_))
        alike = 1;
    } while (alike > 0);
  }
  ready_ = request + 1;
  return {std::max(taken + beats, sent_.oldest() + 1), last_beat_ + latency_};
}

}  // namespace bitstrata::sim
