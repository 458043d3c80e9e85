// SPDX-License-Identifier: Apache-2.0
// Valid models with one thing changed to another value that its operator knows: what is read wrongly without a word
// shows here, where onnx_mutants shows what breaks. Not all are valid; an independent runtime says which.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/model/onnx_builder.h"

namespace bitstrata::testing {

struct Variant {
  std::string op;         // of the changed node, or "model"
  std::string attribute;  // or what else of it
  std::string change;
  std::string bytes;
  int input_type = 1;  // ONNX's data type of the model's input
};

// Calls `visit` with every variant of a serialized model.
void for_each_variant(const std::string& model, const std::function<void(const Variant&)>& visit);

// Values of an attribute that its operator knows, for images of a few pixels.
struct LegalValues {
  std::string op, attribute;
  std::vector<Attr> values;
};
const std::vector<LegalValues>& legal_values();

}  // namespace bitstrata::testing
