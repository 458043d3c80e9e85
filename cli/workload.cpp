// SPDX-License-Identifier: Apache-2.0
#include "cli/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <stdexcept>

#include "model/network.h"
#include "quant/calibration/calibrate.h"
#include "sim/fast.h"
#include "sim/random_network.h"

namespace bitstrata::cli {

namespace fs = std::filesystem;

namespace {

constexpr const char* default_dataset = "fashion-mnist";
constexpr const char* random_dataset = "random";

// Widths as the integer network has them, for run folders without plan.yaml.
model::Plan plan_of(const model::IntegerNetwork& network) {
  model::Plan plan{.network = network.name, .layers = {}};
  for (const model::IntegerLayer& layer : network.layers) {
    if (!has_weights(layer.kind)) continue;
    plan.layers.push_back({layer.name, layer.weight_bits,
                           network.tensors.at(static_cast<std::size_t>(layer.input)).bits, layer.out_channels()});
  }
  plan.output_bits = network.tensors.at(static_cast<std::size_t>(network.layers.back().output)).bits;
  return plan;
}

void load_trained(const fs::path& folder, Workload& workload, RunRecord& record) {
  const bool is_file = fs::is_regular_file(folder);
  const fs::path file = is_file ? folder : folder / "integer.safetensors";
  if (!fs::exists(file)) {
    throw std::runtime_error(
        fmt::format("'{}' holds no integer.safetensors; bitstrata quantize writes one", folder.string()));
  }
  workload.network = model::load_integer_network(file);
  model::validate(workload.network);
  workload.trained = true;
  record.add_file("network", file);
  const fs::path plan = folder / "plan.yaml";
  if (!is_file && fs::exists(plan)) {
    workload.plan = model::load_plan(plan);
    record.add_file("plan", plan);
  } else {
    workload.plan = plan_of(workload.network);
  }
  if (!is_file && fs::exists(folder / "summary.json")) workload.origin = read_json(folder / "summary.json");
}

void draw_random(const WorkloadOptions& options, std::uint64_t seed, Workload& workload, RunRecord& record) {
  const model::Network network = model::build_network(options.network);
  workload.plan = make_plan(network, options.widths, WidthLimits(workload.architecture), seed, record);
  workload.network = sim::random_integer_network(network, workload.plan, seed);
  record.add_input("network", {{"name", options.network}, {"weights", fmt::format("random, seed {}", seed)}});
}

std::vector<model::Codes> random_images(const model::TensorFormat& format, int count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const model::CodeRange range = model::code_range(format.coding, format.bits);
  const auto codes = static_cast<std::uint64_t>(range.high - range.low + 1);
  std::vector<model::Codes> images;
  for (int i = 0; i < count; ++i) {
    model::Codes image(static_cast<std::size_t>(format.shape.elements()));
    // The standard distributions differ between libraries; this draw is the same everywhere (codes divides 2^64).
    for (std::int32_t& code : image) code = range.low + static_cast<std::int32_t>(random() % codes);
    images.push_back(std::move(image));
  }
  return images;
}

}  // namespace

void WorkloadOptions::add(po::options_description& options) {
  options.add_options()
      // clang-format off
      ("network", po::value(&network)->required(),
       "built-in network with seeded random weights, or ONNX file, or run folder of quantize, or its "
       "integer.safetensors")
      ("architecture", po::value(&architecture)->default_value(architecture), "built-in name or YAML file")
      ("dataset", po::value(&dataset),
       "fashion-mnist, a folder of IDX files, a dataset.yaml, or random (seeded codes); default: what the network was "
       "trained on, else fashion-mnist, and for ONNX files and networks of another input shape random");
  // clang-format on
  widths.add(options);
  add_batch(options);
  import.add(options);
}

void WorkloadOptions::add_batch(po::options_description& options) {
  options.add_options()("batch", po::value(&batch)->default_value(batch),
                        "images a run: each layer is done for all of them, and loads its weights once where it can");
}

void WorkloadOptions::complete_batches(const po::variables_map& values, const char* option, int usual,
                                       int& images) const {
  if (values.count(option) == 0 || values[option].defaulted()) {
    images = usual == 0 ? 0 : std::max(usual, batch) / batch * batch;
  } else if (images % batch != 0) {
    throw std::invalid_argument(fmt::format("--{} is {}, which is no multiple of --batch {}", option, images, batch));
  }
}

void WorkloadOptions::check(const po::variables_map& values) {
  check_range("batch", batch, 1, 1024);
  widths.check(values);
  import.check(values, network);
  if (is_onnx(network)) return;
  if (fs::exists(network) && WidthOptions::given(values)) {
    throw std::invalid_argument(
        fmt::format("the weights in '{}' are quantized already; leave out --plan and --*-bits", network));
  }
}

std::int64_t Workload::parameters() const {
  std::int64_t sum = 0;
  for (const model::IntegerLayer& layer : network.layers) {
    if (!has_weights(layer.kind)) continue;
    sum += static_cast<std::int64_t>(layer.weights.size() + layer.bias.size());
  }
  return sum;
}

std::int64_t Workload::macs() const {
  std::int64_t sum = 0;
  for (const model::IntegerLayer& layer : network.layers) sum += layer.macs;
  return sum;
}

std::int64_t Workload::weight_storage_bits() const {
  std::int64_t sum = 0;
  for (const model::IntegerLayer& layer : network.layers) {
    sum += static_cast<std::int64_t>(layer.weights.size()) * layer.weight_bits;
  }
  return sum;
}

Workload make_workload(const WorkloadOptions& options, const Common& common, RunRecord& record) {
  Workload workload;
  workload.architecture = model::load_architecture(options.architecture);
  if (is_onnx(options.network)) {
    workload.imported = import_network(options.network, options.widths, WidthLimits(workload.architecture),
                                       options.dataset, options.import, common, record);
    workload.network = quant::assemble(workload.imported->calibrated, workload.architecture.accumulator_bits);
    workload.plan = workload.imported->plan;
    workload.trained = true;
  } else if (fs::exists(options.network)) {
    load_trained(options.network, workload, record);
  } else {
    draw_random(options, common.seed, workload, record);
  }
  record.add_file("architecture", options.architecture);
  workload.program = sim::lower(workload.network, workload.architecture, options.batch);
  return workload;
}

namespace {

void check_fit(const std::string& name, const model::Shape& shape, int available, const Workload& workload, int count) {
  const model::Shape& wanted = workload.network.tensors.at(0).shape;
  if (shape != wanted) {
    throw std::invalid_argument(fmt::format("images of data set '{}' are {}x{}x{}, network '{}' reads {}x{}x{}", name,
                                            shape.height, shape.width, shape.channels, workload.network.name,
                                            wanted.height, wanted.width, wanted.channels));
  }
  if (count > available) {
    throw std::invalid_argument(
        fmt::format("{} images wanted; data set '{}' has {} test images", count, name, available));
  }
}

// Test samples as the network's input codes.
Inputs sample_inputs(const Workload& workload, int count, RunRecord& record) {
  const Imported& imported = *workload.imported;
  const model::SampleSet& set = *imported.samples;
  const model::Samples& samples = set.test ? *set.test : *set.train;
  if (count > samples.count()) {
    throw std::invalid_argument(
        fmt::format("{} images wanted; data set '{}' has {}", count, set.name, samples.count()));
  }
  Inputs inputs{set.name, {}, {}};
  for (int i = 0; i < count; ++i) {
    const model::Reals values = model::prepare_input(imported.calibrated, model::fit(samples, i, imported.network));
    inputs.images.push_back(model::encode(quant::input_grid(imported.calibrated), values));
    if (samples.labelled()) inputs.labels.push_back(samples.label(i));
  }
  record.add_input("images", {{"source", set.name},
                              {"part", set.test ? "test" : "train"},
                              {"images", count},
                              {"hash", hash_of(samples.bytes(0, count))}});
  return inputs;
}

// Inputs of a network that was trained on such samples, or has random weights.
Inputs described_inputs(const Workload& workload, const std::string& name, int count, RunRecord& record) {
  const model::TensorFormat& format = workload.network.tensors.at(0);
  const model::SampleSet set = model::load_samples(name, 0, count);
  if (!set.test) throw std::invalid_argument(fmt::format("data set '{}' has no test samples", name));
  const model::Samples& samples = *set.test;
  check_fit(name, samples.shape(), samples.count(), workload, count);
  const bool pixels = samples.byte_pixels() && (model::takes_pixels(format) || !workload.trained);
  Inputs inputs{set.name, {}, {}};
  for (int i = 0; i < count; ++i) {
    inputs.images.push_back(pixels ? model::encode_image(format, samples.pixels(i))
                                   : model::encode_values(format, samples.values(i)));
    if (samples.labelled()) inputs.labels.push_back(samples.label(i));
  }
  record.add_file("dataset", name);
  record.add_input(
      "images",
      {{"source", set.name}, {"part", "test"}, {"images", count}, {"hash", hash_of(samples.bytes(0, count))}});
  return inputs;
}

}  // namespace

Inputs make_inputs(const Workload& workload, const WorkloadOptions& options, int count, const Common& common,
                   RunRecord& record) {
  if (workload.imported && workload.imported->samples) return sample_inputs(workload, count, record);
  const model::TensorFormat& format = workload.network.tensors.at(0);
  const bool fits = format.shape == model::Shape{28, 28, 1} && format.coding == model::Coding::unsigned_code &&
                    format.zero_point == 0;
  if (options.dataset == random_dataset ||
      (options.dataset.empty() && (workload.imported || (!workload.trained && !fits)))) {
    record.add_input("images", {{"source", "random codes"}, {"images", count}});
    return {"random codes", random_images(format, count, common.seed), {}};
  }
  // A trained network is shown the data set it was trained on.
  const std::string trained_on =
      workload.origin.value("dataset_source", workload.origin.value("dataset", default_dataset));
  const std::string name = options.dataset.empty() ? trained_on : options.dataset;
  if (model::names_description(name)) return described_inputs(workload, name, count, record);
  const model::Images test = model::load_test_images(name, count);
  check_fit(name, test.shape, test.count(), workload, count);
  Inputs inputs{name, {}, {}};
  for (int i = 0; i < count; ++i) {
    inputs.images.push_back(model::encode_image(format, test.image(i)));
    inputs.labels.push_back(test.labels[static_cast<std::size_t>(i)]);
  }
  record.add_input(
      "images",
      {{"source", name},
       {"part", "test"},
       {"images", count},
       {"hash", hash_of(std::span(test.pixels).first(static_cast<std::size_t>(count * format.shape.elements())))}});
  return inputs;
}

}  // namespace bitstrata::cli
