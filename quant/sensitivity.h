// SPDX-License-Identifier: Apache-2.0
// What plans and their single changes do to the loss, on some images (internal: includes LibTorch).
#pragma once

#include "quant/module.h"
#include "quant/scores/surroundings.h"
#include "quant/search/oracle.h"

namespace bitstrata::quant {

// Judges plans of one module's weights on a set of images, without training. The module itself is left as it is.
class Sensitivity final : public LossOracle {
 public:
  // `images` as Module::forward takes them, `labels` int64 [n]. `teacher`: logits [n][classes] of the float network.
  // `score`: what is answered about single changes; referred to. Throws std::invalid_argument where it needs labels or
  // a teacher that are not there.
  Sensitivity(const Module& module, torch::Tensor images, torch::Tensor labels, torch::Tensor teacher, Against against,
              const ChangeScore& score = scores().front());

  // The mean loss of the module with the plan's widths and the highest ranked of its channels.
  double loss(const model::Plan& plan) override;
  // Share of right answers, in the same way.
  double accuracy(const model::Plan& plan);

  Losses single_changes(const SearchSpace& space, const Point& point, int reach) override;
  // On 128 images in a turn. Not finite where the loss is not.
  Slopes slopes(const SearchSpace& space, const std::vector<double>& places, int turn) override;
  std::vector<double> densities(const model::Plan& plan) override;
  // Nothing: the weights stay as they are, and channels may come back.
  void adapt(const model::Plan&) override {}
  double trial(const model::Plan& plan) override { return loss(plan); }

  // Images through the whole network so far, parts of it counted as such; back through it counts twice.
  double passes() const override { return passes_; }

 private:
  Subject subject_;
  const ChangeScore& score_;
  double passes_ = 0;
};

}  // namespace bitstrata::quant
