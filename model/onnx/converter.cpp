// SPDX-License-Identifier: Apache-2.0
#include "model/onnx/converter.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "model/activations.h"

namespace bitstrata::model::interchange {
namespace {

constexpr std::int64_t largest_tensor = std::int64_t{1} << 27;  // elements: a damaged file must not take all memory

constexpr int most_layers = 10000;  // every new layer is compared with all the others

// Layer names go into plans, tables and file names.
std::string tidy(const std::string& name) {
  std::string result;
  for (const char c : name) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-' || c == '/';
    if (!(result.empty() && c == '/')) result += plain ? c : '_';
  }
  return result.empty() ? "node" : result;
}

}  // namespace

Converter::Converter(Graph graph, const ImportOptions& options, const InputLayout* layout)
    : graph_(std::move(graph)), options_(options), layout_(layout) {}

FloatNetwork Converter::convert(OutputLayout* layout) {
  network_.graph = Network(tidy(graph_.name));
  network_.notes = graph_.notes;
  choose_outputs();
  fold_constants();
  const std::set<std::string> needed = needed_nodes();
  check_written(needed);
  check_operators(needed);
  for (const std::string& head : heads_) uses_[head] = 1;
  for (const OnnxNode& node : graph_.nodes) {
    if (needed.count(node.name) == 0 || node.op == "Shape") continue;  // a shape is known without the values
    for (const std::string& input : node.inputs) ++uses_[input];
  }
  // Weights pass through a few nodes at most (a transpose, a quantizer); what goes far beyond them is no network.
  most_folded_ = std::int64_t{1} << 24;
  for (const auto& [name, tensor] : graph_.constants) most_folded_ += 8 * tensor.elements();
  join_equal_quantizers();
  add_input();
  for (const OnnxNode& node : graph_.nodes) {
    if (needed.count(node.name) != 0) step(node);
  }
  join_outputs();
  check_result(layout);
  return std::move(network_);
}

// Constants written as nodes, before anything asks for them.
void Converter::fold_constants() {
  for (const OnnxNode& node : graph_.nodes) {
    if (node.op == "Constant" && node.domain.empty()) set_constant(node.outputs[0], fold(node, {}, graph_.opset).at(0));
  }
}

// Exporters give every reader of a tensor a quantizer of its own. Where all readers quantize alike, the tensor may be
// rounded itself, as if there were one.
void Converter::join_equal_quantizers() {
  std::map<std::string, std::vector<const OnnxNode*>> readers;
  for (const OnnxNode& node : graph_.nodes) {
    for (const std::string& input : node.inputs) readers[input].push_back(&node);
  }
  static const std::set<std::string> quantizers = {"QuantizeLinear", "Quant", "IntQuant", "BipolarQuant"};
  const auto same_constant = [&](const std::string& a, const std::string& b) {
    const Tensor *x = constant(a), *y = constant(b);
    return a == b || (x != nullptr && y != nullptr && x->type == y->type && x->dims == y->dims &&
                      x->reals == y->reals && x->doubles == y->doubles && x->ints == y->ints);
  };
  for (const auto& reading : readers) {
    const std::string& name = reading.first;  // not a structured binding: clang 14 captures none
    const auto& nodes = reading.second;
    const int uses = uses_[name];
    if (uses < 2 || uses != static_cast<int>(nodes.size())) continue;
    const OnnxNode& first = *nodes[0];
    const bool equal = std::all_of(nodes.begin(), nodes.end(), [&](const OnnxNode* node) {
      bool alike = quantizers.count(node->op) != 0 && node->op == first.op && node->input(0) == name &&
                   node->inputs.size() == first.inputs.size();
      for (std::size_t i = 1; alike && i < first.inputs.size(); ++i)
        alike = same_constant(node->inputs[i], first.inputs[i]);
      for (const char* key : {"axis", "signed", "narrow", "output_dtype"})
        alike = alike && node->whole(key, 1) == first.whole(key, 1);
      return alike && node->text("rounding_mode", "ROUND") == first.text("rounding_mode", "ROUND");
    });
    if (!equal) continue;
    uses_[name] = 1;
    shared_.insert(name);
  }
}

void Converter::add_input() {
  std::vector<std::string> names;
  for (const GraphInput& input : graph_.inputs)
    if (uses_[input.name] > 0) names.push_back(fmt::format("'{}'", input.name));
  if (names.empty())
    throw std::invalid_argument(fmt::format("its output '{}' depends on no input", fmt::join(heads_, "', '")));
  if (names.size() != 1) {
    throw std::invalid_argument(
        fmt::format("a network has one input; this one needs {}: {}", names.size(), fmt::join(names, ", ")));
  }
  const auto found = std::find_if(graph_.inputs.begin(), graph_.inputs.end(),
                                  [&](const GraphInput& input) { return uses_[input.name] > 0; });
  const GraphInput& input = *found;
  Dims dims = input.dims;
  if (!options_.input_shape.empty()) {
    if (input.known_rank && !dims.empty() && dims.size() != options_.input_shape.size()) {
      throw std::invalid_argument(fmt::format("--input-shape has {} dimensions, input '{}' has {}",
                                              options_.input_shape.size(), input.name, dims.size()));
    }
    dims = options_.input_shape;
  }
  if (dims.empty()) {
    throw std::invalid_argument(
        fmt::format("input '{}' has no shape in the file; give it: --input-shape 1,3,224,224", input.name));
  }
  if (dims[0] != 1) {
    if (dims[0] > 1) network_.notes.push_back(fmt::format("the batch of {} is taken as 1", dims[0]));
    file_batch_ = dims[0];
    dims[0] = 1;
  }
  for (std::size_t i = 1; i < dims.size(); ++i) {
    if (dims[i] > 0) continue;
    const std::string symbol = i < input.symbols.size() ? input.symbols[i] : "";
    throw std::invalid_argument(
        fmt::format("dimension {} of input '{}' is open{}; give all of them: --input-shape 1,3,224,224", i, input.name,
                    symbol.empty() ? "" : fmt::format(" ('{}')", symbol)));
  }
  if (elements_of(dims) > largest_tensor) {
    throw std::invalid_argument(fmt::format("input '{}' of {} is too large", input.name, to_text(dims)));
  }
  input_dims_ = dims;
  Value value{.node = 0, .view = View::plain(dims)};
  if (is_short_real(input.type)) {
    network_.notes.push_back(fmt::format("the file computes in {}; here values are floats of 32 bits",
                                         input.type == type::real16 ? "FLOAT16" : "BFLOAT16"));
  }
  if (!is_real(input.type) && input.type != 0) {
    input_codes_ = integer_type(input.type);
    if (!input_codes_ || input_codes_->bits > 16) {
      throw std::invalid_argument(fmt::format(
          "input '{}' has data type {}; values of 32 bits or codes of up to 16 are supported", input.name, input.type));
    }
    value.codes = true;
    value.code_type = input.type;
  }
  Shape shape{.channels = static_cast<int>(elements_of(dims))};
  if (layout_ != nullptr) {
    shape = layout_->shape;
    std::vector<Factor> factors;
    for (const InputLayout::Step& s : layout_->steps) factors.push_back({s.size, s.stride});
    value.view = View::of({factors}).reshaped(dims);
  }
  names_.insert("input");
  added(network_.graph.add_input(shape, "input"));
  network_.input_order = input_order(value);
  value.exclusive = uses_[input.name] == 1;
  values_[input.name] = value;
}

// Softmax, ArgMax and the like at the very end are the host's work.
void Converter::cut_host_tail() {
  static const std::set<std::string> host = {"Softmax", "QLinearSoftmax", "LogSoftmax", "ArgMax", "TopK", "Hardmax"};
  static const std::set<std::string> harmless = {
      "Identity", "Cast",      "Reshape",   "Flatten",        "Squeeze",
      "Dropout",  "Transpose", "Unsqueeze", "QuantizeLinear", "DequantizeLinear"};
  std::map<std::string, const OnnxNode*> producers;
  for (const OnnxNode& node : graph_.nodes)
    for (const std::string& output : node.outputs) producers[output] = &node;
  producers.erase("");  // an output that is left out
  std::string name = output_;
  // What makes a tensor stands in front of what reads it; a file that has it otherwise would lead round for ever.
  const OnnxNode* before = graph_.nodes.data() + graph_.nodes.size();
  for (auto found = producers.find(name); found != producers.end() && found->second < before;
       found = producers.find(name)) {
    const OnnxNode& node = *found->second;
    before = &node;
    const bool cut = host.count(node.op) != 0;
    if (!cut && harmless.count(node.op) == 0) break;
    name = node.input(0);
    if (!cut) continue;
    network_.notes.push_back(fmt::format("{} '{}' is left to the host", node.op, node.name));
    output_ = name;
  }
}

std::set<std::string> Converter::needed_nodes() const {
  std::set<std::string> tensors(heads_.begin(), heads_.end()), result;
  for (auto node = graph_.nodes.rbegin(); node != graph_.nodes.rend(); ++node) {
    const bool wanted = std::any_of(node->outputs.begin(), node->outputs.end(),
                                    [&](const std::string& output) { return tensors.count(output) != 0; });
    if (!wanted) continue;
    result.insert(node->name);
    tensors.insert(node->inputs.begin(), node->inputs.end());
    tensors.insert(node->captured.begin(), node->captured.end());
  }
  return result;
}

void Converter::step(const OnnxNode& node) {
  bool all = true;
  std::vector<const Tensor*> inputs;
  for (const std::string& input : node.inputs) {
    inputs.push_back(input.empty() ? nullptr : constant(input));
    all = all && (input.empty() || inputs.back() != nullptr);
  }
  const Handler handler = handler_of(node.op);
  if (known_domains().count(node.domain) == 0) {
    refuse(node, fmt::format("operators of domain '{}' are not supported", node.domain));
  }
  if (all && node.op != "If") {
    std::vector<Tensor> results = fold(node, inputs, graph_.opset);
    const bool decodes = node.op == "DequantizeLinear" || node.op == "Quant" || node.op == "IntQuant";
    const bool quantized = decodes || std::any_of(inputs.begin(), inputs.end(), [](const Tensor* input) {
                             return input != nullptr && input->quantized;
                           });
    for (Tensor& result : results) result.quantized = quantized && !result.whole();
    note_opset(node);
    if (results[0].grid) {
      if (const std::optional<NotedWidth> noted = noted_width(node, results[0].grid->bits)) {
        results[0].grid->bits = noted->bits;
        results[0].grid->bipolar = noted->bits == 1;
      }
    }
    for (std::size_t i = 0; i < results.size() && i < node.outputs.size(); ++i) {
      folded_ += results[i].elements();
      if (folded_ > most_folded_) refuse(node, "the constants that are made from the file's take too much memory");
      set_constant(node.outputs[i], std::move(results[i]));
    }
    return;
  }
  if (handler == nullptr) refuse(node, "the operator is not supported");
  refuse_codes(node);
  try {
    (this->*handler)(node);
  } catch (const std::invalid_argument& error) {
    const std::string text = error.what();
    if (text.find(fmt::format("node '{}'", node.name)) != std::string::npos) throw;
    refuse(node, text);
  }
}

// Codes are numbers only to operators that say how they read them, and to those that move them as they are.
void Converter::refuse_codes(const OnnxNode& node) const {
  if (takes_codes(node.op)) return;
  for (const std::string& input : node.inputs) {
    const auto found = values_.find(input);
    if (found != values_.end() && found->second.codes)
      refuse(node, fmt::format("reads the codes '{}' as numbers; a DequantizeLinear is missing", input));
  }
}

std::optional<NotedWidth> Converter::noted_width(const OnnxNode& node, int type_bits) const {
  const auto found = graph_.metadata.find("bitstrata.bits." + node.outputs[0]);
  if (found == graph_.metadata.end()) return std::nullopt;
  NotedWidth noted;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), noted.bits);
  const std::string_view rest(end, text.data() + text.size());
  noted.narrow = rest == " narrow";
  if (error != std::errc{} || noted.bits < 1 || noted.bits > type_bits || !(rest.empty() || noted.narrow)) {
    refuse(node, fmt::format("the file notes its width as '{}'; it is 1 to {} bits, with ' narrow' behind the number "
                             "where the lowest code is left out",
                             text, type_bits));
  }
  return noted;
}

const Tensor* Converter::constant(const std::string& name) const {
  const auto found = graph_.constants.find(name);
  return found == graph_.constants.end() ? nullptr : &found->second;
}

const Tensor& Converter::need_constant(const OnnxNode& node, std::size_t input, const char* what) const {
  const Tensor* tensor = constant(node.input(input));
  if (tensor == nullptr) refuse(node, fmt::format("its {} must be a constant", what));
  return *tensor;
}

const std::vector<std::int64_t>& Converter::need_wholes(const OnnxNode& node, std::size_t input,
                                                        const char* what) const {
  return whole_list(node, need_constant(node, input, what), what);
}

void Converter::check_weights(const OnnxNode& node, std::int64_t count) {
  if (count > std::int64_t{1} << 24)
    refuse(node, fmt::format("becomes a layer of {} weights, which is too large", count));
}

Value Converter::value(const OnnxNode& node, std::size_t input) const {
  const auto found = values_.find(node.input(input));
  if (found == values_.end()) refuse(node, fmt::format("input '{}' is written by nothing", node.input(input)));
  if (features_.count(node.input(input)) != 0 && node.op != "Gemm" && node.op != "MatMul")
    refuse(node, "reads a BatchNormalization that differs from pixel to pixel; only a Gemm or MatMul can take that");
  return found->second;
}

void Converter::set(const OnnxNode& node, Value value, std::size_t output) {
  const std::string& name = node.outputs.at(output);
  const auto uses = uses_.find(name);
  const int count = uses == uses_.end() ? 0 : uses->second;
  if (const auto cut = cuts_.find(name); cut != cuts_.end()) value = cut_off(node, std::move(value), cut->second);
  value.exclusive = value.exclusive && count <= 1;
  values_[name] = std::move(value);
}

std::string Converter::fresh_name(const OnnxNode& node, const std::string& suffix) {
  const std::string base = tidy(node.name) + suffix;
  std::string name = base;
  for (int i = 2; !names_.insert(name).second; ++i) name = fmt::format("{}_{}", base, i);
  return name;
}

int Converter::added(int index) {
  const Node& node = network_.graph.node(index);
  if (index >= most_layers)
    throw std::invalid_argument(fmt::format("the network has more than {} layers", most_layers));
  if (node.output.elements() > largest_tensor) {
    throw std::invalid_argument(fmt::format("its output of {}x{}x{} is too large", node.output.height,
                                            node.output.width, node.output.channels));
  }
  network_.parameters.resize(network_.graph.nodes().size());
  network_.grids.resize(network_.graph.nodes().size());
  return index;
}

Value Converter::ready(const OnnxNode& node, Value value) {
  settle(value, Geometry::other);
  if (value.pad.any()) refuse(node, "follows a Pad, which only a convolution or pooling can take");
  return without_factor(node, std::move(value));
}

}  // namespace bitstrata::model::interchange
