// SPDX-License-Identifier: Apache-2.0
// What run and verify work on: a network of integers, lowered for an accelerator, with input images.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/common.h"
#include "cli/imported.h"
#include "cli/run_folder.h"
#include "cli/widths.h"
#include "model/architecture.h"
#include "model/dataset.h"
#include "model/integer_network.h"
#include "model/plan.h"
#include "rtl/generate/program.h"

namespace bitstrata::cli {

struct WorkloadOptions {
  std::string network, architecture = "pim-64x64", dataset;
  WidthOptions widths;
  int batch = 1;  // images a run
  OnnxOptions import;
  void add(po::options_description& options);
  void add_batch(po::options_description& options);
  void check(const po::variables_map& values);
  // Sets a number of executed images that was not given to `usual`, or a batch if that is more. Throws where it is
  // given and is not a number of batches.
  void complete_batches(const po::variables_map& values, const char* option, int usual, int& images) const;
};

struct Workload {
  model::IntegerNetwork network;
  model::Plan plan;
  bool trained = false;                              // from a run folder or ONNX file; else seeded random weights
  nlohmann::json origin = nlohmann::json::object();  // summary.json of the run folder, where it has one
  model::Architecture architecture;
  generate::Program program;
  std::optional<Imported> imported;  // from an ONNX file
  // What reports say: what an ONNX file was calibrated on; nothing for other networks.
  std::string calibration_line() const { return imported ? imported->calibration_text() + "\n" : ""; }
  void add_calibration(nlohmann::json& summary) const {
    if (imported) summary["calibration"] = imported->calibration_json();
  }
  std::int64_t parameters() const;
  std::int64_t macs() const;
  std::int64_t weight_storage_bits() const;
};

// Reads or draws the network, loads the architecture and lowers; notes the inputs in `record`. Throws where the user's
// choice does not work out: unknown names, damaged files, widths out of range, layers that do not fit.
Workload make_workload(const WorkloadOptions& options, const Common& common, RunRecord& record);

struct Inputs {
  std::string source;  // data set, or "random codes"
  std::vector<model::Codes> images;
  std::vector<int> labels;  // empty for random codes
};

// The first `count` test images of the data set, or seeded random codes where --dataset is `random`, or where it is not
// given and the network is an ONNX file or the images of the default data set do not fit its input.
Inputs make_inputs(const Workload& workload, const WorkloadOptions& options, int count, const Common& common,
                   RunRecord& record);

}  // namespace bitstrata::cli
