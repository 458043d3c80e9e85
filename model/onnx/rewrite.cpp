// SPDX-License-Identifier: Apache-2.0
// Exporters spell hard sigmoid, hard swish, SiLU and GELU in several simple nodes; here they become one again.
#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "model/onnx/converter.h"

namespace bitstrata::model::interchange {
namespace {

class Rewriter {
 public:
  explicit Rewriter(Graph& graph) : graph_(graph) {
    for (const std::string& output : graph.outputs) ++uses_[output];
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      for (const std::string& input : graph.nodes[i].inputs) ++uses_[input];
      for (const std::string& output : graph.nodes[i].outputs)
        if (!output.empty()) producers_[output] = i;
    }
  }

  void run() {
    for (OnnxNode& node : graph_.nodes) {
      // Our own files spell out the clipping of narrow codes, which their quantizer does anyway.
      const bool ours = graph_.metadata.count("bitstrata.format") != 0 && node.name.ends_with("/bitstrata_clip");
      if (node.op == "Clip" && ours) replace(node, "Identity", node.input(0));
      if (node.op == "Clip") skip_relu(node);
      if (node.op == "QuantizeLinear") limit_codes(node);
      if (!node.domain.empty() || node.inputs.size() != 2 || (node.op != "Mul" && node.op != "Div")) continue;
      if (const auto x = hard_sigmoid(node)) {
        const Spelling spelling = {plus_three, to_six, sixth(node)};
        replace(node, "HardSigmoid", *x);
        node.attributes["alpha"].real = 1.0 / 6;
        node.attributes["beta"].real = 0.5;
        spell(node, spelling);
      } else if (const auto y = scaled_hard_swish(node)) {
        const Spelling spelling = {plus_three, to_six, by_source, sixth(node)};
        replace(node, "HardSwish", *y);
        spell(node, spelling);
      } else if (const auto z = gelu(node)) {
        replace(node, "Gelu", *z);
      } else if (node.op == "Mul") {
        for (int side = 0; side < 2; ++side) {
          const std::string& value = node.inputs[side];
          const OnnxNode* gate = only(node.inputs[1 - side]);
          if (gate == nullptr || gate->input(0) != value) continue;
          const bool hard = gate->op == "HardSigmoid" && std::abs(gate->real("alpha", 0.2) - 1.0 / 6) < 1e-7 &&
                            gate->real("beta", 0.5) == 0.5;
          if (gate->op == "Sigmoid" || hard) {
            Attribute spelled;
            if (const auto found = gate->attributes.find("spelled"); found != gate->attributes.end())
              spelled = found->second;
            replace(node, hard ? "HardSwish" : "Silu", value);
            if (!spelled.wholes.empty()) {
              spelled.wholes.push_back(static_cast<int>(by_source.first)), spelled.reals.push_back(by_source.second);
              node.attributes["spelled"] = spelled;
            }
            break;
          }
        }
      }
    }
    insert_made();
  }

 private:
  // How the file writes a function that becomes one node: the attribute "spelled", kinds of ValueStep and their
  // numbers.
  using Spelling = std::vector<std::pair<ValueStep::Kind, double>>;
  static constexpr std::pair<ValueStep::Kind, double> plus_three = {ValueStep::Kind::add, 3.0},
                                                      to_six = {ValueStep::Kind::clip, 6.0},
                                                      by_source = {ValueStep::Kind::multiply_by_source, 0.0};
  // The division by 6, or the product with its reciprocal, that `node` is.
  std::pair<ValueStep::Kind, double> sixth(const OnnxNode& node) const {
    const auto right = number(node.input(1));
    return {node.op == "Div" ? ValueStep::Kind::divide : ValueStep::Kind::multiply,
            right ? *right : *number(node.input(0))};
  }
  static void spell(OnnxNode& node, const Spelling& spelling) {
    Attribute& spelled = node.attributes["spelled"];
    for (const auto& [kind, number] : spelling)
      spelled.wholes.push_back(static_cast<int>(kind)), spelled.reals.push_back(number);
  }

  // A clip of values in front of their quantizer limits codes instead, which is the same and needs no layer. (With a
  // lower limit of 0 it is a ReLU.)
  void limit_codes(OnnxNode& node) {
    const OnnxNode* clip = only(node.input(0));
    if (clip == nullptr || clip->op != "Clip" || clip->inputs.size() < 3) return;
    const auto low = number(clip->input(1)), high = number(clip->input(2)), scale = number(node.input(1));
    const auto zero = graph_.constants.find(node.input(2));
    if (!low || !high || !scale || !(*scale > 0) || *low == 0 || !(*low < *high)) return;
    if (zero == graph_.constants.end() || zero->second.elements() != 1) return;
    const auto range = integer_type(zero->second.type);
    if (!range || range->bits > 16) return;
    FileQuantizer quantizer;
    quantizer.grid.bits = range->bits;
    quantizer.grid.scales = {*scale};
    quantizer.zero_points = zero->second.ints;
    quantizer.is_signed = range->is_signed;
    quantizer.rounding = Rounding::half_even_step;
    const auto first = static_cast<std::int64_t>(quantizer.code(*low, 0));
    const auto last = static_cast<std::int64_t>(quantizer.code(*high, 0));
    if (first >= last || quantizer.zero_points[0] < first || quantizer.zero_points[0] > last) return;
    OnnxNode limit{.op = "Clip",
                   .domain = "",
                   .name = node.name + "/limits",
                   .inputs = {node.name + "/unlimited", node.name + "/first", node.name + "/last"},
                   .outputs = {node.outputs[0]},
                   .attributes = {}};
    for (const auto& [name, code] : {std::pair{limit.inputs[1], first}, std::pair{limit.inputs[2], last}}) {
      Tensor tensor = Tensor::of_ints({}, {code});
      tensor.type = zero->second.type;
      graph_.constants.insert_or_assign(name, std::move(tensor));
    }
    node.inputs[0] = clip->input(0);
    node.outputs[0] = limit.inputs[0];
    behind_.emplace_back(node.name, std::move(limit));
  }

  // Puts the nodes that rewriting has made behind those they belong to.
  void insert_made() {
    for (auto& [name, made] : behind_) {
      const auto found = std::find_if(graph_.nodes.begin(), graph_.nodes.end(),
                                      [&n = name](const OnnxNode& node) { return node.name == n; });
      graph_.nodes.insert(found + 1, std::move(made));
    }
  }

  // A ReLU in front of a clip to 0 and more changes nothing; exporters write ReLU6 so.
  void skip_relu(OnnxNode& node) const {
    const OnnxNode* before = only(node.input(0));
    const auto low = node.has("min") ? std::optional(node.real("min", 0)) : number(node.input(1));
    if (before != nullptr && before->op == "Relu" && low && *low >= 0) node.inputs[0] = before->input(0);
  }

  // The node that writes `name` where nothing else reads it.
  const OnnxNode* only(const std::string& name) const {
    const auto found = producers_.find(name);
    return found == producers_.end() || uses_.at(name) != 1 ? nullptr : &graph_.nodes[found->second];
  }

  // A constant of one element, behind few nodes that keep it.
  std::optional<double> number(std::string name) const {
    constexpr int most_between = 8;
    for (int i = 0; i <= most_between; ++i) {
      const Tensor* tensor = nullptr;
      if (const auto found = graph_.constants.find(name); found != graph_.constants.end()) tensor = &found->second;
      if (const auto found = producers_.find(name); found != producers_.end()) {
        const OnnxNode& node = graph_.nodes[found->second];
        const auto to = static_cast<int>(node.op == "Cast" ? node.whole("to", 0) : 0);
        if (node.op == "Identity" || (is_real(to) && !is_short_real(to))) {
          name = node.input(0);
          continue;
        }
        if (node.op == "Constant") tensor = node.tensor("value");
        if (node.op == "Constant" && node.has("value_float")) return node.real("value_float", 0);
      }
      if (tensor == nullptr || tensor->elements() != 1) return {};
      return tensor->at(0);
    }
    return {};
  }

  // `node` is (other input) * factor for a constant: the other input's name and the factor.
  std::optional<std::pair<std::string, double>> scaled(const OnnxNode& node) const {
    if (const auto right = number(node.input(1)))
      return std::pair{node.input(0), node.op == "Div" ? 1 / *right : *right};
    if (node.op != "Mul") return {};
    if (const auto left = number(node.input(0))) return std::pair{node.input(1), *left};
    return {};
  }

  // x of clip(x + 3, 0, 6).
  std::optional<std::string> shifted_clip(const std::string& name) const {
    const OnnxNode* clip = only(name);
    if (clip == nullptr || clip->op != "Clip") return {};
    const auto low = clip->has("min") ? std::optional(clip->real("min", 0)) : number(clip->input(1));
    const auto high = clip->has("max") ? std::optional(clip->real("max", 0)) : number(clip->input(2));
    if (low != 0.0 || high != 6.0) return {};
    const OnnxNode* add = only(clip->input(0));
    if (add == nullptr || add->op != "Add") return {};
    if (number(add->input(1)) == 3.0) return add->input(0);
    if (number(add->input(0)) == 3.0) return add->input(1);
    return {};
  }

  static bool is_sixth(double factor) { return std::abs(factor * 6 - 1) < 1e-4; }

  std::optional<std::string> hard_sigmoid(const OnnxNode& node) const {
    const auto product = scaled(node);
    return product && is_sixth(product->second) ? shifted_clip(product->first) : std::nullopt;
  }

  // (x * clip(x + 3, 0, 6)) / 6
  std::optional<std::string> scaled_hard_swish(const OnnxNode& node) const {
    const auto product = scaled(node);
    if (!product || !is_sixth(product->second)) return {};
    const OnnxNode* inner = only(product->first);
    if (inner == nullptr || inner->op != "Mul") return {};
    for (int side = 0; side < 2; ++side) {
      const std::string value = inner->input(static_cast<std::size_t>(side));
      if (shifted_clip(inner->input(static_cast<std::size_t>(1 - side))) == value) return value;
    }
    return {};
  }

  // What a product or quotient multiplies, through products that nothing else reads: the constants to one number, the
  // tensors by name.
  struct Product {
    double constant = 1;
    std::vector<std::string> tensors;
  };
  void factors_of(const OnnxNode& node, Product& product) const {
    for (std::size_t side = 0; side < 2; ++side) {
      const std::string& input = node.input(side);
      const bool divides = node.op == "Div" && side == 1;
      const OnnxNode* inner = only(input);
      if (const auto factor = number(input)) {
        product.constant *= divides ? 1 / *factor : *factor;
      } else if (!divides && inner != nullptr && inner->inputs.size() == 2 &&
                 (inner->op == "Mul" || inner->op == "Div")) {
        factors_of(*inner, product);
      } else {
        product.tensors.push_back(divides ? "" : input);
      }
    }
  }

  // x of x * (1 + erf(x / sqrt(2))) / 2, in any order of the factors.
  std::optional<std::string> gelu(const OnnxNode& node) const {
    Product product;
    factors_of(node, product);
    if (std::abs(product.constant * 2 - 1) > 1e-4 || product.tensors.size() != 2) return {};
    for (std::size_t side = 0; side < 2; ++side) {
      const OnnxNode* add = only(product.tensors[side]);
      if (add == nullptr || add->op != "Add" || add->inputs.size() != 2) continue;
      const std::size_t one = number(add->input(0)) ? 0 : 1;
      const OnnxNode* erf = only(add->input(1 - one));
      if (number(add->input(one)) != 1.0 || erf == nullptr || erf->op != "Erf") continue;
      const OnnxNode* inner = only(erf->input(0));
      if (inner == nullptr || inner->inputs.size() != 2) continue;
      const auto argument = scaled(*inner);
      const std::string& x = product.tensors[1 - side];
      if ((inner->op == "Mul" || inner->op == "Div") && argument && argument->first == x && !x.empty() &&
          std::abs(argument->second * std::numbers::sqrt2 - 1) < 1e-4) {
        return x;
      }
    }
    return {};
  }

  void replace(OnnxNode& node, const std::string& op, const std::string& input) {
    node.op = op;
    node.inputs = {input};
    node.attributes.clear();
    // Nodes that nothing needs any more are never visited; uses are counted again.
  }

  Graph& graph_;
  std::map<std::string, std::size_t> producers_;
  std::map<std::string, int> uses_;
  std::vector<std::pair<std::string, OnnxNode>> behind_;
};

}  // namespace

void rewrite_activations(Graph& graph) { Rewriter(graph).run(); }

}  // namespace bitstrata::model::interchange
