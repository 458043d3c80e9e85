// SPDX-License-Identifier: Apache-2.0
// Divergence of the answers when values are masked, after the mask-guided estimation of OHQ (Huang et al., On-Chip
// Hardware-Aware Quantization, 2023). That gives one number a layer, whatever the width; the paper states neither how
// much is masked nor how widths enter. Here an eighth is masked, of weights or of a tensor, and as divergence grows
// with the square of small errors, a width gets the share that its rounding error's square has of the masked values'.
// Removed channels are a mask already, and are taken out.
#include "quant/scores/mask.h"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>

#include "quant/scores/replay.h"
#include "quant/scores/surroundings.h"

namespace bitstrata::quant {

namespace {

using torch::Tensor;

constexpr double kMasked = 0.125;
constexpr std::uint64_t kSeed = 1;

// Divergence of the masked network's answers, summed over all images of the replay.
class Masked {
 public:
  Masked(Surroundings& s, Replay& replay) : s_(s), replay_(replay), work_(s.subject.work()) {}

  double without_weights(int stage, double& square) {
    Module module = replay_.module();
    StageWeights& weights = module.stage(stage);
    const Tensor mask = mask_like(weights.weight);
    square = (module.folded_weight(stage) * (1 - mask)).square().sum().item<double>();
    weights.weight = weights.weight.detach() * mask;
    Module::Values values = replay_.values();
    const std::vector<Step>& steps = module.layout().steps;
    std::size_t first = 0;
    while (steps[first].stage != stage) ++first;
    return run(module, values, first);
  }

  double without_values(int tensor, double& square) {
    Module module = replay_.module();
    Module::Values values = replay_.values();
    Tensor& masked = values.tensors[static_cast<std::size_t>(tensor)];
    const Tensor mask = mask_like(masked);
    square = (masked * (1 - mask)).square().sum().item<double>();
    masked = masked * mask;
    const std::vector<Step>& steps = module.layout().steps;
    std::size_t first = 0;
    while (tensor != 0 && steps[first].output != tensor) ++first;
    return run(module, values, tensor == 0 ? 0 : first + 1);
  }

  double without_channels(const model::Plan& plan) {
    Module module = s_.subject.under(plan);
    const Tensor logits = module.forward(replay_.images(), quantized_pass());
    s_.passes += static_cast<double>(replay_.count());
    return lost(logits);
  }

 private:
  // Rounded sums of equal answers can fall below 0.
  double lost(const Tensor& logits) const { return std::max(0.0, divergence(replay_.logits(), logits)); }
  double run(Module& module, Module::Values& values, std::size_t first) {
    module.run(values, first, quantized_pass());
    for (std::size_t i = first; i < work_.size(); ++i) s_.passes += work_[i] * static_cast<double>(replay_.count());
    return lost(values.tensors.back().flatten(1));
  }

  Surroundings& s_;
  Replay& replay_;
  const std::vector<double> work_;
};

}  // namespace

Tensor mask_like(const Tensor& like) {
  const torch::Generator generator = at::detail::createCPUGenerator(kSeed);
  return torch::empty(like.sizes()).uniform_(0, 1, generator).ge(kMasked).to(torch::kFloat32);
}

Losses mask_score(Surroundings& s) {
  const torch::NoGradGuard no_grad;
  Losses distances = s.distances();
  s.replayed(false, [&](std::size_t v, Replay& replay) {
    const Variable& variable = s.variable(v);
    Masked masked(s, replay);
    if (variable.kind == Variable::Kind::channels) {
      for (std::size_t k = 0; k < variable.values.size(); ++k)
        if (s.asked(v, k)) distances[v][k] += masked.without_channels(s.plan_with(v, static_cast<int>(k)));
      return;
    }
    const bool weights = variable.kind == Variable::Kind::weights;
    double square = 0;
    const double lost =
        weights ? masked.without_weights(variable.index, square) : masked.without_values(variable.index, square);
    if (!(square > 0)) return;  // all that was masked was 0 already
    const Change reference = replay.unchanged(variable);
    for (std::size_t k = 0; k < variable.values.size(); ++k) {
      if (!s.asked(v, k)) continue;
      const Change change = s.change(v, k, replay);
      const double error = weights ? (change.weights - reference.weights).square().sum().item<double>()
                                   : (change.tensors.at(variable.index) - reference.tensors.at(variable.index))
                                         .square()
                                         .sum()
                                         .item<double>();
      distances[v][k] += lost * error / square;
    }
  });
  return s.relative(std::move(distances), static_cast<double>(s.subject.count()));
}

}  // namespace bitstrata::quant
