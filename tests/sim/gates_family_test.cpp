// SPDX-License-Identifier: Apache-2.0
// Technologies of many architectures: growths that are known beforehand are found again and hold for an architecture
// that was left out, one that contradicts them shows as its error, and measurements survive their files.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "model/growth.h"
#include "model/technology.h"
#include "sim/gate_energy.h"
#include "sim/gates/family.h"
#include "tests/model/temporary.h"

namespace bitstrata::sim::gates {
namespace {

using model::Architecture;
using model::Scale;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;

TEST(Scales, AreProductsOfParameters) {
  Architecture a;
  a.rows = 64;
  a.columns = 24;
  a.tiles = 2;
  a.data_bits = 128;
  EXPECT_EQ(Scale().of(a), 1);
  EXPECT_EQ(Scale("column").of(a), 48);
  EXPECT_EQ(Scale("row*column").of(a), 64 * 48);
  EXPECT_EQ(Scale("count_bit").of(a), 7);  // a count of 64 rows goes up to 64
  EXPECT_EQ(Scale("line_stage").of(a), 7);
  a.max_activation_bits = 12;  // which take 16 banks
  EXPECT_EQ(Scale("plane").of(a), 16);
  EXPECT_EQ(Scale("plane_stage").of(a), 4);
  EXPECT_EQ(Scale("row*row").of(a), 64 * 64);
  EXPECT_EQ(Scale("column*row").text(), "column*row");
  EXPECT_EQ(Scale("row*column"), Scale("column*row"));
  EXPECT_EQ(Scale("fixed"), Scale());
  EXPECT_EQ(Scale().text(), "fixed");
  EXPECT_THAT(message_of<std::invalid_argument>([] { Scale("rows"); }), HasSubstr("'rows' is no factor"));
  EXPECT_THAT(message_of<std::invalid_argument>([] { Scale("row*"); }), HasSubstr("column, row"));
}

// Energies of runs: products toggle, windows move lines of all planes, requantization is as wide as partial sums, and a
// clock takes what rows and lines have in registers.
GateMeasurement made(const Architecture& architecture, unsigned seed) {
  std::mt19937 random(seed);
  GateMeasurement m;
  m.architecture = architecture;
  m.library = "made";
  m.idle_clock = 1e-15 * (50 + 3 * architecture.data_bits);
  m.idle_clock_of_columns = 1e-15 * architecture.columns * 0.5;
  m.components["products"] = {1e-12 * architecture.columns * architecture.rows, 1e-9 * architecture.columns, 10, 0};
  m.components["buffer"] = {1e-12 * (100 + 7 * architecture.data_bits * architecture.max_activation_bits),
                            1e-9 * architecture.data_bits, 20, 5};
  m.clock_period = 1e-9 * (2 + 0.25 * architecture.accumulator_bits / 8);
  for (int run = 0; run < 24; ++run) {
    CalibrationPoint p;
    p.name = fmt::format("run {}", run);
    p.held_out = run % 3 == 0;
    p.streams = 16;
    const auto draw = [&] { return static_cast<std::int64_t>(1000 + random() % 9000); };
    p.events.cycles = draw();
    p.events.window_reads = draw();
    p.events.post_outputs = draw();
    p.events.weight_lines_written = draw();
    p.events.activation_lines_written = draw();
    const std::int64_t parameter_lines = draw();
    p.events.memory_lines_read = p.events.weight_lines_written + p.events.activation_lines_written + parameter_lines;
    p.toggles.product_toggles = draw();
    const auto e = [](std::int64_t count) { return static_cast<double>(count); };
    p.energy["array"] = 2e-15 * e(p.toggles.product_toggles);
    p.energy["shift_add"] = 0;
    p.energy["buffer"] = 1e-16 * architecture.data_bits * architecture.max_activation_bits * e(p.events.window_reads);
    p.energy["postprocess"] = 4e-15 * architecture.accumulator_bits * e(p.events.post_outputs);
    p.energy["control"] = 5e-15 * e(p.events.cycles) + 7e-15 * e(parameter_lines);
    p.energy["clock"] = m.idle_clock * e(p.events.cycles);
    p.energy["clock_of_columns"] = m.idle_clock_of_columns * e(p.events.cycles);
    m.points.push_back(p);
  }
  return m;
}

std::vector<GateMeasurement> made_family() {
  std::vector<GateMeasurement> all;
  for (const auto& [rows, line, bits, accumulator] :
       {std::array{16, 32, 8, 32}, std::array{64, 32, 8, 32}, std::array{16, 64, 8, 40}, std::array{16, 64, 16, 40},
        std::array{32, 128, 8, 48}, std::array{128, 64, 4, 24}, std::array{64, 32, 4, 48}}) {
    Architecture a;
    a.name = fmt::format("a{}", all.size());
    a.rows = rows;
    a.columns = 16;
    a.data_bits = line;
    a.max_activation_bits = bits;
    a.accumulator_bits = accumulator;
    all.push_back(made(a, static_cast<unsigned>(all.size())));
  }
  return all;
}

std::vector<const GateMeasurement*> addresses(const std::vector<GateMeasurement>& all) {
  std::vector<const GateMeasurement*> result;
  for (const GateMeasurement& m : all) result.push_back(&m);
  return result;
}

TEST(Family, FindsGrowthsAndHoldsForWhatIsLeftOut) {
  const std::vector<GateMeasurement> all = made_family();
  const Family family = fit_family(addresses(all));
  ASSERT_EQ(family.left_out.size(), all.size());
  EXPECT_EQ(family.technology.toggles_error.points, 7 * 8);
  EXPECT_LT(family.technology.toggles_error.worst, 1e-6);
  EXPECT_GT(family.technology.structural_error.worst, 0.001);  // toggles are drawn, and no event tells of them
  EXPECT_LT(family.technology.family.area.worst, 1e-6);
  EXPECT_LT(family.technology.family.leakage.worst, 1e-6);
  EXPECT_LT(family.technology.family.clock.worst, 1e-6);
  // Beyond every architecture it was fitted to: the same rule.
  Architecture large = all[0].architecture;
  large.rows = 100;
  large.columns = 30;
  large.tiles = 2;
  large.data_bits = 64;
  large.max_activation_bits = 12;
  large.accumulator_bits = 44;
  const model::GateLevel& g = family.technology;
  EXPECT_NEAR(g.area.of(large), 1e-12 * (60 * 100 + 100 + 7 * 64 * 16), 1e-15);
  EXPECT_NEAR(g.clock_period.of(large), 1e-9 * (2 + 0.25 * 44 / 8), 1e-13);
  const CalibrationPoint& p = all[0].points[0];
  const auto part = [&](const char* name) { return energy_of(g.with_toggles.at(name), p.events, &p.toggles, large); };
  EXPECT_NEAR(part("buffer"), 1e-16 * 64 * 16 * static_cast<double>(p.events.window_reads), 1e-15);
  EXPECT_NEAR(part("postprocess"), 4e-15 * 44 * static_cast<double>(p.events.post_outputs), 1e-15);
  EXPECT_NEAR(part("clock"), 1e-15 * (50 + 3 * 64 + 0.5 * 60) * static_cast<double>(p.events.cycles), 1e-15);
}

TEST(Family, SaysWhereAnArchitectureContradictsTheOthers) {
  std::vector<GateMeasurement> all = made_family();
  GateMeasurement& odd = all[3];
  for (CalibrationPoint& p : odd.points) p.energy["buffer"] *= 2;
  odd.components["buffer"].area *= 1.5;
  odd.clock_period *= 1.3;
  const Family family = fit_family(addresses(all));
  const auto& e = family.technology;
  EXPECT_GT(family.left_out[3].energy.mean, 0.1);
  // It takes twice as much for its buffers as the others say, so that what misses of them is what misses of all.
  EXPECT_LT(family.left_out[3].parts.at("buffer"), -0.1);
  EXPECT_NEAR(family.left_out[3].parts.at("buffer"), -family.left_out[3].energy.mean, 1e-6);
  EXPECT_NEAR(family.left_out[3].parts.at("clock"), 0, 1e-9);
  EXPECT_GT(e.toggles_error.worst, family.left_out[3].energy.mean);
  EXPECT_THAT(e.toggles_error.worst_point, HasSubstr(": run"));
  EXPECT_EQ(e.family.area.worst_point, "a3");
  EXPECT_NEAR(family.left_out[3].clock, 1 / 1.3 - 1, 0.01);
  EXPECT_GT(e.family.clock.mean, 0.03);
}

TEST(Family, HoldsForARangeOfParameters) {
  std::vector<GateMeasurement> all = made_family();
  all[1].architecture.vector_unit = false;
  const model::GateLevel g = fit_family(addresses(all)).technology;
  EXPECT_EQ(g.hardware.at("rows"), "16..128");
  EXPECT_EQ(g.hardware.at("vector_unit"), "false|true");
  EXPECT_EQ(g.hardware.at("style"), "pim");
  Architecture a = all[0].architecture;
  a.rows = 100;
  a.columns = 512;
  EXPECT_THAT(differences(g, a), ElementsAre());
  a.rows = 256;
  a.data_bits = 16;
  a.skip_planes = true;
  EXPECT_THAT(differences(g, a), ElementsAre("data_bits 16, calibrated for 32..128", "rows 256, calibrated for 16..128",
                                             "skip_planes true, calibrated for false"));
}

TEST(Family, RefusesWhatIsNone) {
  std::vector<GateMeasurement> all = made_family();
  EXPECT_THAT(message_of<std::invalid_argument>([&] {
                fit_family(addresses({all.begin(), all.begin() + 3}));
              }),
              HasSubstr("four architectures at least"));
  all[2].library = "other";
  EXPECT_THAT(message_of<std::invalid_argument>([&] { fit_family(addresses(all)); }), HasSubstr("a2 of other"));
}

TEST(Family, TechnologiesSurviveTheirFiles) {
  const testing::TemporaryFolder folder;
  const std::vector<GateMeasurement> all = made_family();
  model::Technology t;
  t.kind = model::TechnologyKind::gate_level;
  t.name = t.title = "made";
  t.rules = {"one"};
  t.gates = fit_family(addresses(all)).technology;
  t.gates.tools = t.gates.dram = "none";
  for (const char* name :
       {"memory_cycle", "memory_access", "memory_block", "memory_area", "memory_leakage", "dram_access"})
    t.coefficients[name] = {0, "", "nobody", "none", model::Status::measured};
  save_gate_level(t, folder / "made.yaml");
  const model::GateLevel back = model::load_technology((folder / "made.yaml").string()).gates;
  EXPECT_EQ(back.family.architectures, 7);
  EXPECT_EQ(back.hardware, t.gates.hardware);
  Architecture a = all[0].architecture;
  a.rows = 50;
  EXPECT_NEAR(back.area.of(a) / t.gates.area.of(a), 1, 1e-5);
  EXPECT_NEAR(back.clock_period.of(a) / t.gates.clock_period.of(a), 1, 1e-5);
  const CalibrationPoint& p = all[0].points[0];
  for (const auto& [part, terms] : t.gates.with_toggles) {
    const double whole = energy_of(terms, p.events, &p.toggles, a);
    if (whole > 0) {
      EXPECT_NEAR(energy_of(back.with_toggles.at(part), p.events, &p.toggles, a) / whole, 1, 1e-5) << part;
    }
  }
  // Damage of what only families have.
  const std::string text = testing::read_text(folder / "made.yaml");
  const auto with = [&](const std::string& old, const std::string& now) {
    std::string damaged = text;
    const std::size_t place = damaged.find(old);
    EXPECT_NE(place, std::string::npos) << old;
    damaged.replace(place, old.size(), now);
    std::ofstream(folder / "damaged.yaml") << damaged;
    return message_of<std::runtime_error>([&] { model::load_technology((folder / "damaged.yaml").string()); });
  };
  EXPECT_THAT(with("rows: 16..128", "rows: 16..x"), HasSubstr("two whole numbers around the dots"));
  EXPECT_THAT(with("rows: 16..128", "rows: 16..12345678901234567890"), HasSubstr("two whole numbers around the dots"));
  EXPECT_THAT(with("per: column", "per: columns"), HasSubstr("'columns' is no factor"));
  EXPECT_THAT(with("area_mm2: {", "area_mm2: {blocks: 1, "), HasSubstr("'blocks' is no factor"));
}

TEST(Measurements, SurviveTheirFiles) {
  const testing::TemporaryFolder folder;
  const GateMeasurement m = made_family()[4];
  save_measurement(m, folder / "m.json");
  const GateMeasurement back = load_measurement(folder / "m.json");
  EXPECT_EQ(back.architecture.name, "a4");
  EXPECT_EQ(model::parameters_of(back.architecture), model::parameters_of(m.architecture));
  EXPECT_EQ(back.clock_period, m.clock_period);
  EXPECT_EQ(back.idle_clock, m.idle_clock);
  EXPECT_EQ(back.idle_clock_of_columns, m.idle_clock_of_columns);
  EXPECT_EQ(back.area(), m.area());
  EXPECT_EQ(back.cells(), 30);
  EXPECT_EQ(back.flip_flops(), 5);
  ASSERT_EQ(back.points.size(), m.points.size());
  for (std::size_t i = 0; i < m.points.size(); ++i) {
    EXPECT_EQ(back.points[i].name, m.points[i].name);
    EXPECT_EQ(back.points[i].held_out, m.points[i].held_out);
    EXPECT_EQ(back.points[i].events, m.points[i].events);
    EXPECT_EQ(back.points[i].toggles, m.points[i].toggles);
    EXPECT_EQ(back.points[i].energy, m.points[i].energy);
  }
  std::ofstream(folder / "half.json") << "{\"format\": \"bitstrata-gate-measurement-1\"";
  EXPECT_THAT(message_of<std::runtime_error>([&] { load_measurement(folder / "half.json"); }),
              HasSubstr("half.json is no measurement of gates"));
  EXPECT_THAT(message_of<std::runtime_error>([&] { load_measurement(folder / "none.json"); }),
              HasSubstr("none.json is no measurement of gates"));
}

}  // namespace
}  // namespace bitstrata::sim::gates
