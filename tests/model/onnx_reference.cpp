// SPDX-License-Identifier: Apache-2.0
// ONNX's operators as its specification tells them, over row-major arrays of doubles. The quantized ones are in
// onnx_reference_quantized.cpp.
#include "tests/model/onnx_reference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace bitstrata::testing {
namespace reference {

std::int64_t count(const Dims& dims) {
  std::int64_t all = 1;
  for (const std::int64_t side : dims) all *= side;
  return all;
}

Array map(const Array& x, const std::function<double(double)>& f) {
  Array y = x;
  for (double& value : y.values) value = f(value);
  return y;
}

Array broadcast(const Array& a, const Array& b, const std::function<double(double, double)>& f) {
  Dims dims(std::max(a.dims.size(), b.dims.size()), 1);
  const auto side = [&](const Array& x, std::size_t i) {
    const std::size_t lead = dims.size() - x.dims.size();
    return i < lead ? 1 : x.dims[i - lead];
  };
  for (std::size_t i = 0; i < dims.size(); ++i) dims[i] = std::max(side(a, i), side(b, i));
  Array y{dims, {}};
  for (std::int64_t k = 0; k < count(dims); ++k) {
    std::int64_t rest = k, ia = 0, ib = 0, sa = 1, sb = 1;
    for (std::size_t i = dims.size(); i-- > 0;) {
      const std::int64_t p = rest % dims[i];
      rest /= dims[i];
      if (side(a, i) > 1) ia += p * sa;
      if (side(b, i) > 1) ib += p * sb;
      sa *= side(a, i), sb *= side(b, i);
    }
    y.values.push_back(f(a.values[at(ia)], b.values[at(ib)]));
  }
  return y;
}

namespace {

struct Window {
  Dims kernel, strides, dilations, pads;
  bool ceil = false;
  Window(const OnnxBuilder::Node& node, const Array& x, Dims default_kernel) {
    const auto list = [&](const char* key, Dims otherwise) {
      const auto found = node.attributes.find(key);
      return found == node.attributes.end() ? otherwise : found->second.wholes;
    };
    kernel = list("kernel_shape", std::move(default_kernel));
    strides = list("strides", {1, 1}), dilations = list("dilations", {1, 1}), pads = list("pads", {0, 0, 0, 0});
    const auto rounding = node.attributes.find("ceil_mode");
    ceil = rounding != node.attributes.end() && rounding->second.wholes[0] != 0;
    const auto found = node.attributes.find("auto_pad");
    if (found == node.attributes.end()) return;
    for (std::size_t i = 0; i < 2; ++i) {
      const std::int64_t size = x.dims[i + 2], outputs = (size + strides[i] - 1) / strides[i];
      const std::int64_t total =
          std::max<std::int64_t>(0, (outputs - 1) * strides[i] + dilations[i] * (kernel[i] - 1) + 1 - size);
      pads[i] = found->second.words == "SAME_UPPER" ? total / 2 : total - total / 2;
      pads[i + 2] = total - pads[i];
    }
  }
  std::int64_t outputs(std::int64_t size, std::size_t i) const {
    const std::int64_t room = size + pads[i] + pads[i + 2] - (dilations[i] * (kernel[i] - 1) + 1);
    const std::int64_t count = (room + (ceil ? strides[i] - 1 : 0)) / strides[i] + 1;
    return ceil && (count - 1) * strides[i] >= size + pads[i] ? count - 1 : count;
  }
};

// What a window sees.
struct Taps {
  const Array& x;
  const Window& w;
  std::int64_t image, oy, ox;
  std::int64_t place(std::size_t i, std::int64_t output, std::int64_t tap) const {
    return output * w.strides[i] - w.pads[i] + tap * w.dilations[i];
  }
  // A value; NaN outside the image.
  double operator()(std::int64_t channel, std::int64_t ky, std::int64_t kx) const {
    const std::int64_t iy = place(0, oy, ky), ix = place(1, ox, kx);
    if (iy < 0 || ix < 0 || iy >= x.dims[2] || ix >= x.dims[3]) return std::numeric_limits<double>::quiet_NaN();
    return x.values[at(((image * x.dims[1] + channel) * x.dims[2] + iy) * x.dims[3] + ix)];
  }
  // Does it lie in the image or in its padding? With ceil_mode, a window may reach beyond both.
  bool padding(std::int64_t ky, std::int64_t kx) const {
    return place(0, oy, ky) < x.dims[2] + w.pads[2] && place(1, ox, kx) < x.dims[3] + w.pads[3];
  }
};

// Calls visit(channel, taps) for every output.
template <typename Visit>
Array slide(const Array& x, const Window& w, std::int64_t channels, Visit visit) {
  Array y{{x.dims[0], channels, w.outputs(x.dims[2], 0), w.outputs(x.dims[3], 1)}, {}};
  for (std::int64_t n = 0; n < y.dims[0]; ++n)
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t oy = 0; oy < y.dims[2]; ++oy)
        for (std::int64_t ox = 0; ox < y.dims[3]; ++ox) {
          const Taps value{x, w, n, oy, ox};
          y.values.push_back(visit(c, value));
        }
  return y;
}

}  // namespace

Array convolve(const OnnxBuilder::Node& node, const Array& x, const Array& weights, const Array* bias) {
  const Window w(node, x, {weights.dims[2], weights.dims[3]});
  const auto group = node.attributes.find("group");
  const std::int64_t groups = group == node.attributes.end() ? 1 : group->second.wholes[0];
  const std::int64_t outputs = weights.dims[0], depth = weights.dims[1];
  return slide(x, w, outputs, [&](std::int64_t n, auto value) {
    double sum = bias != nullptr ? bias->values[at(n)] : 0;
    for (std::int64_t c = 0; c < depth; ++c)
      for (std::int64_t ky = 0; ky < w.kernel[0]; ++ky)
        for (std::int64_t kx = 0; kx < w.kernel[1]; ++kx) {
          const double v = value(n / (outputs / groups) * depth + c, ky, kx);
          if (!std::isnan(v)) sum += v * weights.values[at(((n * depth + c) * w.kernel[0] + ky) * w.kernel[1] + kx)];
        }
    return sum;
  });
}

// Every input adds its products to all outputs that its kernel reaches. Weights are [in][out / groups][height][width].
Array convolve_transposed(const OnnxBuilder::Node& node, const Array& x, const Array& weights, const Array* bias) {
  const auto list = [&](const char* key, Dims otherwise) {
    const auto found = node.attributes.find(key);
    return found == node.attributes.end() ? otherwise : found->second.wholes;
  };
  const Dims strides = list("strides", {1, 1}), dilations = list("dilations", {1, 1});
  const Dims more = list("output_padding", {0, 0}), wanted = list("output_shape", {});
  Dims pads = list("pads", {0, 0, 0, 0});
  const auto automatic = node.attributes.find("auto_pad");
  const std::int64_t groups = list("group", {1})[0], each = weights.dims[1], depth = x.dims[1] / groups;
  Dims sides;
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t reach =
        (x.dims[i + 2] - 1) * strides[i] + (weights.dims[i + 2] - 1) * dilations[i] + 1 + more[i];
    const bool same = automatic != node.attributes.end() && automatic->second.words.starts_with("SAME");
    if (same || !wanted.empty()) {
      sides.push_back(wanted.empty() ? x.dims[i + 2] * strides[i] : wanted[i]);
      const std::int64_t all = std::max<std::int64_t>(0, reach - sides[i]);
      pads[i] = same && automatic->second.words == "SAME_UPPER" ? all / 2 : all - all / 2;
    } else {
      sides.push_back(reach - pads[i] - pads[i + 2]);
    }
  }
  Array y{{x.dims[0], groups * each, sides[0], sides[1]}, {}};
  for (std::int64_t k = 0; k < count(y.dims); ++k)
    y.values.push_back(bias != nullptr ? bias->values[at(k / (sides[0] * sides[1]))] : 0);
  for (std::int64_t c = 0; c < x.dims[1]; ++c)
    for (std::int64_t iy = 0; iy < x.dims[2]; ++iy)
      for (std::int64_t ix = 0; ix < x.dims[3]; ++ix)
        for (std::int64_t n = 0; n < each; ++n)
          for (std::int64_t ky = 0; ky < weights.dims[2]; ++ky)
            for (std::int64_t kx = 0; kx < weights.dims[3]; ++kx) {
              const std::int64_t oy = iy * strides[0] + ky * dilations[0] - pads[0];
              const std::int64_t ox = ix * strides[1] + kx * dilations[1] - pads[1];
              if (oy < 0 || ox < 0 || oy >= sides[0] || ox >= sides[1]) continue;
              y.values[at(((c / depth * each + n) * sides[0] + oy) * sides[1] + ox)] +=
                  x.values[at((c * x.dims[2] + iy) * x.dims[3] + ix)] *
                  weights.values[at(((c * each + n) * weights.dims[2] + ky) * weights.dims[3] + kx)];
            }
  return y;
}

Array depth_to_space(const Array& x, std::int64_t block, bool by_column) {
  const std::int64_t channels = x.dims[1] / (block * block), height = x.dims[2], width = x.dims[3];
  Array y{{x.dims[0], channels, height * block, width * block}, {}, x.type};
  for (std::int64_t c = 0; c < channels; ++c)
    for (std::int64_t oy = 0; oy < height * block; ++oy)
      for (std::int64_t ox = 0; ox < width * block; ++ox) {
        const std::int64_t place = oy % block * block + ox % block;
        const std::int64_t from = by_column ? c * block * block + place : place * channels + c;
        y.values.push_back(x.values[at((from * height + oy / block) * width + ox / block)]);
      }
  return y;
}

Array space_to_depth(const Array& x, std::int64_t block) {
  const std::int64_t height = x.dims[2] / block, width = x.dims[3] / block;
  Array y{{x.dims[0], x.dims[1] * block * block, height, width}, {}, x.type};
  for (std::int64_t n = 0; n < y.dims[1]; ++n)
    for (std::int64_t oy = 0; oy < height; ++oy)
      for (std::int64_t ox = 0; ox < width; ++ox) {
        const std::int64_t place = n / x.dims[1], row = oy * block + place / block, column = ox * block + place % block;
        y.values.push_back(x.values[at((n % x.dims[1] * x.dims[2] + row) * x.dims[3] + column)]);
      }
  return y;
}

namespace {
float rounded(double value) { return static_cast<float>(value); }

// An operation on two numbers whose result is a 32-bit float, where they are floats.
template <typename Operation>
auto singly(Operation operation, int type) {
  return [=](double a, double b) {
    const double result = operation(a, b);
    return type == 1 ? double{rounded(result)} : result;
  };
}
}  // namespace

Array pool(const OnnxBuilder::Node& node, const Array& x, bool max, bool global, Sum order) {
  const Window w(node, x, global ? Dims{x.dims[2], x.dims[3]} : Dims{});
  const auto include = node.attributes.find("count_include_pad");
  const bool padding_counts = include != node.attributes.end() && include->second.wholes[0] != 0;
  return slide(x, w, x.dims[1], [&](std::int64_t c, auto value) {
    double best = -std::numeric_limits<double>::infinity();
    float values = 0, sum = 0, four[4] = {0, 0, 0, 0};
    const std::int64_t outer = w.kernel[order == Sum::columns ? 1 : 0], inner = w.kernel[order == Sum::columns ? 0 : 1];
    for (std::int64_t i = 0, k = 0; i < outer; ++i) {
      float part = 0;
      for (std::int64_t j = 0; j < inner; ++j, ++k) {
        const std::int64_t ky = order == Sum::columns ? j : i, kx = order == Sum::columns ? i : j;
        const double v = value(c, ky, kx);
        if (!std::isnan(v) || (padding_counts && value.padding(ky, kx))) ++values;
        if (std::isnan(v)) continue;
        best = std::max(best, v);
        if (order == Sum::columns) {
          part += rounded(v);
        } else if (order == Sum::lanes && k < outer * inner / 4 * 4) {
          four[k % 4] += rounded(v);
          if (k == outer * inner / 4 * 4 - 1) sum = (four[0] + four[2]) + (four[1] + four[3]);
        } else {
          sum += rounded(v);
        }
      }
      sum += part;
    }
    return max ? best : double{sum / values};
  });
}

// The order in which an AveragePool adds whose kernels are small and whose rows are short.
Sum order_before_19(const OnnxBuilder::Node& node, const Array& x) {
  const Window w(node, x, {});
  const auto all = [](const Dims& list, std::int64_t wanted) {
    return std::all_of(list.begin(), list.end(), [=](std::int64_t entry) { return entry == wanted; });
  };
  if (w.kernel == Dims{x.dims[2], x.dims[3]} && all(w.strides, 1) && all(w.pads, 0)) return Sum::lanes;
  return w.strides[1] <= 2 ? Sum::columns : Sum::rows;
}

// All dimensions of `a` but the last are rows.
Array matrix(const Array& a, const Array& b, bool transposed) {
  const std::int64_t inner = a.dims.back(), rows = count(a.dims) / inner, columns = b.dims[transposed ? 0 : 1];
  Array y{a.dims, {}};
  y.dims.back() = columns;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t n = 0; n < columns; ++n) {
      double sum = 0;
      for (std::int64_t k = 0; k < inner; ++k)
        sum += a.values[at(r * inner + k)] * b.values[at(transposed ? n * inner + k : k * columns + n)];
      y.values.push_back(sum);
    }
  return y;
}

Array concatenate(const std::vector<const Array*>& inputs) {
  Array y{inputs[0]->dims, {}, inputs[0]->type};
  y.dims[1] = 0;
  for (const Array* x : inputs) {
    y.dims[1] += x->dims[1];
    y.values.insert(y.values.end(), x->values.begin(), x->values.end());
  }
  return y;
}

namespace {

Array transpose(const Array& x, const Dims& order) {
  Array y{{}, {}, x.type};
  for (const std::int64_t axis : order) y.dims.push_back(x.dims[at(axis)]);
  Dims strides(x.dims.size(), 1);
  for (std::size_t i = x.dims.size(); i-- > 1;) strides[i - 1] = strides[i] * x.dims[i];
  for (std::int64_t k = 0; k < count(y.dims); ++k) {
    std::int64_t rest = k, from = 0;
    for (std::size_t i = y.dims.size(); i-- > 0;) {
      from += rest % y.dims[i] * strides[at(order[i])];
      rest /= y.dims[i];
    }
    y.values.push_back(x.values[at(from)]);
  }
  return y;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

}  // namespace
}  // namespace reference

Array OnnxBuilder::run(const Array& input, const std::map<std::string, Array>& around) const {
  using namespace reference;
  std::map<std::string, Array> values = constants_;
  values.insert(around.begin(), around.end());
  values["x"] = input;
  for (const Node& node : nodes_) {
    const auto in = [&](std::size_t i) -> const Array& { return values.at(node.inputs.at(i)); };
    const auto has = [&](std::size_t i) { return i < node.inputs.size() && !node.inputs[i].empty(); };
    const auto real = [&](const char* key, double otherwise) {
      const auto found = node.attributes.find(key);
      return found == node.attributes.end() ? otherwise : found->second.reals[0];
    };
    const auto whole = [&](const char* key, std::int64_t otherwise) {
      const auto found = node.attributes.find(key);
      return found == node.attributes.end() ? otherwise : found->second.wholes[0];
    };
    if (run_quantized(node, values)) continue;
    Array& out = values[node.outputs[0]];
    const std::string& op = node.op;
    if (op == "ConvTranspose")
      out = convolve_transposed(node, in(0), in(1), has(2) ? &in(2) : nullptr);
    else if (op == "DepthToSpace") {
      const auto found = node.attributes.find("mode");
      const bool by_column = found != node.attributes.end() && found->second.words == "CRD";
      out = depth_to_space(in(0), whole("blocksize", 1), by_column);
    } else if (op == "SpaceToDepth")
      out = space_to_depth(in(0), whole("blocksize", 1));
    else if (op == "Conv")
      out = convolve(node, in(0), in(1), has(2) ? &in(2) : nullptr);
    else if (op == "If")
      out = node.attributes.at(in(0).values[0] != 0 ? "then_branch" : "else_branch").branch->run(input, values);
    else if (op == "Shape") {
      const Dims& dims = in(0).dims;
      out = {{static_cast<std::int64_t>(dims.size())}, {dims.begin(), dims.end()}, 7};
    } else if (op == "Gather") {  // of a list
      out = in(1);
      for (double& index : out.values) index = in(0).values[at(static_cast<std::int64_t>(index))];
    } else if (op == "Identity")
      out = in(0);
    else if (op == "Equal")
      out = broadcast(in(0), in(1), [](double a, double b) { return a == b ? 1.0 : 0.0; });
    else if (op == "MaxPool")
      out = pool(node, in(0), true, false, Sum::rows);
    else if (op == "AveragePool")
      out = pool(node, in(0), false, false, opset_ < 19 ? order_before_19(node, in(0)) : Sum::rows);
    else if (op == "GlobalAveragePool")
      out = pool(node, in(0), false, true, Sum::lanes);
    else if (op == "Gemm") {
      const Array a = whole("transA", 0) != 0 ? transpose(in(0), {1, 0}) : in(0);
      const double alpha = real("alpha", 1), beta = real("beta", 1);
      out = map(matrix(a, in(1), whole("transB", 0) != 0), [=](double x) { return alpha * x; });
      if (has(2)) out = broadcast(out, in(2), [=](double x, double c) { return x + beta * c; });
    } else if (op == "MatMul")
      out = matrix(in(0), in(1), false);
    else if (op == "Add")
      out = broadcast(in(0), in(1), singly(std::plus<>(), in(0).type));
    else if (op == "Sub")
      out = broadcast(in(0), in(1), singly(std::minus<>(), in(0).type));
    else if (op == "Mul")
      out = broadcast(in(0), in(1), singly(std::multiplies<>(), in(0).type));
    else if (op == "Div")
      out = broadcast(in(0), in(1), singly(std::divides<>(), in(0).type));
    else if (op == "Relu")
      out = map(in(0), [](double x) { return std::max(x, 0.0); });
    else if (op == "Clip") {
      const double low = has(1) ? in(1).values[0] : -std::numeric_limits<double>::infinity();
      const double high = has(2) ? in(2).values[0] : std::numeric_limits<double>::infinity();
      out = map(in(0), [=](double x) { return std::clamp(x, low, high); });
    } else if (op == "LeakyRelu") {
      const double slope = real("alpha", 0.01);
      out = map(in(0), [=](double x) { return x < 0 ? slope * x : x; });
    } else if (op == "PRelu")
      out = broadcast(in(0), in(1), [](double x, double slope) { return x < 0 ? slope * x : x; });
    else if (op == "Sigmoid")
      out = map(in(0), sigmoid);
    else if (op == "Tanh")
      out = map(in(0), [](double x) { return std::tanh(x); });
    else if (std::optional<Array> result = function(node, in(0)))
      out = std::move(*result);
    else if (op == "HardSigmoid") {
      const auto alpha = static_cast<float>(real("alpha", 0.2)), beta = static_cast<float>(real("beta", 0.5));
      out = map(in(0), [=](double value) {
        const float product = static_cast<float>(value) * alpha;
        return double{std::clamp(product + beta, 0.0F, 1.0F)};
      });
    } else if (op == "HardSwish")
      out = map(in(0), [](double value) {
        const auto x = static_cast<float>(value);
        const float product = x * (1.0F / 6);
        return double{x * std::clamp(product + 0.5F, 0.0F, 1.0F)};
      });
    else if (op == "BatchNormalization") {
      out = in(0);
      const std::int64_t channels = out.dims[1], pixels = count(out.dims) / channels;
      for (std::int64_t k = 0; k < count(out.dims); ++k) {
        const std::size_t c = at(k / pixels % channels);
        const double deviation = std::sqrt(in(4).values[c] + real("epsilon", 1e-5));
        out.values[at(k)] = (out.values[at(k)] - in(3).values[c]) / deviation * in(1).values[c] + in(2).values[c];
      }
    } else if (op == "Concat") {  // along axis 1, of a batch of 1
      std::vector<const Array*> inputs;
      for (std::size_t i = 0; i < node.inputs.size(); ++i) inputs.push_back(&in(i));
      out = concatenate(inputs);
    } else if (op == "Reshape") {
      out = in(0);
      out.dims.assign(in(1).values.begin(), in(1).values.end());
    } else if (op == "Flatten") {
      out = in(0);
      out.dims = {1, count(in(0).dims)};
    } else if (op == "Transpose")
      out = transpose(in(0), node.attributes.at("perm").wholes);
    else if (op == "Slice") {  // of channels
      out = in(0);
      const auto first = static_cast<std::int64_t>(in(1).values[0]), end = static_cast<std::int64_t>(in(2).values[0]);
      const std::int64_t pixels = count(out.dims) / out.dims[1];
      out.dims[1] = end - first;
      out.values.assign(in(0).values.begin() + first * pixels, in(0).values.begin() + end * pixels);
    } else if (op == "Pad") {  // of height and width
      const Array& x = in(0);
      std::vector<std::int64_t> pads(8, 0);
      for (std::size_t i = 0; i < in(1).values.size() / 2; ++i) {
        const auto axis = has(3) ? static_cast<std::size_t>(in(3).values[i] + (in(3).values[i] < 0 ? 4 : 0)) : i;
        pads[axis] = static_cast<std::int64_t>(in(1).values[i]);
        pads[axis + 4] = static_cast<std::int64_t>(in(1).values[i + in(1).values.size() / 2]);
      }
      const auto pad = [&](std::size_t i) { return pads[i]; };
      out = {{x.dims[0], x.dims[1], x.dims[2] + pad(2) + pad(6), x.dims[3] + pad(3) + pad(7)}, {}};
      for (std::int64_t c = 0; c < x.dims[1]; ++c)
        for (std::int64_t y = -pad(2); y < x.dims[2] + pad(6); ++y)
          for (std::int64_t k = -pad(3); k < x.dims[3] + pad(7); ++k) {
            const bool inside = y >= 0 && k >= 0 && y < x.dims[2] && k < x.dims[3];
            out.values.push_back(inside ? x.values[at((c * x.dims[2] + y) * x.dims[3] + k)] : 0);
          }
    } else if (op == "Resize" && node.attributes.at("mode").words == "linear") {
      out = enlarge_linearly(node, in(0), in(2).values);
    } else if (op == "Resize") {  // nearest, by the scales of input 2
      const Array& x = in(0);
      const auto f = static_cast<std::int64_t>(in(2).values[2]);
      out = {{x.dims[0], x.dims[1], x.dims[2] * f, x.dims[3] * f}, {}};
      for (std::int64_t c = 0; c < x.dims[1]; ++c)
        for (std::int64_t y = 0; y < out.dims[2]; ++y)
          for (std::int64_t k = 0; k < out.dims[3]; ++k)
            out.values.push_back(x.values[at((c * x.dims[2] + y / f) * x.dims[3] + k / f)]);
    } else
      throw std::invalid_argument("the reference has no " + op);
  }
  return values.at(output_);
}

}  // namespace bitstrata::testing
