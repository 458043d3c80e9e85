// SPDX-License-Identifier: Apache-2.0
// What a search promised beside what the cycle-accurate engines measure.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/common.h"

namespace bitstrata::cli {

struct MeasureOptions {
  std::filesystem::path folder;  // with the integers
  std::string architecture, dataset;
  int systemc_images = 0, rtl_images = 0;
  std::uint64_t seed = 1;
};

// Runs `bitstrata verify` on the folder's integers: values against golden, cycles of one image by each engine. Null
// where no images are asked for. Throws std::runtime_error where the program cannot run, CheckFailed where an engine
// gives other codes than golden or other cycles than predicted.
nlohmann::json measure(const MeasureOptions& options, std::int64_t predicted_cycles);

// The summary of a search for people, or as JSON.
void print_search(const Common& common, const nlohmann::json& summary);

}  // namespace bitstrata::cli
