// SPDX-License-Identifier: Apache-2.0
// Shared by the two sources of the golden arithmetic.
#pragma once

#include <string>

#include "model/golden.h"

namespace bitstrata::model {

// Throws std::invalid_argument, naming `reader`, when there are not as many codes as the shape has elements or a code
// is outside the format's range.
void check_codes(const TensorFormat& format, const Codes& codes, const std::string& reader);
// check_codes for the one or two inputs of a layer.
void check_inputs(const IntegerNetwork& network, const IntegerLayer& layer, const Codes& input, const Codes& second);

}  // namespace bitstrata::model
