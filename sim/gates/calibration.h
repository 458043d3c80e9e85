// SPDX-License-Identifier: Apache-2.0
// Runs that an energy model is fitted to and tested on: one convolution each, with widths, coding and pixels of its
// own, 64 images with weights of their own in four groups of activation density.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "model/architecture.h"
#include "model/integer_network.h"
#include "sim/gates/gate_engine.h"

namespace bitstrata::sim::gates {

inline constexpr std::size_t density_groups = 4;

struct CalibrationRun {
  std::string name;  // "w8a4 u"
  int weight_bits = 8, activation_bits = 8;
  bool two_complement = false;
  std::array<double, density_groups> zeros{};  // share of zero activations of each group
  bool held_out = false;                       // tests the fit
};

// The runs of an architecture: widths up to its limits; what is held out has widths and densities of its own.
std::vector<CalibrationRun> calibration_runs(const model::Architecture& architecture);

// Streams of group g: 16 g .. 16 g + 15.
std::vector<Word> group_masks();

// Programs and inputs of a run's 64 streams, seeded.
struct CalibrationJobs {
  std::vector<generate::Program> programs;
  std::vector<GateJob> jobs;  // of the programs, in their order
};
CalibrationJobs jobs_of(const CalibrationRun& run, const model::Architecture& architecture, std::uint64_t seed);

}  // namespace bitstrata::sim::gates
