// SPDX-License-Identifier: Apache-2.0
#include "model/channel_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace bitstrata::model {

namespace {

// Groups while they are being joined: a forest whose roots stand for their trees.
class Builder {
 public:
  explicit Builder(const Network& network) : network_(network) {}

  ChannelGroups build(const Layout& layout) {
    for (std::size_t i = 0; i < network_.nodes().size(); ++i) values_.push_back(value(static_cast<int>(i)));
    for (const int group : values_.back()) fix(group, "the network's output keeps its channels");
    return number(layout);
  }

 private:
  int add(int size) {
    parent_.push_back(static_cast<int>(parent_.size()));
    size_.push_back(size);
    fixed_.emplace_back();
    return parent_.back();
  }

  int root(int group) const {
    while (parent_[group] != group) group = parent_[group];
    return group;
  }

  void fix(int group, const std::string& reason) {
    if (std::string& fixed = fixed_[root(group)]; fixed.empty()) fixed = reason;
  }

  void join(int a, int b) {
    a = root(a), b = root(b);
    if (a == b) return;
    parent_[std::max(a, b)] = std::min(a, b);
    if (fixed_[std::min(a, b)].empty()) fixed_[std::min(a, b)] = fixed_[std::max(a, b)];
  }

  // Both values hold the same channels. Where they are joined of parts that do not match, nothing is removed.
  void join(const std::vector<int>& a, const std::vector<int>& b, const Node& node) {
    const auto same = [&](int x, int y) { return size_[x] == size_[y]; };
    if (a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), same)) {
      for (std::size_t i = 0; i < a.size(); ++i) join(a[i], b[i]);
      return;
    }
    for (const std::vector<int>& side : {a, b})
      for (const int group : side) fix(group, fmt::format("'{}' joins it with parts of other sizes", node.name));
  }

  std::vector<int> value(int index) {
    const Node& node = network_.node(index);
    if (combines_codes(node.op)) {
      join(values_[node.inputs[0]], values_[node.inputs[1]], node);
      return values_[node.inputs[0]];
    }
    if (joins_channels(node.op)) {
      std::vector<int> parts;
      for (const int input : node.inputs) parts.insert(parts.end(), values_[input].begin(), values_[input].end());
      return parts;
    }
    switch (node.op) {
      case Op::input: {
        const int group = add(node.output.channels);
        fix(group, "the network's input keeps its channels");
        return {group};
      }
      case Op::linear:
        return {add(node.out_channels)};
      case Op::convolution: {
        const std::vector<int>& input = values_[node.inputs[0]];
        if (node.groups == 1) return {add(node.out_channels)};
        const bool depthwise = node.groups == node.out_channels && network_.input_shape(index).channels == node.groups;
        if (depthwise) return input;
        for (const int group : input) fix(group, fmt::format("'{}' is a grouped convolution", node.name));
        const int group = add(node.out_channels);
        fix(group, fmt::format("'{}' is a grouped convolution", node.name));
        return {group};
      }
      default: {
        const std::vector<int>& input = values_[node.inputs[0]];
        if (node.output.channels == network_.input_shape(index).channels) return input;
        for (const int group : input) fix(group, fmt::format("'{}' moves channels into the image", node.name));
        const int group = add(node.output.channels);
        fix(group, fmt::format("'{}' moves channels into the image", node.name));
        return {group};
      }
    }
  }

  ChannelGroups number(const Layout& layout) const {
    ChannelGroups result;
    std::vector<int> numbers(parent_.size(), -1);
    const auto number_of = [&](int group) {
      int& number = numbers[root(group)];
      if (number < 0) {
        number = static_cast<int>(result.groups.size());
        result.groups.push_back({size_[root(group)], {}, fixed_[root(group)]});
      }
      return number;
    };
    const auto numbered = [&](int node) {
      std::vector<int> parts;
      for (const int part : values_[node]) parts.push_back(number_of(part));
      return parts;
    };
    for (std::size_t i = 0; i < values_.size(); ++i) result.nodes.push_back(numbered(static_cast<int>(i)));
    for (const Stage& stage : layout.stages) {
      result.inputs.push_back(numbered(network_.node(stage.weight).inputs[0]));
      result.outputs.push_back(numbered(stage.weight));
      for (const int part : result.outputs.back()) {
        std::vector<int>& stages = result.groups[part].stages;
        const int index = static_cast<int>(result.outputs.size()) - 1;
        if (stages.empty() || stages.back() != index) stages.push_back(index);
      }
    }
    return result;
  }

  const Network& network_;
  std::vector<int> parent_, size_;
  std::vector<std::string> fixed_;
  std::vector<std::vector<int>> values_;  // by node
};

}  // namespace

ChannelGroups channel_groups(const Network& network, const Layout& layout) { return Builder(network).build(layout); }

std::vector<int> group_counts(const ChannelGroups& groups, const Plan& plan) {
  std::vector<int> counts;
  for (std::size_t g = 0; g < groups.groups.size(); ++g) {
    const ChannelGroup& group = groups.groups[g];
    int most = 0;
    for (const int stage : group.stages) {
      const int channels = plan.layers.at(stage).channels;
      // What a depthwise layer keeps of a joined tensor is said by those who write its parts.
      if (groups.outputs[stage].size() == 1) most = std::max(most, channels > 0 ? channels : group.size);
    }
    counts.push_back(most == 0 || !group.fixed.empty() ? group.size : std::min(most, group.size));
  }
  return counts;
}

void set_channels(const ChannelGroups& groups, const std::vector<int>& counts, Plan& plan) {
  for (std::size_t s = 0; s < groups.outputs.size(); ++s) {
    int channels = 0;
    for (const int part : groups.outputs[s]) channels += counts.at(part);
    plan.layers.at(s).channels = channels;
  }
}

KeptChannels all_channels(const ChannelGroups& groups) {
  KeptChannels kept;
  for (const ChannelGroup& group : groups.groups) {
    kept.emplace_back(static_cast<std::size_t>(group.size));
    std::iota(kept.back().begin(), kept.back().end(), 0);
  }
  return kept;
}

std::vector<std::int64_t> positions(const ChannelGroups& groups, const std::vector<int>& parts,
                                    const KeptChannels& kept) {
  std::vector<std::int64_t> result;
  std::int64_t start = 0;
  for (const int part : parts) {
    for (const std::int64_t channel : kept.at(part)) result.push_back(start + channel);
    start += groups.groups[part].size;
  }
  return result;
}

}  // namespace bitstrata::model
