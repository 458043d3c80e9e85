// SPDX-License-Identifier: Apache-2.0
// Weight codes without training (internal to quant/calibration).
#pragma once

#include <vector>

#include "model/float_network.h"

namespace bitstrata::quant {

// Scales for p.weight_bits: from 8 bits on the largest weight sets them, from 2 to 7 the smallest squared error, at 1
// bit the mean magnitude. None is so small that the bias, counted in scale * input_scale, would leave 32 bits.
std::vector<double> weight_scales(const model::Parameters& p, std::size_t channels, bool per_channel,
                                  double input_scale);

// Weights become multiples of their scales.
void round_weights(model::Parameters& p);

// Takes the mean error of the rounded weights on inputs of these means (by channel; of a linear layer, by
// element) out of the bias.
void correct_bias(model::Parameters& p, const std::vector<float>& before, const model::Node& node,
                  const std::vector<double>& means, std::size_t input_channels);

}  // namespace bitstrata::quant
