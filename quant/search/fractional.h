// SPDX-License-Identifier: Apache-2.0
// Costs between plans.
#pragma once

#include <vector>

#include "quant/search/plan_costs.h"

namespace bitstrata::quant {

struct FractionalCosts {
  Costs costs{};
  std::vector<Costs> slopes;  // by variable: change for one value more
};

// Exact costs, interpolated linearly in every variable: at whole places those of the plan. Channels lie at whole places
// and have the slope 0. A neighbour that does not fit the accelerator counts twice what the narrowest one costs, so
// that descent leaves it. Layers whose costs depend on more than 12 widths are interpolated in the first 12 of them.
FractionalCosts interpolate(const SearchSpace& space, PlanCosts& costs, const std::vector<double>& places);

}  // namespace bitstrata::quant
