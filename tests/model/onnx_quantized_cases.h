// SPDX-License-Identifier: Apache-2.0
// Small quantized files, one a row, that together use every operator and every spelling of quantization that the
// importer is asked for. Scales are powers of two, so that many values lie just between two codes.
#pragma once

#include <string>
#include <vector>

#include "tests/model/onnx_quantized_graphs.h"

namespace bitstrata::testing {

struct QuantizedCase {
  QuantizedGraph graph;
  std::string refused;          // words of the importer's refusal; empty: it agrees with the reference, code for code
  bool reference_only = false;  // the importer means something else by it: a dynamic scale becomes a calibrated one, a
                                // softmax at the end is left to the host
  std::int64_t apart = 0;       // codes that an executor may be off, where an operator goes through exponentials
};

std::vector<QuantizedCase> quantized_cases();

}  // namespace bitstrata::testing
