// SPDX-License-Identifier: Apache-2.0
#include "quant/sensitivity.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <stdexcept>

namespace bitstrata::quant {

namespace {

using torch::Tensor;

constexpr std::int64_t kBatch = 512;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

ForwardOptions quantized_pass() {
  ForwardOptions forward;
  forward.quantized = true;
  forward.observed_values = 1 << 16;  // a range that is seen once stays
  forward.means = Means::match;
  return forward;
}

}  // namespace

std::vector<Tensor> rank_channels(Module& module, const Tensor& images, bool quantized) {
  const torch::NoGradGuard no_grad;
  DensityCount density;
  density.per_channel = true;
  ForwardOptions forward;
  forward.quantized = quantized;
  forward.density = &density;
  for (std::int64_t i = 0; i < images.size(0); i += kBatch)
    module.forward(images.narrow(0, i, std::min(kBatch, images.size(0) - i)), forward);
  const ChannelGroups& groups = module.groups();
  std::vector<Tensor> scores;
  for (const ChannelGroup& group : groups.groups) scores.push_back(torch::zeros({group.size}));
  for (const Step& step : module.layout().steps) {
    if (step.stage < 0) continue;
    const StageWeights& stage = module.stage(step.stage);
    const Tensor scale = stage.normalised() ? stage.gamma.detach().abs() : stage.weight.detach().flatten(1).norm(2, 1);
    Tensor score = density.channel_nonzero[at(step.output)].to(torch::kFloat32) * scale;
    score = score / score.max().clamp_min(1e-30);
    std::int64_t start = 0;
    for (const int part : groups.outputs[at(step.stage)]) {
      Tensor& sum = scores[at(part)];
      sum += score.narrow(0, start, sum.size(0));
      start += sum.size(0);
    }
  }
  std::vector<Tensor> ranking;
  for (const Tensor& score : scores) ranking.push_back(torch::argsort(score, 0, true));
  return ranking;
}

KeptChannels highest(const std::vector<Tensor>& ranking, const std::vector<int>& counts) {
  KeptChannels kept;
  for (std::size_t g = 0; g < ranking.size(); ++g) {
    const Tensor best = std::get<0>(ranking[g].narrow(0, 0, counts.at(g)).sort()).contiguous();
    kept.emplace_back(best.data_ptr<std::int64_t>(), best.data_ptr<std::int64_t>() + best.numel());
  }
  return kept;
}

Sensitivity::Sensitivity(const Module& module, Tensor images, Tensor labels, Tensor teacher, Against against)
    : module_(module),
      images_(std::move(images)),
      labels_(std::move(labels)),
      teacher_(std::move(teacher)),
      against_(against) {
  Module copy = module_;
  ranking_ = rank_channels(copy, images_, false);
  double all = 0;
  for (const Step& step : module_.layout().steps) {
    work_.push_back(static_cast<double>(module_.network().macs(step.node)));
    all += work_.back();
  }
  for (double& work : work_) work /= all;
}

Module Sensitivity::under(const model::Plan& plan) const {
  const ChannelGroups& groups = module_.groups();
  std::vector<int> counts = model::group_counts(groups, plan);
  bool fewer = false;
  for (std::size_t g = 0; g < counts.size(); ++g) {
    counts[g] = std::min(counts[g], groups.groups[g].size);  // channels that training went on without do not come back
    fewer = fewer || counts[g] < groups.groups[g].size;
  }
  Module module = fewer ? module_.with_channels(highest(ranking_, counts), nullptr) : module_;
  model::Plan tied = plan;
  model::set_channels(groups, counts, tied);
  module.set_plan(tied);
  return module;
}

Sensitivity::Answer Sensitivity::judge(const Tensor& logits, std::int64_t first) const {
  const std::int64_t n = logits.size(0);
  Answer answer;
  if (labels_.defined()) answer.right = logits.argmax(1).eq(labels_.narrow(0, first, n)).sum().item<std::int64_t>();
  if (against_ == Against::labels) {
    answer.loss =
        torch::cross_entropy_loss(logits, labels_.narrow(0, first, n)).item<double>() * static_cast<double>(n);
  } else {
    const Tensor wanted = torch::log_softmax(teacher_.narrow(0, first, n), 1), own = torch::log_softmax(logits, 1);
    answer.loss = (wanted.exp() * (wanted - own)).sum().item<double>();
  }
  return answer;
}

Sensitivity::Answer Sensitivity::answers(Module& module) {
  const torch::NoGradGuard no_grad;
  Answer sum;
  for (std::int64_t i = 0; i < images_.size(0); i += kBatch) {
    const std::int64_t n = std::min(kBatch, images_.size(0) - i);
    const Answer part = judge(module.forward(images_.narrow(0, i, n), quantized_pass()), i);
    sum.loss += part.loss;
    sum.right += part.right;
    passes_ += static_cast<double>(n);
  }
  return sum;
}

double Sensitivity::loss(const model::Plan& plan) {
  Module module = under(plan);
  return answers(module).loss / static_cast<double>(images_.size(0));
}

double Sensitivity::accuracy(const model::Plan& plan) {
  if (!labels_.defined()) throw std::invalid_argument("accuracy needs labels");
  Module module = under(plan);
  return static_cast<double>(answers(module).right) / static_cast<double>(images_.size(0));
}

std::vector<double> Sensitivity::densities(const model::Plan& plan) {
  const torch::NoGradGuard no_grad;
  Module module = under(plan);
  DensityCount density;
  ForwardOptions forward = quantized_pass();
  forward.density = &density;
  for (std::int64_t i = 0; i < images_.size(0); i += kBatch) {
    const std::int64_t n = std::min(kBatch, images_.size(0) - i);
    module.forward(images_.narrow(0, i, n), forward);
    passes_ += static_cast<double>(n);
  }
  std::vector<double> shares;
  for (const Step& step : module.layout().steps)
    if (step.stage >= 0)
      shares.push_back(static_cast<double>(density.nonzero[at(step.output)]) /
                       static_cast<double>(density.total[at(step.output)]));
  return shares;
}

Losses Sensitivity::single_changes(const SearchSpace& space, const Point& point, int reach) {
  const torch::NoGradGuard no_grad;
  Module base = under(space.plan(point));
  const Layout& layout = base.layout();
  const std::vector<int> bits = tensor_bits(layout, base.plan());
  const std::int64_t count = images_.size(0);
  std::vector<Module::Values> before;
  double own = 0;
  for (std::int64_t i = 0; i < count; i += kBatch) {
    const std::int64_t n = std::min(kBatch, count - i);
    before.push_back(base.begin(images_.narrow(0, i, n), quantized_pass()));
    base.run(before.back(), 0, quantized_pass());
    own += judge(before.back().tensors.back().flatten(1), i).loss;
    passes_ += static_cast<double>(n);
  }
  // What one variable changes is recalculated from the first step it touches on.
  const auto changed = [&](const model::Plan& plan, std::size_t first, bool input) {
    Module module = base;
    module.set_plan(plan);
    double loss = 0;
    for (std::int64_t i = 0, batch = 0; i < count; i += kBatch, ++batch) {
      const std::int64_t n = std::min(kBatch, count - i);
      Module::Values values = before[static_cast<std::size_t>(batch)];
      if (input) values = module.begin(images_.narrow(0, i, n), quantized_pass());
      module.run(values, first, quantized_pass());
      loss += judge(values.tensors.back().flatten(1), i).loss;
      for (std::size_t s = first; s < work_.size(); ++s) passes_ += work_[s] * static_cast<double>(n);
    }
    return loss;
  };
  Losses losses;
  for (std::size_t v = 0; v < space.variables().size(); ++v) {
    const Variable& variable = space.variables()[v];
    losses.emplace_back(variable.values.size(), 0.0);
    for (std::size_t k = 0; k < variable.values.size(); ++k) {
      if (static_cast<int>(k) == point[v]) continue;
      const bool far = std::abs(static_cast<int>(k) - point[v]) > reach;
      const bool gone = variable.kind == Variable::Kind::channels &&
                        variable.values[k] > module_.groups().groups[at(variable.index)].size;
      if (far || gone) {
        losses[v][k] = std::numeric_limits<double>::infinity();
        continue;
      }
      Point other = point;
      other[v] = static_cast<int>(k);
      const model::Plan plan = space.plan(other);
      double loss = 0;
      if (variable.kind == Variable::Kind::channels) {
        Module module = under(plan);
        loss = answers(module).loss;
      } else {
        const std::vector<int> now = tensor_bits(layout, plan);
        std::size_t first = layout.steps.size();
        for (std::size_t s = layout.steps.size(); s-- > 0;) {
          const Step& step = layout.steps[s];
          const bool weights = variable.kind == Variable::Kind::weights && step.stage == variable.index;
          if (weights || now[at(step.output)] != bits[at(step.output)]) first = s;
        }
        const bool input = now[0] != bits[0];
        loss = changed(plan, input ? 0 : first, input);
      }
      losses[v][k] = (loss - own) / static_cast<double>(count);
    }
  }
  return losses;
}

}  // namespace bitstrata::quant
