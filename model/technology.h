// SPDX-License-Identifier: Apache-2.0
// A technology turns events (or, for published tables, MACs and accesses) into energy. YAML; every number carries
// unit, source, conditions and status.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/gate_level.h"

namespace bitstrata::model {

// From the strongest to the weakest. `fitted` is a whole technology, by us, to gates: every result says how wrong it
// is.
enum class Status { measured, cited, fitted, recalled };

const char* to_string(Status status);

struct Coefficient {
  double value = 0;
  std::string unit;        // "fJ/MAC", "pJ/bit", ...
  std::string source;      // paper, table, equation
  std::string conditions;  // node, voltage, what it covers
  Status status = Status::cited;
};

enum class TechnologyKind {
  mac_table,   // published energy per MAC at listed widths; others round up, unequal widths take the larger
  mac_memory,  // published linear MAC energy a*k + b and access energy c*k per k-bit access
  gate_level,  // events and toggles of our own RTL, fitted to its gates (bitstrata characterize)
};

struct Technology {
  std::string name;
  std::string title;  // one line for reports
  TechnologyKind kind = TechnologyKind::mac_table;
  std::map<int, Coefficient> mac_energy;            // mac_table: bits -> energy of one MAC
  std::map<std::string, Coefficient> coefficients;  // mac_memory: mac_slope, mac_offset, access_slope
  GateLevel gates;                                  // gate_level; memories and DRAM are among the coefficients too
  std::vector<std::string> rules;                   // stated rules, printed beside results (rounding, what is left out)
  std::string digest;                               // of the whole file it was read from (model/digest.h)
  // The weakest status among all coefficients, printed beside every result.
  Status status() const;
  // mac_table: the width listed for weights and activations of these widths (the larger of the two, rounded up) and its
  // energy. Throws std::invalid_argument naming `layer` when the table ends before.
  const std::pair<const int, Coefficient>& mac_price(const std::string& layer, int weight_bits,
                                                     int activation_bits) const;
  // Energy of one MAC in fJ: of a table as mac_price, of mac_memory slope times the larger width and offset. Throws
  // std::invalid_argument naming `layer` where the table ends before, and for gate_level, which prices runs.
  double mac_fj(const std::string& layer, int weight_bits, int activation_bits) const;
};

// The file of a gate-level technology; `load_technology` gives it back. Throws std::runtime_error where it cannot be
// written.
void save_gate_level(const Technology& technology, const std::filesystem::path& file);

// A built-in name ("ad-pim", "45nm-mac-memory") or a YAML file. Throws std::runtime_error with file, line, and what
// would be right.
Technology load_technology(const std::string& name_or_file);
std::vector<std::string> technology_names();

}  // namespace bitstrata::model
