// SPDX-License-Identifier: Apache-2.0
// ONNX's functions of single values, and its interpolation, as its specification tells them, in doubles.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "tests/model/onnx_reference.h"

namespace bitstrata::testing::reference {

std::optional<Array> function(const OnnxBuilder::Node& node, const Array& x) {
  const std::string& op = node.op;
  const auto real = [&](const char* key, double otherwise) {
    const auto found = node.attributes.find(key);
    return found == node.attributes.end() ? otherwise : found->second.reals[0];
  };
  if (op == "Erf") return map(x, [](double v) { return std::erf(v); });
  if (op == "Elu") {
    const double alpha = real("alpha", 1);
    return map(x, [=](double v) { return v < 0 ? alpha * std::expm1(v) : v; });
  }
  if (op == "Selu") {
    const double alpha = real("alpha", 1.67326319217681884765625), gamma = real("gamma", 1.05070102214813232421875);
    return map(x, [=](double v) { return gamma * (v > 0 ? v : alpha * std::expm1(v)); });
  }
  if (op == "Celu") {
    const double alpha = real("alpha", 1);
    return map(x, [=](double v) { return std::max(0.0, v) + std::min(0.0, alpha * std::expm1(v / alpha)); });
  }
  if (op == "Softplus") return map(x, [](double v) { return std::log1p(std::exp(v)); });
  if (op == "Softsign") return map(x, [](double v) { return v / (1 + std::abs(v)); });
  if (op == "Mish") return map(x, [](double v) { return v * std::tanh(std::log1p(std::exp(v))); });
  if (op == "Gelu") {
    const auto approximate = node.attributes.find("approximate");
    if (approximate == node.attributes.end() || approximate->second.words == "none")
      return map(x, [](double v) { return 0.5 * v * (1 + std::erf(v / std::numbers::sqrt2)); });
    const double slope = std::sqrt(2 / std::numbers::pi);
    return map(x, [=](double v) { return 0.5 * v * (1 + std::tanh(slope * (v + 0.044715 * v * v * v))); });
  }
  if (op == "ThresholdedRelu") {
    const double alpha = real("alpha", 1);
    return map(x, [=](double v) { return v > alpha ? v : 0; });
  }
  return {};
}

// Along one side: positions between the whole pixels, those beyond the border at the border.
Array enlarge_linearly(const OnnxBuilder::Node& node, const Array& x, const std::vector<double>& scales) {
  const std::string& coordinates = node.attributes.at("coordinate_transformation_mode").words;
  const auto place = [&](std::int64_t y, std::size_t axis) {
    const double at = static_cast<double>(y);
    const double from = coordinates == "asymmetric" ? at / scales[axis] : (at + 0.5) / scales[axis] - 0.5;
    return std::clamp(from, 0.0, static_cast<double>(x.dims[axis] - 1));
  };
  const std::int64_t height = x.dims[2], width = x.dims[3];
  Array out{{x.dims[0], x.dims[1], height * static_cast<std::int64_t>(scales[2]),
             width * static_cast<std::int64_t>(scales[3])},
            {}};
  for (std::int64_t c = 0; c < x.dims[1]; ++c)
    for (std::int64_t y = 0; y < out.dims[2]; ++y)
      for (std::int64_t k = 0; k < out.dims[3]; ++k) {
        const double py = place(y, 2), px = place(k, 3), fy = py - std::floor(py), fx = px - std::floor(px);
        const auto value = [&](double row, double column) {
          const auto r = std::min(static_cast<std::int64_t>(row), height - 1);
          const auto q = std::min(static_cast<std::int64_t>(column), width - 1);
          return x.values[at((c * height + r) * width + q)];
        };
        out.values.push_back((1 - fy) * ((1 - fx) * value(py, px) + fx * value(py, px + 1)) +
                             fy * ((1 - fx) * value(py + 1, px) + fx * value(py + 1, px + 1)));
      }
  return out;
}

}  // namespace bitstrata::testing::reference
