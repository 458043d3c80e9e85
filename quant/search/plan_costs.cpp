// SPDX-License-Identifier: Apache-2.0
#include "quant/search/plan_costs.h"

#include <ctime>
#include <utility>

namespace bitstrata::quant {

namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// Weights of a stage that reads `inputs` and writes `outputs` channels.
double weights_of(const model::Network& network, int node, int inputs, int outputs) {
  const model::Node& layer = network.node(node);
  const model::Shape input = network.input_shape(node);
  if (layer.op == model::Op::linear) return static_cast<double>(input.height) * input.width * inputs * outputs;
  // A depthwise layer stays depthwise; other groups keep their channels.
  const int each = layer.groups == input.channels ? 1 : inputs / layer.groups;
  return static_cast<double>(layer.window.kernel_height) * layer.window.kernel_width * each * outputs;
}

}  // namespace

PlanCosts::PlanCosts(const SearchSpace& space, model::PlanPrices& prices)
    : space_(space), prices_(prices), priced_(prices.layers()) {
  for (const model::PricedLayer& layer : priced_) variables_.push_back(space.variables_of(layer));
  layers_.resize(priced_.size());
}

const std::vector<Costs>& PlanCosts::layers(const model::Plan& plan) {
  const double start = cpu_seconds();
  const std::vector<model::LayerPrice>& prices = prices_.prices(plan);
  const model::ChannelGroups& groups = space_.groups();
  const std::vector<int> counts = model::group_counts(groups, plan);
  const auto channels = [&](const std::vector<int>& parts) {
    int sum = 0;
    for (const int part : parts) sum += counts[at(part)];
    return sum;
  };
  for (std::size_t i = 0; i < priced_.size(); ++i) {
    double size = 0;
    if (const int stage = priced_[i].stage; stage >= 0)
      size = weights_of(space_.network(), space_.layout().stages[at(stage)].weight, channels(groups.inputs[at(stage)]),
                        channels(groups.outputs[at(stage)])) *
             plan.layers[at(stage)].weight_bits;
    layers_[i] = {static_cast<double>(prices[i].cycles), prices[i].energy_fj, size};
  }
  ++asked_;
  seconds_ += cpu_seconds() - start;
  return layers_;
}

Costs PlanCosts::total(const model::Plan& plan) {
  Costs sum{};
  for (const Costs& layer : layers(plan))
    for (std::size_t q = 0; q < sum.size(); ++q) sum[q] += layer[q];
  return sum;
}

Costs PlanCosts::total(const Point& point) { return total(space_.plan(point)); }

}  // namespace bitstrata::quant
