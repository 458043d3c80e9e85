// SPDX-License-Identifier: Apache-2.0
#include "quant/sensitivity.h"

#include <fmt/format.h>

#include <stdexcept>

#include "quant/ranking.h"

namespace bitstrata::quant {

using torch::Tensor;

Sensitivity::Sensitivity(const Module& module, Tensor images, Tensor labels, Tensor teacher, Against against,
                         const ChangeScore& score)
    : subject_{module, std::move(images), std::move(labels), std::move(teacher), against}, score_(score) {
  if (score.needs_labels && !subject_.labels.defined())
    throw std::invalid_argument(fmt::format("'{}' needs labels", score.name));
  if ((score.needs_teacher || against == Against::teacher) && !subject_.teacher.defined())
    throw std::invalid_argument("the float network's answers are missing");
  Module copy = module;
  subject_.ranking = rank_channels(copy, subject_.images, false);
}

double Sensitivity::loss(const model::Plan& plan) {
  const torch::NoGradGuard no_grad;
  Module module = subject_.under(plan);
  double sum = 0;
  subject_.for_batches([&](std::int64_t first, const Tensor& images) {
    sum += subject_.loss(module.forward(images, quantized_pass()), first, subject_.against);
    passes_ += static_cast<double>(images.size(0));
  });
  return sum / static_cast<double>(subject_.count());
}

double Sensitivity::accuracy(const model::Plan& plan) {
  if (!subject_.labels.defined()) throw std::invalid_argument("accuracy needs labels");
  const torch::NoGradGuard no_grad;
  Module module = subject_.under(plan);
  std::int64_t right = 0;
  subject_.for_batches([&](std::int64_t first, const Tensor& images) {
    const Tensor found = module.forward(images, quantized_pass()).argmax(1);
    right += found.eq(subject_.labels.narrow(0, first, images.size(0))).sum().item<std::int64_t>();
    passes_ += static_cast<double>(images.size(0));
  });
  return static_cast<double>(right) / static_cast<double>(subject_.count());
}

std::vector<double> Sensitivity::densities(const model::Plan& plan) {
  const torch::NoGradGuard no_grad;
  Module module = subject_.under(plan);
  DensityCount density;
  ForwardOptions forward = quantized_pass();
  forward.density = &density;
  subject_.for_batches([&](std::int64_t, const Tensor& images) {
    module.forward(images, forward);
    passes_ += static_cast<double>(images.size(0));
  });
  std::vector<double> shares;
  for (const Step& step : module.layout().steps) {
    const auto tensor = static_cast<std::size_t>(step.output);
    if (step.stage >= 0)
      shares.push_back(static_cast<double>(density.nonzero[tensor]) / static_cast<double>(density.total[tensor]));
  }
  return shares;
}

Losses Sensitivity::single_changes(const SearchSpace& space, const Point& point, int reach) {
  Surroundings surroundings(subject_, space, point, reach);
  Losses losses = score_.around(surroundings);
  passes_ += surroundings.passes;
  return score_.is_loss ? losses : in_shares(std::move(losses));
}

}  // namespace bitstrata::quant
