// SPDX-License-Identifier: Apache-2.0
// Activations of a trained network, for runs that drawn ones do not stand for.
#pragma once

#include <string>

#include "model/golden.h"
#include "model/integer_network.h"
#include "model/samples.h"

namespace bitstrata::sim::gates {

// Codes of a network's layers, at 16 bits: conv3 to conv6 of the demonstration network (model/calibration), labels: the
// layer. Compiled in.
const model::Samples& recorded_activations();

// `samples`' own, at any width; throws std::invalid_argument where they are unlabelled or negative.
void check_recorded(const model::Samples& samples);

// Stream `stream` of layer number `layer` (modulo those there are), cut to the format's shape (samples go on with
// themselves where it is larger; every second round they are mirrored) and quantized to its bits, unsigned, with the
// step whose squared error over the layer is least.
model::Codes recorded_codes(const model::Samples& samples, int layer, int stream, const model::TensorFormat& format);

// For cache names.
std::uint64_t hash_of(const model::Samples& samples);

}  // namespace bitstrata::sim::gates
