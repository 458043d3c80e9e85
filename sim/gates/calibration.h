// SPDX-License-Identifier: Apache-2.0
// Runs that an energy model is fitted to and tested on: one layer each, with widths, coding and pixels of its
// own, 64 images with weights of their own in four groups: of drawn activations by density, of recorded ones by layer.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "model/architecture.h"
#include "model/integer_network.h"
#include "model/samples.h"
#include "sim/gates/gate_engine.h"

namespace bitstrata::sim::gates {

inline constexpr std::size_t groups = 4;

struct CalibrationRun {
  std::string name;  // "w8a4 u"
  int weight_bits = 8, activation_bits = 8;
  bool two_complement = false;
  bool recorded = false;  // activations of a network
  int linear = 0;         // above 0: a linear layer of so many pixels squared; loading weights takes its time
  std::array<double, groups> zeros{};  // of drawn ones: share of zero activations of each group
  bool held_out = false;               // tests the fit
  // Where planes are skipped, streams with activations of their own would part: all take those of one group.
  int only_group = -1;

  // Groups with activations of their own, and the one that a stream belongs to.
  std::size_t parts() const { return only_group < 0 ? groups : 1; }
  std::size_t part_of(std::size_t stream) const { return only_group < 0 ? stream * groups / 64 : 0; }

  std::string part_name(std::size_t part) const;  // "w8a4 unsigned, 50 % zeros"
};

// The runs of an architecture: widths up to its limits; what is held out has widths and densities of its own.
std::vector<CalibrationRun> calibration_runs(const model::Architecture& architecture);

// Streams of group g: 16 g .. 16 g + 15.
std::vector<Word> group_masks();

// Programs and inputs of a run's 64 streams, seeded.
struct CalibrationJobs {
  std::vector<generate::Program> programs;
  std::vector<GateJob> jobs;             // of the programs, in their order
  std::array<double, groups> density{};  // by part: share of activations that are not zero
};
CalibrationJobs jobs_of(const CalibrationRun& run, const model::Architecture& architecture,
                        const model::Samples& recorded, std::uint64_t seed);

}  // namespace bitstrata::sim::gates
