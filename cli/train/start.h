// SPDX-License-Identifier: Apache-2.0
// What a quantization starts from.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "model/float_network.h"
#include "quant/trainer.h"

namespace bitstrata::cli {

// A built-in network untrained, a run folder's network with what is known of it, or an ONNX file.
struct Start {
  model::Network network;
  std::filesystem::path weights;  // empty: untrained
  std::optional<model::FloatNetwork> imported;
  bool trained_quantized = false;  // a run folder of `quantize` that trained: there is no float network any more
  nlohmann::json run = nlohmann::json::object();  // run.json of the folder

  // From a run folder of `quantize`: its weights with the channels that it kept.
  bool continues() const;
  // Throws std::invalid_argument where `option` asks for the answers of the float network `name` and there is none.
  void check_float(const std::string& option, const std::string& name) const;
  // Throws std::invalid_argument where a run in `out` would replace what it starts from.
  void check_out(const std::filesystem::path& out) const;
  std::unique_ptr<quant::Trainer> make_trainer(const quant::TrainingData& data, const quant::TrainOptions& train,
                                               const quant::QuantizeOptions& quantize) const;
};

// Throws std::invalid_argument where there is no such network, or one whose tensors have widths already.
Start find_start(const std::string& name);

}  // namespace bitstrata::cli
