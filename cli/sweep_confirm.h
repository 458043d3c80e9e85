// SPDX-License-Identifier: Apache-2.0
// Points of a sweep executed with data on the engines that can, and compared with what the fast engine said.
#pragma once

#include <string>
#include <vector>

#include "cli/common.h"
#include "cli/sweep_front.h"

namespace bitstrata::cli {

struct Confirmed {
  std::size_t point = 0;  // index into Fronts::points
  sim::Confirmation result;
  bool equal = false;  // cycles, events layer by layer, and values with the golden arithmetic
};

// Executes every point on systemc and rtl with seeded random weights and one random image; what was found goes into the
// store. Points of layer lists cannot be executed and are left out.
std::vector<Confirmed> confirm_points(const sim::Sweep& sweep, const Fronts& fronts,
                                      const std::vector<std::size_t>& points, sim::PointStore& store,
                                      const Common& common);

}  // namespace bitstrata::cli
