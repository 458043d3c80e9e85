// SPDX-License-Identifier: Apache-2.0
// What the rows of onnx_quantized_cases are made with.
#pragma once

#include <onnx/onnx_pb.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/model/onnx_quantized_cases.h"

namespace bitstrata::testing::rows {

using Dims = std::vector<std::int64_t>;
using Names = std::vector<std::string>;

inline constexpr int u8 = onnx::TensorProto::UINT8, i8 = onnx::TensorProto::INT8, u16 = onnx::TensorProto::UINT16,
                     i16 = onnx::TensorProto::INT16, i32 = onnx::TensorProto::INT32, f32 = onnx::TensorProto::FLOAT;
inline const std::string microsoft = "com.microsoft";

// How a tensor is quantized.
struct Q {
  double scale;
  double zero = 0;
  int type = u8;
};

class Case {
 public:
  explicit Case(OnnxBuilder& model) : m(model) {}
  OnnxBuilder& m;

  Names pair(const Q& q) { return {m.scalar(q.scale), m.scalar(q.zero, q.type)}; }
  // The codes, or the tensor behind DequantizeLinear, with scale and zero point: three operands of a QLinear operator.
  Names operands(const std::string& codes, const Q& q) {
    Names all = {codes};
    for (const std::string& name : pair(q)) all.push_back(name);
    return all;
  }
  std::string quantize(const std::string& x, const Q& q) { return m.node("QuantizeLinear", operands(x, q)); }
  std::string dequantize(const std::string& codes, const Q& q) {
    return m.node("DequantizeLinear", operands(codes, q));
  }
  std::string qdq(const std::string& x, const Q& q) { return dequantize(quantize(x, q), q); }
  // Codes -7..7 in an order that repeats late.
  std::string weight_codes(Dims dims, int type = i8, double offset = 0) {
    std::int64_t count = 1;
    for (const std::int64_t side : dims) count *= side;
    std::vector<double> codes;
    for (std::int64_t i = 0; i < count; ++i) codes.push_back(static_cast<double>((i * i + 3 * i) % 15 - 7) + offset);
    return m.constant(std::move(dims), codes, type);
  }
  std::string weights(const Dims& dims, double scale = 0.125) {
    return m.node("DequantizeLinear", {weight_codes(dims), m.scalar(scale), m.scalar(0, i8)});
  }
  std::string weights(const Dims& dims, int axis, const std::vector<double>& scales) {
    const auto count = static_cast<std::int64_t>(scales.size());
    return m.node("DequantizeLinear",
                  {weight_codes(dims), m.constant({count}, scales),
                   m.constant({count}, std::vector<double>(scales.size(), 0), i8)},
                  {{"axis", axis}});
  }
  // The first layer of most cases: N,3,5,6 floats to 4 channels of codes.
  std::string first(const Q& in, const Q& out) {
    return qdq(m.node("Conv", {qdq("x", in), weights({4, 3, 1, 1})}), out);
  }
  // What `first` gives, as codes.
  std::string first_codes(const Q& in, const Q& out) {
    return quantize(m.node("Conv", {qdq("x", in), weights({4, 3, 1, 1})}), out);
  }
};

inline const Q pixels{1.0 / 128}, signed_pixels{1.0 / 64, 0, i8}, values{1.0 / 32, 100, u8},
    signed_values{1.0 / 32, 0, i8}, coarse{1.0 / 8, -3, i8};

class Table {
 public:
  // `make` returns the grid of the output, whose floats the last node gives (or its codes).
  void row(const char* name, const std::function<Q(Case&)>& make, const char* refused = "", Dims input = {1, 3, 5, 6},
           bool image = true) {
    QuantizedCase made{{.name = name,
                        .model = OnnxBuilder(std::move(input)),
                        .image = image,
                        .form = "one operator each",
                        .weights = "",
                        .activations = "",
                        .operators = name,
                        .exact = true},
                       refused};
    Case c(made.graph.model);
    const Q out = make(c);
    made.graph.scale = out.scale;
    made.graph.zero = out.zero;
    rows_.push_back(std::move(made));
  }
  void codes() { rows_.back().graph.codes = true; }
  // Sums depend on their order: another executor's codes may be one off.
  void ordered_sums() { rows_.back().graph.exact = false; }
  void reference_only(std::int64_t apart = 0) {
    rows_.back().reference_only = true;
    rows_.back().apart = apart;
  }
  std::vector<QuantizedCase> take() { return std::move(rows_); }

 private:
  std::vector<QuantizedCase> rows_;
};

// Activations that hardware reads from a table (onnx_quantized_functions.cpp).
void function_rows(Table& t);
// Means that differ at the border of the image, and what else is made of several layers.
void border_rows(Table& t);
// Functions that files write one operator after another (onnx_quantized_written.cpp).
void written_rows(Table& t);

}  // namespace bitstrata::testing::rows
