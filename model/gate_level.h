// SPDX-License-Identifier: Apache-2.0
// A technology fitted to synthesized gates of our own RTL: weights of events and toggles, exact per-cycle terms, area,
// clock, memories, and how wrong it is.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/growth.h"

namespace bitstrata::model {

// Energy of one count of an event or toggle (model/events.h). Terms of a part are a set: events go together, and their
// weights trade against each other.
struct EnergyTerm {
  std::string event;
  Scale per;          // of the accelerator that is priced
  double joules = 0;  // times the scale
};

using EnergyTerms = std::map<std::string, std::vector<EnergyTerm>>;  // by part: "array", "shift_add", ...

// How well a set of terms predicts the gates' energy per cycle in runs it was not fitted to.
struct FitError {
  int points = 0;
  double r2 = 0;               // coefficient of determination
  double mean = 0, worst = 0;  // relative
  std::string worst_point;
};

// What a technology for many architectures misses of each by a fit without it.
struct FamilyError {
  int architectures = 0;  // 0: the technology is of one
  FitError area, leakage, clock;
};

struct GateLevel {
  std::string library, tools;  // names and versions
  // Architecture keys it holds for, with their values; of a family "16..128" where a number may lie between.
  std::map<std::string, std::string> hardware;
  int columns = 0;                       // of the netlist
  double voltage = 0;                    // V
  double wire = 0;                       // F a fan-out
  Growth clock_period;                   // s, shortest
  Growth area;                           // m^2, without memories
  Growth leakage;                        // W, of gates
  EnergyTerms with_toggles, structural;  // J
  FitError toggles_error, structural_error;
  FamilyError family;
  double least_density = 0, most_density = 1;  // shares of activations that are not zero in the runs

  // Memories of b bits: an access takes memory_cycle + w * memory_access * sqrt(b) for the w bits read or written, and
  // a memory has memory_block + b * memory_area.
  double memory_cycle = 0;    // J
  double memory_access = 0;   // J
  double memory_block = 0;    // m^2
  double memory_area = 0;     // m^2 a bit
  double memory_leakage = 0;  // W a bit
  std::string dram;           // type
  double dram_access = 0;     // J a bit
};

}  // namespace bitstrata::model
