// SPDX-License-Identifier: Apache-2.0
// Normalised squared distances from the float network, as Sony's Model Compression Toolkit takes them.
#include "quant/scores/distance.h"

#include <cmath>
#include <functional>

#include "quant/scores/measured.h"

namespace bitstrata::quant {

namespace {

using torch::Tensor;

constexpr double kSigma = 0.1;
constexpr double kLeastNorm = 1e-20;  // of an image on which a layer is silent: it has no distance to normalise

std::size_t at(int index) { return static_cast<std::size_t>(index); }

double mean_by(const std::vector<double>& distances, const std::function<double(double)>& weight) {
  double sum = 0, weights = 0;
  for (std::size_t i = 0; i + 1 < distances.size(); ++i) {
    sum += weight(distances[i]) * distances[i];
    weights += weight(distances[i]);
  }
  return (weights > 0 ? sum / weights : 0) + distances.back();
}

// By image: squared distance as a share of the float values' square.
Tensor normalised(const Tensor& own, const Tensor& wanted) {
  const Tensor error = (own - wanted).flatten(1).square().sum(1), norm = wanted.flatten(1).square().sum(1);
  return error / norm.clamp_min(kLeastNorm);
}

Losses distance_score(Surroundings& s, double (*distance)(const std::vector<double>&)) {
  const torch::NoGradGuard no_grad;
  const Layout& layout = s.subject.module.layout();
  const ChannelGroups& groups = s.subject.module.groups();
  Module module = s.subject.module;
  std::vector<int> hidden;  // tensors that weight layers write
  for (const Step& step : layout.steps)
    if (step.stage >= 0 && &step != &layout.steps.back()) hidden.push_back(step.output);
  std::vector<Module::Values> wanted;
  s.subject.for_batches([&](std::int64_t, const Tensor& images) {
    wanted.push_back(module.begin(images, {}));
    module.run(wanted.back(), 0, {});
    s.passes += static_cast<double>(images.size(0));
  });
  // Channels that are not there give 0.
  const auto whole = [&](const Tensor& values, const Tensor& like, int tensor, const KeptChannels& kept) {
    if (values.sizes() == like.sizes()) return values;
    const std::vector<std::int64_t> places = positions(groups, groups.nodes[at(layout.tensors[at(tensor)].node)], kept);
    return torch::zeros_like(like).index_copy(1, torch::tensor(places, torch::kInt64), values);
  };
  const std::int64_t each = wanted.front().tensors[0].size(0);
  const Measure measure = {
      [&](const Module::Values& values, const KeptChannels& kept, std::int64_t first) {
        const Module::Values& floats = wanted[static_cast<std::size_t>(first / each)];
        std::vector<double> sums;
        for (const int t : hidden) {
          const Tensor& like = floats.tensors[at(t)];
          sums.push_back(normalised(whole(values.tensors[at(t)], like, t, kept), like).sum().item<double>());
        }
        sums.push_back(normalised(values.tensors.back(), floats.tensors.back()).sum().item<double>());
        return sums;
      },
      distance};
  return measured_changes(s, measure);
}

}  // namespace

double mean_distance(const std::vector<double>& distances) {
  return mean_by(distances, [](double) { return 1.0; });
}

double weighted_distance(const std::vector<double>& distances) {
  return mean_by(distances, [](double distance) { return -std::expm1(-distance / kSigma); });
}

Losses mean_distance_score(Surroundings& surroundings) { return distance_score(surroundings, mean_distance); }

Losses weighted_distance_score(Surroundings& surroundings) { return distance_score(surroundings, weighted_distance); }

}  // namespace bitstrata::quant
