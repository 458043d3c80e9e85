// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/ranges.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "model/yaml_reader.h"

namespace bitstrata::quant {
namespace {

constexpr std::size_t bin_count = 2048;
constexpr int candidates = 90;  // clippings tried, down to a tenth of the extremes

// Divergence of a clipped histogram from the same one seen through `levels` steps. Counts beyond the clipping fall
// into its last bin, as they do when values are clipped.
double divergence(const std::vector<double>& counts, std::size_t kept, int levels) {
  std::vector<double> clipped(counts.begin(), counts.begin() + static_cast<std::ptrdiff_t>(kept));
  clipped.back() += std::accumulate(counts.begin() + static_cast<std::ptrdiff_t>(kept), counts.end(), 0.0);
  const double total = std::accumulate(clipped.begin(), clipped.end(), 0.0);
  const double inside = std::accumulate(counts.begin(), counts.begin() + static_cast<std::ptrdiff_t>(kept), 0.0);
  if (total == 0 || inside == 0) return std::numeric_limits<double>::infinity();
  double result = 0;
  for (int level = 0; level < levels; ++level) {
    const auto begin = kept * static_cast<std::size_t>(level) / static_cast<std::size_t>(levels);
    const auto end = kept * (static_cast<std::size_t>(level) + 1) / static_cast<std::size_t>(levels);
    double sum = 0;
    std::size_t filled = 0;
    for (std::size_t i = begin; i < end; ++i) sum += counts[i], filled += counts[i] > 0 ? 1 : 0;
    for (std::size_t i = begin; i < end; ++i) {
      if (clipped[i] == 0) continue;
      const double p = clipped[i] / total;
      const double q = counts[i] > 0 ? sum / static_cast<double>(filled) / inside : 1e-9;
      result += p * std::log(p / q);
    }
  }
  return result;
}

}  // namespace

RangeMethod range_method(const std::string& name) {
  const std::vector<std::string> names = {"max", "percentile", "mse", "kl"};
  for (std::size_t i = 0; i < names.size(); ++i)
    if (name == names[i]) return static_cast<RangeMethod>(i);
  throw std::invalid_argument(fmt::format("unknown calibration '{}'{}; known: {}", name,
                                          model::did_you_mean(name, names), fmt::join(names, ", ")));
}

void Observation::see(std::span<const float> values, std::size_t period) {
  if (sums_.empty()) sums_.assign(period, 0.0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = values[i];
    if (!std::isfinite(value)) throw std::invalid_argument("a calibration input leads to a value that is no number");
    low_ = any_ ? std::min(low_, value) : value;
    high_ = any_ ? std::max(high_, value) : value;
    any_ = true;
    magnitude_ += std::abs(value);
    sums_[i % period] += value;
  }
  seen_ += static_cast<std::int64_t>(values.size());
}

void Observation::merge_seen(const Observation& other) {
  if (!other.any_) return;
  low_ = any_ ? std::min(low_, other.low_) : other.low_;
  high_ = any_ ? std::max(high_, other.high_) : other.high_;
  any_ = true;
  magnitude_ += other.magnitude_;
  if (sums_.empty()) sums_.assign(other.sums_.size(), 0.0);
  for (std::size_t i = 0; i < sums_.size(); ++i) sums_[i] += other.sums_[i];
  seen_ += other.seen_;
}

std::vector<double> Observation::means() const {
  std::vector<double> result = sums_;
  const double each = static_cast<double>(std::max<std::int64_t>(1, seen_)) /
                      static_cast<double>(std::max<std::size_t>(1, sums_.size()));
  for (double& sum : result) sum /= each;
  return result;
}

void Observation::count(std::span<const float> values) {
  if (bins_.empty()) bins_.assign(bin_count, 0);
  const double width = high_ - low_;
  if (!(width > 0)) return;
  const double per_bin = static_cast<double>(bin_count) / width;
  for (const float value : values) {
    const double position = std::clamp((value - low_) * per_bin, 0.0, static_cast<double>(bin_count - 1));
    ++bins_[static_cast<std::size_t>(position)];
  }
}

void Observation::merge_counted(const Observation& other) {
  if (bins_.empty()) bins_.assign(bin_count, 0);
  for (std::size_t i = 0; i < other.bins_.size(); ++i) bins_[i] += other.bins_[i];
}

double Observation::center(std::size_t bin) const {
  return low_ + (static_cast<double>(bin) + 0.5) * (high_ - low_) / static_cast<double>(bin_count);
}

Range Observation::choose(RangeMethod method, double percentile, int levels, bool symmetric) const {
  const bool counted = std::any_of(bins_.begin(), bins_.end(), [](std::int64_t n) { return n > 0; });
  if (!counted || method == RangeMethod::max) return extremes();
  switch (method) {
    case RangeMethod::percentile:
      return by_percentile(percentile);
    case RangeMethod::mse:
      return by_error(levels, symmetric);
    case RangeMethod::kl:
      return by_divergence(levels, symmetric);
    default:
      return extremes();
  }
}

Range Observation::by_percentile(double percentile) const {
  const auto total = static_cast<double>(std::accumulate(bins_.begin(), bins_.end(), std::int64_t{0}));
  const double outside = total * (100 - percentile) / 100;
  Range range = extremes();
  double below = 0, above = 0;
  // Values on the wrong side of zero are no tail of their own: a ReLU's zeros stay.
  for (std::size_t i = 0; i < bin_count && center(i) < 0; ++i) {
    below += static_cast<double>(bins_[i]);
    if (below > outside) break;
    range.low = center(i);
  }
  for (std::size_t i = bin_count; i-- > 0 && center(i) > 0;) {
    above += static_cast<double>(bins_[i]);
    if (above > outside) break;
    range.high = center(i);
  }
  return range;
}

Range Observation::by_error(int levels, bool symmetric) const {
  Range whole = extremes();
  if (symmetric) {
    whole.high = std::max(std::abs(whole.low), std::abs(whole.high));
    whole.low = -whole.high;
  }
  whole.low = std::min(whole.low, 0.0);
  whole.high = std::max(whole.high, 0.0);
  const auto error_of = [&](const Range& range) {
    const double step = (range.high - range.low) / std::max(1, levels);
    double error = 0;
    for (std::size_t i = 0; i < bin_count; ++i) {
      if (bins_[i] == 0) continue;
      const double x = center(i), inside = std::clamp(x, range.low, range.high);
      const double rounded = step > 0 ? std::nearbyint(inside / step) * step : inside;
      error += static_cast<double>(bins_[i]) * (x - rounded) * (x - rounded);
    }
    return error;
  };
  Range best = whole;
  double least = std::numeric_limits<double>::infinity();
  const auto try_all = [&](bool low, bool high) {
    const Range from = best;
    for (int k = 0; k < candidates; ++k) {
      const double by = 1.0 - 0.9 * k / candidates;
      const Range range{low ? from.low * by : from.low, high ? from.high * by : from.high};
      const double error = error_of(range);
      if (error < least) least = error, best = range;
    }
  };
  if (symmetric) {
    try_all(true, true);
  } else {  // one end after the other
    try_all(false, true);
    if (whole.low < 0) try_all(true, false);
  }
  return best;
}

Range Observation::by_divergence(int levels, bool symmetric) const {
  // The histogram of magnitudes, as the entropy calibration of inference engines takes it.
  const double largest = std::max(std::abs(low_), std::abs(high_));
  const bool both = symmetric || low_ < 0;
  const int steps = std::max(1, both ? levels / 2 : levels);
  if (static_cast<std::size_t>(2 * steps) >= bin_count) return extremes();  // finer than the histogram
  std::vector<double> counts(bin_count, 0.0);
  for (std::size_t i = 0; i < bin_count; ++i) {
    const double position = std::abs(center(i)) / largest * static_cast<double>(bin_count);
    counts[std::min(bin_count - 1, static_cast<std::size_t>(position))] += static_cast<double>(bins_[i]);
  }
  counts[0] = counts[1];  // exact zeros (ReLU, padding) cost nothing at any clipping
  double least = std::numeric_limits<double>::infinity();
  std::size_t best = bin_count;
  for (std::size_t kept = std::max<std::size_t>(static_cast<std::size_t>(steps), bin_count / 8); kept <= bin_count;
       kept += 8) {
    const double d = divergence(counts, kept, steps);
    if (d < least) least = d, best = kept;
  }
  const double limit = largest * static_cast<double>(best) / static_cast<double>(bin_count);
  return {std::max(low_, -limit), std::min(high_, limit)};
}

}  // namespace bitstrata::quant
