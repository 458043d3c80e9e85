// SPDX-License-Identifier: Apache-2.0
// Activation density (the share of values that are not 0) times 4^-bits, the noise of so many bits as a share of a
// range's square: of a tensor its own density, of weights that of what their layer writes (as the rule of activation
// density has it, Vasquez et al., DATE 2021). A removed channel is one of 0 bits: its share of the values that are not
// 0.
#include <cmath>

#include "quant/scores/replay.h"
#include "quant/scores/surroundings.h"

namespace bitstrata::quant {

namespace {

using torch::Tensor;

double density(const Tensor& values) { return values.ne(0).to(torch::kFloat64).mean().item<double>(); }

}  // namespace

Losses density_score(Surroundings& s) {
  Losses distances = s.distances();
  s.replayed(false, [&](std::size_t v, Replay& replay) {
    const torch::NoGradGuard no_grad;
    const Variable& variable = s.variable(v);
    const double images = static_cast<double>(replay.count());
    const std::vector<Tensor>& tensors = replay.values().tensors;
    for (std::size_t k = 0; k < variable.values.size(); ++k) {
      if (!s.asked(v, k)) continue;
      double sum = 0;
      if (variable.kind == Variable::Kind::channels) {
        for (const auto& [tensor, values] : s.change(v, k, replay).tensors)
          sum += density(tensors[static_cast<std::size_t>(tensor)]) - density(values);
      } else {
        int tensor = variable.index;
        if (variable.kind == Variable::Kind::weights)
          for (const Step& step : replay.module().layout().steps)
            if (step.stage == variable.index) tensor = step.activated;
        sum = density(tensors[static_cast<std::size_t>(tensor)]) * std::exp2(-2.0 * variable.values[k]);
      }
      distances[v][k] += images * sum;
    }
  });
  return s.relative(std::move(distances), static_cast<double>(s.subject.count()));
}

}  // namespace bitstrata::quant
