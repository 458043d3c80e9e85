// SPDX-License-Identifier: Apache-2.0
// The array and the plan chosen together. What a plan does to the loss does not depend on the array, so losses that
// were measured once serve all arrays: each needs a program of its own, and its costs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "quant/search/oracle.h"
#include "quant/search/program.h"

namespace bitstrata::quant {

struct ArrayCandidate {
  std::string name;
  double clock_mhz = 0;
  double area = 0;  // in any unit that all share
  model::PlanPrices* prices = nullptr;
};

struct ArrayLimits {
  double latency_us = 0, energy_fj = 0, size_bits = 0, area = 0;  // infinite: not limited
};

// An array with the plan of least predicted loss within a part of the limits.
struct ArrayPair {
  std::size_t array = 0;
  double part = 1;        // of the limits of latency and energy
  bool feasible = false;  // else there is no plan, and nothing below is set
  Point point;
  double predicted = 0;  // change of the loss from the point that losses were measured around
  Costs costs{};
  double latency_us = 0;
  double uniform_latency_us = 0;  // of uniform 8/8 on the array
};

// Each array within the limit of area at each of `parts` of the other limits; pairs of an array lie behind one another,
// in the order of `parts`. Limits of size stay whole.
std::vector<ArrayPair> pair_arrays(const SearchSpace& space, const std::vector<ArrayCandidate>& arrays,
                                   const Losses& losses, const ArrayLimits& limits, const std::vector<double>& parts,
                                   const ProgramOptions& options);

// A pair's real loss.
struct JudgedPair {
  std::size_t pair = 0;
  double loss = 0;
};

struct ArrayVerdict {
  std::vector<JudgedPair> confirmed;      // in the order of predicted losses
  std::size_t fastest = 0;                // the pair of the array that is fastest at uniform 8/8
  std::optional<JudgedPair> array_first;  // that pair, where it keeps the limits
  JudgedPair chosen;                      // the least real loss of all of these, an earlier one of equals
};

// Real losses of the `count` pairs of the least predicted loss that keep the whole limits, and of what one has who
// takes the array that is fastest at uniform 8/8 and then the best plan for it: predictions of plans that lose much are
// far off, so that this one may lose less. Nothing where no pair keeps the limits.
std::optional<ArrayVerdict> judge_pairs(const SearchSpace& space, const std::vector<ArrayPair>& pairs, int count,
                                        LossOracle& oracle);

}  // namespace bitstrata::quant
