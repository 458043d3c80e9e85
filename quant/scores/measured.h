// SPDX-License-Identifier: Apache-2.0
// Single changes, each measured on the whole network (internal: includes LibTorch).
#pragma once

#include "quant/scores/surroundings.h"

namespace bitstrata::quant {

struct Measure {
  // Sums over a batch whose images begin at `first`; `kept`: the channels of every group that the values have.
  std::function<std::vector<double>(const Module::Values& values, const KeptChannels& kept, std::int64_t first)> of;
  // What their means over all images come to.
  std::function<double(const std::vector<double>& means)> distance;
};

// The measure under every plan that differs from the point's in one variable, less that of the point's own. What lies
// in front of a change is not calculated again.
Losses measured_changes(Surroundings& surroundings, const Measure& measure);

}  // namespace bitstrata::quant
