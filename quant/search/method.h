// SPDX-License-Identifier: Apache-2.0
// The interface of all searches among plans: a space, its costs, limits and somebody who knows the losses go in; the
// plan of least loss within the limits and a record of every step come out.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "quant/search/oracle.h"
#include "quant/search/program.h"

namespace bitstrata::quant {

// What all methods are given. Each reads what it needs of the numbers.
struct SearchOptions {
  int phases =
      4;  // codesign, greedy, fractional: the budget falls in so many steps from the largest plan's costs to the limits
  int settling = 3;     // codesign: further phases at the limits, at most: until the plan stands
  int candidates = 64;  // codesign: plans whose real loss is taken in a phase
  int trials = 8;       // codesign: of them, at the limits, those that are trained for a short while to choose by
  int reach = 6;        // codesign: a variable's losses are measured up to so many values from the present one
  ProgramOptions program{.seconds = 20, .gap = 1e-3};
  int steps = 50;     // fractional: of gradient descent in a phase
  double passes = 0;  // random: images through the network that it may use; 0: as many as 200 plans take
  std::uint64_t seed = 1;
};

struct SearchRecord {
  int phase = 0;
  std::string event;  // "start", "candidate", "chosen", "stands", ...
  Point point;
  Costs costs{};
  double predicted = 0;  // change of the loss from the phase's start, where the method predicts
  double loss = 0;       // real, on the oracle's images
  double passes = 0;     // of the oracle so far
};

struct PlanProblem {
  const SearchSpace& space;
  PlanCosts& costs;
  Costs allowed;
  LossOracle& oracle;
  SearchOptions options;
  std::function<void(const SearchRecord&)> shown = {};  // told of every step as it is made

  void show(int phase, const std::string& event, const Point& point, double predicted, double loss) const {
    if (shown) shown({phase, event, point, costs.total(point), predicted, loss, oracle.passes()});
  }
};

struct SearchResult {
  bool feasible = false;     // else `point` is the plan nearest to the limits that was found
  bool others_keep = false;  // of none: there are plans within the limits that the method does not come to
  Point point;
  Costs costs{};
  double loss = 0;
};

struct SearchMethod {
  const char* name;
  const char* what;  // a line for people
  SearchResult (*run)(const PlanProblem& problem);
};

// Every method, in the order in which people are shown them.
const std::vector<SearchMethod>& search_methods();
// Nothing where there is none of the name.
const SearchMethod* find_search_method(const std::string& name);

// The methods themselves, one file each.
SearchResult codesign(const PlanProblem& problem);
SearchResult uniform_pairs(const PlanProblem& problem);
SearchResult random_plans(const PlanProblem& problem);
SearchResult greedy(const PlanProblem& problem);
SearchResult sensitivity_program(const PlanProblem& problem);
SearchResult density_rule(const PlanProblem& problem);
SearchResult fractional(const PlanProblem& problem);

// Losses whose curves fall with every value: a wider or fuller choice is never worse than a narrower one. What was
// measured otherwise is noise of few images, and would make a search prefer the narrower one for it. Infinite losses
// stay as they are.
Losses monotone(Losses losses);

// Between what `start` costs (`part` 0) and the limits (1), in equal ratios.
Costs budget(const Costs& start, const Costs& allowed, double part);

// What a method returns that found no plan within the limits: `point`, or the smallest plan where it is the nearer one
// and beyond them as well.
SearchResult no_plan(const PlanProblem& problem, int phase, const Point& point);

}  // namespace bitstrata::quant
