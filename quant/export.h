// SPDX-License-Identifier: Apache-2.0
// A trained module as a float network with grids and codes, and as integers (internal: includes LibTorch).
#pragma once

#include "model/float_network.h"
#include "model/integer_network.h"
#include "quant/module.h"

namespace bitstrata::quant {

// Batch norms are folded; weights are multiples of their scales, and every tensor has its grid. Throws
// std::invalid_argument when the ranges of the activations are not known yet.
model::FloatNetwork float_network(const Module& module);

// The integers of `float_network`, which pass model::validate.
model::IntegerNetwork export_integers(const Module& module, int accumulator_bits = 48);

}  // namespace bitstrata::quant
