// SPDX-License-Identifier: Apache-2.0
#include "quant/ranking.h"

#include <algorithm>

namespace bitstrata::quant {

using torch::Tensor;

namespace {

constexpr std::int64_t kBatch = 512;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

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
    Tensor score = density.channel_nonzero[at(step.activated)].to(torch::kFloat32) * scale;
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

}  // namespace bitstrata::quant
