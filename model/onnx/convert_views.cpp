// SPDX-License-Identifier: Apache-2.0
// Operators that move or join tensors without changing values.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <stdexcept>

#include "model/onnx/converter.h"

namespace bitstrata::model::interchange {
namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

}  // namespace

// The branch that is taken stands in the If's place when the conversion starts over.
void Converter::branch(const OnnxNode& node) {
  const double condition = scalar(node, 0, "condition");
  throw BranchDemand{node.name, condition != 0};
}

void Converter::pass(const OnnxNode& node) {
  if (node.op == "Dropout") {
    const Tensor* training = node.input(2).empty() ? nullptr : &need_constant(node, 2, "training_mode");
    check_dropout(node, constant(node.input(1)), training, graph_.opset);
  }
  if (node.outputs.size() > 1 && !node.outputs[1].empty() && uses_[node.outputs[1]] > 0) {
    refuse(node, "only its first output is supported");
  }
  set(node, value(node, 0));
}

void Converter::shape_of(const OnnxNode& node) {
  const Value x = value(node, 0);
  if (x.pad.any()) refuse(node, "asks for the shape behind a Pad, which is not supported");
  Dims sizes = part_of_shape(node, x.view.sizes());
  const auto count = static_cast<std::int64_t>(sizes.size());
  set_constant(node.outputs[0], Tensor::of_ints({count}, std::move(sizes)));
}

void Converter::review(const OnnxNode& node, const Dims& sizes) {
  Value x = value(node, 0);
  if (x.pad.any()) refuse(node, "follows a Pad, which only a convolution or pooling can take");
  x.view = x.view.reshaped(sizes);
  set(node, x);
}

void Converter::reshape(const OnnxNode& node) {
  std::vector<std::int64_t> wanted = node.has("shape") ? node.wholes("shape") : need_wholes(node, 1, "shape");
  const Dims from = value(node, 0).view.sizes();
  // The file's own batch may stand in the shape.
  if (file_batch_ > 1 && !wanted.empty() && wanted[0] == file_batch_) wanted[0] = 1;
  review(node, reshape_sizes(from, wanted, node.whole("allowzero", 0) != 0));
}

void Converter::flatten(const OnnxNode& node) {
  const Dims from = value(node, 0).view.sizes();
  const auto rank = static_cast<std::int64_t>(from.size());
  const std::int64_t axis = node.whole("axis", 1), cut = axis < 0 ? axis + rank : axis;
  if (cut < 0 || cut > rank) refuse(node, fmt::format("axis {} of {} dimensions", axis, rank));
  const std::int64_t rows = elements_of(Dims(from.begin(), from.begin() + cut));
  review(node, {rows, elements_of(from) / std::max<std::int64_t>(rows, 1)});
}

void Converter::transpose(const OnnxNode& node) {
  Value x = value(node, 0);
  std::vector<std::int64_t> order = node.wholes("perm");
  if (order.empty()) {
    order.resize(at(x.view.rank()));
    std::iota(order.rbegin(), order.rend(), 0);
  }
  x.view = x.view.transposed(order);
  set(node, x);
}

void Converter::squeeze(const OnnxNode& node) {
  std::vector<std::int64_t> axes = node.wholes("axes");
  if (!node.input(1).empty()) axes = need_wholes(node, 1, "list of axes");
  review(node, squeezed(value(node, 0).view.sizes(), axes));
}

void Converter::unsqueeze(const OnnxNode& node) {
  std::vector<std::int64_t> axes = node.wholes("axes");
  if (!node.input(1).empty()) axes = need_wholes(node, 1, "list of axes");
  review(node, unsqueezed(value(node, 0).view.sizes(), axes));
}

void Converter::pad(const OnnxNode& node) {
  Value x = value(node, 0);
  const std::string mode = node.text("mode", "constant");
  std::vector<std::int64_t> pads = node.has("pads") ? node.wholes("pads") : node.wholes("paddings");
  double fill = node.real("value", 0);
  if (!node.input(1).empty()) pads = need_wholes(node, 1, "list of pads");
  if (!node.input(2).empty()) {
    const Tensor& constant_value = need_constant(node, 2, "value");
    check_code_type(node, x, constant_value, "the value of its padding");
    fill = constant_value.elements() > 0 ? constant_value.at(0) : 0;
  }
  const int rank = x.view.rank();
  if (!node.input(3).empty()) {
    const std::vector<std::int64_t> axes = need_wholes(node, 3, "list of axes");
    std::set<int> seen;
    if (pads.size() != 2 * axes.size()) refuse(node, fmt::format("has {} pads for {} axes", pads.size(), axes.size()));
    std::vector<std::int64_t> all(at(2 * rank), 0);
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const int axis = axis_of(axes[i], rank);
      if (!seen.insert(axis).second) refuse(node, fmt::format("names axis {} twice", axis));
      all[at(axis)] = pads[i], all[at(axis + rank)] = pads[i + axes.size()];
    }
    pads = std::move(all);
  }
  if (pads.size() != at(2 * rank)) refuse(node, fmt::format("has {} pads for {} dimensions", pads.size(), rank));
  if (std::all_of(pads.begin(), pads.end(), [](std::int64_t p) { return p == 0; })) {
    set(node, x);
    return;
  }
  if (mode != "constant") refuse(node, fmt::format("mode '{}' is not supported; constant is", mode));
  // An input whose arrangement is open: channels are not padded.
  settle(x, rank == 4 && pads[1] == 0 && pads[5] == 0 ? Geometry::nchw : rank == 4 ? Geometry::nhwc : Geometry::ncw);
  x = straight(node, x);
  const Geometry g = geometry(x);
  int height = -1, width = -1;
  if (g == Geometry::nchw) height = 2, width = 3;
  if (g == Geometry::nhwc) height = 1, width = 2;
  if (g == Geometry::ncw) width = 2;
  if (g == Geometry::nch) height = 2;
  for (int i = 0; i < rank; ++i) {
    const std::int64_t before = pads[at(i)], after = pads[at(i + rank)];
    if (before == 0 && after == 0) continue;
    if (i != height && i != width) refuse(node, "pads other dimensions than height and width");
    if (before < 0 || after < 0 || before > 65536 || after > 65536)
      refuse(node, "cuts off pixels (negative pads), which is not supported");
    (i == height ? x.pad.top : x.pad.left) += static_cast<int>(before);
    (i == height ? x.pad.bottom : x.pad.right) += static_cast<int>(after);
  }
  if (std::max({x.pad.top, x.pad.bottom, x.pad.left, x.pad.right}) > 65536)
    refuse(node, "pads by more than 65536 pixels, together with those before it");
  if (x.codes) {
    const std::optional<Grid> grid = grid_of_codes(x);
    if (!grid) refuse(node, "pads codes that nothing has quantized");
    x.pad.value = grid->value(static_cast<std::int32_t>(fill));
  } else {
    x.pad.value = fill / x.factor;
  }
  set(node, x);
}

void Converter::concat(const OnnxNode& node) {
  std::vector<Value> parts;
  bool equal_factors = true;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (constant(node.inputs[i]) != nullptr)
      refuse(node, fmt::format("joins the constant '{}' to a tensor, which is not supported", node.inputs[i]));
    parts.push_back(value(node, i));
    settle(parts.back(), Geometry::nchw);
    parts.back() = straight(node, parts.back());
    equal_factors = equal_factors && parts[i].factor == parts[0].factor;
  }
  if (parts.empty()) refuse(node, "has no input");
  if (parts.size() == 1) {
    set(node, parts[0]);
    return;
  }
  const bool codes = parts[0].codes;
  for (const Value& part : parts) {
    if (part.codes != codes ||
        (codes && (grid_of_codes(part) != grid_of_codes(parts[0]) || part.code_type != parts[0].code_type)))
      refuse(node, "joins codes of different scales, zero points, widths or types");
  }
  // Codes are joined as they are, whatever values they stood for: the DequantizeLinear behind says what they stand for.
  if (codes && !equal_factors) {
    for (Value& part : parts) part.factor = 1;
    equal_factors = true;
  }
  const bool alike = std::ranges::all_of(
      parts, [&](const Value& part) { return part.has_own_steps() && part.steps == parts[0].steps; });
  const double factor = equal_factors ? parts[0].factor : 1;
  std::vector<int> nodes;
  const Geometry g = geometry(parts[0]);
  const int axis = axis_of(node.whole("axis", 1), parts[0].view.rank());
  for (Value& part : parts) {
    if (equal_factors) part.factor = 1;
    part = ready(node, part);
    const bool one_pixel = shape(part).height == 1 && shape(part).width == 1;
    const int channels_at = g == Geometry::nhwc ? 3 : 1;
    if (geometry(part) != g || g == Geometry::other || (g == Geometry::flat && !one_pixel) || axis != channels_at) {
      refuse(node,
             fmt::format("joins along axis {} of {}; only channels can be joined", axis, to_text(part.view.sizes())));
    }
    nodes.push_back(part.node);
  }
  Value result;
  result.node = added(network_.graph.add_concatenate(nodes, fresh_name(node)));
  if (alike)
    result.steps = parts[0].steps, result.stepped = factor, result.stepped_node = result.steps_source = result.node;
  result.view = view_of(g, network_.graph.node(result.node).output);
  result.factor = factor;
  result.codes = codes;
  result.code_type = parts[0].code_type;
  set(node, result);
}

// The factors of all four dimensions of an image that a Resize or Upsample enlarges by scales, or to sizes.
std::vector<double> Converter::scales_of(const OnnxNode& node, const Dims& sizes, std::size_t scales_at) const {
  std::vector<std::int64_t> axes = node.wholes("axes", {0, 1, 2, 3});
  std::vector<double> given, scales(sizes.size(), 1);
  if (const Attribute* found = node.attribute("scales", Kind::reals)) given = found->reals;
  if (const Tensor* t = constant(node.input(scales_at)); t != nullptr && t->elements() > 0) {
    for (std::size_t i = 0; i < at(t->elements()); ++i) given.push_back(t->at(i));
  }
  const Tensor* target = constant(node.input(3));
  const bool by_sizes = given.empty() && target != nullptr;
  if ((by_sizes ? at(target->elements()) : given.size()) != axes.size())
    refuse(node, fmt::format("its scales or sizes must be {} constants", axes.size()));
  std::set<int> seen;
  for (std::int64_t& axis : axes) {
    axis = axis_of(axis, static_cast<int>(sizes.size()));
    if (!seen.insert(static_cast<int>(axis)).second) refuse(node, fmt::format("names axis {} twice", axis));
  }
  if (by_sizes) {
    for (std::size_t i = 0; i < axes.size(); ++i)
      given.push_back(target->at(i) / static_cast<double>(sizes[at(axes[i])]));
    const std::string policy = node.text("keep_aspect_ratio_policy", "stretch");
    if (policy == "not_larger") {
      given.assign(given.size(), *std::min_element(given.begin(), given.end()));
    } else if (policy == "not_smaller") {
      given.assign(given.size(), *std::max_element(given.begin(), given.end()));
    } else if (policy != "stretch") {
      refuse(node, fmt::format("keep_aspect_ratio_policy '{}' is not known", policy));
    }
  }
  for (std::size_t i = 0; i < axes.size(); ++i) scales[at(axes[i])] = given[i];
  return scales;
}

void Converter::resize(const OnnxNode& node) {
  Value x = value(node, 0);
  if (x.view.rank() != 4) refuse(node, fmt::format("its input of {} is no image", to_text(x.view.sizes())));
  const std::string mode = node.text("mode", "nearest");
  const bool upsample = node.op == "Upsample";
  const std::size_t scales_at = upsample || node.inputs.size() == 2 ? 1 : 2;
  const std::vector<double> scales = scales_of(node, x.view.sizes(), scales_at);
  // The file's input may lie either way; what is enlarged are its height and width.
  settle(x, scales[1] != 1 && scales[3] == 1 ? Geometry::nhwc : Geometry::nchw);
  x = straight(node, x);
  const Geometry g = geometry(x);
  if (x.pad.any() || (g != Geometry::nchw && g != Geometry::nhwc))
    refuse(node, fmt::format("its input of {} is no image", to_text(x.view.sizes())));
  const double factor = scales[g == Geometry::nchw ? 2 : 1], other = scales[g == Geometry::nchw ? 3 : 2];
  const double channels = scales[g == Geometry::nchw ? 1 : 3];
  if (scales[0] != 1 || channels != 1)
    refuse(node, fmt::format("enlarges the batch by {} and the channels by {}; only height and width can be enlarged",
                             scales[0], channels));
  const bool whole = factor == other && factor >= 1 && factor == std::nearbyint(factor);
  const bool linear = mode == "linear" || mode == "bilinear";
  if (mode != "nearest" && !linear && !(whole && factor == 1))
    refuse(node, fmt::format("mode '{}' is not supported; nearest and linear are", mode));
  if (whole && factor > 64) refuse(node, fmt::format("enlarges by {}; at most 64 is supported", factor));
  if (!whole)
    refuse(node, fmt::format("enlarges by {} and {}; only one whole factor for height and width is supported", factor,
                             other));
  // The rounding of coordinates must come out as y / factor.
  const auto f = static_cast<int>(factor);
  // Before version 11, Resize has no such attributes and means what Upsample does.
  const bool plain = upsample || graph_.opset < 11;
  const std::string coordinates = node.text("coordinate_transformation_mode", plain ? "asymmetric" : "half_pixel");
  if (coordinates == "tf_crop_and_resize") refuse(node, "cuts out a part of the image (tf_crop_and_resize)");
  const std::string rounding = node.text("nearest_mode", plain ? "floor" : "round_prefer_floor");
  if (linear && f > 1) {
    const bool centred =
        coordinates == "half_pixel" || coordinates == "pytorch_half_pixel" || coordinates == "half_pixel_symmetric";
    if (!centred && coordinates != "asymmetric") {
      refuse(node, fmt::format("linear with {} coordinates is not supported: {}", coordinates,
                               coordinates == "align_corners"
                                   ? "the weights differ from pixel to pixel; half_pixel and asymmetric have one kernel"
                                   : "half_pixel and asymmetric are"));
    }
    set(node, enlarged_linearly(node, x, f, centred, g));
    return;
  }
  for (int y = 0; y < 4 * f && f > 1; ++y) {
    double from = 0;
    if (coordinates == "asymmetric") {
      from = static_cast<double>(y) / f;
    } else if (coordinates == "half_pixel" || coordinates == "pytorch_half_pixel") {
      from = (y + 0.5) / f - 0.5;
    } else if (coordinates == "tf_half_pixel_for_nn") {
      from = (y + 0.5) / f;
    } else {
      refuse(node, fmt::format("coordinate_transformation_mode '{}' is not supported", coordinates));
    }
    const double near = rounding == "floor"               ? std::floor(from)
                        : rounding == "ceil"              ? std::ceil(from)
                        : rounding == "round_prefer_ceil" ? std::floor(from + 0.5)
                                                          : std::ceil(from - 0.5);
    if (std::max(near, 0.0) != y / f) {
      refuse(node, fmt::format("{} coordinates with {} rounding are not supported: they move the image", coordinates,
                               rounding));
    }
  }
  if (f > 1) {
    x.move_to(added(network_.graph.add_upsample(x.node, fresh_name(node), f)));
    x.view = view_of(g, network_.graph.node(x.node).output);
    x.exclusive = true;
  }
  set(node, x);
}

// Some of the channels, by a 1x1 convolution of zeros and ones.
Value Converter::select(const OnnxNode& node, Value x, int axis, std::int64_t first, std::int64_t count,
                        const std::string& suffix) {
  settle(x, Geometry::nchw);
  if (first == 0 && count == x.view.size(axis)) return x;
  if (count < 1) refuse(node, fmt::format("takes nothing of axis {} of {}", axis, to_text(x.view.sizes())));
  if (const auto blocks = blocks_of(x)) x = spread(node, std::move(x), *blocks);
  const auto shuffle = shuffle_of(x);
  const Geometry g = shuffle ? shuffle->geometry : geometry(x);
  const bool flat = g == Geometry::flat && shape(x).height == 1 && shape(x).width == 1;
  if (g == Geometry::other || (g == Geometry::flat && !flat) || axis != (g == Geometry::nhwc ? 3 : 1)) {
    refuse(node,
           fmt::format("takes a part of axis {} of {}; only channels can be taken", axis, to_text(x.view.sizes())));
  }
  const Value source = ready(node, x);
  const int channels = shape(x).channels, outputs = static_cast<int>(count);
  check_weights(node, count * channels);
  Value result;
  result.node = added(network_.graph.add_convolution(source.node, fresh_name(node, suffix), outputs, {}));
  Parameters& p = network_.parameters[at(result.node)];
  p.weights.assign(at(count * channels), 0.0F);
  p.bias.assign(at(count), 0.0F);
  for (std::int64_t n = 0; n < count; ++n) {
    const std::int64_t from = shuffle ? shuffle->order[at(first + n)] : first + n;
    p.weights[at(n * channels + from)] = 1.0F;
  }
  p.weight_bits = 2;  // exact, whatever width the plan gives
  p.of_importer = true;
  p.scales.assign(at(count), 1.0);
  result.view = view_of(g, network_.graph.node(result.node).output);
  if (x.codes) {
    if (std::optional<Grid> grid = grid_of_codes(x)) {
      grid->scale *= x.factor;
      network_.grids[at(result.node)] = grid;
    }
    result.codes = true;
    result.code_type = x.code_type;
  }
  return result;
}

void Converter::split(const OnnxNode& node) {
  const Value x = value(node, 0);
  const int axis = axis_of(node.whole("axis", 0), x.view.rank());
  std::vector<std::int64_t> parts = node.wholes("split");
  if (!node.input(1).empty()) parts = need_wholes(node, 1, "list of parts");
  if (parts.empty()) {
    const auto count = static_cast<std::int64_t>(node.outputs.size());
    const std::int64_t each = (x.view.size(axis) + count - 1) / count;
    for (std::int64_t left = x.view.size(axis); left > 0; left -= each) parts.push_back(std::min(each, left));
  }
  const bool sized = std::all_of(parts.begin(), parts.end(),
                                 [&](std::int64_t part) { return part >= 0 && part <= x.view.size(axis); });
  if (!sized) refuse(node, fmt::format("a part is negative or larger than its input's {}", x.view.size(axis)));
  if (parts.size() != node.outputs.size() ||
      std::accumulate(parts.begin(), parts.end(), std::int64_t{0}) != x.view.size(axis)) {
    refuse(node, "its parts do not make up its input");
  }
  std::int64_t first = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (uses_[node.outputs[i]] > 0) set(node, select(node, x, axis, first, parts[i], fmt::format("_{}", i)), i);
    first += parts[i];
  }
}

void Converter::slice(const OnnxNode& node) {
  Value x = value(node, 0);
  const bool attributes = node.has("starts");
  const Dims starts = attributes ? node.wholes("starts") : need_wholes(node, 1, "list of starts");
  const Dims ends = attributes ? node.wholes("ends") : need_wholes(node, 2, "list of ends");
  Dims axes = node.wholes("axes");
  if (!node.input(3).empty()) axes = need_wholes(node, 3, "list of axes");
  if (!node.input(4).empty()) {
    for (const std::int64_t step : need_wholes(node, 4, "list of steps"))
      if (step != 1) refuse(node, fmt::format("a step of {} is not supported", step));
  }
  if (axes.empty()) {
    axes.resize(starts.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  if (starts.size() != ends.size() || axes.size() != starts.size())
    refuse(node, "starts, ends and axes differ in length");
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const int axis = axis_of(axes[i], x.view.rank());
    const std::int64_t size = x.view.size(axis);
    const auto bound = [&](std::int64_t k) { return std::clamp<std::int64_t>(k < 0 ? k + size : k, 0, size); };
    const std::int64_t first = bound(starts[i]), end = bound(ends[i]);
    if (first == 0 && end == size) continue;
    x = select(node, x, axis, first, end - first, axes.size() > 1 ? fmt::format("_{}", i) : "");
  }
  set(node, x);
}

}  // namespace bitstrata::model::interchange
