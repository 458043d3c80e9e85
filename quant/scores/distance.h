// SPDX-License-Identifier: Apache-2.0
// How distances of layers from the float network become one.
#pragma once

#include <vector>

namespace bitstrata::quant {

// The mean of hidden layers' distances, which come first, plus the last one, the network's outputs'.
double mean_distance(const std::vector<double>& distances);
// The same, hidden ones weighted by 1 - exp(-distance / 0.1).
double weighted_distance(const std::vector<double>& distances);

}  // namespace bitstrata::quant
