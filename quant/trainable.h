// SPDX-License-Identifier: Apache-2.0
// What a search may ask of the network it searches on: train on, judge, change widths and channels, go back.
#pragma once

#include <vector>

#include "model/network.h"
#include "model/plan.h"
#include "quant/options.h"

namespace bitstrata::quant {

struct EpochReport {
  double loss = 0;            // mean of the epoch's batches: cross entropy, or what distillation makes of it
  double train_accuracy = 0;  // 0..1, of the batches as they were trained on
  double seconds = 0;
  double passes = 1;          // over the training images
  double teacher_passes = 0;  // forward passes of the float network over the training images, for distillation
  // Share of non-zero values over the epoch: of every weight layer's output, behind its activation, and of the tensor
  // that it reads.
  std::vector<double> density, input_density;
};

class Trainable {
 public:
  virtual ~Trainable() = default;
  virtual const model::Network& network() const = 0;  // with the kept channels
  virtual const model::Plan& plan() const = 0;
  virtual EpochReport train_epoch(const EpochSchedule& schedule) = 0;
  // 0..1 on the validation images; the test images are out of a search's reach.
  virtual double validation_accuracy() = 0;
  // New widths on the same weights; where the plan keeps fewer channels, the lowest ranked are removed.
  virtual void apply(const model::Plan& plan) = 0;
  // Remembers weights, optimizer state and plan / goes back to them.
  virtual void keep() = 0;
  virtual void restore() = 0;
};

}  // namespace bitstrata::quant
