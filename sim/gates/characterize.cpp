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

// Memories: energy of a bit is that of a bit of a 64 kbit memory times the root of the share of its bits. Horowitz,
// "Computing's energy problem", ISSCC 2014, Fig. 1.1.9: 64 bits of 8 KB, 32 KB, 1 MB at 45 nm and 0.9 V take 10, 20,
// 100 pJ. Below, the rule gives 0.039 and 0.020 pJ a bit of 512 and 128 bytes; CACTI at 45 nm 0.033 and 0.021
// (BitFusion's buffers). Area as CACTI's 512 bytes. Capacitance goes with the feature size, energy with it and the
// voltage squared.
void set_memories(model::GateLevel& t, const Library& library, const MemoryOptions& options) {
  const double shrink = options.feature / 45e-9, voltage = t.voltage / 0.9;
  t.memory_access = 10e-12 / 64 / std::sqrt(65536.0) * shrink * voltage * voltage;
  t.memory_area = 0.007603e-6 / 4096 * shrink * shrink;
  // A cell is two inverters; what its periphery leaks is not known.
  double inverter = -1;
  for (const auto& [name, cell] : library.cells) {
    const bool inverts = cell.kind == CellKind::combinational && !cell.avoided && cell.inputs.size() == 1 &&
                         cell.outputs.size() == 1 && cell.outputs[0].function == ~input_table[0];
    if (inverts && (inverter < 0 || cell.leakage < inverter)) inverter = cell.leakage;
  }
  t.memory_leakage = 2 * std::max(0.0, inverter);
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
