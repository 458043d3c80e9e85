// SPDX-License-Identifier: Apache-2.0
// A training phase of a fixed number of epochs under one falling learning rate, keeping the best epoch.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "quant/trainable.h"

namespace bitstrata::quant {

// Each step trains one epoch and judges it on the validation images; the best state is kept and is what the network is
// left in after the last step. Float training and fine-tuning are both such phases.
class Annealing {
 public:
  struct Epoch {
    double loss = 0, train_accuracy = 0, validation_accuracy = 0, seconds = 0;
    std::vector<double> density;
  };

  // The last `frozen_epochs` normalise by running statistics. With `start_counts` the state before the first epoch
  // competes, too (a quantized network that fine-tuning may fail to improve).
  Annealing(int epochs, EpochSchedule schedule, int frozen_epochs = 0, bool start_counts = false);

  void step(Trainable& network);
  bool done() const { return static_cast<int>(epochs_.size()) >= count_; }
  int count() const { return count_; }
  const std::vector<Epoch>& epochs() const { return epochs_; }
  double best_accuracy() const { return best_accuracy_; }
  int best_epoch() const { return best_epoch_; }  // 1-based; 0: the state before the first epoch
  nlohmann::json state() const;
  void resume(const nlohmann::json& state);

 private:
  int count_;
  EpochSchedule schedule_;
  int frozen_epochs_;
  bool start_counts_;
  double best_accuracy_ = -1;
  int best_epoch_ = 0;
  std::vector<Epoch> epochs_;
};

nlohmann::json to_json(const Annealing::Epoch& epoch);

}  // namespace bitstrata::quant
