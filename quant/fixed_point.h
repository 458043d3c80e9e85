// SPDX-License-Identifier: Apache-2.0
// Which widths are clipped, and scale ratios that are powers of two, beside the free ones of model/fixed_point.h.
#pragma once

#include "model/fixed_point.h"

namespace bitstrata::quant {

using model::multiply_shift;
using model::Requantizer;

// Are weights and values of so many bits clipped by squared error? From 8 bits on their extremes set the scale.
constexpr bool clipped(int bits) { return bits < 8; }

// `ratio` must be 2^-n with n in 0..63: multiplier 1.
Requantizer shift_only(double ratio);

// The power of two nearest to `value` on a logarithmic scale; `value` > 0.
double nearest_power_of_two(double value);

}  // namespace bitstrata::quant
