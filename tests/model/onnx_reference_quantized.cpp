// SPDX-License-Identifier: Apache-2.0
// The operators of quantization as ONNX and, for the domain com.microsoft, ONNX Runtime's documentation tell them:
// halves go to even, codes saturate, and what is written as float arithmetic is done in 32-bit floats, so that a value
// between two codes falls on the same side as in other executors.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "tests/model/onnx_reference.h"

namespace bitstrata::testing::reference {
namespace {

constexpr int float_type = 1, uint8_type = 2, int32_type = 6;

float real(double x) { return static_cast<float>(x); }

// Rounds halves to even (the processor's default) and saturates.
double saturated(double x, double zero, int type) {
  const auto [low, high] = range_of_type(type);
  return std::clamp(std::nearbyint(x) + zero, low, high);
}

// One node with its inputs and attributes, and the entry of a scale or zero point that an element meets.
struct Call {
  const OnnxBuilder::Node& node;
  std::map<std::string, Array>& values;

  bool has(std::size_t i) const { return i < node.inputs.size() && !node.inputs[i].empty(); }
  const Array& in(std::size_t i) const { return values.at(node.inputs.at(i)); }
  std::int64_t whole(const char* key, std::int64_t otherwise) const {
    const auto found = node.attributes.find(key);
    return found == node.attributes.end() ? otherwise : found->second.wholes[0];
  }
  double number(const char* key, double otherwise) const {
    const auto found = node.attributes.find(key);
    return found == node.attributes.end() ? otherwise : found->second.reals[0];
  }
  double scalar(std::size_t i, double otherwise) const {
    if (!has(i)) return otherwise;
    if (in(i).values.size() != 1)
      throw std::invalid_argument(fmt::format("{}: input {} must be one number", node.op, i));
    return in(i).values[0];
  }
  int type(std::size_t zero) const { return has(zero) ? in(zero).type : uint8_type; }
  void set(Array result) const { values[node.outputs[0]] = std::move(result); }
};

// Calls f(value, scale, zero point) for the elements of x, whose scales and zero points run along `axis`, or are one.
template <typename F>
Array along(const Call& call, const Array& x, std::size_t scale, std::size_t zero, std::int64_t axis, F f) {
  if (call.whole("block_size", 0) != 0) throw std::invalid_argument("the reference has no blocked quantization");
  const Array& scales = call.in(scale);
  if (axis < 0) axis += static_cast<std::int64_t>(x.dims.size());
  std::int64_t inner = 1, side = 1;
  if (scales.values.size() > 1) {
    side = x.dims.at(at(axis));
    for (std::size_t i = at(axis) + 1; i < x.dims.size(); ++i) inner *= x.dims[i];
    if (static_cast<std::int64_t>(scales.values.size()) != side)
      throw std::invalid_argument(
          fmt::format("{}: {} scales for a side of {}", call.node.op, scales.values.size(), side));
  }
  Array y{x.dims, {}};
  for (std::int64_t k = 0; k < count(x.dims); ++k) {
    const std::size_t entry = at(k / inner % side);
    const double z = call.has(zero) ? call.in(zero).values.at(call.in(zero).values.size() > 1 ? entry : 0) : 0;
    y.values.push_back(f(x.values[at(k)], scales.values[scales.values.size() > 1 ? entry : 0], z));
  }
  return y;
}

// Codes less their zero point: what integer operators multiply.
Array centred(const Call& call, std::size_t codes, std::size_t scale, std::size_t zero, std::int64_t axis) {
  return along(call, call.in(codes), scale, zero, axis, [](double q, double, double z) { return q - z; });
}

Array dequantized(const Call& call, std::size_t codes, std::size_t scale, std::size_t zero, std::int64_t axis = 0) {
  return along(call, call.in(codes), scale, zero, axis,
               [](double q, double s, double z) { return double{real(q - z) * real(s)}; });
}

Array quantized(const Call& call, const Array& x, std::size_t scale, std::size_t zero, std::int64_t axis = 0) {
  const int type = call.type(zero);
  Array y = along(call, x, scale, zero, axis,
                  [type](double v, double s, double z) { return saturated(double{real(v) / real(s)}, z, type); });
  y.type = type;
  return y;
}

// Sums of products along axis 1 (or, of matrices, the last one) to codes, by factor[n] = scales of input and weight n
// over that of the output.
Array requantized(const Call& call, const Array& sums, double in_scale, const Array& weight_scales, std::size_t scale,
                  std::size_t zero) {
  const int type = call.type(zero);
  const double out_scale = call.scalar(scale, 1), z = call.scalar(zero, 0);
  const std::int64_t channels = sums.dims[1], inner = count(sums.dims) / sums.dims[0] / channels;
  Array y{sums.dims, {}, type};
  for (std::int64_t k = 0; k < count(sums.dims); ++k) {
    const double w = weight_scales.values[weight_scales.values.size() > 1 ? at(k / inner % channels) : 0];
    const float factor = real(in_scale) * real(w) / real(out_scale);
    y.values.push_back(saturated(double{real(sums.values[at(k)]) * factor}, z, type));
  }
  return y;
}

void convolution(const Call& call) {
  const Array x = centred(call, 0, 1, 2, 1), w = centred(call, 3, 4, 5, 0);
  const Array sums = convolve(call.node, x, w, call.has(8) ? &call.in(8) : nullptr);
  call.set(requantized(call, sums, call.scalar(1, 1), call.in(4), 6, 7));
}

void multiplication(const Call& call) {
  const Array sums = matrix(centred(call, 0, 1, 2, 0), centred(call, 3, 4, 5, 1), false);
  call.set(requantized(call, sums, call.scalar(1, 1), call.in(4), 6, 7));
}

// The biases' scale is alpha times those of input and weights.
void gemm(const Call& call) {
  if (call.whole("transA", 0) != 0) throw std::invalid_argument("the reference's QGemm has no transA");
  const bool transposed = call.whole("transB", 0) != 0;
  Array sums = matrix(centred(call, 0, 1, 2, 0), centred(call, 3, 4, 5, transposed ? 0 : 1), transposed);
  if (call.has(6)) sums = broadcast(sums, call.in(6), std::plus<>());
  const double in_scale = double{real(call.number("alpha", 1)) * real(call.scalar(1, 1))};
  if (call.has(7)) return call.set(requantized(call, sums, in_scale, call.in(4), 7, 8));
  const Array& scales = call.in(4);
  for (std::size_t k = 0; k < sums.values.size(); ++k) {
    const double w = scales.values[scales.values.size() > 1 ? k % at(sums.dims[1]) : 0];
    sums.values[k] = double{real(sums.values[k]) * (real(in_scale) * real(w))};
  }
  call.set(std::move(sums));
}

// Exact in doubles, where the order of 32-bit operations is an executor's own choice.
Array to_codes(const Call& call, const Array& x, std::size_t scale, std::size_t zero) {
  const int type = call.type(zero);
  const double s = call.scalar(scale, 1), z = call.scalar(zero, 0);
  Array y = map(x, [=](double v) { return saturated(v / s, z, type); });
  y.type = type;
  return y;
}

Array exact(const Call& call, std::size_t codes, std::size_t scale, std::size_t zero) {
  const double s = call.scalar(scale, 1), z = call.scalar(zero, 0);
  Array y = map(call.in(codes), [=](double q) { return s * (q - z); });
  y.type = float_type;
  return y;
}

// Values in 32-bit floats to codes whose zero point is added before they are rounded: halves go to the even code, not
// to the even distance from the zero point.
Array shifted_codes(const Call& call, const Array& x, std::size_t scale, std::size_t zero) {
  const int type = call.type(zero);
  const float s = real(call.scalar(scale, 1)), z = real(call.scalar(zero, 0));
  Array y = map(x, [=](double v) { return saturated(double{real(v) / s + z}, 0, type); });
  y.type = type;
  return y;
}

void join(const Call& call, const std::function<double(double, double)>& f) {
  const Array a = dequantized(call, 0, 1, 2), b = dequantized(call, 3, 4, 5);
  call.set(shifted_codes(call, broadcast(a, b, f), 6, 7));
}

// ONNX Runtime adds the values of a window in 32-bit floats; over the whole image it adds codes and scales them at
// once.
void pooling(const Call& call, bool global) {
  if (call.whole("channels_last", 0) != 0) throw std::invalid_argument("the reference pools N,C,H,W only");
  const float in = real(call.scalar(1, 1)), out = real(call.scalar(3, 1));
  const double before = call.scalar(2, 0), behind = call.scalar(4, 0);
  const int type = call.type(4);
  Array y;
  if (global) {
    const Array& codes = call.in(0);
    const std::int64_t channels = codes.dims[1], pixels = count(codes.dims) / channels;
    y.dims = {1, channels, 1, 1};
    for (std::int64_t c = 0; c < channels; ++c) {
      double sum = 0;
      for (std::int64_t k = 0; k < pixels; ++k) sum += codes.values[at(c * pixels + k)] - before;
      y.values.push_back(saturated(double{real(sum) * (in / (out * real(static_cast<double>(pixels))))}, behind, type));
    }
  } else {
    y = shifted_codes(call, pool(call.node, dequantized(call, 0, 1, 2), false, false, Sum::rows), 3, 4);
  }
  y.type = type;
  call.set(std::move(y));
}

void elementwise(const Call& call, const std::function<double(double)>& f) {
  call.set(to_codes(call, map(exact(call, 0, 1, 2), f), 3, 4));
}

// Over the last axis.
void softmax(const Call& call) {
  Array x = exact(call, 0, 1, 2);
  const std::int64_t side = x.dims.back(), axis = call.whole("axis", -1);
  if (axis != -1 && axis + 1 != static_cast<std::int64_t>(x.dims.size()))
    throw std::invalid_argument("the reference's softmax runs over the last axis");
  for (auto first = x.values.begin(); first != x.values.end(); first += side) {
    const double largest = *std::max_element(first, first + side);
    for (auto v = first; v != first + side; ++v) *v = std::exp(*v - largest);
    const double sum = std::accumulate(first, first + side, 0.0);
    for (auto v = first; v != first + side; ++v) *v /= sum;
  }
  call.set(to_codes(call, x, 3, 4));
}

void joining(const Call& call) {
  std::vector<Array> parts;
  for (std::size_t i = 2; i < call.node.inputs.size(); i += 3) parts.push_back(exact(call, i, i + 1, i + 2));
  std::vector<const Array*> inputs;
  for (const Array& part : parts) inputs.push_back(&part);
  if (call.whole("axis", 1) != 1) throw std::invalid_argument("the reference joins along axis 1 only");
  call.set(to_codes(call, concatenate(inputs), 0, 1));
}

// ConvInteger and MatMulInteger: products of codes less their zero points, as 32-bit integers.
void integer_products(const Call& call, bool convolution) {
  const auto less = [&](std::size_t codes, std::size_t zero) {
    const double z = call.scalar(zero, 0);
    return map(call.in(codes), [z](double q) { return q - z; });
  };
  const Array x = less(0, 2), w = less(1, 3);
  Array sums = convolution ? convolve(call.node, x, w, nullptr) : matrix(x, w, false);
  sums.type = int32_type;
  call.set(std::move(sums));
}

// Outputs: codes, scale, zero point.
void dynamic(const Call& call) {
  const Array& x = call.in(0);
  const float low = std::min(0.0F, real(*std::min_element(x.values.begin(), x.values.end())));
  const float high = std::max(0.0F, real(*std::max_element(x.values.begin(), x.values.end())));
  const float scale = (high - low) / 255;
  const double zero = saturated(double{-low / scale}, 0, uint8_type);
  Array y = map(x, [=](double v) { return saturated(double{real(v) / scale}, zero, uint8_type); });
  y.type = uint8_type;
  call.set(std::move(y));
  call.values[call.node.outputs.at(1)] = {{}, {double{scale}}, float_type};
  call.values[call.node.outputs.at(2)] = {{}, {zero}, uint8_type};
}

// To integers: towards zero. What lies outside the type has no value that ONNX prescribes.
void cast(const Call& call) {
  const int to = static_cast<int>(call.whole("to", float_type));
  Array y = call.in(0);
  if (to != float_type) {
    const auto [low, high] = range_of_type(to);
    for (double& value : y.values) {
      value = std::trunc(value);
      if (value < low || value > high)
        throw std::invalid_argument(fmt::format("Cast of {} to data type {}, which does not hold it", value, to));
    }
  }
  y.type = to;
  call.set(std::move(y));
}

}  // namespace

bool run_quantized(const OnnxBuilder::Node& node, std::map<std::string, Array>& values) {
  const Call call{node, values};
  const std::string& op = node.op;
  if (op == "QuantizeLinear")
    call.set(quantized(call, call.in(0), 1, 2, call.whole("axis", 1)));
  else if (op == "DequantizeLinear")
    call.set(dequantized(call, 0, 1, 2, call.whole("axis", 1)));
  else if (op == "QLinearConv")
    convolution(call);
  else if (op == "QLinearMatMul")
    multiplication(call);
  else if (op == "QGemm")
    gemm(call);
  else if (op == "QLinearAdd")
    join(call, std::plus<>());
  else if (op == "QLinearMul")
    join(call, std::multiplies<>());
  else if (op == "QLinearAveragePool")
    pooling(call, false);
  else if (op == "QLinearGlobalAveragePool")
    pooling(call, true);
  else if (op == "QLinearConcat")
    joining(call);
  else if (op == "QLinearLeakyRelu") {
    const double slope = double{real(call.number("alpha", 0.01))};
    elementwise(call, [slope](double x) { return x < 0 ? slope * x : x; });
  } else if (op == "QLinearSigmoid")
    elementwise(call, [](double x) { return 1 / (1 + std::exp(-x)); });
  else if (op == "QLinearSoftmax")
    softmax(call);
  else if (op == "ConvInteger")
    integer_products(call, true);
  else if (op == "MatMulInteger")
    integer_products(call, false);
  else if (op == "DynamicQuantizeLinear")
    dynamic(call);
  else if (op == "Cast")
    cast(call);
  else
    return false;
  return true;
}

}  // namespace bitstrata::testing::reference
