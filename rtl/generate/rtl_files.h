// SPDX-License-Identifier: Apache-2.0
// The SystemVerilog this program was built with, and its configured form for an architecture.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/architecture.h"

namespace bitstrata::generate {

struct RtlFile {
  std::string_view name;
  std::string_view text;
};

// rtl/*.sv and rtl/*.svh but for bs_serial_top.sv, modules before those that use them are not required.
const std::vector<RtlFile>& rtl_files();

// bs_serial_top.sv: it goes round bitstrata_top on a board, and is no part of an accelerator.
const RtlFile& serial_rtl();

// Name of the top module emitted for users and simulation alike.
inline constexpr std::string_view top_module = "bitstrata_top";

// The parameters of bs_top for `architecture`.
std::vector<std::pair<std::string, long>> rtl_parameters(const model::Architecture& architecture);

// Hash, never 0, of what a descriptor list of the architecture relies on: shapes, depths, widths and units, but not
// what only changes cycles (bursts, gating, planes that are skipped). Parameter CONFIGURATION of the RTL.
std::uint32_t configuration_of(const model::Architecture& architecture);

// The top module: bs_top with the architecture's parameters filled in. `event_counters` overrides the architecture
// (simulation always counts).
std::string top_text(const model::Architecture& architecture, bool event_counters);

// Writes all files, with `toggles` those of the monitors too, and bitstrata_top.sv into `folder` (created). Throws
// std::runtime_error naming a file that cannot be written. Returns the names of the .sv files in compile order.
std::vector<std::string> write_rtl(const model::Architecture& architecture, bool event_counters,
                                   const std::filesystem::path& folder, bool toggles = false);

}  // namespace bitstrata::generate
