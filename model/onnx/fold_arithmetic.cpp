// SPDX-License-Identifier: Apache-2.0
// Folding of sums, products, functions of single values and casts, each in the type that the file gives it. Files may
// hold any numbers: whole numbers of up to 32 bits wrap, and what leaves 64 bits is refused.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <stdexcept>

#include "model/onnx/fold.h"

namespace bitstrata::model::interchange {
namespace {

using Reals = std::function<double(double, double)>;
using Wholes = std::function<std::int64_t(std::int64_t, std::int64_t)>;

[[noreturn]] void too_large() { throw std::invalid_argument("a whole number leaves 64 bits"); }

// The bits of a whole number that its type has. Those of UINT64 are held as far as INT64 has them.
std::int64_t wrapped(int type, std::int64_t value) {
  if (type == type::uint64 && value < 0) too_large();
  const std::optional<TypeRange> range = integer_type(type);
  if (!range) return value;
  const std::int64_t low = value & ((std::int64_t{1} << range->bits) - 1);
  return low > range->high() ? low - (std::int64_t{1} << range->bits) : low;
}

// A float as a whole number of a type, towards zero.
std::int64_t within(int type, double value) {
  const std::int64_t whole = whole_number(value);
  const std::optional<TypeRange> range = integer_type(type);
  if ((range && (whole < range->low() || whole > range->high())) || (type == type::uint64 && whole < 0))
    throw std::invalid_argument(
        fmt::format("{} is none of {}'s values; ONNX does not say what becomes of it", value, type_name(type)));
  return whole;
}

Dims broadcast(const Dims& a, const Dims& b) {
  Dims result(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1) {
      throw std::invalid_argument(fmt::format("{} and {} do not go together", to_text(a), to_text(b)));
    }
    result[result.size() - 1 - i] = x == 1 ? y : x;
  }
  return result;
}

// Index into a tensor of `dims` for each element of `whole`, row-major. `whole` has elements.
std::vector<std::int64_t> spread(const Dims& dims, const Dims& whole) {
  const Dims strides = strides_of(dims);
  std::vector<std::int64_t> result = {0};
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const std::size_t lead = whole.size() - dims.size();
    const std::int64_t stride = i < lead || dims[i - lead] == 1 ? 0 : strides[i - lead];
    std::vector<std::int64_t> next;
    next.reserve(result.size() * static_cast<std::size_t>(whole[i]));
    for (const std::int64_t base : result)
      for (std::int64_t k = 0; k < whole[i]; ++k) next.push_back(base + k * stride);
    result = std::move(next);
  }
  return result;
}

// The result has the type of `a`; `wholes` are for operands that are whole numbers both.
Tensor binary(const Tensor& a, const Tensor& b, const Reals& reals, const Wholes& wholes) {
  const bool whole = a.whole() && b.whole();
  Tensor result = like(a, broadcast(a.dims, b.dims), std::max(a.elements(), b.elements()));
  if (result.elements() == 0) return result;  // one of its sides is 0, the others may be of any size
  const auto left = spread(a.dims, result.dims), right = spread(b.dims, result.dims);
  for (std::size_t i = 0; i < left.size(); ++i) {
    const auto x = static_cast<std::size_t>(left[i]), y = static_cast<std::size_t>(right[i]);
    if (whole) {
      result.ints.push_back(wrapped(a.type, wholes(a.ints[x], b.ints[y])));
    } else if (a.whole()) {
      result.ints.push_back(within(a.type, reals(a.at(x), b.at(y))));
    } else {
      result.add(reals(a.at(x), b.at(y)));
    }
  }
  return result;
}

std::int64_t opposite(std::int64_t x) {
  if (x == std::numeric_limits<std::int64_t>::min()) too_large();
  return -x;
}

std::int64_t divide(std::int64_t x, std::int64_t y) {
  if (y == 0) throw std::invalid_argument("division by zero");
  if (y == -1 && x == std::numeric_limits<std::int64_t>::min()) too_large();
  return x / y;
}

}  // namespace

std::int64_t whole_number(double value) {
  // 2^63 itself is a double, the largest whole number of 64 bits is none.
  if (!(value >= -0x1p63 && value < 0x1p63)) throw std::invalid_argument(fmt::format("{} is no whole number", value));
  return static_cast<std::int64_t>(value);
}

void check_types(const OnnxNode& node, const Tensor& a, const Tensor& b) {
  if (a.type == b.type) return;
  refuse(node, fmt::format("reads {} and {} together; its operands must have one type", type_name(a.type),
                           type_name(b.type)));
}

// A scaling by a constant keeps the codes of a quantized constant where it is one positive number.
Tensor arithmetic(const OnnxNode& node, const Tensor& a, const Tensor& b) {
  if (node.op != "Pow") check_types(node, a, b);
  if (a.type == type::boolean) refuse(node, "calculates with BOOL, which ONNX does not");
  // The lower 64 bits have all those of a narrower type.
  const bool narrow = integer_type(a.type).has_value();
  const auto checked = [narrow](auto function) {
    return [function, narrow](std::int64_t x, std::int64_t y) {
      std::int64_t result = 0;
      if (function(x, y, &result) && !narrow) too_large();
      return result;
    };
  };
  using Integer = std::int64_t;
  Tensor result;
  if (node.op == "Add")
    result = binary(a, b, std::plus<>(),
                    checked([](Integer x, Integer y, Integer* r) { return __builtin_add_overflow(x, y, r); }));
  if (node.op == "Sub")
    result = binary(a, b, std::minus<>(),
                    checked([](Integer x, Integer y, Integer* r) { return __builtin_sub_overflow(x, y, r); }));
  if (node.op == "Mul")
    result = binary(a, b, std::multiplies<>(),
                    checked([](Integer x, Integer y, Integer* r) { return __builtin_mul_overflow(x, y, r); }));
  if (node.op == "Div") result = binary(a, b, std::divides<>(), divide);
  if (node.op == "Pow") {
    const auto power = [](double x, double y) { return std::pow(x, y); };
    result = binary(a, b, power, [&](Integer x, Integer y) {
      return within(a.type, power(static_cast<double>(x), static_cast<double>(y)));
    });
  }
  const bool exact = !is_short_real(a.type) && !b.whole();  // floats of 16 bits are no longer multiples of a scale
  if ((node.op == "Mul" || node.op == "Div") && a.grid && b.elements() == 1 && b.at(0) > 0 && exact) {
    result.grid = a.grid;
    for (double& scale : result.grid->scales) scale = node.op == "Mul" ? scale * b.at(0) : scale / b.at(0);
  }
  return result;
}

std::optional<Tensor> unary(const OnnxNode& node, const Tensor& a) {
  using Function = double (*)(double);
  static const std::map<std::string, Function> functions = {
      {"Neg", [](double x) { return -x; }},
      {"Sqrt", [](double x) { return std::sqrt(x); }},
      {"Reciprocal", [](double x) { return 1 / x; }},
      {"Abs", [](double x) { return std::abs(x); }},
      {"Exp", [](double x) { return std::exp(x); }},
      {"Log", [](double x) { return std::log(x); }},
      {"Floor", [](double x) { return std::floor(x); }},
      {"Ceil", [](double x) { return std::ceil(x); }},
      {"Round", [](double x) { return std::nearbyint(x); }},
      {"Sign", [](double x) { return x > 0   ? 1.0
                                     : x < 0 ? -1.0
                                             : 0.0; }},
  };
  const auto function = functions.find(node.op);
  if (function == functions.end()) return {};
  Tensor result = like(a, a.dims, a.elements());
  if (a.whole()) {
    using Integer = std::int64_t;
    static const std::map<std::string, Integer (*)(Integer)> wholes = {
        {"Neg", [](Integer x) { return opposite(x); }},
        {"Abs", [](Integer x) { return x < 0 ? opposite(x) : x; }},
        {"Sign", [](Integer x) { return Integer{x > 0} - Integer{x < 0}; }},
    };
    const auto exact = wholes.find(node.op);
    if (exact == wholes.end() || a.type == type::boolean)
      refuse(node, fmt::format("is no function of {} in ONNX", type_name(a.type)));
    for (const std::int64_t x : a.ints) result.ints.push_back(wrapped(a.type, exact->second(x)));
    return result;
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(a.elements()); ++i) result.add(function->second(a.at(i)));
  return result;
}

std::optional<Tensor> comparison(const OnnxNode& node, const std::vector<const Tensor*>& inputs) {
  using Function = bool (*)(double, double);
  static const std::map<std::string, Function> functions = {
      {"Equal", [](double x, double y) { return x == y; }},
      {"Less", [](double x, double y) { return x < y; }},
      {"LessOrEqual", [](double x, double y) { return x <= y; }},
      {"Greater", [](double x, double y) { return x > y; }},
      {"GreaterOrEqual", [](double x, double y) { return x >= y; }},
      {"And", [](double x, double y) { return x != 0 && y != 0; }},
      {"Or", [](double x, double y) { return x != 0 || y != 0; }},
      {"Xor", [](double x, double y) { return (x != 0) != (y != 0); }},
      {"Not", [](double x, double) { return x == 0; }},
  };
  const auto function = functions.find(node.op);
  if (function == functions.end()) return {};
  const Tensor &a = need(node, inputs, 0), &b = node.op == "Not" ? a : need(node, inputs, 1);
  check_types(node, a, b);
  const bool order = node.op == "Equal" || node.op.starts_with("Less") || node.op.starts_with("Greater");
  Tensor result = like(a, broadcast(a.dims, b.dims), std::max(a.elements(), b.elements()));
  result.type = type::boolean;
  if (result.elements() == 0) return result;
  const auto left = spread(a.dims, result.dims), right = spread(b.dims, result.dims);
  for (std::size_t i = 0; i < left.size(); ++i) {
    const auto p = static_cast<std::size_t>(left[i]), q = static_cast<std::size_t>(right[i]);
    // Whole numbers of 64 bits may have no double; their difference's sign compares alike.
    const bool whole = a.whole() && b.whole() && order;
    const double x = whole ? (a.ints[p] > b.ints[q]) - (a.ints[p] < b.ints[q]) : a.at(p), y = whole ? 0 : b.at(q);
    result.ints.push_back(function->second(x, y) ? 1 : 0);
  }
  return result;
}

Tensor cast(const OnnxNode& node, const Tensor& a, std::int64_t to) {
  Tensor result = like(a, a.dims, a.elements());
  const bool real = is_real(static_cast<int>(to));
  if (!real && to != type::boolean && to != type::int64 && to != type::uint64 && !integer_type(static_cast<int>(to)))
    refuse(node, fmt::format("casts to data type {}, which is not read", to));
  result.type = static_cast<int>(to);
  for (std::size_t i = 0; i < static_cast<std::size_t>(a.elements()); ++i) {
    const double value = a.at(i);
    if (real) {
      result.add(value);
    } else if (to == type::boolean) {
      result.ints.push_back(value != 0 ? 1 : 0);
    } else {
      result.ints.push_back(a.whole() ? wrapped(result.type, a.ints[i]) : within(result.type, value));
    }
  }
  return result;
}

}  // namespace bitstrata::model::interchange
