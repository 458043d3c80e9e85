// SPDX-License-Identifier: Apache-2.0
#include "model/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace bitstrata::model {

namespace {
using Clock = std::chrono::steady_clock;
constexpr int kWidth = 30;
constexpr auto kPause = std::chrono::milliseconds(100);
}  // namespace

Progress::Progress(std::string label, std::int64_t total, bool quiet)
    : label_(std::move(label)),
      total_(std::max<std::int64_t>(1, total)),
      shown_(!quiet && isatty(STDERR_FILENO) == 1),
      start_(Clock::now()) {}

Progress::~Progress() { finish(); }

void Progress::advance(std::int64_t steps, const std::string& note) {
  done_ = std::min(total_, done_ + steps);
  const Clock::time_point now = Clock::now();
  if (!shown_ || now - drawn_ < kPause) return;
  drawn_ = now;
  draw(note);
}

void Progress::draw(const std::string& note) {
  const double part = static_cast<double>(done_) / static_cast<double>(total_);
  const double spent = std::chrono::duration<double>(drawn_ - start_).count();
  const int left = part > 0 ? static_cast<int>(spent * (1 - part) / part + 0.5) : 0;
  const int filled = static_cast<int>(part * kWidth);
  const std::string line = fmt::format("\r{} [{:#<{}}{:.<{}}] {:3.0f} %  {}:{:02} left  {}\x1b[K", label_, "", filled,
                                       "", kWidth - filled, 100 * part, left / 60, left % 60, note);
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
}

void Progress::finish() {
  if (shown_ && drawn_ != Clock::time_point{}) std::fputs("\r\x1b[K", stderr);
  shown_ = false;
}

}  // namespace bitstrata::model
