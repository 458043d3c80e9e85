// SPDX-License-Identifier: Apache-2.0
// Networks from ONNX files: imported, calibrated on samples, ready to become integers.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/common.h"
#include "cli/run_folder.h"
#include "cli/widths.h"
#include "model/float_network.h"
#include "model/onnx/onnx.h"
#include "model/plan.h"
#include "model/samples.h"
#include "quant/calibration/calibrate.h"

namespace bitstrata::cli {

struct OnnxOptions {
  std::string calibration = "max", input_shape;
  std::vector<std::string> outputs;  // tensors; empty: the file's first output
  int calibration_images = 100;
  bool file_order = false;  // outputs are written in the file's own order
  void add(po::options_description& options);
  void check(const po::variables_map& values, const std::string& network) const;
};

// Does --network name an ONNX file (which need not exist)?
bool is_onnx(const std::string& network);

struct Imported {
  model::FloatNetwork network;     // as the file has it
  model::OutputLayout output;      // how the file orders its output
  model::FloatNetwork calibrated;  // with grids and weight codes
  model::Plan plan;
  std::optional<model::SampleSet> samples;  // of --dataset
  std::string method, calibrated_on;        // in words, for reports
  // "calibration max on 100 training samples of mine", for people.
  std::string calibration_text() const;
  nlohmann::json calibration_json() const;
};

// The file's network without calibration, with its output's layout. Says on stderr what was left to the host.
model::FloatNetwork read_network(const std::string& file, const OnnxOptions& options, const Common& common,
                                 model::OutputLayout& output);

// Seeded values in 0..1, for networks that nobody has samples for.
inline constexpr int most_random_inputs = 8;
quant::CalibrationInputs random_inputs(const model::FloatNetwork& network, int count, std::uint64_t seed);

// `dataset`: empty or `random` for seeded random inputs, which give true cycles and events but no accuracy. Says on
// stderr what was left to the host. Throws where the user's choice does not work out.
Imported import_network(const std::string& file, const WidthOptions& widths, const WidthLimits& limits,
                        const std::string& dataset, const OnnxOptions& options, const Common& common,
                        RunRecord& record);

// Says so where a data set whose classes are told has another number of them than the network has outputs.
void note_classes(const Common& common, const model::SampleSet& samples, std::int64_t outputs);

// Throws std::invalid_argument naming the first sample of data set `name` whose label is none of the classes
// 0 .. outputs - 1.
void check_labels(std::span<const int> labels, std::int64_t outputs, const std::string& name);

}  // namespace bitstrata::cli
