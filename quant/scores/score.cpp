// SPDX-License-Identifier: Apache-2.0
#include "quant/scores/score.h"

#include <algorithm>
#include <cmath>

namespace bitstrata::quant {

const std::vector<ChangeScore>& scores() {
  static const std::vector<ChangeScore> all = {
      {"loss", "measured: the loss of --against with one change at a time", loss_score, true},
      {"kl", "measured: the divergence from the float network's answers, without labels", divergence_score, true, false,
       true},
      {"gradient", "one pass: squares of the loss's gradient times what a change does to layers' results",
       gradient_score, false, true},
      {"mse", "measured: normalised squared distance from the float network, mean over layers", mean_distance_score},
      {"mse-exp", "the same, layers weighted by 1 - exp(-distance / 0.1)", weighted_distance_score},
      {"hessian", "mean curvature (empirical Fisher) of weights and tensors times the squared error of a change",
       fisher_score, false, true},
      {"steps", "quantizer steps: learned ones where training has them, else those that a width would get", step_score},
      {"density", "activation density times the noise of a width", density_score},
      {"mask", "divergence when an eighth of the values is masked, times the squared error of a change", mask_score},
  };
  return all;
}

const ChangeScore* find_score(const std::string& name) {
  for (const ChangeScore& score : scores())
    if (score.name == name) return &score;
  return nullptr;
}

Losses in_shares(Losses losses) {
  double largest = 0;
  for (const std::vector<double>& curve : losses)
    for (const double loss : curve)
      if (std::isfinite(loss)) largest = std::max(largest, std::abs(loss));
  if (largest == 0) return losses;
  for (std::vector<double>& curve : losses)
    for (double& loss : curve) loss /= largest;
  return losses;
}

}  // namespace bitstrata::quant
