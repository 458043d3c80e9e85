// SPDX-License-Identifier: Apache-2.0
// Searches that better ones must beat.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>

#include "quant/search/method.h"

namespace bitstrata::quant {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// The best of what was judged.
class Best {
 public:
  explicit Best(const PlanProblem& problem) : problem_(problem) {}

  void judge(int phase, const std::string& event, const Point& point, double predicted = 0) {
    const double loss = problem_.oracle.loss(problem_.space.plan(point));
    problem_.show(phase, event, point, predicted, loss);
    if (!within(problem_.costs.total(point), problem_.allowed) || loss >= loss_) return;
    loss_ = loss;
    point_ = point;
  }
  SearchResult result(int phase, const Point& otherwise) const {
    if (point_.empty()) return no_plan(problem_, phase, otherwise);
    problem_.show(phase, "chosen", point_, 0, loss_);
    return {true, false, point_, problem_.costs.total(point_), loss_};
  }

 private:
  const PlanProblem& problem_;
  Point point_;
  double loss_ = infinity;
};

// Every variable of a kind at the widest of its values up to `bits`, else at its narrowest.
void set_all(const SearchSpace& space, Variable::Kind kind, int bits, Point& point) {
  for (std::size_t v = 0; v < point.size(); ++v) {
    const std::vector<int>& values = space.variables()[v].values;
    if (space.variables()[v].kind != kind) continue;
    const auto above = std::ranges::upper_bound(values, bits);
    point[v] = std::max(0, static_cast<int>(above - values.begin()) - 1);
  }
}

std::set<int> values_of(const SearchSpace& space, Variable::Kind kind) {
  std::set<int> values;
  for (const Variable& variable : space.variables())
    if (variable.kind == kind) values.insert(variable.values.begin(), variable.values.end());
  return values;
}

}  // namespace

SearchResult uniform_pairs(const PlanProblem& problem) {
  Best best(problem);
  for (const int weights : values_of(problem.space, Variable::Kind::weights)) {
    for (const int activations : values_of(problem.space, Variable::Kind::tensor)) {
      Point point = problem.space.largest();
      set_all(problem.space, Variable::Kind::weights, weights, point);
      set_all(problem.space, Variable::Kind::tensor, activations, point);
      best.judge(1, "pair", point);
    }
  }
  Point narrowest = problem.space.largest();
  set_all(problem.space, Variable::Kind::weights, 0, narrowest);
  set_all(problem.space, Variable::Kind::tensor, 0, narrowest);
  return best.result(1, narrowest);
}

SearchResult random_plans(const PlanProblem& problem) {
  std::mt19937_64 random(problem.options.seed);
  Best best(problem);
  const double before = problem.oracle.passes();
  const Point lowest(problem.space.variables().size(), 0);
  constexpr int plans = 200;
  for (int n = 0; problem.options.passes > 0 ? problem.oracle.passes() - before < problem.options.passes : n < plans;
       ++n) {
    Point point;
    for (const Variable& variable : problem.space.variables())
      point.push_back(static_cast<int>(random() % variable.values.size()));
    // What is beyond the limits falls, one drawn variable after another, until it keeps them.
    while (!within(problem.costs.total(point), problem.allowed) && point != lowest) {
      const std::size_t v = random() % point.size();
      point[v] = std::max(0, point[v] - 1);
    }
    if (!within(problem.costs.total(point), problem.allowed)) break;
    best.judge(1, "drawn", point);
  }
  return best.result(1, lowest);
}

// The budget falls in as many steps as codesign's, so that both train equally often.
SearchResult greedy(const PlanProblem& problem) {
  Neighbourhood near(problem.costs, problem.space.largest());
  const Costs start = near.costs();
  // Every step measures all that is left, for hours on a large network; what nothing can keep is known before.
  const Point lowest(near.point().size(), 0);
  if (excess(problem.costs.total(lowest), problem.allowed) > 0) return no_plan(problem, 1, lowest);
  for (int phase = 1; phase <= problem.options.phases; ++phase) {
    const Costs allowed = budget(start, problem.allowed, static_cast<double>(phase) / problem.options.phases);
    for (double beyond = excess(near.costs(), allowed); beyond > 0; beyond = excess(near.costs(), allowed)) {
      // Steps may be long: on an array's plateaus one value less takes nothing off, and a search that never looks
      // beyond them pays with the narrowest widths elsewhere.
      const Losses losses = problem.oracle.single_changes(problem.space, near.point(), any_reach);
      // What the step takes off counts against the loss that it adds; a step that adds none is worth most. Where none
      // takes anything off, as only several together would, the step of least loss is made.
      double best = 0, predicted = 0, least = infinity;
      Point chosen, aside;
      const auto moved = [&](std::size_t v, int value) {
        Point point = near.point();
        point[v] = value;
        return point;
      };
      for (std::size_t v = 0; v < losses.size(); ++v) {
        for (int value = near.point()[v] - 1; value >= 0; --value) {
          if (!std::isfinite(losses[v][at(value)])) continue;
          const double loss = losses[v][at(value)], off = beyond - excess(near.with(v, value), allowed);
          const double worth = off / std::max(loss, 1e-9);
          if (off > 0 && worth > best) {
            best = worth;
            predicted = loss;
            chosen = moved(v, value);
          }
          if (loss < least) {
            least = loss;
            aside = moved(v, value);
          }
        }
      }
      if (chosen.empty()) {
        if (aside.empty()) return no_plan(problem, phase, near.point());
        chosen = aside;
        predicted = least;
      }
      near.move_to(chosen);
      problem.show(phase, "fell", chosen, predicted, 0);
    }
    problem.oracle.adapt(problem.space.plan(near.point()));
  }
  SearchResult result{true, false, near.point(), problem.costs.total(near.point()),
                      problem.oracle.loss(problem.space.plan(near.point()))};
  problem.show(problem.options.phases, "chosen", result.point, 0, result.loss);
  return result;
}

SearchResult sensitivity_program(const PlanProblem& problem) {
  const Point largest = problem.space.largest();
  const Losses losses = monotone(problem.oracle.single_changes(problem.space, largest, any_reach));
  const ProgramResult found = solve(problem.space, problem.costs, losses, problem.allowed, problem.options.program);
  if (!found.feasible) return no_plan(problem, 1, largest);
  Best best(problem);
  best.judge(1, found.proven ? "optimum of the program" : "best of the program", found.point, found.loss);
  return best.result(1, largest);
}

// k <- round(k * AD) of every layer (Vasquez et al., DATE 2021), for weights, the tensor that it reads and, where
// channels may be chosen, what it writes, again and again until the limits are kept; of the last round only the layers
// of least density follow. The network is given the smallest of the space's values that are not below what the rule
// says.
SearchResult density_rule(const PlanProblem& problem) {
  const model::ChannelGroups& groups = problem.space.groups();
  model::Plan rule = problem.space.plan(problem.space.largest());
  Point point = problem.space.point(rule);
  constexpr int rounds = 16;
  int round = 0;
  for (; round < rounds && !within(problem.costs.total(point), problem.allowed); ++round) {
    const std::vector<double> density = problem.oracle.densities(problem.space.plan(point));
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < density.size(); ++i) order.push_back(i);
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return density[i]; });
    // What is shared keeps the most that any of its layers asks for, and so falls when the last of them has followed.
    model::Plan asked = rule;
    for (const std::size_t i : order) {
      const auto shrink = [&](int& count) { count = std::max(1, static_cast<int>(std::lround(count * density[i]))); };
      shrink(asked.layers[i].weight_bits);
      shrink(asked.layers[i].activation_bits);
      shrink(asked.layers[i].channels);
      rule = asked;
      model::tie_widths(problem.space.layout(), rule);
      model::set_channels(groups, model::group_counts(groups, rule), rule);
      point = problem.space.point(rule);
      if (within(problem.costs.total(point), problem.allowed)) break;
    }
    problem.show(round + 1, "shrunk", point, 0, 0);
    problem.oracle.adapt(problem.space.plan(point));
  }
  if (!within(problem.costs.total(point), problem.allowed)) return no_plan(problem, round, point);
  SearchResult result{true, false, point, problem.costs.total(point), problem.oracle.loss(problem.space.plan(point))};
  problem.show(round, "chosen", point, 0, result.loss);
  return result;
}

}  // namespace bitstrata::quant
