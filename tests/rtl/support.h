// SPDX-License-Identifier: Apache-2.0
// What the tests of the Verilog share: a few accelerators, and running tools.
#pragma once

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "model/architecture.h"
#include "tests/model/temporary.h"

namespace bitstrata::generate::testing {

// Odd and even sizes, every data width, few and many banks.
inline std::vector<model::Architecture> architectures() {
  model::Architecture small;
  small.name = "16x16";
  small.rows = small.columns = 16;
  small.max_weight_bits = small.max_activation_bits = 8;
  small.data_bits = 32;
  small.activation_depth = 32;
  small.output_depth = 16;
  small.weight_depth = 64;
  small.psum_depth = 32;
  small.parameter_depth = 32;
  small.post_lanes = 2;
  small.burst_beats = 4;
  small.outstanding = 2;
  model::Architecture odd = small;
  odd.name = "3x20x17";
  odd.tiles = 3;
  odd.rows = 20;
  odd.columns = 17;
  odd.max_weight_bits = 16;
  odd.max_activation_bits = 11;
  odd.data_bits = 64;
  odd.post_lanes = 1;
  odd.burst_beats = 7;
  odd.outstanding = 1;
  odd.address_width = 40;
  odd.skip_planes = true;
  odd.popcount_tree = true;
  model::Architecture two = small;
  two.name = "2x33x24";
  two.tiles = 2;
  two.rows = 33;
  two.columns = 24;
  two.max_weight_bits = 5;
  two.max_activation_bits = 16;
  two.data_bits = 128;
  two.post_lanes = 4;
  two.accumulator_bits = 37;
  two.event_counters = false;
  two.clock_gating = true;
  model::Architecture wide;
  wide.name = "64x64";
  wide.data_bits = 256;
  wide.post_lanes = 8;
  wide.outstanding = 16;
  wide.address_width = 64;
  model::Architecture least = small;
  least.name = "2x2";
  least.rows = least.columns = 2;
  least.max_weight_bits = least.max_activation_bits = 1;
  least.accumulator_bits = 16;
  least.post_lanes = 1;
  model::Architecture deep = small;
  deep.name = "deep";
  deep.max_activation_bits = 4;
  deep.activation_depth = deep.output_depth = 8192;
  model::Architecture overlay = small;
  overlay.name = "overlay-3x20x5";
  overlay.style = "overlay";
  overlay.vectors = 3;
  overlay.rows = 20;
  overlay.columns = 5;
  overlay.skip_planes = true;
  overlay.clock_gating = overlay.popcount_tree = true;
  model::Architecture single = overlay;
  single.name = "overlay-1x70x2";
  single.vectors = 1;
  single.rows = 70;
  single.columns = 2;
  single.max_weight_bits = 1;
  single.max_activation_bits = 16;
  std::vector<model::Architecture> all = {small, odd, two, wide, least, deep, overlay, single};
  for (const auto& a : all) model::validate(a);
  return all;
}

using bitstrata::testing::TemporaryFolder;

struct Outcome {
  int status = 0;
  std::string output;  // stdout and stderr
};

inline Outcome run(const std::string& command) {
  FILE* pipe = popen(("( " + command + " ) 2>&1").c_str(), "r");
  if (!pipe) throw std::runtime_error("cannot start: " + command);
  Outcome outcome;
  std::array<char, 4096> buffer;
  while (const auto n = fread(buffer.data(), 1, buffer.size(), pipe)) outcome.output.append(buffer.data(), n);
  const int status = pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  return outcome;
}

}  // namespace bitstrata::generate::testing
