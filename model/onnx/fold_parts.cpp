// SPDX-License-Identifier: Apache-2.0
// What folding and the conversion of dynamic tensors share: target shapes, and how quantizers are described.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <stdexcept>

#include "model/onnx/fold.h"

namespace bitstrata::model::interchange {

const Tensor& need(const OnnxNode& node, const std::vector<const Tensor*>& inputs, std::size_t index) {
  if (index >= inputs.size() || inputs[index] == nullptr) refuse(node, fmt::format("input {} is missing", index));
  return *inputs[index];
}

Tensor like(const Tensor& model, Dims dims, std::int64_t inputs) {
  constexpr std::int64_t always = std::int64_t{1} << 22;
  if (elements_of(dims) > std::max({always, inputs, model.elements()})) {
    throw std::invalid_argument("a constant of " + to_text(dims) + " is too large");
  }
  Tensor result;
  result.dims = std::move(dims);
  result.type = model.type;
  return result;
}

Dims strides_of(const Dims& dims) {
  Dims strides(dims.size(), 1);
  if (elements_of(dims) == 0) return strides;  // the other sides may be of any size
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

const std::vector<std::int64_t>& whole_list(const OnnxNode& node, const Tensor& tensor, const char* what) {
  if (!tensor.whole()) refuse(node, fmt::format("its {} must hold whole numbers", what));
  return tensor.ints;
}

void check_zero_type(const OnnxNode& node, int codes, const Tensor* zero_point) {
  if (zero_point == nullptr || zero_point->type == codes) return;
  refuse(node, fmt::format("its zero point is {}, its codes are {}; they must have one type",
                           type_name(zero_point->type), type_name(codes)));
}

void check_dropout(const OnnxNode& node, const Tensor* ratio, const Tensor* training, std::int64_t opset) {
  const bool old = opset > 0 && opset < 7;
  const bool trains = old ? node.whole("is_test", 0) == 0 : training != nullptr && training->at(0) != 0;
  const double share = old ? node.real("ratio", 0.5) : ratio != nullptr ? ratio->at(0) : 0.5;
  if (trains && share != 0) refuse(node, "is in training mode; export the network for inference");
}

Dims part_of_shape(const OnnxNode& node, const Dims& sizes) {
  const auto rank = static_cast<std::int64_t>(sizes.size());
  const auto bound = [&](std::int64_t i) { return std::clamp<std::int64_t>(i < 0 ? i + rank : i, 0, rank); };
  const std::int64_t start = bound(node.whole("start", 0)), end = bound(node.whole("end", rank));
  return start < end ? Dims(sizes.begin() + start, sizes.begin() + end) : Dims{};
}

int axis_of(std::int64_t axis, int rank) {
  if (axis < -rank || axis >= rank) throw std::invalid_argument(fmt::format("axis {} of {} dimensions", axis, rank));
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

Dims reshape_sizes(const Dims& from, const std::vector<std::int64_t>& wanted, bool allow_zero) {
  Dims sizes = wanted;
  std::int64_t known = 1;
  std::ptrdiff_t open = -1;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0 && !allow_zero) {
      if (i >= from.size()) throw std::invalid_argument("a 0 of the shape copies a dimension that is not there");
      sizes[i] = from[i];
    }
    if (sizes[i] == -1 && open < 0) {
      open = static_cast<std::ptrdiff_t>(i);
    } else if (sizes[i] < 0 || __builtin_mul_overflow(known, sizes[i], &known)) {
      throw std::invalid_argument(fmt::format("{} is no shape", to_text(wanted)));
    }
  }
  const std::int64_t all = elements_of(from);
  if (open >= 0) sizes[static_cast<std::size_t>(open)] = known == 0 ? 0 : all / known;
  if (elements_of(sizes) != all) {
    throw std::invalid_argument(fmt::format("{} does not go into {}", to_text(from), to_text(wanted)));
  }
  return sizes;
}

Dims unsqueezed(const Dims& from, std::vector<std::int64_t> axes) {
  const int rank = static_cast<int>(from.size() + axes.size());
  for (std::int64_t& axis : axes) axis = axis_of(axis, rank);
  std::sort(axes.begin(), axes.end());
  Dims result = from;
  for (const std::int64_t axis : axes) {
    if (axis > static_cast<std::int64_t>(result.size())) throw std::invalid_argument("an axis stands twice");
    result.insert(result.begin() + axis, 1);
  }
  return result;
}

Dims squeezed(const Dims& from, std::vector<std::int64_t> axes) {
  for (std::int64_t& axis : axes) axis = axis_of(axis, static_cast<int>(from.size()));
  Dims result;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const bool named = std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) != axes.end();
    if (named && from[i] != 1) throw std::invalid_argument(fmt::format("axis {} of {} is not 1", i, to_text(from)));
    if (!(named || (axes.empty() && from[i] == 1))) result.push_back(from[i]);
  }
  return result;
}

namespace {

// The axis along which the `entries` of a scale or zero point of QONNX vary where they are broadcast to `dims`.
int broadcast_axis(const OnnxNode& node, const Tensor& entries, const Dims& dims, const char* what) {
  const std::int64_t count = entries.elements();
  int axis = -1;
  for (std::size_t i = 0; i < entries.dims.size() && entries.dims.size() <= dims.size(); ++i) {
    const std::size_t at = i + dims.size() - entries.dims.size();
    if (entries.dims[i] == count && dims[at] == count) axis = static_cast<int>(at);
  }
  if (axis < 0) {
    refuse(node,
           fmt::format("its {} of {} does not run along one axis of {}", what, to_text(entries.dims), to_text(dims)));
  }
  return axis;
}

}  // namespace

double FileQuantizer::low() const { return is_signed ? -std::exp2(grid.bits - 1) + (narrow ? 1 : 0) : 0; }

double FileQuantizer::high() const {
  return is_signed ? std::exp2(grid.bits - 1) - 1 : std::exp2(grid.bits) - 1 - (narrow ? 1 : 0);
}

double FileQuantizer::code(double value, std::size_t channel) const {
  const auto step = static_cast<float>(value) / static_cast<float>(grid.scales[grid.scales.size() == 1 ? 0 : channel]);
  const auto zero = static_cast<double>(zero_point(channel));
  if (rounding == Rounding::half_even_step) return std::clamp(std::nearbyint(double{step}) + zero, low(), high());
  const double position = step + static_cast<float>(zero);
  const double code = rounding == Rounding::floor       ? std::floor(position)
                      : rounding == Rounding::half_away ? std::round(position)
                                                        : std::nearbyint(position);
  return std::clamp(code, low(), high());
}

int bits_for(std::int64_t low, std::int64_t high, bool is_signed) {
  int bits = is_signed ? 2 : 1;
  while (bits < 32 && (is_signed ? low < -(std::int64_t{1} << (bits - 1)) || high >= std::int64_t{1} << (bits - 1)
                                 : high >= std::int64_t{1} << bits)) {
    ++bits;
  }
  return bits;
}

FileQuantizer quantizer_of(const OnnxNode& node, const std::vector<const Tensor*>& inputs, const Dims& dims) {
  FileQuantizer q;
  const Tensor& scale = need(node, inputs, 1);
  const bool qonnx = node.op == "Quant" || node.op == "IntQuant" || node.op == "BipolarQuant";
  for (std::size_t i = 0; i < static_cast<std::size_t>(scale.elements()); ++i) {
    if (!(scale.at(i) > 0) || !std::isfinite(scale.at(i)))
      refuse(node, fmt::format("scale is {}; it must be above 0", scale.at(i)));
    q.grid.scales.push_back(scale.at(i));
  }
  if (q.grid.scales.empty()) refuse(node, "has no scale");
  if (std::all_of(q.grid.scales.begin(), q.grid.scales.end(), [&](double s) { return s == q.grid.scales[0]; })) {
    q.grid.scales = {scale.at(0)};
  }
  if (node.whole("block_size", 0) != 0)
    refuse(node,
           "has scales for blocks of values (block_size); one for the tensor, or one for each entry of an axis, "
           "is supported");
  if (q.grid.scales.size() > 1) {
    const auto count = static_cast<std::int64_t>(q.grid.scales.size());
    if (qonnx) {
      q.grid.axis = broadcast_axis(node, scale, dims, "scale");
    } else {
      q.grid.axis = axis_of(node.whole("axis", 1), static_cast<int>(dims.size()));
    }
    if (q.grid.axis >= static_cast<int>(dims.size()) || dims[static_cast<std::size_t>(q.grid.axis)] != count) {
      refuse(node, fmt::format("{} scales do not fit {}", count, to_text(dims)));
    }
  }
  if (node.op == "BipolarQuant") {
    q.grid.bits = 1;
    q.grid.bipolar = true;
    return q;
  }
  if (inputs.size() > 2 && inputs[2] != nullptr) {
    const Tensor& zero = *inputs[2];
    const auto count = static_cast<std::size_t>(zero.elements());
    if (count != 1 && count != static_cast<std::size_t>(scale.elements()) && !(qonnx && scale.elements() == 1)) {
      refuse(node, fmt::format("has {} zero points for {} scales", count, scale.elements()));
    }
    q.zero_points.clear();
    for (std::size_t i = 0; i < count; ++i) {
      if (zero.at(i) != std::nearbyint(zero.at(i)) || !(std::abs(zero.at(i)) <= 65536)) {
        refuse(node, fmt::format("zero point {} is no code", zero.at(i)));
      }
      q.zero_points.push_back(static_cast<std::int64_t>(zero.at(i)));
    }
    const bool equal =
        std::all_of(q.zero_points.begin(), q.zero_points.end(), [&](std::int64_t z) { return z == q.zero_points[0]; });
    if (equal) {
      q.zero_points.resize(1);
    } else if (q.grid.scales.size() > 1) {
      if (qonnx && broadcast_axis(node, zero, dims, "zero point") != q.grid.axis)
        refuse(node, "its scales and its zero points run along different axes, which is not supported");
    } else {  // equal scales, but zero points of their own
      q.grid.scales.resize(count, q.grid.scales[0]);
      q.grid.axis = qonnx ? broadcast_axis(node, zero, dims, "zero point")
                          : axis_of(node.whole("axis", 1), static_cast<int>(dims.size()));
      if (dims[static_cast<std::size_t>(q.grid.axis)] != static_cast<std::int64_t>(count))
        refuse(node, fmt::format("{} zero points do not fit {}", count, to_text(dims)));
    }
  }
  if (qonnx) {
    const Tensor& bits = need(node, inputs, 3);
    if (bits.elements() != 1 || !(bits.at(0) >= 1 && bits.at(0) <= 32) || bits.at(0) != std::nearbyint(bits.at(0))) {
      refuse(node, "its bit width is not one whole number of 1..32");
    }
    q.grid.bits = static_cast<int>(bits.at(0));
    q.is_signed = node.whole("signed", 1) != 0;
    q.narrow = node.whole("narrow", 0) != 0;
    std::string rounding = node.text("rounding_mode", "ROUND");  // QONNX reads it in any case
    std::ranges::transform(rounding, rounding.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    if (rounding == "FLOOR") {
      q.rounding = Rounding::floor;
    } else if (rounding == "HALF_UP") {
      q.rounding = Rounding::half_away;
    } else if (rounding != "ROUND" && rounding != "HALF_EVEN") {
      refuse(node,
             fmt::format("rounding_mode '{}' is not supported; ROUND (HALF_EVEN), HALF_UP and FLOOR are", rounding));
    }
    return q;
  }
  if (node.whole("block_size", 0) != 0) refuse(node, "scales by blocks (block_size) are not supported");
  const bool decode = node.op == "DequantizeLinear";
  const Tensor* typed = decode ? inputs.at(0) : inputs.size() > 2 ? inputs[2] : nullptr;
  const auto given = static_cast<int>(node.whole("output_dtype", 0));
  const int code_type = typed != nullptr ? typed->type : given != 0 ? given : static_cast<int>(type::uint8);
  const auto range = integer_type(code_type);
  if (!range) refuse(node, "its codes are no integers of 4, 8, 16 or 32 bits");
  check_zero_type(node, decode || given == 0 ? code_type : given, inputs.size() > 2 ? inputs[2] : nullptr);
  const bool shifted = std::any_of(q.zero_points.begin(), q.zero_points.end(), [](std::int64_t z) { return z != 0; });
  if (code_type == type::int32 && shifted) refuse(node, "codes of INT32 have no zero point but 0");
  q.rounding = Rounding::half_even_step;
  q.grid.bits = decode && typed->code_bits != 0 ? typed->code_bits : range->bits;
  q.is_signed = range->is_signed;
  return q;
}

}  // namespace bitstrata::model::interchange
