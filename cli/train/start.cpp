// SPDX-License-Identifier: Apache-2.0
#include "cli/train/start.h"

#include <fmt/format.h>

#include <fstream>

#include "model/onnx/onnx.h"
#include "quant/tensor_file.h"

namespace bitstrata::cli {

using nlohmann::json;

std::unique_ptr<quant::Trainer> Start::make_trainer(const quant::TrainingData& data, const quant::TrainOptions& train,
                                                    const quant::QuantizeOptions& quantize) const {
  if (imported) return std::make_unique<quant::Trainer>(*imported, data, train, quantize);
  return std::make_unique<quant::Trainer>(network, data, train, quantize);
}

Start find_start(const std::string& name) {
  Start start;
  if (std::filesystem::path(name).extension() == ".onnx") {
    start.weights = name;
    try {
      start.imported = model::import_onnx(name);
    } catch (const std::exception& error) {
      throw std::invalid_argument(fmt::format("--network: {}", error.what()));
    }
    if (start.imported->quantized())
      throw std::invalid_argument(
          fmt::format("--network {}: the file is quantized already; searches start from a float network", name));
    start.network = start.imported->graph;
    return start;
  }
  if (!std::filesystem::is_directory(name)) {
    start.network = model::build_network(name);
    return start;
  }
  start.weights = std::filesystem::path(name) / "float.safetensors";
  try {
    start.network = model::build_network(quant::read_head(start.weights).network);
    std::ifstream stream(std::filesystem::path(name) / "run.json");
    if (stream) start.run = json::parse(stream);
  } catch (const std::exception& error) {
    throw std::invalid_argument(fmt::format("--network {}: {}", name, error.what()));
  }
  return start;
}

void prepare_inputs(const model::FloatNetwork& network, quant::TrainingData& data) {
  if (network.input_scale.empty()) return;
  for (quant::Examples* part : {&data.train, &data.validation, &data.test}) {
    const auto size = static_cast<std::size_t>(part->shape.elements());
    std::vector<float> values;
    values.reserve(size * part->labels.size());
    for (std::size_t i = 0; i < part->labels.size(); ++i) {
      model::Reals image(size);
      for (std::size_t k = 0; k < size; ++k)
        image[k] =
            part->values.empty() ? static_cast<float>(part->bytes[i * size + k]) / 255.0F : part->values[i * size + k];
      const model::Reals prepared = model::prepare_input(network, image);
      values.insert(values.end(), prepared.begin(), prepared.end());
    }
    part->values = std::move(values);
    part->bytes.clear();
    part->border.resize(static_cast<std::size_t>(part->shape.channels));  // of bytes it is 0
    for (std::size_t c = 0; c < part->border.size(); ++c) {
      const std::size_t entry = c % network.input_scale.size();
      part->border[c] = static_cast<float>(network.input_scale[entry] * part->border[c] + network.input_offset[entry]);
    }
  }
}

}  // namespace bitstrata::cli
