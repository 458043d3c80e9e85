// SPDX-License-Identifier: Apache-2.0
#include "quant/search/array_choice.h"

namespace bitstrata::quant {

std::vector<ArrayPair> pair_arrays(const SearchSpace& space, const std::vector<ArrayCandidate>& arrays,
                                   const Losses& losses, const ArrayLimits& limits, const std::vector<double>& parts,
                                   const ProgramOptions& options) {
  std::vector<ArrayPair> pairs;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const ArrayCandidate& array = arrays[i];
    if (array.area > limits.area) continue;
    PlanCosts costs(space, *array.prices);
    const double uniform = costs.total(space.point(model::uniform_plan(space.network(), 8, 8)))[0] / array.clock_mhz;
    for (const double part : parts) {
      const Costs allowed = {part * limits.latency_us * array.clock_mhz, part * limits.energy_fj, limits.size_bits};
      ArrayPair pair;
      pair.array = i;
      pair.part = part;
      pair.uniform_latency_us = uniform;
      const ProgramResult found = solve(space, costs, losses, allowed, options);
      if (found.feasible) {
        pair.feasible = true;
        pair.point = promote(costs, losses, allowed, found.point);
        pair.predicted = loss_of(losses, pair.point);
        pair.costs = costs.total(pair.point);
        pair.latency_us = pair.costs[0] / array.clock_mhz;
      }
      pairs.push_back(std::move(pair));
    }
  }
  return pairs;
}

}  // namespace bitstrata::quant
