// SPDX-License-Identifier: Apache-2.0
#include "quant/search/array_choice.h"

#include <algorithm>

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

std::optional<ArrayVerdict> judge_pairs(const SearchSpace& space, const std::vector<ArrayPair>& pairs, int count,
                                        LossOracle& oracle) {
  std::vector<std::size_t> within;
  std::optional<std::size_t> fastest;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (pairs[i].part != 1) continue;
    if (pairs[i].feasible) within.push_back(i);
    if (!fastest || pairs[i].uniform_latency_us < pairs[*fastest].uniform_latency_us) fastest = i;
  }
  if (within.empty()) return std::nullopt;
  std::ranges::stable_sort(within, {}, [&](std::size_t i) { return pairs[i].predicted; });
  const auto judge = [&](std::size_t i) { return JudgedPair{i, oracle.loss(space.plan(pairs[i].point))}; };
  ArrayVerdict verdict;
  verdict.fastest = *fastest;
  for (std::size_t i = 0; i < within.size() && static_cast<int>(i) < count; ++i)
    verdict.confirmed.push_back(judge(within[i]));
  if (pairs[*fastest].feasible) verdict.array_first = judge(*fastest);
  verdict.chosen = *std::ranges::min_element(verdict.confirmed, {}, &JudgedPair::loss);
  if (verdict.array_first && verdict.array_first->loss < verdict.chosen.loss) verdict.chosen = *verdict.array_first;
  return verdict;
}

}  // namespace bitstrata::quant
