// SPDX-License-Identifier: Apache-2.0
#include "model/activations.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace bitstrata::model {
namespace {

float logistic(float x) { return 1 / (1 + std::exp(-x)); }

// ONNX gives the slope as a float: a product with it is not always the quotient.
float hard_sigmoid(float x) { return std::clamp(x * (1.0F / 6) + 0.5F, 0.0F, 1.0F); }

// log(1 + e^x), from the side on which the exponential stays small.
float softplus(float x) { return x > 0 ? x + std::log(std::exp(-x) + 1) : std::log(std::exp(x) + 1); }

float gelu(float x) { return 0.5F * x * (1 + std::erf(x * std::numbers::sqrt2_v<float> / 2)); }

float gelu_tanh(float x) {
  const float inner = 0.7978845608F * (x + 0.044715F * x * x * x);  // sqrt(2 / pi)
  return 0.5F * x * (1 + std::tanh(inner));
}

constexpr double never = std::numeric_limits<double>::infinity();
constexpr double selu_alpha = 1.67326319217681884765625, selu_gamma = 1.05070102214813232421875;

float parameter(double value) { return static_cast<float>(value); }

constexpr std::array<TableFunction, 13> functions = {{
    {Op::sigmoid, "sigmoid", "Sigmoid", 6, [](float x, const Node&) { return logistic(x); }, -10, 10, 1, true, 0, 0},
    {Op::silu, "silu", "", 6, [](float x, const Node&) { return x * logistic(x); }, -10, never, 0, false, 0, 0},
    {Op::tanh, "tanh", "Tanh", 6, [](float x, const Node&) { return std::tanh(x); }, -5, 5, 1, false, 0, 0},
    {Op::erf, "erf", "Erf", 9, [](float x, const Node&) { return std::erf(x); }, -3, 3, 1, false, 0, 0},
    {Op::elu, "elu", "Elu", 6,
     [](float x, const Node& n) { return x >= 0 ? x : parameter(n.alpha) * (std::exp(x) - 1); }, -10, never, 0, false,
     1, 0},
    {Op::selu, "selu", "Selu", 6,
     [](float x, const Node& n) {
       return parameter(n.gamma) * (x > 0 ? x : parameter(n.alpha) * std::exp(x) - parameter(n.alpha));
     },
     -10, never, 0, false, selu_alpha, selu_gamma},
    {Op::celu, "celu", "Celu", 12,
     [](float x, const Node& n) {
       const float alpha = parameter(n.alpha);
       return std::max(x, 0.0F) + std::min(0.0F, alpha * (std::exp(x / alpha) - 1));
     },
     -never, never, 0, false, 1, 0},
    {Op::softplus, "softplus", "Softplus", 1, [](float x, const Node&) { return softplus(x); }, -10, never, 0, true, 0,
     0},
    {Op::softsign, "softsign", "Softsign", 1, [](float x, const Node&) { return x / (1 + std::abs(x)); }, -never, never,
     0, false, 0, 0},
    {Op::mish, "mish", "Mish", 18, [](float x, const Node&) { return x * std::tanh(softplus(x)); }, -10, never, 0,
     false, 0, 0},
    {Op::gelu, "gelu", "Gelu", 20, [](float x, const Node&) { return gelu(x); }, -5, never, 0, false, 0, 0},
    {Op::gelu_tanh, "gelu_tanh", "Gelu", 20, [](float x, const Node&) { return gelu_tanh(x); }, -5, never, 0, false, 0,
     0},
    {Op::thresholded_relu, "thresholded_relu", "ThresholdedRelu", 10,
     [](float x, const Node& n) { return x > parameter(n.alpha) ? x : 0.0F; }, -never, never, 0, false, 1, 0},
}};

}  // namespace

const TableFunction* table_function(Op op) {
  const auto* found = std::find_if(functions.begin(), functions.end(), [op](const auto& row) { return row.op == op; });
  return found == functions.end() ? nullptr : found;
}

const TableFunction* table_function_of_onnx(const std::string& name) {
  const auto* found =
      std::find_if(functions.begin(), functions.end(), [&](const auto& row) { return row.onnx == name; });
  return name.empty() || found == functions.end() ? nullptr : found;
}

bool never_negative(const Node& activation) {
  const TableFunction* row = table_function(activation.op);
  if (activation.op == Op::thresholded_relu) return activation.alpha >= 0;
  return row != nullptr ? row->positive : activation.op == Op::relu || activation.op == Op::hard_sigmoid;
}

float activate(const Node& activation, float x) {
  if (const TableFunction* row = table_function(activation.op)) return row->value(x, activation);
  switch (activation.op) {
    case Op::relu:
      return activation.limit > 0 ? std::clamp(x, 0.0F, static_cast<float>(activation.limit)) : std::max(x, 0.0F);
    case Op::leaky_relu:
      return x < 0 ? static_cast<float>(activation.slope) * x : x;
    case Op::hard_sigmoid:
      return hard_sigmoid(x);
    case Op::hard_swish:
      return x * hard_sigmoid(x);
    default:
      return x;
  }
}

}  // namespace bitstrata::model
