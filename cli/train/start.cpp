// SPDX-License-Identifier: Apache-2.0
#include "cli/train/start.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>

#include "model/onnx/onnx.h"
#include "quant/tensor_file.h"

namespace bitstrata::cli {

using nlohmann::json;

namespace {

constexpr const char* checkpoint_file = "checkpoint.safetensors";

}  // namespace

std::unique_ptr<quant::Trainer> Start::make_trainer(const quant::TrainingData& data, const quant::TrainOptions& train,
                                                    const quant::QuantizeOptions& quantize) const {
  if (imported) return std::make_unique<quant::Trainer>(*imported, data, train, quantize);
  return std::make_unique<quant::Trainer>(network, data, train, quantize);
}

bool Start::continues() const { return weights.filename() == checkpoint_file; }

void Start::check_float(const std::string& option, const std::string& name) const {
  if (trained_quantized)
    throw std::invalid_argument(fmt::format(
        "{}: '{}' was trained under quantization and has no float network to follow; give --network the run "
        "folder of train that it came from",
        option, name));
}

void Start::check_out(const std::filesystem::path& out) const {
  const auto whole = [](const std::filesystem::path& path) { return std::filesystem::weakly_canonical(path); };
  if (continues() && whole(weights) == whole(out / checkpoint_file))
    throw std::invalid_argument(fmt::format(
        "--out {} is the folder that the run starts from and would replace its network; give another", out.string()));
}

Start find_start(const std::string& name) {
  Start start;
  if (std::filesystem::path(name).extension() == ".onnx") {
    start.weights = name;
    model::OutputLayout layout;
    try {
      start.imported = model::import_onnx(name, {}, &layout);
    } catch (const std::exception& error) {
      throw std::invalid_argument(fmt::format("--network: {}", error.what()));
    }
    if (start.imported->quantized())
      throw std::invalid_argument(
          fmt::format("--network {}: the file is quantized already; searches start from a float network", name));
    // A run folder's integers begin at the input's codes: what runs them would feed samples that were never scaled.
    if (!start.imported->input_scale.empty())
      throw std::invalid_argument(fmt::format(
          "--network {}: the file scales its input before the first layer, which a run folder does not keep; "
          "leave that to scale, mean and std of the dataset.yaml and take it out of the file",
          name));
    if (!std::ranges::is_sorted(layout.places))
      throw std::invalid_argument(fmt::format(
          "--network {}: its outputs of {} are in another order here, and labels would name other classes; give it one "
          "pixel of outputs, or flatten them behind the classes",
          name, fmt::join(layout.dims, "x")));
    start.network = start.imported->graph;
    return start;
  }
  if (!std::filesystem::is_directory(name)) {
    start.network = model::build_network(name);
    return start;
  }
  // Without a float network in the folder, what a quantize run learned: its weights, and the channels that it kept.
  const auto folder = std::filesystem::path(name);
  start.weights = folder / "float.safetensors";
  if (!std::filesystem::exists(start.weights) && std::filesystem::exists(folder / checkpoint_file))
    start.weights = folder / checkpoint_file;
  try {
    const quant::CheckpointHead head = quant::read_head(start.weights);
    start.network = model::build_network(head.network);
    start.trained_quantized = head.trained_quantized;
    std::ifstream stream(std::filesystem::path(name) / "run.json");
    if (stream) start.run = json::parse(stream);
  } catch (const std::exception& error) {
    throw std::invalid_argument(fmt::format("--network {}: {}", name, error.what()));
  }
  return start;
}

}  // namespace bitstrata::cli
