// SPDX-License-Identifier: Apache-2.0
#include "quant/stages.h"

#include <algorithm>
#include <map>
#include <stdexcept>

namespace bitstrata::quant {

namespace {

// The only reader of `node` if it is of kind `op`, else -1.
int follower(const model::Network& network, int node, model::Op op) {
  const std::vector<int> readers = network.consumers(node);
  return readers.size() == 1 && network.node(readers[0]).op == op ? readers[0] : -1;
}

}  // namespace

Layout lay_out(const model::Network& network) {
  Layout layout;
  std::map<int, int> tensor_of;  // node -> tensor that holds its value
  const int count = static_cast<int>(network.nodes().size());
  auto add_tensor = [&](int node, int source, bool rectified) {
    const int index = static_cast<int>(layout.tensors.size());
    layout.tensors.push_back({node, source < 0 ? index : source, rectified, false, {}});
    tensor_of[node] = index;
    return index;
  };
  auto input_tensor = [&](const model::Node& node) {
    const auto found = tensor_of.find(node.inputs.at(0));
    if (found == tensor_of.end())
      throw std::invalid_argument("node '" + node.name + "' reads '" + network.node(node.inputs[0]).name +
                                  "', which is folded into the layer before it");
    return found->second;
  };
  for (int index = 0; index < count; ++index) {
    const model::Node& node = network.node(index);
    switch (node.op) {
      case model::Op::input:
        if (!layout.tensors.empty()) throw std::invalid_argument("node '" + node.name + "' is a second input");
        add_tensor(index, -1, true);
        break;
      case model::Op::convolution:
      case model::Op::linear: {
        Stage stage{node.name, index, -1, -1};
        stage.batch_norm = follower(network, stage.last(), model::Op::batch_norm);
        stage.relu = follower(network, stage.last(), model::Op::relu);
        const int input = input_tensor(node);
        const int stage_index = static_cast<int>(layout.stages.size());
        layout.tensors[layout.tensors[input].source].readers.push_back(stage_index);
        const int output = add_tensor(stage.last(), -1, stage.relu >= 0);
        layout.steps.push_back({stage_index, index, input, output});
        layout.stages.push_back(stage);
        break;
      }
      case model::Op::max_pool:
      case model::Op::average_pool: {
        const int input = input_tensor(node);
        const int source = layout.tensors[input].source;
        const bool rectified = layout.tensors[input].rectified;
        const int output = add_tensor(index, source, rectified);
        layout.steps.push_back({-1, index, input, output});
        break;
      }
      case model::Op::batch_norm:
      case model::Op::relu: {
        const bool folded = std::any_of(layout.stages.begin(), layout.stages.end(),
                                        [&](const Stage& s) { return s.batch_norm == index || s.relu == index; });
        if (!folded)
          throw std::invalid_argument("node '" + node.name +
                                      "' cannot be folded: it must directly follow a convolution or linear layer");
        break;
      }
    }
  }
  if (layout.stages.empty()) throw std::invalid_argument("network '" + network.name() + "' has no weight layer");
  if (layout.steps.back().stage != static_cast<int>(layout.stages.size()) - 1)
    throw std::invalid_argument("network '" + network.name() + "' must end in a convolution or linear layer");
  layout.tensors.back().is_output = true;
  return layout;
}

std::vector<int> tensor_bits(const Layout& layout, const model::Plan& plan) {
  std::vector<int> bits(layout.tensors.size(), 0);
  for (std::size_t t = 0; t < layout.tensors.size(); ++t) {
    const TensorNode& source = layout.tensors[layout.tensors[t].source];
    if (source.is_output) bits[t] = plan.output_bits;
    for (int reader : source.readers) {
      const model::LayerPlan& layer = plan.layers.at(reader);
      if (bits[t] != 0 && bits[t] != layer.activation_bits)
        throw std::invalid_argument("layers '" + plan.layers.at(source.readers[0]).layer + "' and '" + layer.layer +
                                    "' read one tensor and must have the same activation_bits");
      bits[t] = layer.activation_bits;
    }
  }
  return bits;
}

void tie_widths(const Layout& layout, model::Plan& plan) {
  for (const TensorNode& tensor : layout.tensors) {
    int widest = 0;
    for (int reader : tensor.readers) widest = std::max(widest, plan.layers.at(reader).activation_bits);
    for (int reader : tensor.readers) plan.layers[reader].activation_bits = widest;
  }
}

std::vector<int> channels_of(const model::Network& network) {
  std::vector<int> channels;
  for (int node : network.weight_layers()) channels.push_back(network.node(node).output.channels);
  return channels;
}

}  // namespace bitstrata::quant
