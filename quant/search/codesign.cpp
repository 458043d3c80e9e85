// SPDX-License-Identifier: Apache-2.0
#include "quant/search/codesign.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace bitstrata::quant {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Losses with only the values that lie within `reach` of the point.
Losses near(Losses losses, const Point& point, int reach) {
  for (std::size_t v = 0; v < losses.size(); ++v)
    for (std::size_t k = 0; k < losses[v].size(); ++k)
      if (std::abs(static_cast<int>(k) - point[v]) > reach) losses[v][k] = infinity;
  return losses;
}

class Codesign {
 public:
  Codesign(const SearchSpace& space, PlanCosts& costs, LossOracle& oracle, const Costs& allowed,
           const CodesignOptions& options, const std::function<void(const CodesignStep&)>& shown)
      : space_(space),
        costs_(costs),
        oracle_(oracle),
        allowed_(allowed),
        options_(options),
        shown_(shown),
        random_(options.seed) {}

  CodesignResult run() {
    Point point = space_.largest();
    const Costs start = costs_.total(point);
    show("start", point, 0, oracle_.loss(space_.plan(point)));
    const int last = options_.phases + options_.settling;
    for (phase_ = 1; phase_ <= last; ++phase_) {
      const bool at_limits = phase_ >= options_.phases;
      const Point next = step(point, at_limits ? allowed_ : budget(start));
      const bool stands = at_limits && phase_ > options_.phases && next == point;
      point = next;
      if (stands) break;
    }
    CodesignResult result{within(costs_.total(point), allowed_), point, costs_.total(point), chosen_loss_};
    return result;
  }

 private:
  void show(const std::string& event, const Point& point, double predicted, double loss) const {
    if (shown_) shown_({phase_, event, point, costs_.total(point), predicted, loss, oracle_.passes()});
  }

  // Between the largest plan's costs and the limits, in equal ratios.
  Costs budget(const Costs& start) const {
    Costs budget = allowed_;
    const double part = static_cast<double>(phase_) / options_.phases;
    for (std::size_t q = 0; q < budget.size(); ++q)
      if (std::isfinite(allowed_[q]) && allowed_[q] < start[q])
        budget[q] = start[q] * std::pow(allowed_[q] / start[q], part);
    return budget;
  }

  // The best plan within the budget by program, neighbourhood and promotion; empty where the program finds none.
  Point best(const Losses& losses, const Costs& budget) {
    const ProgramResult result = solve(space_, costs_, losses, budget, options_.program);
    if (!result.feasible || !within(costs_.total(result.point), budget)) return {};
    return promote(costs_, losses, budget, improve(costs_, losses, budget, result.point));
  }

  Point step(const Point& point, const Costs& budget) {
    const Losses losses = monotone(oracle_.single_changes(space_, point));
    std::vector<Point> candidates;
    const auto add = [&](const Point& candidate) {
      if (!candidate.empty() && std::find(candidates.begin(), candidates.end(), candidate) == candidates.end())
        candidates.push_back(candidate);
    };
    // Where nothing near keeps the budget, all values are open.
    int reach = options_.reach;
    add(best(near(losses, point, reach), budget));
    if (candidates.empty()) {
      reach = std::numeric_limits<int>::max();
      add(best(losses, budget));
    }
    if (candidates.empty()) return cheaper(point, losses, budget);
    if (within(costs_.total(point), budget)) add(point);
    // Single changes miss what changes do to each other: programs of other weights give other plans, and the real loss
    // decides (after SPDY, whose weights are drawn in the same way).
    std::uniform_real_distribution<double> weight(0.0, 1.0);
    for (int tries = 0; static_cast<int>(candidates.size()) < options_.candidates && tries < 2 * options_.candidates;
         ++tries) {
      Losses drawn = near(losses, point, reach);
      for (std::vector<double>& curve : drawn) {
        const double factor = weight(random_);
        for (double& loss : curve) loss *= factor;
      }
      add(best(drawn, budget));
    }
    Point chosen;
    double least = infinity;
    for (const Point& candidate : candidates) {
      const double loss = oracle_.loss(space_.plan(candidate));
      show("candidate", candidate, loss_of(losses, candidate), loss);
      if (loss >= least) continue;
      least = loss;
      chosen = candidate;
    }
    chosen_loss_ = least;
    show(chosen == point ? "stands" : "chosen", chosen, loss_of(losses, chosen), least);
    return chosen;
  }

  // Where no plan keeps the budget: the smallest of all, which comes nearest.
  Point cheaper(const Point& point, const Losses& losses, const Costs& budget) {
    Point lowest = smallest(losses);
    if (costs_.total(lowest)[0] > costs_.total(point)[0] && !within(costs_.total(lowest), budget)) lowest = point;
    chosen_loss_ = oracle_.loss(space_.plan(lowest));
    show("no plan keeps the budget", lowest, loss_of(losses, lowest), chosen_loss_);
    return lowest;
  }

  const SearchSpace& space_;
  PlanCosts& costs_;
  LossOracle& oracle_;
  Costs allowed_;
  CodesignOptions options_;
  const std::function<void(const CodesignStep&)>& shown_;
  std::mt19937_64 random_;
  int phase_ = 0;
  double chosen_loss_ = 0;
};

}  // namespace

Losses monotone(Losses losses) {
  for (std::vector<double>& curve : losses)
    for (std::size_t k = curve.size(); k-- > 1;) curve[k - 1] = std::max(curve[k - 1], curve[k]);
  return losses;
}

CodesignResult codesign(const SearchSpace& space, PlanCosts& costs, LossOracle& oracle, const Costs& allowed,
                        const CodesignOptions& options, const std::function<void(const CodesignStep&)>& shown) {
  return Codesign(space, costs, oracle, allowed, options, shown).run();
}

}  // namespace bitstrata::quant
