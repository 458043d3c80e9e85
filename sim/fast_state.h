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

// A state as numbers that a shift of all its times does not change.
class Picture {
 public:
  Picture() {}  // leaves the room for the numbers as it is
  // Most of the room is empty, and is not copied.
  Picture(const Picture& other) { *this = other; }
  Picture& operator=(const Picture& other) {
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
  void time(Cycle time) { count(time == never_yet ? never_yet : time - now_); }
  // Times that mostly lie equally far apart: the first, then each distance and how often it follows.
  void times(std::span<const Cycle> times) {
    count(static_cast<std::int64_t>(times.size()));
    if (times.empty()) return;
    time(times.front());
    for (std::size_t i = 1; i < times.size();) {
      const Cycle distance = times[i] - times[i - 1];
      const std::size_t begin = i;
      while (i < times.size() && times[i] - times[i - 1] == distance) ++i;
      count(distance);
      count(static_cast<std::int64_t>(i - begin));
    }
  }
  void count(std::int64_t count) {
    if (size_ < most) numbers_[static_cast<std::size_t>(size_)] = count;
    ++size_;
  }
  Cycle now() const { return now_; }
  // A state of more numbers than there is room for equals nothing.
  bool operator==(const Picture& other) const {
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
  // Steps since an equal state, 0 where none is known. `step` rises by one a call. `draw(picture)` draws the state
  // before the step; `sign`, a number of the same state that a shift does not change, saves most of the drawing.
  template <typename Draw>
  int period(int step, Cycle now, Cycle sign, Draw draw) {
    if (kept_ >= 0 && sign == sign_) {
      seen_.begin(now);
      draw(seen_);
      if (seen_ == picture_) return step - kept_;
    }
    // The kept state is renewed ever more seldom, so that a long period is found as well as a long way to a short one.
    if (kept_ >= 0 && step - kept_ < 1 + kept_ / 4) return 0;
    kept_ = step;
    sign_ = sign;
    picture_.begin(now);
    draw(picture_);
    return 0;
  }
  // Time from the equal state to this one.
  Cycle shift() const { return seen_.now() - picture_.now(); }

 private:
  int kept_ = -1;
  Cycle sign_ = 0;
  Picture picture_, seen_;
};

}  // namespace bitstrata::sim
