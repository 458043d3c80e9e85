// SPDX-License-Identifier: Apache-2.0
// Widths and kept channels chosen together against measured cost: losses of single changes are measured around the
// present plan, an integer program finds the plans of least predicted loss within a budget, their real losses decide,
// and the budget tightens from phase to phase.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "quant/search/program.h"

namespace bitstrata::quant {

// Who knows what plans do to the loss.
class LossOracle {
 public:
  virtual ~LossOracle() = default;
  // The mean loss of the network under the plan, on some images.
  virtual double loss(const model::Plan& plan) = 0;
  // How the loss changes from that of `point` when one variable takes another of its values; 0 at the point's own.
  virtual Losses single_changes(const SearchSpace& space, const Point& point) = 0;
  // Images through the whole network so far.
  virtual double passes() const = 0;
};

struct CodesignOptions {
  int phases = 4;      // the budget falls in so many steps from the largest plan's costs to the limits
  int settling = 3;    // further phases at the limits, at most: until the plan stands
  int candidates = 8;  // plans whose real loss is taken in a phase
  int reach = 2;       // a variable moves by at most so many values in a phase
  ProgramOptions program{.seconds = 20, .gap = 1e-3};
  std::uint64_t seed = 1;
};

struct CodesignStep {
  int phase = 0;
  std::string event;  // "start", "chosen", "candidate", "stands"
  Point point;
  Costs costs{};
  double predicted = 0;  // change of the loss, from the phase's start
  double loss = 0;       // real, on the oracle's images
  double passes = 0;     // of the oracle so far
};

struct CodesignResult {
  bool feasible = false;  // else `point` is the cheapest plan that was found, beyond the limits
  Point point;
  Costs costs{};
  double loss = 0;
};

// `shown`: told of every step as it is made.
CodesignResult codesign(const SearchSpace& space, PlanCosts& costs, LossOracle& oracle, const Costs& allowed,
                        const CodesignOptions& options, const std::function<void(const CodesignStep&)>& shown = {});

// Losses whose curves fall with every value: a wider or fuller choice is never worse than a narrower one. What was
// measured otherwise is noise of few images, and would make a search prefer the narrower one for it.
Losses monotone(Losses losses);

}  // namespace bitstrata::quant
