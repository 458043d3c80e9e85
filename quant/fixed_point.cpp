// SPDX-License-Identifier: Apache-2.0
#include "quant/fixed_point.h"

#include <cmath>
#include <stdexcept>
#include <string>

namespace bitstrata::quant {

double Requantizer::ratio() const { return std::ldexp(static_cast<double>(multiplier), -shift); }

Requantizer multiply_shift(double ratio) {
  if (!(ratio > 0) || ratio > 65535.0)
    throw std::invalid_argument("scale ratio " + std::to_string(ratio) + " is outside (0, 65535]");
  int exponent = 0;
  const double fraction = std::frexp(ratio, &exponent);  // [0.5, 1)
  double multiplier = std::nearbyint(std::ldexp(fraction, 16));
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

Requantizer shift_only(double ratio) {
  int exponent = 0;
  if (!(ratio > 0) || std::frexp(ratio, &exponent) != 0.5 || exponent > 1 || exponent < -62)
    throw std::invalid_argument("scale ratio " + std::to_string(ratio) + " is not a power of two in 2^-63 .. 1");
  return {1, static_cast<std::uint8_t>(1 - exponent)};
}

double nearest_power_of_two(double value) { return std::exp2(std::nearbyint(std::log2(value))); }

}  // namespace bitstrata::quant
