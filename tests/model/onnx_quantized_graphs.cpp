// SPDX-License-Identifier: Apache-2.0
#include "tests/model/onnx_quantized_graphs.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace bitstrata::testing {
namespace {

using Dims = std::vector<std::int64_t>;

constexpr const char* microsoft = "com.microsoft";

struct Format {
  int type = onnx::TensorProto::UINT8, bits = 8, zero = 0;
  double scale = 1;
  bool is_signed() const { return type == onnx::TensorProto::INT8 || type == onnx::TensorProto::INT16; }
  int low() const { return is_signed() ? -(1 << (bits - 1)) : 0; }
  int high() const { return is_signed() ? (1 << (bits - 1)) - 1 : (1 << bits) - 1; }
};

// A tensor of the graph: floats behind DequantizeLinear, or codes. `rms` is a guess at the size of its values, from
// which the scale of what is computed next follows.
struct Signal {
  std::string name;
  Format format;
  std::int64_t channels = 0, height = 0, width = 0;
  double rms = 0;
};

class Maker {
 public:
  Maker(QuantizedForm form, std::uint64_t seed)
      : random_(seed * 2 + (form == QuantizedForm::qdq ? 0 : 1)), qdq_(form == QuantizedForm::qdq) {
    graph_.name = fmt::format("{}-{}", qdq_ ? "qdq" : "qlinear", seed);
    // Widths and operators go round with periods that have no common divisor, so that all pairs of them occur.
    const std::vector<int> activation_bits = {8, 16, 4, 6, 12, 2, 3, 10, 5, 7, 8}, weight_bits = {8, 4, 2, 3, 5, 6, 7};
    if (qdq_) {
      activation_bits_ = activation_bits[seed % activation_bits.size()];
      weight_bits_ = weight_bits[seed % weight_bits.size()];
    }
    shape_ = static_cast<int>(seed % 13);
    per_channel_ = pick(0, 1) == 0;
    powers_of_two_ = pick(0, 1) == 0;
    symmetric_ = pick(0, 1) == 0;
    signed_codes_ = symmetric_ || pick(0, 1) == 0;
  }

  QuantizedGraph make() {
    const std::int64_t channels = pick(2, 4), side = pick(7, 9);
    graph_.model = OnnxBuilder({1, channels, side, side + 1});
    if (activation_bits_ > 8) m().opset(21);
    Signal x = quantized("x", {"x", {}, channels, side, side + 1, 0.577}, true);
    x = compose(x);
    graph_.scale = x.format.scale;
    graph_.zero = x.format.zero;
    graph_.codes = !qdq_;
    graph_.image = x.height * x.width > 1;
    graph_.form = qdq_ ? "drawn QDQ" : "drawn QLinear";
    graph_.weights = fmt::format("{} bit per {}", weight_bits_, per_channel_ ? "channel" : "tensor");
    graph_.activations = fmt::format("{} bit {}, {} scales", activation_bits_, symmetric_ ? "symmetric" : "asymmetric",
                                     powers_of_two_ ? "2^n" : "free");
    // Averages over all pixels divide by no power of two, and exponentials are every executor's own.
    graph_.exact = powers_of_two_ && weight_bits_ + activation_bits_ <= 16 && !rounded_;
    return std::move(graph_);
  }

 private:
  OnnxBuilder& m() { return graph_.model; }
  std::int64_t pick(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(high - low + 1));
  }
  double share() { return static_cast<double>(random_() >> 40) / 16777216.0; }
  double scale_near(double target) {
    if (powers_of_two_) return std::exp2(std::round(std::log2(target)));
    return double{static_cast<float>(target * (0.8 + 0.4 * share()))};
  }
  void note(const std::string& op) { graph_.operators += graph_.operators.empty() ? op : " " + op; }

  // A format for values of this size; `positive`: none is below zero.
  Format format(double rms, bool positive) {
    Format f;
    f.bits = activation_bits_;
    // Runtimes want the codes of all operands of a QLinear operator signed, or none.
    const bool is_signed = !qdq_ ? signed_codes_ : positive ? pick(0, 2) == 0 : symmetric_ || pick(0, 1) == 0;
    f.type = f.bits <= 8 ? (is_signed ? onnx::TensorProto::INT8 : onnx::TensorProto::UINT8)
                         : (is_signed ? onnx::TensorProto::INT16 : onnx::TensorProto::UINT16);
    const int codes = f.high() - f.low();
    const bool one_sided = positive && (!is_signed || !symmetric_);
    f.scale = scale_near((one_sided ? 3.5 : 6) * rms / (codes + 1));
    if (!symmetric_)
      f.zero = f.low() + static_cast<int>(positive ? pick(0, codes / 8) : codes / 2 + pick(0, codes / 6));
    return f;
  }

  // Rounds the float tensor `value`: QuantizeLinear, a Clip of codes where they have fewer bits than their type (where
  // runtimes have no Clip of such codes, a Clip of values before), DequantizeLinear.
  Signal quantized(const std::string& value, Signal like, bool positive) {
    like.format = format(like.rms, positive);
    const Format& f = like.format;
    const bool narrow = f.bits != 8 && f.bits != 16;
    std::string x = value;
    if (narrow && f.bits > 8)
      x = m().node("Clip", {x, m().scalar(f.scale * (f.low() - f.zero)), m().scalar(f.scale * (f.high() - f.zero))});
    x = m().node("QuantizeLinear", {x, m().scalar(f.scale), m().scalar(f.zero, f.type)});
    if (narrow && f.bits < 8) x = m().node("Clip", {x, m().scalar(f.low(), f.type), m().scalar(f.high(), f.type)});
    if (qdq_) x = m().node("DequantizeLinear", {x, m().scalar(f.scale), m().scalar(f.zero, f.type)});
    like.name = x;
    return like;
  }

  struct Weights {
    std::string codes, scale, zero, bias_codes, bias_scale;
    double rms = 0;
  };

  // `dims` begin with the outputs, or end with them (`last`). Biases are codes in the scale of the products.
  Weights weights(Dims dims, std::int64_t outputs, double in_scale, bool last = false) {
    Weights w;
    std::int64_t count = 1;
    for (const std::int64_t side : dims) count *= side;
    const std::int64_t fan_in = count / outputs;
    const int high = (1 << (weight_bits_ - 1)) - 1, low = symmetric_ ? -high : -high - 1;
    std::vector<double> codes;
    for (std::int64_t i = 0; i < count; ++i) codes.push_back(static_cast<double>(pick(low, high)));
    const bool is_unsigned = !qdq_ && !signed_codes_ && pick(0, 1) == 0;
    const int type = is_unsigned ? onnx::TensorProto::UINT8 : onnx::TensorProto::INT8;
    if (is_unsigned)
      for (double& code : codes) code += 128;
    const std::int64_t scales = per_channel_ ? outputs : 1;
    std::vector<double> scale, bias, bias_scale;
    for (std::int64_t n = 0; n < scales; ++n) {
      scale.push_back(scale_near((per_channel_ ? 0.5 + share() : 1) * 1.7 / std::sqrt(static_cast<double>(fan_in)) /
                                 static_cast<double>(high)));
      bias_scale.push_back(static_cast<float>(in_scale) * static_cast<float>(scale.back()));
    }
    for (std::int64_t n = 0; n < outputs; ++n)
      bias.push_back(std::round((share() - 0.5) * 0.5 / bias_scale[static_cast<std::size_t>(n % scales)]));
    const Dims entries = per_channel_ ? Dims{outputs} : Dims{};
    w.codes = m().constant(std::move(dims), codes, type);
    w.scale = m().constant(entries, scale);
    w.zero = m().constant(entries, std::vector<double>(scale.size(), is_unsigned ? 128 : 0), type);
    w.bias_codes = m().constant({outputs}, bias, onnx::TensorProto::INT32);
    w.bias_scale = m().constant(entries, bias_scale);
    w.rms = 1;
    if (!qdq_) return w;
    if (weight_bits_ < 8) w.codes = m().node("Clip", {w.codes, m().scalar(low, type), m().scalar(high, type)});
    const Attrs axis = per_channel_ ? Attrs{{"axis", last ? 1 : 0}} : Attrs{};
    w.codes = m().node("DequantizeLinear", {w.codes, w.scale, w.zero}, axis);
    w.bias_codes =
        m().node("DequantizeLinear", {w.bias_codes, w.bias_scale}, per_channel_ ? Attrs{{"axis", 0}} : Attrs{});
    return w;
  }

  std::string scale(const Format& f) { return m().scalar(f.scale); }
  std::string zero(const Format& f) { return m().scalar(f.zero, f.type); }

  Signal convolution(const Signal& x, std::int64_t outputs, std::int64_t kernel, std::int64_t stride, bool depthwise,
                     bool relu) {
    note(fmt::format("{}{}x{}{}", depthwise ? "dw" : "conv", kernel, kernel, relu ? "+relu" : ""));
    const std::int64_t pad = pick(0, kernel / 2);
    Attrs attributes = {{"pads", Dims{pad, pad, pad, pad}}, {"strides", Dims{stride, stride}}};
    if (depthwise) attributes.emplace("group", static_cast<int>(x.channels));
    const Weights w = weights({outputs, depthwise ? 1 : x.channels, kernel, kernel}, outputs, x.format.scale);
    const auto side = [&](std::int64_t size) { return (size + 2 * pad - kernel) / stride + 1; };
    Signal y{"", {}, outputs, side(x.height), side(x.width), relu ? 0.7 * x.rms : x.rms};
    if (qdq_) {
      std::string value = m().node("Conv", {x.name, w.codes, w.bias_codes}, attributes);
      if (relu) value = m().node("Relu", {value});
      return quantized(value, y, relu);
    }
    y.format = format(y.rms, relu);
    y.name = m().node("QLinearConv",
                      {x.name, scale(x.format), zero(x.format), w.codes, w.scale, w.zero, scale(y.format),
                       zero(y.format), w.bias_codes},
                      attributes);
    return y;
  }

  Signal linear(const Signal& x, std::int64_t outputs) {
    const std::int64_t inputs = x.channels * x.height * x.width;
    const std::string flat = m().node("Flatten", {x.name});
    Signal y{"", {}, outputs, 1, 1, x.rms};
    const bool gemm = pick(0, 1) == 0;
    note(qdq_ ? (gemm ? "gemm" : "matmul") : (gemm ? "qgemm" : "qlinearmatmul"));
    const Weights w = weights(gemm ? Dims{outputs, inputs} : Dims{inputs, outputs}, outputs, x.format.scale, !gemm);
    if (qdq_) {
      const std::string value = gemm ? m().node("Gemm", {flat, w.codes, w.bias_codes}, {{"transB", 1}})
                                     : m().node("Add", {m().node("MatMul", {flat, w.codes}), w.bias_codes});
      return quantized(value, y, false);
    }
    y.format = format(y.rms, false);
    std::vector<std::string> operands = {flat, scale(x.format), zero(x.format), w.codes, w.scale, w.zero};
    if (gemm) operands.push_back(w.bias_codes);
    operands.insert(operands.end(), {scale(y.format), zero(y.format)});
    y.name = gemm ? m().node("QGemm", operands, {{"transB", 1}}, microsoft) : m().node("QLinearMatMul", operands);
    return y;
  }

  Signal sum(const Signal& a, const Signal& b) {
    note(qdq_ ? "add" : "qlinearadd");
    Signal y{"", {}, a.channels, a.height, a.width, std::hypot(a.rms, b.rms)};
    if (qdq_) return quantized(m().node("Add", {a.name, b.name}), y, false);
    y.format = format(y.rms, false);
    y.name = m().node("QLinearAdd",
                      {a.name, scale(a.format), zero(a.format), b.name, scale(b.format), zero(b.format),
                       scale(y.format), zero(y.format)},
                      {}, microsoft);
    return y;
  }

  Signal joined(const Signal& a, const Signal& b) {
    note(qdq_ ? "concat" : "qlinearconcat");
    Signal y{"", {}, a.channels + b.channels, a.height, a.width, std::max(a.rms, b.rms)};
    if (qdq_) return quantized(m().node("Concat", {a.name, b.name}, {{"axis", 1}}), y, false);
    y.format = format(y.rms, false);
    y.name = m().node("QLinearConcat",
                      {scale(y.format), zero(y.format), a.name, scale(a.format), zero(a.format), b.name,
                       scale(b.format), zero(b.format)},
                      {{"axis", 1}}, microsoft);
    return y;
  }

  Signal largest(Signal x) {
    note("maxpool");
    x.name = m().node("MaxPool", {x.name}, {{"kernel_shape", Dims{2, 2}}, {"strides", Dims{2, 2}}});
    x.height /= 2, x.width /= 2;
    return x;
  }

  Signal average(const Signal& x, bool global) {
    note(fmt::format("{}{}averagepool", qdq_ ? "" : "qlinear", global ? "global" : ""));
    rounded_ = rounded_ || global;
    Signal y{"", {}, x.channels, global ? 1 : x.height / 2, global ? 1 : x.width / 2, 0.7 * x.rms};
    const Attrs window = global ? Attrs{} : Attrs{{"kernel_shape", Dims{2, 2}}, {"strides", Dims{2, 2}}};
    const std::string op = global ? "GlobalAveragePool" : "AveragePool";
    if (qdq_) return quantized(m().node(op, {x.name}, window), y, false);
    y.format = format(y.rms, false);
    y.name = m().node("QLinear" + op, {x.name, scale(x.format), zero(x.format), scale(y.format), zero(y.format)},
                      window, microsoft);
    return y;
  }

  // A slope below zero for each channel, or, between codes, one for all.
  Signal leaky(const Signal& x) {
    note(qdq_ ? "prelu" : "qlinearleakyrelu");
    Signal y = x;
    if (!qdq_) {
      const double slope = powers_of_two_ ? 0.125 : 0.1;
      return recoded("QLinearLeakyRelu", x, y, {{"alpha", slope}});
    }
    std::vector<double> slopes;
    for (std::int64_t c = 0; c < x.channels; ++c) slopes.push_back(powers_of_two_ ? std::exp2(-pick(0, 3)) : share());
    return quantized(m().node("PRelu", {x.name, m().constant({x.channels, 1, 1}, slopes)}), y, false);
  }

  // By a table of at most 8 bits.
  Signal function(const Signal& x) {
    if (activation_bits_ > 8) return leaky(x);
    rounded_ = true;
    const char* const names[] = {"Sigmoid", "Tanh", "Elu", "Selu", "Softplus", "Softsign", "HardSwish"};
    const std::string op = qdq_ ? names[pick(0, 6)] : "QLinearSigmoid";
    note(op);
    if (op == "HardSwish") at_least(14);
    Signal y = x;
    y.rms = std::min(0.7, x.rms);
    return qdq_ ? quantized(m().node(op, {x.name}), y, op == "Sigmoid" || op == "Softplus") : recoded(op, x, y, {});
  }

  Signal recoded(const std::string& op, const Signal& x, Signal y, const Attrs& attributes) {
    y.format = format(y.rms, op == "QLinearSigmoid");
    y.name =
        m().node(op, {x.name, scale(x.format), zero(x.format), scale(y.format), zero(y.format)}, attributes, microsoft);
    return y;
  }

  Signal transposed(const Signal& x, std::int64_t outputs) {
    note("convtranspose");
    const std::int64_t stride = pick(1, 2), kernel = pick(stride, 3), pad = pick(0, kernel - stride);
    const bool per_channel = per_channel_;
    per_channel_ = false;  // scales run along the second axis here, which not all runtimes read
    const Weights w = weights({x.channels, outputs, kernel, kernel}, x.channels, x.format.scale);
    per_channel_ = per_channel;
    const auto side = [&](std::int64_t size) { return (size - 1) * stride + kernel - 2 * pad; };
    const Signal y{"", {}, outputs, side(x.height), side(x.width), x.rms};
    return quantized(m().node("ConvTranspose", {x.name, w.codes},
                              {{"strides", Dims{stride, stride}}, {"pads", Dims{pad, pad, pad, pad}}}),
                     y, false);
  }

  Signal padded(Signal x) {
    note("pad");
    at_least(18);
    x.name = m().node("Pad", {x.name, m().ints({1, 2, 0, 1}), m().scalar(0), m().ints({3, 2})});
    x.height += 3, x.width += 1;
    return x;
  }

  Signal enlarged(const Signal& x) {
    note("resize");
    const bool centred = pick(0, 1) == 0;
    Signal y = x;
    y.height *= 2, y.width *= 2;
    return quantized(
        m().node("Resize", {x.name, "", m().constant({4}, {1, 1, 2, 2})},
                 {{"mode", "linear"}, {"coordinate_transformation_mode", centred ? "half_pixel" : "asymmetric"}}),
        y, false);
  }

  // Quantizers of 16 bits need opset 21 anyway.
  void at_least(int opset) {
    if (activation_bits_ <= 8) m().opset(opset);
  }

  Signal compose(const Signal& x) {
    const bool relu = pick(0, 1) == 0;
    switch (shape_) {
      case 0:
        return convolution(convolution(x, 6, 3, 1, false, true), 5, 3, 2, false, false);
      case 1:
        return convolution(convolution(convolution(x, 6, 3, 1, false, relu), 6, 3, 1, true, true), 4, 1, 1, false,
                           false);
      case 2:
        return linear(largest(convolution(x, 6, 3, 1, false, relu)), 10);
      case 3: {
        const Signal a = convolution(x, 5, 3, 1, false, relu), b = convolution(a, 5, 1, 1, false, false);
        return linear(average(sum(a, b), true), 7);
      }
      case 4:
        return linear(convolution(average(convolution(x, 4, 3, 1, false, relu), false), 6, 1, 1, false, true), 6);
      case 5: {
        const Signal a = convolution(x, 4, 1, 1, false, relu), b = convolution(a, 3, 1, 1, false, false);
        return convolution(joined(a, b), 4, 3, 1, false, false);
      }
      case 6:
        return convolution(leaky(convolution(x, 5, 3, 1, false, false)), 4, 1, 1, false, false);
      case 7:
        return convolution(function(convolution(x, 5, 3, 1, false, false)), 4, 1, 1, false, false);
      case 8: {
        const Signal a = convolution(x, 4, 3, 1, false, relu);
        return qdq_ ? transposed(a, 3) : linear(average(a, true), 5);
      }
      case 9: {
        const Signal a = convolution(x, 4, 3, 1, false, relu);
        return convolution(qdq_ ? padded(a) : leaky(a), 3, 3, 1, false, false);
      }
      case 10: {
        const Signal a = convolution(x, 4, 3, 1, false, relu);
        return convolution(qdq_ ? enlarged(a) : joined(a, leaky(a)), 3, 1, 1, false, false);
      }
      case 11:
        return leaky(average(convolution(x, 4, 3, 1, false, relu), false));
      default: {
        const Signal a = convolution(x, 3, 3, 1, false, relu);
        return joined(function(a), leaky(a));
      }
    }
  }

  std::mt19937_64 random_;
  bool qdq_, per_channel_ = true, powers_of_two_ = true, symmetric_ = true, signed_codes_ = true;
  bool rounded_ = false;  // some values are rounded on their way, by 32-bit floats
  int weight_bits_ = 8, activation_bits_ = 8, shape_ = 0;
  QuantizedGraph graph_{
      .name = "", .model = OnnxBuilder({}), .form = "", .weights = "", .activations = "", .operators = ""};
};

}  // namespace

QuantizedGraph quantized_graph(QuantizedForm form, std::uint64_t seed) { return Maker(form, seed).make(); }

std::vector<std::int64_t> output_codes(const QuantizedGraph& graph, const std::vector<double>& outputs) {
  std::vector<std::int64_t> codes;
  for (const double value : outputs)
    codes.push_back(std::llround(graph.codes ? value : value / graph.scale + graph.zero));
  return codes;
}

}  // namespace bitstrata::testing
