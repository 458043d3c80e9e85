// SPDX-License-Identifier: Apache-2.0
// Energy of events on an array of three macros under a gate-level technology, every part worked out by hand.
#include "sim/gate_energy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/energy.h"
#include "sim/physical.h"

namespace bitstrata::sim {
namespace {

// 3 macros of 32 x 20; banks of 4096, 4096, 4096, 16384 and 65536 bits, whose roots are 64, 64, 64, 128 and 256. Four
// rows of weights are a word of 80 bits in two lines.
model::Architecture three_macros() {
  model::Architecture a;
  a.tiles = 3;
  a.rows = 32;
  a.columns = 20;
  a.activation_depth = 64;
  a.output_depth = 32;
  a.weight_depth = 256;
  a.psum_depth = 128;
  a.parameter_depth = 512;
  a.accumulator_bits = 32;
  a.clock_mhz = 50;
  return a;
}

model::LayerMeasurement measured() {
  model::LayerMeasurement layer{.layer = "conv", .weight_bits = 8, .activation_bits = 8, .output_bits = 8};
  layer.events.cycles = 1000;
  layer.events.column_steps = 300;
  layer.events.window_reads = 5;
  layer.events.activation_lines_read = 5;
  layer.events.activation_lines_written = 3;
  layer.events.weight_rows_read = 7;
  layer.events.weight_lines_written = 2;
  layer.events.output_bits_written = 100;
  layer.events.output_lines_read = 3;
  layer.events.accumulator_reads = 11;
  layer.events.accumulator_writes = 13;
  layer.events.post_outputs = 17;
  layer.events.memory_lines_read = 9;
  layer.events.memory_lines_written = 4;
  layer.toggles.emplace().product_toggles = 2000;
  return layer;
}

model::Technology technology() {
  model::Technology t;
  t.kind = model::TechnologyKind::gate_level;
  t.name = "by hand";
  model::GateLevel& g = t.gates;
  g.leakage = {{{{}, 2e-6}, {"column", 1e-7}}};
  g.with_toggles = {{"array", {{"product_toggles", {}, 300e-15}}},
                    {"shift_add", {{"column_steps", {}, 20e-15}}},
                    {"postprocess", {{"post_outputs", {}, 1e-12}}},
                    {"buffer", {{"window_reads", {}, 100e-15}}},
                    {"control", {{"cycles", {}, 5e-15}}},
                    {"clock", {{"cycles", "column", 1e-15}, {"weight_rows_read", "column", 1e-13}}}};
  g.structural = {{"array", {{"column_steps", {}, 1e-12}}}};
  g.memory_cycle = 2e-12;
  g.memory_access = 1e-15;
  g.memory_block = 1e-8;
  g.memory_area = 1e-11;
  g.memory_leakage = 1e-12;
  g.dram_access = 10e-12;
  return t;
}

TEST(GateEnergy, OfThreeMacrosByHand) {
  const model::Architecture a = three_macros();
  const EnergyParts parts = price(measured(), {}, technology(), {&a, 1}).parts;
  EXPECT_NEAR(*parts.array_pj, 2000 * 0.3, 1e-9);
  EXPECT_NEAR(*parts.shift_add_pj, 300 * 0.02, 1e-9);
  EXPECT_NEAR(*parts.postprocess_pj, 17, 1e-9);
  EXPECT_NEAR(*parts.control_pj, 1000 * 0.005, 1e-9);
  // Each cycle clocks 60 columns, each row of weights the gates of 60.
  EXPECT_NEAR(*parts.clock_pj, 1000 * 60 * 0.001 + 7 * 60 * 0.1, 1e-9);
  // Bits times the root of the bank's, in fJ, and what gates around the memories take.
  const double accesses = (5 + 3) * 64 * 64.0 + (7 * 80 + 2 * 64) * 64.0 + (100 + 3 * 64) * 64.0 +
                          (11 + 13 + 17) * 32 * 128.0 + 17 * 128 * 256.0;
  // 2 pJ an access: of a line, of two banks of a word of weights, of what four post lanes share.
  const double cycles = 8 + (7 * 2 + 2) + (100 / 4.0 + 3) + 41 / 4.0 + 17;
  EXPECT_NEAR(*parts.buffer_pj, accesses * 1e-3 + cycles * 2 + 5 * 0.1, 1e-9);
  EXPECT_NEAR(*parts.dram_pj, (9 + 4) * 64 * 10.0, 1e-9);
  // 2 uW and 0.1 uW for each of 60 columns; 1 pW for each of 1,024,000 bits; for 20 us.
  EXPECT_NEAR(*parts.leakage_pj, (2 + 6 + 1.024) * 20, 1e-9);
  EXPECT_FALSE(parts.memory_pj);
  // An image of four has a quarter, and without toggles the array has the other weights.
  model::LayerMeasurement layer = measured();
  layer.toggles.reset();
  const EnergyParts share = price(layer, {}, technology(), {&a, 4}).parts;
  EXPECT_NEAR(*share.leakage_pj, *parts.leakage_pj / 4, 1e-9);
  EXPECT_NEAR(*share.array_pj, 300 * 1.0 / 4, 1e-9);
}

TEST(BufferAccesses, ByHand) {
  const std::vector<BufferAccess> all = buffer_accesses(three_macros(), measured().events);
  const struct {
    const char* name;
    double bank_bits;
    std::int64_t bits;
    double accesses, accessed;
  } expected[] = {{"activations", 64 * 64, 2 * 16 * 64 * 64, 8, 8 * 64},
                  {"weights", 64 * 64, 64 * 2 * 64, 7 * 2 + 2, 7 * 80 + 2 * 64},
                  // A bank holds both halves of the buffer.
                  {"outputs", 2 * 32 * 64, 4 * 16 * 32 * 64, 25 + 3, 100 + 3 * 64},
                  // Lanes of 4 neighbours beside each other: 20 columns of 3 macros and 2 halves of 128 pixels.
                  {"partial sums", 128 * 4 * 32, 2 * 128 * 60 * 32, 41 / 4.0, 41 * 32},
                  {"parameters", 512 * 128, 512 * 4 * 128, 17, 17 * 128}};
  ASSERT_EQ(all.size(), std::size(expected));
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].name, expected[i].name);
    EXPECT_EQ(all[i].bank_bits, expected[i].bank_bits) << all[i].name;
    EXPECT_EQ(all[i].bits, expected[i].bits) << all[i].name;
    EXPECT_EQ(all[i].accesses, expected[i].accesses) << all[i].name;
    EXPECT_EQ(all[i].accessed, expected[i].accessed) << all[i].name;
  }
}

TEST(BufferAccesses, OfAnOverlayHaveWeightPlanes) {
  model::Architecture a = three_macros();
  a.style = "overlay";
  a.tiles = 1;
  a.vectors = 4;
  a.columns = 8;
  a.max_weight_bits = 8;
  model::Events events;
  events.plane_steps = 10;
  events.weight_cells_written = 50;
  events.weight_rows_read = 6;
  const std::vector<BufferAccess> all = buffer_accesses(a, events);
  ASSERT_EQ(all.size(), 6U);
  EXPECT_EQ(all[1].accessed, 6 * 32);  // a row of the buffer is a plane of 32 rows
  EXPECT_EQ(all[5].name, "weight planes");
  EXPECT_EQ(all[5].bank_bits, 32 * 8);
  EXPECT_EQ(all[5].bits, 32 * 8 * 8);
  // Each step reads a plane of each of 8 outputs, whatever the vectors; bits are written one by one.
  EXPECT_EQ(all[5].accessed, 10 * 8 * 32 + 50);
  EXPECT_EQ(all[5].accesses, 10 * 8 + 50 / 32.0);
}

// 60 columns; 2 x 16 banks of 4096 bits, 4 x 16 of 2048, 64 words of 128, 2 x 128 x 60 sums of 32 and 512 x 4 records.
TEST(AreaOfAnAccelerator, IsThatOfGatesAndOfMemories) {
  model::Technology t = technology();
  t.gates.area = {{{{}, 3e-6}, {"column", 2e-8}}};  // m2
  t.gates.memory_area = 5e-12;
  t.gates.memory_block = 1e-9;
  const std::optional<Area> area = area_of(three_macros(), t);
  ASSERT_TRUE(area);
  EXPECT_DOUBLE_EQ(area->gates_mm2, 3 + 60 * 0.02);
  const double bits = 32 * 4096 + 64 * 2048 + 64 * 128 + 2 * 128 * 60 * 32 + 512 * 4 * 128;
  // 32 banks of activations, 2 of a word of weights, 32 of outputs, 30 of partial sums (both halves in one), 4 of
  // records.
  EXPECT_NEAR(area->memories_mm2, bits * 5e-6 + (32 + 2 + 32 + 30 + 4) * 1e-3, 1e-9);
  EXPECT_DOUBLE_EQ(area->mm2(), area->gates_mm2 + area->memories_mm2);
  t.kind = model::TechnologyKind::mac_table;
  EXPECT_FALSE(area_of(three_macros(), t));
}

// 50 MHz are asked for.
TEST(ClockOfAnAccelerator, IsTheSlowerOfAskedAndReached) {
  model::Technology t = technology();
  EXPECT_FALSE(clock_of(three_macros(), t).reached_mhz) << "no period is told";
  t.gates.clock_period = model::Growth::fixed(10e-9);
  const Clock fast = clock_of(three_macros(), t);
  EXPECT_DOUBLE_EQ(*fast.reached_mhz, 100);
  EXPECT_TRUE(fast.met());
  EXPECT_DOUBLE_EQ(fast.latency_us(1000), 20);
  t.gates.clock_period = model::Growth::fixed(40e-9);
  const Clock slow = clock_of(three_macros(), t);
  EXPECT_FALSE(slow.met());
  EXPECT_DOUBLE_EQ(slow.asked_mhz, 50);
  EXPECT_DOUBLE_EQ(slow.mhz(), 25);
  EXPECT_DOUBLE_EQ(slow.latency_us(1000), 40);
  // What leaks does so for as long as the run takes.
  t.gates.leakage = model::Growth::fixed(1e-3);
  t.gates.memory_leakage = 0;
  const model::Architecture a = three_macros();
  EXPECT_NEAR(*price(measured(), {}, t, {&a}).parts.leakage_pj, 1e-3 * 40e-6 * 1e12, 1e-6);
  t.kind = model::TechnologyKind::mac_table;
  EXPECT_DOUBLE_EQ(clock_of(three_macros(), t).latency_us(1000), 20) << "a published table tells no clock";
}

TEST(PowerAndThroughput, CountTwoOperationsAMac) {
  EXPECT_DOUBLE_EQ(*power_mw(3e6, 100), 30);  // 3 uJ in 100 us
  EXPECT_DOUBLE_EQ(tops(1'000'000, 100), 0.02);
  EXPECT_DOUBLE_EQ(*tops_per_w(1'000'000, 4e6), 0.5);
  EXPECT_FALSE(power_mw(std::nullopt, 100));
  EXPECT_FALSE(tops_per_w(7, std::nullopt));
  EXPECT_FALSE(tops_per_w(7, 0.0)) << "of layers that have no price";
}

// Columns, macros and the clock scale; everything else that changes the gates is another accelerator.
TEST(CalibratedHardware, DiffersInWhatChangesTheGates) {
  const model::Architecture a = three_macros();
  model::GateLevel gates;
  gates.hardware = calibrated_keys(a);
  const auto found = [&](auto change) {
    model::Architecture other = a;
    change(other);
    return differences(gates, other);
  };
  EXPECT_THAT(found([](auto& o) { o.columns = 64, o.tiles = 1, o.clock_mhz = 300, o.name = "other"; }),
              testing::IsEmpty());
  EXPECT_THAT(found([](auto& o) { o.memory.read_latency = 99, o.event_counters = false, o.popcount_tree = true; }),
              testing::IsEmpty());
  EXPECT_THAT(found([](auto& o) { o.accumulator_bits = 40; }),
              testing::ElementsAre("accumulator_bits 40, calibrated for 32"));
  EXPECT_THAT(found([](auto& o) { o.post_lanes = 8; }), testing::ElementsAre("post_lanes 8, calibrated for 4"));
  EXPECT_THAT(found([](auto& o) { o.clock_gating = true, o.skip_planes = true; }), testing::SizeIs(2));
  // Files made before there was another width do not say it; what else is missing is not known.
  gates.hardware.erase("address_width");
  gates.hardware.erase("burst_beats");
  EXPECT_THAT(found([](auto& o) { o.address_width = 64; }),
              testing::ElementsAre("address_width 64, calibrated for 32", testing::StartsWith("burst_beats ")));
  EXPECT_THAT(found([](auto&) {}), testing::SizeIs(1));
}

}  // namespace
}  // namespace bitstrata::sim
