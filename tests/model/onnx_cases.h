// SPDX-License-Identifier: Apache-2.0
// Small models that together use every operator and every spelling the importer knows.
#pragma once

#include "tests/model/onnx_builder.h"

namespace bitstrata::testing {

struct OnnxCase {
  std::string name;
  OnnxBuilder model;
  int nodes = 0;       // of the imported network, the input among them; 0: not checked
  bool image = false;  // the output is N,C,H,W
};
std::vector<OnnxCase> onnx_cases();
// Convolutions of seeded random windows, groups and paddings.
OnnxCase random_convolution(std::uint64_t seed);

// onnx_border_cases.cpp
void add_border_cases(std::vector<OnnxCase>& cases);
void add_branch_cases(std::vector<OnnxCase>& cases);

// onnx_form_cases.cpp: operators whose attributes are written out; not all of them are known to the tests' executor.
std::vector<OnnxCase> onnx_form_cases();

}  // namespace bitstrata::testing
