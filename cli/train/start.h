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

// A built-in network untrained, a run folder's float network with what is known of it, or an ONNX file.
struct Start {
  model::Network network;
  std::filesystem::path weights;  // empty: untrained
  std::optional<model::FloatNetwork> imported;
  nlohmann::json run = nlohmann::json::object();  // run.json of the folder

  std::unique_ptr<quant::Trainer> make_trainer(const quant::TrainingData& data, const quant::TrainOptions& train,
                                               const quant::QuantizeOptions& quantize) const;
};

// Throws std::invalid_argument where there is no such network, or one whose tensors have widths already.
Start find_start(const std::string& name);

}  // namespace bitstrata::cli
