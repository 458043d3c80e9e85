// SPDX-License-Identifier: Apache-2.0
// Means over windows and between pixels, in the order of ONNX Runtime's kernels (internal to model/float_network).
#pragma once

#include "model/float_network.h"

namespace bitstrata::model {

// What the file's operator makes of `from`, the values that it reads, of shape `in` ([y][x][channel]): in 32-bit
// floats, every sum, product and quotient rounded. `to` has the size of `out`.
void take_mean(const Mean& mean, Shape in, Shape out, const Reals& from, Reals& to);

}  // namespace bitstrata::model
