// SPDX-License-Identifier: Apache-2.0
#include "model/onnx/attributes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sstream>
#include <string_view>

namespace bitstrata::model::interchange {
namespace {

struct Row {
  std::string_view op, attributes;  // in words
};

// "consumed_inputs", "axis" and "broadcast" of arithmetic, "is_test" and "spatial" are of ONNX before opset 9.
constexpr Row rows[] = {
    {"Add", "axis broadcast consumed_inputs"},
    {"AveragePool", "auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides"},
    {"BatchNormalization", "consumed_inputs epsilon is_test momentum spatial training_mode"},
    {"BipolarQuant", ""},
    {"Cast", "round_mode saturate to"},
    {"Celu", "alpha"},
    {"Clip", "consumed_inputs max min"},
    {"Concat", "axis"},
    {"Conv", "auto_pad dilations group kernel_shape pads strides"},
    {"ConvInteger", "auto_pad dilations group kernel_shape pads strides"},
    {"ConvTranspose", "auto_pad dilations group kernel_shape output_padding output_shape pads strides"},
    {"DepthToSpace", "blocksize mode"},
    {"DequantizeLinear", "axis block_size output_dtype"},
    {"Div", "axis broadcast consumed_inputs"},
    {"Dropout", "consumed_inputs is_test ratio seed"},
    {"DynamicQuantizeLinear", ""},
    {"Elu", "alpha consumed_inputs"},
    {"Erf", ""},
    {"Flatten", "axis"},
    {"Gelu", "approximate"},
    {"Gemm", "alpha beta broadcast transA transB"},
    {"GlobalAveragePool", ""},
    {"GlobalMaxPool", ""},
    {"HardSigmoid", "alpha beta consumed_inputs"},
    {"HardSwish", ""},
    {"Identity", ""},
    {"If", "else_branch then_branch"},
    {"IntQuant", "narrow rounding_mode signed"},
    {"LeakyRelu", "alpha consumed_inputs"},
    {"MatMul", ""},
    {"MatMulInteger", ""},
    {"MaxPool", "auto_pad ceil_mode dilations kernel_shape pads storage_order strides"},
    {"Mish", ""},
    {"Mul", "axis broadcast consumed_inputs"},
    {"Neg", "consumed_inputs"},
    {"PRelu", "consumed_inputs"},
    {"Pad", "mode paddings pads value"},
    {"QGemm", "alpha transA transB"},
    {"QLinearAdd", ""},
    {"QLinearAveragePool", "auto_pad ceil_mode channels_last count_include_pad kernel_shape pads strides"},
    {"QLinearConcat", "axis"},
    {"QLinearConv", "auto_pad channels_last dilations group kernel_shape pads strides"},
    {"QLinearGlobalAveragePool", "channels_last"},
    {"QLinearLeakyRelu", "alpha"},
    {"QLinearMatMul", ""},
    {"QLinearMul", ""},
    {"QLinearSigmoid", ""},
    {"Quant", "narrow rounding_mode signed"},
    {"QuantizeLinear", "axis block_size output_dtype precision saturate"},
    {"ReduceMax", "axes keepdims noop_with_empty_axes"},
    {"ReduceMean", "axes keepdims noop_with_empty_axes"},
    {"Relu", "consumed_inputs"},
    {"Reshape", "allowzero consumed_inputs shape"},
    {"Resize",
     "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value "
     "keep_aspect_ratio_policy mode nearest_mode"},
    {"Selu", "alpha consumed_inputs gamma"},
    {"Shape", "end start"},
    {"Sigmoid", "consumed_inputs"},
    {"Slice", "axes ends starts"},
    {"Softplus", ""},
    {"Softsign", ""},
    {"SpaceToDepth", "blocksize"},
    {"Split", "axis num_outputs split"},
    {"Squeeze", "axes"},
    {"Sub", "axis broadcast consumed_inputs"},
    {"Sum", "consumed_inputs"},
    {"Tanh", "consumed_inputs"},
    {"ThresholdedRelu", "alpha"},
    {"Transpose", "perm"},
    {"Trunc", "narrow rounding_mode signed"},
    {"Unsqueeze", "axes"},
    {"Upsample", "height_scale mode scales width_scale"},
};

}  // namespace

const std::map<std::string, std::set<std::string>>& known_attributes() {
  static const std::map<std::string, std::set<std::string>> table = [] {
    std::map<std::string, std::set<std::string>> made;
    for (const Row& row : rows) {
      std::set<std::string>& names = made[std::string(row.op)];
      std::istringstream words{std::string(row.attributes)};
      for (std::string name; words >> name;) names.insert(name);
    }
    return made;
  }();
  return table;
}

void check_attributes(const Graph& graph) {
  for (const OnnxNode& node : graph.nodes) {
    const auto known = known_attributes().find(node.op);
    if (known == known_attributes().end()) continue;
    for (const auto& entry : node.attributes) {
      // ONNX's own QLinearConv has no such attribute; ONNX Runtime's of the same name does.
      const bool foreign = entry.first == "channels_last" && node.domain.empty();
      if (known->second.count(entry.first) != 0 && !foreign) continue;
      std::set<std::string> has = known->second;
      if (node.domain.empty()) has.erase("channels_last");
      refuse(node, fmt::format("has an attribute '{}', which {} does not have (it has {})", entry.first,
                               foreign ? "ONNX's " + node.op : node.op,
                               has.empty() ? "none" : fmt::format("{}", fmt::join(has, ", "))));
    }
  }
}

}  // namespace bitstrata::model::interchange
