// SPDX-License-Identifier: Apache-2.0
// Dynamic quantization: DynamicQuantizeLinear, ConvInteger or MatMulInteger, Cast, and a product with both scales.
#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>

#include "model/onnx/converter.h"

namespace bitstrata::model::interchange {
namespace {

class DynamicRewriter {
 public:
  explicit DynamicRewriter(Graph& graph) : graph_(graph) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      for (const std::string& output : graph.nodes[i].outputs) producers_[output] = i;
    }
  }

  void run() {
    std::vector<OnnxNode> nodes;
    for (const OnnxNode& node : graph_.nodes) {
      if (node.op != "Mul" || !(replace(node, 0, nodes) || replace(node, 1, nodes))) nodes.push_back(node);
    }
    graph_.nodes = std::move(nodes);
  }

 private:
  const OnnxNode* producer(const std::string& name, const char* op) const {
    const auto found = producers_.find(name);
    if (found == producers_.end() || graph_.nodes[found->second].op != op) return nullptr;
    return &graph_.nodes[found->second];
  }

  // The scale of the weights, where `name` is its product with the dynamic scale `dynamic`.
  std::string weight_scale(const std::string& name, const std::string& dynamic) const {
    const OnnxNode* product = producer(name, "Mul");
    if (product == nullptr || product->inputs.size() != 2) return "";
    if (product->inputs[0] == dynamic) return product->inputs[1];
    return product->inputs[1] == dynamic ? product->inputs[0] : "";
  }

  // Appends the rewritten nodes where input `sums` of the product `node` holds sums of dynamically quantized values.
  bool replace(const OnnxNode& node, std::size_t sums, std::vector<OnnxNode>& nodes) {
    if (node.inputs.size() != 2) return false;
    const OnnxNode* cast = producer(node.inputs[sums], "Cast");
    if (cast == nullptr) return false;
    const OnnxNode* integer = producer(cast->input(0), "ConvInteger");
    const bool convolution = integer != nullptr;
    if (!convolution) integer = producer(cast->input(0), "MatMulInteger");
    if (integer == nullptr) return false;
    const OnnxNode* quantizer = producer(integer->input(0), "DynamicQuantizeLinear");
    if (quantizer == nullptr || quantizer->outputs.size() != 3 || integer->input(2) != quantizer->outputs[2])
      return false;
    const std::string scale = weight_scale(node.inputs[1 - sums], quantizer->outputs[1]);
    if (scale.empty()) return false;
    OnnxNode decode{.op = "DequantizeLinear",
                    .domain = "",
                    .name = integer->name + "_weights",
                    .inputs = {integer->input(1), scale},
                    .outputs = {integer->name + "/weights"},
                    .attributes = {}};
    if (!integer->input(3).empty()) decode.inputs.push_back(integer->input(3));
    decode.attributes["axis"].whole = convolution ? 0 : 1;
    OnnxNode layer = *integer;
    layer.op = convolution ? "Conv" : "MatMul";
    layer.inputs = {quantizer->input(0), decode.outputs[0]};
    layer.outputs = node.outputs;
    nodes.push_back(std::move(decode));
    nodes.push_back(std::move(layer));
    if (noted_.insert(quantizer->name).second) {
      graph_.notes.push_back(
          fmt::format("{} '{}' takes the range of each input by itself; here calibration fixes one, and the run as the "
                      "file says does not round these values",
                      quantizer->op, quantizer->name));
    }
    return true;
  }

  Graph& graph_;
  std::map<std::string, std::size_t> producers_;
  std::set<std::string> noted_;
};

}  // namespace

void rewrite_dynamic_quantization(Graph& graph) { DynamicRewriter(graph).run(); }

}  // namespace bitstrata::model::interchange
