// SPDX-License-Identifier: Apache-2.0
// A small search problem of which all points can be enumerated.
#pragma once

#include <limits>
#include <random>

#include "model/architecture.h"
#include "model/technology.h"
#include "quant/search/program.h"
#include "sim/plan_cost.h"

namespace bitstrata::quant::test {

// Three layers with a sum and a depthwise layer, so that costs depend on up to five variables at once.
inline model::Network small_network() {
  const model::Window square{3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
  model::Network network("small");
  int at = network.add_relu(network.add_convolution(network.add_input({8, 8, 3}), "a", 16, square), "a_relu");
  const int way = network.add_relu(network.add_convolution(at, "b", 16, square, 16), "b_relu");
  at = network.add_elementwise(at, way, "sum", model::Op::add);
  network.add_linear(network.add_global_average_pool(at, "mean"), "c", 4);
  return network;
}

struct Problem {
  // One plane at a time: the small network's layers would take hardly any other time at fewer bits.
  static model::Architecture smooth(const char* architecture) {
    model::Architecture result = model::load_architecture(architecture);
    result.fold = 1;
    return result;
  }
  explicit Problem(const char* architecture, std::uint32_t seed)
      : network(small_network()),
        technology(model::load_technology("ad-pim")),
        space(network,
              [] {
                SpaceOptions options;
                options.weight_bits = {2, 5, 8};
                options.activation_bits = {2, 4, 8};
                options.levels = {{}, {8, 12, 16}, {}};
                return options;
              }()),
        prices(network, smooth(architecture), &technology),
        costs(space, prices) {
    std::mt19937 random(seed);
    std::exponential_distribution<double> drop(1.0);
    for (const Variable& variable : space.variables()) {
      losses.emplace_back(variable.values.size(), 0.0);
      for (int k = static_cast<int>(variable.values.size()) - 2; k >= 0; --k)
        losses.back()[static_cast<std::size_t>(k)] = losses.back()[static_cast<std::size_t>(k) + 1] + drop(random);
    }
    uniform = costs.total(model::uniform_plan(network, 8, 8));
  }

  // The least loss within the limits, of all points; infinite where there is none.
  double enumerate(const Costs& allowed) {
    double best = std::numeric_limits<double>::infinity();
    Point point(space.variables().size(), 0);
    for (points = 0;; ++points) {
      if (loss_of(losses, point) < best && within(costs.total(point), allowed)) best = loss_of(losses, point);
      std::size_t v = 0;
      while (v < point.size() && ++point[v] == static_cast<int>(space.variables()[v].values.size())) point[v++] = 0;
      if (v == point.size()) return best;
    }
  }

  model::Network network;
  model::Technology technology;
  SearchSpace space;
  sim::PlanCost prices;
  PlanCosts costs;
  Losses losses;
  Costs uniform{};
  std::int64_t points = 0;
};

}  // namespace bitstrata::quant::test
