// SPDX-License-Identifier: Apache-2.0
// What single changes of a plan do to the loss, measured on some images around the plan itself (internal: includes
// LibTorch).
#pragma once

#include "quant/module.h"
#include "quant/search/oracle.h"

namespace bitstrata::quant {

// What the loss is taken against.
enum class Against {
  labels,  // mean cross entropy of the right classes
  teacher  // mean Kullback-Leibler divergence from the float network's answers: needs no labels
};

// Judges plans of one module's weights on a set of images, without training. The module itself is left as it is.
class Sensitivity final : public LossOracle {
 public:
  // `images` as Module::forward takes them, `labels` int64 [n]. `teacher`: logits [n][classes] of the float network.
  Sensitivity(const Module& module, torch::Tensor images, torch::Tensor labels, torch::Tensor teacher, Against against);

  // The mean loss of the module with the plan's widths and the highest ranked of its channels.
  double loss(const model::Plan& plan) override;
  // Share of right answers, in the same way.
  double accuracy(const model::Plan& plan);

  // What lies in front of a change is not calculated again.
  Losses single_changes(const SearchSpace& space, const Point& point, int reach) override;
  std::vector<double> densities(const model::Plan& plan) override;
  // Nothing: the weights stay as they are, and channels may come back.
  void adapt(const model::Plan&) override {}

  // Images through the whole network so far, parts of it counted as such.
  double passes() const override { return passes_; }

 private:
  struct Answer {
    double loss = 0;
    std::int64_t right = 0;
  };
  Answer judge(const torch::Tensor& logits, std::int64_t first) const;
  Answer answers(Module& module);
  // The module under a plan, pruned where the plan keeps fewer channels.
  Module under(const model::Plan& plan) const;

  const Module& module_;
  torch::Tensor images_, labels_, teacher_;
  Against against_;
  std::vector<torch::Tensor> ranking_;  // by channel group: channels from the most to the least important
  std::vector<double> work_;            // by step: its share of a pass
  double passes_ = 0;
};

// Channels of every group from the most to the least important: the share of non-zero outputs of a channel times the
// scale its batch norm gives it (without batch norm: the norm of its weights), as a share of the layer's largest, over
// all layers that write the group. A dead channel comes last whatever its weights.
std::vector<torch::Tensor> rank_channels(Module& module, const torch::Tensor& images, bool quantized);

// The `counts` highest ranked channels of every group.
KeptChannels highest(const std::vector<torch::Tensor>& ranking, const std::vector<int>& counts);

}  // namespace bitstrata::quant
