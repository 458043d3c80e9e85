// SPDX-License-Identifier: Apache-2.0
// One technology for accelerators of many parameters: how energies, area, leakage and the clock grow with them, and how
// wrong that is of an accelerator that was left out.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/gate_level.h"
#include "sim/gates/energy_fit.h"
#include "sim/gates/measurement.h"

namespace bitstrata::sim::gates {

// What a fit without an accelerator says of it, against what was measured: predicted / measured - 1, and of its runs
// that are held out the error of energy.
struct LeftOut {
  model::FitError energy, structural_energy;
  std::map<std::string, double> parts;  // mean error of a part, as a share of its run's energy
  double area = 0, leakage = 0, clock = 0;
};

struct Family {
  model::GateLevel technology;    // its errors are those of what is left out; memories are not set
  std::vector<LeftOut> left_out;  // by accelerator
};

// Throws std::invalid_argument where the measurements are fewer than four, or of several libraries or styles.
Family fit_family(Measurements measurements);

}  // namespace bitstrata::sim::gates
