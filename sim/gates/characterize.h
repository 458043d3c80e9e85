// SPDX-License-Identifier: Apache-2.0
// From RTL and a Liberty library to a technology: synthesis, runs on gates, a fit, and its error.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "model/architecture.h"
#include "model/gate_level.h"
#include "sim/gates/buffers.h"
#include "sim/gates/calibration.h"
#include "sim/gates/energy_fit.h"
#include "sim/gates/synthesis.h"
#include "sim/gates/timing.h"

namespace bitstrata::sim::gates {

struct CharacterizeOptions {
  int columns = 16;         // of the netlist; others by rule
  double period = 10e-9;    // s, what gates are sized for
  double feature = 180e-9;  // m, of the library: the memories are scaled to it
  bool timed = true;        // with glitches
  std::string dram = "lpddr4";
  std::uint64_t seed = 1;
  std::string code;  // of the program (cli/train/build_info.h): runs that other code remembered are made again
  const model::Samples* recorded = nullptr;  // nullptr: recorded_activations()
  // Grids finer than 20 ps change energies by 0.6 % at most at 180 nm; faster gates get a finer one (time_grid).
  TimingOptions timing{.grid = 20e-12};
};

struct Characterization {
  model::GateLevel technology;
  std::vector<CalibrationPoint> points;
  std::int64_t values_compared = 0;  // outputs of gates with golden's
  std::int64_t cells = 0, flip_flops = 0, memories = 0;
  double synthesis_seconds = 0, simulation_seconds = 0;
  std::int64_t stream_cycles = 0;
  int known_runs = 0;  // taken from before: their gates did not run in simulation_seconds
};

// Told of each run: its number, and how many there are.
using CharacterizeProgress = std::function<void(std::size_t run, std::size_t runs)>;

// The architecture with as many columns, in one macro, as are synthesized.
model::Architecture calibrated_architecture(const model::Architecture& architecture, int columns);

// s: whole picoseconds, at most the options' grid and a seventh of the delay of the library's buffer under its rule, as
// 20 ps are at 180 nm.
double time_grid(const BufferRule& buffers, const TimingOptions& options);

// Throws std::runtime_error where tools fail, where a run's energy is no positive finite number, and where the gates'
// outputs or cycles differ from golden's and SystemC's.
Characterization characterize(const model::Architecture& architecture, const Library& library,
                              const CharacterizeOptions& options, const CharacterizeProgress& progress = {});

}  // namespace bitstrata::sim::gates
