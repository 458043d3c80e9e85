// SPDX-License-Identifier: Apache-2.0
// Mean curvature times squared error, after HAWQ-V2 and V3 (Dong et al. 2020, Yao et al. 2021): sum of
// Tr(H)/n * ||rounded - unrounded||^2 over what a variable rounds, n values each. H is the empirical Fisher matrix,
// whose trace is the mean over images of the squared gradient: rounding has no second derivatives, so that probes of
// the Hessian itself (Hutchinson) know the float network alone, and this one is asked about every plan. HAWQ has
// weights alone; here tensors and removed channels are treated in the same way.
#include "quant/scores/replay.h"
#include "quant/scores/surroundings.h"

namespace bitstrata::quant {

using torch::Tensor;

Losses fisher_score(Surroundings& s) {
  Losses distances = s.distances();
  s.replayed(true, [&](std::size_t v, Replay& replay) {
    const Variable& variable = s.variable(v);
    const Change reference = replay.unchanged(variable);
    for (std::size_t k = 0; k < variable.values.size(); ++k) {
      if (!s.asked(v, k)) continue;
      const Change change = s.change(v, k, replay);
      if (variable.kind == Variable::Kind::weights) {
        const double error = (change.weights - reference.weights).square().sum().item<double>();
        distances[v][k] += static_cast<double>(replay.count()) * replay.curvature_of_weights(variable.index) * error;
        continue;
      }
      for (const auto& [tensor, values] : change.tensors) {
        const Tensor& gradient = replay.gradient_of_tensor(tensor);
        if (!gradient.defined()) continue;
        const double curvature = gradient.square().mean().item<double>();
        distances[v][k] += curvature * (values - reference.tensors.at(tensor)).square().sum().item<double>();
      }
    }
  });
  return s.relative(std::move(distances), static_cast<double>(s.subject.count()));
}

}  // namespace bitstrata::quant
