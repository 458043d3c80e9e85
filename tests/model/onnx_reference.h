// SPDX-License-Identifier: Apache-2.0
// What the parts of the reference executor share: dense arrays and the operators that have a float and a quantized
// form.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/model/onnx_builder.h"

namespace bitstrata::testing::reference {

using Dims = std::vector<std::int64_t>;

inline std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }
std::int64_t count(const Dims& dims);

Array map(const Array& x, const std::function<double(double)>& f);
Array broadcast(const Array& a, const Array& b, const std::function<double(double, double)>& f);
// N,C,H,W; nothing is added where the window lies in the padding.
Array convolve(const OnnxBuilder::Node& node, const Array& x, const Array& weights, const Array* bias);
Array convolve_transposed(const OnnxBuilder::Node& node, const Array& x, const Array& weights, const Array* bias);
// `by_column`: CRD, else DCR.
Array depth_to_space(const Array& x, std::int64_t block, bool by_column);
Array space_to_depth(const Array& x, std::int64_t block);
// Averages are sums of 32-bit floats, in one of the orders that ONNX Runtime's kernels have: value after value, each
// column of the window first, or every fourth value of a whole image into one of four sums.
enum class Sum { rows, columns, lanes };
Array pool(const OnnxBuilder::Node& node, const Array& x, bool max, bool global, Sum order);
Array matrix(const Array& a, const Array& b, bool transposed);
// Along axis 1 of a batch of 1.
Array concatenate(const std::vector<const Array*>& inputs);

// Resize with mode linear, of height and width.
Array enlarge_linearly(const OnnxBuilder::Node& node, const Array& x, const std::vector<double>& scales);

// A function of single values (onnx_reference_functions.cpp); nothing where the node is none of those there.
std::optional<Array> function(const OnnxBuilder::Node& node, const Array& x);

// Runs a node whose operator belongs to quantization (among them Cast) and adds its outputs to `values`; false: it is
// none of those. Throws std::invalid_argument for what is not modelled.
bool run_quantized(const OnnxBuilder::Node& node, std::map<std::string, Array>& values);

}  // namespace bitstrata::testing::reference
