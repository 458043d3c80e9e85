// SPDX-License-Identifier: Apache-2.0
// Search among neighbouring plans by predicted loss and exact costs: what an integer program leaves, and what costs
// nothing on the array at hand.
#pragma once

#include "quant/search/program.h"

namespace bitstrata::quant {

// Changes of one variable, and of two at once where one falls a step, as long as the predicted loss falls and `allowed`
// is kept. `point` must keep it. Of moves that gain the same, the first one is made.
Point improve(PlanCosts& costs, const Losses& losses, const Costs& allowed, Point point);

// Raises widths and kept channels where no limited cost rises with them: half-filled macros and bursts cost the same as
// full ones. Values whose loss is infinite are not taken.
Point promote(PlanCosts& costs, const Losses& losses, const Costs& allowed, Point point);

// Cheapest point of finite losses: every variable at its smallest. Where even this one exceeds the limits no plan keeps
// them, as far as costs rise with every variable.
Point smallest(const Losses& losses);

}  // namespace bitstrata::quant
