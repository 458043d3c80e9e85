// SPDX-License-Identifier: Apache-2.0
// Operators with weights, and how windows lie in an image.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "model/onnx/converter.h"

namespace bitstrata::model::interchange {
namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

int small(const OnnxNode& node, const char* what, std::int64_t value) {
  if (value < 0 || value > 65536) refuse(node, fmt::format("{} is {}", what, value));
  return static_cast<int>(value);
}

std::vector<double> as_doubles(const Tensor& tensor) {
  std::vector<double> values;
  for (std::size_t i = 0; i < at(tensor.elements()); ++i) values.push_back(tensor.at(i));
  return values;
}

// The codes of weights; `per_output` scales when there are several.
void take_codes(const OnnxNode& node, const Tensor& tensor, int output_axis, int outputs, double factor, Parameters& p,
                std::vector<std::string>& notes) {
  if (!tensor.grid) {
    if (tensor.quantized)
      notes.push_back(
          fmt::format("{} '{}': what lies between its weights and their codes leaves no multiples of a scale; "
                      "the weights are quantized anew",
                      node.op, node.name));
    return;
  }
  const ConstantGrid& grid = *tensor.grid;
  if (grid.bits > 16) {
    notes.push_back(
        fmt::format("{} '{}': its weights have codes of {} bits, the array has 16; the weights are quantized "
                    "anew",
                    node.op, node.name, grid.bits));
    return;
  }
  if (grid.scales.size() > 1 && grid.axis != output_axis) {
    notes.push_back(fmt::format("{} '{}': its weight scales run along its inputs; the weights are quantized anew",
                                node.op, node.name));
    return;
  }
  p.weight_bits = grid.bits == 1 && !grid.bipolar ? 2 : grid.bits;  // one bit that is not -1/+1 is -1 and 0
  p.scales = grid.scales;
  p.scales.resize(at(outputs), grid.scales[0]);
  for (double& scale : p.scales) scale *= factor;
}

}  // namespace

void Converter::check_real(const OnnxNode& node, const Tensor& tensor, const char* what) {
  if (tensor.whole())
    refuse(node,
           fmt::format("meets floats with its {} of {}; a DequantizeLinear is missing", what, type_name(tensor.type)));
}

Window Converter::window_of(const OnnxNode& node, const Value& x, Dims kernel, Geometry g) const {
  const bool line = g == Geometry::ncw || g == Geometry::nch;
  const std::size_t rank = line ? 1 : 2;
  const Dims said = node.wholes("kernel_shape", kernel);
  if (kernel.empty()) kernel = said;
  if (said != kernel)
    refuse(node, fmt::format("its kernel_shape is {}, that of its weights {}", to_text(said), to_text(kernel)));
  const Dims strides = node.wholes("strides", Dims(rank, 1)), dilations = node.wholes("dilations", Dims(rank, 1));
  Dims pads = node.wholes("pads", Dims(2 * rank, 0));
  if (kernel.size() != rank || strides.size() != rank || dilations.size() != rank || pads.size() != 2 * rank) {
    refuse(node, fmt::format("its kernel_shape, strides, dilations or pads do not fit {} dimension(s)", rank));
  }
  const Shape in = shape(x);
  const std::int64_t sizes[2] = {line && g == Geometry::ncw ? in.width : in.height, in.width};
  const int before[2] = {line && g == Geometry::ncw ? x.pad.left : x.pad.top, x.pad.left};
  const int after[2] = {line && g == Geometry::ncw ? x.pad.right : x.pad.bottom, x.pad.right};
  const std::string automatic = node.text("auto_pad", "NOTSET");
  // A pooling of both is read as ONNX Runtime does, which takes auto_pad; it has no Conv of both.
  const bool padded = std::ranges::any_of(pads, [](std::int64_t pad) { return pad != 0; });
  if (automatic != "NOTSET" && padded && node.op.find("Pool") == std::string::npos)
    refuse(node, fmt::format("has pads of {} and auto_pad '{}'; ONNX allows one of them", to_text(pads), automatic));
  for (std::size_t i = 0; i < rank; ++i) {
    small(node, "a kernel side", kernel[i]), small(node, "a stride", strides[i]),
        small(node, "a dilation", dilations[i]);
    if (strides[i] < 1) refuse(node, "a stride is 0");
    if (kernel[i] < 1 || dilations[i] < 1 || dilations[i] * (kernel[i] - 1) >= 1 << 20) {
      refuse(node, fmt::format("a kernel side of {} with dilation {} is not supported", kernel[i], dilations[i]));
    }
    if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
      const std::int64_t size = sizes[i] + before[i] + after[i], reach = dilations[i] * (kernel[i] - 1) + 1;
      const std::int64_t outputs = (size + strides[i] - 1) / strides[i];
      const std::int64_t total = std::max<std::int64_t>(0, (outputs - 1) * strides[i] + reach - size);
      const std::int64_t less = total / 2;
      pads[i] = automatic == "SAME_UPPER" ? less : total - less;
      pads[i + rank] = total - pads[i];
    } else if (automatic == "VALID") {
      pads[i] = pads[i + rank] = 0;
    } else if (automatic != "NOTSET") {
      refuse(node, fmt::format("auto_pad '{}' is not known", automatic));
    }
    small(node, "a padding", pads[i]), small(node, "a padding", pads[i + rank]);
  }
  if (x.pad.any() && x.pad.value != 0) refuse(node, fmt::format("is padded with {}; only 0 is supported", x.pad.value));
  const auto number = [](std::int64_t value) { return static_cast<int>(value); };
  Window w;
  if (!line || g == Geometry::nch) {
    w.kernel_height = number(kernel[0]), w.stride_height = number(strides[0]), w.dilation_height = number(dilations[0]);
    w.pad_top = number(pads[0]), w.pad_bottom = number(pads[rank]);
  }
  if (!line || g == Geometry::ncw) {
    const std::size_t i = rank - 1;
    w.kernel_width = number(kernel[i]), w.stride_width = number(strides[i]), w.dilation_width = number(dilations[i]);
    w.pad_left = number(pads[i]), w.pad_right = number(pads[i + rank]);
  }
  w.pad_top += x.pad.top, w.pad_bottom += x.pad.bottom, w.pad_left += x.pad.left, w.pad_right += x.pad.right;
  return w;
}

void Converter::convolution(const OnnxNode& node) {
  Tensor weights = need_constant(node, 1, "weight");
  check_real(node, weights, "weights");
  if (node.domain == qonnx_channels_last) {  // [out][ky][kx][in]
    OnnxNode turn{.op = "Transpose", .domain = "", .name = node.name, .inputs = {}, .outputs = {}, .attributes = {}};
    std::vector<std::int64_t> order = {0, static_cast<std::int64_t>(weights.dims.size()) - 1};
    for (std::size_t i = 1; i + 1 < weights.dims.size(); ++i) order.push_back(static_cast<std::int64_t>(i));
    turn.attributes["perm"].wholes = order;
    weights = fold(turn, {&weights}, graph_.opset).at(0);
  }
  std::vector<double> bias;
  if (!node.input(2).empty()) {
    check_real(node, need_constant(node, 2, "bias"), "bias");
    bias = as_doubles(need_constant(node, 2, "bias"));
  }
  set(node, convolve(node, value(node, 0), weights, bias));
}

Value Converter::convolve(const OnnxNode& node, Value x, const Tensor& weights, const std::vector<double>& bias) {
  const int rank = static_cast<int>(weights.dims.size()) - 2;
  if (weights.elements() == 0) refuse(node, fmt::format("its weights of {} are empty", to_text(weights.dims)));
  if (rank != 1 && rank != 2)
    refuse(node, fmt::format("has weights of {}; 1 or 2 spatial dimensions are supported", to_text(weights.dims)));
  settle(x, rank == 1 ? Geometry::ncw : image_order(node));
  if (const auto blocks = blocks_of(x)) x = spread(node, std::move(x), *blocks);
  if (const auto shuffle = shuffle_of(x)) return convolve_shuffled(node, std::move(x), *shuffle, weights, bias);
  const Geometry g = geometry(x);
  check_image(node, x, rank == 1);
  const Dims kernel(weights.dims.begin() + 2, weights.dims.end());
  const Window window = window_of(node, x, kernel, g);
  const int outputs = small(node, "the number of outputs", weights.dims[0]);
  const int groups = small(node, "group", node.whole("group", 1));
  const int depth = small(node, "the number of inputs", weights.dims[1]);
  if (groups < 1 || std::int64_t{depth} * groups != shape(x).channels) {
    refuse(node, fmt::format("its weights of {} in {} group(s) do not fit {} channels", to_text(weights.dims), groups,
                             shape(x).channels));
  }
  if (!bias.empty() && bias.size() != at(outputs)) {
    refuse(node, fmt::format("has {} biases for {} outputs", bias.size(), outputs));
  }
  note_factor(node, x);
  const int made = added(network_.graph.add_convolution(x.node, fresh_name(node), outputs, window, groups));
  Parameters& p = network_.parameters[at(made)];
  const std::int64_t taps = elements_of(kernel);
  p.weights.resize(at(weights.elements()));
  for (std::int64_t n = 0; n < outputs; ++n) {
    for (std::int64_t c = 0; c < depth; ++c) {
      for (std::int64_t t = 0; t < taps; ++t) {
        p.weights[at((n * taps + t) * depth + c)] =
            static_cast<float>(weights.at(at((n * depth + c) * taps + t)) * x.factor);
      }
    }
  }
  p.bias.assign(at(outputs), 0.0F);
  for (std::size_t n = 0; n < bias.size(); ++n) p.bias[n] = static_cast<float>(bias[n]);
  take_codes(node, weights, 0, outputs, x.factor, p, network_.notes);
  return {.node = made, .view = view_of(g, network_.graph.node(made).output)};
}

void Converter::check_row(const OnnxNode& node, const Tensor& bias, std::int64_t outputs) {
  if (bias.elements() == 1) return;
  if (bias.elements() != outputs) refuse(node, fmt::format("has {} biases for {} outputs", bias.elements(), outputs));
  if (bias.dims.back() != outputs) {
    refuse(node, fmt::format("its bias of {} differs from row to row, which is not supported; one of 1x{} is",
                             to_text(bias.dims), outputs));
  }
}

// x times a matrix of [in][out] (transposed: [out][in]).
Value Converter::multiply_matrix(const OnnxNode& node, const Value& x, const Tensor& weights, bool transposed) {
  if (weights.dims.size() != 2)
    refuse(node, fmt::format("its matrix of {} must have 2 dimensions", to_text(weights.dims)));
  if (x.pad.any()) refuse(node, "follows a Pad, which only a convolution or pooling can take");
  const std::int64_t in = weights.dims[transposed ? 1 : 0], out = weights.dims[transposed ? 0 : 1];
  const int outputs = small(node, "the number of outputs", out);
  if (in < 1 || out < 1) refuse(node, fmt::format("its matrix of {} is empty", to_text(weights.dims)));
  const Dims sizes = x.view.sizes();
  if (sizes.empty() || sizes.back() != in) {
    refuse(node, fmt::format("its input of {} does not fit a matrix of {}", to_text(sizes), to_text(weights.dims)));
  }
  // Several rows are pixels, whose channels stand last.
  const bool rows = x.view.elements() != in;
  settle(x, rows && sizes.size() == 3 ? Geometry::nwc : rows && sizes.size() == 4 ? Geometry::nhwc : Geometry::flat);
  const auto entry = [&](std::int64_t n, std::int64_t k) {
    return static_cast<float>(weights.at(at(transposed ? n * in + k : k * out + n)) * x.factor);
  };
  note_factor(node, x);
  Value result;
  Parameters p;
  p.weights.resize(at(in * out));
  if (x.view.elements() == in) {
    // Weights move from the file's order of inputs to NHWC.
    const std::vector<std::int64_t> order = x.view.order();
    for (std::int64_t n = 0; n < out; ++n)
      for (std::int64_t k = 0; k < in; ++k) p.weights[at(n * in + order[at(k)])] = entry(n, k);
    result.node = added(network_.graph.add_linear(x.node, fresh_name(node), outputs));
    std::vector<std::vector<Factor>> dims(sizes.size());
    dims.back() = {{out, 1}};
    result.view = View::of(std::move(dims));
  } else {
    // A row for every pixel: a 1x1 convolution, where rows are pixels and columns channels.
    if (shape(x).channels != in || x.view.dim(x.view.rank() - 1) != std::vector<Factor>{{in, 1}}) {
      refuse(node, fmt::format("multiplies {} rows; only one, or one for every pixel over its channels, is supported",
                               x.view.elements() / std::max<std::int64_t>(in, 1)));
    }
    for (std::int64_t n = 0; n < out; ++n)
      for (std::int64_t k = 0; k < in; ++k) p.weights[at(n * in + k)] = entry(n, k);
    result.node = added(network_.graph.add_convolution(x.node, fresh_name(node), outputs, {}));
    result.view = x.view.moved([&](Factor f) {
      return f.stride == 1 ? Factor{out, 1} : Factor{f.size, f.stride / in * out};
    });
  }
  p.bias.assign(at(outputs), 0.0F);
  if (const auto found = features_.find(node.input(0)); found != features_.end()) {
    take_features(node, found->second, x, p);
    if (weights.grid)
      network_.notes.push_back(
          fmt::format("{} '{}': a batch norm scales its inputs; its weights are quantized anew", node.op, node.name));
  } else {
    take_codes(node, weights, transposed ? 0 : 1, outputs, x.factor, p, network_.notes);
  }
  network_.parameters[at(result.node)] = std::move(p);
  return result;
}

void Converter::gemm(const OnnxNode& node) {
  if (node.whole("transA", 0) != 0) refuse(node, "transA is not supported");
  Tensor weights = need_constant(node, 1, "matrix");
  check_real(node, weights, "matrix");
  const double alpha = node.real("alpha", 1), beta = node.real("beta", 1);
  if (alpha != 1) {
    weights.multiply(alpha);
    if (weights.grid) {
      for (double& scale : weights.grid->scales) scale *= std::abs(alpha);
    }
  }
  Value result = multiply_matrix(node, value(node, 0), weights, node.whole("transB", 0) != 0);
  if (!node.input(2).empty()) {
    const Tensor& tensor = need_constant(node, 2, "bias");
    check_real(node, tensor, "bias");
    const std::vector<double> bias = as_doubles(tensor);
    std::vector<float>& to = network_.parameters[at(result.node)].bias;
    check_row(node, tensor, static_cast<std::int64_t>(to.size()));
    for (std::size_t n = 0; n < to.size(); ++n) to[n] += static_cast<float>(beta * bias[bias.size() == 1 ? 0 : n]);
  }
  set(node, result);
}

void Converter::matmul(const OnnxNode& node) {
  const Tensor& weights = need_constant(node, 1, "matrix");
  check_real(node, weights, "matrix");
  set(node, multiply_matrix(node, value(node, 0), weights, false));
}

}  // namespace bitstrata::model::interchange
