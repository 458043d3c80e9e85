// SPDX-License-Identifier: Apache-2.0
// A progress bar on stderr, shown only on a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace bitstrata::model {

// `label [#####.....]  42 %  0:12 left  note`, redrawn at most ten times a second and wiped at the end. Without a
// terminal, or when quiet, it prints nothing.
class Progress {
 public:
  Progress(std::string label, std::int64_t total, bool quiet = false);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(std::int64_t steps = 1, const std::string& note = "");
  // Wipes the bar; further calls do nothing.
  void finish();

 private:
  void draw(const std::string& note);
  std::string label_;
  std::int64_t total_;
  std::int64_t done_ = 0;
  bool shown_;
  std::chrono::steady_clock::time_point start_, drawn_;
};

}  // namespace bitstrata::model
