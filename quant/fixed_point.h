// SPDX-License-Identifier: Apache-2.0
// Scale ratios as the accelerator applies them: a 16-bit multiplier and a right shift.
#pragma once

#include <cstdint>

namespace bitstrata::quant {

// ratio = multiplier / 2^shift
struct Requantizer {
  std::uint16_t multiplier = 1;
  std::uint8_t shift = 0;
  double ratio() const;
};

// Multiplier normalised to [2^15, 2^16), so the relative error is at most 2^-16. Ratios below 2^-48 lose multiplier
// bits instead of exceeding a shift of 63. Throws std::invalid_argument for ratios that are not positive or above 2^16.
Requantizer multiply_shift(double ratio);

// `ratio` must be 2^-n with n in 0..63: multiplier 1.
Requantizer shift_only(double ratio);

// The power of two nearest to `value` on a logarithmic scale; `value` > 0.
double nearest_power_of_two(double value);

}  // namespace bitstrata::quant
