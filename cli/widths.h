// SPDX-License-Identifier: Apache-2.0
// The widths that a user asks for, as a plan of the network: given one by one, drawn, or from a plan.yaml.
#pragma once

#include <string>

#include "cli/common.h"
#include "cli/run_folder.h"
#include "model/architecture.h"
#include "model/float_network.h"
#include "model/plan.h"

namespace bitstrata::cli {

struct WidthOptions {
  std::string plan;  // a file, `mixed` or empty
  int weight_bits = 8, activation_bits = 8;
  int output_bits = 0;                                    // 0: 16, or the most that the accelerator writes
  bool weights_given = false, activations_given = false;  // rather than the defaults; set by check
  void add(po::options_description& options);
  // Throws std::invalid_argument where a width is out of range or is given twice.
  void check(const po::variables_map& values);
  // Was any of the options given?
  static bool given(const po::variables_map& values);
};

// The widest codes of an accelerator.
struct WidthLimits {
  int weight_bits = 16, activation_bits = 16;
  WidthLimits() = default;
  explicit WidthLimits(const model::Architecture& architecture)
      : weight_bits(architecture.max_weight_bits), activation_bits(architecture.max_activation_bits) {}
};

// Throws std::invalid_argument with everything in which a plan.yaml contradicts the network or what the accelerator
// has, in one message; std::runtime_error where the file is damaged. Notes the file in `record`.
model::Plan make_plan(const model::Network& network, const WidthOptions& options, const WidthLimits& limits,
                      std::uint64_t seed, RunRecord& record);
// The widths of a network from a file, which may prescribe some. What the user asks for must not contradict those of a
// plan.yaml, and a width for all layers must have one that the file leaves open; else std::invalid_argument.
model::Plan make_plan(const model::FloatNetwork& network, const WidthOptions& options, const WidthLimits& limits,
                      std::uint64_t seed, RunRecord& record);

}  // namespace bitstrata::cli
