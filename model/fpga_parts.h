// SPDX-License-Identifier: Apache-2.0
// Devices of FPGA families: what they hold (devices/parts/*.yaml), and what share of it an accelerator takes.
#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "model/fpga.h"

namespace bitstrata::model {

// What a device has so many of: LUTs of logic, memory and carries together, flip-flops, block RAMs, multipliers.
inline constexpr std::array<const char*, 4> fpga_part_resources = {"lut", "ff", "bram", "dsp"};

struct FpgaPart {
  std::string name, family;    // "xc7z020", "xc7"
  std::string source, status;  // of the numbers
  std::array<int, fpga_part_resources.size()> has{};
};

// All that are built in. Throws std::runtime_error with the file's name where a table is damaged.
std::vector<FpgaPart> fpga_parts();
// Throws std::invalid_argument with the nearest known name.
FpgaPart find_fpga_part(const std::string& name);

struct FpgaShare {
  std::array<double, fpga_part_resources.size()> used{}, percent{};
  bool fits() const;  // no more than 100 % of anything
};
FpgaShare share_of(const FpgaPart& part, const FpgaUse& use);

// "112,850 of 53,200 lut (212 %), ..., which is more than it has of lut".
std::string share_text(const FpgaPart& part, const FpgaShare& share);
nlohmann::json share_json(const FpgaPart& part, const FpgaShare& share);

}  // namespace bitstrata::model
