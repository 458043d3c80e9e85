// SPDX-License-Identifier: Apache-2.0
// Operators that read and write codes: each is its float counterpart between two grids.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <stdexcept>

#include "model/onnx/converter.h"

namespace bitstrata::model::interchange {
namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// Biases of operators on codes are codes themselves.
void check_bias(const OnnxNode& node, const Tensor& bias) {
  if (bias.type != type::int32) refuse(node, fmt::format("its bias is {}; it must be INT32", type_name(bias.type)));
}

}  // namespace

Tensor Converter::dequantized(const OnnxNode& node, std::size_t codes, std::size_t scale, std::size_t zero) const {
  OnnxNode decode{
      .op = "DequantizeLinear", .domain = "", .name = node.name, .inputs = {}, .outputs = {}, .attributes = {}};
  decode.attributes["axis"].whole = node.op == "QLinearMatMul" ? 1 : 0;
  const Tensor* zero_point = node.input(zero).empty() ? nullptr : &need_constant(node, zero, "weight zero point");
  check_zero_type(node, need_constant(node, codes, "weight").type, zero_point);
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

Value Converter::summed(Value result, Sums sums) {
  network_.parameters[at(result.node)].sums = sums;
  return result;
}

// ONNX Runtime adds codes and their bias in 32 bits, which wrap; here nothing does.
void Converter::note_long_sums(const OnnxNode& node, const Value& x, const Value& result) {
  const Parameters& p = network_.parameters[at(result.node)];
  const std::optional<Grid> grid = grid_of_codes(x);
  if (!grid || p.scales.empty()) return;
  const CodeRange range = grid->range();
  const double largest = std::max(std::abs(range.low - grid->zero_point), std::abs(range.high - grid->zero_point));
  const std::size_t each = p.weights.size() / p.scales.size();
  for (std::size_t n = 0; n < p.scales.size(); ++n) {
    double bound = std::abs(p.bias[n] / (grid->scale * p.scales[n]));
    for (std::size_t k = 0; k < each; ++k) bound += std::abs(p.weights[n * each + k] / p.scales[n]) * largest;
    if (bound < std::exp2(31)) continue;
    network_.notes.push_back(
        fmt::format("{} '{}': the sums of output {} can reach {:.3g}, beyond the 32 bits in which ONNX Runtime adds "
                    "them; what wraps there is limited to the output's codes here",
                    node.op, node.name, n, bound));
    return;
  }
}

void Converter::recoded(const OnnxNode& node, const Value& result, std::size_t scale, std::size_t zero) {
  Grid grid = output_grid(node, scale, zero);
  // These add the zero point before they round, in ONNX Runtime, whose operators they are.
  if (node.op == "QLinearAveragePool" || node.op == "QLinearAdd" || node.op == "QLinearMul")
    grid.rounding = Rounding::half_even;
  Value codes = round_to(node, result, grid);
  codes.codes = true;
  const Tensor* type = constant(node.input(zero));
  codes.code_type = type == nullptr ? static_cast<int>(type::uint8) : type->type;
  set(node, codes);
}

void Converter::qlinear_conv(const OnnxNode& node) {
  const Tensor weights = dequantized(node, 3, 4, 5);
  std::vector<double> bias;
  if (!node.input(8).empty()) {
    const Tensor& codes = need_constant(node, 8, "bias");
    check_bias(node, codes);
    const double in_scale = need_constant(node, 1, "input scale").at(0);
    const Tensor& scales = need_constant(node, 4, "weight scale");
    for (std::size_t n = 0; n < at(codes.elements()); ++n) {
      bias.push_back(codes.at(n) * in_scale * scales.at(scales.elements() == 1 ? 0 : n));
    }
  }
  const Value x = decoded(node, 0, 1, 2);
  const Value result = summed(convolve(node, x, weights, bias), Sums::requantized);
  note_long_sums(node, x, result);
  recoded(node, result, 6, 7);
}

void Converter::qlinear_matmul(const OnnxNode& node) {
  const Tensor weights = dequantized(node, 3, 4, 5);
  recoded(node, summed(multiply_matrix(node, decoded(node, 0, 1, 2), weights, false), Sums::requantized), 6, 7);
}

// The sum or product of two tensors of codes, or of one and a constant.
void Converter::qlinear_join(const OnnxNode& node) {
  const bool add = node.op == "QLinearAdd";
  const bool first = constant(node.input(0)) != nullptr, second = constant(node.input(3)) != nullptr;
  if (!first && !second) {
    recoded(node, join(node, decoded(node, 0, 1, 2), decoded(node, 3, 4, 5), add ? Op::add : Op::multiply), 6, 7);
    return;
  }
  const Tensor other = first ? dequantized(node, 0, 1, 2) : dequantized(node, 3, 4, 5);
  const Value x = first ? decoded(node, 3, 4, 5) : decoded(node, 0, 1, 2);
  const std::vector<double> values = per_channel(node, x, other);
  recoded(node, add ? affine(node, x, {1}, values) : affine(node, x, values, {0}), 6, 7);
}

void Converter::qlinear_gemm(const OnnxNode& node) {
  if (node.whole("transA", 0) != 0 || node.real("alpha", 1) != 1) refuse(node, "transA and alpha are not supported");
  const bool transposed = node.whole("transB", 0) != 0;
  OnnxNode decode = node;
  decode.op = transposed ? "QGemm" : "QLinearMatMul";  // the axis of the scales is that of the outputs
  const Tensor weights = dequantized(decode, 3, 4, 5);
  const Value x = decoded(node, 0, 1, 2);
  const Value product =
      summed(multiply_matrix(node, x, weights, transposed), node.input(7).empty() ? Sums::codes : Sums::requantized);
  if (!node.input(6).empty()) {
    const Tensor& codes = need_constant(node, 6, "bias");
    check_bias(node, codes);
    const double in_scale = need_constant(node, 1, "input scale").at(0);
    const Tensor& scales = need_constant(node, 4, "weight scale");
    std::vector<float>& bias = network_.parameters[at(product.node)].bias;
    check_row(node, codes, static_cast<std::int64_t>(bias.size()));
    for (std::size_t n = 0; n < bias.size(); ++n)
      bias[n] = static_cast<float>(codes.at(codes.elements() == 1 ? 0 : n) * in_scale *
                                   scales.at(scales.elements() == 1 ? 0 : n));
  }
  note_long_sums(node, x, product);
  if (node.input(7).empty()) {
    set(node, product);
  } else {
    recoded(node, product, 7, 8);
  }
}

void Converter::qlinear_global_pool(const OnnxNode& node) {
  Value x = decoded(node, 0, 1, 2);
  settle(x, image_order(node));
  x = straight(node, x);
  check_image(node, x, x.view.rank() == 3);
  const Geometry g = geometry(x);
  const Window window{.kernel_height = shape(x).height, .kernel_width = shape(x).width};
  recoded(node, summed(pooled(node, x, Op::average_pool, window, g), Sums::requantized), 3, 4);
}

// What the float operator `op` with the node's attributes makes of values.
Value Converter::through(const OnnxNode& node, const std::string& op, const std::vector<Value>& inputs) {
  OnnxNode plain = node;
  plain.op = op;
  plain.domain.clear();
  plain.inputs.clear();
  for (const Value& input : inputs) {
    plain.inputs.push_back(fmt::format("{}/value_{}", node.name, plain.inputs.size()));
    values_[plain.inputs.back()] = input;
  }
  plain.outputs = {node.name + "/result"};
  (this->*handler_of(op))(plain);
  return values_.at(plain.outputs[0]);
}

// QLinearAveragePool, QLinearLeakyRelu and QLinearSigmoid.
void Converter::qlinear_function(const OnnxNode& node) {
  const Value result = through(node, node.op.substr(7), {decoded(node, 0, 1, 2)});
  if (std::optional<Mean>& mean = network_.parameters[at(result.node)].mean) mean->order = Mean::Order::rows;
  recoded(node, result, 3, 4);
}

void Converter::qlinear_concat(const OnnxNode& node) {
  if (node.inputs.size() < 5 || node.inputs.size() % 3 != 2)
    refuse(node, "its inputs are not a scale, a zero point and three for each tensor");
  std::vector<Value> parts;
  for (std::size_t i = 2; i < node.inputs.size(); i += 3) {
    if (constant(node.inputs[i]) != nullptr)
      refuse(node, fmt::format("joins the constant '{}' to a tensor, which is not supported", node.inputs[i]));
    parts.push_back(decoded(node, i, i + 1, i + 2));
  }
  recoded(node, through(node, "Concat", parts), 0, 1);
}

// ConvInteger and MatMulInteger: sums of codes as numbers. What they stand for is said by the scalings behind them.
void Converter::integer_sums(const OnnxNode& node) {
  const std::optional<Grid> grid = grid_of_codes(value(node, 0));
  if (!grid || !value(node, 0).codes)
    refuse(node, fmt::format("reads codes, but nothing has quantized its input '{}'", node.input(0)));
  const double zero = node.input(2).empty() ? 0 : scalar(node, 2, "zero point");
  if (!node.input(2).empty())
    check_code_type(node, value(node, 0), need_constant(node, 2, "zero point"), "its zero point");
  if (zero != grid->zero_point) {
    refuse(node, fmt::format("its zero point is {}, that of its input '{}' {}; they must be equal", zero, node.input(0),
                             grid->zero_point));
  }
  Value x = value(node, 0);
  x.codes = false;
  x.factor = 1;
  OnnxNode decode{
      .op = "DequantizeLinear", .domain = "", .name = node.name, .inputs = {}, .outputs = {}, .attributes = {}};
  decode.attributes["axis"].whole = node.op == "ConvInteger" ? 0 : 1;
  const Tensor* weight_zero = node.input(3).empty() ? nullptr : &need_constant(node, 3, "weight zero point");
  const std::int64_t scales = weight_zero == nullptr ? 1 : weight_zero->elements();
  const Tensor one = Tensor::of_reals({scales}, std::vector<float>(at(scales), 1.0F));
  const Tensor weights = fold(decode, {&need_constant(node, 1, "weight"), &one, weight_zero}, graph_.opset).at(0);
  Value result =
      summed(node.op == "ConvInteger" ? convolve(node, x, weights, {}) : multiply_matrix(node, x, weights, false),
             Sums::codes);
  result.factor = 1 / grid->scale;
  set(node, result);
}

}  // namespace bitstrata::model::interchange
