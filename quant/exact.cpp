// SPDX-License-Identifier: Apache-2.0
#include "quant/exact.h"

#include <cmath>
#include <stdexcept>

namespace bitstrata::quant {

namespace {

using torch::Tensor;

// Largest |v| that times a 16-bit multiplier plus the rounding term stays inside int64.
constexpr double kLargestSum = 70368744177664.0;  // 2^46

void check_bound(const Module& module, const Step& step, const StageIntegers& stage, const Grid& input) {
  const Tensor sums = stage.weights.abs().sum({1, 2, 3}).to(torch::kFloat64);
  const double code = static_cast<double>(std::max(-input.low, input.high));
  const Tensor bound = sums * (code * (1 << stage.acc_shift)) + stage.bias.abs().to(torch::kFloat64);
  if (bound.max().item<double>() > kLargestSum)
    throw std::invalid_argument("layer '" + module.layout().stages[step.stage].name + "' could reach sums of " +
                                std::to_string(bound.max().item<double>()) + ", above the exact path's 2^46");
}

// clip(round_half_up(v * multiplier / 2^shift)) per channel; v is int64 [n][channel][y][x].
Tensor requantize(const Tensor& v, const StageIntegers& stage, const Grid& output) {
  auto per_channel = [](const Tensor& values) { return values.view({1, -1, 1, 1}); };
  const Tensor one = torch::ones_like(stage.shift);
  const Tensor half = torch::where(stage.shift.gt(0), torch::bitwise_left_shift(one, (stage.shift - 1).clamp_min(0)),
                                   torch::zeros_like(one));
  const Tensor product = v * per_channel(stage.multiplier) + per_channel(half);
  return torch::bitwise_right_shift(product, per_channel(stage.shift)).clamp_(output.low, output.high);
}

}  // namespace

ExactPath::ExactPath(const Module& module) : module_(module), integers_(integers_of(module)) {
  for (const Step& step : module_.layout().steps)
    if (step.stage >= 0) check_bound(module_, step, integers_.stages[step.stage], integers_.tensors[step.input()]);
}

std::vector<Tensor> ExactPath::execute(const Tensor& images, bool keep_all) const {
  const torch::NoGradGuard no_grad;
  const Layout& layout = module_.layout();
  std::vector<Tensor> codes(layout.tensors.size());
  // round_half_up(pixel * (2^bits - 1) / 255) in integers
  const Tensor doubled = images.to(torch::kInt64) * (2 * integers_.tensors[0].high) + 255;
  codes[0] = torch::floor_divide(doubled, 510);
  for (const Step& step : layout.steps) {
    const model::Node& node = module_.network().node(step.node);
    const Grid& input = integers_.tensors[step.input()];
    const Grid& output = integers_.tensors[step.output];
    const Tensor x = codes[step.input()].to(torch::kFloat64);
    Tensor& result = codes[step.output];
    if (step.stage >= 0) {
      const StageIntegers& stage = integers_.stages[step.stage];
      const Tensor acc = convolve(x, stage.weights.to(torch::kFloat64), node, input.padding_code()).to(torch::kInt64);
      const Tensor v = acc * (1 << stage.acc_shift) + stage.bias.view({1, -1, 1, 1});
      result = requantize(v, stage, output);
    } else if (node.op == model::Op::max_pool) {
      result = pool_max(x, node.window).to(torch::kInt64);
    } else {
      const Tensor sum = pool_sum(x, node.window).to(torch::kInt64);
      result = requantize(sum, average_integers(node.window, node.output.channels), output);
    }
    if (!keep_all && step.input() != step.output) codes[step.input()] = Tensor();
  }
  return codes;
}

std::vector<Tensor> ExactPath::run_all(const Tensor& images) const { return execute(images, true); }

Tensor ExactPath::run(const Tensor& images) const { return execute(images, false).back().flatten(1); }

}  // namespace bitstrata::quant
