// SPDX-License-Identifier: Apache-2.0
// The activations that hardware reads from a table of 256 entries, one row each: what they are called, what they give,
// and what calibration has to know of them.
#pragma once

#include <string>

#include "model/network.h"

namespace bitstrata::model {

struct TableFunction {
  Op op;
  const char* name;  // in our own words, and in messages
  const char* onnx;  // the operator of ONNX that says it; "" where a file needs several nodes
  int opset;         // the first version of ONNX's operators that has it
  // f(x) in 32-bit floats, step by step as ONNX Runtime evaluates it; Node::alpha and Node::gamma are its parameters.
  float (*value)(float x, const Node& node);
  double flat_low, flat_high;  // arguments beyond which 8-bit codes of the result stay as they are; infinite: nowhere
  double bound;                // results fill -bound..bound, or 0..bound, whatever inputs were seen; 0: open
  bool positive;               // it never falls below 0
  double alpha, gamma;         // defaults of its parameters where the file's operator has them, else 0
};

// The row of `op`; null for activations that need no table.
const TableFunction* table_function(Op op);
// The row whose `onnx` is `name`, null where there is none. Both kinds of Gelu have one name: the first is exact.
const TableFunction* table_function_of_onnx(const std::string& name);
inline bool needs_table(Op op) { return table_function(op) != nullptr; }

// Does the activation never fall below 0?
bool never_negative(const Node& activation);

// The activation of one value, in 32-bit floats.
float activate(const Node& activation, float x);

}  // namespace bitstrata::model
