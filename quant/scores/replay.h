// SPDX-License-Identifier: Apache-2.0
// What a change makes of the values where it happens, the rest of the network being left alone (internal: includes
// LibTorch).
#pragma once

#include <map>
#include <vector>

#include "quant/module.h"
#include "quant/search/search_space.h"

namespace bitstrata::quant {

// What one change gives, from the present values in front of it.
struct Change {
  // By step: what weight layers (and the network's last step) give before it is rounded, where the change arrives at
  // them: a layer whose weights change; those that read what changed, through whatever has no weights.
  std::map<std::size_t, torch::Tensor> results;
  // A width: by tensor, all values that are rounded with it. Channels: tensors that layers read, without them.
  std::map<int, torch::Tensor> tensors;
  // A width: the step of every tensor that has a format of its own, by tensor.
  std::map<int, double> steps;
  // Weights, rounded, in the folded domain; the mean over channels of their step, in that of training.
  torch::Tensor weights;
  double weight_step = 0;
};

// One batch under one module's plan.
class Replay {
 public:
  // With `labels` also finds the gradients of the sum of their cross entropies. What is calculated is added to `passes`
  // in images through the network; `work`: by step, its share of a pass. Both are referred to.
  Replay(Module module, const torch::Tensor& images, const torch::Tensor& labels, const std::vector<double>& work,
         double& passes);

  Change weights(int stage, int bits);
  // Rounds `tensor` and all that follows its width to `bits` bits.
  Change width(int tensor, int bits);
  // Without some channels of a group, which are numbered as the module has them.
  Change channels(int group, const torch::Tensor& removed);

  // What the variable's changes are held against: 16 bits, which hardly round (8 of what a table gives); all channels.
  Change unchanged(const Variable& variable);

  Module& module() { return module_; }
  const Module::Values& values() const { return values_; }
  const torch::Tensor& images() const { return images_; }
  const torch::Tensor& logits() const { return logits_; }
  // dLoss/d what step gives before it is rounded, dLoss/d tensor; undefined where nothing depends on it.
  const torch::Tensor& gradient_of_result(std::size_t step) const { return result_gradients_.at(step); }
  const torch::Tensor& gradient_of_tensor(int tensor) const {
    return tensor_gradients_.at(static_cast<std::size_t>(tensor));
  }
  // The mean over images and weights of the squared gradient of an image's loss with respect to folded weights: image
  // by image, all stages at once when first asked.
  double curvature_of_weights(int stage);
  std::int64_t count() const { return images_.size(0); }
  // The places that `channels` of `group` have in a tensor; empty where it does not hold the group.
  torch::Tensor places(int group, const torch::Tensor& channels, int tensor) const;

 private:
  void differentiate();
  void worked(std::size_t step) { passes_ += work_[step] * static_cast<double>(count()); }
  model::Plan with_width(int tensor, int bits) const;
  int finest(int tensor) const;

  Module module_;
  torch::Tensor images_, labels_;
  const std::vector<double>& work_;
  double& passes_;
  Module::Values values_;
  torch::Tensor logits_;
  std::vector<torch::Tensor> results_, result_gradients_, tensor_gradients_;
  std::vector<double> curvatures_;  // by stage; empty: not asked yet
};

}  // namespace bitstrata::quant
