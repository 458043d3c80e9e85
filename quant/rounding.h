// SPDX-License-Identifier: Apache-2.0
// The loops of fake quantization over plain memory: one pass each way. As chains of tensor operators they would read
// and write every activation six times, which costs more than a network's ReLUs, poolings and sums together.
#pragma once

#include <cstdint>
#include <utility>

namespace bitstrata::quant {

// code = clamp(floor(x * inverse + shift), low, high), value = (code - offset) * step.
struct TensorRounding {
  float inverse = 1, shift = 0.5F;  // 1 / step, offset + 1/2
  float low = 0, high = 255;
  float offset = 0, step = 1;
};

// Values of the codes of `size` values.
void round_values(const float* x, float* values, std::int64_t size, const TensorRounding& rounding);
// Sum of squares of value - x.
double rounding_error(const float* x, std::int64_t size, const TensorRounding& rounding);
// The codes themselves.
void round_codes(const float* x, float* codes, std::int64_t size, const TensorRounding& rounding);

// Gradients with learned steps (Esser et al., Learned Step Size Quantization, ICLR 2020, equations 3 and 5): `to_x` is
// `gradient` where x lies between the lowest and the highest value and 0 elsewhere; the result is the sum of gradient *
// (value - x) / step inside and of gradient * (low or high - offset) outside.
double round_backward(const float* gradient, const float* x, float* to_x, std::int64_t size,
                      const TensorRounding& rounding);

// Weights: the nearest integer of w / scale, halves to even, between -largest and largest; largest 0: -1 or +1, zero
// counts as +1. `gain` comes before and is taken out behind: value = code * scale / gain of w * gain.
struct WeightRounding {
  float gain = 1, scale = 1, largest = 127;
};
void round_weights(const float* weights, float* values, std::int64_t size, const WeightRounding& rounding);
// Gradients as in round_backward; the sum is the gradient of `scale`.
double round_weights_backward(const float* gradient, const float* weights, float* to_weights, std::int64_t size,
                              const WeightRounding& rounding);
// Sum of squares of value - weight, of weights without a gain.
double weight_error(const float* weights, std::int64_t size, float scale, float largest);

// Sum and largest of magnitudes.
std::pair<double, float> magnitude(const float* values, std::int64_t size);

// Both take pixels whose channels lie side by side: one sums every channel, the other adds a number to each.
void channel_sums(const float* values, std::int64_t pixels, std::int64_t channels, double* sums);
void add_to_channels(float* values, std::int64_t pixels, std::int64_t channels, const float* each);

// How many values are not 0.
std::int64_t nonzero(const float* values, std::int64_t size);

}  // namespace bitstrata::quant
