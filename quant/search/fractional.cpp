// SPDX-License-Identifier: Apache-2.0
// Widths by gradient, after FracBits (Yang and Jin, AAAI 2021): every width is a real number, what lies between two
// widths is rounded to both, costs are interpolated between exact ones, and all widths descend together. Theirs is a
// penalty of fixed weight on the distance to the target, with the weights trained at the same time; here the penalty's
// weight follows whether the budget is kept, which falls in phases as codesign's, and weights train between phases.
#include "quant/search/fractional.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "quant/search/method.h"

namespace bitstrata::quant {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr int kMostMoved = 12;  // variables of a layer that costs are interpolated in: 4096 corners

std::size_t at(int index) { return static_cast<std::size_t>(index); }

Point nearest(const std::vector<double>& places) {
  Point point;
  for (const double place : places) point.push_back(static_cast<int>(std::lround(place)));
  return point;
}

// Steepest descent by the slopes' moving means: the place with the steepest one moves by `kRate` values. A rate for
// each place of its own, as Adam has, makes steps of the noise of those that hardly matter.
class Descent {
 public:
  explicit Descent(std::size_t size) : mean_(size) {}
  // What to add to the places.
  std::vector<double> step(const std::vector<double>& slopes) {
    double steepest = 0;
    for (std::size_t v = 0; v < slopes.size(); ++v) {
      mean_[v] += kNew * (slopes[v] - mean_[v]);
      steepest = std::max(steepest, std::abs(mean_[v]));
    }
    std::vector<double> moves;
    for (const double mean : mean_) moves.push_back(steepest > 0 ? -kRate * mean / steepest : 0);
    return moves;
  }

 private:
  static constexpr double kRate = 0.25, kNew = 0.1;
  std::vector<double> mean_;
};

class Fractional {
 public:
  explicit Fractional(const PlanProblem& problem)
      : problem_(problem), variables_(problem.space.variables()), descent_(variables_.size()) {
    weight_.fill(1);
    slopes_.assign(variables_.size(), 0);
  }

  SearchResult run() {
    Point point = problem_.space.largest();
    places_.assign(point.begin(), point.end());
    const Costs start = problem_.costs.total(point);
    problem_.show(0, "start", point, 0, loss(point));
    SearchResult result;
    for (int phase = 1; phase <= problem_.options.phases; ++phase) {
      const Costs allowed = budget(start, problem_.allowed, static_cast<double>(phase) / problem_.options.phases);
      double mean = 0;
      for (int step = 0; step < problem_.options.steps; ++step) mean += descend_once(allowed);
      point = whole(allowed);
      if (point.empty()) return no_plan(problem_, phase, nearest(places_));
      places_.assign(point.begin(), point.end());
      problem_.oracle.adapt(problem_.space.plan(point));
      result = {true, false, point, problem_.costs.total(point), loss(point)};
      problem_.show(phase, "chosen", point, mean / problem_.options.steps, result.loss);
    }
    return result;
  }

 private:
  double loss(const Point& point) { return problem_.oracle.loss(problem_.space.plan(point)); }

  // Returns the loss between the values.
  double descend_once(const Costs& allowed) {
    const Slopes slopes = problem_.oracle.slopes(problem_.space, places_, turn_++);
    const FractionalCosts costs = interpolate(problem_.space, problem_.costs, places_);
    std::vector<double> all(places_.size());
    for (std::size_t v = 0; v < places_.size(); ++v) {
      if (!has_between(variables_[v])) continue;
      const double of_loss = std::isfinite(slopes.by_variable[v]) ? slopes.by_variable[v] : 0;
      slopes_[v] += 0.1 * (of_loss - slopes_[v]);
      all[v] = of_loss;
      for (std::size_t q = 0; q < allowed.size(); ++q)
        if (std::isfinite(allowed[q])) all[v] += weight_[q] * costs.slopes[v][q] / allowed[q];
    }
    const std::vector<double> step = descent_.step(all);
    for (std::size_t v = 0; v < places_.size(); ++v)
      places_[v] = std::clamp(places_[v] + step[v], 0.0, static_cast<double>(variables_[v].values.size()) - 1);
    for (std::size_t q = 0; q < allowed.size(); ++q)
      if (std::isfinite(allowed[q])) weight_[q] *= costs.costs[q] > allowed[q] ? 1.05 : 1 / 1.05;
    return slopes.loss;
  }

  // The plan beside the places: of both neighbours of each, by the mean slopes of the loss within the budget; farther
  // values only where the neighbours do not keep the budget. Slopes tell little of what is far from where they were
  // taken. Empty where no plan keeps the budget.
  Point whole(const Costs& allowed) {
    std::size_t most = 1;
    double mean = 0;
    for (std::size_t v = 0; v < places_.size(); ++v) {
      most = std::max(most, variables_[v].values.size());
      mean += std::abs(slopes_[v]) / static_cast<double>(places_.size());
    }
    for (std::size_t reach = 1; reach <= most; ++reach) {
      Losses losses;
      for (std::size_t v = 0; v < places_.size(); ++v) {
        // What wider values gain: noise of few images may say that they lose.
        const double gain = std::max(-slopes_[v], 0.1 * mean);
        losses.emplace_back();
        for (std::size_t k = 0; k < variables_[v].values.size(); ++k) {
          const double away = static_cast<double>(k) - places_[v];
          const bool in_reach = has_between(variables_[v]) ? std::abs(away) < static_cast<double>(reach) : away == 0;
          losses.back().push_back(in_reach ? -gain * away : infinity);
        }
      }
      // Costs need not fall with one variable alone, so rounding is a program, without proof.
      ProgramOptions program = problem_.options.program;
      program.seconds = 0;
      const ProgramResult found = solve(problem_.space, problem_.costs, losses, allowed, program);
      if (found.feasible) return promote(problem_.costs, losses, allowed, found.point);
    }
    return {};
  }

  const PlanProblem& problem_;
  const std::vector<Variable>& variables_;
  Descent descent_;
  std::vector<double> places_, slopes_;  // by variable; slopes: of the loss, a moving mean
  Costs weight_{};                       // of each limit's share
  int turn_ = 0;
};

}  // namespace

FractionalCosts interpolate(const SearchSpace& space, PlanCosts& costs, const std::vector<double>& places) {
  const std::vector<Variable>& variables = space.variables();
  FractionalCosts result;
  result.slopes.assign(variables.size(), {});
  const auto [lower, share] = space.cell(places);
  Point corner = nearest(places);
  for (std::size_t layer = 0; layer < costs.variables().size(); ++layer) {
    std::vector<std::size_t> moved;
    for (const int v : costs.variables()[layer])
      if (has_between(variables[at(v)]) && static_cast<int>(moved.size()) < kMostMoved) moved.push_back(at(v));
    for (const std::size_t v : moved) corner[v] = lower[v];
    const Costs narrowest = costs.layer(layer, corner);
    for (std::uint32_t wider = 0; wider < 1U << moved.size(); ++wider) {
      double part = 1;
      for (std::size_t i = 0; i < moved.size(); ++i) {
        const bool is_wider = (wider >> i & 1U) != 0;
        corner[moved[i]] = lower[moved[i]] + (is_wider ? 1 : 0);
        part *= is_wider ? share[moved[i]] : 1 - share[moved[i]];
      }
      Costs here = costs.layer(layer, corner);
      for (std::size_t q = 0; q < here.size(); ++q) {
        if (!std::isfinite(here[q])) here[q] = std::isfinite(narrowest[q]) ? 2 * narrowest[q] : 0;
        result.costs[q] += part * here[q];
      }
      for (std::size_t i = 0; i < moved.size(); ++i) {
        const bool is_wider = (wider >> i & 1U) != 0;
        double others = is_wider ? 1 : -1;
        for (std::size_t j = 0; j < moved.size(); ++j)
          if (j != i) others *= (wider >> j & 1U) != 0 ? share[moved[j]] : 1 - share[moved[j]];
        for (std::size_t q = 0; q < here.size(); ++q) result.slopes[moved[i]][q] += others * here[q];
      }
    }
    for (const std::size_t v : moved) corner[v] = static_cast<int>(std::lround(places[v]));
  }
  return result;
}

SearchResult fractional(const PlanProblem& problem) { return Fractional(problem).run(); }

}  // namespace bitstrata::quant
