// SPDX-License-Identifier: Apache-2.0
// The plan of least predicted loss within limits, as an integer program: one value a variable, and costs of layers that
// depend on several variables at once, linearized exactly.
#pragma once

#include <vector>

#include "quant/search/plan_costs.h"

namespace bitstrata::quant {

// Predicted loss of every value of every variable, added up over a point; infinite: the value is not to be taken.
using Losses = std::vector<std::vector<double>>;

double loss_of(const Losses& losses, const Point& point);

struct ProgramOptions {
  double seconds = 60;  // wall time the solver may take
  double gap = 1e-3;    // relative; a solution this near to the bound is good enough
};

struct ProgramResult {
  bool feasible = false;  // a point within the limits was found
  bool proven = false;    // and no other is better by more than the gap; or: it is certain that there is none
  Point point;
  double loss = 0, bound = 0;  // of the point; no point within the limits is below the bound
  std::int64_t columns = 0;
};

// Minimizes the sum of `losses` over points whose costs keep `allowed`. A layer's cost is one column for every
// combination of the values it depends on, whose marginals are the variables' choices: exact whatever the table's
// shape, so the costs of the result are those of PlanCosts::total. `base`: values of variables with a single finite
// loss elsewhere are irrelevant. Throws std::runtime_error where the solver fails.
ProgramResult solve(const SearchSpace& space, PlanCosts& costs, const Losses& losses, const Costs& allowed,
                    const ProgramOptions& options = {});

}  // namespace bitstrata::quant
