// SPDX-License-Identifier: Apache-2.0
// bitstrata characterize --family: one technology for architectures of many parameters.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/common.h"
#include "model/architecture.h"
#include "sim/gates/family.h"

namespace bitstrata::cli {

// The architectures of a family file: its base, with its parameters, and each one's own. Throws std::runtime_error with
// file and line where a key, a value or the architecture it makes is wrong, and where two have one name.
std::vector<model::Architecture> read_family(const std::string& file);

// Where and how a family's architectures are measured.
struct FamilyRun {
  std::string folder;              // of the measurements: NAME.json each; those that are there are taken
  std::vector<std::string> words;  // of `bitstrata characterize` for one architecture: library and options
  int jobs = 1;                    // architectures measured at once
};

// Measures what is not in the folder yet, each in a process of its own. Throws std::runtime_error with the last line of
// one that fails, when the others are done.
std::vector<sim::gates::GateMeasurement> measure_family(const std::vector<model::Architecture>& architectures,
                                                        const FamilyRun& run, const Common& common);

// A row for each architecture: what a fit without it says, and by how much that is wrong.
std::string left_out_csv(const std::vector<sim::gates::GateMeasurement>& measurements,
                         const sim::gates::Family& family);

}  // namespace bitstrata::cli
