// SPDX-License-Identifier: Apache-2.0
#include "model/activations.h"

#include <algorithm>
#include <array>
#include <cmath>
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

constexpr double selu_alpha = 1.67326319217681884765625, selu_gamma = 1.05070102214813232421875;

float parameter(double value) { return static_cast<float>(value); }

// In the order of BITSTRATA_FUNCTIONS.
constexpr std::array functions = {
    Function{.op = Op::relu,
             .onnx = "Relu",
             .opset = 1,
             .value =
                 [](float x, const Node& n) {
                   return n.limit > 0 ? std::clamp(x, 0.0F, parameter(n.limit)) : std::max(x, 0.0F);
                 },
             .positive = true,
             .clipping = {.low = 0}},
    Function{.op = Op::leaky_relu,
             .onnx = "LeakyRelu",
             .opset = 6,
             .value = [](float x, const Node& n) { return x < 0 ? parameter(n.slope) * x : x; }},
    Function{.op = Op::hard_sigmoid,
             .onnx = "HardSigmoid",
             .opset = 6,
             .value = [](float x, const Node&) { return hard_sigmoid(x); },
             .bound = 1,
             .positive = true,
             .clipping = {.divisor = 6, .offset = 0.5, .low = 0, .high = 1}},
    Function{.op = Op::hard_swish,
             .onnx = "HardSwish",
             .opset = 14,
             .value = [](float x, const Node&) { return x * hard_sigmoid(x); }},
    Function{.op = Op::sigmoid,
             .onnx = "Sigmoid",
             .opset = 6,
             .value = [](float x, const Node&) { return logistic(x); },
             .bound = 1,
             .positive = true,
             .flat_low = -10,
             .flat_high = 10},
    Function{.op = Op::silu,
             .onnx = "",
             .opset = 6,
             .value = [](float x, const Node&) { return x * logistic(x); },
             .flat_low = -10},
    Function{.op = Op::tanh,
             .onnx = "Tanh",
             .opset = 6,
             .value = [](float x, const Node&) { return std::tanh(x); },
             .bound = 1,
             .flat_low = -5,
             .flat_high = 5},
    Function{.op = Op::erf,
             .onnx = "Erf",
             .opset = 9,
             .value = [](float x, const Node&) { return std::erf(x); },
             .bound = 1,
             .flat_low = -3,
             .flat_high = 3},
    Function{.op = Op::elu,
             .onnx = "Elu",
             .opset = 6,
             .value = [](float x, const Node& n) { return x >= 0 ? x : parameter(n.alpha) * (std::exp(x) - 1); },
             .flat_low = -10,
             .alpha = 1},
    Function{.op = Op::selu,
             .onnx = "Selu",
             .opset = 6,
             .value =
                 [](float x, const Node& n) {
                   return parameter(n.gamma) * (x > 0 ? x : parameter(n.alpha) * std::exp(x) - parameter(n.alpha));
                 },
             .flat_low = -10,
             .alpha = selu_alpha,
             .gamma = selu_gamma},
    Function{.op = Op::celu,
             .onnx = "Celu",
             .opset = 12,
             .value =
                 [](float x, const Node& n) {
                   const float alpha = parameter(n.alpha);
                   return std::max(x, 0.0F) + std::min(0.0F, alpha * (std::exp(x / alpha) - 1));
                 },
             .alpha = 1},
    Function{.op = Op::softplus,
             .onnx = "Softplus",
             .opset = 1,
             .value = [](float x, const Node&) { return softplus(x); },
             .positive = true,
             .flat_low = -10},
    Function{.op = Op::softsign,
             .onnx = "Softsign",
             .opset = 1,
             .value = [](float x, const Node&) { return x / (1 + std::abs(x)); }},
    Function{.op = Op::mish,
             .onnx = "Mish",
             .opset = 18,
             .value = [](float x, const Node&) { return x * std::tanh(softplus(x)); },
             .flat_low = -10},
    Function{.op = Op::gelu,
             .onnx = "Gelu",
             .opset = 20,
             .value = [](float x, const Node&) { return gelu(x); },
             .flat_low = -5},
    Function{.op = Op::gelu_tanh,
             .onnx = "Gelu",
             .opset = 20,
             .value = [](float x, const Node&) { return gelu_tanh(x); },
             .flat_low = -5},
    Function{.op = Op::thresholded_relu,
             .onnx = "ThresholdedRelu",
             .opset = 10,
             .value = [](float x, const Node& n) { return x > parameter(n.alpha) ? x : 0.0F; },
             .alpha = 1},
};

// A row for every function, where function_of looks for it.
constexpr std::size_t first_function = all_ops.size() - functions.size();
static_assert([] {
  for (std::size_t i = 0; i < all_ops.size(); ++i) {
    const bool function = i >= first_function;
    if (is_activation(all_ops[i]) != function) return false;
    if (function && functions[i - first_function].op != all_ops[i]) return false;
  }
  return true;
}());

}  // namespace

const Function* function_of(Op op) {
  return is_activation(op) ? &functions[static_cast<std::size_t>(op) - first_function] : nullptr;
}

const Function* table_function_of_onnx(const std::string& name) {
  const auto* found = std::find_if(functions.begin(), functions.end(),
                                   [&](const Function& row) { return needs_table(row.op) && row.onnx == name; });
  return name.empty() || found == functions.end() ? nullptr : found;
}

double bound_of(Op op) {
  const Function* row = function_of(op);
  return row == nullptr ? 0 : row->bound;
}

Clipping clipping_of(const Node& activation) {
  Clipping clipping = function_of(activation.op)->clipping;
  if (activation.limit > 0) clipping.high = activation.limit;
  return clipping;
}

bool never_negative(const Node& activation) {
  if (activation.op == Op::thresholded_relu) return activation.alpha >= 0;
  return function_of(activation.op)->positive;
}

float activate(const Node& activation, float x) {
  const Function* row = function_of(activation.op);
  return row == nullptr ? x : row->value(x, activation);
}

}  // namespace bitstrata::model
