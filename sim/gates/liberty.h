// SPDX-License-Identifier: Apache-2.0
// Standard cells as a Liberty file describes them: functions, capacitances, delays, energies. SI units throughout
// (seconds, farads, joules, watts, volts); areas are in the file's unit, which Liberty does not say (osu018: square
// micrometres).
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/gates/boolean.h"

namespace bitstrata::sim::gates {

// A table over output load and input slew, either, or none; bilinear between its points and beyond them, as timing
// analysers take it.
class LibertyTable {
 public:
  enum class Axis { load, slew };

  LibertyTable() = default;
  // Throws std::invalid_argument where the sizes do not agree or an index does not rise.
  LibertyTable(std::vector<Axis> axes, std::vector<std::vector<double>> index, std::vector<double> values);

  double at(double load, double slew) const;

 private:
  std::vector<Axis> axes_;
  std::vector<std::vector<double>> index_;
  std::vector<double> values_;  // the last axis runs fastest
};

// Tables of rising and falling transitions, under one condition each (`when`, another related pin, another supply).
struct LibertyTables {
  std::vector<LibertyTable> rise, fall;

  // Mean over conditions, then over rising and falling; 0 without tables.
  double mean(double load, double slew) const;
};

struct CellInput {
  std::string name;
  double capacitance = 0;  // F; mean of rise_ and fall_capacitance where `capacitance` is absent
  bool clock = false;
  // Energy (J) of one transition of this pin; one entry a supply pin, to be added.
  std::vector<LibertyTables> energy;
};

// A delay from another output of the cell, behind that output's own.
struct OutputArc {
  std::size_t output = 0;
  LibertyTables delay;  // s
};

struct CellOutput {
  std::string name;
  TruthTable function = 0;            // combinational: over the cell's inputs
  bool inverted = false;              // flip-flop, latch: the state's complement
  double capacitance = 0;             // F; usually 0
  std::vector<LibertyTables> delay;   // s; from each input of the cell
  std::vector<OutputArc> behind;      // where the file gives delays from other outputs
  std::vector<LibertyTables> energy;  // J of one transition of this pin, as for inputs
};

// clock_gate: a library's gating cell, whose one output is the clock where the enable was set while the clock was low.
enum class CellKind { combinational, flip_flop, latch, clock_gate, unusable };

struct LibertyCell {
  std::string name;
  CellKind kind = CellKind::combinational;
  std::string unusable;  // why, where it is
  // Synthesis leaves it alone: dont_use, or made for several supplies (isolation, level shifters, always on,
  // retention).
  bool avoided = false;
  double area = 0;
  // W; cell_leakage_power, else the leakage_power groups: supplies added, each the mean over its states (`when`), or
  // what holds in all of them, else the library's default.
  double leakage = 0;
  std::vector<CellInput> inputs;
  std::vector<CellOutput> outputs;
  // Flip-flop: the state follows next_state at the clock input's rising edge. Latch: it follows next_state while
  // enable is true. Clock gate: next_state is what is latched. Over the inputs; clear wins over preset. Where a file
  // has the complement of what is stored as its state (next_state "!D"), all of this is turned round: inputs of 0 store
  // 0.
  int clock = -1;
  int enabling = -1;  // clock gate: the input that enables in use; further ones are of tests
  TruthTable next_state = 0, enable = 0, clear = 0, preset = 0;

  int input(std::string_view pin) const;   // -1: none
  int output(std::string_view pin) const;  // -1: none
};

// Sum over supply pins.
double energy_of(const std::vector<LibertyTables>& supplies, double load, double slew);

// s, from an input to an output, each output under its own load (F): by the arc between them, else by the slowest way
// through arcs between outputs; 0 where the file has none.
double delay_of(const LibertyCell& cell, std::size_t input, std::size_t output, std::span<const double> loads,
                double slew);

struct Library {
  std::string name;    // of several files: their names, joined by +
  double voltage = 0;  // V; of the default operating conditions, else nom_voltage, else the one supply there is
  std::map<std::string, LibertyCell, std::less<>> cells;
  // What Yosys, ABC and OpenSTA are given: one Liberty text of the usable cells that are not avoided, and of all clock
  // gates, without what those tools do not read (current sources, noise).
  std::string text;

  const LibertyCell* find(std::string_view name) const;
};

// Cells of kinds that the simulator does not take (three-state, falling clocks, more than max_inputs inputs, ...) and
// those whose description is wrong come as CellKind::unusable. Throws std::runtime_error, "file:line: what", where the
// text is damaged, units or voltage are not said, or files that are one library contradict each other: other units or
// voltage, the same cell twice.
Library read_liberty(std::span<const std::filesystem::path> files);
Library read_liberty(const std::filesystem::path& file);

}  // namespace bitstrata::sim::gates
