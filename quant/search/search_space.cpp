// SPDX-License-Identifier: Apache-2.0
#include "quant/search/search_space.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

#include "model/activations.h"

namespace bitstrata::quant {

namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

void check_widths(const std::vector<int>& bits, const char* of) {
  if (bits.empty() || bits.front() < 1 || bits.back() > 16 || !std::is_sorted(bits.begin(), bits.end()))
    throw std::invalid_argument(fmt::format("allowed widths of {} must be ascending numbers in 1..16", of));
}

}  // namespace

const char* to_string(Variable::Kind kind) {
  switch (kind) {
    case Variable::Kind::weights:
      return "weights";
    case Variable::Kind::tensor:
      return "activations";
    case Variable::Kind::channels:
      return "channels";
  }
  return "unknown";
}

SearchSpace::SearchSpace(const model::Network& network, const SpaceOptions& options)
    : network_(network),
      layout_(model::lay_out(network)),
      groups_(model::channel_groups(network, layout_)),
      output_bits_(options.output_bits) {
  check_widths(options.weight_bits, "weights");
  check_widths(options.activation_bits, "activations");
  add_widths(options);
  for (std::size_t g = 0; g < groups_.groups.size(); ++g) {
    const model::ChannelGroup& group = groups_.groups[g];
    if (g >= options.levels.size() || options.levels[g].size() < 2 || !group.fixed.empty()) continue;
    variables_.push_back({Variable::Kind::channels, static_cast<int>(g), layout_.stages[at(group.stages.front())].name,
                          options.levels[g]});
  }
  find_tensor_variables();
}

void SearchSpace::add_widths(const SpaceOptions& options) {
  const int last = static_cast<int>(layout_.stages.size()) - 1;
  const auto fixed = [&](int stage) {
    return stage == 0 && options.first_bits ? options.first_bits : stage == last ? options.last_bits : std::nullopt;
  };
  for (int s = 0; s <= last; ++s) {
    Variable variable{Variable::Kind::weights, s, layout_.stages[at(s)].name, options.weight_bits};
    if (const auto bits = fixed(s)) variable.values = {*bits};
    variables_.push_back(std::move(variable));
  }
  // The narrowest and widest that what makes a tensor can give.
  std::vector<int> narrowest(layout_.tensors.size(), 1), widest(layout_.tensors.size(), 16);
  for (const model::Step& step : layout_.steps) {
    if (step.activation < 0) continue;
    const model::ActivationInfo ending = info(ending_of(network_.node(step.activation).op));
    widest[at(step.output)] = ending.most_bits;
    narrowest[at(step.output)] = ending.least_bits;
  }
  for (std::size_t t = 0; t < layout_.tensors.size(); ++t) {
    const model::TensorNode& tensor = layout_.tensors[t];
    if (tensor.source != static_cast<int>(t) || tensor.readers.empty()) continue;
    Variable variable{Variable::Kind::tensor, static_cast<int>(t), layout_.stages[at(tensor.readers[0])].name, {}};
    std::optional<int> forced;
    for (const int reader : tensor.readers)
      if (!forced) forced = fixed(reader);
    for (const int bits : forced ? std::vector<int>{*forced} : options.activation_bits)
      if (bits >= narrowest[t] && bits <= widest[t]) variable.values.push_back(bits);
    if (variable.values.empty())
      throw std::invalid_argument(fmt::format("what layer '{}' reads can have {} to {} bits, none of which is allowed",
                                              variable.name, narrowest[t], widest[t]));
    variables_.push_back(std::move(variable));
  }
}

model::Plan SearchSpace::plan(const Point& point) const {
  model::Plan plan = model::uniform_plan(network_, 8, 8);
  plan.output_bits = output_bits_;
  std::vector<int> counts;
  for (const model::ChannelGroup& group : groups_.groups) counts.push_back(group.size);
  for (std::size_t v = 0; v < variables_.size(); ++v) {
    const Variable& variable = variables_[v];
    const int value = variable.values.at(at(point.at(v)));
    switch (variable.kind) {
      case Variable::Kind::weights:
        plan.layers[at(variable.index)].weight_bits = value;
        break;
      case Variable::Kind::tensor:
        for (const int reader : layout_.tensors[at(variable.index)].readers)
          plan.layers[at(reader)].activation_bits = value;
        break;
      case Variable::Kind::channels:
        counts[at(variable.index)] = value;
        break;
    }
  }
  model::set_channels(groups_, counts, plan);
  return plan;
}

Point SearchSpace::point(const model::Plan& plan) const {
  const std::vector<int> counts = model::group_counts(groups_, plan);
  Point point;
  for (const Variable& variable : variables_) {
    int value = 0;
    switch (variable.kind) {
      case Variable::Kind::weights:
        value = plan.layers.at(at(variable.index)).weight_bits;
        break;
      case Variable::Kind::tensor:
        value = plan.layers.at(at(layout_.tensors[at(variable.index)].readers[0])).activation_bits;
        break;
      case Variable::Kind::channels:
        value = counts[at(variable.index)];
        break;
    }
    const auto found = std::lower_bound(variable.values.begin(), variable.values.end(), value);
    const auto place = static_cast<int>(found - variable.values.begin());
    point.push_back(std::min(place, static_cast<int>(variable.values.size()) - 1));
  }
  return point;
}

Point SearchSpace::largest() const {
  Point point;
  for (const Variable& variable : variables_) point.push_back(static_cast<int>(variable.values.size()) - 1);
  return point;
}

bool has_between(const Variable& variable) {
  return variable.kind != Variable::Kind::channels && variable.values.size() > 1;
}

GridCell SearchSpace::cell(const std::vector<double>& places) const {
  GridCell cell;
  for (std::size_t v = 0; v < variables_.size(); ++v) {
    const int last = static_cast<int>(variables_[v].values.size()) - 1;
    const bool between = has_between(variables_[v]);
    cell.narrower.push_back(between ? std::min(static_cast<int>(places.at(v)), last - 1)
                                    : static_cast<int>(std::lround(places.at(v))));
    cell.shares.push_back(between ? places[v] - cell.narrower.back() : 0);
  }
  return cell;
}

// A width that no layer reads directly is the widest of some that are read: it follows a variable that moves it while
// all others are at their narrowest.
void SearchSpace::find_tensor_variables() {
  of_tensor_.resize(layout_.tensors.size());
  model::Plan plan = model::uniform_plan(network_, 8, 1);
  const std::vector<int> before = model::tensor_bits(layout_, plan);
  for (std::size_t v = 0; v < variables_.size(); ++v) {
    if (variables_[v].kind != Variable::Kind::tensor) continue;
    model::Plan wide = plan;
    for (const int reader : layout_.tensors[at(variables_[v].index)].readers)
      wide.layers[at(reader)].activation_bits = 16;
    const std::vector<int> after = model::tensor_bits(layout_, wide);
    for (std::size_t t = 0; t < after.size(); ++t)
      if (after[t] != before[t]) of_tensor_[t].push_back(static_cast<int>(v));
  }
}

const std::vector<int>& SearchSpace::variables_of_tensor(int tensor) const { return of_tensor_.at(at(tensor)); }

std::vector<int> SearchSpace::variables_of(const model::PricedLayer& layer) const {
  std::set<int> found;
  std::set<int> groups;
  for (const int tensor : layer.tensors) {
    found.insert(of_tensor_.at(at(tensor)).begin(), of_tensor_[at(tensor)].end());
    const std::vector<int>& parts = groups_.nodes[at(layout_.tensors[at(tensor)].node)];
    groups.insert(parts.begin(), parts.end());
  }
  for (std::size_t v = 0; v < variables_.size(); ++v) {
    const Variable& variable = variables_[v];
    if (variable.kind == Variable::Kind::weights && variable.index == layer.stage) found.insert(static_cast<int>(v));
    if (variable.kind == Variable::Kind::channels && groups.contains(variable.index)) found.insert(static_cast<int>(v));
  }
  return {found.begin(), found.end()};
}

}  // namespace bitstrata::quant
