// SPDX-License-Identifier: Apache-2.0
#include "quant/fake_quantize.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "quant/fixed_point.h"
#include "quant/operators.h"
#include "quant/rounding.h"

namespace bitstrata::quant {

namespace {

using torch::Tensor;

constexpr double kCandidateRatio = 0.85;

Tensor per_channel(const Tensor& scale, const Tensor& like) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
  shape[0] = -1;
  return scale.view(shape);
}

// The factor with the smallest error among ratio^i, i < count, and, `between` its neighbours, in quarters of a step.
template <typename Error>
double best_factor(double ratio, int count, bool between, const Error& error) {
  double best = 1, least = std::numeric_limits<double>::infinity();
  const auto try_factor = [&](double factor) {
    const double found = error(factor);
    if (found < least) least = found, best = factor;
  };
  double factor = 1;
  for (int i = 0; i < count; ++i, factor *= ratio) try_factor(factor);
  if (!between) return best;
  const double middle = best, quarter = std::sqrt(std::sqrt(ratio));
  for (const int k : {-3, -2, -1, 1, 2, 3})
    if (middle * std::pow(quarter, k) < 1) try_factor(middle * std::pow(quarter, k));
  return best;
}

float best_scale(const float* weights, std::int64_t size, float first, Scales scales, int bits) {
  const bool free = scales == Scales::free;
  const double factor = best_factor(free ? kCandidateRatio : 0.5, free ? 12 : 5, free, [&](double candidate) {
    return weight_error(weights, size, first * static_cast<float>(candidate), static_cast<float>(largest_code(bits)));
  });
  return first * static_cast<float>(factor);
}

TensorRounding rounding_of(const TrainingGrid& grid) {
  return {static_cast<float>(1.0 / grid.step), static_cast<float>(grid.offset + 0.5), static_cast<float>(grid.low),
          static_cast<float>(grid.high),       static_cast<float>(grid.offset),       static_cast<float>(grid.step)};
}

// Calls `round` with the weights of each channel, where they begin, and how they are rounded.
template <typename Round>
void for_channels(const Tensor& weights, const Tensor& gain, const Tensor& scale, int bits, const Round& round) {
  const std::int64_t channels = weights.size(0), each = weights.numel() / channels;
  const float* gains = gain.defined() ? gain.data_ptr<float>() : nullptr;
  const float* scales = scale.data_ptr<float>();
  for (std::int64_t n = 0; n < channels; ++n)
    round(n, n * each, each,
          WeightRounding{gains ? gains[n] : 1.0F, scales[n], static_cast<float>(largest_code(bits))});
}

Tensor rounded_weights(const Tensor& weights, const Tensor& gain, const Tensor& scale, int bits) {
  const Tensor from = weights.detach().contiguous();
  Tensor values = torch::empty_like(from);
  for_channels(from, gain, scale, bits, [&](std::int64_t, std::int64_t start, std::int64_t size, const auto& rounding) {
    round_weights(from.data_ptr<float>() + start, values.data_ptr<float>() + start, size, rounding);
  });
  return values;
}

Tensor reference_gain(const Tensor& gain, Granularity granularity) {
  return granularity == Granularity::per_channel ? gain.abs() : gain.abs().mean().expand_as(gain);
}

class StraightThrough : public torch::autograd::Function<StraightThrough> {
 public:
  static Tensor forward(torch::autograd::AutogradContext*, const Tensor&, const Tensor& value) { return value; }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                 torch::autograd::variable_list gradients) {
    return {gradients[0], Tensor()};
  }
};

// This returns x's values in the memory order of `like`.
Tensor in_order_of(const Tensor& like, const Tensor& x) {
  return x.strides() == like.strides() ? x : torch::empty_like(like).copy_(x);
}

// Every stride-th value, channels first, wherever it lies in memory: ranges must not depend on the order.
Tensor every(const Tensor& x, std::int64_t stride) {
  if (x.is_contiguous() || x.dim() != 4 || x.scalar_type() != torch::kFloat32)
    return x.reshape({-1}).slice(0, 0, x.numel(), stride).contiguous();
  Tensor values = torch::empty({(x.numel() + stride - 1) / stride});
  const float* from = x.data_ptr<float>();
  const auto size = x.sizes(), step = x.strides();
  float* to = values.data_ptr<float>();
  for (std::int64_t i = 0; i < x.numel(); i += stride) {
    const std::int64_t row = i / size[3], plane = row / size[2];
    *to++ =
        from[i % size[3] * step[3] + row % size[2] * step[2] + plane % size[1] * step[1] + plane / size[1] * step[0]];
  }
  return values;
}

Tensor rounded(const Tensor& x, const TrainingGrid& grid) {  // dense
  Tensor values = torch::empty_like(x);
  round_values(x.data_ptr<float>(), values.data_ptr<float>(), x.numel(), rounding_of(grid));
  return values;
}

std::vector<double> stored(const TrainingGrid& grid) {
  return {grid.step, grid.offset, static_cast<double>(grid.low), static_cast<double>(grid.high)};
}

TrainingGrid stored_grid(torch::autograd::AutogradContext* context) {
  const std::vector<double> saved = context->saved_data["grid"].toDoubleVector();
  TrainingGrid grid;
  grid.step = saved[0], grid.offset = saved[1];
  grid.low = static_cast<std::int64_t>(saved[2]), grid.high = static_cast<std::int64_t>(saved[3]);
  return grid;
}

// Clamp and round with the gradient of the clamp alone.
class FakeQuantize : public torch::autograd::Function<FakeQuantize> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, const TrainingGrid* grid) {
    const Tensor from = dense(x);
    context->save_for_backward({from});
    context->saved_data["grid"] = stored(*grid);
    return rounded(from, *grid);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const TrainingGrid grid = stored_grid(context);
    return {at::hardtanh_backward(gradients[0], context->get_saved_variables()[0],
                                  (static_cast<double>(grid.low) - grid.offset) * grid.step,
                                  (static_cast<double>(grid.high) - grid.offset) * grid.step),
            Tensor()};
  }
};

// Fake quantization with a gradient of the step beside that of the values.
class LearnedFakeQuantize : public torch::autograd::Function<LearnedFakeQuantize> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, const Tensor&,
                        const TrainingGrid* grid) {
    const Tensor from = dense(x);
    context->save_for_backward({from});
    context->saved_data["grid"] = stored(*grid);
    return rounded(from, *grid);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const TrainingGrid grid = stored_grid(context);
    const Tensor x = context->get_saved_variables()[0], gradient = in_order_of(x, gradients[0]);
    Tensor to_x = torch::empty_like(x);
    const double to_step = round_backward(gradient.data_ptr<float>(), x.data_ptr<float>(), to_x.data_ptr<float>(),
                                          x.numel(), rounding_of(grid));
    const double features = static_cast<double>(x.numel()) / static_cast<double>(x.size(0));
    const double largest = std::max(1.0, static_cast<double>(grid.high) - grid.offset);
    return {to_x, torch::full({1}, to_step / std::sqrt(features * largest), torch::kFloat32), Tensor()};
  }
};

class LearnedWeights : public torch::autograd::Function<LearnedWeights> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& weights, const Tensor&,
                        const Tensor& scale, std::int64_t bits, const Tensor& gain, bool per_tensor) {
    context->save_for_backward({weights, scale, gain});
    context->saved_data["bits"] = bits;
    context->saved_data["per_tensor"] = per_tensor;
    return rounded_weights(weights, gain, scale, static_cast<int>(bits));
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor weights = saved[0].contiguous(), scale = saved[1], gain = saved[2];
    const int bits = static_cast<int>(context->saved_data["bits"].toInt());
    const bool per_tensor = context->saved_data["per_tensor"].toBool();
    const Tensor gradient = gradients[0].contiguous();
    Tensor to_weights = torch::empty_like(weights), to_scale = torch::empty_like(scale);
    for_channels(weights, gain, scale, bits,
                 [&](std::int64_t n, std::int64_t start, std::int64_t size, const auto& rounding) {
                   to_scale.data_ptr<float>()[n] = static_cast<float>(
                       round_weights_backward(gradient.data_ptr<float>() + start, weights.data_ptr<float>() + start,
                                              to_weights.data_ptr<float>() + start, size, rounding));
                 });
    Tensor to_step = to_scale * reference_gain(gain, per_tensor ? Granularity::per_tensor : Granularity::per_channel);
    if (per_tensor) to_step = to_step.sum().expand_as(scale);
    const double of_a_step =
        static_cast<double>(weights.numel()) / (per_tensor ? 1.0 : static_cast<double>(scale.numel()));
    return {to_weights, to_step / std::sqrt(of_a_step * std::max(1.0, largest_code(bits))),
            Tensor(),   Tensor(),
            Tensor(),   Tensor()};
  }
};

}  // namespace

double largest_code(int bits) { return bits == 1 ? 0 : std::ldexp(1.0, bits - 1) - 1; }

torch::Tensor weight_scale(const torch::Tensor& weights, int bits, Granularity granularity, Scales scales) {
  const Tensor all = weights.detach().contiguous();
  const float* data = all.data_ptr<float>();
  const std::int64_t channels = weights.size(0), rows = granularity == Granularity::per_channel ? channels : 1;
  const std::int64_t each = all.numel() / rows;
  std::vector<float> scale(static_cast<std::size_t>(rows));
  float largest = 0;
  for (std::int64_t n = 0; n < rows; ++n) {
    const auto [sum, most] = magnitude(data + n * each, each);
    float& own = scale[static_cast<std::size_t>(n)];
    own =
        bits == 1 ? static_cast<float>(sum / static_cast<double>(each)) : most / static_cast<float>(largest_code(bits));
    largest = std::max(largest, own);
  }
  if (!(largest > 0)) return torch::ones({channels}, all.options());  // no weight at all: any scale is right
  for (std::int64_t n = 0; n < rows; ++n) {
    float& own = scale[static_cast<std::size_t>(n)];
    own = std::max(own, largest / 1024);
    if (scales == Scales::power_of_two) {
      own = best_scale(data + n * each, each, std::exp2(std::ceil(std::log2(own))), scales, bits);
      own = std::max(own, static_cast<float>(nearest_power_of_two(largest) / 1024));
    } else if (bits > 1 && clipped(bits)) {
      own = best_scale(data + n * each, each, own, scales, bits);
    }
  }
  return torch::tensor(scale).expand({channels}).contiguous();
}

torch::Tensor weight_codes(const torch::Tensor& weights, const torch::Tensor& scale, int bits) {
  const torch::NoGradGuard no_grad;
  if (bits == 1) return torch::where(weights.ge(0), torch::ones_like(weights), -torch::ones_like(weights));
  return (weights / per_channel(scale, weights)).round_().clamp_(-largest_code(bits), largest_code(bits));
}

torch::Tensor fake_quantize_weights(const torch::Tensor& weights, const torch::Tensor& scale, int bits,
                                    const torch::Tensor& gain) {
  return straight_through(weights, rounded_weights(weights, gain, scale, bits));
}

torch::Tensor learned_weight_scale(const torch::Tensor& step, const torch::Tensor& gain, Granularity granularity,
                                   Scales scales) {
  const torch::NoGradGuard no_grad;
  Tensor scale = step.detach() * reference_gain(gain, granularity);
  scale = scale.clamp_min(scale.max().item<double>() / 1024);
  return scales == Scales::power_of_two ? torch::exp2(torch::round(torch::log2(scale))) : scale;
}

torch::Tensor learned_weight_step(const torch::Tensor& scale, const torch::Tensor& gain, Granularity granularity) {
  const torch::NoGradGuard no_grad;
  return scale / reference_gain(gain, granularity);
}

torch::Tensor fake_quantize_weights(const torch::Tensor& weights, const torch::Tensor& step, const torch::Tensor& scale,
                                    int bits, const torch::Tensor& gain, Granularity granularity) {
  return LearnedWeights::apply(weights, step, scale, bits, gain, granularity == Granularity::per_tensor);
}

model::Coding coding_of(bool rectified, int bits, SignedTensors signed_tensors) {
  if (rectified) return model::Coding::unsigned_code;
  if (bits == 1) return model::Coding::bipolar;
  return signed_tensors == SignedTensors::zero_point ? model::Coding::unsigned_code : model::Coding::twos_complement;
}

double allowed_step(double step, Scales scales, double smallest) {
  step = std::max(step, smallest);
  if (scales == Scales::power_of_two) {
    step = nearest_power_of_two(step);
    if (step < smallest) step *= 2;
  }
  return step;
}

TrainingGrid make_grid(const Range& range, int bits, model::Coding coding, Scales scales, double smallest_step) {
  TrainingGrid grid;
  grid.bits = bits;
  grid.coding = coding;
  const double codes = std::ldexp(1.0, bits);
  double step = 0;
  switch (coding) {
    case model::Coding::unsigned_code:
      grid.low = 0;
      grid.high = static_cast<std::int64_t>(codes) - 1;
      step = (range.high - std::min(0.0, range.low)) / static_cast<double>(grid.high);
      break;
    case model::Coding::twos_complement:
      grid.low = -static_cast<std::int64_t>(codes / 2);
      grid.high = static_cast<std::int64_t>(codes / 2) - 1;
      step = std::max(range.high, -range.low) / static_cast<double>(grid.high);
      break;
    case model::Coding::bipolar:
      grid.low = 0;
      grid.high = 1;
      grid.offset = 0.5;
      step = 2 * std::max(range.high, -range.low);
      break;
  }
  if (!(step > 1e-12)) step = 1.0;  // a tensor that was never anything but zero
  grid.step = step = allowed_step(step, scales, smallest_step);
  if (coding == model::Coding::unsigned_code && range.low < 0)
    grid.offset = std::clamp(std::nearbyint(-range.low / step), 0.0, static_cast<double>(grid.high));
  return grid;
}

torch::Tensor grid_codes(const torch::Tensor& x, const TrainingGrid& grid) {
  const torch::NoGradGuard no_grad;
  if (x.scalar_type() != torch::kFloat32)
    return x.mul(1.0 / grid.step)
        .add_(grid.offset + 0.5)
        .floor_()
        .clamp_(static_cast<double>(grid.low), static_cast<double>(grid.high));
  const Tensor from = dense(x);
  Tensor codes = torch::empty_like(from);
  round_codes(from.data_ptr<float>(), codes.data_ptr<float>(), from.numel(), rounding_of(grid));
  return codes;
}

torch::Tensor fake_quantize(const torch::Tensor& x, const TrainingGrid& grid) { return FakeQuantize::apply(x, &grid); }

torch::Tensor fake_quantize(const torch::Tensor& x, const TrainingGrid& grid, const torch::Tensor& step) {
  return LearnedFakeQuantize::apply(x, step, &grid);
}

torch::Tensor straight_through(const torch::Tensor& x, const torch::Tensor& value) {
  return StraightThrough::apply(x, value);
}

torch::Tensor round_to_grid(const torch::Tensor& x, const TrainingGrid& grid) {
  return straight_through(x, rounded(dense(x.detach()), grid));
}

Range observe_range(const torch::Tensor& x, int bits, model::Coding coding, int samples, bool rectified) {
  const torch::NoGradGuard no_grad;
  const Tensor in_memory = dense(x.detach()), all = in_memory.as_strided({in_memory.numel()}, {1});
  if (coding == model::Coding::bipolar) {
    const double mean = (rectified ? all.clamp_min(0) : all).abs().mean().item<double>();
    return {-mean, mean};
  }
  const auto extremes = all.aminmax();
  const double least = rectified ? 0 : -std::numeric_limits<double>::infinity();
  const Range full{std::max(least, std::get<0>(extremes).item<double>()),
                   std::max(least, std::get<1>(extremes).item<double>())};
  if (!clipped(bits)) return full;
  const std::int64_t stride = std::max<std::int64_t>(1, all.numel() / samples) | 1;  // odd: meets every column
  Tensor sample = every(x.detach(), stride);
  if (rectified) sample = sample.clamp_min(0);
  Range range = full;
  const auto clip = [&](bool low, bool high) {
    const auto clipped_by = [&, from = range](double factor) {
      return Range{low ? from.low * factor : from.low, high ? from.high * factor : from.high};
    };
    range = clipped_by(best_factor(kCandidateRatio, 24, true, [&](double factor) {
      const TrainingGrid grid = make_grid(clipped_by(factor), bits, coding, Scales::free, 0);
      return rounding_error(sample.data_ptr<float>(), sample.numel(), rounding_of(grid));
    }));
  };
  if (coding == model::Coding::unsigned_code && full.low < 0) {  // each end has a code of its own
    clip(false, true);
    clip(true, false);
  } else {
    clip(true, true);
  }
  return range;
}

}  // namespace bitstrata::quant
