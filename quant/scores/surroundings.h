// SPDX-License-Identifier: Apache-2.0
// What scores are asked about: single changes of a plan, on some images (internal: includes LibTorch).
#pragma once

#include <functional>

#include "quant/module.h"
#include "quant/scores/score.h"
#include "quant/search/search_space.h"

namespace bitstrata::quant {

// What the loss is taken against.
enum class Against {
  labels,  // mean cross entropy of the right classes
  teacher  // mean Kullback-Leibler divergence from the float network's answers: needs no labels
};

// Sum over the rows of KL(softmax wanted || softmax own), of logits [n][classes].
double divergence(const torch::Tensor& wanted, const torch::Tensor& own);

// A pass under a plan after training, as searches judge it.
ForwardOptions quantized_pass();

// One network's weights and the images that plans are judged on.
struct Subject {
  const Module& module;
  // What Module::forward takes; int64 [n]; logits [n][classes] of the float network, or undefined.
  torch::Tensor images, labels, teacher;
  Against against = Against::labels;
  std::vector<torch::Tensor> ranking = {};  // by channel group: channels from the most to the least important

  std::int64_t count() const { return images.size(0); }
  // The mean of the losses of `logits`, which are those of the images from `first` on, with its gradient; and their
  // sum.
  torch::Tensor mean_loss(const torch::Tensor& logits, std::int64_t first, Against against) const;
  double loss(const torch::Tensor& logits, std::int64_t first, Against against) const;
  // By channel group: how many the plan keeps, of those that the module still has.
  std::vector<int> counts(const model::Plan& plan) const;
  KeptChannels kept(const model::Plan& plan) const;
  // The module under a plan, with the highest ranked channels where the plan keeps fewer.
  Module under(const model::Plan& plan) const;
  // By step: its share of a pass.
  std::vector<double> work() const;
  // Calls `batch` with where each batch of images begins, and its images.
  void for_batches(const std::function<void(std::int64_t first, const torch::Tensor& images)>& batch) const;
};

class Replay;
struct Change;

// Single changes of a point's plan.
class Surroundings {
 public:
  // All are referred to.
  Surroundings(const Subject& of, const SearchSpace& in, const Point& at, int within)
      : subject(of), space(in), point(at), reach(within) {}

  const Subject& subject;
  const SearchSpace& space;
  const Point& point;
  const int reach;
  double passes = 0;  // images through the network so far, parts of it counted as such

  const Variable& variable(std::size_t v) const { return space.variables()[v]; }
  // Is the value within reach, and are its channels still there? The point's own value is.
  bool asked(std::size_t v, std::size_t value) const;
  model::Plan plan() const { return space.plan(point); }
  model::Plan plan_with(std::size_t v, int value) const;

  // 0 for every value.
  Losses distances() const;
  // Distances less that of the point's own value, divided by `count`; infinite where not asked.
  Losses relative(Losses distances, double count) const;

  // Calls `visit` for every batch and variable with a choice: `replay` has the values of the batch under the plan, for
  // a channel variable with all channels of its group, and gradients where wanted.
  void replayed(bool gradients, const std::function<void(std::size_t v, Replay& replay)>& visit);
  // What value `value` of variable `v` gives in its replay.
  Change change(std::size_t v, std::size_t value, Replay& replay) const;

 private:
  int fullest(std::size_t v) const;
  // The channels that the value lacks of those that the replay of this variable has, int64.
  torch::Tensor removed(std::size_t v, std::size_t value) const;
};

}  // namespace bitstrata::quant
