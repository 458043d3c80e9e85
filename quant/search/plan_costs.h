// SPDX-License-Identifier: Apache-2.0
// What points of a search space cost, as a whole and layer by layer.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "quant/search/limits.h"
#include "quant/search/search_space.h"

namespace bitstrata::quant {

// A layer's costs depend on few variables: each combination of their values is asked for once and remembered, so that
// searches ask by the million.
class PlanCosts {
 public:
  // Both are referred to; `prices` are those of the space's network.
  PlanCosts(const SearchSpace& space, model::PlanPrices& prices);

  // Exact: the whole network under the point's plan; infinite where a layer does not fit the accelerator.
  Costs total(const Point& point);
  // Exact costs of any plan of the network. Throws std::invalid_argument where a layer does not fit.
  Costs total(const model::Plan& plan);
  // One integer layer; they add up to the total.
  const Costs& layer(std::size_t layer, const Point& point);
  // By integer layer: the variables that its costs depend on.
  const std::vector<std::vector<int>>& variables() const { return variables_; }
  // By variable: the integer layers whose costs depend on it.
  const std::vector<std::vector<int>>& layers_of() const { return layers_of_; }
  // Prices asked for so far, and the CPU seconds that answers took.
  std::int64_t asked() const { return asked_; }
  double seconds() const { return seconds_; }

 private:
  // The costs of a layer by its variables' values: an array where it is small, else only what was asked for.
  struct Table {
    std::vector<std::uint64_t> strides;  // of the layer's variables
    std::vector<Costs> all;              // latency NaN: not known
    std::unordered_map<std::uint64_t, Costs> some;
  };
  Costs costs_of(std::size_t layer, const model::Plan& plan, const model::LayerPrice& price) const;
  Costs ask(std::size_t layer, const Point& point);

  const SearchSpace& space_;
  model::PlanPrices& prices_;
  std::vector<model::PricedLayer> priced_;
  std::vector<std::vector<int>> variables_, layers_of_;
  std::vector<Table> tables_;
  std::int64_t asked_ = 0;
  double seconds_ = 0;
};

}  // namespace bitstrata::quant
