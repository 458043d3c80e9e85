// SPDX-License-Identifier: Apache-2.0
// What plans cost, layer by layer: the question that searches ask by the million.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/plan.h"

namespace bitstrata::model {

// What one image costs in one layer.
struct LayerPrice {
  std::int64_t cycles = 0;
  double energy_fj = 0;  // 0 where no technology prices the layer
};

// An integer layer, and what of a plan its price depends on: the widths of the weights of `stage` (-1: has none) and of
// `tensors` (of the layout), and the channels of these tensors.
struct PricedLayer {
  std::string name;
  int stage = -1;
  std::vector<int> tensors;
};

// Prices of one network on one accelerator. A layer's price depends on the widths of its weights and of the tensors
// that it reads and writes, and on their kept channels, and on nothing else of a plan; a network's is the sum of its
// layers'. Not for use from several threads at once.
class PlanPrices {
 public:
  virtual ~PlanPrices() = default;
  virtual std::vector<PricedLayer> layers() const = 0;
  // All layers under `plan`, whose layers are those of the network in order. Throws std::invalid_argument where the
  // plan does not fit the network or a layer does not fit the accelerator. Good until the next call.
  virtual const std::vector<LayerPrice>& prices(const Plan& plan) = 0;
  // One layer under `plan`; nothing where it does not fit the accelerator. The plan fits the network.
  virtual std::optional<LayerPrice> price(std::size_t layer, const Plan& plan) = 0;

  LayerPrice total(const Plan& plan) {
    LayerPrice sum;
    for (const LayerPrice& layer : prices(plan)) {
      sum.cycles += layer.cycles;
      sum.energy_fj += layer.energy_fj;
    }
    return sum;
  }
};

}  // namespace bitstrata::model
