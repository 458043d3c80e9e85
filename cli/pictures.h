// SPDX-License-Identifier: Apache-2.0
// Pictures of reports and sweeps, drawn by scripts/plot_*.py with matplotlib.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace bitstrata::cli {

// SVG texts, ready to stand in an HTML page, by name ("latency-0", "energy-0-ad-pim", ...: see the script). Throws
// std::runtime_error saying what is missing where they cannot be drawn.
std::map<std::string, std::string> draw_pictures(const nlohmann::json& data,
                                                 const std::string& script = "plot_report.py");

}  // namespace bitstrata::cli
