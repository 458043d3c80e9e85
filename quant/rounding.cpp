// SPDX-License-Identifier: Apache-2.0
#include "quant/rounding.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace bitstrata::quant {

namespace {

constexpr std::int64_t kBlock = 2048;  // values: what a block needs stays in the first cache

// Sums of floats in a fixed order that the compiler can vectorize: a block's terms are written down first, then added
// in parallel lanes, which are emptied into a double, so that long sums lose nothing. `fill` writes the terms of
// `count` elements from `start` on.
template <typename Fill>
double sum(std::int64_t size, const Fill& fill) {
  constexpr std::int64_t kLanes = 32;
  alignas(64) std::array<float, kBlock> terms;
  double total = 0;
  for (std::int64_t start = 0; start < size; start += kBlock) {
    const std::int64_t count = std::min(kBlock, size - start);
    fill(start, count, terms.data());
    std::array<float, kLanes> lanes{};
    std::int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
      for (std::int64_t k = 0; k < kLanes; ++k)
        lanes[static_cast<std::size_t>(k)] += terms[static_cast<std::size_t>(i + k)];
    for (; i < count; ++i) lanes[0] += terms[static_cast<std::size_t>(i)];
    for (const float lane : lanes) total += lane;
  }
  return total;
}

// Comparisons are written so that what is not a number stays that, and training notices it.
float clamped(float x, float low, float high) {
  const float above = x < low ? low : x;
  return above > high ? high : above;
}

float code_of(float x, const TensorRounding& r) { return clamped(std::floor(x * r.inverse + r.shift), r.low, r.high); }

float weight_code(float position, float largest) {
  return largest > 0 ? clamped(std::nearbyint(position), -largest, largest) : position >= 0 ? 1.0F : -1.0F;
}

}  // namespace

void round_values(const float* __restrict x, float* __restrict values, std::int64_t size,
                  const TensorRounding& rounding) {
  const TensorRounding r = rounding;
  for (std::int64_t i = 0; i < size; ++i) values[i] = (code_of(x[i], r) - r.offset) * r.step;
}

void round_codes(const float* x, float* codes, std::int64_t size, const TensorRounding& rounding) {
  const TensorRounding r = rounding;
  for (std::int64_t i = 0; i < size; ++i) codes[i] = code_of(x[i], r);
}

double rounding_error(const float* x, std::int64_t size, const TensorRounding& rounding) {
  return sum(size, [&](std::int64_t start, std::int64_t count, float* __restrict terms) {
    const auto r = rounding;
    const float* __restrict from = x + start;
    for (std::int64_t i = 0; i < count; ++i) {
      const float error = (code_of(from[i], r) - r.offset) * r.step - from[i];
      terms[i] = error * error;
    }
  });
}

double round_backward(const float* gradient, const float* x, float* to_x, std::int64_t size,
                      const TensorRounding& rounding) {
  return sum(size, [&](std::int64_t start, std::int64_t count, float* __restrict terms) {
    const auto r = rounding;
    const float* __restrict g = gradient + start, * __restrict from = x + start;
    float* __restrict to = to_x + start;
    for (std::int64_t i = 0; i < count; ++i) {
      const float position = from[i] * r.inverse + r.offset;
      // One comparison at a time, which the compiler can vectorize.
      const float above = position > r.low ? g[i] : 0.0F, base = position > r.low ? position : r.offset;
      to[i] = position < r.high ? above : 0.0F;
      terms[i] = g[i] * (code_of(from[i], r) - (position < r.high ? base : r.offset));
    }
  });
}

void round_weights(const float* weights, float* values, std::int64_t size, const WeightRounding& rounding) {
  const WeightRounding r = rounding;
  for (std::int64_t i = 0; i < size; ++i)
    values[i] = weight_code(weights[i] * r.gain / r.scale, r.largest) * r.scale / r.gain;
}

double round_weights_backward(const float* gradient, const float* weights, float* to_weights, std::int64_t size,
                              const WeightRounding& rounding) {
  return sum(size, [&](std::int64_t start, std::int64_t count, float* __restrict terms) {
    const auto r = rounding;
    const float* __restrict g = gradient + start, * __restrict from = weights + start;
    float* __restrict to = to_weights + start;
    const float most = r.largest > 0 ? r.largest : 1.0F;
    for (std::int64_t i = 0; i < count; ++i) {
      const float position = from[i] * r.gain / r.scale;
      const float base = std::abs(position) < most ? position : 0.0F;
      to[i] = std::abs(position) < most ? g[i] : 0.0F;
      terms[i] = g[i] / r.gain * (weight_code(position, r.largest) - base);
    }
  });
}

double weight_error(const float* weights, std::int64_t size, float scale, float largest) {
  return sum(size, [=](std::int64_t start, std::int64_t count, float* __restrict terms) {
    const float* __restrict from = weights + start;
    for (std::int64_t i = 0; i < count; ++i) {
      const float error = weight_code(from[i] / scale, largest) * scale - from[i];
      terms[i] = error * error;
    }
  });
}

std::pair<double, float> magnitude(const float* values, std::int64_t size) {
  float largest = 0;
  for (std::int64_t i = 0; i < size; ++i) largest = std::max(largest, std::abs(values[i]));
  return {sum(size,
              [=](std::int64_t start, std::int64_t count, float* __restrict terms) {
                for (std::int64_t i = 0; i < count; ++i) terms[i] = std::abs(values[start + i]);
              }),
          largest};
}

void channel_sums(const float* __restrict values, std::int64_t pixels, std::int64_t channels, double* sums) {
  constexpr std::int64_t kPixels = 128;  // added in single precision before they go into the doubles
  std::vector<float> few(static_cast<std::size_t>(channels));
  float* __restrict part = few.data();
  std::fill(sums, sums + channels, 0.0);
  for (std::int64_t start = 0; start < pixels; start += kPixels) {
    const std::int64_t end = std::min(pixels, start + kPixels);
    std::fill(few.begin(), few.end(), 0.0F);
    for (std::int64_t p = start; p < end; ++p)
      for (std::int64_t c = 0; c < channels; ++c) part[c] += values[p * channels + c];
    for (std::int64_t c = 0; c < channels; ++c) sums[c] += part[c];
  }
}

void add_to_channels(float* __restrict values, std::int64_t pixels, std::int64_t channels,
                     const float* __restrict each) {
  for (std::int64_t p = 0; p < pixels; ++p)
    for (std::int64_t c = 0; c < channels; ++c) values[p * channels + c] += each[c];
}

std::int64_t nonzero(const float* values, std::int64_t size) {
  std::int64_t count = 0;
  for (std::int64_t start = 0; start < size; start += kBlock) {
    const std::int64_t end = std::min(size, start + kBlock);
    std::int32_t part = 0;
    for (std::int64_t i = start; i < end; ++i) part += values[i] != 0.0F;
    count += part;
  }
  return count;
}

}  // namespace bitstrata::quant
