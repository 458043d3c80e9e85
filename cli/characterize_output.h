// SPDX-License-Identifier: Apache-2.0
// What `bitstrata characterize` writes.
#pragma once

#include <string>
#include <vector>

#include "model/technology.h"
#include "sim/gates/characterize.h"

namespace bitstrata::cli {

// What a technology file says of itself, beside its numbers.
struct TechnologyText {
  std::string name, title;
  std::string gates;             // "288898 cells, 11954 flip-flops"
  std::vector<std::string> fit;  // rules of the fit
  bool glitches = true;
  double feature_nm = 0;
};
model::Technology technology_of(const TechnologyText& text, const model::GateLevel& gates);

// A row for each run: energies as measured and as the technology says, events, toggles.
std::string runs_csv(const sim::gates::Characterization& characterization);

}  // namespace bitstrata::cli
