// SPDX-License-Identifier: Apache-2.0
// A technology fitted to synthesized gates of our own RTL: weights of events and toggles, exact per-cycle terms, area,
// clock, memories, and how wrong it is.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace bitstrata::model {

// What an event's energy is multiplied by: 1, or the columns of all macros of the accelerator that is priced.
enum class TermScale { one, columns };

// Energy of one count of an event or toggle (model/events.h). Terms of a part are a set: events go together, and their
// weights trade against each other.
struct EnergyTerm {
  std::string event;
  TermScale scale = TermScale::one;
  double joules = 0;
};

using EnergyTerms = std::map<std::string, std::vector<EnergyTerm>>;  // by part: "array", "shift_add", ...

// How well a set of terms predicts the gates' energy per cycle in runs it was not fitted to.
struct FitError {
  int points = 0;
  double r2 = 0;               // coefficient of determination
  double mean = 0, worst = 0;  // relative
  std::string worst_point;
};

// A quantity that grows with the columns of all macros.
struct PerColumn {
  double fixed = 0, column = 0;
  double of(int columns) const { return fixed + column * columns; }
};

struct GateLevel {
  std::string library, tools;                   // names and versions
  std::map<std::string, std::string> hardware;  // architecture keys it holds for, with their values
  int columns = 0;                              // of the netlist
  double voltage = 0;                           // V
  double wire = 0;                              // F a fan-out
  double clock_period = 0;                      // s, shortest
  PerColumn area;                               // m^2, without memories
  PerColumn leakage;                            // W, of gates
  EnergyTerms with_toggles, structural;         // J
  FitError toggles_error, structural_error;
  double least_density = 0, most_density = 1;  // shares of activations that are not zero in the runs

  // Memories, by their number of bits: J a bit read or written is memory_access * sqrt(bits).
  double memory_access = 0;   // J
  double memory_area = 0;     // m^2 a bit
  double memory_leakage = 0;  // W a bit
  std::string dram;           // type
  double dram_access = 0;     // J a bit
};

}  // namespace bitstrata::model
