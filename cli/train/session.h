// SPDX-License-Identifier: Apache-2.0
// A trainer with its progress bar and its resume file.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "cli/train/verb.h"
#include "model/progress.h"
#include "quant/annealing.h"
#include "quant/trainer.h"

namespace bitstrata::cli {

// Throws std::invalid_argument when the file is missing, damaged or made for another network.
void load_weights(quant::Trainer& trainer, const std::filesystem::path& file);

// Learning rates of fine-tuning: up to `peak` soon, then down to 0.
quant::EpochSchedule finetune_schedule(double peak);
// How many of the last epochs of fine-tuning normalise by running statistics, as the network is run: one, where the
// rate has fallen far by then. Of two or three epochs the last begins at half or a quarter of it, where such training
// diverges.
int frozen_epochs(int finetune_epochs);

class Session {
 public:
  Session(std::unique_ptr<quant::Trainer> trainer, const Common& common);
  quant::Trainer& trainer() { return *trainer_; }
  const quant::Trainer& trainer() const { return *trainer_; }

  void begin_epoch(const std::string& label);
  void end_epoch();

  // What is left of fine-tuning, epoch by epoch, each told; `after` is called behind every one.
  void finetune(quant::Annealing& annealing, const std::function<void()>& after);

  // A resume file holds `identity`, the options that decide the result; resuming under others is refused
  // (std::invalid_argument). Returns the caller's note, or nothing when there is nothing to resume.
  std::optional<nlohmann::json> resume(const std::filesystem::path& file, bool wanted, const nlohmann::json& identity);
  void save(const std::filesystem::path& file, const nlohmann::json& identity, const nlohmann::json& note);

 private:
  const Common& common_;
  std::unique_ptr<quant::Trainer> trainer_;
  std::unique_ptr<model::Progress> progress_;
  std::string label_;
};

}  // namespace bitstrata::cli
