// SPDX-License-Identifier: Apache-2.0
// Random integer layers and networks for tests: small, odd, and reaching into every corner of the arithmetic.
#pragma once

#include <random>

#include "model/golden.h"
#include "model/integer_network.h"

namespace bitstrata::testing {

using Random = std::mt19937_64;

// low..high, the same on every platform.
int pick(Random& random, int low, int high);

struct RandomOptions {
  int largest_side = 9;       // height and width of the input
  int largest_channels = 12;  // of input and output
  bool pooling = true;
};

// One layer from a random input format; validated.
model::IntegerNetwork random_layer(Random& random, const RandomOptions& options = {});

// `layers` layers in a chain, each reading the one before; validated.
model::IntegerNetwork random_chain(Random& random, int layers, const RandomOptions& options = {});

// Random codes of the whole range; the extremes come up often.
model::Codes random_codes(Random& random, const model::TensorFormat& format);

}  // namespace bitstrata::testing
