// SPDX-License-Identifier: Apache-2.0
// Operators on single values one after another, as a file writes them (internal to model/float_network).
#pragma once

#include <span>

#include "model/float_network.h"

namespace bitstrata::model {

// Applies the steps to `values` of `channels` channels, each result in 32-bit floats. `source` are the values that the
// first step reads, as many.
void take_steps(const std::vector<ValueStep>& steps, std::size_t channels, std::span<const float> source,
                Reals& values);

}  // namespace bitstrata::model
