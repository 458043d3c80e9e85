// SPDX-License-Identifier: Apache-2.0
// What points of a search space cost, as a whole and layer by layer.
#pragma once

#include <cstdint>
#include <vector>

#include "quant/search/limits.h"
#include "quant/search/search_space.h"

namespace bitstrata::quant {

class PlanCosts {
 public:
  // Both are referred to; `prices` are those of the space's network.
  PlanCosts(const SearchSpace& space, model::PlanPrices& prices);

  // Exact: the whole network under the point's plan. Throws std::invalid_argument where a layer does not fit.
  Costs total(const Point& point);
  Costs total(const model::Plan& plan);
  // By integer layer; they add up to the total.
  const std::vector<Costs>& layers(const model::Plan& plan);
  // By integer layer: the variables that its costs depend on.
  const std::vector<std::vector<int>>& variables() const { return variables_; }
  // Questions asked so far, and the CPU seconds that answers took.
  std::int64_t asked() const { return asked_; }
  double seconds() const { return seconds_; }

 private:
  const SearchSpace& space_;
  model::PlanPrices& prices_;
  std::vector<model::PricedLayer> priced_;
  std::vector<std::vector<int>> variables_;
  std::vector<Costs> layers_;
  std::int64_t asked_ = 0;
  double seconds_ = 0;
};

}  // namespace bitstrata::quant
