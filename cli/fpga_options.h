// SPDX-License-Identifier: Apache-2.0
// --fpga and --device: whose resources are predicted, and what they are shares of.
#pragma once

#include <optional>
#include <string>

#include "cli/common.h"
#include "model/fpga_parts.h"

namespace bitstrata::cli {

struct FpgaOptions {
  std::string family, device;
  void add(po::options_description& options, const std::string& purpose);
};

struct FpgaTarget {
  std::optional<model::FpgaFamily> family;
  std::optional<model::FpgaPart> part;
};

// A device brings its family. Throws std::invalid_argument where the family that is given is another one.
FpgaTarget fpga_target(const FpgaOptions& options);

// "errors of each ... predicted by the others, mean/worst: lut 4.6/15 %, ...": how wrong predictions are.
std::string fpga_errors(const model::FpgaFamily& family);

}  // namespace bitstrata::cli
