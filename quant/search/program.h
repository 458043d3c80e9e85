// SPDX-License-Identifier: Apache-2.0
// The plan of least predicted loss within limits: an integer program with one value a variable, and costs of layers
// that depend on several variables at once.
#pragma once

#include "quant/search/plan_search.h"

namespace bitstrata::quant {

struct ProgramOptions {
  double seconds = 60;  // wall time that the solver of integer programs may take; 0: it is not asked
  double gap = 1e-3;    // relative; a solution this near to the bound is good enough
};

struct ProgramResult {
  bool feasible = false;  // a point within the limits was found
  bool proven = false;    // and no other is better by more than the gap; or: it is certain that there is none
  Point point;
  double loss = 0, bound = 0;  // of the point; no point within the limits is below the bound
  std::int64_t columns = 0;    // of the integer program; 0: none was needed
};

// Minimizes the sum of `losses` over points whose costs keep `allowed`. In steps, until the gap is closed:
// - the limits get prices (Lagrangian relaxation): at given prices the best point is found exactly by elimination,
// since
//   a layer's costs join few variables; its value is a bound, and cutting planes find the prices of the best bound;
// - points met on the way that keep the limits are improved among their neighbours by exact costs;
// - values that the bound rules out are struck, and what is left is an integer program (CBC): one column for every
//   combination of the values that a layer's costs depend on, whose marginals are the variables' choices, so the costs
//   are exact whatever the table's shape.
// Where more variables meet than elimination can take, only the second step is left, and the bound is minus infinity.
// Throws std::invalid_argument where no value of a variable is left, std::runtime_error where the solver fails.
ProgramResult solve(const SearchSpace& space, PlanCosts& costs, const Losses& losses, const Costs& allowed,
                    const ProgramOptions& options = {});

}  // namespace bitstrata::quant
