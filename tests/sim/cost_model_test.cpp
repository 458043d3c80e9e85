// SPDX-License-Identifier: Apache-2.0
// The fast cost model: equal to the RTL on whole networks, equal to lowering the whole network, and quick when asked
// again. Random integer networks: shapes and widths as planned, outputs spread over their codes.
#include "sim/cost_model.h"

#include <gtest/gtest.h>

#include <chrono>
#include <iostream>
#include <random>
#include <set>

#include "model/channel_groups.h"
#include "model/golden.h"
#include "model/stages.h"
#include "rtl/generate/program.h"
#include "sim/energy.h"
#include "sim/engine.h"
#include "sim/fast.h"
#include "sim/plan_cost.h"
#include "sim/random_network.h"
#include "tests/sim/arrays.h"

namespace bitstrata::sim {
namespace {

using model::Architecture;
using model::Network;
using model::Plan;
using Random = std::mt19937_64;

int pick(Random& random, int low, int high) {
  return low + static_cast<int>(random() % static_cast<std::uint64_t>(high - low + 1));
}

Plan random_plan(Random& random, const Network& network, int widest) {
  Plan plan = model::uniform_plan(network, 8, 8);
  for (auto& layer : plan.layers) {
    layer.weight_bits = pick(random, 1, widest);
    layer.activation_bits = pick(random, 1, widest);
    if (&layer != &plan.layers.back()) layer.channels = pick(random, std::max(1, layer.channels / 2), layer.channels);
  }
  plan.output_bits = pick(random, 2, 16);
  return plan;
}

TEST(FastCostModel, EqualsTheRtlOnLeNet) {
  const Architecture a = test::wide_array();
  const Network network = model::build_network("lenet5");
  Random random(1);
  FastCostModel model(a);
  const auto engine = make_rtl_engine(a);
  std::int64_t values = 0;
  for (int i = 0; i < 2; ++i) {
    const Plan plan = random_plan(random, network, 8);
    const auto integers = random_integer_network(network, plan, 1);
    const auto program = lower(integers, a);
    const auto run =
        engine->run(program, model::Codes(static_cast<std::size_t>(integers.tensors[0].shape.elements()), 1));
    ASSERT_EQ(run.error, RunError::none);
    const auto measurement = model.measure(network, plan);
    ASSERT_EQ(measurement.layers.size(), run.layers.size());
    for (std::size_t l = 0; l < run.layers.size(); ++l) {
      for (std::size_t e = 0; e < model::event_members.size(); ++e) {
        const auto member = model::event_members[e];
        EXPECT_EQ(measurement.layers[l].events.*member, run.layers[l].*member)
            << measurement.layers[l].layer << " " << model::event_names[e];
        ++values;
      }
    }
  }
  std::cout << values << " values compared\n";
  EXPECT_GT(values, 0);
}

TEST(FastCostModel, EqualsLoweringTheWholeNetwork) {
  const Architecture a = model::load_architecture("pim-64x64");
  Random random(2);
  FastCostModel model(a);
  std::int64_t layers = 0;
  for (const char* name : {"lenet5", "vgg_small"}) {
    const Network network = model::build_network(name);
    for (int i = 0; i < 5; ++i) {
      const Plan plan = random_plan(random, network, 16);
      const auto integers = random_integer_network(network, plan, 7);
      const auto program = lower(integers, a);
      const auto measurement = model.measure(network, plan);
      const std::vector<model::Events> events = events_of_layers(program, predict(program));
      ASSERT_EQ(measurement.layers.size(), events.size());
      for (std::size_t l = 0; l < events.size(); ++l) {
        EXPECT_EQ(measurement.layers[l].events, events[l]) << program.layer_names[l];
        EXPECT_EQ(measurement.layers[l].layer, program.layer_names[l]);
        EXPECT_EQ(measurement.layers[l].macs, integers.layers[l].macs);
        ++layers;
      }
      EXPECT_EQ(measurement.origin, model::Origin::fast);
      EXPECT_EQ(measurement.architecture, a.name);
      EXPECT_GT(measurement.latency_us(), 0);
    }
  }
  std::cout << layers << " layers compared\n";
  EXPECT_GT(layers, 0);
}

TEST(FastCostModel, RemembersLayers) {
  const Architecture a = model::load_architecture("pim-64x64");
  const Network network = model::build_network("vgg_small");
  FastCostModel model(a);
  const auto first = model.measure(network, model::uniform_plan(network, 4, 4));
  const std::int64_t predicted = model.predicted();
  const auto start = std::chrono::steady_clock::now();
  constexpr int times = 2000;
  for (int i = 0; i < times; ++i)
    EXPECT_EQ(model.measure(network, model::uniform_plan(network, 4, 4)).total(), first.total());
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(model.predicted(), predicted);
  std::cout << times / spent.count() << " remembered plans a second\n";
}

TEST(FastCostModel, PredictsAgainWhatItForgot) {
  const Network network = model::build_network("vgg_small");
  FastCostModel model(model::load_architecture("pim-64x64"));
  const auto first = model.measure(network, model::uniform_plan(network, 3, 5));
  const std::int64_t predicted = model.predicted();
  model.forget_events();
  EXPECT_EQ(model.measure(network, model::uniform_plan(network, 3, 5)).total(), first.total());
  EXPECT_EQ(model.predicted(), 2 * predicted);
}

TEST(FastCostModel, NamesLayerAndLimitThatDoNotFit) {
  Architecture a = test::paired_array();
  a.skip_planes = false;
  a.max_weight_bits = 8;
  a.psum_depth = 16;
  const Network network = model::build_network("lenet5");
  FastCostModel model(a);
  try {
    model.measure(network, model::uniform_plan(network, 8, 8));
    FAIL() << "nothing thrown";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("conv1"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("psum_depth"), std::string::npos) << error.what();
  }
}

TEST(RandomIntegerNetwork, FollowsThePlan) {
  const Network network = model::build_network("vgg_small");
  Plan plan = model::uniform_plan(network, 8, 8);
  for (std::size_t i = 0; i < plan.layers.size(); ++i) {
    plan.layers[i].weight_bits = static_cast<int>(i) + 1;
    plan.layers[i].activation_bits = static_cast<int>(i) + 2;
  }
  plan.layers[0].channels = 5;
  plan.output_bits = 12;
  const auto integers = random_integer_network(network, plan, 3);
  ASSERT_EQ(integers.layers.size(), 10U);  // 7 with weights, 3 pools
  EXPECT_EQ(integers.layers[0].out_channels(), 5);
  std::size_t stage = 0;
  for (const auto& layer : integers.layers) {
    const auto& in = integers.tensors[static_cast<std::size_t>(layer.input)];
    const auto& out = integers.tensors[static_cast<std::size_t>(layer.output)];
    if (layer.kind != model::LayerKind::convolution) {
      EXPECT_EQ(in.bits, out.bits) << layer.name;
      continue;
    }
    EXPECT_EQ(layer.weight_bits, plan.layers[stage].weight_bits);
    EXPECT_EQ(in.bits, plan.layers[stage].activation_bits);
    EXPECT_EQ(in.coding, model::Coding::unsigned_code);
    ++stage;
  }
  EXPECT_EQ(integers.tensors.back().bits, 12);
  EXPECT_EQ(integers.tensors.back().coding, model::Coding::twos_complement);
}

TEST(RandomIntegerNetwork, SpreadsOutputsOverTheirCodes) {
  const Network network = model::build_network("lenet5");
  for (int bits : {2, 4, 8}) {
    const auto integers = random_integer_network(network, model::uniform_plan(network, bits, bits), 5);
    Random random(9);
    model::Codes input;
    for (int i = 0; i < 28 * 28; ++i) input.push_back(pick(random, 0, (1 << bits) - 1));
    const auto tensors = model::run_all(integers, input);
    for (const auto& layer : integers.layers) {
      const auto& codes = tensors[static_cast<std::size_t>(layer.output)];
      const auto clipped = std::count(codes.begin(), codes.end(), layer.clip_high);
      EXPECT_LT(clipped, static_cast<std::ptrdiff_t>(codes.size() * 6 / 10)) << layer.name << " at " << bits;
      EXPECT_GT(std::set<std::int32_t>(codes.begin(), codes.end()).size(), 2U) << layer.name << " at " << bits;
    }
  }
}

TEST(PlanCost, IsTheSumOfTheLayers) {
  const Architecture a = model::load_architecture("pim-64x64");
  std::int64_t plans = 0;
  for (const char* name : {"vgg_small", "resnet20", "mobilenetv2_96"}) {
    const Network network = model::build_network(name);
    Random random(5);
    FastCostModel model(a);
    PlanCost cost(network, a);
    for (int i = 0; i < 3; ++i) {
      Plan plan = random_plan(random, network, 8);
      for (auto& layer : plan.layers) layer.channels = 0;  // all
      plan.output_bits = 8;
      model::tie_widths(model::lay_out(network), plan);
      EXPECT_EQ(cost.cycles(plan), model.measure(network, plan).total().cycles) << name;
      ++plans;
    }
    const std::int64_t predicted = cost.predicted();
    cost.cycles(model::uniform_plan(network, 8, 8));
    cost.cycles(model::uniform_plan(network, 8, 8));
    EXPECT_LE(cost.predicted(), predicted + static_cast<std::int64_t>(network.nodes().size()));
  }
  std::cout << plans << " plans compared\n";
}

TEST(PlanCost, PreparedOnlyLooksUp) {
  const Architecture a = model::load_architecture("pim-64x64");
  const Network network = model::build_network("resnet20");
  const model::Layout layout = model::lay_out(network);
  Random random(6);
  FastCostModel model(a);
  PlanCost cost(network, a);
  cost.prepare(4);
  const std::int64_t predicted = cost.predicted();
  for (int i = 0; i < 20; ++i) {
    Plan plan = model::uniform_plan(network, 4, 4);
    for (auto& layer : plan.layers) {
      layer.weight_bits = pick(random, 1, 4);
      layer.activation_bits = pick(random, 1, 4);
    }
    model::tie_widths(layout, plan);
    EXPECT_EQ(cost.cycles(plan), model.measure(network, plan).total().cycles);
  }
  EXPECT_EQ(cost.predicted(), predicted);
  Plan wide = model::uniform_plan(network, 4, 4);
  wide.layers[1].weight_bits = 17;
  EXPECT_THROW(cost.cycles(wide), std::invalid_argument);
  wide.layers[1].weight_bits = 0;
  EXPECT_THROW(cost.cycles(wide), std::invalid_argument);
}

// Removed channels and energies: layer by layer what FastCostModel measures and sim::price makes of it.
TEST(PlanCost, KnowsChannelsAndEnergies) {
  const model::Technology technology = model::load_technology("ad-pim");
  std::int64_t layers = 0, pruned = 0;
  for (const char* name : {"pim-64x64", "overlay-8x64x8"}) {
    const Architecture a = model::load_architecture(name);
    for (const char* which : {"resnet8", "dscnn"}) {
      const Network network = model::build_network(which);
      const model::ChannelGroups groups = model::channel_groups(network, model::lay_out(network));
      Random random(7);
      FastCostModel model(a);
      PlanCost cost(network, a, &technology);
      for (int i = 0; i < 4; ++i) {
        Plan plan = random_plan(random, network, 8);
        model::tie_widths(model::lay_out(network), plan);
        std::vector<int> counts;
        for (const model::ChannelGroup& group : groups.groups)
          counts.push_back(group.fixed.empty() ? pick(random, 1, group.size) : group.size);
        model::set_channels(groups, counts, plan);
        const Network kept = model::planned_network(network, plan);
        const model::Measurement measured = model.measure(kept, plan);
        const model::IntegerNetwork shapes = integer_shapes(kept, plan);
        const Energy energy = price(measured, shapes, technology, a);
        const std::vector<model::LayerPrice> prices = cost.prices(plan);
        ASSERT_EQ(prices.size(), measured.layers.size());
        for (std::size_t k = 0; k < prices.size(); ++k, ++layers) {
          EXPECT_EQ(prices[k].cycles, measured.layers[k].events.cycles) << which << " " << measured.layers[k].layer;
          EXPECT_NEAR(prices[k].energy_fj, 1000 * energy.layers[k].parts.total_pj(), 1e-6) << measured.layers[k].layer;
        }
        pruned += kept.total_macs() < network.total_macs();
        EXPECT_EQ(cost.total(plan).cycles, cost.cycles(plan));
      }
    }
  }
  std::cout << layers << " layers of plans compared, " << pruned << " plans with fewer channels\n";
  EXPECT_EQ(pruned, 16);
}

}  // namespace
}  // namespace bitstrata::sim
