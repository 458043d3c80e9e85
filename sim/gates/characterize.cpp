// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/characterize.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>

#include "sim/gate_energy.h"
#include "sim/gates/energy_fit.h"

namespace bitstrata::sim::gates {

namespace {

// What all columns have together, and the rest.
model::Growth by_columns(const GateMeasurement& measured, double ComponentSize::*of) {
  double fixed = 0, columns = 0;
  for (const auto& [name, size] : measured.components) (per_column(name) ? columns : fixed) += size.*of;
  return {{{model::Scale(), fixed}, {"column", columns / measured.architecture.columns}}};
}

}  // namespace

// Memories after OpenRAM's macros in sky130 (130 nm, 1.8 V; VLSIDA/sky130_sram_macros). Least squares of relative
// errors, over the mean of a read and a write in four Liberty files: 2.79 pJ an access and 0.677 fJ a bit and root of
// the memory's bits, at most 6.2 % off; over five outlines (LEF files, and of 4 and 8 KB table I of the makers' ISCAS
// 2023 paper): 0.111 mm2 and 10.5 um2 a bit, at most 3.5 % off. Leakage is the median of the four. Smaller memories are
// extrapolated. Capacitance goes with the feature size, energy with it and the voltage squared, area with the feature
// size squared; how leakage goes is not known: it is taken as it is. gates_memories_test has the macros.
void set_memories(model::GateLevel& t, const Library& library, const MemoryOptions& options) {
  const double shrink = options.feature / 130e-9, voltage = library.voltage / 1.8;
  t.memory_cycle = 2.787e-12 * shrink * voltage * voltage;
  t.memory_access = 0.677e-15 * shrink * voltage * voltage;
  t.memory_block = 0.1112e-6 * shrink * shrink;
  t.memory_area = 10.51e-12 * shrink * shrink;
  t.memory_leakage = 83.5e-12;
  const std::map<std::string, double> drams = {{"lpddr4", 14e-12}, {"ddr4", 4.5e-12}, {"hbm2", 3.92e-12}};
  const auto dram = drams.find(options.dram);
  if (dram == drams.end()) throw std::invalid_argument("dram '" + options.dram + "' is not lpddr4, ddr4 or hbm2");
  t.dram = dram->first;
  t.dram_access = dram->second;
}

Characterization characterize(const model::Architecture& architecture, const Library& library,
                              const MeasureOptions& options, const MemoryOptions& memories,
                              const MeasureProgress& progress) {
  Characterization result{measure(architecture, library, options, progress), {}};
  const GateMeasurement& measured = result.measured;
  model::GateLevel& t = result.technology;
  t.library = measured.library;
  t.tools = measured.tools;
  t.hardware = calibrated_keys(measured.architecture);
  t.columns = measured.architecture.columns;
  t.voltage = measured.voltage;
  t.wire = measured.wire;
  t.clock_period = model::Growth::fixed(measured.clock_period);
  t.area = by_columns(measured, &ComponentSize::area);
  t.leakage = by_columns(measured, &ComponentSize::leakage);
  t.least_density = measured.least_density;
  set_memories(t, library, memories);
  const GateMeasurement* const one[] = {&measured};
  t.with_toggles = fit_energy(one, false);
  t.structural = fit_energy(one, true);
  t.toggles_error = error_of(t.with_toggles, one, true);
  t.structural_error = error_of(t.structural, one, true);
  return result;
}

}  // namespace bitstrata::sim::gates
