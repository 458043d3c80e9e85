// SPDX-License-Identifier: Apache-2.0
// Liberty files: figures of osu018 as they stand in the file, other files' ways of writing, damage.
#include <gmock/gmock.h>

#include "sim/gates/liberty.h"
#include "tests/sim/gates.h"

namespace {

using namespace bitstrata::sim::gates;
using namespace bitstrata::testing;

using ::testing::HasSubstr;
using ::testing::Not;

constexpr double pico = 1e-12, nano = 1e-9, femto = 1e-15;

class Osu018 : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!have_library()) GTEST_SKIP() << osu018 << " is not installed";
    library = read_liberty(osu018);
  }
  const LibertyCell& cell(const char* name) { return *library.find(name); }
  Library library;
};

TEST_F(Osu018, SaysItsVoltage) {
  EXPECT_EQ(library.voltage, 1.8);
  EXPECT_EQ(library.name, "osu018_stdcells");
  EXPECT_EQ(library.cells.size(), 32u);
}

TEST_F(Osu018, HasTheInverter) {
  const LibertyCell& inv = cell("INVX1");
  EXPECT_EQ(inv.area, 16);
  EXPECT_NEAR(inv.leakage, 0.0221741 * nano, 1e-18);
  ASSERT_EQ(inv.inputs.size(), 1u);
  EXPECT_NEAR(inv.inputs[0].capacitance, 9.32456 * femto, 1e-22);
  EXPECT_EQ(inv.outputs[0].function, ~input_table[0]);
  // Load 0.025 pF, slew 0.06 ns: a point of the tables.
  const LibertyTables& delay = inv.outputs[0].delay[0];
  EXPECT_NEAR(delay.rise[0].at(25 * femto, 60 * pico), 74.02 * pico, 1e-18);
  EXPECT_NEAR(delay.fall[0].at(25 * femto, 60 * pico), 64.368 * pico, 1e-18);
  EXPECT_NEAR(delay.mean(25 * femto, 60 * pico), 69.194 * pico, 1e-18);
  // Between points: half way from 0.0125 to 0.025 pF, a third from 0.06 to 0.18 ns.
  EXPECT_NEAR(delay.rise[0].at(18.75 * femto, 100 * pico),
              ((0.05258 + 0.07402) / 2 * 2 + (0.083003 + 0.112622) / 2) / 3 * nano, 1e-18);
  // Beyond the last load, on the line through the last two.
  EXPECT_NEAR(delay.rise[0].at(225 * femto, 60 * pico), (0.285016 * 2 - 0.15767) * nano, 1e-18);
  EXPECT_NEAR(energy_of(inv.outputs[0].energy, 25 * femto, 60 * pico), (8.669 + 23.574) / 2 * femto, 1e-20);
}

TEST_F(Osu018, HasTheNand) {
  const LibertyCell& nand = cell("NAND2X1");
  EXPECT_EQ(nand.area, 24);
  EXPECT_NEAR(nand.leakage, 0.0393659 * nano, 1e-18);
  EXPECT_NEAR(nand.inputs[1].capacitance, 12.9035 * femto, 1e-22);
  EXPECT_EQ(nand.outputs[0].function, ~(input_table[0] & input_table[1]));
  EXPECT_NEAR(nand.outputs[0].delay[0].fall[0].at(75 * femto, 180 * pico), 143.174 * pico, 1e-18);
  // Mean over both related pins.
  EXPECT_NEAR(energy_of(nand.outputs[0].energy, 25 * femto, 60 * pico), (9.041 + 45.658 + 8.958 + 34.205) / 4 * femto,
              1e-20);
}

TEST_F(Osu018, HasFlipFlopsAndLatches) {
  const LibertyCell& dff = cell("DFFPOSX1");
  EXPECT_EQ(dff.kind, CellKind::flip_flop);
  EXPECT_EQ(dff.inputs[static_cast<std::size_t>(dff.clock)].name, "CLK");
  EXPECT_NEAR(dff.inputs[static_cast<std::size_t>(dff.clock)].capacitance, 27.9235 * femto, 1e-22);
  EXPECT_EQ(dff.next_state, input_table[dff.input("D")]);
  // One-dimensional tables of the pins; Q from the clock.
  EXPECT_NEAR(energy_of(dff.inputs[static_cast<std::size_t>(dff.clock)].energy, 0, 60 * pico),
              (6.865 + 110.34) / 2 * femto, 1e-20);
  EXPECT_NEAR(energy_of(dff.inputs[static_cast<std::size_t>(dff.input("D"))].energy, 0, 180 * pico),
              (45.977 + 87.952) / 2 * femto, 1e-20);
  EXPECT_NEAR(dff.outputs[0].delay[static_cast<std::size_t>(dff.clock)].mean(5 * femto, 60 * pico),
              (93.526 + 159.821) / 2 * pico, 1e-18);
  const LibertyCell& sr = cell("DFFSR");
  EXPECT_EQ(sr.clear, ~input_table[sr.input("R")]);
  EXPECT_EQ(sr.preset, ~input_table[sr.input("S")]);
  const LibertyCell& latch = cell("LATCH");
  EXPECT_EQ(latch.kind, CellKind::latch);
  EXPECT_EQ(latch.enable, input_table[latch.input("CLK")]);
  EXPECT_EQ(latch.next_state, input_table[latch.input("D")]);
  EXPECT_EQ(cell("DFFNEGX1").kind, CellKind::unusable);
  EXPECT_EQ(cell("TBUFX1").kind, CellKind::unusable);
  // Two outputs.
  EXPECT_EQ(cell("FAX1").outputs.size(), 2u);
}

TEST(Liberty, TakesTheWaysOfOtherFiles) {
  const TemporaryFolder folder;
  folder.write("other.lib", R"(
library ("other") { // like Sky130, Nangate45 and ASAP7
  time_unit : "1ps"; voltage_unit : "1mV"; leakage_power_unit : "1pW";
  capacitive_load_unit (1.0000000000, "ff");
  nom_voltage : 700.0;
  operating_conditions ("PVT_0P77V") { voltage : 770 ; }
  default_operating_conditions : "PVT_0P77V";
  define(driver_model, library, string);
  lu_table_template ("t") {
    variable_1 : "input_net_transition" ; variable_2 : total_output_net_capacitance
    index_1 ("1, 2"); index_2 ("10, 20"); }
  power_lut_template ("p") { variable_1 : "input_transition_time"; index_1("1,3"); }
  cell ("AO21b") {
    area : 1.5e+0;
    leakage_power () { value : 10; when : "A"; }
    leakage_power () { value : "20"; when : "!A"; }
    pg_pin (VDD) { pg_type : primary_power; }
    pin ("A", "B") { direction : "input"; rise_capacitance : 1.0; fall_capacitance : 3.0; }
    pin (C) { direction : input ; capacitance : 2 }
    pin (Y) {
      direction : "output"; function : "(A & !B) | C'";
      timing () {
        related_pin : "A B"; timing_sense : positive_unate;
        cell_rise ("t") { values ("1, 2", \
                                  "3, 4"); }
        cell_fall ("scalar") { values ("5"); }
      }
      internal_power () { related_pin : "A"; related_pg_pin : VDD; when : "C";
        rise_power (p) { values ("1000000, 3000000"); } fall_power (scalar) { values ("4000000") } }
      internal_power () { related_pin : "B"; related_pg_pin : VDD; power (scalar) { values ("6000000"); } }
      internal_power () { related_pin : "A"; related_pg_pin : VSS; power (scalar) { values ("500000"); } }
    }
  }
  cell (CLKGATE) { statetable ("CK E", "IQ") { table : "L L : - : L"; }
    pin (E) { direction : input; } pin (G) { direction : output; state_function : "CK & IQ"; } }
  cell (ICG) { clock_gating_integrated_cell : latch_posedge_precontrol; statetable ("CK E", "IQ") { table : "L L : - : L"; }
    pin (IQ) { direction : internal; internal_node : IQ; }
    pin (CK) { direction : input; clock : true; clock_gate_clock_pin : true; }
    pin (E) { direction : input; clock_gate_enable_pin : true; }
    pin (SE) { direction : input; clock_gate_test_pin : true; }
    pin (G) { direction : output; state_function : "CK & IQ"; clock_gate_out_pin : true; } }
  cell (WIDE) { pin (Y) { direction : output; function : "A"; } }
}
)");
  const Library library = read_liberty(folder / "other.lib");
  EXPECT_DOUBLE_EQ(library.voltage, 0.77);
  const LibertyCell& cell = *library.find("AO21b");
  EXPECT_EQ(cell.area, 1.5);
  EXPECT_DOUBLE_EQ(cell.leakage, 15e-12);
  EXPECT_DOUBLE_EQ(cell.inputs[1].capacitance, 2e-15);
  EXPECT_EQ(cell.outputs[0].function, (input_table[0] & ~input_table[1]) | ~input_table[2]);
  EXPECT_DOUBLE_EQ(cell.outputs[0].delay[1].mean(20e-15, 1e-12), (2 + 5) / 2.0 * 1e-12);
  EXPECT_DOUBLE_EQ(cell.outputs[0].delay[2].mean(20e-15, 1e-12), 0);
  // fF mV^2: 1e-21 J. VDD: rise (2, 6), fall (4, 6); VSS: 0.5.
  EXPECT_DOUBLE_EQ(energy_of(cell.outputs[0].energy, 0, 2e-12), (4 + 5) / 2.0 * 1e-15 + 0.5e-15);
  EXPECT_THAT(library.find("CLKGATE")->unusable, HasSubstr("it has a statetable"));
  const LibertyCell& gate = *library.find("ICG");
  EXPECT_EQ(gate.kind, CellKind::clock_gate);
  EXPECT_EQ(gate.clock, gate.input("CK"));
  EXPECT_EQ(gate.next_state, input_table[gate.input("E")] | input_table[gate.input("SE")]);
  EXPECT_EQ(gate.outputs[0].name, "G");
  EXPECT_THAT(library.find("WIDE")->unusable, HasSubstr("uses 'A', which is no input"));
}

// Found in ASAP7's half adders, whose sum is made of their inverted carry, and where leakage is parted by supply.
TEST(Liberty, ReadsArcsBetweenOutputsAndLeakageOfSeveralSupplies) {
  const TemporaryFolder folder;
  const auto outputs = [](const std::string& back) {
    return R"x(
  pin (SN) { direction : output; function : "A ^ !B";
    timing () { related_pin : "A"; cell_rise (scalar) { values ("7"); } cell_fall (scalar) { values ("9"); } }
    timing () { related_pin : "CON"; cell_rise (t) { values ("1, 2"); } } }
  pin (CON) { direction : output; function : "!(A B)";
    timing () { related_pin : "A"; cell_rise (scalar) { values ("3"); } }
    timing () { related_pin : )x" +
           back + R"x(; cell_rise (t) { values ("4, 6"); } } })x";
  };
  const auto read = [&](const std::string& body) {
    const std::string head = R"x(library (l) { nom_voltage : 1; time_unit : "1ps"; leakage_power_unit : "1nW";
  capacitive_load_unit (1, ff); lu_table_template (t) { variable_1 : total_output_net_capacitance; index_1 ("1, 2"); }
  cell (HA) { pin (A, B) { direction : input; } )x";
    folder.write("arcs.lib", head + body + " } }");
    return read_liberty(folder / "arcs.lib").cells.at("HA");
  };
  const LibertyCell cell = read(outputs("B"));
  ASSERT_EQ(cell.kind, CellKind::combinational);
  const std::vector<double> loads = {2e-15, 1e-15};
  EXPECT_DOUBLE_EQ(delay_of(cell, 0, 1, loads, 0), 3e-12);
  EXPECT_DOUBLE_EQ(delay_of(cell, 1, 1, loads, 0), 4e-12);
  EXPECT_DOUBLE_EQ(delay_of(cell, 0, 0, loads, 0), 8e-12);  // its own arc
  EXPECT_DOUBLE_EQ(delay_of(cell, 1, 0, loads, 0), 4e-12 + 2e-12);
  // A file may lead round in a circle.
  EXPECT_DOUBLE_EQ(delay_of(read(outputs("SN")), 1, 0, loads, 0), 0);
  EXPECT_THAT(read(outputs("C")).unusable, HasSubstr("related pin 'C' is no input or output of HA"));
  // States of one supply share it; supplies add up.
  const auto leakage = [&](const std::string& groups) { return read(groups + outputs("B")).leakage; };
  const std::string vdd = R"x(leakage_power () { value : 10; related_pg_pin : VDD; when : "A"; }
                              leakage_power () { value : 20; related_pg_pin : VDD; when : "!A"; } )x";
  EXPECT_DOUBLE_EQ(leakage(vdd), 15e-9);
  EXPECT_DOUBLE_EQ(leakage(vdd + "leakage_power () { value : 0; related_pg_pin : VSS; }"), 15e-9);
  EXPECT_DOUBLE_EQ(leakage(vdd + "leakage_power () { value : 2; related_pg_pin : VSS; }"), 17e-9);
}

TEST(Liberty, SaysInOneLineWhereAFileIsDamaged) {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& text) -> std::string {
    folder.write("bad.lib", text);
    try {
      read_liberty(folder / "bad.lib");
    } catch (const std::runtime_error& e) {
      return e.what();
    }
    return "none";
  };
  const std::string head = "library (l) {\n nom_voltage : 1; capacitive_load_unit (1, pf);\n";
  EXPECT_THAT(error(head + " cell (A) {\n area : 1;\n"), HasSubstr("bad.lib:5: the file ends inside group 'cell'"));
  EXPECT_THAT(error(head + " cell (A) { pin (Y) { function : \"A; } }\n}"), HasSubstr("bad.lib:"));
  EXPECT_THAT(error(head + " /* no end\n"), HasSubstr("the comment that begins in line 3 does not end"));
  EXPECT_THAT(error(head + " cell A;\n}"), HasSubstr("bad.lib:3: ':' or '(' expected after 'cell'"));
  EXPECT_THAT(error(head + "}\n}\n"), HasSubstr("bad.lib:4: something follows"));
  EXPECT_THAT(error(head + "}\n"), HasSubstr("the library has no cells"));
  EXPECT_THAT(error("library (l) {\n time_unit : \"1xs\"; cell (A) { } }"), HasSubstr("unit 'xs' is unknown"));
  EXPECT_THAT(error("library (l) {\n cell (A) { } }"), HasSubstr("does not say its voltage"));
  EXPECT_THAT(error("library (l) {\n nom_voltage : 1; cell (A) { } }"),
              HasSubstr("bad.lib:1: the library does not say its unit of capacitance"));
  EXPECT_THAT(error(head + " cell (A) { cell_leakage_power : 2; } }"),
              HasSubstr("bad.lib:3: a leakage, whose unit the library does not say"));
  EXPECT_THROW(read_liberty(folder / "absent.lib"), std::runtime_error);
}

// What is wrong with a cell costs that cell and no other.
TEST(Liberty, KeepsALibraryWhereOneCellIsWrong) {
  const TemporaryFolder folder;
  const std::string head =
      "library (l) {\n nom_voltage : 1; capacitive_load_unit (1, pf); leakage_power_unit : 1nW;\n"
      " lu_table_template (t) { variable_1 : input_net_transition; index_1 (\"1, 2\"); }\n"
      " lu_table_template (v) { variable_1 : voltage; index_1 (\"1, 2\"); }\n"
      " cell (INV) { pin (A) { direction : input; } pin (Y) { direction : output; function : \"!A\"; } }\n";
  const auto why = [&](const std::string& body) {
    folder.write("one.lib", head + " cell (X) {\n" + body + "\n}\n}");
    const Library library = read_liberty(folder / "one.lib");
    EXPECT_EQ(library.cells.at("INV").kind, CellKind::combinational);
    EXPECT_EQ(library.cells.at("X").kind, CellKind::unusable);
    EXPECT_THAT(library.text, HasSubstr("cell (INV)"));
    EXPECT_THAT(library.text, Not(HasSubstr("cell (X)"))) << "synthesis would choose it";
    return library.cells.at("X").unusable;
  };
  const auto output = [](const std::string& inside) {
    return "pin (A) { direction : input; } pin (Y) { direction : output; function : \"A\";\n timing () { related_pin : "
           "\"A\";\n cell_rise (t) { " +
           inside + " } } }";
  };
  EXPECT_EQ(why("area : wide;"), "line 7: 'wide' is no number");
  EXPECT_EQ(why("cell_leakage_power : much;"), "line 7: 'much' is no number");
  EXPECT_EQ(why("pin (A) { direction : input;\n capacitance : \"1 2\"; }"), "line 8: 'capacitance' is no number");
  EXPECT_EQ(why(output("values (\"1, 2, 3\");")), "line 9: a table has 3 values for 2 points");
  EXPECT_EQ(why(output("index_1 (\"2, 1\"); values (\"1, 2\");")), "line 9: a table's index does not rise");
  EXPECT_EQ(why(output("values (\"1, x\");")), "line 9: 'x' is no number");
  EXPECT_THAT(why("pin (Y) { direction : output; function : \"A +\"; } pin (A) { direction : input; }"),
              HasSubstr("is damaged"));
  EXPECT_EQ(why("pin (A) { direction : input; } pin (Y) { direction : output; function : \"A\";\n timing () { "
                "related_pin : \"A\"; cell_rise (v) { values (\"1, 2\"); } } }"),
            "line 8: a table over 'voltage' is not understood");
  EXPECT_EQ(why("ff (P, Q) { } ff (R, S) { }"), "its clock is '', not the rising edge of an input");
  EXPECT_EQ(why("latch (P, Q) { } latch (R, S) { }"), "it has two states");
  EXPECT_EQ(why("area : 1; } cell (X) { area : 2;"), "the file describes it more than once");
}

TEST(Liberty, RefusesGroupsInEachOtherBeyondTheStack) {
  const TemporaryFolder folder;
  std::string text = "library (l) {\n nom_voltage : 1; capacitive_load_unit (1, pf);\n";
  for (int i = 0; i < 1000000; ++i) text += "a(){";
  folder.write("deep.lib", text);
  EXPECT_THAT(message_of<std::runtime_error>([&] { read_liberty(folder / "deep.lib"); }),
              HasSubstr("deep.lib:3: more than 64 groups lie in each other"));
  // The depth is that of groups in each other, not their count.
  text = "library (l) {\n nom_voltage : 1; capacitive_load_unit (1, pf);\n cell (A) { ";
  for (int i = 0; i < 200; ++i) text += "a(){ b(){ } } ";
  folder.write("wide.lib", text + "} }");
  EXPECT_EQ(read_liberty(folder / "wide.lib").cells.size(), 1U);
}

TEST(Liberty, NumbersAreOneFiniteNumberEach) {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& text) {
    folder.write("bad.lib", "library (l) {\n" + text + " cell (A) { }\n}");
    return message_of<std::runtime_error>([&] { read_liberty(folder / "bad.lib"); });
  };
  EXPECT_THAT(error("nom_voltage : 1; capacitive_load_unit (1, pf); time_unit : \"ns\";"),
              HasSubstr("'ns' is no number"));
  EXPECT_THAT(error("nom_voltage : 1; capacitive_load_unit (\"\", pf);"),
              HasSubstr("'capacitive_load_unit' is no number"));
  EXPECT_THAT(error("nom_voltage : 1; capacitive_load_unit (\"1 2\", pf);"),
              HasSubstr("'capacitive_load_unit' is no number"));
  EXPECT_THAT(error("nom_voltage : nan;"), HasSubstr("'nan' is no number"));
  EXPECT_THAT(error("nom_voltage : inf;"), HasSubstr("'inf' is no number"));
}

TEST(Liberty, CellsOfManyInputsAreUnusable) {
  const TemporaryFolder folder;
  std::string pins;
  for (const char* name : {"A", "B", "C", "D", "E", "F", "G"}) {
    pins += std::string("pin (") + name +
            ") { direction : input; clock_gate_clock_pin : true; clock_gate_enable_pin : true; }\n";
  }
  // Neither names a function, which would count the inputs itself.
  folder.write("many.lib",
               "library (l) {\n nom_voltage : 1; capacitive_load_unit (1, pf);\n cell (FF) { ff (IQ, IQN) { }\n" +
                   pins + "}\n cell (GATE) { clock_gating_integrated_cell : latch_posedge;\n" + pins +
                   "pin (Y) { direction : output; clock_gate_out_pin : true; } }\n}\n");
  const Library library = read_liberty(folder / "many.lib");
  for (const char* name : {"FF", "GATE"}) {
    EXPECT_EQ(library.find(name)->kind, CellKind::unusable);
    EXPECT_EQ(library.find(name)->unusable, "it has 7 inputs, more than 6");
  }
}

TEST(BooleanFunction, RefusesBracketsInEachOtherBeyondTheStack) {
  const std::vector<std::string> names = {"a"};
  for (const char* repeated : {"(", "!", "!("}) {
    std::string text;
    for (int i = 0; i < 1000000; ++i) text += repeated;
    EXPECT_THAT(message_of<std::invalid_argument>([&] { parse_function(text, names); }),
                HasSubstr("has more than 256 brackets in each other"));
  }
  // The depth is that of brackets in each other, not their count.
  std::string text = "a";
  for (int i = 0; i < 1000; ++i) text += " | (!(!a))";
  EXPECT_EQ(parse_function(text, names), input_table[0]);
}

TEST(BooleanFunction, KnowsPrecedence) {
  const std::vector<std::string> names = {"a", "b", "c1", "d[0]"};
  const TruthTable a = input_table[0], b = input_table[1], c = input_table[2], d = input_table[3];
  const auto parse = [&](const char* text) { return parse_function(text, names); };
  EXPECT_EQ(parse("a+b c1"), a | (b & c));
  EXPECT_EQ(parse("a b+c1"), (a & b) | c);
  EXPECT_EQ(parse("!a&b^c1|d[0]'"), (~a & (b ^ c)) | ~d);
  EXPECT_EQ(parse("!(a*b)'"), a & b);
  EXPECT_EQ(parse("(a)(b)!c1"), a & b & ~c);
  EXPECT_EQ(parse("1 a + 0"), a);
  EXPECT_THAT([&] { parse("a +"); }, ::testing::ThrowsMessage<std::invalid_argument>(HasSubstr("damaged")));
  EXPECT_THAT([&] { parse("(a"); }, ::testing::ThrowsMessage<std::invalid_argument>(HasSubstr("damaged")));
  EXPECT_THAT([&] { parse("a e"); }, ::testing::ThrowsMessage<std::invalid_argument>(HasSubstr("'e'")));
}

}  // namespace
