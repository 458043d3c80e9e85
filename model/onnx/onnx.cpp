// SPDX-License-Identifier: Apache-2.0
#include "model/onnx/onnx.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "model/onnx/attributes.h"
#include "model/onnx/converter.h"

namespace bitstrata::model::interchange {
namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

FloatNetwork convert(Graph graph, const ImportOptions& options, OutputLayout* layout) {
  check_attributes(graph);
  rewrite_activations(graph);
  rewrite_dynamic_quantization(graph);
  try {
    return Converter(graph, options, nullptr).convert(layout);
  } catch (const LayoutDemand& demand) {
    return Converter(std::move(graph), options, &demand.layout).convert(layout);
  }
}

}  // namespace

// The last of the conversion: the output is the last layer, and all numbers are fit for hardware.
void Converter::check_result(OutputLayout* layout) {
  const auto found = values_.find(output_);
  if (found == values_.end()) {
    throw std::invalid_argument(constant(output_) != nullptr ? fmt::format("its output '{}' is a constant", output_)
                                                             : fmt::format("no node writes the output '{}'", output_));
  }
  OnnxNode end{
      .op = "Output", .domain = "", .name = output_, .inputs = {output_}, .outputs = {output_}, .attributes = {}};
  if (found->second.codes) {
    network_.notes.push_back(
        fmt::format("the file's output '{}' holds codes; here it holds the values they stand for", output_));
  }
  if (features_.count(output_) != 0)
    throw std::invalid_argument("its output is a BatchNormalization that differs from pixel to pixel");
  const Value value = straight(end, ready(end, found->second));
  const std::vector<Factor> whole = {{value.view.elements(), 1}};
  const bool moved = geometry(value) == Geometry::other && value.view.elements() > 1 && value.view.factors() != whole;
  if (moved && !options_.file_order) {
    network_.notes.push_back(
        "the last Reshape or Transpose is left to the host: the output comes as height, width, channels");
  }
  if (network_.quantized()) network_.notes.insert(network_.notes.end(), ties_.begin(), ties_.end());
  // An output may have a hundred million elements; their order is made for who asks.
  if (layout != nullptr) *layout = {value.view.sizes(), value.view.order()};
  const int last = static_cast<int>(network_.graph.nodes().size()) - 1;
  if (value.node != last) {
    throw std::invalid_argument(fmt::format("its output '{}' is not its last layer: '{}' comes after it", output_,
                                            network_.graph.node(last).name));
  }
  for (int i = 0; i <= last; ++i) {
    const Node& node = network_.graph.node(i);
    Parameters& p = network_.parameters[at(i)];
    for (const float weight : p.weights) {
      if (!std::isfinite(weight))
        throw std::invalid_argument(fmt::format("layer '{}' has a weight that is no number", node.name));
    }
    for (const float bias : p.bias) {
      if (!std::isfinite(bias))
        throw std::invalid_argument(fmt::format("layer '{}' has a bias that is no number", node.name));
    }
    const Window& w = node.window;
    const bool padded = w.pad_top != 0 || w.pad_bottom != 0 || w.pad_left != 0 || w.pad_right != 0;
    const auto& from = node.inputs.empty() ? network_.grids[0] : network_.grids[at(node.inputs[0])];
    if (node.op == Op::convolution && padded && from && from->coding == Coding::bipolar) {
      throw std::invalid_argument(fmt::format(
          "convolution '{}' pads a tensor of -1 and +1 with zeros, which such a tensor cannot hold", node.name));
    }
    if (network_.grids[at(i)]) network_.grids[at(i)]->scale = static_cast<float>(network_.grids[at(i)]->scale);
    if (p.weight_bits == 0) continue;
    for (double& scale : p.scales) scale = static_cast<float>(scale);  // as files hold them
    // Zero points and folded signs can lead outside the declared width.
    const std::size_t each = p.weights.size() / p.scales.size();
    double low = 0, high = 0;
    for (std::size_t k = 0; k < p.weights.size(); ++k) {
      const double code = std::nearbyint(p.weights[k] / p.scales[k / each]);
      low = std::min(low, code), high = std::max(high, code);
    }
    while (p.weight_bits > 1 && (low < -std::exp2(p.weight_bits - 1) || high > std::exp2(p.weight_bits - 1) - 1))
      ++p.weight_bits;
    if (p.weight_bits > 16) {
      throw std::invalid_argument(
          fmt::format("layer '{}' has weight codes {:g}..{:g}, which need more than 16 bits", node.name, low, high));
    }
  }
}

}  // namespace bitstrata::model::interchange

namespace bitstrata::model {

std::vector<std::int64_t> OutputLayout::sample_dims() const {
  const bool batch = !dims.empty() && dims[0] == 1;
  return {dims.begin() + (batch ? 1 : 0), dims.end()};
}

FloatNetwork import_onnx(const std::filesystem::path& file, const ImportOptions& options, OutputLayout* layout) {
  using namespace interchange;
  std::string message;
  try {
    Graph graph = read_graph(file);
    graph.name = file.stem().string();  // exporters call every graph the same
    while (true) {
      try {
        return convert(graph, options, layout);
      } catch (const BranchDemand& demand) {
        take_branch(graph, demand.node, demand.then);
      }
    }
  } catch (const LayoutDemand&) {
    message = "its input is used in two arrangements";
  } catch (const std::exception& error) {
    message = error.what();
  }
  const std::string name = file.string();
  if (!message.starts_with(name)) message = fmt::format("{}: {}", name, message);
  // Names in a damaged file hold anything; a message is one line.
  for (char& c : message) {
    if (static_cast<unsigned char>(c) < 32) c = '?';
  }
  throw std::runtime_error(message);
}

}  // namespace bitstrata::model
