// SPDX-License-Identifier: Apache-2.0
// Activation vectors on their way into the array.
#pragma once

#include <algorithm>
#include <cstdint>

#include "sim/fast_state.h"

namespace bitstrata::sim {

// bs_feeder and the streaming state of bs_streamer: vectors, two staged ahead.
struct Vectors {
  Cycle read = never_yet;         // last window read of the latest vector
  Cycle read_before = never_yet;  // and of the one before it
  Cycle start = never_yet;        // its first plane
  Cycle end = never_yet;          // its last plane: its staging slot is free again
  Cycle end_before = never_yet;
  Cycle slot = never_yet;  // the slot that it took was given back: the end of the vector two before it

  void shift(Cycle by) {
    for (Cycle* time : {&read, &read_before, &start, &end, &end_before, &slot}) shift_time(*time, by);
  }
  // What the times of later vectors depend on.
  void add_to(StateKey& key) const {
    for (const Cycle time : {read, start, end, end_before}) key.add_time(time);
  }

  // `count` vectors of `windows` windows and `planes` cycles each, their ends `interval` cycles apart. Windows exist
  // from cycle `valid` on, the streamer takes vectors from cycle `stream` on.
  void run(std::int64_t count, int windows, int planes, int interval, Cycle valid, Cycle stream, bool leaps) {
    next(windows, planes, interval, valid, stream);
    // Later vectors find `valid` and `stream` in the past.
    if (leaps && count > 1 && windows <= interval && planes <= interval)
      return leap_fed(count - 1, windows, planes, interval);
    while (--count > 0) {
      const Vectors last = *this;
      next(windows, planes, interval, valid, stream);
      // A vector that only repeats the one before it, later: so do all others.
      const Cycle step = start - last.start;
      if (!leaps || read - last.read != step || end_before - last.end_before != step || count == 1) continue;
      read += (count - 1) * step;
      start += (count - 1) * step;
      end += (count - 1) * step;
      read_before = read - step;
      end_before = end - step;
      slot = end_before - step;
      return;
    }
  }

 private:
  void next(int windows, int planes, int interval, Cycle valid, Cycle stream) {
    // A window is registered a cycle before it is read; the first one waits for a staging slot.
    const Cycle first_read = std::max({read + 1, valid + 1, end_before});
    read_before = read;
    read = first_read + windows - 1;
    start = std::max({read + 2, end + 1, end + interval - planes + 1, stream});
    slot = end_before;
    end_before = end;
    end = start + planes - 1;
  }
  // Over `count` vectors whose windows are read at least as fast as planes are streamed: they start `interval` cycles
  // apart, and each is read behind the one before it or when the last but one has left its slot.
  void leap_fed(std::int64_t count, int windows, int planes, int interval) {
    const Cycle second_read = std::max(read + 1, end_before) + windows - 1;
    const auto read_of = [&](std::int64_t i) {  // from the third vector on
      return std::max(second_read + (i - 1) * windows, start + (i - 2) * interval + planes + windows - 2);
    };
    read_before = count == 1 ? read : count == 2 ? second_read : read_of(count - 1);
    read = count == 1 ? second_read : read_of(count);
    start += count * interval;
    slot = count == 1 ? end_before : end + (count - 2) * interval;
    end = start + planes - 1;
    end_before = end - interval;
  }
};

}  // namespace bitstrata::sim
