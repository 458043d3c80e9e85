// SPDX-License-Identifier: Apache-2.0
// Seeded quantized graphs of the kinds that converters write: to hold executors against each other.
#pragma once

#include <cstdint>
#include <string>

#include "tests/model/onnx_builder.h"

namespace bitstrata::testing {

struct QuantizedGraph {
  std::string name;
  OnnxBuilder model;
  // The output's codes: value / scale + zero; where `codes` is set, the file's output holds them already.
  double scale = 1, zero = 0;
  bool codes = false;
  bool image = false;  // the output is N,C,H,W
  // What was drawn, in words for a table.
  std::string form, weights, activations, operators;
  bool exact = false;  // all scales are powers of two and all sums fit 24 bits: every executor must get the same codes
};

enum class QuantizedForm {
  qdq,      // QuantizeLinear and DequantizeLinear around float operators; few bits by a Clip of codes
  qlinear,  // QLinearConv, QLinearAdd, QGemm, ...
};

// A small network: widths, scales, zero points and operators follow from the seed.
QuantizedGraph quantized_graph(QuantizedForm form, std::uint64_t seed);

// Codes of the outputs of `graph`, as floats of their value or as codes already.
std::vector<std::int64_t> output_codes(const QuantizedGraph& graph, const std::vector<double>& outputs);

}  // namespace bitstrata::testing
