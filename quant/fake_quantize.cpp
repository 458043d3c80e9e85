// SPDX-License-Identifier: Apache-2.0
#include "quant/fake_quantize.h"

#include <algorithm>
#include <cmath>

#include "quant/fixed_point.h"

namespace bitstrata::quant {

namespace {

using torch::Tensor;

constexpr int kClippedBelow = 8;      // tensors of fewer bits are clipped by squared error
constexpr int kWeightsClippedTo = 4;  // weights of at most so many bits are clipped by squared error
constexpr double kCandidateRatio = 0.85;

Tensor per_channel(const Tensor& scale, const Tensor& like) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
  shape[0] = -1;
  return scale.view(shape);
}

Tensor codes_of(const Tensor& weights, const Tensor& scale, int bits) {
  if (bits == 1) return torch::where(weights.ge(0), torch::ones_like(weights), -torch::ones_like(weights));
  const double largest = std::ldexp(1.0, bits - 1) - 1;
  return (weights / scale).round_().clamp_(-largest, largest);
}

// Of the scales first * ratios, row by row the one with the smallest squared error. `rows` is [row][weight].
Tensor best_scale(const Tensor& rows, const Tensor& first, double ratio, int count, int bits) {
  Tensor best = first;
  Tensor least = torch::full_like(first, std::numeric_limits<float>::infinity());
  Tensor scale = first;
  for (int i = 0; i < count; ++i, scale = scale * ratio) {
    const Tensor error = (codes_of(rows, scale, bits) * scale - rows).square_().sum(1, true);
    const Tensor better = error < least;
    best = torch::where(better, scale, best);
    least = torch::where(better, error, least);
  }
  return best;
}

// Clamp and round with the gradient of the clamp alone.
class FakeQuantize : public torch::autograd::Function<FakeQuantize> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, double step, double offset,
                        std::int64_t low, std::int64_t high) {
    context->save_for_backward({x});
    context->saved_data["low"] = (static_cast<double>(low) - offset) * step;
    context->saved_data["high"] = (static_cast<double>(high) - offset) * step;
    return x.mul(1.0 / step)
        .add_(offset + 0.5)
        .floor_()
        .clamp_(static_cast<double>(low), static_cast<double>(high))
        .sub_(offset)
        .mul_(step);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const Tensor x = context->get_saved_variables()[0];
    const double low = context->saved_data["low"].toDouble();
    const double high = context->saved_data["high"].toDouble();
    return {at::hardtanh_backward(gradients[0], x, low, high), Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

Range scaled(const Range& range, double factor) { return {range.low * factor, range.high * factor, true}; }

}  // namespace

torch::Tensor weight_scale(const torch::Tensor& weights, int bits, Granularity granularity, Scales scales) {
  const torch::NoGradGuard no_grad;
  const std::int64_t channels = weights.size(0);
  const Tensor rows = granularity == Granularity::per_channel ? weights.detach().reshape({channels, -1})
                                                              : weights.detach().reshape({1, -1});
  const Tensor magnitude = rows.abs();
  const double largest_code = std::max(1.0, std::ldexp(1.0, bits - 1) - 1);
  Tensor scale = bits == 1 ? magnitude.mean(1, true) : magnitude.amax(1, true) / largest_code;
  const double largest = scale.max().item<double>();
  if (largest <= 0) return torch::ones({channels}, weights.options());  // no weight at all: any scale is right
  scale = scale.clamp_min(largest / 1024);
  if (scales == Scales::power_of_two) {
    scale = best_scale(rows, torch::exp2(torch::ceil(torch::log2(scale))), 0.5, 5, bits);
    scale = scale.clamp_min(nearest_power_of_two(largest) / 1024);
  } else if (bits > 1 && bits <= kWeightsClippedTo) {
    scale = best_scale(rows, scale, kCandidateRatio, 12, bits);
  }
  return scale.reshape({-1}).expand({channels}).contiguous();
}

torch::Tensor weight_codes(const torch::Tensor& weights, const torch::Tensor& scale, int bits) {
  const torch::NoGradGuard no_grad;
  return codes_of(weights, per_channel(scale, weights), bits);
}

torch::Tensor fake_quantize_weights(const torch::Tensor& weights, const torch::Tensor& scale, int bits) {
  const Tensor quantized = weight_codes(weights.detach(), scale, bits) * per_channel(scale, weights);
  return weights + (quantized - weights.detach());
}

model::Coding coding_of(bool rectified, int bits, SignedTensors signed_tensors) {
  if (rectified) return model::Coding::unsigned_code;
  if (bits == 1) return model::Coding::bipolar;
  return signed_tensors == SignedTensors::zero_point ? model::Coding::unsigned_code : model::Coding::twos_complement;
}

Grid make_grid(const Range& range, int bits, model::Coding coding, Scales scales, double smallest_step) {
  Grid grid;
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
  step = std::max(step, smallest_step);
  if (scales == Scales::power_of_two) {
    step = nearest_power_of_two(step);
    if (step < smallest_step) step *= 2;
  }
  grid.step = step;
  if (coding == model::Coding::unsigned_code && range.low < 0)
    grid.offset = std::clamp(std::nearbyint(-range.low / step), 0.0, static_cast<double>(grid.high));
  return grid;
}

torch::Tensor grid_codes(const torch::Tensor& x, const Grid& grid) {
  const torch::NoGradGuard no_grad;
  return x.mul(1.0 / grid.step)
      .add_(grid.offset + 0.5)
      .floor_()
      .clamp_(static_cast<double>(grid.low), static_cast<double>(grid.high));
}

torch::Tensor fake_quantize(const torch::Tensor& x, const Grid& grid) {
  return FakeQuantize::apply(x, grid.step, grid.offset, grid.low, grid.high);
}

torch::Tensor round_to_grid(const torch::Tensor& x, const Grid& grid) {
  const Tensor rounded = grid_codes(x.detach(), grid).sub_(grid.offset).mul_(grid.step);
  return x + (rounded - x.detach());
}

Range observe_range(const torch::Tensor& x, int bits, model::Coding coding) {
  const torch::NoGradGuard no_grad;
  const Tensor all = x.detach();
  if (coding == model::Coding::bipolar) {
    const double mean = all.abs().mean().item<double>();
    return {-mean, mean, true};
  }
  const auto extremes = all.aminmax();
  const Range full{std::get<0>(extremes).item<double>(), std::get<1>(extremes).item<double>(), true};
  if (bits >= kClippedBelow) return full;
  const Tensor flat = all.reshape({-1});
  const std::int64_t stride = std::max<std::int64_t>(1, flat.numel() / 4096) | 1;  // odd: meets every column
  const Tensor sample = flat.slice(0, 0, flat.numel(), stride).contiguous();
  Range best = full;
  double least = std::numeric_limits<double>::infinity();
  double factor = 1.0;
  for (int i = 0; i < 24; ++i, factor *= kCandidateRatio) {
    const Range range = scaled(full, factor);
    const Grid grid = make_grid(range, bits, coding, Scales::free, 0);
    const double error =
        (grid_codes(sample, grid).sub_(grid.offset).mul_(grid.step) - sample).square_().sum().item<double>();
    if (error < least) {
      least = error;
      best = range;
    }
  }
  return best;
}

}  // namespace bitstrata::quant
