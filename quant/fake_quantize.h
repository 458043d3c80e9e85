// SPDX-License-Identifier: Apache-2.0
// Quantizers as differentiable tensor functions (internal: includes LibTorch).
#pragma once

#include <torch/torch.h>

#include "model/integer_network.h"
#include "quant/options.h"
#include "quant/range.h"

namespace bitstrata::quant {

// Weights: symmetric codes -(2^(bits-1)-1) .. 2^(bits-1)-1; 1 bit: -1 and +1, zero counts as +1.
//
// Largest code of weights with `bits` bits; 0 at 1 bit, where codes are -1 and +1.
double largest_code(int bits);

// One scale an output channel (all equal when per tensor). At 8 bits and above the largest weight sets it; from 2 to 7
// bits clipping the tail pays, so the scale with the smallest squared error among twelve is taken; at 1 bit it is the
// mean magnitude, which minimises the squared error of -s/+s. Powers of two: the best of five by squared error.
// Channels of (nearly) no weight get a scale 2^-10 of the layer's largest, so that their bias stays representable.
torch::Tensor weight_scale(const torch::Tensor& weights, int bits, Granularity granularity, Scales scales);

// Integer codes in the floating type of `weights`.
torch::Tensor weight_codes(const torch::Tensor& weights, const torch::Tensor& scale, int bits);

// codes * scale of weights that are multiplied by `gain` ([channels]; none: 1) before and divided by it behind; the
// gradient passes to every weight unchanged, also where it was clipped, so that a clipped weight can come back.
torch::Tensor fake_quantize_weights(const torch::Tensor& weights, const torch::Tensor& scale, int bits,
                                    const torch::Tensor& gain = {});

// Learned steps of weights, [channels]. They are those of the weights before the gain, so that a batch norm whose
// statistics move does not move codes: scale = step * |gain|, or, with one scale a tensor, times the mean |gain|; all
// steps of a tensor are then equal and get the same gradient. A scale has the same floor as in `weight_scale`.
torch::Tensor learned_weight_scale(const torch::Tensor& step, const torch::Tensor& gain, Granularity granularity,
                                   Scales scales);
// The step that gives `scale`.
torch::Tensor learned_weight_step(const torch::Tensor& scale, const torch::Tensor& gain, Granularity granularity);
// Fake quantization of weights at scale = learned_weight_scale(step, ...). The gradient passes to weights that are not
// clipped, and to the step as LSQ has it (quant/rounding.h), times 1/sqrt(weights of a step * largest code).
torch::Tensor fake_quantize_weights(const torch::Tensor& weights, const torch::Tensor& step, const torch::Tensor& scale,
                                    int bits, const torch::Tensor& gain, Granularity granularity);

// Codes of a tensor: code = clamp(floor(x / step + offset + 1/2), low, high), value = (code - offset) * step.
// Bipolar codes are the grid of step 2*scale and offset 1/2.
struct TrainingGrid {
  double step = 1.0;
  double offset = 0.0;
  std::int64_t low = 0;
  std::int64_t high = 255;
  int bits = 8;
  model::Coding coding = model::Coding::unsigned_code;
  // The real value of one code difference as the accumulator sees it: bipolar inputs count 2*code - 1.
  double unit() const { return coding == model::Coding::bipolar ? step / 2 : step; }
  // The code that padding feeds.
  double padding_code() const { return coding == model::Coding::bipolar ? 0.0 : offset; }
  double padding_value() const { return (padding_code() - offset) * step; }
};

model::Coding coding_of(bool rectified, int bits, SignedTensors signed_tensors);

// The grid of `bits` over `range`; its step is at least `smallest_step`.
TrainingGrid make_grid(const Range& range, int bits, model::Coding coding, Scales scales, double smallest_step);

// `step` as hardware has it: at least `smallest`, and a power of two where scales are.
double allowed_step(double step, Scales scales, double smallest);

torch::Tensor grid_codes(const torch::Tensor& x, const TrainingGrid& grid);

// (code - offset) * step; the gradient passes inside the clipping range and is zero outside. For a rectified tensor
// the grid starts at 0, so this contains the ReLU.
torch::Tensor fake_quantize(const torch::Tensor& x, const TrainingGrid& grid);

// Fake quantization where grid.step was learned: `step`, [1], gets its gradient as LSQ has it, times 1/sqrt(values of
// one image
// * largest code).
torch::Tensor fake_quantize(const torch::Tensor& x, const TrainingGrid& grid, const torch::Tensor& step);

// `value`, with the gradient of `x`.
torch::Tensor straight_through(const torch::Tensor& x, const torch::Tensor& value);

// Rounds to a multiple of the grid's step, gradient unchanged: average pooling keeps its input's format.
torch::Tensor round_to_grid(const torch::Tensor& x, const TrainingGrid& grid);

// The range that suits a batch. From 8 bits on it is the extremes; below, the clipping with the smallest squared error
// over about so many samples; for bipolar codes the mean magnitude. `rectified`: negative values count as 0.
Range observe_range(const torch::Tensor& x, int bits, model::Coding coding, int samples = 4096, bool rectified = false);

}  // namespace bitstrata::quant
