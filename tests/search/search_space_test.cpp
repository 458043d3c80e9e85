// SPDX-License-Identifier: Apache-2.0
#include "quant/search/search_space.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "model/architecture.h"
#include "quant/search/plan_costs.h"
#include "sim/plan_cost.h"
#include "sim/random_network.h"

namespace bitstrata::quant {
namespace {

SpaceOptions with_levels(const model::Network& network) {
  SpaceOptions options;
  for (const model::ChannelGroup& group : model::channel_groups(network, model::lay_out(network)).groups) {
    options.levels.emplace_back();
    if (group.fixed.empty() && group.size >= 8)
      options.levels.back() = {group.size / 2, group.size * 3 / 4, group.size};
  }
  return options;
}

Point random_point(const SearchSpace& space, std::mt19937& random) {
  Point point;
  for (const Variable& variable : space.variables())
    point.push_back(static_cast<int>(random() % variable.values.size()));
  return point;
}

TEST(SearchSpace, PointsAndPlansAreTheSame) {
  std::mt19937 random(1);
  for (const char* name : {"resnet8", "dscnn", "mobilenetv3_small", "efficientnet_b0"}) {
    const model::Network network = model::build_network(name);
    const SearchSpace space(network, with_levels(network));
    for (int i = 0; i < 20; ++i) {
      const Point point = random_point(space, random);
      const model::Plan plan = space.plan(point);
      EXPECT_NO_THROW(model::validate(plan, network)) << name;
      EXPECT_NO_THROW(model::planned_network(network, plan)) << name;
      EXPECT_EQ(space.point(plan), point) << name;
    }
    EXPECT_EQ(space.point(model::uniform_plan(network, 8, 8)), space.largest()) << name;
  }
}

// A price changes with no variable but those that the space names for its layer, and with each of them at some point.
TEST(SearchSpace, KnowsWhatALayersPriceDependsOn) {
  std::mt19937 random(2);
  std::int64_t unrelated = 0, related = 0, moved = 0;
  for (const char* name : {"resnet8", "dscnn", "mobilenetv3_small"}) {
    const model::Network network = model::build_network(name);
    const SearchSpace space(network, with_levels(network));
    sim::PlanCost prices(network, model::load_architecture("pim-64x64"));
    PlanCosts costs(space, prices);
    std::vector<std::vector<bool>> moves(costs.variables().size(), std::vector<bool>(space.variables().size()));
    for (int i = 0; i < 3; ++i) {
      const Point point = random_point(space, random);
      const std::vector<model::LayerPrice> before = prices.prices(space.plan(point));
      for (std::size_t v = 0; v < point.size(); ++v) {
        Point other = point;
        other[v] = point[v] == 0 ? static_cast<int>(space.variables()[v].values.size()) - 1 : 0;
        const std::vector<model::LayerPrice>& after = prices.prices(space.plan(other));
        for (std::size_t layer = 0; layer < after.size(); ++layer)
          if (after[layer].cycles != before[layer].cycles) moves[layer][v] = true;
      }
    }
    for (std::size_t layer = 0; layer < moves.size(); ++layer) {
      const std::vector<int>& named = costs.variables()[layer];
      for (std::size_t v = 0; v < moves[layer].size(); ++v) {
        const bool is_named = std::find(named.begin(), named.end(), static_cast<int>(v)) != named.end();
        (is_named ? related : unrelated) += 1;
        moved += is_named && moves[layer][v];
        EXPECT_TRUE(is_named || !moves[layer][v]) << name << " layer " << layer << " variable " << v;
      }
    }
  }
  std::cout << unrelated << " pairs of layer and variable without influence, " << moved << " of " << related
            << " named ones with it\n";
  EXPECT_GT(unrelated, 1000);
  EXPECT_GT(moved, related * 9 / 10);
}

TEST(SearchSpace, LeavesOutWhatCannotBeHad) {
  model::Network network("functions");
  int at = network.add_convolution(network.add_input({8, 8, 1}), "a", 4, {});
  at = network.add_activation(at, "a_silu", model::Op::silu);
  at = network.add_leaky_relu(network.add_convolution(at, "b", 4, {}), "b_leaky", 0.1);
  network.add_linear(at, "c", 2);
  SpaceOptions options;
  options.activation_bits = {1, 4, 8, 12};
  options.last_bits = 12;
  const SearchSpace space(network, options);
  std::map<std::string, std::vector<int>> tensors, weights;
  for (const Variable& variable : space.variables())
    (variable.kind == Variable::Kind::tensor ? tensors : weights)[variable.name] = variable.values;
  EXPECT_EQ(tensors["a"], (std::vector<int>{1, 4, 8, 12}));
  EXPECT_EQ(tensors["b"], (std::vector<int>{1, 4, 8}));  // a table gives 8 bits
  EXPECT_EQ(tensors["c"], (std::vector<int>{12}));       // by the rule for the last layer
  EXPECT_EQ(weights["c"], (std::vector<int>{12}));
  EXPECT_EQ(weights["a"], (std::vector<int>{2, 3, 4, 5, 6, 7, 8}));
  options.last_bits = 1;
  EXPECT_THROW(SearchSpace(network, options), std::invalid_argument);  // a leaky ReLU needs a sign
  options.last_bits.reset();
  options.weight_bits = {0, 4};
  EXPECT_THROW(SearchSpace(network, options), std::invalid_argument);
}

TEST(PlanCosts, CountsTheWeightsThatAreKept) {
  std::mt19937 random(3);
  for (const char* name : {"resnet8", "dscnn", "lenet5"}) {
    const model::Network network = model::build_network(name);
    const SearchSpace space(network, with_levels(network));
    sim::PlanCost prices(network, model::load_architecture("pim-64x64"));
    PlanCosts costs(space, prices);
    for (int i = 0; i < 3; ++i) {
      const model::Plan plan = space.plan(random_point(space, random));
      const model::IntegerNetwork integers =
          sim::random_integer_network(model::planned_network(network, plan), plan, 1);
      double bits = 0;
      for (const model::IntegerLayer& layer : integers.layers)
        bits += static_cast<double>(layer.weights.size()) * layer.weight_bits;
      EXPECT_EQ(costs.total(plan)[static_cast<std::size_t>(Quantity::size)], bits) << name;
      EXPECT_EQ(costs.total(plan)[0], static_cast<double>(prices.cycles(plan))) << name;
    }
  }
}

}  // namespace
}  // namespace bitstrata::quant
