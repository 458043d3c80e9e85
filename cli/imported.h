// SPDX-License-Identifier: Apache-2.0
// Networks from ONNX files: imported, calibrated on samples, ready to become integers.
#pragma once

#include <optional>
#include <string>

#include "cli/common.h"
#include "cli/run_folder.h"
#include "model/float_network.h"
#include "model/plan.h"
#include "model/samples.h"

namespace bitstrata::cli {

struct ImportOptions {
  std::string calibration = "max", input_shape;
  int calibration_images = 100;
  void add(po::options_description& options);
  void check(const po::variables_map& values, const std::string& network) const;
};

// Does --network name an ONNX file (which need not exist)?
bool is_onnx(const std::string& network);

struct Imported {
  model::FloatNetwork network;     // as the file has it
  model::FloatNetwork calibrated;  // with grids and weight codes
  model::Plan plan;
  std::optional<model::SampleSet> samples;  // of --dataset
  std::string calibrated_on;                // in words, for reports
};

// `plan`: a file, or empty for the widths. `dataset`: empty or `random` for seeded random inputs, which give true
// cycles and events but no accuracy. Says on stderr what was left to the host. Throws where the user's choice does not
// work out.
Imported import_network(const std::string& file, const std::string& plan, int weight_bits, int activation_bits,
                        const std::string& dataset, const ImportOptions& options, const Common& common,
                        RunRecord& record);

}  // namespace bitstrata::cli
