// SPDX-License-Identifier: Apache-2.0
// Constant folding: shape arithmetic as exporters leave it behind, and weights behind quantizers and transposes.
#include "model/onnx/fold.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace bitstrata::model::interchange {
namespace {

using Inputs = std::vector<const Tensor*>;

void push(Tensor& to, const Tensor& from, std::int64_t index) { to.add(from, static_cast<std::size_t>(index)); }

Tensor transpose(const OnnxNode& node, const Tensor& a) {
  std::vector<std::int64_t> order = node.wholes("perm");
  if (order.empty()) {
    order.resize(a.dims.size());
    std::iota(order.rbegin(), order.rend(), 0);
  }
  if (order.size() != a.dims.size()) refuse(node, "perm does not fit its input");
  Dims dims;
  std::vector<bool> seen(order.size(), false);
  for (std::int64_t& axis : order) {
    axis = axis_of(axis, static_cast<int>(order.size()));
    if (seen[static_cast<std::size_t>(axis)]) refuse(node, "perm names an axis twice");
    seen[static_cast<std::size_t>(axis)] = true;
    dims.push_back(a.dims[static_cast<std::size_t>(axis)]);
  }
  Tensor result = like(a, dims);
  const Dims strides = strides_of(a.dims);
  std::vector<std::int64_t> from(result.elements() == 0 ? 0 : 1, 0);
  for (const std::int64_t axis : order) {
    const auto i = static_cast<std::size_t>(axis);
    if (from.empty()) break;  // without elements, the other sides may be of any size
    std::vector<std::int64_t> next;
    for (const std::int64_t base : from)
      for (std::int64_t k = 0; k < a.dims[i]; ++k) next.push_back(base + k * strides[i]);
    from = std::move(next);
  }
  for (const std::int64_t index : from) push(result, a, index);
  result.grid = a.grid;
  result.code_bits = a.code_bits;
  if (result.grid && result.grid->scales.size() > 1) {
    result.grid->axis = static_cast<int>(std::find(order.begin(), order.end(), result.grid->axis) - order.begin());
  }
  return result;
}

Tensor reshape(const Tensor& a, Dims dims) {
  Tensor result = a;
  if (elements_of(dims) != a.elements()) {
    throw std::invalid_argument(fmt::format("{} does not go into {}", to_text(a.dims), to_text(dims)));
  }
  // Per-axis scales survive only where their axis stays whole in place.
  if (a.grid && a.grid->scales.size() > 1) {
    const auto axis = static_cast<std::size_t>(a.grid->axis);
    const auto before = [&](const Dims& d, std::size_t i) {
      return std::accumulate(d.begin(), d.begin() + static_cast<std::ptrdiff_t>(i), std::int64_t{1},
                             std::multiplies<>());
    };
    result.grid.reset();
    for (std::size_t i = 0; i < dims.size(); ++i) {
      if (dims[i] == a.dims[axis] && before(dims, i) == before(a.dims, axis)) {
        result.grid = a.grid;
        result.grid->axis = static_cast<int>(i);
      }
    }
  }
  result.dims = std::move(dims);
  return result;
}

Tensor gather(const OnnxNode& node, const Tensor& a, const Tensor& indices) {
  const int axis = axis_of(node.whole("axis", 0), static_cast<int>(a.dims.size()));
  const auto at = static_cast<std::size_t>(axis);
  Dims dims(a.dims.begin(), a.dims.begin() + axis);
  dims.insert(dims.end(), indices.dims.begin(), indices.dims.end());
  dims.insert(dims.end(), a.dims.begin() + axis + 1, a.dims.end());
  if (!indices.whole()) refuse(node, "its indices are no whole numbers");
  Tensor result = like(a, dims);
  if (result.elements() == 0) return result;
  std::int64_t outer = 1, inner = 1;
  for (std::size_t i = 0; i < a.dims.size(); ++i) (i < at ? outer : inner) *= i == at ? 1 : a.dims[i];
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::size_t k = 0; k < static_cast<std::size_t>(indices.elements()); ++k) {
      std::int64_t index = indices.ints.at(k);
      if (index < 0) index += a.dims[at];
      if (index < 0 || index >= a.dims[at]) refuse(node, fmt::format("index {} is outside", index));
      for (std::int64_t i = 0; i < inner; ++i) push(result, a, (o * a.dims[at] + index) * inner + i);
    }
  }
  return result;
}

Tensor concat(const OnnxNode& node, const Inputs& inputs) {
  const Tensor& first = need(node, inputs, 0);
  const auto axis = static_cast<std::size_t>(axis_of(node.whole("axis", 0), static_cast<int>(first.dims.size())));
  Dims dims = first.dims;
  dims[axis] = 0;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const Tensor& part = need(node, inputs, k);
    Dims rest = part.dims;
    if (rest.size() == dims.size()) rest[axis] = dims[axis];
    if (rest != dims) refuse(node, "its inputs do not fit");
    check_types(node, first, part);
    if (__builtin_add_overflow(dims[axis], part.dims[axis], &dims[axis])) refuse(node, "its inputs are too large");
  }
  Tensor result = like(first, dims);
  if (result.elements() == 0) return result;
  std::int64_t outer = 1;
  for (std::size_t i = 0; i < axis; ++i) outer *= dims[i];
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const Tensor* part : inputs) {
      const std::int64_t count = part->elements() / outer;
      for (std::int64_t i = 0; i < count; ++i) push(result, *part, o * count + i);
    }
  }
  return result;
}

std::vector<std::int64_t> axes_of(const OnnxNode& node, const Inputs& inputs, std::size_t input) {
  if (input < inputs.size() && inputs[input] != nullptr) return whole_list(node, *inputs[input], "list of axes");
  return node.wholes("axes");
}

Tensor slice(const OnnxNode& node, const Inputs& inputs) {
  const Tensor& a = need(node, inputs, 0);
  const bool attributes = node.has("starts");
  const std::vector<std::int64_t> starts =
      attributes ? node.wholes("starts") : whole_list(node, need(node, inputs, 1), "list of starts");
  const std::vector<std::int64_t> ends =
      attributes ? node.wholes("ends") : whole_list(node, need(node, inputs, 2), "list of ends");
  std::vector<std::int64_t> axes = axes_of(node, inputs, 3);
  std::vector<std::int64_t> steps(starts.size(), 1);
  if (inputs.size() > 4 && inputs[4] != nullptr) steps = whole_list(node, *inputs[4], "list of steps");
  if (axes.empty()) {
    axes.resize(starts.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size()) {
    refuse(node, "starts, ends, axes and steps differ in length");
  }
  Tensor result = a;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const int axis = axis_of(axes[i], static_cast<int>(a.dims.size()));
    const std::int64_t size = result.dims[static_cast<std::size_t>(axis)];
    if (steps[i] == 0) refuse(node, "a step is 0");
    // Steps beyond the size all take the first element alone.
    const std::int64_t step = steps[i] > 0 ? std::min(steps[i], size + 1) : std::max(steps[i], -size - 1);
    const auto bound = [&](std::int64_t value, std::int64_t low, std::int64_t high) {
      return std::max(low, std::min(value < 0 ? value + size : value, high));
    };
    const std::int64_t first = step > 0 ? bound(starts[i], 0, size) : bound(starts[i], 0, size - 1);
    const std::int64_t end = step > 0 ? bound(ends[i], 0, size) : ends[i] < -size ? -1 : bound(ends[i], -1, size - 1);
    const std::int64_t way = step > 0 ? end - first : first - end, stride = std::abs(step);
    const std::int64_t count = way <= 0 || size == 0 ? 0 : (way - 1) / stride + 1;
    if (result.elements() == 0) {  // nothing to move, however large this side is
      result.dims[static_cast<std::size_t>(axis)] = count;
      continue;
    }
    std::vector<std::int64_t> picked;
    for (std::int64_t k = 0; k < count; ++k) picked.push_back(first + k * step);
    OnnxNode pick = node;
    pick.attributes["axis"].whole = axis;
    result = gather(pick, result, Tensor::of_ints({count}, std::move(picked)));
  }
  return result;
}

Tensor constant_of_shape(const OnnxNode& node, const Tensor& sizes) {
  Tensor result;
  const Tensor* given = node.tensor("value");
  const Tensor fill = given != nullptr ? *given : Tensor::of_reals({1}, {0});
  if (fill.elements() != 1) refuse(node, "its value is not one number");
  result = like(fill, whole_list(node, sizes, "shape"));
  for (std::int64_t i = 0; i < elements_of(result.dims); ++i) push(result, fill, 0);
  return result;
}

Tensor constant(const OnnxNode& node) {
  if (const Tensor* t = node.tensor("value")) return *t;
  if (const Attribute* f = node.attribute("value_float", Kind::real))
    return Tensor::of_reals({}, {static_cast<float>(f->real)});
  if (const Attribute* f = node.attribute("value_int", Kind::whole)) return Tensor::of_ints({}, {f->whole});
  if (const Attribute* f = node.attribute("value_ints", Kind::wholes))
    return Tensor::of_ints({static_cast<std::int64_t>(f->wholes.size())}, f->wholes);
  if (const Attribute* f = node.attribute("value_floats", Kind::reals))
    return Tensor::of_reals({static_cast<std::int64_t>(f->reals.size())}, {f->reals.begin(), f->reals.end()});
  refuse(node, "has no value that can be read");
}

// Values rounded to codes, or codes turned to values.
Tensor quantized(const OnnxNode& node, const Inputs& inputs) {
  const Tensor& a = need(node, inputs, 0);
  const FileQuantizer q = quantizer_of(node, inputs, a.dims);
  const Dims strides = strides_of(a.dims);
  const auto axis = static_cast<std::size_t>(q.grid.axis);
  const std::size_t channels = q.grid.scales.size();
  const bool decode = node.op == "DequantizeLinear", encode = node.op == "QuantizeLinear";
  Tensor result = like(a, a.dims);
  const auto given = static_cast<int>(node.whole("output_dtype", type::uint8));
  result.type =
      encode ? (inputs.size() > 2 && inputs[2] != nullptr ? inputs[2]->type : given) : static_cast<int>(type::real32);
  // Codes are read as values of their scale's type.
  if (decode && is_short_real(inputs[1]->type)) result.type = inputs[1]->type;
  for (std::size_t i = 0; i < static_cast<std::size_t>(a.elements()); ++i) {
    const std::size_t channel = channels == 1 ? 0 : i / static_cast<std::size_t>(strides[axis]) % channels;
    const auto zero = static_cast<double>(q.zero_point(channel));
    double code = 0;
    if (q.grid.bipolar) {
      code = a.at(i) >= 0 ? 1 : -1;
    } else if (decode) {
      code = a.at(i) - zero;
    } else {
      code = q.code(a.at(i), channel) - (encode ? 0 : zero);
    }
    if (encode) {
      result.ints.push_back(whole_number(code));
    } else {
      result.add(code * q.grid.scales[channel]);
    }
  }
  // Values of 16 bits still tell codes of 8 bits.
  if (!encode && (!is_short_real(result.type) || q.grid.bits <= 8)) result.grid = q.grid;
  return result;
}

// Codes limited to fewer bits than their type has are codes of that width.
Tensor clip(const OnnxNode& node, const Inputs& inputs) {
  const Tensor& a = need(node, inputs, 0);
  double low = node.real("min", -std::numeric_limits<double>::infinity());
  double high = node.real("max", std::numeric_limits<double>::infinity());
  for (const std::size_t i : {1, 2}) {
    if (i >= inputs.size() || inputs[i] == nullptr) continue;
    if (inputs[i]->elements() != 1) refuse(node, "its limits must be single numbers");
    check_types(node, a, *inputs[i]);
    (i == 1 ? low : high) = inputs[i]->at(0);
  }
  if (!(low <= high)) refuse(node, fmt::format("clips to {}..{}", low, high));
  Tensor result = a;
  result.grid.reset();
  for (std::int64_t& value : result.ints) {
    const auto limited = std::clamp(static_cast<double>(value), low, high);
    if (limited != static_cast<double>(value)) value = static_cast<std::int64_t>(limited);
  }
  for (float& value : result.reals) value = rounded_to(a.type, std::clamp<double>(value, low, high));
  for (double& value : result.doubles) value = std::clamp(value, low, high);
  const auto range = integer_type(a.type);
  if (range && range->bits <= 16 && std::isfinite(low) && std::isfinite(high)) {
    result.code_bits = bits_for(static_cast<std::int64_t>(low), static_cast<std::int64_t>(high), range->is_signed);
    if (result.code_bits >= range->bits) result.code_bits = 0;
  }
  return result;
}

}  // namespace

std::vector<Tensor> fold(const OnnxNode& node, const Inputs& inputs, std::int64_t opset) {
  const std::string& op = node.op;
  const auto first = [&]() -> const Tensor& { return need(node, inputs, 0); };
  const auto second = [&]() -> const Tensor& { return need(node, inputs, 1); };
  try {
    if (op == "Constant") return {constant(node)};
    if (op == "Identity") return {first()};
    if (op == "Dropout") {
      check_dropout(node, inputs.size() > 1 ? inputs[1] : nullptr, inputs.size() > 2 ? inputs[2] : nullptr, opset);
      return {first()};
    }
    if (op == "Add" || op == "Sub" || op == "Mul" || op == "Div" || op == "Pow")
      return {arithmetic(node, first(), second())};
    if (op == "Transpose") return {transpose(node, first())};
    if (op == "Reshape") {
      const std::vector<std::int64_t> sizes =
          node.has("shape") ? node.wholes("shape") : whole_list(node, second(), "shape");
      return {reshape(first(), reshape_sizes(first().dims, sizes, node.whole("allowzero", 0) != 0))};
    }
    if (op == "Flatten") {
      const auto axis = node.whole("axis", 1);
      const auto cut =
          static_cast<std::ptrdiff_t>(axis < 0 ? axis + static_cast<std::int64_t>(first().dims.size()) : axis);
      if (cut < 0 || cut > static_cast<std::ptrdiff_t>(first().dims.size())) refuse(node, "axis is outside");
      const Dims head(first().dims.begin(), first().dims.begin() + cut);
      const std::int64_t rows = elements_of(head);
      return {reshape(first(), {rows, rows == 0 ? 0 : first().elements() / rows})};
    }
    if (op == "Unsqueeze") return {reshape(first(), unsqueezed(first().dims, axes_of(node, inputs, 1)))};
    if (op == "Squeeze") return {reshape(first(), squeezed(first().dims, axes_of(node, inputs, 1)))};
    if (op == "Gather") return {gather(node, first(), second())};
    if (op == "Concat") return {concat(node, inputs)};
    if (op == "Slice") return {slice(node, inputs)};
    if (op == "Cast") return {cast(node, first(), node.whole("to", type::real32))};
    if (op == "CastLike") return {cast(node, first(), second().type)};
    if (op == "Clip") return {clip(node, inputs)};
    if (op == "ConstantOfShape") return {constant_of_shape(node, first())};
    if (op == "Shape") {
      Dims sizes = part_of_shape(node, first().dims);
      const auto count = static_cast<std::int64_t>(sizes.size());
      return {Tensor::of_ints({count}, std::move(sizes))};
    }
    if (op == "Size") return {Tensor::of_ints({}, {first().elements()})};
    if (const auto result = unary(node, first())) return {*result};
    if (const auto result = comparison(node, inputs)) return {*result};
    if (op == "Quant" || op == "IntQuant" || op == "BipolarQuant" || op == "QuantizeLinear" ||
        op == "DequantizeLinear") {
      return {quantized(node, inputs)};
    }
  } catch (const std::invalid_argument& error) {
    const std::string text = error.what();
    if (text.find("node '") != std::string::npos) throw;
    refuse(node, text);
  }
  refuse(node, "of constants is not computed here; a tool that folds constants can replace it by its result");
}

}  // namespace bitstrata::model::interchange
