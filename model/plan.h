// SPDX-License-Identifier: Apache-2.0
// The precision plan: widths and kept channels, a small YAML file a person can edit.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "model/network.h"

namespace bitstrata::model {

struct LayerPlan {
  std::string layer;        // name of a convolution or linear node
  int weight_bits = 8;      // 1..16
  int activation_bits = 8;  // 1..16, width of the layer's INPUT tensor (as it enters the layer)
  int channels = 0;         // kept output channels; 0: all (a plan file may leave the key out)
};

// A tensor read through pooling keeps one width from its producer to the weight layer that consumes it.
struct Plan {
  std::string network;
  std::vector<LayerPlan> layers;  // one per weight layer, in network order
  int output_bits = 16;           // width of the network's output codes (two's complement)
};

Plan uniform_plan(const Network& network, int weight_bits, int activation_bits);

// All that keeps the plan from fitting the network, each in words that name layer, value and the allowed range.
std::vector<std::string> contradictions(const Plan& plan, const Network& network);

// Throws std::invalid_argument with all contradictions, joined by "; ".
void validate(const Plan& plan, const Network& network);

// The network with the plan's kept channels (0 resolved to all); validates the plan first.
Network planned_network(const Network& network, const Plan& plan);

// YAML. `load_plan` throws std::runtime_error with file and line; unknown keys are refused with the nearest known one.
void save(const Plan& plan, const std::filesystem::path& file);
std::string to_text(const Plan& plan);  // what `save` writes
Plan load_plan(const std::filesystem::path& file);

}  // namespace bitstrata::model
