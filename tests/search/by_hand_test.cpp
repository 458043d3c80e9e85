// SPDX-License-Identifier: Apache-2.0
// The pieces that searches are made of, on prices and losses that fit on a slip of paper.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "model/stages.h"
#include "quant/search/channel_levels.h"
#include "quant/search/limits.h"
#include "quant/search/method.h"
#include "quant/search/plan_search.h"

namespace bitstrata::quant {
namespace {

using ::testing::ElementsAre;

constexpr double infinity = std::numeric_limits<double>::infinity();

// Three layers, of which the first two have as many channels as may be kept.
model::Network three_layers() {
  model::Network network("three");
  int at = network.add_relu(network.add_convolution(network.add_input({4, 4, 1}), "a", 16, {}), "a_relu");
  at = network.add_relu(network.add_convolution(at, "b", 16, {}), "b_relu");
  network.add_linear(at, "c", 2);
  return network;
}

// Prices by layer, of nothing but the layer's own line of the plan.
class Prices final : public model::PlanPrices {
 public:
  using Price = std::function<std::int64_t(const model::LayerPlan&)>;
  Prices(const model::Network& network, Price price) : price_(std::move(price)) {
    const model::Layout layout = model::lay_out(network);
    for (const model::Step& step : layout.steps)
      if (step.stage >= 0)
        layers_.push_back({layout.stages[static_cast<std::size_t>(step.stage)].name, step.stage, {step.input()}});
  }
  std::vector<model::PricedLayer> layers() const override { return layers_; }
  const std::vector<model::LayerPrice>& prices(const model::Plan& plan) override {
    all_.clear();
    for (std::size_t i = 0; i < layers_.size(); ++i) all_.push_back(*price(i, plan));
    return all_;
  }
  std::optional<model::LayerPrice> price(std::size_t layer, const model::Plan& plan) override {
    return model::LayerPrice{price_(plan.layers[static_cast<std::size_t>(layers_[layer].stage)]), 0};
  }

 private:
  Price price_;
  std::vector<model::PricedLayer> layers_;
  std::vector<model::LayerPrice> all_;
};

// Weights of 2, 5 or 8 bits, everything else fixed: three variables with a choice.
SpaceOptions only_weights() {
  SpaceOptions options;
  options.weight_bits = {2, 5, 8};
  options.activation_bits = {8};
  return options;
}

// The losses of the three layers' weights; nothing depends on what cannot be chosen.
Losses losses_of(const SearchSpace& space, const Losses& weights) {
  Losses all;
  std::size_t next = 0;
  for (const Variable& variable : space.variables())
    all.push_back(variable.values.size() == 1 ? std::vector<double>{0} : weights.at(next++));
  return all;
}

std::vector<int> first_three(const Point& point) { return {point.begin(), point.begin() + 3}; }

struct Weights {
  model::Network network = three_layers();
  SearchSpace space{network, only_weights()};
  Prices prices{network, [](const model::LayerPlan& layer) { return layer.weight_bits; }};  // a cycle a bit
  PlanCosts costs{space, prices};
  Costs cycles(double most) const { return {most, infinity, infinity}; }
};

TEST(ByHand, ExcessAddsUpTheSharesBeyond) {
  EXPECT_DOUBLE_EQ(excess({120, 60, 5}, {100, 40, 10}), 0.2 + 0.5);
  EXPECT_DOUBLE_EQ(excess({120, 40, 25}, {100, 40, 10}), 0.2 + 1.5);
  EXPECT_DOUBLE_EQ(excess({3, 7, 8}, {0, infinity, infinity}), 3);
  EXPECT_DOUBLE_EQ(excess({100, 40, 10}, {100, 40, 10}), 0);
}

TEST(ByHand, BudgetsFallInEqualRatios) {
  const Costs start = {1000, 8, 10}, allowed = {250, infinity, 20};
  EXPECT_THAT(budget(start, allowed, 0.5), ElementsAre(::testing::DoubleEq(500), infinity, 20));
  EXPECT_THAT(budget(start, allowed, 0.25), ElementsAre(::testing::DoubleNear(707.1068, 1e-3), infinity, 20));
  EXPECT_THAT(budget(start, allowed, 1), ElementsAre(250, infinity, 20));
}

TEST(ByHand, CostsAreSaidInNanojoules) {
  // 1.5e9 fJ of 6e9: 1500 nJ.
  EXPECT_EQ(to_text({0, 1.5e9, 0}, {infinity, 2e9, infinity}, {1, 6e9, 1}), "energy 1500 nJ (0.2500 of 8/8)");
}

TEST(ByHand, ImprovePaysWithTheNarrowestWidth) {
  Weights w;
  // Layer a gains 9 by 5 bits for 2; layer b can pay for them from 5 to its 2 at a loss of 0.5; layer c has nothing
  // left.
  const Losses losses = losses_of(w.space, {{10, 1, 0.9}, {0.5, 0, 0}, {0, 0, 0}});
  Point start = w.space.largest();
  start[0] = 0, start[1] = 1, start[2] = 0;
  EXPECT_THAT(first_three(improve(w.costs, losses, w.cycles(2 + 5 + 2), start)), ElementsAre(1, 0, 0));
  // Not where that would be a loss.
  const Losses dear = losses_of(w.space, {{1, 0.6, 0.5}, {0.5, 0, 0}, {0, 0, 0}});
  EXPECT_THAT(first_three(improve(w.costs, dear, w.cycles(2 + 5 + 2), start)), ElementsAre(0, 1, 0));
}

TEST(ByHand, PromoteTakesEqualLossForTheSameCost) {
  Weights w;
  Prices free(w.network, [](const model::LayerPlan& layer) { return layer.weight_bits <= 5 ? 5 : 8; });
  PlanCosts costs(w.space, free);
  // 2 and 5 bits cost the same; a loses nothing by the wider ones, b would, c is at 5 already, and 8 cost more.
  const Losses losses = losses_of(w.space, {{1, 1, 1}, {1, 2, 0}, {2, 1, 0}});
  Point start = w.space.largest();
  start[0] = 0, start[1] = 0, start[2] = 1;
  EXPECT_THAT(first_three(promote(costs, losses, w.cycles(100), start)), ElementsAre(1, 0, 1));
  // What is not limited costs nothing.
  EXPECT_THAT(first_three(promote(costs, losses, w.cycles(infinity), start)), ElementsAre(2, 2, 2));
}

TEST(ByHand, SmallestIsTheNarrowestThatCanBeHad) {
  EXPECT_EQ(smallest({{infinity, infinity, 1}, {0, 5}, {infinity, 2, infinity}}), (Point{2, 0, 1}));
}

// 100 cycles for every five channels begun: only counts below which a cycle less is taken are worth keeping, and those
// nearest to a quarter, a half and three quarters of 16 are 5, 10 and again 10.
TEST(ByHand, ChannelLevelsAreTheStepsOfTheCosts) {
  const model::Network network = three_layers();
  Prices prices(network, [](const model::LayerPlan& layer) { return (layer.channels + 4) / 5 * 100; });
  const std::vector<std::vector<int>> levels = channel_levels(network, prices, 4, 1);
  int groups = 0;
  for (const std::vector<int>& chosen : levels) {
    if (chosen.empty()) continue;
    EXPECT_THAT(chosen, ElementsAre(5, 10, 16));
    ++groups;
  }
  EXPECT_EQ(groups, 2);
  for (const std::vector<int>& chosen : channel_levels(network, prices, 4, 6)) {
    if (chosen.empty()) continue;
    EXPECT_THAT(chosen, ElementsAre(10, 16));
  }
}

}  // namespace
}  // namespace bitstrata::quant
