// SPDX-License-Identifier: Apache-2.0
// Nodes whose inputs are all constants (internal to model/onnx).
#pragma once

#include <optional>
#include <vector>

#include "model/float_network.h"
#include "model/onnx/graph.h"

namespace bitstrata::model::interchange {

// The outputs of `node`; `inputs` has null for inputs left out. Throws std::invalid_argument naming the node where the
// operator is not known or its inputs do not fit.
std::vector<Tensor> fold(const OnnxNode& node, const std::vector<const Tensor*>& inputs, std::int64_t opset);

// Sums, products, functions of single values and casts of constants (fold_arithmetic.cpp); `unary` has nothing where
// the operator is another. Every result is calculated in its own type: whole numbers of up to 32 bits lose the bits
// that it does not have, as in ONNX Runtime and in casts by ONNX's standard. Throw std::invalid_argument where whole
// numbers leave 64 bits or divide by 0, where floats leave the integers that they are cast to, and where types do not
// fit.
Tensor arithmetic(const OnnxNode& node, const Tensor& a, const Tensor& b);
std::optional<Tensor> unary(const OnnxNode& node, const Tensor& a);
// Equal, Less, Not, And and the like: 0 and 1; nothing where the operator is none of those.
std::optional<Tensor> comparison(const OnnxNode& node, const std::vector<const Tensor*>& inputs);
Tensor cast(const OnnxNode& node, const Tensor& a, std::int64_t to);  // `to`: ONNX's data type

// A tensor of `model`'s type, still without values. A small file can ask for any size: throws std::invalid_argument
// above 2^22 elements where the operator's largest input has not `inputs` as many.
Tensor like(const Tensor& model, Dims dims, std::int64_t inputs = 0);
Dims strides_of(const Dims& dims);  // row-major; all 1 where there are no elements
// Towards zero; throws std::invalid_argument for what is no number or leaves 64 bits.
std::int64_t whole_number(double value);
// Refuses two operands whose types differ.
void check_types(const OnnxNode& node, const Tensor& a, const Tensor& b);
// The values of a tensor of whole numbers; throws std::invalid_argument naming the node for others.
const std::vector<std::int64_t>& whole_list(const OnnxNode& node, const Tensor& tensor, const char* what);
// Refuses a zero point (null: none) of another type than its codes.
void check_zero_type(const OnnxNode& node, int codes, const Tensor* zero_point);
// Refuses a Dropout that draws values: one in training mode whose ratio is not known to be 0. `ratio` and `training`
// are null where they are left out; before opset 7 an attribute says what the node does.
void check_dropout(const OnnxNode& node, const Tensor* ratio, const Tensor* training, std::int64_t opset);
// The sizes that a Shape node takes, from its `start` to its `end`.
Dims part_of_shape(const OnnxNode& node, const Dims& sizes);

// An input that must be there; throws std::invalid_argument naming the node.
const Tensor& need(const OnnxNode& node, const std::vector<const Tensor*>& inputs, std::size_t index);

// Target sizes of a Reshape: 0 copies (unless `allow_zero`), -1 takes what is left. Throws std::invalid_argument.
Dims reshape_sizes(const Dims& from, const std::vector<std::int64_t>& wanted, bool allow_zero);
// Sizes with 1s put in, or with 1s taken out (all of them where `axes` is empty).
Dims unsqueezed(const Dims& from, std::vector<std::int64_t> axes);
Dims squeezed(const Dims& from, std::vector<std::int64_t> axes);
// -1 is the last of `rank` axes. Throws std::invalid_argument.
int axis_of(std::int64_t axis, int rank);

// The fewest bits that hold the codes low..high of a signed or unsigned type.
int bits_for(std::int64_t low, std::int64_t high, bool is_signed);

// QONNX's Quant and BipolarQuant and ONNX's QuantizeLinear share this: how values become codes. Per-axis scales have
// several entries in `scales`.
struct FileQuantizer {
  ConstantGrid grid;
  std::vector<std::int64_t> zero_points = {0};  // one, or one for each scale
  bool is_signed = true, narrow = false;
  Rounding rounding = Rounding::half_even;
  double low() const;
  double high() const;
  std::int64_t zero_point(std::size_t channel) const { return zero_points[zero_points.size() == 1 ? 0 : channel]; }
  // The code of a value, not less the zero point.
  double code(double value, std::size_t channel) const;
};
// What a Quant, BipolarQuant or QuantizeLinear node with constant parameters does to a tensor of `dims`.
FileQuantizer quantizer_of(const OnnxNode& node, const std::vector<const Tensor*>& inputs, const Dims& dims);

}  // namespace bitstrata::model::interchange
