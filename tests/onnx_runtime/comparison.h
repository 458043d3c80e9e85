// SPDX-License-Identifier: Apache-2.0
// What is compared, with whom, and what came out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <string>
#include <vector>

#include "tests/model/onnx_quantized_graphs.h"
#include "tests/onnx_runtime/foreign.h"

namespace bitstrata::testing {

// A quantized ONNX file with inputs; `graph.model` is empty of nodes where the file was exported from a network.
struct Subject {
  QuantizedGraph graph;
  std::filesystem::path file;  // empty: graph.model is written
  std::vector<Array> inputs;
};

struct Difference {
  std::int64_t compared = 0, different = 0, largest = 0;  // in codes
};

struct Comparison {
  std::string name, form, weights, activations, operators;
  bool exact = false, generated = false;
  std::string refused;  // by whom and why, where a side does not run the file
  // Of the foreign codes from: the tests' reference executor, the imported network run as the file says, and the
  // golden integers.
  Difference reference, file, golden;
};

// Both forms in turn, from seed `first` on, with 8 inputs each.
std::vector<Subject> generated_subjects(int count, std::uint64_t first);
// Networks of onnx_cases() calibrated at several widths, per channel and per tensor, as write_onnx writes them.
std::vector<Subject> exported_subjects(const std::filesystem::path& folder);

std::vector<Comparison> compare(const ForeignRuntime& runtime, const std::filesystem::path& folder,
                                const std::vector<Subject>& subjects);

// One line a subject and a sum.
void print(const std::vector<Comparison>& comparisons, std::ostream& out);
void write_csv(const std::vector<Comparison>& comparisons, std::ostream& out);
// Says what exceeds the bounds.
bool within_bounds(const std::vector<Comparison>& comparisons, std::ostream& out);

}  // namespace bitstrata::testing
