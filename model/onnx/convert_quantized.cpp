// SPDX-License-Identifier: Apache-2.0
// Quantizers of tensors become grids of nodes; QLinear operators are their float counterparts between two grids.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <stdexcept>

#include "model/onnx/converter.h"

namespace bitstrata::model::interchange {
namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

bool alike(const Grid& a, const Grid& b) {
  Grid same = a;
  same.scale = b.scale;
  return same == b && std::abs(a.scale - b.scale) <= 1e-6 * b.scale;
}

}  // namespace

Grid Converter::grid_of(const OnnxNode& node, const Quantizer& q) const {
  if (q.grid.scales.size() > 1)
    refuse(node, "a tensor with a scale for each channel is not supported; only weights have them");
  if (q.grid.bits > 16) refuse(node, fmt::format("a tensor of {} bits is not supported; up to 16 are", q.grid.bits));
  Grid grid{
      .bits = q.grid.bits, .zero_point = static_cast<int>(q.zero_point), .scale = q.grid.scales[0], .floor = q.floor};
  if (q.grid.bipolar) {
    grid.coding = Coding::bipolar;
    return grid;
  }
  grid.coding = q.is_signed ? Coding::twos_complement : Coding::unsigned_code;
  grid.narrow = q.is_signed && q.narrow;
  if (q.is_signed && q.grid.bits == 1)
    refuse(node, "signed tensors of 1 bit hold -1 and 0; BipolarQuant holds -1 and +1");
  const CodeRange range = grid.range();
  if (q.zero_point < range.low || q.zero_point > range.high) {
    refuse(node, fmt::format("zero point {} is none of its codes {}..{}", q.zero_point, range.low, range.high));
  }
  return grid;
}

Value Converter::round_to(const OnnxNode& node, Value x, Grid grid) {
  grid.scale /= x.factor;
  std::optional<Grid>& present = network_.grids[at(x.node)];
  if (!present) {
    if (!x.exclusive)
      network_.notes.push_back(
          fmt::format("{} '{}': all readers of its input see the rounded values", node.op, node.name));
    present = grid;
    return x;
  }
  if (alike(*present, grid)) return x;
  // A second rounding is a layer of its own.
  if (x.pad.any()) refuse(node, "follows a Pad and another quantizer, which is not supported");
  settle(x, Geometry::other);
  x.node = added(network_.graph.add_pool(x.node, fresh_name(node), Op::average_pool, {}));
  x.exclusive = true;
  network_.grids[at(x.node)] = grid;
  return x;
}

// Quant, BipolarQuant and QuantizeLinear.
void Converter::quantize(const OnnxNode& node) {
  std::vector<const Tensor*> inputs = {nullptr};
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    inputs.push_back(node.inputs[i].empty() ? nullptr : &need_constant(node, i, "scale, zero point or width"));
  }
  const Value x = value(node, 0);
  Quantizer quantizer = quantizer_of(node, inputs, x.view.sizes());
  if (const std::string* width = noted_width(node.outputs[0])) {
    quantizer.grid.bits = std::clamp(std::atoi(width->c_str()), 1, 16);
    quantizer.narrow = width->ends_with("narrow");
  }
  set(node, round_to(node, x, grid_of(node, quantizer)));
}

// The values were rounded by a QuantizeLinear before; the scales must be the same.
void Converter::dequantize(const OnnxNode& node) {
  const Value x = value(node, 0);
  const double scale = need_constant(node, 1, "scale").at(0) / x.factor;
  // Codes may have been pooled or enlarged since.
  int origin = x.node;
  while (!network_.grids[at(origin)]) {
    const Op op = network_.graph.node(origin).op;
    if (op != Op::max_pool && op != Op::upsample) refuse(node, "its input was not quantized");
    origin = network_.graph.node(origin).inputs[0];
  }
  const std::optional<Grid>& grid = network_.grids[at(origin)];
  if (std::abs(grid->scale - scale) > 1e-6 * scale) {
    refuse(node, fmt::format("its scale is {}, that of its input {}; they must be equal", scale, grid->scale));
  }
  set(node, x);
}

// Keeps the upper `out` of `in` bits: Brevitas has it behind the sum of an average pooling.
void Converter::trunc(const OnnxNode& node) {
  const double scale = need_constant(node, 1, "scale").at(0), zero = need_constant(node, 2, "zero point").at(0);
  const double in = need_constant(node, 3, "input width").at(0), out = need_constant(node, 4, "output width").at(0);
  const std::string rounding = node.text("rounding_mode", "FLOOR");
  if (zero != 0 || !(in >= out && out >= 1 && out <= 16))
    refuse(node, fmt::format("from {} to {} bits with zero point {} is not supported", in, out, zero));
  if (rounding != "FLOOR" && rounding != "ROUND")
    refuse(node, fmt::format("rounding_mode '{}' is not supported", rounding));
  Value x = value(node, 0);
  const Op op = network_.graph.node(x.node).op;
  // Whether the values are signed shows in what they are made of.
  int origin = x.node;
  while (!network_.grids[at(origin)] && !network_.graph.node(origin).inputs.empty() &&
         !has_weights(network_.graph.node(origin).op)) {
    origin = network_.graph.node(origin).inputs[0];
  }
  const auto& source = network_.grids[at(origin)];
  const bool is_signed = !(op == Op::relu || (source && source->coding == Coding::unsigned_code));
  x.factor *= std::exp2(out - in);
  Grid grid{.bits = static_cast<int>(out), .scale = scale, .floor = rounding == "FLOOR"};
  grid.coding = is_signed ? Coding::twos_complement : Coding::unsigned_code;
  set(node, round_to(node, x, grid));
}

Tensor Converter::dequantized(const OnnxNode& node, std::size_t codes, std::size_t scale, std::size_t zero) const {
  OnnxNode decode{
      .op = "DequantizeLinear", .domain = "", .name = node.name, .inputs = {}, .outputs = {}, .attributes = {}};
  decode.attributes["axis"].whole = node.op == "QLinearMatMul" ? 1 : 0;
  const Tensor* zero_point = node.input(zero).empty() ? nullptr : &need_constant(node, zero, "weight zero point");
  return fold(decode, {&need_constant(node, codes, "weight"), &need_constant(node, scale, "weight scale"), zero_point},
              graph_.opset)
      .at(0);
}

Grid Converter::output_grid(const OnnxNode& node, std::size_t scale, std::size_t zero) const {
  OnnxNode encode{
      .op = "QuantizeLinear", .domain = "", .name = node.name, .inputs = {}, .outputs = {}, .attributes = {}};
  const Tensor* zero_point = node.input(zero).empty() ? nullptr : &need_constant(node, zero, "output zero point");
  return grid_of(node, quantizer_of(encode, {nullptr, &need_constant(node, scale, "output scale"), zero_point}, {1}));
}

void Converter::qlinear_conv(const OnnxNode& node) {
  const Tensor weights = dequantized(node, 3, 4, 5);
  std::vector<double> bias;
  if (!node.input(8).empty()) {
    const Tensor& codes = need_constant(node, 8, "bias");
    const double in_scale = need_constant(node, 1, "input scale").at(0);
    const Tensor& scales = need_constant(node, 4, "weight scale");
    for (std::size_t n = 0; n < at(codes.elements()); ++n) {
      bias.push_back(codes.at(n) * in_scale * scales.at(scales.elements() == 1 ? 0 : n));
    }
  }
  set(node, round_to(node, convolve(node, value(node, 0), weights, bias), output_grid(node, 6, 7)));
}

void Converter::qlinear_matmul(const OnnxNode& node) {
  const Tensor weights = dequantized(node, 3, 4, 5);
  set(node, round_to(node, multiply_matrix(node, value(node, 0), weights, false), output_grid(node, 6, 7)));
}

void Converter::qlinear_join(const OnnxNode& node) {
  const Op op = node.op == "QLinearAdd" ? Op::add : Op::multiply;
  set(node, round_to(node, join(node, value(node, 0), value(node, 3), op), output_grid(node, 6, 7)));
}

void Converter::qlinear_gemm(const OnnxNode& node) {
  if (node.whole("transA", 0) != 0 || node.real("alpha", 1) != 1) refuse(node, "transA and alpha are not supported");
  const bool transposed = node.whole("transB", 0) != 0;
  OnnxNode decode = node;
  decode.op = transposed ? "QGemm" : "QLinearMatMul";  // the axis of the scales is that of the outputs
  const Tensor weights = dequantized(decode, 3, 4, 5);
  const Value product = multiply_matrix(node, value(node, 0), weights, transposed);
  if (!node.input(6).empty()) {
    const Tensor& codes = need_constant(node, 6, "bias");
    const double in_scale = need_constant(node, 1, "input scale").at(0);
    const Tensor& scales = need_constant(node, 4, "weight scale");
    std::vector<float>& bias = network_.parameters[at(product.node)].bias;
    if (codes.elements() != static_cast<std::int64_t>(bias.size())) refuse(node, "its biases do not fit its outputs");
    for (std::size_t n = 0; n < bias.size(); ++n)
      bias[n] = static_cast<float>(codes.at(n) * in_scale * scales.at(scales.elements() == 1 ? 0 : n));
  }
  set(node, node.input(7).empty() ? product : round_to(node, product, output_grid(node, 7, 8)));
}

void Converter::qlinear_pool(const OnnxNode& node) {
  const Value x = value(node, 0);
  settle(x, node.whole("channels_last", 0) != 0 ? Geometry::nhwc : Geometry::nchw);
  const Geometry g = geometry(x);
  const Window window{.kernel_height = shape(x).height, .kernel_width = shape(x).width};
  set(node, round_to(node, pooled(node, x, Op::average_pool, window, g), output_grid(node, 3, 4)));
}

}  // namespace bitstrata::model::interchange
