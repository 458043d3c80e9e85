// SPDX-License-Identifier: Apache-2.0
#include "quant/search/method.h"

#include <algorithm>
#include <cmath>

namespace bitstrata::quant {

const std::vector<SearchMethod>& search_methods() {
  static const std::vector<SearchMethod> methods = {
      {"codesign", "widths and channels together, measured single changes and programs in phases", codesign},
      {"greedy", "one width or channel count after another falls, by measured loss over measured cost", greedy},
      {"program", "single changes around the widest plan, one integer program", sensitivity_program},
      {"fractional", "widths between whole ones follow the loss's gradient and interpolated costs, then are rounded",
       fractional},
      {"uniform-pairs", "the best pair of a weight width and an activation width for all layers", uniform_pairs},
      {"random", "the best of random plans", random_plans},
      {"density", "the rule of activation density, as far as the limits ask for", density_rule},
  };
  return methods;
}

const SearchMethod* find_search_method(const std::string& name) {
  for (const SearchMethod& method : search_methods())
    if (method.name == name) return &method;
  return nullptr;
}

Losses monotone(Losses losses) {
  for (std::vector<double>& curve : losses) {
    double wider = -std::numeric_limits<double>::infinity();
    for (std::size_t k = curve.size(); k-- > 0;) {
      if (!std::isfinite(curve[k])) continue;
      wider = curve[k] = std::max(curve[k], wider);
    }
  }
  return losses;
}

Costs budget(const Costs& start, const Costs& allowed, double part) {
  Costs between = allowed;
  for (std::size_t q = 0; q < between.size(); ++q)
    if (part < 1 && std::isfinite(allowed[q]) && allowed[q] < start[q])
      between[q] = start[q] * std::pow(allowed[q] / start[q], part);
  return between;
}

SearchResult no_plan(const PlanProblem& problem, int phase, const Point& point) {
  const Point lowest(point.size(), 0);
  const Costs present = problem.costs.total(point), least = problem.costs.total(lowest);
  // Where plans keep them that the method did not come to, the nearest is its own.
  const bool kept = within(least, problem.allowed);
  const bool cheaper = excess(least, problem.allowed) < excess(present, problem.allowed);
  const Point& nearest = cheaper && !kept ? lowest : point;
  SearchResult result{false, kept, nearest, problem.costs.total(nearest),
                      problem.oracle.loss(problem.space.plan(nearest))};
  problem.show(phase, kept ? "came to no plan within the limits" : "no plan keeps the limits", nearest, 0, result.loss);
  return result;
}

}  // namespace bitstrata::quant
