// SPDX-License-Identifier: Apache-2.0
// Scale ratios as the accelerator applies them: a 16-bit multiplier and a right shift.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <stdexcept>

namespace bitstrata::model {

// ratio = multiplier / 2^shift
struct Requantizer {
  std::uint16_t multiplier = 1;
  std::uint8_t shift = 0;
  double ratio() const { return std::ldexp(static_cast<double>(multiplier), -shift); }
};

inline constexpr double largest_ratio = 65535.0;

// Multiplier normalised to [2^15, 2^16), so the relative error is at most 2^-16. Ratios below 2^-48 lose multiplier
// bits instead of exceeding a shift of 63. Throws std::invalid_argument for ratios outside (0, largest_ratio].
inline Requantizer multiply_shift(double ratio) {
  if (!(ratio > 0) || ratio > largest_ratio) {
    throw std::invalid_argument(fmt::format("scale ratio {:g} is outside (0, {:g}]", ratio, largest_ratio));
  }
  int exponent = 0;
  double multiplier = std::nearbyint(std::ldexp(std::frexp(ratio, &exponent), 16));
  int shift = 16 - exponent;
  if (multiplier == 65536.0) {
    multiplier = 32768.0;
    --shift;
  }
  if (shift > 63) {
    multiplier = std::nearbyint(std::ldexp(multiplier, 63 - shift));
    shift = 63;
  }
  return {static_cast<std::uint16_t>(multiplier), static_cast<std::uint8_t>(shift)};
}

}  // namespace bitstrata::model
