// SPDX-License-Identifier: Apache-2.0
#include "quant/integers.h"

#include <cmath>
#include <stdexcept>

#include "quant/fixed_point.h"

namespace bitstrata::quant {

namespace {

using torch::Tensor;

StageIntegers stage_integers(const Module& module, const Step& step, const Grid& input, const Grid& output,
                             const Tensor& scale) {
  const int bits = module.plan().layers[step.stage].weight_bits;
  const Tensor folded = module.folded_weight(step.stage).to(torch::kFloat64);
  const Tensor scales = scale.to(torch::kFloat64);
  StageIntegers integers;
  integers.weights = weight_codes(folded, scales, bits).to(torch::kInt64);
  integers.acc_shift = input.coding == model::Coding::bipolar ? 1 : 0;
  // real = unit * ((acc << acc_shift) - inner * sum of weights) + bias
  const double inner = input.coding == model::Coding::bipolar ? 1.0 : input.offset;
  const Tensor weight_sums = integers.weights.sum({1, 2, 3});
  const Tensor bias = module.folded_bias(step.stage).to(torch::kFloat64);
  const std::int64_t channels = scales.size(0);
  integers.bias = torch::empty({channels}, torch::kInt64);
  integers.multiplier = torch::empty({channels}, torch::kInt64);
  integers.shift = torch::empty({channels}, torch::kInt64);
  for (std::int64_t n = 0; n < channels; ++n) {
    const double unit = input.unit() * scales[n].item<double>();
    const double real = bias[n].item<double>() + output.offset * output.step;
    const Requantizer requantizer = module.options.scales == Scales::power_of_two ? shift_only(unit / output.step)
                                                                                  : multiply_shift(unit / output.step);
    const std::int64_t code = std::llround(real / unit) - std::llround(inner) * weight_sums[n].item<std::int64_t>();
    integers.bias[n] = code;
    integers.multiplier[n] = static_cast<std::int64_t>(requantizer.multiplier);
    integers.shift[n] = static_cast<std::int64_t>(requantizer.shift);
  }
  return integers;
}

}  // namespace

ModuleIntegers integers_of(const Module& module) {
  if (!module.ranges_ready())
    throw std::invalid_argument("the network's activation ranges are not calibrated: quantize it first");
  const torch::NoGradGuard no_grad;
  const Module::Grids grids = module.grids();
  ModuleIntegers integers;
  integers.tensors = grids.tensors;
  integers.stages.resize(module.layout().stages.size());
  for (const Step& step : module.layout().steps)
    if (step.stage >= 0)
      integers.stages[step.stage] = stage_integers(module, step, grids.tensors[step.input()],
                                                   grids.tensors[step.output], grids.weight_scales[step.stage]);
  return integers;
}

StageIntegers average_integers(const model::Window& window, int channels) {
  const int taps = window.kernel_height * window.kernel_width;
  // A power of two needs no multiplier; other divisors do, also under power-of-two scales.
  const bool shift = (taps & (taps - 1)) == 0;
  const Requantizer divide = shift ? shift_only(1.0 / taps) : multiply_shift(1.0 / taps);
  StageIntegers integers;
  integers.bias = torch::zeros({channels}, torch::kInt64);
  integers.multiplier = torch::full({channels}, std::int64_t{divide.multiplier}, torch::kInt64);
  integers.shift = torch::full({channels}, std::int64_t{divide.shift}, torch::kInt64);
  return integers;
}

}  // namespace bitstrata::quant
