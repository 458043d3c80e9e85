// SPDX-License-Identifier: Apache-2.0
// What a search chooses: the width of every layer's weights, the width of every tensor that a layer reads, and how many
// channels of every group are kept.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/channel_groups.h"
#include "model/plan.h"
#include "model/plan_prices.h"
#include "model/stages.h"

namespace bitstrata::quant {

struct Variable {
  enum class Kind { weights, tensor, channels };
  Kind kind = Kind::weights;
  int index = 0;     // weight layer; tensor of the layout; channel group
  std::string name;  // of the layer; of the first layer that reads the tensor; of the first that writes the group
  std::vector<int> values;  // ascending: widths, or kept channels
};

const char* to_string(Variable::Kind kind);

// A choice: every variable's place among its values.
using Point = std::vector<int>;

// Do widths lie between its values? Channels are kept or not.
bool has_between(const Variable& variable);

// Where places, real numbers among the values of each variable, lie: behind these values, by these shares of the way to
// the next ones. Share 0 of a variable that has nothing between; at the last value, share 1 of the way to it.
struct GridCell {
  Point narrower;
  std::vector<double> shares;
};

struct SpaceOptions {
  std::vector<int> weight_bits = {2, 3, 4, 5, 6, 7, 8}, activation_bits = {2, 3, 4, 5, 6, 7, 8};  // ascending
  // Where set, both widths of the first layer (the last one) are this.
  std::optional<int> first_bits, last_bits;
  int output_bits = 16;
  // By channel group: the counts that may be kept, ascending, all of them included; empty: all channels stay.
  std::vector<std::vector<int>> levels;
};

class SearchSpace {
 public:
  // Widths that a tensor cannot have (functions by table give at most 8 bits, a leaky ReLU at least 2) are left out.
  // Throws std::invalid_argument where nothing is left, or a width lies outside 1..16.
  SearchSpace(const model::Network& network, const SpaceOptions& options);

  const model::Network& network() const { return network_; }
  const model::Layout& layout() const { return layout_; }
  const model::ChannelGroups& groups() const { return groups_; }
  const std::vector<Variable>& variables() const { return variables_; }

  model::Plan plan(const Point& point) const;
  // Every variable at the smallest of its values that is not below the plan's, else at its largest.
  Point point(const model::Plan& plan) const;
  Point largest() const;
  GridCell cell(const std::vector<double>& places) const;

  // The variables that the width of a tensor follows: the widest of them is its own.
  const std::vector<int>& variables_of_tensor(int tensor) const;
  // The variables that the price of `layer` depends on, ascending.
  std::vector<int> variables_of(const model::PricedLayer& layer) const;

 private:
  void add_widths(const SpaceOptions& options);
  void find_tensor_variables();

  model::Network network_;
  model::Layout layout_;
  model::ChannelGroups groups_;
  int output_bits_;
  std::vector<Variable> variables_;
  std::vector<std::vector<int>> of_tensor_;  // the variables that a tensor's width depends on
};

}  // namespace bitstrata::quant
