// SPDX-License-Identifier: Apache-2.0
#include "quant/scores/replay.h"

#include <algorithm>

#include "model/activations.h"
#include "quant/scores/surroundings.h"

namespace bitstrata::quant {

namespace {

using torch::Tensor;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

}  // namespace

Replay::Replay(Module module, const Tensor& images, const Tensor& labels, const std::vector<double>& work,
               double& passes)
    : module_(std::move(module)), images_(images), labels_(labels), work_(work), passes_(passes) {
  ForwardOptions forward = quantized_pass();
  forward.results = &results_;
  const bool gradients = labels.defined();
  const torch::AutoGradMode mode(gradients);
  values_ = module_.begin(images_, forward);
  if (gradients) values_.tensors[0].requires_grad_();
  module_.run(values_, 0, forward);
  passes_ += static_cast<double>(count());
  if (gradients) differentiate();
  logits_ = values_.tensors.back().flatten(1);
}

void Replay::differentiate() {
  std::vector<Tensor> of = results_;
  of.insert(of.end(), values_.tensors.begin(), values_.tensors.end());
  const Tensor loss = torch::cross_entropy_loss(values_.tensors.back().flatten(1), labels_, {}, at::Reduction::Sum);
  const std::vector<Tensor> gradients = torch::autograd::grad({loss}, of, {}, {}, false, true);
  passes_ += 2.0 * static_cast<double>(count());
  const auto tensors = gradients.begin() + static_cast<std::ptrdiff_t>(results_.size());
  result_gradients_.assign(gradients.begin(), tensors);
  tensor_gradients_.assign(tensors, gradients.end());
  for (Tensor& result : results_) result = result.detach();
  for (Tensor& tensor : values_.tensors) tensor = tensor.detach();
}

double Replay::curvature_of_weights(int stage) {
  if (curvatures_.empty()) {
    ForwardOptions forward;  // shifts stay those of the whole batch
    forward.quantized = true;
    const int stages = static_cast<int>(module_.layout().stages.size());
    std::vector<Tensor> weights;
    for (int s = 0; s < stages; ++s) weights.push_back(module_.stage(s).weight);
    curvatures_.assign(weights.size(), 0.0);
    const torch::AutoGradMode mode(true);
    for (std::int64_t i = 0; i < count(); ++i) {
      const Tensor logits = module_.forward(images_.narrow(0, i, 1), forward);
      const Tensor loss = torch::cross_entropy_loss(logits, labels_.narrow(0, i, 1));
      const std::vector<Tensor> gradients = torch::autograd::grad({loss}, weights);
      for (int s = 0; s < stages; ++s) {
        const Tensor folded = gradients[at(s)] / module_.folding_gain(s).view({-1, 1, 1, 1});
        curvatures_[at(s)] += folded.square().mean().item<double>() / static_cast<double>(count());
      }
    }
    passes_ += 3.0 * static_cast<double>(count());
  }
  return curvatures_[at(stage)];
}

Change Replay::weights(int stage, int bits) {
  const torch::NoGradGuard no_grad;
  Module module = module_;
  model::Plan plan = module.plan();
  plan.layers[at(stage)].weight_bits = bits;
  module.set_plan(plan);
  Change change;
  change.weights = module.rounded_weight(stage);
  change.weight_step =
      learned_weight_step(module.scale_of_weights(stage), module.folding_gain(stage), module.options.granularity)
          .mean()
          .item<double>();
  const std::vector<Step>& steps = module.layout().steps;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].stage != stage) continue;
    change.results[i] = module.unrounded(i, values_, quantized_pass());
    worked(i);
  }
  return change;
}

model::Plan Replay::with_width(int tensor, int bits) const {
  model::Plan plan = module_.plan();
  for (const int reader : module_.layout().tensors[at(tensor)].readers) plan.layers[at(reader)].activation_bits = bits;
  return plan;
}

Change Replay::width(int tensor, int bits) {
  const torch::NoGradGuard no_grad;
  const ForwardOptions forward = quantized_pass();
  const Layout& layout = module_.layout();
  const model::Plan plan = with_width(tensor, bits);
  const std::vector<int> low = tensor_bits(layout, with_width(tensor, 1)),
                         high = tensor_bits(layout, with_width(tensor, 16));
  const auto follows = [&](int t) { return low[at(t)] != high[at(t)]; };
  Module module = module_;
  module.set_plan(plan);
  Change change;
  Module::Values values = values_;
  std::vector<bool> moved(layout.tensors.size(), false);
  const auto round = [&](int t, const Module::Values& from) {
    change.tensors[t] = from.tensors[at(t)];
    if (layout.tensors[at(t)].source == t) change.steps[t] = from.grids[at(t)].step;
  };
  if (follows(0)) {
    const Module::Values input = module.begin(images_, forward);
    values.tensors[0] = input.tensors[0], values.grids[0] = input.grids[0];
    moved[0] = true;
    round(0, values);
  }
  for (std::size_t i = 0; i < layout.steps.size(); ++i) {
    const Step& step = layout.steps[i];
    const bool arrives = std::ranges::any_of(step.inputs, [&](int input) { return moved[at(input)]; });
    if (!arrives && !follows(step.output)) continue;
    const bool last = i + 1 == layout.steps.size();
    if (arrives && (step.stage >= 0 || last)) {
      change.results[i] = module.unrounded(i, values, forward);
      worked(i);
    }
    if (follows(step.output)) {  // from what is in front of it at present, in the new format
      Module::Values present = values_;
      present.grids[at(layout.tensors[at(step.output)].source)] =
          values.grids[at(layout.tensors[at(step.output)].source)];
      module.round_step(i, results_[i], present, forward);
      round(step.output, present);
      values.grids[at(step.output)] = present.grids[at(step.output)];
      if (step.stage >= 0) values.tensors[at(step.output)] = present.tensors[at(step.output)];
    }
    if (step.stage >= 0) {
      moved[at(step.output)] = follows(step.output);
    } else {
      module.run_step(i, values, forward);
      moved[at(step.output)] = true;
    }
  }
  return change;
}

Tensor Replay::places(int group, const Tensor& channels, int tensor) const {
  const ChannelGroups& groups = module_.groups();
  std::vector<Tensor> found;
  std::int64_t start = 0;
  for (const int part : groups.nodes[at(module_.layout().tensors[at(tensor)].node)]) {
    if (part == group) found.push_back(channels + start);
    start += groups.groups[at(part)].size;
  }
  return found.empty() ? torch::empty({0}, torch::kInt64) : torch::cat(found);
}

Change Replay::channels(int group, const Tensor& removed) {
  const torch::NoGradGuard no_grad;
  const ForwardOptions forward = quantized_pass();
  const Layout& layout = module_.layout();
  Module module = module_;
  Change change;
  Module::Values values = values_;
  std::vector<bool> moved(layout.tensors.size(), false);
  for (std::size_t i = 0; i < layout.steps.size(); ++i) {
    const Step& step = layout.steps[i];
    const Tensor lost = places(group, removed, step.output);
    const bool arrives = std::ranges::any_of(step.inputs, [&](int input) { return moved[at(input)]; });
    const bool last = i + 1 == layout.steps.size();
    if (arrives && (step.stage >= 0 || last)) {
      Tensor result = module.unrounded(i, values, forward);
      // What such a layer would have given on the removed channels is gone, too: it counts where it is read.
      if (lost.numel() > 0) result = result.index_copy(1, lost, results_[i].index_select(1, lost));
      change.results[i] = result;
      worked(i);
    }
    if (arrives && step.stage < 0) {
      module.run_step(i, values, forward);
      moved[at(step.output)] = true;
    }
    if (lost.numel() == 0) continue;
    Tensor& tensor = values.tensors[at(step.output)];
    tensor = tensor.index_fill(1, lost, 0);
    moved[at(step.output)] = true;
    const TensorNode& node = layout.tensors[at(step.output)];
    if (node.source == step.output && !node.readers.empty())
      change.tensors[step.output] = values_.tensors[at(step.output)].index_fill(1, lost, 0);
  }
  return change;
}

int Replay::finest(int tensor) const {
  const Layout& layout = module_.layout();
  const std::vector<int> bits = tensor_bits(layout, with_width(tensor, 16));
  for (const Step& step : layout.steps) {
    if (step.activation >= 0) {
      const int most = info(ending_of(module_.network().node(step.activation).op)).most_bits;
      if (bits[at(step.output)] > most) return most;
    }
  }
  return 16;
}

Change Replay::unchanged(const Variable& variable) {
  if (variable.kind == Variable::Kind::weights) return weights(variable.index, 16);
  if (variable.kind == Variable::Kind::tensor) return width(variable.index, finest(variable.index));
  Change change;
  for (std::size_t i = 0; i < results_.size(); ++i) change.results[i] = results_[i];
  for (std::size_t t = 0; t < values_.tensors.size(); ++t) change.tensors[static_cast<int>(t)] = values_.tensors[t];
  return change;
}

}  // namespace bitstrata::quant
