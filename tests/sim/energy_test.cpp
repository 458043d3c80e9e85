// SPDX-License-Identifier: Apache-2.0
// Prices against numbers worked out by hand from the published formulas.
#include "sim/energy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/random_network.h"

namespace bitstrata::sim {
namespace {

using model::LayerKind;
using model::LayerMeasurement;
using model::Technology;

LayerMeasurement measured(int weight_bits, int activation_bits, std::int64_t macs) {
  return {.layer = "conv",
          .kind = LayerKind::convolution,
          .weight_bits = weight_bits,
          .activation_bits = activation_bits,
          .output_bits = 8,
          .macs = macs};
}

// 3x3 convolution of 8x8x16 to 8x8x32: 294,912 MACs, 1,024 inputs, 4,608 weights.
const LayerGeometry conv{.input = {8, 8, 16}, .output = {8, 8, 32}, .window = {.kernel_height = 3, .kernel_width = 3}};
constexpr std::int64_t conv_macs = 294912;

TEST(MacTable, RoundsUpAndTakesTheWiderOperand) {
  const Technology technology = model::load_technology("ad-pim");
  const struct {
    int weight_bits, activation_bits;
    double fj;
  } cases[] = {{2, 2, 2.942},  {1, 1, 2.942},  {3, 2, 16.968},  {4, 4, 16.968},
               {2, 5, 66.714}, {8, 8, 66.714}, {9, 1, 276.676}, {16, 16, 276.676}};
  for (const auto& c : cases) {
    const auto energy = price(measured(c.weight_bits, c.activation_bits, conv_macs), conv, technology);
    ASSERT_TRUE(energy.parts.array_pj);
    EXPECT_NEAR(*energy.parts.array_pj, conv_macs * c.fj * 1e-3, 1e-6) << c.weight_bits << "/" << c.activation_bits;
    EXPECT_DOUBLE_EQ(energy.parts.total_pj(), *energy.parts.array_pj);
  }
  EXPECT_EQ(price(measured(8, 8, 1), conv, technology).note, "");
  EXPECT_EQ(price(measured(3, 2, 1), conv, technology).note, "3/2 bits priced as 4");
}

TEST(MacTable, LeavesWhatItDoesNotPriceAbsent) {
  const auto parts = price(measured(8, 8, conv_macs), conv, model::load_technology("ad-pim")).parts;
  EXPECT_FALSE(parts.memory_pj);
  EXPECT_FALSE(parts.dram_pj);
  EXPECT_FALSE(parts.buffer_pj);
  EXPECT_FALSE(parts.control_pj);
  EXPECT_FALSE(parts.clock_pj);
  EXPECT_FALSE(parts.leakage_pj);
}

TEST(MacTable, RefusesWidthsBeyondTheTable) {
  Technology technology = model::load_technology("ad-pim");
  technology.mac_energy.erase(16);
  EXPECT_THAT([&] { price(measured(9, 8, 1), conv, technology); },
              testing::ThrowsMessage<std::invalid_argument>(testing::HasSubstr("9 bits are more than")));
}

// E = N_mem * 2.5 k + N_MAC * (3.1 k / 32 + 0.1), N_mem = N^2 I + p^2 I O.
TEST(MacMemory, FollowsThePublishedFormula) {
  const Technology technology = model::load_technology("45nm-mac-memory");
  const auto energy = price(measured(4, 8, conv_macs), conv, technology);
  EXPECT_NEAR(*energy.parts.array_pj, conv_macs * (3.1 * 8 / 32 + 0.1), 1e-6);
  EXPECT_NEAR(*energy.parts.memory_pj, (1024 + 4608) * 2.5 * 8, 1e-6);
  EXPECT_NEAR(energy.parts.total_pj(), 258048 + 112640, 1e-3);
  EXPECT_EQ(energy.note, "4/8 bits priced as 8");
  EXPECT_FALSE(energy.parts.dram_pj);
}

TEST(MacMemory, CountsTheWeightsOfGroups) {
  LayerGeometry depthwise = conv;
  depthwise.output.channels = 16;
  depthwise.groups = 16;
  const auto energy = price(measured(8, 8, 9216), depthwise, model::load_technology("45nm-mac-memory"));
  EXPECT_NEAR(*energy.parts.memory_pj, (1024 + 9 * 16) * 2.5 * 8, 1e-6);
}

TEST(Pooling, IsAbsentAndSaysSo) {
  for (const auto& name : model::technology_names()) {
    LayerMeasurement pool = measured(0, 8, 0);
    pool.kind = LayerKind::max_pool;
    const Technology technology = model::load_technology(name);
    if (technology.kind == model::TechnologyKind::gate_level) continue;  // prices what gates do, whatever it is
    const auto energy = price(pool, conv, technology);
    EXPECT_FALSE(energy.parts.array_pj);
    EXPECT_FALSE(energy.parts.any());
    EXPECT_THAT(energy.note, testing::HasSubstr("no MACs"));
  }
}

TEST(Network, SumsLayersAndCarriesStatusAndRules) {
  const auto network = model::build_network("lenet5");
  const auto integers = random_integer_network(network, model::uniform_plan(network, 8, 8), 1);
  model::Measurement measurement;
  std::int64_t macs = 0;
  for (const auto& layer : integers.layers) {
    measurement.layers.push_back({.layer = layer.name,
                                  .kind = layer.kind,
                                  .weight_bits = layer.weight_bits,
                                  .activation_bits = 8,
                                  .output_bits = 8,
                                  .macs = layer.macs});
    macs += layer.macs;
  }
  const Technology technology = model::load_technology("ad-pim");
  const Energy energy = price(measurement, integers, technology, {});
  ASSERT_EQ(energy.layers.size(), integers.layers.size());
  EXPECT_EQ(macs, network.total_macs());
  EXPECT_NEAR(*energy.total.array_pj, static_cast<double>(macs) * 66.714e-3, 1e-3);
  EXPECT_EQ(energy.priced_layers, 5);  // two of the seven are poolings
  EXPECT_EQ(energy.technology, "ad-pim");
  EXPECT_EQ(energy.status, model::Status::recalled);
  EXPECT_EQ(energy.rules, technology.rules);
  measurement.layers.pop_back();
  EXPECT_THROW(price(measurement, integers, technology, {}), std::invalid_argument);
}

}  // namespace
}  // namespace bitstrata::sim
