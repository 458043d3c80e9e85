// SPDX-License-Identifier: Apache-2.0
// The functions of single values, one row each: what they give, what a file calls them, and what calibration has to
// know of them. Their names and what requantization makes of them are in model/operators.h.
#pragma once

#include <limits>
#include <string>

#include "model/network.h"

namespace bitstrata::model {

// x / divisor + offset, cut off at `low` and `high`: what requantization does by itself.
struct Clipping {
  double divisor = 1, offset = 0;
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

struct Function {
  Op op;
  const char* onnx;  // the operator of ONNX that says it; "" where a file needs several nodes
  int opset;         // the first version of ONNX's operators that has it
  // f(x) in 32-bit floats, step by step as ONNX Runtime evaluates it; Node has its parameters.
  float (*value)(float x, const Node& node);
  double bound = 0;        // results fill -bound..bound, or 0..bound, whatever inputs were seen; 0: open
  bool positive = false;   // it never falls below 0
  Clipping clipping = {};  // where its ending is the clipping alone
  // By table: arguments beyond which 8-bit codes of the result stay as they are; infinite: nowhere.
  double flat_low = -std::numeric_limits<double>::infinity();
  double flat_high = std::numeric_limits<double>::infinity();
  double alpha = 0, gamma = 0;  // defaults of its parameters where the file's operator has them, else 0
};

// The row of `op`; null for operators that are no functions of single values.
const Function* function_of(Op op);
// The row of the table function whose `onnx` is `name`, null where there is none. Both kinds of Gelu have one name: the
// first is exact.
const Function* table_function_of_onnx(const std::string& name);

// The largest result of a function that is bounded whatever it is given; 0 for all else.
double bound_of(Op op);

// The clipping that the node is, limits of its own included; its ending must be Activation::clip.
Clipping clipping_of(const Node& activation);

// Does the activation never fall below 0?
bool never_negative(const Node& activation);

// The activation of one value, in 32-bit floats; other nodes than activations give the value itself.
float activate(const Node& activation, float x);

}  // namespace bitstrata::model
