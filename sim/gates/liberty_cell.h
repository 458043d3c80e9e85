// SPDX-License-Identifier: Apache-2.0
// A cell of a Liberty file, out of the groups that describe it.
#pragma once

#include <map>
#include <string>

#include "sim/gates/liberty.h"
#include "sim/gates/liberty_text.h"

namespace bitstrata::sim::gates {

// What a library's head says for all its cells: units and defaults, in SI units.
struct LibertyHead {
  double time = 1e-9, capacitance = 0, energy = 0;       // a unit
  double leakage = 0;                                    // W a unit; 0: the file does not say
  double input_capacitance = 0, output_capacitance = 0;  // F, of pins that do not say theirs
  double cell_leakage = 0;                               // in the file's unit, of cells that do not say theirs
  std::map<std::string, const LibertyGroup*, std::less<>> templates;  // by template_key
};

// A unit's prefix as a factor: "ns" is 1e-9. Throws std::invalid_argument where it is unknown.
double unit_prefix(std::string_view unit);

// Turns the description of storage that keeps the complement of its data (next_state "!D") round: its state is then the
// complement of what it was, which inputs of 0 make 0. Yosys 0.23 exchanges set and reset of such cells.
void store_data(LibertyGroup& cell);

// What is wrong with the description makes the cell CellKind::unusable. Throws std::invalid_argument where it has no
// name, or a leakage of a unit that the file does not say.
LibertyCell read_cell(const LibertyGroup& group, const LibertyHead& head);

}  // namespace bitstrata::sim::gates
