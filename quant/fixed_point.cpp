// SPDX-License-Identifier: Apache-2.0
#include "quant/fixed_point.h"

#include <cmath>
#include <stdexcept>
#include <string>

namespace bitstrata::quant {

Requantizer shift_only(double ratio) {
  int exponent = 0;
  if (!(ratio > 0) || std::frexp(ratio, &exponent) != 0.5 || exponent > 1 || exponent < -62)
    throw std::invalid_argument("scale ratio " + std::to_string(ratio) + " is not a power of two in 2^-63 .. 1");
  return {1, static_cast<std::uint8_t>(1 - exponent)};
}

double nearest_power_of_two(double value) { return std::exp2(std::nearbyint(std::log2(value))); }

}  // namespace bitstrata::quant
