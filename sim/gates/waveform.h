// SPDX-License-Identifier: Apache-2.0
// What nets do inside a clock cycle: lists of the times at which streams toggle.
//
// A gate is evaluated once a cycle, from the whole waveforms of its inputs: each input is shifted by its delay, the
// function follows at every time at which an input toggles in any stream, and what toggles twice within less than the
// gate's inertia, stream by stream, is taken out again. With the least of the delays as inertia this is Verilog's
// `assign #inertia y = f(...)` behind inputs that come (delay - inertia) late.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "sim/gates/words.h"

namespace bitstrata::sim::gates {

struct Toggle {
  Word streams = 0;
  std::uint32_t time = 0;  // steps since the clock edge
};

// Ends every waveform; any delay may still be added to it.
inline constexpr std::uint32_t never = 1U << 30;

// State of a net; half a cache line.
struct Net {
  Word before = 0, after = 0;  // settled values of the last cycle and of this one
  std::uint32_t wave = 0;      // first of its toggles in the arena; 0, where `never` is, without any
  std::uint32_t count = 0;     // toggles, without the end
  std::uint32_t first_fanout = 0, end_fanout = 0;
};
static_assert(sizeof(Net) == 32);

// A waveform under construction.
class Waveform {
 public:
  Waveform(Toggle* begin, std::uint32_t inertia) : begin_(begin), end_(begin), recent_(begin), inertia_(inertia) {}

  // The output toggles; times do not fall.
  void toggle(std::uint32_t time, Word streams) {
    // `pending_`: streams whose last toggle may still be taken back. Each has one among those since recent_.
    while (recent_ != end_ && recent_->time + inertia_ <= time) pending_ &= ~(recent_++)->streams;
    if (Word back = pending_ & streams; back != 0) {
      pending_ ^= back;
      streams ^= back;
      for (Toggle* t = end_; back != 0;) {
        --t;
        const Word here = t->streams & back;
        t->streams ^= here;
        back ^= here;
      }
    }
    pending_ |= streams;
    *end_ = {streams, time};
    end_ += streams != 0;
  }
  Toggle* begin() const { return begin_; }
  Toggle* end() const { return end_; }  // some toggles may have no streams left

 private:
  Toggle *begin_, *end_, *recent_;
  std::uint32_t inertia_;
  Word pending_ = 0;
};

// Waveform of a function of N inputs. `waves` are the inputs' toggles, `values` what they were before the first one.
template <int N, class F>
inline void merge(std::array<const Toggle*, N> waves, std::array<Word, N> values, const std::uint16_t* delays, Word now,
                  F function, Waveform& output) {
  std::array<std::uint32_t, N> next;
  for (int k = 0; k < N; ++k) next[k] = waves[k]->time + delays[k];
  while (true) {
    std::uint32_t time = next[0];
    for (int k = 1; k < N; ++k) time = next[k] < time ? next[k] : time;
    if (time >= never) return;
    for (int k = 0; k < N; ++k) {
      const bool here = next[k] == time;
      values[k] ^= here ? waves[k]->streams : 0;
      waves[k] += here;
      next[k] = waves[k]->time + delays[k];
    }
    const Word value = function(values);
    const Word change = value ^ now;
    now = value;
    if (change != 0) output.toggle(time, change);
  }
}

}  // namespace bitstrata::sim::gates
