// SPDX-License-Identifier: Apache-2.0
#include "cli/imported.h"

#include <fmt/format.h>

#include <charconv>
#include <random>
#include <stdexcept>

#include "model/onnx/onnx.h"
#include "quant/calibration/calibrate.h"

namespace bitstrata::cli {

using nlohmann::json;

namespace {

std::vector<std::int64_t> shape_of(const std::string& text) {
  std::vector<std::int64_t> shape;
  const char *at = text.data(), *end = text.data() + text.size();
  while (at < end) {
    std::int64_t side = 0;
    const auto read = std::from_chars(at, end, side);
    if (read.ec != std::errc() || side < 1 || side > 1'000'000 || (read.ptr < end && *read.ptr != ',') ||
        read.ptr + 1 == end) {
      throw std::invalid_argument(fmt::format("--input-shape is '{}'; it is like 1,3,224,224", text));
    }
    shape.push_back(side);
    at = read.ptr + 1;
  }
  return shape;
}

}  // namespace

void OnnxOptions::add(po::options_description& options) {
  options.add_options()
      // clang-format off
      ("calibration", po::value(&calibration)->default_value(calibration),
       "of ONNX networks: how the range of a tensor follows from its values: max, percentile, mse or kl")
      ("calibration-images", po::value(&calibration_images)->default_value(calibration_images),
       "so many, the first training samples of --dataset (test samples where it has no others)")
      ("output", po::value(&outputs)->composing(),
       "of ONNX networks: the tensor that is the result; may be repeated, then the tensors are joined along their "
       "channels in this order; default: the file's first output")
      ("input-shape", po::value(&input_shape), "of ONNX networks that leave it open, as the file counts: 1,3,224,224");
  // clang-format on
}

void OnnxOptions::check(const po::variables_map& values, const std::string& network) const {
  quant::range_method(calibration);
  check_range("calibration-images", calibration_images, 1, 1e6);
  shape_of(input_shape);
  for (const char* name : {"calibration", "calibration-images", "output", "input-shape"}) {
    if (values.count(name) != 0 && !values[name].defaulted() && !is_onnx(network)) {
      throw std::invalid_argument(fmt::format("--{} belongs to networks from ONNX files", name));
    }
  }
}

bool is_onnx(const std::string& network) { return std::filesystem::path(network).extension() == ".onnx"; }

model::FloatNetwork read_network(const std::string& file, const OnnxOptions& options, const Common& common,
                                 model::OutputLayout& output) {
  model::FloatNetwork network =
      model::import_onnx(file, {shape_of(options.input_shape), options.outputs, options.file_order}, &output);
  for (const std::string& note : network.notes) say(common, note);
  return network;
}

quant::CalibrationInputs random_inputs(const model::FloatNetwork& network, int count, std::uint64_t seed) {
  const model::Shape input = network.graph.node(0).output;
  return {count, [input, seed](int i) {
            std::mt19937_64 random(seed * 1000003 + static_cast<std::uint64_t>(i));
            model::Reals values(static_cast<std::size_t>(input.elements()));
            for (float& value : values) value = static_cast<float>(random() >> 40) * 0x1p-24F;
            return values;
          }};
}

Imported import_network(const std::string& file, const WidthOptions& widths, const WidthLimits& limits,
                        const std::string& dataset, const OnnxOptions& options, const Common& common,
                        RunRecord& record) {
  model::OutputLayout output;
  model::FloatNetwork network = read_network(file, options, common, output);
  record.add_file("network", file);
  model::Plan plan = make_plan(network, widths, limits, common.seed, record);
  std::optional<model::SampleSet> samples;
  if (!dataset.empty() && dataset != "random") samples = model::load_samples(dataset, options.calibration_images);
  quant::CalibrationInputs inputs;
  std::string calibrated_on;
  if (samples) {
    const bool own = samples->train.has_value();
    const model::Samples& source = own ? *samples->train : *samples->test;
    if (!own)
      say(common, fmt::format("data set '{}' has no training samples: calibrated on test samples", samples->name));
    const model::Shape stored = source.shape();
    if (model::guesses_flat_order(source, network)) {
      say(common, fmt::format("the network reads a flat vector: samples of {}x{}x{} come as channel, row, column; "
                              "'flat_order: nchw' or 'flat_order: nhwc' in the data set's file says which is right",
                              stored.height, stored.width, stored.channels));
    }
    inputs.count = std::min(options.calibration_images, source.count());
    inputs.get = [&source, &network](int i) { return model::fit(source, i, network); };
    calibrated_on = fmt::format("{} {} samples of {}", inputs.count, own ? "training" : "test", samples->name);
    record.add_file("dataset", dataset);
  } else {
    inputs = random_inputs(network, std::min(options.calibration_images, most_random_inputs), common.seed);
    calibrated_on = fmt::format("{} random inputs, seed {}", inputs.count, common.seed);
  }
  const quant::CalibrationOptions calibration{.method = quant::range_method(options.calibration),
                                              .threads = common.threads};
  model::FloatNetwork calibrated = quant::calibrate(network, plan, inputs, calibration);
  record.add_input("calibration", {{"method", options.calibration}, {"on", calibrated_on}});
  return {std::move(network), std::move(output),   std::move(calibrated), std::move(plan),
          std::move(samples), options.calibration, calibrated_on};
}

std::string Imported::calibration_text() const { return fmt::format("calibration {} on {}", method, calibrated_on); }

json Imported::calibration_json() const { return {{"method", method}, {"on", calibrated_on}}; }

void note_classes(const Common& common, const model::SampleSet& samples, std::int64_t outputs) {
  if (!samples.classes_told || samples.classes == outputs) return;
  say(common, fmt::format("data set '{}' has {} classes, the network {} outputs: label n is held against output n",
                          samples.name, samples.classes, outputs));
}

void check_labels(std::span<const int> labels, std::int64_t outputs, const std::string& name) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= 0 && labels[i] < outputs) continue;
    throw std::invalid_argument(
        fmt::format("data set '{}': the label of sample {} (counted from 0) is {}; the network's {} outputs are the "
                    "classes 0..{}",
                    name, i, labels[i], outputs, outputs - 1));
  }
}

}  // namespace bitstrata::cli
