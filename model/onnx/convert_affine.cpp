// SPDX-License-Identifier: Apache-2.0
// Scalings and shifts by constants: batch norms, biases behind a layer, mean and deviation in front of a network.
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "model/onnx/converter.h"

namespace bitstrata::model::interchange {
namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

bool all_equal(const std::vector<double>& values, double wanted) {
  return std::all_of(values.begin(), values.end(), [&](double v) { return v == wanted; });
}

void widen(std::vector<double>& values, int channels) {
  if (values.size() == 1) values.resize(at(channels), values[0]);
}

std::vector<float> as_floats(const std::vector<double>& values) { return {values.begin(), values.end()}; }

}  // namespace

// One entry, or one a channel of the node. The constant is broadcast to the value as ONNX does it.
std::vector<double> Converter::per_channel(const OnnxNode& node, const Value& value, const Tensor& tensor) const {
  if (tensor.elements() == 1) return {tensor.at(0)};
  const Dims sizes = value.view.sizes();
  const std::size_t lead = sizes.size() - std::min(sizes.size(), tensor.dims.size());
  bool fits = tensor.dims.size() <= sizes.size();
  for (std::size_t i = 0; fits && i < tensor.dims.size(); ++i) {
    fits = tensor.dims[i] == 1 || tensor.dims[i] == sizes[lead + i];
  }
  if (!fits) {
    refuse(node, fmt::format("a constant of {} does not fit its input of {}", to_text(tensor.dims), to_text(sizes)));
  }
  // The arrangement of an input that nobody has used shows in the axis along which the constant varies.
  if (sizes.size() == 4 && tensor.dims.back() == tensor.elements()) settle(value, Geometry::nhwc);
  settle(value, Geometry::nchw);
  const int channels = shape(value).channels;
  const std::vector<Factor> along = {{channels, 1}};
  for (std::size_t i = lead; i < sizes.size(); ++i) {
    if (tensor.dims[i - lead] != tensor.elements() || value.view.dim(static_cast<int>(i)) != along) continue;
    std::vector<double> result;
    for (int c = 0; c < channels; ++c) result.push_back(tensor.at(at(c)));
    return result;
  }
  if (value.view.elements() > (1 << 24))
    refuse(node, "a constant that lies across channels of so large a tensor is not supported");
  std::vector<std::int64_t> index = {0};
  std::int64_t stride = tensor.elements();
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::int64_t side = i < lead ? 1 : tensor.dims[i - lead];
    if (side > 0) stride /= side;
    std::vector<std::int64_t> next;
    next.reserve(index.size() * at(sizes[i]));
    for (const std::int64_t base : index)
      for (std::int64_t k = 0; k < sizes[i]; ++k) next.push_back(base + (side == 1 ? 0 : k * stride));
    index = std::move(next);
  }
  std::vector<double> result(at(channels));
  std::vector<bool> seen(at(channels), false);
  const std::vector<std::int64_t> order = value.view.order();
  for (std::size_t k = 0; k < order.size(); ++k) {
    const std::size_t channel = at(order[k] % channels);
    const double entry = tensor.at(at(index[k]));
    if (seen[channel] && entry != result[channel]) {
      refuse(node, "a constant that differs from pixel to pixel is not supported, only from channel to channel");
    }
    result[channel] = entry;
    seen[channel] = true;
  }
  return result;
}

Value Converter::affine(const OnnxNode& node, Value value, std::vector<double> scale, std::vector<double> shift,
                        std::vector<ValueStep> steps) {
  if (value.pad.any()) refuse(node, "follows a Pad, which only a convolution or pooling can take");
  if (all_equal(scale, 1) && all_equal(shift, 0)) return value;
  if (steps.empty()) {
    if (!all_equal(scale, 1)) steps.push_back({.kind = ValueStep::Kind::multiply, .numbers = as_floats(scale)});
    if (!all_equal(shift, 0)) steps.push_back({.kind = ValueStep::Kind::add, .numbers = as_floats(shift)});
  }
  const bool one_scale = all_equal(scale, scale[0]);
  const bool input = value.node == 0;
  if (!input) settle(value, Geometry::other);
  const Node target = network_.graph.node(value.node);
  Parameters& p = network_.parameters[at(value.node)];
  const bool rounded = network_.grids[at(value.node)].has_value();
  const bool nonzero = std::none_of(scale.begin(), scale.end(), [](double s) { return s == 0; });
  if (has_weights(target.op) && value.exclusive && !rounded && (p.weight_bits == 0 || nonzero)) {
    widen(scale, target.out_channels);
    widen(shift, target.out_channels);
    p.mean.reset();  // its values are no longer those
    const bool moved = std::ranges::all_of(p.bias, [](float b) { return b == 0; }) &&
                       std::ranges::all_of(p.weights, [](float w) { return w == 0 || w == 1; });
    if (p.of_importer && !moved) note_tie(node);
    if (p.written && value.factor == 1) {
      p.written->steps.insert(p.written->steps.end(), steps.begin(), steps.end());
    } else {
      p.written.reset();
    }
    const std::size_t each = p.weights.size() / scale.size();
    for (std::size_t n = 0; n < scale.size(); ++n) {
      for (std::size_t k = 0; k < each; ++k)
        p.weights[n * each + k] = static_cast<float>(p.weights[n * each + k] * scale[n]);
      // The node's own values are the value's without its factor.
      p.bias[n] = static_cast<float>(p.bias[n] * scale[n] + shift[n] / value.factor);
      if (p.weight_bits != 0) p.scales[n] *= std::abs(scale[n]);
    }
    return value;
  }
  if (one_scale && scale[0] > 0 && all_equal(shift, 0) && (!input || rounded || !value.exclusive)) {
    value.scale(scale[0], std::move(steps[0]));
    return value;
  }
  if (input && value.exclusive && !rounded && value.factor == 1) {
    // The host does this where it makes codes of its input.
    if (scale.size() > 1 || shift.size() > 1) settle(value, Geometry::nchw);
    const int channels =
        scale.size() == 1 && shift.size() == 1 && network_.input_scale.size() <= 1 ? 1 : shape(value).channels;
    if (network_.input_scale.empty()) {
      network_.input_scale = {1.0};
      network_.input_offset = {0.0};
    }
    widen(network_.input_scale, channels);
    widen(network_.input_offset, channels);
    widen(scale, channels);
    widen(shift, channels);
    for (std::size_t c = 0; c < scale.size(); ++c) {
      network_.input_scale[c] *= scale[c];
      network_.input_offset[c] = network_.input_offset[c] * scale[c] + shift[c];
    }
    return value;
  }
  settle(value, Geometry::other);
  const int channels = shape(value).channels;
  check_weights(node, channels);
  widen(scale, channels);
  widen(shift, channels);
  const int made = added(network_.graph.add_convolution(value.node, fresh_name(node), channels, {}, channels));
  Parameters& added_to = network_.parameters[at(made)];
  if (value.factor == 1 || value.has_steps()) {
    if (value.has_steps()) steps.insert(steps.begin(), value.steps.begin(), value.steps.end());
    added_to.written = {.source = value.has_steps() ? value.steps_source : value.node, .steps = std::move(steps)};
  }
  for (std::size_t c = 0; c < at(channels); ++c) {
    added_to.weights.push_back(static_cast<float>(scale[c] * value.factor));
    added_to.bias.push_back(static_cast<float>(shift[c]));
  }
  value.node = made;
  value.factor = value.stepped = 1;
  value.steps.clear();
  value.exclusive = true;
  return value;
}

void Converter::note_tie(const OnnxNode& node) {
  ties_.push_back(
      fmt::format("{} '{}' is part of the layer in front of it: where a value lies just between two codes, the run as "
                  "the file says "
                  "may give the other one",
                  node.op, node.name));
}

void Converter::note_factor(const OnnxNode& node, const Value& x) {
  if (x.factor == 1) return;
  ties_.push_back(fmt::format(
      "{} '{}' takes a factor of {:.6g} of its input into its own: where a value lies just between two codes, "
      "the run as the file says may give the other one",
      node.op, node.name, x.factor));
}

// W (s x + t) = (W s) x + W t, for weights in the order of the node's elements.
void Converter::take_features(const OnnxNode& node, const PerFeature& features, const Value& x, Parameters& p) const {
  const std::vector<std::int64_t> order = x.view.order();
  if (p.weights.size() != p.bias.size() * order.size())
    refuse(node, "reads a BatchNormalization that differs from pixel to pixel over several rows");
  for (std::size_t n = 0; n < p.bias.size(); ++n) {
    double shift = 0;
    for (std::size_t k = 0; k < order.size(); ++k) {
      float& weight = p.weights[n * order.size() + at(order[k])];
      shift += weight / x.factor * features.shift[k];
      weight = static_cast<float>(weight * features.scale[k]);
    }
    p.bias[n] = static_cast<float>(p.bias[n] + shift);
  }
}

// A factor that nothing takes becomes a layer.
Value Converter::without_factor(const OnnxNode& node, Value value) {
  if (value.factor == 1) return value;
  const double factor = value.factor;
  const std::vector<ValueStep> steps = value.has_steps() ? value.steps : std::vector<ValueStep>{};
  const int source = value.steps_source;
  value.factor = value.stepped = 1;
  value.steps.clear();
  const Op op = network_.graph.node(value.node).op;
  const bool foldable = has_weights(op) && value.exclusive && !network_.grids[at(value.node)];
  if (foldable) {
    std::optional<Mean> mean = network_.parameters[at(value.node)].mean;
    const Value result = affine(node, value, {factor}, {0}, steps);
    if (mean) mean->unit /= factor;
    network_.parameters[at(value.node)].mean = mean;
    return result;
  }
  const int channels = shape(value).channels;
  check_weights(node, channels);
  const int made =
      added(network_.graph.add_convolution(value.node, fresh_name(node, "_scale"), channels, {}, channels));
  network_.parameters[at(made)].weights.assign(at(channels), static_cast<float>(factor));
  network_.parameters[at(made)].bias.assign(at(channels), 0.0F);
  if (!steps.empty()) network_.parameters[at(made)].written = {.source = source, .steps = steps};
  value.node = made;
  value.exclusive = true;
  return value;
}

}  // namespace bitstrata::model::interchange
