// SPDX-License-Identifier: Apache-2.0
// A training phase of a fixed number of epochs under one falling learning rate, keeping one of the best epochs.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "quant/trainable.h"

namespace bitstrata::quant {

// Each step trains one epoch and judges it on the validation images; a best state is kept and is what the network is
// left in after the last step. Float training and fine-tuning are both such phases.
class Annealing {
 public:
  struct Epoch {
    double loss = 0, train_accuracy = 0, validation_accuracy = 0, seconds = 0;
    std::vector<double> density;
  };

  // The last `frozen_epochs` normalise by running statistics. With `start_counts` the state before the first epoch
  // competes, too (a quantized network that fine-tuning may fail to improve). `judged_on`: validation images; where it
  // is given, accuracies of fewer than a standard error below the best count as equal, and the latest of them is kept
  // (the one-standard-error rule of Breiman et al., Classification and Regression Trees, 1984): a few dozen images
  // cannot tell the best of many epochs, and the rate falls towards the last.
  Annealing(int epochs, EpochSchedule schedule, int frozen_epochs = 0, bool start_counts = false, int judged_on = 0);

  void step(Trainable& network);
  bool done() const { return static_cast<int>(epochs_.size()) >= count_; }
  int count() const { return count_; }
  const std::vector<Epoch>& epochs() const { return epochs_; }
  double best_accuracy() const { return best_accuracy_; }
  // The epoch that is kept, 1-based; 0: the state before the first one.
  int kept_epoch() const { return kept_epoch_; }
  double kept_accuracy() const { return kept_accuracy_; }
  nlohmann::json state() const;
  void resume(const nlohmann::json& state);

 private:
  int count_;
  EpochSchedule schedule_;
  int frozen_epochs_;
  bool start_counts_;
  int judged_on_;
  double best_accuracy_ = -1, kept_accuracy_ = -1;
  int kept_epoch_ = 0;
  std::vector<Epoch> epochs_;
};

nlohmann::json to_json(const Annealing::Epoch& epoch);

}  // namespace bitstrata::quant
