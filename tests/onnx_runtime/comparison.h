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
  bool reference_only = false;  // not run by us
  bool golden_too = false;      // its layers are such that the golden codes must be the file's
  std::string refused;          // words of a refusal that is right
  std::int64_t apart = 0;       // codes that executors may differ by
};

struct Difference {
  std::int64_t compared = 0, different = 0, largest = 0;  // in codes
};

struct Comparison {
  std::string name, form, weights, activations, operators;
  bool exact = false, generated = false, reference_only = false, golden_too = false;
  std::int64_t apart = 0;
  std::string refused;  // by whom and why, where a side does not run the file
  bool owed = false;    // the refusal is the one that is right
  // How far the tests' reference executor, the imported network run as the file says, and the golden integers are from
  // the foreign codes.
  Difference reference, file, golden;
};

// Both forms in turn, from seed `first` on, with 8 inputs each.
std::vector<Subject> generated_subjects(int count, std::uint64_t first);
// The rows of quantized_cases().
std::vector<Subject> case_subjects();
// Networks of onnx_cases() calibrated at several widths, per channel and per tensor, as write_onnx writes them.
std::vector<Subject> exported_subjects(const std::filesystem::path& folder);

std::vector<Comparison> compare(const ForeignRuntime& runtime, const std::filesystem::path& folder,
                                const std::vector<Subject>& subjects);

// One line a file and a sum.
void print(const std::vector<Comparison>& comparisons, std::ostream& out);
void write_csv(const std::vector<Comparison>& comparisons, std::ostream& out);
// Sums by form, then a row for every drawn graph.
void write_markdown(const std::vector<Comparison>& comparisons, std::ostream& out);
// Says what exceeds the bounds, or that nothing was compared.
bool within_bounds(const std::vector<Comparison>& comparisons, std::ostream& out);

}  // namespace bitstrata::testing
