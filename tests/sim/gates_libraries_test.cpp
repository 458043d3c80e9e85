// SPDX-License-Identifier: Apache-2.0
// What libraries of modern flows have beside plain gates: several files, compression, inverted and resettable storage,
// clock gates, cells that synthesis must leave alone, values by default.
#include <gmock/gmock.h>
#include <zlib.h>

#include <array>
#include <memory>

#include "sim/gates/buffers.h"
#include "sim/gates/characterize.h"
#include "sim/gates/energy.h"
#include "sim/gates/plain_cells.h"
#include "tests/sim/gates.h"

namespace {

using namespace bitstrata::sim::gates;
using namespace bitstrata::testing;

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double pico = 1e-12, femto = 1e-15;

const std::string units =
    "time_unit : \"1ps\"; voltage_unit : \"1V\"; leakage_power_unit : \"1pW\"; capacitive_load_unit (1, ff);\n";
const std::string inverter =
    "cell (INV) { area : 1; pin (A) { direction : input; capacitance : 1; } pin (Y) { direction : output; function : "
    "\"!A\"; } }\n";

class Libraries : public ::testing::Test {
 protected:
  std::filesystem::path written(const std::string& name, const std::string& body) {
    folder.write(name, "library (" + name.substr(0, name.find('.')) + ") {\n" + body + "}\n");
    return folder / name;
  }
  Library read(const std::string& body) {
    return read_liberty(written("one.lib", units + "nom_voltage : 1;\n" + body));
  }
  LibertyCell cell(const std::string& body) { return read("cell (X) {" + body + "}\n").cells.at("X"); }
  TemporaryFolder folder;
};

std::string delays(const std::string& name, const std::string& index, const std::string& values) {
  return "lu_table_template (t) { variable_1 : total_output_net_capacitance; index_1 (\"" + index + "\"); }\ncell (" +
         name +
         ") { pin (A) { direction : input; } pin (Y) { direction : output; function : \"A\"; timing () { related_pin : "
         "\"A\"; cell_rise (t) { values (\"" +
         values + "\"); } } } }\n";
}

TEST_F(Libraries, OfSeveralFilesAreOne) {
  const std::string head = units + "nom_voltage : 1;\n";
  // Templates of one name, of other points.
  const std::array files = {written("first.lib", head + delays("BUF1", "1, 2", "10, 20")),
                            written("second.lib", head + delays("BUF2", "1, 3", "10, 20")),
                            written("third.lib", head + delays("BUF3", "1, 2", "30, 40"))};
  const Library library = read_liberty(files);
  EXPECT_EQ(library.name, "first+second+third");
  EXPECT_EQ(library.cells.size(), 3U);
  // The tools of others read the same out of the one text that they are given.
  folder.write("text.lib", library.text);
  const Library again = read_liberty(folder / "text.lib");
  for (const Library* one : {&library, &again}) {
    const auto delay = [&](const char* name) { return one->cells.at(name).outputs[0].delay[0].mean(1.5 * femto, 0); };
    EXPECT_DOUBLE_EQ(delay("BUF1"), 15 * pico);
    EXPECT_DOUBLE_EQ(delay("BUF2"), 12.5 * pico);
    EXPECT_DOUBLE_EQ(delay("BUF3"), 35 * pico);
  }
  const auto refusal = [&](const std::string& body) {
    const std::array two = {files[0], written("other.lib", body)};
    return message_of<std::runtime_error>([&] { read_liberty(two); });
  };
  EXPECT_THAT(refusal(head + delays("BUF1", "1, 2", "10, 20")),
              AllOf(HasSubstr("other.lib:5: cell BUF1 is in "), HasSubstr("first.lib already")));
  EXPECT_THAT(
      refusal("time_unit : \"1ns\"; leakage_power_unit : \"1pW\"; capacitive_load_unit (1, ff); nom_voltage : 1;\n" +
              inverter),
      AllOf(HasSubstr("other.lib: its time_unit is not that of "), HasSubstr("first.lib")));
  EXPECT_THAT(refusal(units + "nom_voltage : 1.1;\n" + inverter), HasSubstr("its voltage is not that of"));
  const std::array twice = {files[0], files[0]};
  EXPECT_THAT(message_of<std::runtime_error>([&] { read_liberty(twice); }), HasSubstr("first.lib: it is given twice"));
}

TEST_F(Libraries, AreReadCompressed) {
  const std::string text = "library (l) { nom_voltage : 1; capacitive_load_unit (1, ff);\n" + inverter + "}\n";
  const std::string name = (folder / "l.lib.gz").string();
  {
    const std::unique_ptr<gzFile_s, int (*)(gzFile)> out(gzopen(name.c_str(), "wb"), gzclose);
    ASSERT_EQ(gzwrite(out.get(), text.data(), static_cast<unsigned>(text.size())), static_cast<int>(text.size()));
  }
  EXPECT_EQ(read_liberty(name).cells.at("INV").outputs[0].function, ~input_table[0]);
  const std::string bytes = read_text(name);
  for (const std::size_t kept : {bytes.size() - 9, bytes.size() / 2}) {
    folder.write("cut.lib.gz", bytes.substr(0, kept));
    EXPECT_THAT(message_of<std::runtime_error>([&] { read_liberty(folder / "cut.lib.gz"); }),
                HasSubstr("cut.lib.gz: its compression (gzip) is damaged"));
  }
}

TEST_F(Libraries, SayTheirUnitsInManyWays) {
  const auto library = [&](const std::string& head) {
    return read_liberty(written("u.lib", head +
                                             "lu_table_template (t) { variable_1 : input_transition_time; index_1 (1, "
                                             "3); }\npower_lut_template (t) { variable_1 : "
                                             "total_output_net_capacitance; index_1 (\"1\", \"5\"); }\n"
                                             "cell (X) { area : 1; leakage_power () { value : 3; }\npin (A) { "
                                             "direction : input; capacitance : 2; }\npin (Y, Z) { direction : "
                                             "output; function : \"A\"; internal_power () { related_pin : \"A\"; "
                                             "power (t) { values (1, 5); } } timing () { related_pin : \"A\"; "
                                             "cell_rise (t) { index_1 (1, 3); values (\"10\", \"30\"); } } } }\n"));
  };
  struct Case {
    const char* head;
    double time, capacitance, leakage, voltage, energy;
  };
  const Case cases[] = {
      {"time_unit : \"1ps\"; capacitive_load_unit (1, ff); leakage_power_unit : \"1pW\"; nom_voltage : 0.7;", 1e-12,
       1e-15, 1e-12, 0.7, 1e-15},
      {"time_unit : \"10 ps\"; capacitive_load_unit (100, FF); leakage_power_unit : 100fW; voltage_unit : \"100mV\"; "
       "nom_voltage : 12;",
       1e-11, 1e-13, 1e-13, 1.2, 1e-15},
      {"time_unit : 1ns; capacitive_load_unit (0.1, \"pF\"); leakage_power_unit : \"1uW\"; voltage_unit : 1V; "
       "operating_conditions (typical) { voltage : 1.1; }",
       1e-9, 1e-13, 1e-6, 1.1, 1e-13},
      {"capacitive_load_unit (1, nf); leakage_power_unit : \"1mW\"; voltage_map (VDD, 0.9); voltage_map (VSS, 0.0);",
       1e-9, 1e-9, 1e-3, 0.9, 1e-9}};
  for (const Case& c : cases) {
    const Library l = library(c.head);
    const LibertyCell& x = l.cells.at("X");
    EXPECT_NEAR(l.voltage, c.voltage, 1e-12) << c.head;
    EXPECT_NEAR(x.leakage / c.leakage, 3, 1e-12) << c.head;
    EXPECT_NEAR(x.inputs[0].capacitance / c.capacitance, 2, 1e-12) << c.head;
    // Templates of one name for delays and energies; lists without marks; two pins of one description.
    ASSERT_EQ(x.outputs.size(), 2U) << x.unusable;
    for (const CellOutput& output : x.outputs) {
      EXPECT_NEAR(output.delay[0].mean(0, 2 * c.time) / c.time, 20, 1e-9) << c.head;
      EXPECT_NEAR(energy_of(output.energy, 3 * c.capacitance, 0) / c.energy, 3, 1e-9) << c.head;
    }
  }
  const auto refusal = [&](const std::string& head) { return message_of<std::runtime_error>([&] { library(head); }); };
  EXPECT_THAT(refusal("capacitive_load_unit (1, ff); voltage_map (A, 0.9); voltage_map (B, 1.2);"),
              HasSubstr("does not say its voltage"));
  EXPECT_THAT(refusal("nom_voltage : 1; capacitive_load_unit (1, ff); delay_model : generic_cmos;"),
              HasSubstr("delays of model 'generic_cmos', not of table_lookup"));
}

TEST_F(Libraries, HaveDefaultsForWhatCellsLeaveOut) {
  const Library library = read(
      "default_input_pin_cap : 4; default_output_pin_cap : 2; default_cell_leakage_power : 7;\n"
      "cell (X) { pin (A) { direction : input; } pin (B) { direction : input; capacitance : 0; } pin (C) { direction : "
      "input; rise_capacitance : 2; } pin (Y) { direction : output; function : \"A\"; } }\n"
      "cell (Z) { leakage_power () { value : 1; } pin (Y) { direction : output; capacitance : 1; function : 1; } }\n");
  const LibertyCell& x = library.cells.at("X");
  EXPECT_DOUBLE_EQ(x.inputs[0].capacitance, 4 * femto);
  EXPECT_EQ(x.inputs[1].capacitance, 0);
  EXPECT_DOUBLE_EQ(x.inputs[2].capacitance, femto);
  EXPECT_DOUBLE_EQ(x.outputs[0].capacitance, 2 * femto);
  EXPECT_DOUBLE_EQ(x.leakage, 7 * pico);
  EXPECT_DOUBLE_EQ(library.cells.at("Z").leakage, pico);
  EXPECT_DOUBLE_EQ(library.cells.at("Z").outputs[0].capacitance, femto);
}

// The cell has two supplies and states of each; what holds in all states is said, too, and counts where there are no
// states.
TEST_F(Libraries, LeakStateByStateAndSupplyBySupply) {
  const auto leakage = [&](const std::string& groups) { return cell(groups).leakage / pico; };
  const std::string vdd = R"x(leakage_power () { value : 48; when : "A"; related_pg_pin : VDD; }
                              leakage_power () { value : 52; when : "!A"; related_pg_pin : VDD; } )x";
  const std::string vss = R"x(leakage_power () { value : 2; when : "A"; related_pg_pin : VSS; }
                              leakage_power () { value : 4; when : "!A"; related_pg_pin : VSS; } )x";
  EXPECT_DOUBLE_EQ(leakage(vdd + vss), 53);
  EXPECT_DOUBLE_EQ(leakage(vdd + "leakage_power () { value : 1000; related_pg_pin : VDD; }"), 50);
  EXPECT_DOUBLE_EQ(leakage("leakage_power () { value : 10; related_pg_pin : VDD; }"
                           "leakage_power () { value : 0; related_pg_pin : VSS; }"),
                   10);
  EXPECT_DOUBLE_EQ(leakage(vdd + "cell_leakage_power : 51;"), 51);
}

std::string flip_flop(const std::string& state, const std::string& pins) {
  return "ff (IQ, IQN) { clocked_on : \"CK\"; " + state +
         " } pin (D) { direction : input; } pin (CK) { direction : input; } pin (R) { direction : input; } pin (S) { "
         "direction : input; } pin (SE) { direction : input; }" +
         pins;
}

TEST_F(Libraries, HaveInvertedFlipFlops) {
  const std::string q = "pin (Q) { direction : output; function : \"IQ\"; }",
                    qn = "pin (QN) { direction : output; function : \"IQN\"; }";
  // Index of the inputs: D, CK, R, S, SE.
  const TruthTable d = input_table[0], r = input_table[2], s = input_table[3];
  LibertyCell one = cell(flip_flop("next_state : \"D\";", qn));
  ASSERT_EQ(one.kind, CellKind::flip_flop) << one.unusable;
  EXPECT_EQ(one.next_state, d);
  EXPECT_TRUE(one.outputs[0].inverted);
  // State and output turned round: the output is the complement of what is stored, after power-up, too.
  one = cell(flip_flop("next_state : \"!D\"; clear : \"!S\"; preset : \"!R\"; clear_preset_var1 : L;", q));
  EXPECT_EQ(one.next_state, d);
  EXPECT_TRUE(one.outputs[0].inverted);
  // Where both are active the file's state is 0, which is now 1.
  EXPECT_EQ(one.preset, ~s);
  EXPECT_EQ(one.clear, ~r & s);
  const std::string text =
      read("cell (FF) {" + flip_flop("next_state : \"!D\"; clear : \"!S\"; preset : \"!R\";", q) + "}\n").text;
  for (const char* part : {"ff (IQN, IQ)", "next_state : \"D\"", "clear : \"!R\"", "preset : \"!S\""})
    EXPECT_THAT(text, HasSubstr(part)) << "synthesis is told otherwise";
  one = cell(flip_flop("next_state : \"!D\";", q + qn));
  EXPECT_TRUE(one.outputs[0].inverted);
  EXPECT_FALSE(one.outputs[1].inverted);
  // Preset wins.
  one = cell(flip_flop("next_state : \"D\"; clear : \"R\"; preset : \"S\"; clear_preset_var1 : H;", q));
  EXPECT_EQ(one.clear, r & ~s);
  EXPECT_EQ(one.preset, s);
  EXPECT_THAT(cell(flip_flop("next_state : \"D\"; clocked_on_also : \"!CK\";", q)).unusable, HasSubstr("its clock is"));

  // An inverted one and an inverter behind it are a register that begins with 0 and follows its data.
  const Library library = read("cell (FF) {" + flip_flop("next_state : \"!D\";", q) + "}\n" + inverter);
  const Netlist netlist =
      read_netlist(write_netlist(folder, R"("top": {"ports": {"clk": {"direction": "input", "bits": [2]},
            "d": {"direction": "input", "bits": [3]}, "y": {"direction": "output", "bits": [5]}},
          "cells": {"f": {"type": "FF", "connections": {"CK": [2], "D": [3], "Q": [4]}},
            "i": {"type": "INV", "connections": {"A": [4], "Y": [5]}}}})"),
                   library, {.top = "top"});
  Simulator simulator(netlist, make_timing(netlist, {}));
  const NetId in = netlist.ports.at("d").bits[0], out = netlist.ports.at("y").bits[0];
  EXPECT_EQ(simulator.get(out), 0U);
  Word before = 0;
  for (const Word value : {Word{5}, Word{12}, all_lanes, Word{0}}) {
    simulator.set(in, value);
    simulator.cycle();
    EXPECT_EQ(simulator.get(out), before);
    before = value;
  }
}

TEST_F(Libraries, HaveStorageWhoseOtherInputsAreTied) {
  const std::string q = "pin (Q) { direction : output; function : \"IQ\"; }",
                    qn = "pin (QN) { direction : output; function : \"IQN\"; }";
  const Library library = read(
      "cell (SCAN) { area : 1; " +
      flip_flop("next_state : \"(D SE') + (S SE)\"; clear : \"!R\";",
                "pin (QN) { direction : output; function : "
                "\"IQN\"; }" +
                    q) +
      "}\ncell (HOLD) { area : 0.5; " + flip_flop("next_state : \"D ^ R ^ S ^ SE ^ CK\";", qn) +
      "}\ncell (TEST) { area : 0.2; dont_use : true; " + flip_flop("next_state : \"D\";", q) +
      "}\ncell (LATCH) { area : 3; latch (IQ, IQN) { enable : \"!G\"; data_in : \"D\"; preset : \"S'\"; } pin (D, G, "
      "S) { direction : input; } " +
      qn + "}\n");
  const auto flop = smallest_storage(library, CellKind::flip_flop);
  ASSERT_TRUE(flop.has_value());
  EXPECT_EQ(flop->cell->name, "SCAN");  // HOLD is none, TEST must not be used
  EXPECT_EQ(flop->cell->inputs[flop->data].name, "D");
  EXPECT_EQ(flop->cell->inputs[flop->control].name, "CK");
  EXPECT_EQ(flop->cell->outputs[flop->output].name, "Q");
  EXPECT_EQ(tied_pins(*flop), ", .R(1'b1), .S(1'b0), .SE(1'b0)");
  const auto latch = smallest_storage(library, CellKind::latch);
  ASSERT_TRUE(latch.has_value());
  EXPECT_FALSE(latch->active_high);
  EXPECT_EQ(tied_pins(*latch), ", .S(1'b1)");
  EXPECT_TRUE(latch->cell->outputs[latch->output].inverted);
  EXPECT_FALSE(smallest_storage(read(inverter), CellKind::latch).has_value());
}

std::string gating(const std::string& name, const std::string& area, const std::string& more) {
  return "cell (" + name + ") { area : " + area +
         "; clock_gating_integrated_cell : latch_posedge_precontrol; statetable (\"CK E SE\", \"IQ\") { }\n" + more +
         "pin (IQ) { direction : internal; internal_node : IQ; } pin (CK) { direction : input; clock_gate_clock_pin : "
         "true; } pin (E) { direction : input; clock_gate_enable_pin : true; } pin (SE) { direction : input; "
         "clock_gate_test_pin : true; } pin (G) { direction : output; state_function : \"CK IQ\"; clock_gate_out_pin : "
         "true; } }\n";
}

TEST_F(Libraries, HaveClockGates) {
  // What logic must not use may still gate clocks, where there is nothing better.
  Library library = read(inverter + gating("SMALL", "1", "dont_use : true;") + gating("LARGE", "3", ""));
  EXPECT_EQ(smallest_clock_gate(library)->name, "LARGE");
  library = read(inverter + gating("SMALL", "1", "dont_use : true;") + gating("TINY", "0.5", "dont_use : true;"));
  EXPECT_EQ(smallest_clock_gate(library)->name, "TINY");
  EXPECT_THAT(library.text, HasSubstr("cell (TINY)")) << "timing analysis needs it";
  EXPECT_EQ(smallest_clock_gate(read(inverter)), nullptr);
}

TEST_F(Libraries, KeepCellsFromSynthesis) {
  for (const char* why : {"dont_use : true;", "is_isolation_cell : true;", "is_level_shifter : \"true\";",
                          "always_on : \"true\";", "retention_cell : RET;"}) {
    const std::string buffer =
        "pin (A) { direction : input; capacitance : 1; } pin (Y) { direction : output; function : "
        "\"A\"; } }\n";
    const Library library = read("cell (BUF) { area : 2; " + buffer + "cell (SPECIAL) { area : 1; " + why + buffer);
    EXPECT_TRUE(library.cells.at("SPECIAL").avoided) << why;
    EXPECT_EQ(library.cells.at("SPECIAL").kind, CellKind::combinational);
    EXPECT_THAT(library.text, AllOf(HasSubstr("cell (BUF)"), Not(HasSubstr("SPECIAL")))) << why;
    EXPECT_EQ(smallest_buffer(library)->name, "BUF") << why;
    EXPECT_EQ(buffer_rule(library, {}).cell->name, "BUF") << why;
  }
}

TEST_F(Libraries, AreWrittenWithoutWhatNobodyReads) {
  const Library library = read(
      "define (a, cell, string); output_current_template (c) { variable_1 : time; }\n"
      "cell (\"X-1\") { pin (\"A[0]\") { direction : \"input\"; receiver_capacitance () { when : \"x\"; } }\n"
      "pin (Y) { direction : output; function : \"A[0]\"; timing () { related_pin : \"A[0]\"; output_current_rise () { "
      "vector (c) { values (\"1\"); } } } } }\n");
  EXPECT_THAT(library.text, AllOf(HasSubstr("define (a, cell, string);"), HasSubstr("time_unit : \"1ps\";"),
                                  HasSubstr("cell (\"X-1\") {"), HasSubstr("direction : \"input\";"),
                                  Not(HasSubstr("current")), Not(HasSubstr("receiver"))));
  folder.write("text.lib", library.text);
  EXPECT_EQ(read_liberty(folder / "text.lib").cells.at("X-1").outputs[0].function, input_table[0]);
}

TEST_F(Libraries, OfFastGatesAreSimulatedOnAFinerGrid) {
  const auto grid = [&](const char* delay) {
    const Library library =
        read(std::string(
                 "cell (BUF) { area : 1; pin (A) { direction : input; capacitance : 1; } pin (Y) { direction : output; "
                 "function : \"A\"; timing () { related_pin : \"A\"; cell_rise (scalar) { values (\"") +
             delay + "\"); } } } }\n");
    const TimingOptions options{.grid = 20e-12};
    return time_grid(buffer_rule(library, options), options);
  };
  EXPECT_DOUBLE_EQ(grid("153"), 20 * pico);
  EXPECT_DOUBLE_EQ(grid("50"), 7 * pico);
  EXPECT_DOUBLE_EQ(grid("2"), pico);
}

// A table goes on beyond its points for ever; 1e308 does not.
TEST_F(Libraries, EnergiesAreFinite) {
  const Library library = read(
      "power_lut_template (p) { variable_1 : total_output_net_capacitance; index_1 (\"1, 2\"); }\n"
      "cell (BUF) { pin (A) { direction : input; } pin (Y) { direction : output; function : \"A\"; internal_power () { "
      "power (p) { index_1 (\"1, 1.0000001\"); values (\"0, 1e308\"); } } } }\n");
  ASSERT_EQ(library.cells.at("BUF").unusable, "");
  const Netlist netlist =
      read_netlist(write_netlist(folder, R"("top": {"ports": {"a": {"direction": "input", "bits": [2]},
            "y": {"direction": "output", "bits": [3]}},
          "cells": {"b": {"type": "BUF", "connections": {"A": [2], "Y": [3]}}}})"),
                   library, {.top = "top"});
  const TimingOptions options{.port_load = 1e3};
  const Timing timing = make_timing(netlist, options);
  EXPECT_THAT(message_of<std::runtime_error>([&] { EnergyModel(netlist, timing, options, 1); }),
              HasSubstr("cell top.b of type BUF: the energy of its pin Y is no finite number"));
}

}  // namespace
