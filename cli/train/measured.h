// SPDX-License-Identifier: Apache-2.0
// What a search promised beside what the cycle-accurate engines measure.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/common.h"
#include "quant/search/limits.h"

namespace bitstrata::cli {

struct MeasureOptions {
  std::filesystem::path folder;  // with the integers
  std::string architecture, dataset;
  std::string technology;       // empty: energies are not measured
  bool skips_planes = false;    // the architecture: cycles are the mean of the images, and only near what was predicted
  bool counts_toggles = false;  // the technology: energies are the mean of the images, and only near
  int systemc_images = 0, rtl_images = 0;
  std::uint64_t seed = 1;
};

// Runs `bitstrata verify` on the folder's integers: values against golden, cycles of one image by each engine; and,
// where there are energies or skipped planes, `bitstrata run` on each engine. Says by how much of what is measured the
// predictions are off, and which limits the measured costs exceed. Null where no images are asked for. Throws
// std::runtime_error where the program cannot run, CheckFailed where an engine gives other codes than golden, or other
// cycles or energies than predicted where these do not depend on data.
nlohmann::json measure(const MeasureOptions& options, const quant::Costs& predicted, const quant::Costs& allowed);

// The summary of a search for people, or as JSON.
void print_search(const Common& common, const nlohmann::json& summary);

}  // namespace bitstrata::cli
