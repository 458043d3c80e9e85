// SPDX-License-Identifier: Apache-2.0
// Search among neighbouring plans by predicted loss and exact costs: what an integer program leaves, and what costs
// nothing on the array at hand.
#pragma once

#include <vector>

#include "quant/search/plan_costs.h"

namespace bitstrata::quant {

// Predicted loss of every value of every variable, added up over a point; infinite: the value is not to be taken.
using Losses = std::vector<std::vector<double>>;

double loss_of(const Losses& losses, const Point& point);

// Costs of one point and of those that differ from it in one or two variables: only what these change is added up anew.
class Neighbourhood {
 public:
  Neighbourhood(PlanCosts& costs, Point point);

  const Point& point() const { return point_; }
  const Costs& costs() const { return total_; }
  Costs with(std::size_t variable, int value);
  Costs with(std::size_t variable, int value, std::size_t other, int other_value);
  void move_to(Point point);

 private:
  void add_changes(std::size_t variable, Costs& sum);

  PlanCosts& costs_;
  Point point_;
  Costs total_{};
  std::vector<Costs> layers_;
  std::vector<int> counted_;  // by layer: the question in which it was last counted
  int question_ = 0;
};

// Changes of one variable, and of two at once where one falls, as long as the predicted loss falls and `allowed` is
// kept. `point` must keep it. Of moves that gain the same, the first one is made.
Point improve(PlanCosts& costs, const Losses& losses, const Costs& allowed, Point point);

// The `count` points of least predicted loss that keep `allowed` where one variable of `point` rises and at most
// another one falls, the best first. Variables whose present value has an infinite loss stay.
std::vector<Point> exchanges(PlanCosts& costs, const Losses& losses, const Costs& allowed, const Point& point,
                             std::size_t count);

// Falls from `point` until `allowed` is kept, each time by the step of one variable that takes off most of what is
// beyond the limits for the loss it adds. `widest_step`: how many values a step may skip. Where no step takes anything
// off, the point is returned as it then is.
Point descend(PlanCosts& costs, const Losses& losses, const Costs& allowed, Point point, int widest_step);

// Raises widths and kept channels where no limited cost rises with them: half-filled macros and bursts cost the same as
// full ones. Values whose loss is infinite are not taken.
Point promote(PlanCosts& costs, const Losses& losses, const Costs& allowed, Point point);

// Cheapest point of finite losses: every variable at its smallest. Where even this one exceeds the limits no plan keeps
// them, as far as costs rise with every variable.
Point smallest(const Losses& losses);

// By how much the costs are beyond the limits, as a sum of shares of them; 0 within.
double excess(const Costs& costs, const Costs& allowed);

}  // namespace bitstrata::quant
