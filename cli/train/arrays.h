// SPDX-License-Identifier: Apache-2.0
// The best pairs of array and plan of a sweep's architectures, for a network whose losses were measured.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/train/data_statistics.h"
#include "model/architecture.h"
#include "model/technology.h"
#include "quant/search/array_choice.h"
#include "quant/search/oracle.h"

namespace bitstrata::cli {

struct ArraysOptions {
  std::vector<model::Architecture> architectures;
  const model::Technology* technology = nullptr;
  DataStatistics* statistics = nullptr;  // where an architecture needs them
  double area_share = 0;                 // of the reference's bits on chip, at most; 0: any area
  int confirmed = 4;                     // pairs of the least predicted loss whose real loss is taken
  quant::ProgramOptions program;
};

struct ArrayChoice {
  model::Architecture architecture;
  std::string csv;        // all pairs
  nlohmann::json report;  // the chosen pair, and beside it the array that is best at uniform 8/8 with its best plan
};

// Limits are those on the reference: latency in its cycles. Losses are measured by `oracle` around the space's largest
// plan. Throws std::invalid_argument where no pair keeps the limits.
ArrayChoice choose_array(const quant::SearchSpace& space, const model::Architecture& reference,
                         const quant::Costs& allowed, quant::LossOracle& oracle, const ArraysOptions& options);

}  // namespace bitstrata::cli
