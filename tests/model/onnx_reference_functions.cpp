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

// Along one side: positions between the whole pixels, those beyond the border at the border. In 32-bit floats, as ONNX
// Runtime has it: the weights of a pixel's two sides, then the product, then the sum of four.
Array enlarge_linearly(const OnnxBuilder::Node& node, const Array& x, const std::vector<double>& scales) {
  const std::string& coordinates = node.attributes.at("coordinate_transformation_mode").words;
  struct Side {
    std::int64_t near, far;
    float of_near, of_far;  // weights
  };
  const auto side = [&](std::int64_t y, std::size_t axis) -> Side {
    const auto at = static_cast<float>(y), scale = static_cast<float>(scales[axis]);
    const float wanted = coordinates == "asymmetric" ? at / scale : (at + 0.5F) / scale - 0.5F;
    const float from = std::clamp(wanted, 0.0F, static_cast<float>(x.dims[axis] - 1));
    const auto near = static_cast<std::int64_t>(from), far = std::min(near + 1, x.dims[axis] - 1);
    if (near == far) return {near, far, 0.5F, 0.5F};
    return {near, far, static_cast<float>(far) - from, from - static_cast<float>(near)};
  };
  const std::int64_t height = x.dims[2], width = x.dims[3];
  Array out{{x.dims[0], x.dims[1], height * static_cast<std::int64_t>(scales[2]),
             width * static_cast<std::int64_t>(scales[3])},
            {}};
  for (std::int64_t c = 0; c < x.dims[1]; ++c)
    for (std::int64_t y = 0; y < out.dims[2]; ++y)
      for (std::int64_t k = 0; k < out.dims[3]; ++k) {
        const Side row = side(y, 2), column = side(k, 3);
        const auto value = [&](std::int64_t r, std::int64_t q) {
          return static_cast<float>(x.values[at((c * height + r) * width + q)]);
        };
        const float sum = column.of_near * row.of_near * value(row.near, column.near) +
                          column.of_far * row.of_near * value(row.near, column.far) +
                          column.of_near * row.of_far * value(row.far, column.near) +
                          column.of_far * row.of_far * value(row.far, column.far);
        out.values.push_back(double{sum});
      }
  return out;
}

}  // namespace bitstrata::testing::reference
