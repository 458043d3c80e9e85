// SPDX-License-Identifier: Apache-2.0
#include "quant/search/plan_costs.h"

#include <fmt/format.h>

#include <cmath>
#include <ctime>
#include <limits>
#include <optional>
#include <stdexcept>
#include <utility>

namespace bitstrata::quant {

namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
constexpr std::uint64_t largest_array = std::uint64_t{1} << 17;  // costs, 3 MiB

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
  layers_of_.resize(space.variables().size());
  for (std::size_t i = 0; i < priced_.size(); ++i) {
    variables_.push_back(space.variables_of(priced_[i]));
    Table table;
    std::uint64_t size = 1;
    for (const int v : variables_[i]) {
      layers_of_[at(v)].push_back(static_cast<int>(i));
      table.strides.push_back(size);
      if (__builtin_mul_overflow(size, space.variables()[at(v)].values.size(), &size))
        throw std::invalid_argument(
            fmt::format("layer '{}' depends on more choices than can be searched", priced_[i].name));
    }
    if (size <= largest_array) table.all.assign(size, {unknown, 0, 0});
    tables_.push_back(std::move(table));
  }
}

Costs PlanCosts::costs_of(std::size_t layer, const model::Plan& plan, const model::LayerPrice& price) const {
  double size = 0;
  if (const int stage = priced_[layer].stage; stage >= 0) {
    const model::ChannelGroups& groups = space_.groups();
    const std::vector<int> counts = model::group_counts(groups, plan);
    const auto channels = [&](const std::vector<int>& parts) {
      int sum = 0;
      for (const int part : parts) sum += counts[at(part)];
      return sum;
    };
    size = weights_of(space_.network(), space_.layout().stages[at(stage)].weight, channels(groups.inputs[at(stage)]),
                      channels(groups.outputs[at(stage)])) *
           plan.layers[at(stage)].weight_bits;
  }
  return {static_cast<double>(price.cycles), price.energy_fj, size};
}

Costs PlanCosts::ask(std::size_t layer, const Point& point) {
  const double start = cpu_seconds();
  const model::Plan plan = space_.plan(point);
  const std::optional<model::LayerPrice> price = prices_.price(layer, plan);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const Costs costs = price ? costs_of(layer, plan, *price) : Costs{infinity, infinity, infinity};
  ++asked_;
  seconds_ += cpu_seconds() - start;
  return costs;
}

const Costs& PlanCosts::layer(std::size_t layer, const Point& point) {
  Table& table = tables_[layer];
  std::uint64_t place = 0;
  for (std::size_t d = 0; d < table.strides.size(); ++d)
    place += table.strides[d] * static_cast<std::uint64_t>(point[at(variables_[layer][d])]);
  if (table.all.empty()) {
    const auto known = table.some.find(place);
    return known != table.some.end() ? known->second : table.some[place] = ask(layer, point);
  }
  Costs& known = table.all[place];
  if (std::isnan(known[0])) known = ask(layer, point);
  return known;
}

Costs PlanCosts::total(const Point& point) {
  Costs sum{};
  for (std::size_t i = 0; i < tables_.size(); ++i) {
    const Costs& part = layer(i, point);
    for (std::size_t q = 0; q < sum.size(); ++q) sum[q] += part[q];
  }
  return sum;
}

Costs PlanCosts::total(const model::Plan& plan) {
  const std::vector<model::LayerPrice>& prices = prices_.prices(plan);
  Costs sum{};
  for (std::size_t i = 0; i < priced_.size(); ++i) {
    const Costs part = costs_of(i, plan, prices[i]);
    for (std::size_t q = 0; q < sum.size(); ++q) sum[q] += part[q];
  }
  return sum;
}

}  // namespace bitstrata::quant
