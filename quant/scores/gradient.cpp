// SPDX-License-Identifier: Apache-2.0
// Squares of the first-order change of the loss, value by value, as NVIDIA's ModelOpt scores its recipes: the mean over
// the images of sum (dL/dy * (y_changed - y))^2, y being what the layers give that a change arrives at.
#include "quant/scores/replay.h"
#include "quant/scores/surroundings.h"

namespace bitstrata::quant {

Losses gradient_score(Surroundings& s) {
  Losses distances = s.distances();
  s.replayed(true, [&](std::size_t v, Replay& replay) {
    const Change reference = replay.unchanged(s.variable(v));
    for (std::size_t k = 0; k < distances[v].size(); ++k) {
      if (!s.asked(v, k)) continue;
      for (const auto& [step, result] : s.change(v, k, replay).results) {
        const torch::Tensor& gradient = replay.gradient_of_result(step);
        if (gradient.defined())
          distances[v][k] += (gradient * (result - reference.results.at(step))).square().sum().item<double>();
      }
    }
  });
  return s.relative(std::move(distances), static_cast<double>(s.subject.count()));
}

}  // namespace bitstrata::quant
