// SPDX-License-Identifier: Apache-2.0
// Every cell that is used of the Liberty files in a folder of yours, beside OpenSTA's reading (functions, capacitances,
// delays, leakages of one supply) and that of another reader (leakages and internal energies, which OpenSTA does not
// tell by cell): BITSTRATA_LIBERTY_DIR=FOLDER gates_folder_test.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <set>
#include <sstream>

#include "sim/gates/liberty.h"
#include "tests/sim/gates.h"

namespace {

using namespace bitstrata::sim::gates;
using namespace bitstrata::testing;

constexpr double slew = 100e-12, load = 20e-15;  // s, F

std::string decompressed(const std::filesystem::path& file) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> in(gzopen(file.c_str(), "rb"), gzclose);
  std::string text;
  char part[65536];
  for (int n = 0; (n = gzread(in.get(), part, sizeof part)) > 0;) text.append(part, static_cast<std::size_t>(n));
  return text;
}

struct Counts {
  int cells = 0, functions = 0, capacitances = 0, delays = 0, leakages = 0, energies = 0, sta_leakages = 0;
};

// A delay that OpenSTA took from a table: where, and the value.
struct Looked {
  bool rise = false;
  double load = 0, slew = 0, delay = 0;
};

bool near(double a, double b, double relative, double absolute = 0) {
  return std::abs(a - b) <= relative * std::max(std::abs(a), std::abs(b)) + absolute;
}

class FolderTest : public ::testing::Test {
 protected:
  void compare(const std::filesystem::path& file) {
    library = read_liberty(file);
    cells.clear();
    several.clear();
    for (const auto& [name, cell] : library.cells)
      if (cell.kind != CellKind::unusable && !cell.outputs.empty()) cells.push_back(&cell);
    counts = {};
    counts.cells = static_cast<int>(cells.size());
    folder.write("plain.lib", decompressed(file));
    ask_another_reader();
    ask_opensta();
    std::cout << fmt::format(
        "{}: {} of {} cells; compared with OpenSTA {} functions, {} capacitances, {} delays, {} leakages; with another "
        "reader {} leakages, {} energies\n",
        file.filename().string(), counts.cells, library.cells.size(), counts.functions, counts.capacitances,
        counts.delays, counts.sta_leakages, counts.leakages, counts.energies);
  }

  void ask_opensta() {
    // One instance of each cell, every pin at a port of its own.
    std::string ports, body, tcl;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      std::string pins;
      const auto pin = [&](const std::string& name, const char* direction, std::size_t k) {
        const std::string port = fmt::format("{}{}_{}", direction[0], i, k);
        ports += (ports.empty() ? "" : ", ") + port;
        body += fmt::format("  {} {};\n", direction, port);
        pins += fmt::format("{}.{}({})", pins.empty() ? "" : ", ", name, port);
      };
      const LibertyCell& cell = *cells[i];
      for (std::size_t k = 0; k < cell.inputs.size(); ++k) pin(cell.inputs[k].name, "input", k);
      for (std::size_t k = 0; k < cell.outputs.size(); ++k) pin(cell.outputs[k].name, "output", k);
      body += fmt::format("  {} c{} ({});\n", cell.name, i, pins);
      tcl += fmt::format("puts \"@cell {}\"\nreport_lib_cell {}/{}\n", i, library.name, cell.name);
      for (std::size_t o = 0; o < cell.outputs.size(); ++o) {
        for (std::size_t k = 0; k < cell.inputs.size(); ++k) {
          const LibertyTables& delay = cell.outputs[o].delay[k];
          if (delay.rise.empty() && delay.fall.empty()) continue;
          // Set and reset make one edge, whatever tables there are.
          if (cell.kind != CellKind::combinational && static_cast<int>(k) != cell.clock) continue;
          tcl += fmt::format("puts \"@arc {0} {1} {2}\"\nreport_dcalc -from c{0}/{3} -to c{0}/{4}\n", i, k, o,
                             cell.inputs[k].name, cell.outputs[o].name);
        }
      }
    }
    folder.write("cells.v", fmt::format("module cells ({});\n{}endmodule\n", ports, body));
    folder.write(
        "ask.tcl",
        fmt::format("read_liberty plain.lib\nset sta_report_default_digits 9\nread_verilog cells.v\n"
                    "link_design cells\nset time [sta::unit_scale time]\nset load [sta::unit_scale "
                    "capacitance]\nset_input_transition [expr {:g} / $time] [all_inputs]\nset_load [expr {:g} "
                    "/ $load] [all_outputs]\nputs \"@units $time $load [sta::unit_scale power]\"\n{}"
                    "create_clock -name clk -period [expr 1e-8 / $time]\nset_power_activity -global -activity 1 "
                    "-duty 0.5\nset_power_activity -input -activity 1 -duty 0.5\nputs \"@power\"\n"
                    "report_power -instances [get_cells *] -digits 9\nexit\n",
                    slew, load, tcl));
    run_in(folder / "", "sta -exit ask.tcl < /dev/null > answer.txt");
    std::istringstream answer(read_text(folder / "answer.txt"));
    std::string line;
    enum class Part { none, cell, arc, power } part = Part::none;
    std::size_t i = 0, k = 0, o = 0;
    std::vector<Looked> looked;
    Looked next;
    const auto end_arc = [&] {
      if (part == Part::arc) compare_delays(*cells[i], k, o, looked);
      looked.clear();
      next = {};
    };
    while (std::getline(answer, line)) {
      std::istringstream words(line);
      std::string first;
      words >> first;
      if (first.starts_with("@")) end_arc();
      if (first == "@units") {
        words >> time_unit >> load_unit >> power_unit;
      } else if (first == "@cell") {
        part = Part::cell;
        words >> i;
      } else if (first == "@arc") {
        part = Part::arc;
        words >> i >> k >> o;
      } else if (first == "@power") {
        part = Part::power;
      } else if (part == Part::cell) {
        compare_pin(*cells[i], first, line);
      } else if (part == Part::arc) {
        const auto value = [&] { return std::stod(line.substr(line.find('=') + 1)); };
        if (line.find(" -> ") != std::string::npos) {
          next.rise = line.ends_with("^");
        } else if (line.find("total_output_net_capacitance =") != std::string::npos) {
          next.load = value() * load_unit;
        } else if (line.find("transition = ") != std::string::npos ||
                   line.find("transition_time = ") != std::string::npos) {
          next.slew = value() * time_unit;
        } else if (line.starts_with("Delay = ")) {
          next.delay = value() * time_unit;
          looked.push_back(next);
        }
      } else if (part == Part::power) {
        double internal = 0, switching = 0, leakage = 0, total = 0;
        std::string name;
        std::istringstream numbers(line);
        if (numbers >> internal >> switching >> leakage >> total >> name && name.starts_with("c"))
          compare_leakage(*cells.at(std::stoul(name.substr(1))), leakage);
      }
    }
  }

  // " Y output function=!A", " A input 2.3" or " A input r 2.4 f 2.2"
  void compare_pin(const LibertyCell& cell, const std::string& pin, const std::string& line) {
    const std::size_t function = line.find("function=");
    const int input = cell.input(pin), output = cell.output(pin);
    std::vector<std::string> names;
    for (const CellInput& one : cell.inputs) names.push_back(one.name);
    if (output >= 0 && function != std::string::npos && cell.kind == CellKind::combinational) {
      ++counts.functions;
      EXPECT_EQ(parse_function(line.substr(function + 9), names),
                cell.outputs[static_cast<std::size_t>(output)].function)
          << cell.name << line;
    } else if (input >= 0 && line.find(" input ") != std::string::npos) {
      // "2.3", "r 2.4 f 2.2", or ranges "r 1.1:2.4", of which the upper ends count.
      std::istringstream words(line.substr(line.find(" input ") + 7));
      std::vector<double> farads;
      for (std::string word; words >> word;)
        if (word != "r" && word != "f") farads.push_back(std::stod(word.substr(word.find(':') + 1)) * load_unit);
      ASSERT_FALSE(farads.empty()) << line;
      ++counts.capacitances;
      // Files give one of both edges, or their mean.
      const double own = cell.inputs[static_cast<std::size_t>(input)].capacitance;
      EXPECT_GE(own, std::ranges::min(farads) * 0.9999) << cell.name << line;
      EXPECT_LE(own, std::ranges::max(farads) * 1.0001) << cell.name << line;
    }
  }

  void compare_delays(const LibertyCell& cell, std::size_t input, std::size_t output,
                      const std::vector<Looked>& looked) {
    const LibertyTables& tables = cell.outputs[output].delay[input];
    for (const bool rise : {true, false}) {
      const auto& own = rise ? tables.rise : tables.fall;
      const auto matches = [&](const LibertyTable& table, const Looked& one) {
        return one.rise == rise && near(table.at(one.load, one.slew), one.delay, 1e-4, 1e-8 * time_unit);
      };
      const std::string arc =
          fmt::format("{} {} to {}, {}", cell.name, cell.inputs[input].name, cell.outputs[output].name, rise);
      for (const Looked& one : looked) {
        if (one.rise != rise) continue;
        ++counts.delays;
        EXPECT_TRUE(std::ranges::any_of(own, [&](const LibertyTable& table) { return matches(table, one); }))
            << arc << ": OpenSTA has " << one.delay;
      }
      for (const LibertyTable& table : own)
        EXPECT_TRUE(std::ranges::any_of(looked, [&](const Looked& one) { return matches(table, one); }))
            << arc << ": OpenSTA lacks " << table.at(load, slew);
    }
  }

  // OpenSTA 2.0.17 adds what several supplies or states and their mean are given for, instead of choosing, and weighs
  // states of outputs and storage as if they were inputs.
  void compare_leakage(const LibertyCell& cell, double watts) {
    if (cell.kind != CellKind::combinational || several.contains(cell.name)) return;
    ++counts.sta_leakages;
    EXPECT_TRUE(near(cell.leakage, watts, 0.01, 1e-18)) << cell.name << ": " << cell.leakage << ", OpenSTA " << watts;
  }

  void ask_another_reader() {
    run_in(folder / "",
           fmt::format("python3 '{}' plain.lib {:g} {:g} > lookup.txt", BITSTRATA_LIBERTY_LOOKUP, load, slew));
    std::istringstream answer(read_text(folder / "lookup.txt"));
    std::string what, name, pin;
    double value = 0;
    while (answer >> what >> name) {
      if (what == "several") {
        several.insert(name);
        continue;
      }
      if (what == "energy") answer >> pin;
      answer >> value;
      const LibertyCell* const cell = library.find(name);
      ASSERT_NE(cell, nullptr) << name;
      if (std::ranges::find(cells, cell) == cells.end()) continue;
      if (what == "leakage") {
        ++counts.leakages;
        EXPECT_TRUE(near(cell->leakage, value, 1e-9)) << name << ": " << cell->leakage << ", not " << value;
        continue;
      }
      const int input = cell->input(pin), output = cell->output(pin);
      if (input < 0 && output < 0) continue;  // inside a clock gate
      const double own = input >= 0 ? energy_of(cell->inputs[static_cast<std::size_t>(input)].energy, 0, slew)
                                    : energy_of(cell->outputs[static_cast<std::size_t>(output)].energy, load, slew);
      ++counts.energies;
      EXPECT_TRUE(near(own, value, 1e-9, 1e-24)) << name << " " << pin << ": " << own << " J, not " << value;
    }
  }

  TemporaryFolder folder;
  Library library;
  std::vector<const LibertyCell*> cells;
  std::set<std::string> several;  // cells with leakages of several supplies
  Counts counts;
  double time_unit = 0, load_unit = 0, power_unit = 0;
};

TEST_F(FolderTest, CellsAreReadAsOthersReadThem) {
  const char* const name = std::getenv("BITSTRATA_LIBERTY_DIR");
  if (name == nullptr) GTEST_SKIP() << "BITSTRATA_LIBERTY_DIR does not name a folder of Liberty files";
  if (!have("sta") || !have("python3")) GTEST_SKIP() << "sta or python3 are missing";
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(name)) {
    const std::string file = entry.path().filename().string();
    if (file.ends_with(".lib") || file.ends_with(".lib.gz")) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  ASSERT_FALSE(files.empty()) << name << " has no .lib and no .lib.gz";
  int functions = 0;
  for (const auto& file : files) {
    compare(file);
    functions += counts.functions;
    for (const int count : {counts.capacitances, counts.delays, counts.leakages, counts.energies})
      EXPECT_GT(count, 0) << file << ": nothing was compared";
  }
  EXPECT_GT(functions, 0);
}

}  // namespace
