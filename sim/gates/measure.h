// SPDX-License-Identifier: Apache-2.0
// From RTL and a Liberty library to what its gates spend: synthesis, then runs of many widths and densities.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "model/samples.h"
#include "sim/gates/buffers.h"
#include "sim/gates/calibration.h"
#include "sim/gates/measurement.h"
#include "sim/gates/synthesis.h"
#include "sim/gates/timing.h"

namespace bitstrata::sim::gates {

struct MeasureOptions {
  int columns = 16;       // of the netlist; others by rule
  double period = 10e-9;  // s, what gates are sized for
  bool timed = true;      // with glitches
  std::uint64_t seed = 1;
  std::string code;  // of the program (cli/train/build_info.h): runs that other code remembered are made again
  const model::Samples* recorded = nullptr;  // nullptr: recorded_activations()
  // Grids finer than 20 ps change energies by 0.6 % at most at 180 nm; faster gates get a finer one (time_grid).
  TimingOptions timing{.grid = 20e-12};
};

// Told of each run: its number, and how many there are.
using MeasureProgress = std::function<void(std::size_t run, std::size_t runs)>;

// The architecture with as many columns, in one macro, as are synthesized.
model::Architecture calibrated_architecture(const model::Architecture& architecture, int columns);

// s: whole picoseconds, at most the options' grid and a seventh of the delay of the library's buffer under its rule, as
// 20 ps are at 180 nm.
double time_grid(const BufferRule& buffers, const TimingOptions& options);

// Throws std::runtime_error where tools fail, where a run's energy is no positive finite number, and where the gates'
// outputs or cycles differ from golden's and SystemC's.
GateMeasurement measure(const model::Architecture& architecture, const Library& library, const MeasureOptions& options,
                        const MeasureProgress& progress = {});

}  // namespace bitstrata::sim::gates
