// SPDX-License-Identifier: Apache-2.0
// Quantizer steps as importance, after LIMPQ (Tang et al., Mixed-Precision Neural Network Quantization via Learned
// Layer-wise Importance, ECCV 2022): a tensor's step plus twice the weights' step. LIMPQ trains one step a width; here
// the present width has its learned step where training learns steps, and any other the step that it would begin with.
// LIMPQ has no channels: removed ones count as the step whose rounding error (step^2/12) is their mean square.
#include <cmath>

#include "quant/scores/replay.h"
#include "quant/scores/surroundings.h"

namespace bitstrata::quant {

namespace {

constexpr double kWeights = 2;

}  // namespace

Losses step_score(Surroundings& s) {
  Losses distances = s.distances();
  s.replayed(false, [&](std::size_t v, Replay& replay) {
    const Variable& variable = s.variable(v);
    const double images = static_cast<double>(replay.count());
    for (std::size_t k = 0; k < variable.values.size(); ++k) {
      if (!s.asked(v, k)) continue;
      const Change change = s.change(v, k, replay);
      double step = kWeights * change.weight_step;
      for (const auto& [tensor, own] : change.steps) step += own;
      if (variable.kind == Variable::Kind::channels)
        for (const auto& [tensor, values] : change.tensors) {
          const torch::Tensor& whole = replay.values().tensors[static_cast<std::size_t>(tensor)];
          step += std::sqrt(12 * (values - whole).square().mean().item<double>());
        }
      distances[v][k] += images * step;
    }
  });
  return s.relative(std::move(distances), static_cast<double>(s.subject.count()));
}

}  // namespace bitstrata::quant
