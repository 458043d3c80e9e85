// SPDX-License-Identifier: Apache-2.0
// Dynamic quantization: DynamicQuantizeLinear, ConvInteger or MatMulInteger, Cast, and products with both scales.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/onnx/converter.h"

namespace bitstrata::model::interchange {
namespace {

class DynamicRewriter {
 public:
  explicit DynamicRewriter(Graph& graph) : graph_(graph) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      names_.insert(graph.nodes[i].name);
      for (const std::string& output : graph.nodes[i].outputs) {
        producers_[output] = i;
        names_.insert(output);
      }
    }
    for (const auto& entry : graph.constants) names_.insert(entry.first);
    for (const GraphInput& input : graph.inputs) names_.insert(input.name);
  }

  void run() {
    std::vector<OnnxNode> nodes;
    for (const OnnxNode& node : graph_.nodes) {
      if (node.op != "Mul" || !replace(node, nodes)) nodes.push_back(node);
    }
    for (OnnxNode& node : nodes) {
      const auto taken = taken_.find(node.name);
      if (taken != taken_.end() && (node.op == "ConvInteger" || node.op == "MatMulInteger")) node.name = taken->second;
    }
    graph_.nodes = std::move(nodes);
  }

 private:
  // A Cast of sums of codes, and the quantizer whose scale stands beside it in the product.
  struct Sums {
    std::string cast, scale;
    const OnnxNode* integer = nullptr;
    const OnnxNode* quantizer = nullptr;
  };

  const OnnxNode* producer(const std::string& name, const char* op) const {
    const auto found = producers_.find(name);
    if (found == producers_.end() || graph_.nodes[found->second].op != op) return nullptr;
    return &graph_.nodes[found->second];
  }

  void factors_of(const std::string& name, int depth, std::vector<std::string>& factors) const {
    const OnnxNode* product = depth > 0 ? producer(name, "Mul") : nullptr;
    if (product == nullptr || product->inputs.size() != 2) {
      factors.push_back(name);
      return;
    }
    for (const std::string& input : product->inputs) factors_of(input, depth - 1, factors);
  }

  std::optional<Sums> sums_in(const std::vector<std::string>& factors) const {
    for (const std::string& name : factors) {
      Sums sums;
      const OnnxNode* cast = producer(name, "Cast");
      if (cast == nullptr) continue;
      sums.integer = producer(cast->input(0), "ConvInteger");
      if (sums.integer == nullptr) sums.integer = producer(cast->input(0), "MatMulInteger");
      if (sums.integer == nullptr) continue;
      sums.quantizer = producer(sums.integer->input(0), "DynamicQuantizeLinear");
      if (sums.quantizer == nullptr || sums.quantizer->outputs.size() != 3 ||
          sums.quantizer->outputs[0] != sums.integer->input(0) ||
          sums.quantizer->outputs[2] != sums.integer->input(2)) {
        continue;
      }
      sums.cast = name;
      sums.scale = sums.quantizer->outputs[1];
      if (std::find(factors.begin(), factors.end(), sums.scale) != factors.end()) return sums;
    }
    return std::nullopt;
  }

  // A name for a node or tensor that nothing has; it begins with `wish`.
  std::string fresh(std::string wish) {
    while (!names_.insert(wish).second) wish += "_";
    return wish;
  }

  std::size_t entries(const std::string& name) const {
    const Tensor* tensor = nullptr;
    if (const auto found = graph_.constants.find(name); found != graph_.constants.end()) tensor = &found->second;
    if (const OnnxNode* node = producer(name, "Constant"); node != nullptr && tensor == nullptr) {
      tensor = node->tensor("value");
    }
    return tensor == nullptr ? 1 : static_cast<std::size_t>(tensor->elements());
  }

  // Appends the rewritten nodes where the product `node` brings sums of dynamically quantized values and their scale
  // together: sums * scale are the layer of the values themselves. What else the product has, it multiplies as before.
  bool replace(const OnnxNode& node, std::vector<OnnxNode>& nodes) {
    if (node.inputs.size() != 2) return false;
    std::vector<std::string> factors;
    for (const std::string& input : node.inputs) {
      std::vector<std::string> part;
      factors_of(input, most_products, part);
      if (sums_in(part)) return false;  // the product in front is the one
      factors.insert(factors.end(), part.begin(), part.end());
    }
    const std::optional<Sums> sums = sums_in(factors);
    if (!sums) return false;
    const OnnxNode &integer = *sums->integer, &quantizer = *sums->quantizer;
    const bool convolution = integer.op == "ConvInteger";
    const std::string zero = integer.input(3), ones = fresh(integer.name + "/ones");
    const std::size_t count = zero.empty() ? 1 : entries(zero);
    graph_.constants[ones] =
        Tensor::of_reals(count == 1 ? Dims{} : Dims{static_cast<std::int64_t>(count)}, std::vector<float>(count, 1.0F));
    OnnxNode decode{.op = "DequantizeLinear",
                    .domain = "",
                    .name = fresh(integer.name + "_weights"),
                    .inputs = {integer.input(1), ones},
                    .outputs = {fresh(integer.name + "/weights")},
                    .attributes = {}};
    if (!zero.empty()) decode.inputs.push_back(zero);
    decode.attributes["axis"].whole = convolution ? 0 : 1;
    OnnxNode layer = integer;
    layer.op = convolution ? "Conv" : "MatMul";
    layer.inputs = {quantizer.input(0), decode.outputs[0]};
    // The layer takes over the name of the sums, whose node goes on only where something else reads it.
    if (taken_.count(integer.name) == 0) {
      taken_[integer.name] = fresh(integer.name + "_sums");
    } else {
      layer.name = fresh(integer.name);
    }
    for (const std::string& used : {sums->cast, sums->scale}) {
      factors.erase(std::find(factors.begin(), factors.end(), used));
    }
    const std::string layer_name = layer.name;
    layer.outputs = {factors.empty() ? node.outputs[0] : fresh(layer_name + "/product")};
    std::string product = layer.outputs[0];
    nodes.push_back(std::move(decode));
    nodes.push_back(std::move(layer));
    for (std::size_t i = 0; i < factors.size(); ++i) {
      const bool last = i + 1 == factors.size();
      OnnxNode scaling{.op = "Mul",
                       .domain = "",
                       .name = last ? node.name : fresh(layer_name + "_scale"),
                       .inputs = {product, factors[i]},
                       .outputs = {last ? node.outputs[0] : fresh(layer_name + "/product")},
                       .attributes = {}};
      product = scaling.outputs[0];
      nodes.push_back(std::move(scaling));
    }
    if (noted_.insert(quantizer.name).second) {
      graph_.notes.push_back(
          fmt::format("{} '{}' takes the range of each input by itself; here calibration fixes one, and the run as the "
                      "file says does not round these values",
                      quantizer.op, quantizer.name));
    }
    return true;
  }

  static constexpr int most_products = 4;  // in front of a product: exporters write two at most

  Graph& graph_;
  std::map<std::string, std::size_t> producers_;
  std::set<std::string> names_, noted_;
  std::map<std::string, std::string> taken_;  // new names of the nodes of sums, by their old ones
};

}  // namespace

void rewrite_dynamic_quantization(Graph& graph) { DynamicRewriter(graph).run(); }

}  // namespace bitstrata::model::interchange
