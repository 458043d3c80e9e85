// SPDX-License-Identifier: Apache-2.0
// The operators that ONNX files may have: a row each.
#include <algorithm>
#include <sstream>

#include "model/onnx/attributes.h"
#include "model/onnx/converter.h"

namespace bitstrata::model::interchange {

// What reads it, and its attributes in all versions of ONNX, ONNX Runtime and QONNX. "consumed_inputs", "axis" and
// "broadcast" of arithmetic, "is_test" and "spatial" are of ONNX before opset 9.
const std::vector<Converter::Operator>& Converter::operators() {
  using C = Converter;
  static const std::vector<Operator> rows = {
      {"Conv", &C::convolution, "auto_pad dilations group kernel_shape pads strides"},
      {"ConvTranspose", &C::transposed_convolution,
       "auto_pad dilations group kernel_shape "
       "output_padding output_shape pads strides"},
      {"Gemm", &C::gemm, "alpha beta broadcast transA transB"},
      {"MatMul", &C::matmul, ""},
      {"MaxPool", &C::max_pool, "auto_pad ceil_mode dilations kernel_shape pads storage_order strides", true},
      {"AveragePool", &C::average_pool,
       "auto_pad ceil_mode count_include_pad "
       "dilations kernel_shape pads strides"},
      {"GlobalAveragePool", &C::global_pool, ""},
      {"GlobalMaxPool", &C::global_pool, ""},
      {"ReduceMean", &C::reduce, "axes keepdims noop_with_empty_axes"},
      {"ReduceMax", &C::reduce, "axes keepdims noop_with_empty_axes"},
      {"Add", &C::add, "axis broadcast consumed_inputs"},
      {"Sum", &C::add, "consumed_inputs"},
      {"Sub", &C::subtract, "axis broadcast consumed_inputs"},
      {"Mul", &C::multiply, "axis broadcast consumed_inputs"},
      {"Div", &C::divide, "axis broadcast consumed_inputs"},
      {"Neg", &C::negate, "consumed_inputs"},
      {"BatchNormalization", &C::batch_norm, "consumed_inputs epsilon is_test momentum spatial training_mode"},
      {"Relu", &C::relu, "consumed_inputs"},
      {"Clip", &C::clip, "consumed_inputs max min", true},
      {"LeakyRelu", &C::leaky_relu, "alpha consumed_inputs"},
      {"PRelu", &C::prelu, "consumed_inputs"},
      {"HardSigmoid", &C::hard_sigmoid, "alpha beta consumed_inputs"},
      {"HardSwish", &C::hard_swish, ""},
      {"Silu", &C::silu, ""},  // made by rewrite_activations
      {"Identity", &C::pass, "", true},
      {"If", &C::branch, "else_branch then_branch"},
      {"Dropout", &C::pass, "consumed_inputs is_test ratio seed", true},
      {"Cast", &C::cast, "round_mode saturate to", true},
      {"Shape", &C::shape_of, "end start", true},
      {"Reshape", &C::reshape, "allowzero consumed_inputs shape", true},
      {"Flatten", &C::flatten, "axis", true},
      {"Transpose", &C::transpose, "perm", true},
      {"Squeeze", &C::squeeze, "axes", true},
      {"Unsqueeze", &C::unsqueeze, "axes", true},
      {"Pad", &C::pad, "mode paddings pads value", true},
      {"Concat", &C::concat, "axis", true},
      {"Upsample", &C::resize, "height_scale mode scales width_scale", true},
      {"Resize", &C::resize,
       "antialias axes coordinate_transformation_mode cubic_coeff_a "
       "exclude_outside extrapolation_value keep_aspect_ratio_policy mode nearest_mode",
       true},
      {"Split", &C::split, "axis num_outputs split", true},
      {"DepthToSpace", &C::depth_to_space, "blocksize mode", true},
      {"SpaceToDepth", &C::space_to_depth, "blocksize", true},
      {"Slice", &C::slice, "axes ends starts", true},
      {"QuantizeLinear", &C::quantize, "axis block_size output_dtype precision saturate"},
      {"DequantizeLinear", &C::dequantize, "axis block_size output_dtype", true},
      {"Quant", &C::quantize, "narrow rounding_mode signed"},
      {"IntQuant", &C::quantize, "narrow rounding_mode signed"},
      {"BipolarQuant", &C::quantize, ""},
      {"Trunc", &C::trunc, "narrow rounding_mode signed"},
      {"QLinearConv", &C::qlinear_conv, "auto_pad channels_last dilations group kernel_shape pads strides", true},
      {"QLinearMatMul", &C::qlinear_matmul, "", true},
      {"QLinearAdd", &C::qlinear_join, "", true},
      {"QLinearMul", &C::qlinear_join, "", true},
      {"QGemm", &C::qlinear_gemm, "alpha transA transB", true},
      {"QLinearGlobalAveragePool", &C::qlinear_global_pool, "channels_last", true},
      {"QLinearAveragePool", &C::qlinear_function,
       "auto_pad ceil_mode channels_last "
       "count_include_pad kernel_shape pads strides",
       true},
      {"QLinearLeakyRelu", &C::qlinear_function, "alpha", true},
      {"QLinearSigmoid", &C::qlinear_function, "", true},
      {"QLinearConcat", &C::qlinear_concat, "axis", true},
      {"ConvInteger", &C::integer_sums, "auto_pad dilations group kernel_shape pads strides", true},
      {"MatMulInteger", &C::integer_sums, "", true},
      {"Celu", &C::table_function, "alpha"},
      {"DynamicQuantizeLinear", nullptr, ""},  // read by rewrite_dynamic
      {"Elu", &C::table_function, "alpha consumed_inputs"},
      {"Erf", &C::table_function, ""},
      {"Gelu", &C::table_function, "approximate"},
      {"Mish", &C::table_function, ""},
      {"Selu", &C::table_function, "alpha consumed_inputs gamma"},
      {"Sigmoid", &C::table_function, "consumed_inputs"},
      {"Softplus", &C::table_function, ""},
      {"Softsign", &C::table_function, ""},
      {"Tanh", &C::table_function, "consumed_inputs"},
      {"ThresholdedRelu", &C::table_function, "alpha"},
  };
  return rows;
}

Converter::Handler Converter::handler_of(const std::string& op) {
  static const std::map<std::string, Handler> handlers = [] {
    std::map<std::string, Handler> made;
    for (const Operator& row : operators()) made[row.name] = row.read;
    return made;
  }();
  const auto found = handlers.find(op);
  return found == handlers.end() ? nullptr : found->second;
}

bool Converter::takes_codes(const std::string& op) {
  const auto& rows = operators();
  return std::any_of(rows.begin(), rows.end(), [&](const Operator& row) { return row.name == op && row.takes_codes; });
}

const std::map<std::string, std::set<std::string>>& known_attributes() {
  static const std::map<std::string, std::set<std::string>> table = [] {
    std::map<std::string, std::set<std::string>> made;
    for (const Converter::Operator& row : Converter::operators()) {
      std::set<std::string>& names = made[row.name];
      std::istringstream words{row.attributes};
      for (std::string name; words >> name;) names.insert(name);
    }
    return made;
  }();
  return table;
}

}  // namespace bitstrata::model::interchange
