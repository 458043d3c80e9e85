// SPDX-License-Identifier: Apache-2.0
// Energy of a measured network under the technologies a user asks for, as reports print it.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/run_folder.h"
#include "model/technology.h"
#include "sim/energy.h"
#include "sim/physical.h"

namespace bitstrata::cli {

// A column of layers.csv and the part of the energy in it.
struct EnergyColumn {
  const char* name;
  std::optional<double> sim::EnergyParts::*part;
};

inline constexpr std::array energy_columns = {EnergyColumn{"array_pj", &sim::EnergyParts::array_pj},
                                              EnergyColumn{"shift_add_pj", &sim::EnergyParts::shift_add_pj},
                                              EnergyColumn{"postprocess_pj", &sim::EnergyParts::postprocess_pj},
                                              EnergyColumn{"buffer_pj", &sim::EnergyParts::buffer_pj},
                                              EnergyColumn{"memory_pj", &sim::EnergyParts::memory_pj},
                                              EnergyColumn{"dram_pj", &sim::EnergyParts::dram_pj},
                                              EnergyColumn{"control_pj", &sim::EnergyParts::control_pj},
                                              EnergyColumn{"clock_pj", &sim::EnergyParts::clock_pj},
                                              EnergyColumn{"leakage_pj", &sim::EnergyParts::leakage_pj}};

struct Price {
  model::Technology technology;
  sim::Energy energy;
  std::optional<double> standard_error_pj;  // of the mean over runs with toggles of their own
  sim::Clock clock;                         // under this technology
  std::optional<sim::Area> area;
  double latency_us = 0;  // an image's, at that clock
  std::int64_t macs = 0;  // of an image
};

// Energy of a measurement; with toggles of several runs, their mean, and its standard error.
Price price_runs(const model::Technology& technology, model::Measurement measurement,
                 const std::vector<std::vector<model::Toggles>>& toggles, const model::IntegerNetwork& network,
                 const model::Architecture& architecture);

// All built-in published technologies when `names` is empty. Throws std::invalid_argument when one is named twice.
std::vector<model::Technology> load_technologies(const std::vector<std::string>& names, RunRecord& record);

// "162.3 us at 135.9 MHz (200 MHz are asked for): 470.2 mW, 0.005132 TOPS, 0.01092 TOPS/W; ...": what follows of the
// energy and the clock, and the area where it is known.
std::string physical_line(const Price& price);

// Total and parts, status, rules, and every coefficient with its unit, source, conditions and status.
nlohmann::json to_json(const Price& price);

}  // namespace bitstrata::cli
