// SPDX-License-Identifier: Apache-2.0
// Tools to see that a schedule repeats itself: units only compare and add times, so two states whose times differ by
// one shift go on alike, that shift apart.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace bitstrata::sim {

// A point in time, in cycles: when a handshake or pulse happens.
using Cycle = std::int64_t;
inline constexpr Cycle never_yet = -(Cycle{1} << 60);

inline void shift_time(Cycle& time, Cycle by) {
  if (time != never_yet) time += by;
}

// A state as numbers that a shift of all its times does not change: equal keys, equal states. What has a part in the
// state adds it (`add_to`).
class StateKey {
 public:
  StateKey() {}  // leaves the room for the numbers as it is
  // Most of the room is empty, and is not copied.
  StateKey(const StateKey& other) { *this = other; }
  StateKey& operator=(const StateKey& other) {
    now_ = other.now_;
    size_ = other.size_;
    std::copy_n(other.numbers_.begin(), std::min(size_, most), numbers_.begin());
    return *this;
  }
  // Times are noted relative to `now`.
  void begin(Cycle now) {
    now_ = now;
    size_ = 0;
  }
  void add_time(Cycle time) { add_number(time == never_yet ? never_yet : time - now_); }
  // Times that mostly lie equally far apart: the first, then each distance and how often it follows.
  void add_times(std::span<const Cycle> times) {
    add_number(static_cast<std::int64_t>(times.size()));
    if (times.empty()) return;
    add_time(times.front());
    for (std::size_t i = 1; i < times.size();) {
      const Cycle distance = times[i] - times[i - 1];
      const std::size_t begin = i;
      while (i < times.size() && times[i] - times[i - 1] == distance) ++i;
      add_number(distance);
      add_number(static_cast<std::int64_t>(i - begin));
    }
  }
  void add_number(std::int64_t number) {
    if (size_ < most) numbers_[static_cast<std::size_t>(size_)] = number;
    ++size_;
  }
  Cycle now() const { return now_; }
  // A state of more numbers than there is room for equals nothing.
  bool operator==(const StateKey& other) const {
    return size_ == other.size_ && size_ <= most &&
           std::equal(numbers_.begin(), numbers_.begin() + size_, other.numbers_.begin());
  }

 private:
  static constexpr std::ptrdiff_t most = 2048;
  Cycle now_ = 0;
  std::ptrdiff_t size_ = most + 1;
  std::array<std::int64_t, most> numbers_;
};

// Watches the states before the steps of a loop for one that was there before.
class Repeat {
 public:
  void restart() { kept_ = -1; }
  // Steps since an equal state, 0 where none is known. `step` rises by one a call. `add_state(key)` adds the state
  // before the step; `hash`, a number that equal states share, saves most of the keys.
  template <typename AddState>
  int period(int step, Cycle now, Cycle hash, AddState add_state) {
    if (kept_ >= 0 && hash == kept_hash_) {
      key_.begin(now);
      add_state(key_);
      if (key_ == kept_key_) return step - kept_;
    }
    // The kept state is renewed ever more seldom, so that a long period is found as well as a long way to a short one.
    if (kept_ >= 0 && step - kept_ < 1 + kept_ / 4) return 0;
    kept_ = step;
    kept_hash_ = hash;
    kept_key_.begin(now);
    add_state(kept_key_);
    return 0;
  }
  // Time from the equal state to this one.
  Cycle shift() const { return key_.now() - kept_key_.now(); }

 private:
  int kept_ = -1;  // step
  Cycle kept_hash_ = 0;
  StateKey kept_key_, key_;
};

}  // namespace bitstrata::sim
