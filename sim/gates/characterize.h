// SPDX-License-Identifier: Apache-2.0
// From RTL and a Liberty library to a technology: measurements on gates, a fit, and its error.
#pragma once

#include <string>

#include "model/architecture.h"
#include "model/gate_level.h"
#include "sim/gates/measure.h"

namespace bitstrata::sim::gates {

// Memories and off-chip memory beside a library's gates.
struct MemoryOptions {
  double feature = 180e-9;  // m, of the library: the memories are scaled to it
  std::string dram = "lpddr4";
};

// Coefficients of memories, beside the library's voltage. Throws std::invalid_argument where the off-chip memory is
// none that is known.
void set_memories(model::GateLevel& technology, const Library& library, const MemoryOptions& options);

struct Characterization {
  GateMeasurement measured;
  model::GateLevel technology;
};

// Throws as `measure` does.
Characterization characterize(const model::Architecture& architecture, const Library& library,
                              const MeasureOptions& options, const MemoryOptions& memories,
                              const MeasureProgress& progress = {});

}  // namespace bitstrata::sim::gates
