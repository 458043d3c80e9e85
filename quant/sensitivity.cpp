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
    const auto tensor = static_cast<std::size_t>(step.activated);
    if (step.stage >= 0)
      shares.push_back(static_cast<double>(density.nonzero[tensor]) / static_cast<double>(density.total[tensor]));
  }
  return shares;
}

Slopes Sensitivity::slopes(const SearchSpace& space, const std::vector<double>& places, int turn) {
  const std::vector<Variable>& variables = space.variables();
  const GridCell cell = space.cell(places);
  const Point& narrower = cell.narrower;
  Point wider = narrower;
  std::vector<Tensor> shares(variables.size()), asked;
  for (std::size_t v = 0; v < variables.size(); ++v) {
    if (!has_between(variables[v])) continue;
    ++wider[v];
    asked.push_back(shares[v] = torch::tensor(static_cast<float>(cell.shares[v])).requires_grad_());
  }
  const model::Plan wider_plan = space.plan(wider);
  Module module = subject_.under(space.plan(narrower));
  const Layout& layout = module.layout();
  const std::vector<int> bits = tensor_bits(layout, module.plan());
  Between between;
  between.tensor_bits = tensor_bits(layout, wider_plan);
  between.tensors.resize(layout.tensors.size());
  between.weights.resize(layout.stages.size());
  for (const model::LayerPlan& layer : wider_plan.layers) between.weight_bits.push_back(layer.weight_bits);
  for (std::size_t v = 0; v < variables.size(); ++v)
    if (variables[v].kind == Variable::Kind::weights && shares[v].defined())
      between.weights[static_cast<std::size_t>(variables[v].index)] = shares[v];
  for (std::size_t t = 0; t < layout.tensors.size(); ++t) {
    if (layout.tensors[t].source != static_cast<int>(t) || bits[t] == between.tensor_bits[t]) continue;
    // The widest of those that it follows decides.
    double widest = -1;
    for (const int v : space.variables_of_tensor(static_cast<int>(t))) {
      const auto i = static_cast<std::size_t>(v);
      if (!shares[i].defined()) continue;
      const int low = variables[i].values[static_cast<std::size_t>(narrower[i])];
      const int high = variables[i].values[static_cast<std::size_t>(wider[i])];
      const double width = low + (high - low) * shares[i].item<double>();
      if (width <= widest) continue;
      widest = width;
      between.tensors[t] =
          ((shares[i] * (high - low) + (low - bits[t])) / (between.tensor_bits[t] - bits[t])).clamp(0, 1);
    }
  }
  constexpr std::int64_t batch = 128;
  const std::int64_t batches = (subject_.count() + batch - 1) / batch, first = turn % batches * batch;
  const std::int64_t count = std::min(batch, subject_.count() - first);
  ForwardOptions forward = quantized_pass();
  forward.between = &between;
  const Tensor logits = module.forward(subject_.images.narrow(0, first, count), forward);
  const Tensor loss = subject_.mean_loss(logits, first, subject_.against);
  passes_ += 3 * static_cast<double>(count);
  Slopes result{loss.item<double>(), std::vector<double>(variables.size(), 0.0)};
  if (asked.empty()) return result;
  const auto gradients = torch::autograd::grad({loss}, asked, {}, false, false, true);
  for (std::size_t v = 0, i = 0; v < variables.size(); ++v) {
    if (!shares[v].defined()) continue;
    if (gradients[i].defined()) result.by_variable[v] = gradients[i].item<double>();
    ++i;
  }
  return result;
}

Losses Sensitivity::single_changes(const SearchSpace& space, const Point& point, int reach) {
  Surroundings surroundings(subject_, space, point, reach);
  Losses losses = score_.around(surroundings);
  passes_ += surroundings.passes;
  return score_.is_loss ? losses : in_shares(std::move(losses));
}

}  // namespace bitstrata::quant
