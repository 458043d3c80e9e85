// SPDX-License-Identifier: Apache-2.0
// Models run by ONNX Runtime, in a process of node (run.mjs).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/model/onnx_builder.h"

namespace bitstrata::testing {

struct ForeignRuntime {
  std::filesystem::path modules;  // node_modules with onnxruntime-web
  std::filesystem::path runner;   // run.mjs
  std::string optimize = "disabled";
};

struct ForeignJob {
  std::filesystem::path model;
  std::vector<Array> inputs;  // all of one shape and type, a batch of 1 each
};

struct ForeignResult {
  std::vector<std::vector<double>> outputs;  // of each input, in the file's order; empty where refused
  std::vector<std::int64_t> dims;            // of one output
  std::string refused;                       // the runtime's words
};

// Runs all jobs in one process, with their inputs and outputs in files of `folder`; in another one from where a model
// breaks the runtime or does not come to an end. Throws std::runtime_error where node does not start or leaves no
// result.
std::vector<ForeignResult> run_foreign(const ForeignRuntime& runtime, const std::filesystem::path& folder,
                                       const std::vector<ForeignJob>& jobs);

}  // namespace bitstrata::testing
