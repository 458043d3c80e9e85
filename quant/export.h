// SPDX-License-Identifier: Apache-2.0
// From the trained module to the integers that hardware executes.
#pragma once

#include "model/integer_network.h"

namespace bitstrata::quant {

class Module;

// Throws std::invalid_argument when ranges are not calibrated or a scale ratio does not fit multiplier and shift.
model::IntegerNetwork export_integers(const Module& module);

}  // namespace bitstrata::quant
