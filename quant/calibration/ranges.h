// SPDX-License-Identifier: Apache-2.0
// What values a tensor takes, and the range that suits its codes (internal to quant/calibration).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quant/calibration/calibrate.h"
#include "quant/range.h"

namespace bitstrata::quant {

// One tensor's values over all inputs. Two passes: extremes and means, then the histogram between the extremes.
class Observation {
 public:
  // `period`: means are kept of so many neighbouring elements (the channels, or all).
  void see(std::span<const float> values, std::size_t period);
  void count(std::span<const float> values);
  void merge_seen(const Observation& other);
  void merge_counted(const Observation& other);

  Range extremes() const { return {low_, high_}; }
  double mean_magnitude() const { return seen_ == 0 ? 0 : magnitude_ / static_cast<double>(seen_); }
  // By element of the period, over the inputs.
  std::vector<double> means() const;

  // The range for codes of `levels` steps; `both` sides of 0 for two's complement, whose range is symmetric.
  Range choose(RangeMethod method, double percentile, int levels, bool symmetric) const;

 private:
  Range by_percentile(double percentile) const;
  Range by_error(int levels, bool symmetric) const;
  Range by_divergence(int levels, bool symmetric) const;
  double center(std::size_t bin) const;

  double low_ = 0, high_ = 0, magnitude_ = 0;
  bool any_ = false;
  std::int64_t seen_ = 0;
  std::vector<double> sums_;  // by element of the period
  std::vector<std::int64_t> bins_;
};

}  // namespace bitstrata::quant
