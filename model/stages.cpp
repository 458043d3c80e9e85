// SPDX-License-Identifier: Apache-2.0
#include "model/stages.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "model/activations.h"

namespace bitstrata::model {

namespace {

class Builder {
 public:
  explicit Builder(const Network& network)
      : network_(network), count_(static_cast<int>(network.nodes().size())), readers_(network.nodes().size()) {
    for (int i = 0; i < count_; ++i)
      for (int input : network.node(i).inputs) readers_[input].push_back(i);
    tensor_of_.assign(network.nodes().size(), -1);
    folded_.assign(network.nodes().size(), false);
  }

  Layout build() {
    for (int i = 0; i < count_; ++i) visit(i);
    if (layout_.stages.empty()) throw std::invalid_argument("network '" + network_.name() + "' has no weight layer");
    for (std::size_t t = 0; t < layout_.tensors.size(); ++t) {
      TensorNode& tensor = layout_.tensors[t];
      if (!readers_[tensor.node].empty()) continue;
      if (t + 1 != layout_.tensors.size())
        throw std::invalid_argument(
            fmt::format("node '{}' is read by nothing, and '{}' comes after it: the last node "
                        "alone may be the output of network '{}'",
                        network_.node(tensor.node).name, network_.nodes().back().name, network_.name()));
      layout_.tensors[tensor.source].is_output = tensor.is_output = true;
    }
    for (Step& step : layout_.steps) step.activated = activated(step);
    return std::move(layout_);
  }

 private:
  // The only reader of `node` if `wanted` holds for it, else -1.
  template <typename Wanted>
  int follower(int node, Wanted wanted) const {
    const std::vector<int>& readers = readers_[node];
    const bool alone = readers.size() == 1 && !network_.node(node).rounded;
    return alone && wanted(network_.node(readers[0])) ? readers[0] : -1;
  }

  int add_tensor(int node, int source, bool rectified) {
    const int index = static_cast<int>(layout_.tensors.size());
    layout_.tensors.push_back({node, source < 0 ? index : source, rectified, false, {}});
    tensor_of_[node] = index;
    return index;
  }

  // Through sums, and functions that stand alone because others read what is in front of them.
  int activated(const Step& step) const {
    int tensor = step.output;
    for (const Step& next : layout_.steps) {
      if (layout_.tensors[tensor].rectified) return tensor;
      const Op op = network_.node(next.node).op;
      const bool reads = std::ranges::find(next.inputs, tensor) != next.inputs.end();
      if (reads && (op == Op::add || is_activation(op))) tensor = next.output;
    }
    return layout_.tensors[tensor].rectified ? tensor : step.output;
  }

  void visit(int index) {
    if (folded_[index]) return;
    const Node& node = network_.node(index);
    if (node.op == Op::input) {
      add_tensor(index, -1, true);
      return;
    }
    if (node.op == Op::batch_norm)
      throw std::invalid_argument("node '" + node.name +
                                  "' cannot be folded: it must directly follow a convolution or linear layer");
    Step step{.node = index, .pools = node.op == Op::average_pool};
    for (int input : node.inputs) step.inputs.push_back(tensor_of_[input]);
    int last = index;
    if (has_weights(node.op)) {
      Stage stage{.name = node.name, .weight = index};
      stage.batch_norm = take(index, [](const Node& n) { return n.op == Op::batch_norm; });
      stage.activation = take(stage.last(), [](const Node& n) { return is_activation(n.op); });
      step.stage = static_cast<int>(layout_.stages.size());
      step.activation = stage.activation;
      last = stage.last();
      for (int tensor : step.inputs) layout_.tensors[layout_.tensors[tensor].source].readers.push_back(step.stage);
      layout_.stages.push_back(stage);
    } else if (is_activation(node.op)) {
      step.activation = index;
    } else {
      step.activation = take(index, [](const Node& n) { return is_activation(n.op); });
      if (step.activation >= 0) last = step.activation;
    }
    // A mean that ends the network has a format of its own: it is as fine as the output is asked for, and what it is
    // made of need not be. So has a second rounding, beside which others may read finer values.
    const bool rounds = node.op == Op::average_pool && node.window == Window{};
    const bool shares = moves_values(node.op) && !rounds && !(node.op == Op::average_pool && ends_network(index));
    const int source = shares && step.activation < 0 ? layout_.tensors[step.input()].source : -1;
    step.output = add_tensor(last, source, rectified(step));
    layout_.steps.push_back(std::move(step));
  }

  // Whether nothing but poolings and enlargements comes behind `node`.
  bool ends_network(int node) const {
    while (node >= 0 && !readers_[node].empty())
      node = follower(node, [](const Node& n) { return moves_values(n.op); });
    return node >= 0;
  }

  template <typename Wanted>
  int take(int node, Wanted wanted) {
    const int next = follower(node, wanted);
    if (next >= 0) folded_[next] = true;
    return next;
  }

  bool rectified(const Step& step) const {
    if (step.activation >= 0 && never_negative(network_.node(step.activation))) return true;
    if (step.stage >= 0) return false;
    if (step.activation >= 0 && network_.node(step.activation).op != Op::leaky_relu) return false;
    return std::all_of(step.inputs.begin(), step.inputs.end(), [&](int t) { return layout_.tensors[t].rectified; });
  }

  const Network& network_;
  int count_;
  std::vector<std::vector<int>> readers_;
  std::vector<int> tensor_of_;  // node -> tensor that holds its value
  std::vector<bool> folded_;
  Layout layout_;
};

}  // namespace

Layout lay_out(const Network& network) { return Builder(network).build(); }

std::vector<int> tensor_bits(const Layout& layout, const Plan& plan) {
  std::vector<int> bits(layout.tensors.size(), 0);  // of source tensors until the end
  std::vector<bool> planned(layout.tensors.size(), false);
  for (std::size_t t = 0; t < layout.tensors.size(); ++t) {
    const TensorNode& tensor = layout.tensors[t];
    if (tensor.source != static_cast<int>(t)) continue;
    if (tensor.is_output) bits[t] = plan.output_bits;
    for (int reader : tensor.readers) {
      const LayerPlan& layer = plan.layers.at(reader);
      if (bits[t] != 0 && bits[t] != layer.activation_bits && !tensor.is_output)
        throw std::invalid_argument("layers '" + plan.layers.at(tensor.readers[0]).layer + "' and '" + layer.layer +
                                    "' read one tensor and must have the same activation_bits");
      bits[t] = layer.activation_bits;
    }
    planned[t] = bits[t] != 0;
  }
  for (auto step = layout.steps.rbegin(); step != layout.steps.rend(); ++step) {
    const int to = layout.tensors[step->output].source;
    int wanted = bits[to];
    // What the mean at the end is made of is as wide as what the last layer before it reads.
    if (step->pools && layout.tensors[to].is_output) {
      const auto layer = std::find_if(step, layout.steps.rend(), [](const Step& s) { return s.stage >= 0; });
      if (layer != layout.steps.rend()) wanted = plan.layers.at(layer->stage).activation_bits;
    }
    for (int input : step->inputs) {
      const int from = layout.tensors[input].source;
      if (from != to && !planned[from]) bits[from] = std::max(bits[from], wanted);
    }
  }
  for (std::size_t t = 0; t < layout.tensors.size(); ++t) bits[t] = bits[layout.tensors[t].source];
  return bits;
}

void tie_widths(const Layout& layout, Plan& plan) {
  for (const TensorNode& tensor : layout.tensors) {
    int widest = 0;
    for (int reader : tensor.readers) widest = std::max(widest, plan.layers.at(reader).activation_bits);
    for (int reader : tensor.readers) plan.layers[reader].activation_bits = widest;
  }
}

std::vector<int> channels_of(const Network& network) {
  std::vector<int> channels;
  for (int node : network.weight_layers()) channels.push_back(network.node(node).output.channels);
  return channels;
}

}  // namespace bitstrata::model
