// SPDX-License-Identifier: Apache-2.0
// The fit of energy to events: non-negative least squares against solutions known beforehand, coefficients recovered
// from energies made of them, and a gate-level technology that prices what it was made of and survives its file.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "model/technology.h"
#include "sim/energy.h"
#include "sim/gate_energy.h"
#include "sim/gates/calibration.h"
#include "sim/gates/energy_fit.h"
#include "sim/gates/recorded.h"
#include "tests/model/temporary.h"

namespace bitstrata::sim::gates {
namespace {

using model::EnergyTerm;
using model::Scale;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(NonNegativeLeastSquares, HasNoBetterNeighbour) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  int clamped = 0;
  for (int round = 0; round < 200; ++round) {
    constexpr std::size_t rows = 9, count = 4;
    std::vector<std::vector<double>> a(count, std::vector<double>(rows));
    std::vector<double> b(rows);
    for (auto& column : a) {
      const double scale = std::pow(10.0, 3 * normal(random));  // events differ by orders of magnitude
      for (double& x : column) x = scale * normal(random);
    }
    for (double& x : b) x = normal(random);
    const auto residual = [&](const std::vector<double>& x) {
      double sum = 0;
      for (std::size_t i = 0; i < rows; ++i) {
        double r = -b[i];
        for (std::size_t j = 0; j < count; ++j) r += a[j][i] * x[j];
        sum += r * r;
      }
      return sum;
    };
    const std::vector<double> x = non_negative_least_squares(a, b);
    const double reached = residual(x);
    for (std::size_t j = 0; j < count; ++j) {
      ASSERT_GE(x[j], 0);
      clamped += x[j] == 0;
      // Optimal: the residual rises on both sides of a coefficient, at least on the allowed one of a zero.
      double length = 0;
      for (const double v : a[j]) length += v * v;
      const double step = 1e-4 / std::sqrt(length);
      std::vector<double> up = x, down = x;
      up[j] += step;
      down[j] = std::max(0.0, x[j] - step);
      EXPECT_GE(residual(up), reached - 1e-9);
      EXPECT_GE(residual(down), reached - 1e-9);
    }
  }
  EXPECT_GT(clamped, 100);
}

// Sizes do not matter: of a fit to tiny numbers all terms were taken for zero at once, and the program crashed.
TEST(NonNegativeLeastSquares, FitsTinyNumbersAsLargeOnes) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  for (int round = 0; round < 200; ++round) {
    // Events go together: terms that were taken must go again.
    std::vector<std::vector<double>> a(7, std::vector<double>(60));
    std::vector<double> b(60), tiny(60);
    for (std::size_t i = 0; i < b.size(); ++i) {
      const double size = std::exp(normal(random)), share = uniform(random);
      for (std::size_t j = 0; j < a.size(); ++j)
        a[j][i] = size * (j % 2 != 0 ? share : 1 - share) * (1 + 0.2 * uniform(random));
      tiny[i] = 0x1p-60 * (b[i] = normal(random) + 0.5 * size);
    }
    const std::vector<double> x = non_negative_least_squares(a, b), y = non_negative_least_squares(a, tiny);
    for (std::size_t j = 0; j < x.size(); ++j) EXPECT_NEAR(y[j] * 0x1p60, x[j], 1e-12) << round;
  }
}

// Points whose events and toggles are random, and whose energy is made of a few of them.
std::vector<CalibrationPoint> made_points(int count) {
  std::mt19937_64 random(3);
  const auto draw = [&](double most) {
    return static_cast<std::int64_t>(most * (0.2 + 0.8 * static_cast<double>(random() % 1000) / 1000));
  };
  std::vector<CalibrationPoint> points;
  for (int i = 0; i < count; ++i) {
    CalibrationPoint p;
    p.name = fmt::format("point {}", i);
    p.held_out = i % 2 == 1;
    for (const auto member : model::event_members) p.events.*member = draw(1e4);
    for (const auto member : model::toggle_members) p.toggles.*member = draw(1e6);
    const auto e = [](std::int64_t n) { return static_cast<double>(n) * 1e-15; };
    p.energy["array"] = 300 * e(p.toggles.product_toggles) + 90 * e(p.toggles.tree_toggles);
    p.energy["shift_add"] = 50 * e(p.toggles.accumulator_toggles);
    p.energy["postprocess"] = 5e5 * e(p.events.post_outputs);
    p.energy["buffer"] = 2e5 * e(p.events.window_reads);
    p.energy["control"] = 1e4 * e(p.events.memory_lines_read);
    p.energy["clock"] = 1e6 * e(p.events.cycles);
    p.energy["clock_of_columns"] = 16 * 1e4 * e(p.events.cycles);
    points.push_back(p);
  }
  return points;
}

// An accelerator's points, and what a cycle at rest takes.
GateMeasurement measured(std::vector<CalibrationPoint> points, double idle = 0, double idle_column = 0);

model::Architecture sixteen_columns() {
  model::Architecture a;
  a.columns = 16;
  return a;
}

GateMeasurement measured(std::vector<CalibrationPoint> points, double idle, double idle_column) {
  GateMeasurement m;
  m.architecture = sixteen_columns();
  m.points = std::move(points);
  m.idle_clock = idle;
  m.idle_clock_of_columns = 16 * idle_column;
  return m;
}

model::EnergyTerms fit_one(const GateMeasurement& m, bool structural) {
  const GateMeasurement* const one[] = {&m};
  return fit_energy(one, structural);
}

model::FitError error_of_one(const model::EnergyTerms& terms, const std::vector<CalibrationPoint>& points,
                             bool held_out) {
  const GateMeasurement m = measured(points);
  const GateMeasurement* const one[] = {&m};
  return error_of(terms, one, held_out);
}

TEST(EnergyFit, FindsTheCoefficientsEnergyIsMadeOf) {
  const std::vector<CalibrationPoint> points = made_points(60);
  const GateMeasurement m = measured(points, 1e-9, 1e-11);
  const model::EnergyTerms terms = fit_one(m, false);
  const model::FitError error = error_of_one(terms, points, true);
  EXPECT_EQ(error.points, 30);
  EXPECT_LT(error.worst, 1e-6);
  EXPECT_GT(error.r2, 0.999999);
  for (const EnergyTerm& term : terms.at("array")) {
    const double expected = term.event == "product_toggles" ? 300e-15 : term.event == "tree_toggles" ? 90e-15 : 0;
    EXPECT_NEAR(term.joules, expected, 1e-18) << term.event;
  }
  // Without toggles nothing is known of the data.
  const model::FitError structural = error_of_one(fit_one(m, true), points, true);
  EXPECT_GT(structural.worst, 0.01);
  EXPECT_GT(structural.mean, 100 * error.mean);
}

// Points in which nothing costs anything yet.
CalibrationPoint free_point() {
  CalibrationPoint p;
  for (const char* part : {"array", "shift_add", "postprocess", "buffer", "control", "clock", "clock_of_columns"})
    p.energy[part] = 0;
  return p;
}

// Two held-out runs of which the model says 1.5 J a cycle: they took 1 and 2. And one that it was fitted to, rightly.
TEST(EnergyFit, ErrorsAreThoseOfTheRunsAskedFor) {
  std::vector<CalibrationPoint> points(3);
  const double joules[] = {10, 15, 20};
  for (std::size_t i = 0; i < 3; ++i) {
    points[i].name = fmt::format("run {}", i);
    points[i].held_out = i != 1;
    points[i].events.cycles = 10;
    points[i].energy["array"] = joules[i];
  }
  const model::EnergyTerms terms = {{"array", {{"cycles", {}, 1.5}}}};
  const model::FitError error = error_of_one(terms, points, true);
  EXPECT_EQ(error.points, 2);
  EXPECT_DOUBLE_EQ(error.mean, (0.5 + 0.25) / 2);
  EXPECT_DOUBLE_EQ(error.worst, 0.5);
  EXPECT_EQ(error.worst_point, "run 0");
  EXPECT_DOUBLE_EQ(error.r2, 0);  // as good as their mean
  const model::FitError fitted = error_of_one(terms, points, false);
  EXPECT_EQ(fitted.points, 1);
  EXPECT_DOUBLE_EQ(fitted.worst, 0);
}

// Held-out runs whose array takes three times what the fitted ones say: the fit does not follow them, and says so.
TEST(EnergyFit, SaysThatHeldOutRunsContradictIt) {
  std::vector<CalibrationPoint> points = made_points(60);
  for (CalibrationPoint& p : points)
    if (p.held_out) p.energy["array"] *= 3;
  const model::EnergyTerms terms = fit_one(measured(points, 1e-9, 1e-11), false);
  for (const EnergyTerm& term : terms.at("array")) {
    const double expected = term.event == "product_toggles" ? 300e-15 : term.event == "tree_toggles" ? 90e-15 : 0;
    EXPECT_NEAR(term.joules, expected, 1e-18) << term.event;
  }
  EXPECT_LT(error_of_one(terms, points, false).worst, 1e-6);
  // The array takes some hundred pJ of some thousand, most of them the clock's.
  const model::FitError error = error_of_one(terms, points, true);
  EXPECT_GT(error.worst, 0.03);
  EXPECT_GT(error.mean, 0.01);
  EXPECT_LT(error.r2, 0.999);
}

// One event, two runs that contradict each other: 1 J a step of a run of 10 J, 2 J a step of one of 2000 J. Errors
// count by their share of a run: (x - 1)^2 + (x / 2 - 1)^2 is least at 1.2.
TEST(EnergyFit, TakesErrorsBySharesOfARun) {
  std::vector<CalibrationPoint> points(2, free_point());
  points[0].events.cell_steps = 10;
  points[0].energy["array"] = 10;
  points[1].events.cell_steps = 1000;
  points[1].energy["array"] = 2000;
  const model::EnergyTerms terms = fit_one(measured(points), true);
  ASSERT_EQ(terms.at("array").size(), 1U);
  EXPECT_EQ(terms.at("array")[0].event, "cell_steps");
  EXPECT_NEAR(terms.at("array")[0].joules, 1.2, 1e-9);
}

// Energies that were fitted on 16 columns, of two macros of 24: what goes with a row or a plane of all columns, the row
// gates' clocks among it, costs three times as much, what counts columns itself is counted by its events.
TEST(EnergyFit, TermsGrowWithTheColumnsOfAllMacros) {
  using model::Events;
  const struct {
    const char* part;
    const char* reported;  // clocks are reported as one
    std::int64_t Events::*event;
    double factor;
  } cases[] = {{"array", "array", &Events::plane_steps, 3},
               {"array", "array", &Events::vectors, 3},
               {"array", "array", &Events::cell_steps, 1},
               {"array", "array", &Events::weight_cells_written, 1},
               {"shift_add", "shift_add", &Events::weight_rows_read, 3},
               {"shift_add", "shift_add", &Events::joiner_adds, 1},
               {"shift_add", "shift_add", &Events::column_steps, 1},
               {"shift_add", "shift_add", &Events::accumulator_writes, 1},
               {"clock_of_columns", "clock", &Events::weight_rows_read, 3},
               {"clock_of_columns", "clock", &Events::plane_steps, 3},
               {"clock_of_columns", "clock", &Events::vectors, 3},
               {"clock_of_columns", "clock", &Events::column_steps, 1},
               {"clock_of_columns", "clock", &Events::joiner_adds, 1},
               {"clock", "clock", &Events::weight_rows_read, 1},
               {"buffer", "buffer", &Events::weight_rows_read, 1},
               {"control", "control", &Events::memory_lines_written, 1},
               {"postprocess", "postprocess", &Events::post_cycles, 1}};
  model::Architecture more;
  more.tiles = 2;
  more.columns = 24;
  for (const auto& c : cases) {
    std::vector<CalibrationPoint> points(2, free_point());
    for (int i = 0; i < 2; ++i) {
      points[static_cast<std::size_t>(i)].events.*c.event = 100 + i;
      points[static_cast<std::size_t>(i)].energy[c.part] = (100 + i) * 5e-12;
    }
    const model::EnergyTerms terms = fit_one(measured(points), true);
    Events events;
    events.*c.event = 7;
    const auto place = std::ranges::find(model::event_members, c.event) - model::event_members.begin();
    EXPECT_NEAR(sim::energy_of(terms.at(c.reported), events, nullptr, more), 7 * 5e-12 * c.factor, 1e-18)
        << c.part << " " << model::event_names[static_cast<std::size_t>(place)];
  }
  // What a cycle takes in which nothing happens: 1 fJ and 0.01 fJ a column.
  std::vector<CalibrationPoint> idle(1, free_point());
  idle[0].events.cycles = 1000;
  idle[0].energy["clock"] = 1000 * 1e-15;
  idle[0].energy["clock_of_columns"] = 1000 * 16 * 1e-17;
  const model::EnergyTerms terms = fit_one(measured(idle, 1e-15, 1e-17), true);
  Events events;
  events.cycles = 10;
  EXPECT_NEAR(sim::energy_of(terms.at("clock"), events, nullptr, more), 10 * (1e-15 + 48 * 1e-17), 1e-24);
  // A clock that is never gated takes that in every cycle, but for rounding.
  idle.resize(8, free_point());
  for (int i = 0; i < 8; ++i) {
    CalibrationPoint& point = idle[static_cast<std::size_t>(i)];
    point.events.cycles = 1000 + i;
    point.events.plane_steps = 10 * i;
    point.energy["clock"] = (1000 + i) * 1e-15 * (1 + (i % 3) * 1e-14);
    point.energy["clock_of_columns"] = (1000 + i) * 16 * 1e-17 * (1 + (i % 2) * 1e-14);
  }
  EXPECT_EQ(fit_one(measured(idle, 1e-15, 1e-17), true).at("clock").size(), 2U);
}

model::Technology made_technology() {
  const model::Architecture a = sixteen_columns();
  model::Technology t;
  t.kind = model::TechnologyKind::gate_level;
  t.name = "made";
  t.title = "made for a test";
  t.rules = {"one rule"};
  model::GateLevel& g = t.gates;
  g.library = "none";
  g.tools = "none";
  g.columns = 16;
  g.hardware = calibrated_keys(a);
  g.voltage = 1.8;
  g.wire = 5e-15;
  g.clock_period = model::Growth::fixed(10e-9);
  g.dram = "lpddr4";
  g.area = {{{{}, 1e-6}, {"column", 1e-8}}};
  g.leakage = {{{{}, 1e-6}, {"column", 1e-8}}};
  g.with_toggles = {{"array", {{"product_toggles", {}, 300e-15}}}, {"clock", {{"cycles", "column", 1e-12}}}};
  g.structural = {{"array", {{"cell_steps", {}, 100e-15}}}};
  g.toggles_error = {40, 0.99, 0.01, 0.05, "w4a2"};
  g.structural_error = {40, 0.8, 0.1, 0.3, "w4a2"};
  g.memory_cycle = 3e-12;
  g.memory_access = 1e-15;
  g.memory_block = 2e-12;
  g.memory_area = 1e-12;
  g.memory_leakage = 1e-12;
  g.dram_access = 10e-12;
  for (const char* name :
       {"memory_cycle", "memory_access", "memory_block", "memory_area", "memory_leakage", "dram_access"})
    t.coefficients[name] = {0, "", "a test", "none", model::Status::cited};
  return t;
}

TEST(GateLevelTechnology, SurvivesItsFile) {
  const testing::TemporaryFolder folder;
  const model::Technology t = made_technology();
  save_gate_level(t, folder / "made.yaml");
  const model::Technology back = model::load_technology((folder / "made.yaml").string());
  EXPECT_EQ(back.name, t.name);
  EXPECT_EQ(back.gates.hardware, t.gates.hardware);
  EXPECT_DOUBLE_EQ(back.gates.clock_period.of(sixteen_columns()), 10e-9);
  EXPECT_NEAR(back.gates.memory_access, t.gates.memory_access, 1e-21);
  EXPECT_EQ(back.gates.toggles_error.worst_point, "w4a2");
  ASSERT_EQ(back.gates.with_toggles.at("array").size(), 1U);
  EXPECT_NEAR(back.gates.with_toggles.at("array")[0].joules, 300e-15, 1e-19);
  EXPECT_EQ(back.gates.with_toggles.at("clock")[0].per, Scale("column"));
  EXPECT_EQ(back.status(), model::Status::fitted);
  model::Technology remembered = back;
  remembered.coefficients["dram_access"].status = model::Status::recalled;
  EXPECT_EQ(remembered.status(), model::Status::recalled) << "the weakest counts";
  // What was read is written as the same file.
  save_gate_level(back, folder / "again.yaml");
  EXPECT_EQ(testing::read_text(folder / "made.yaml"), testing::read_text(folder / "again.yaml"));
}

// fJ, um2, pW and pJ a bit, mm2, uW, in numbers that another program would read.
TEST(GateLevelTechnology, FilesHaveTheirOwnUnits) {
  const testing::TemporaryFolder folder;
  save_gate_level(made_technology(), folder / "made.yaml");
  const std::string text = testing::read_text(folder / "made.yaml");
  for (const char* coefficient :
       {"value: 3\n    unit: pJ/access", "value: 2\n    unit: um2\n", "value: 1\n    unit: fJ/bit/sqrt(bit)",
        "value: 1\n    unit: um2/bit", "value: 1\n    unit: pW/bit", "value: 10\n    unit: pJ/bit"})
    EXPECT_THAT(text, HasSubstr(coefficient));
  EXPECT_THAT(text, HasSubstr("area_mm2: {fixed: 1, column: 0.01}"));
  EXPECT_THAT(text, HasSubstr("leakage_uW: {fixed: 1, column: 0.01}"));
  const model::GateLevel back = model::load_technology((folder / "made.yaml").string()).gates;
  EXPECT_NEAR(back.memory_area, 1e-12, 1e-18);
  EXPECT_NEAR(back.memory_leakage, 1e-12, 1e-18);
  EXPECT_NEAR(back.dram_access, 10e-12, 1e-18);
  model::Architecture hundred;
  hundred.columns = 50;
  hundred.tiles = 2;
  EXPECT_NEAR(back.area.of(hundred), 2e-6, 1e-12);
  EXPECT_NEAR(back.leakage.of(hundred), 2e-6, 1e-12);
}

TEST(GateLevelTechnology, RefusesDamage) {
  const testing::TemporaryFolder folder;
  save_gate_level(made_technology(), folder / "made.yaml");
  const std::string text = testing::read_text(folder / "made.yaml");
  const auto message = [&](const std::string& from, const std::string& to) -> std::string {
    std::string damaged = text;
    const auto at = damaged.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    folder.write("damaged.yaml", damaged.replace(at, from.size(), to));
    try {
      model::load_technology((folder / "damaged.yaml").string());
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message("product_toggles", "produkt_toggles"), HasSubstr("'produkt_toggles' is no event"));
  EXPECT_THAT(message("fJ: 300", "fJ: -1"), HasSubstr("must not be negative"));
  EXPECT_THAT(message("per: column", "per: rows"), HasSubstr("'rows' is no factor"));
  EXPECT_THAT(message("voltage_V", "voltage"), HasSubstr("voltage"));
}

// Everything a layer costs, worked out by hand.
TEST(GateLevelTechnology, PricesPartByPart) {
  const model::Technology t = made_technology();
  model::Architecture a = sixteen_columns();
  a.columns = 32;  // scaled by rule
  a.clock_mhz = 50;
  model::LayerMeasurement layer{.layer = "conv", .weight_bits = 8, .activation_bits = 8, .output_bits = 8};
  layer.events.cycles = 1000;
  layer.events.cell_steps = 5000;
  layer.events.memory_lines_read = 7;
  model::Toggles toggles;
  toggles.product_toggles = 2000;
  layer.toggles = toggles;
  const RunContext run{&a, 2};
  const LayerEnergy energy = price(layer, {}, t, run);
  EXPECT_DOUBLE_EQ(*energy.parts.array_pj, 2000 * 0.3 / 2);
  EXPECT_DOUBLE_EQ(*energy.parts.clock_pj, 1000 * 32 * 1.0 / 2);
  EXPECT_DOUBLE_EQ(*energy.parts.dram_pj, 7 * 64 * 10.0 / 2);
  EXPECT_DOUBLE_EQ(*energy.parts.buffer_pj, 0);
  double bits = 0;
  for (const BufferAccess& buffer : buffer_accesses(a, layer.events)) bits += static_cast<double>(buffer.bits);
  const double watts = 1e-6 + 32 * 1e-8 + bits * 1e-12;
  EXPECT_NEAR(*energy.parts.leakage_pj, watts * 1000 / 50e6 * 1e12 / 2, 1e-9);
  EXPECT_EQ(energy.note, "");

  layer.toggles.reset();
  const LayerEnergy structural = price(layer, {}, t, run);
  EXPECT_DOUBLE_EQ(*structural.parts.array_pj, 5000 * 0.1 / 2);
  EXPECT_THAT(structural.note, HasSubstr("without toggles"));
  EXPECT_THROW(price(layer, {}, t), std::invalid_argument);

  // Out of the calibrated range, and faster than the gates.
  a.rows = 32;
  a.clock_mhz = 200;
  model::Measurement measurement{.architecture = a.name, .clock_mhz = a.clock_mhz, .layers = {layer}};
  const Energy all = price(measurement, {LayerGeometry{}}, t, a);
  const std::string rules = fmt::format("{}", fmt::join(all.rules, "\n"));
  EXPECT_THAT(rules, HasSubstr("OUTSIDE THE CALIBRATED RANGE: rows 32, calibrated for 64"));
  EXPECT_THAT(rules, HasSubstr("clock of 200 MHz is not met: the gates reach 100.0 MHz"));
  EXPECT_THAT(rules, Not(HasSubstr("activation density")));
  EXPECT_THAT(rules, HasSubstr("10.0 % off on average, 30.0 % at worst, in 40 runs"));

  // Sparser than what was calibrated.
  model::Technology technology = t;
  technology.gates.least_density = 0.05;
  measurement.layers[0].activation_density = 0.04;
  EXPECT_THAT(price(measurement, {LayerGeometry{}}, technology, a).rules,
              Contains(HasSubstr("OUTSIDE THE CALIBRATED RANGE: activation density below 0.05 in conv (0.040)")));
  measurement.layers[0].activation_density = 0.06;
  EXPECT_THAT(price(measurement, {LayerGeometry{}}, technology, a).rules,
              Not(Contains(HasSubstr("activation density"))));
}

TEST(Recorded, ActivationsAreQuantizedAtEveryWidth) {
  const model::Samples& recorded = recorded_activations();
  check_recorded(recorded);
  ASSERT_EQ(recorded.count(), 32);
  model::TensorFormat format{.shape = {14, 5, 20}, .bits = 16};
  for (int layer = 0; layer < 4; ++layer) {
    const model::Codes fine = recorded_codes(recorded, layer, 3, format);
    ASSERT_EQ(std::ssize(fine), format.shape.elements());
    double before = 0;
    for (const int bits : {12, 8, 4, 2, 1}) {
      format.bits = bits;
      const model::Codes codes = recorded_codes(recorded, layer, 3, format);
      // The step that fits best relates both.
      double cross = 0, squares = 0, all = 0;
      for (std::size_t i = 0; i < codes.size(); ++i) {
        ASSERT_GE(codes[i], 0);
        ASSERT_LT(codes[i], 1 << bits);
        cross += static_cast<double>(codes[i]) * fine[i];
        squares += static_cast<double>(codes[i]) * codes[i];
        all += static_cast<double>(fine[i]) * fine[i];
      }
      const double error = 1 - cross * cross / (squares * all);
      EXPECT_GT(error, before) << bits << " bits of layer " << layer;
      EXPECT_LT(error, bits >= 8 ? 1e-3 : bits >= 4 ? 0.03 : 0.5) << bits << " bits of layer " << layer;
      before = error;
    }
    format.bits = 16;
    EXPECT_NE(recorded_codes(recorded, layer, 3 + 8, format), fine);  // mirrored
    EXPECT_EQ(recorded_codes(recorded, layer, 3 + 16, format), fine);
  }
  const model::Samples unlabelled({1, 1, 1}, model::StoredType::uint8, {1}, {}, {});
  EXPECT_THROW(check_recorded(unlabelled), std::invalid_argument);
  const model::Samples negative({1, 1, 1}, model::StoredType::int8, {255}, {0}, {});
  EXPECT_THROW(check_recorded(negative), std::invalid_argument);
}

// Streams part where planes are skipped, unless their activations are the same.
TEST(CalibrationRuns, ShareActivationsWherePlanesAreSkipped) {
  model::Architecture a;
  const std::size_t all = calibration_runs(a).size();
  a.skip_planes = true;
  const std::vector<CalibrationRun> runs = calibration_runs(a);
  EXPECT_GT(runs.size(), 2 * all);
  std::set<std::string> names;
  for (const CalibrationRun& run : runs) names.insert(run.part_name(0));
  EXPECT_EQ(names.size(), runs.size());
  const CalibrationJobs jobs = jobs_of(runs.at(7), a, recorded_activations(), 1);
  ASSERT_EQ(jobs.jobs.size(), 64U);
  for (const GateJob& job : jobs.jobs) EXPECT_EQ(job.inputs, jobs.jobs[0].inputs);
  EXPECT_NEAR(jobs.density[0], 1 - runs[7].zeros.at(static_cast<std::size_t>(runs[7].only_group)), 0.05);
}

}  // namespace
}  // namespace bitstrata::sim::gates
