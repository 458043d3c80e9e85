// SPDX-License-Identifier: Apache-2.0
// Yosys and OpenSTA, whose scripts split paths, with a cache and a library of awkward names, and a library of two files
// with a gating cell. Two minutes of CPU.
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "sim/gates/buffers.h"
#include "sim/gates/liberty.h"
#include "sim/gates/netlist.h"
#include "sim/gates/synthesis.h"
#include "tests/sim/gates.h"

namespace {

using namespace bitstrata;
using namespace bitstrata::sim::gates;
using namespace bitstrata::testing;

// A gating cell for osu018, which has none.
const char* const gating_cell = R"(library (gating) {
  time_unit : "1ns"; voltage_unit : "1V"; leakage_power_unit : "1nW"; capacitive_load_unit (1, pf); nom_voltage : 1.8;
  cell (GATE) {
    area : 100; clock_gating_integrated_cell : latch_posedge_precontrol; dont_use : true;
    statetable ("CK E SE", "IQ") { table : "L L L : - : L , L H - : - : H , L - H : - : H , H - - : - : N"; }
    pin (IQ) { direction : internal; internal_node : "IQ"; }
    pin (SE) { direction : input; capacitance : 0.01; clock_gate_test_pin : true; }
    pin (E) { direction : input; capacitance : 0.01; clock_gate_enable_pin : true; }
    pin (CK) { direction : input; capacitance : 0.01; clock : true; clock_gate_clock_pin : true; }
    pin (GCK) { direction : output; clock_gate_out_pin : true; state_function : "CK IQ"; timing () { related_pin : "CK";
      timing_sense : positive_unate; cell_rise (scalar) { values ("0.1"); } cell_fall (scalar) { values ("0.1"); }
      rise_transition (scalar) { values ("0.1"); } fall_transition (scalar) { values ("0.1"); } } } } }
)";

TEST(Synthesis, TakesAnyNameOfTheCacheAndGatingCells) {
  if (!have_library() || !have("yosys") || !have("sta")) GTEST_SKIP() << "yosys, sta or osu018 are missing";
  const TemporaryFolder folder;
  const std::filesystem::path cache = folder / "it's a \"cache\" $HOME";
  ASSERT_EQ(setenv("BITSTRATA_CACHE", cache.c_str(), 1), 0);
  model::Architecture a = small_architecture();
  a.clock_gating = true;
  const std::array<std::filesystem::path, 2> files = {osu018, folder.write("it's {a} library;.lib", gating_cell)};
  const Library library = read_liberty(files);
  const Synthesis made = synthesize(a, library, 1e-8);
  EXPECT_EQ(made.netlist.parent_path().parent_path(), cache);
  EXPECT_GT(made.seconds, 0);
  const TimingOptions options;
  const BufferRule rule = buffer_rule(library, options);
  const Netlist netlist = read_netlist(made.netlist, library, {.buffers = &rule});
  EXPECT_GT(netlist.cells.size(), 1000U);
  const auto cells = [&](CellKind kind) {
    return std::ranges::count_if(netlist.cells, [&](const PlacedCell& cell) { return cell.cell->kind == kind; });
  };
  EXPECT_EQ(cells(CellKind::clock_gate), std::ssize(netlist.domains) - 1);
  EXPECT_GT(cells(CellKind::clock_gate), 4);
  EXPECT_EQ(cells(CellKind::latch), 0);
  for (const PlacedCell& cell : netlist.cells) {
    if (cell.cell->kind != CellKind::clock_gate) continue;
    EXPECT_EQ(cell.inputs[0], net_zero) << "a test input";
    EXPECT_GT(cell.inputs[1], net_one) << "the enable";
  }
  const double period = clock_period(netlist, library);
  EXPECT_GT(period, 1e-9);
  EXPECT_LT(period, 1e-7);
  EXPECT_EQ(synthesize(a, library, 1e-8).seconds, 0) << "what is in the cache was made again";
}

}  // namespace
