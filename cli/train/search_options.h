// SPDX-License-Identifier: Apache-2.0
// Options of quantize with a method that chooses by measured costs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/train/verb.h"
#include "quant/search/method.h"
#include "quant/search/search_space.h"
#include "quant/training_oracle.h"

namespace bitstrata::cli {

struct SearchVerbOptions {
  std::string network = "vgg_small", method, architecture = "pim-64x64", architectures, cost_table, technology, out;
  std::vector<std::string> limits;
  std::vector<int> widths = {2, 3, 4, 5, 6, 7, 8};
  std::optional<int> first_bits, last_bits;
  int output_bits = 16, levels = 0, minimum_channels = 4;
  int calibration_images = 1024, finetune_epochs = 0;
  double learning_rate = 0.02, search_learning_rate = 0.03;
  std::int64_t search_images = 13750;
  std::string against = "labels";
  double area = 0;  // of --limit: largest share of the architecture's bits on chip; 0: any
  int confirm = 4;
  int systemc_images = 2, rtl_images = 0;
  quant::SearchOptions search;
  quant::OracleOptions oracle;
  Common common;
  Training training;
  RoundingOptions rounding;
  quant::QuantizeOptions quantize;

  // Returns false when --help was asked for. Throws std::invalid_argument for misuse.
  bool read(const std::vector<std::string>& arguments);
  // What decides the result, for --resume.
  nlohmann::json identity() const;
};

}  // namespace bitstrata::cli
