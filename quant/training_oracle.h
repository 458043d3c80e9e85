// SPDX-License-Identifier: Apache-2.0
// A trainer's network as searches ask about it: losses on some images, and training in
// between.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "quant/search/oracle.h"
#include "quant/trainer.h"

namespace bitstrata::quant {

struct OracleOptions {
  int images = 512;      // that losses are taken on: of validation first, and where these are fewer, of training
  bool teacher = false;  // divergence from the float network's answers, which needs no labels, instead of cross entropy
  std::string score = "loss";  // what tells of single changes (scores/score.h)
  int epochs = 0;              // of training between questions; 0: the weights stay as they are
  EpochSchedule schedule;
  // Trials: training images in all, in epochs of at most so many; 0: there are none.
  int trial_images = 0;
  double trial_rate = 0;       // the highest learning rate; it falls to 0
  int calibration_images = 0;  // that a trial's ranges start from where nothing was trained before
};

class TrainingOracle final : public LossOracle {
 public:
  // Both are referred to. The trainer is quantized already. Throws std::invalid_argument where there is no such score.
  TrainingOracle(Trainer& trainer, const TrainingData& data, const OracleOptions& options);
  ~TrainingOracle() override;

  double loss(const model::Plan& plan) override;
  Losses single_changes(const SearchSpace& space, const Point& point, int reach) override;
  Slopes slopes(const SearchSpace& space, const std::vector<double>& places, int turn) override;
  std::vector<double> densities(const model::Plan& plan) override;
  void adapt(const model::Plan& plan) override;
  bool trains() const override;
  double trial(const model::Plan& plan) override;
  bool tries() const override;
  double passes() const override;

  // The trainer's network under the plan, with the ranges that training goes on from: what was learned stays.
  void settle(const model::Plan& plan);
  // The trainer's network was replaced by a stored one.
  void refresh();
  int images() const;
  // Told before every epoch of training.
  std::function<void(int epoch, int epochs)> on_epoch;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bitstrata::quant
