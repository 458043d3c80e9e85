// SPDX-License-Identifier: Apache-2.0
#include "model/onnx/graph.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <Eigen/Core>
#include <stdexcept>

namespace bitstrata::model::interchange {

std::int64_t elements_of(const Dims& dims) {
  std::int64_t count = 1;
  for (const std::int64_t side : dims) {
    if (side < 0 || __builtin_mul_overflow(count, side, &count)) {
      throw std::invalid_argument(fmt::format("a tensor of {} has no size", to_text(dims)));
    }
  }
  return count;
}

std::string to_text(const Dims& dims) { return dims.empty() ? "scalar" : fmt::format("{}", fmt::join(dims, "x")); }

bool Tensor::whole() const { return !is_real(type); }

double Tensor::at(std::size_t index) const {
  const std::size_t count = whole() ? ints.size() : reals.size();
  if (index >= count) {
    throw std::invalid_argument(fmt::format("a constant of {} has {} values; it needs more", to_text(dims), count));
  }
  return whole() ? static_cast<double>(ints[index]) : reals[index];
}

Tensor Tensor::of_reals(Dims dims, std::vector<float> values) {
  Tensor tensor;
  tensor.dims = std::move(dims);
  tensor.reals = std::move(values);
  return tensor;
}

Tensor Tensor::of_ints(Dims dims, std::vector<std::int64_t> values) {
  Tensor tensor;
  tensor.dims = std::move(dims);
  tensor.type = type::int64;
  tensor.ints = std::move(values);
  return tensor;
}

bool is_short_real(int type) { return type == type::real16 || type == type::brain16; }

bool is_real(int type) { return type == type::real32 || type == type::real64 || is_short_real(type); }

float rounded_to(int type, float value) {
  if (type == type::real16) return static_cast<float>(Eigen::half(value));
  return type == type::brain16 ? static_cast<float>(Eigen::bfloat16(value)) : value;
}

std::optional<TypeRange> integer_type(int type) {
  switch (type) {
    case type::uint4:
      return TypeRange{4, false};
    case type::int4:
      return TypeRange{4, true};
    case type::uint8:
      return TypeRange{8, false};
    case type::int8:
      return TypeRange{8, true};
    case type::uint16:
      return TypeRange{16, false};
    case type::int16:
      return TypeRange{16, true};
    case type::uint32:
      return TypeRange{32, false};
    case type::int32:
      return TypeRange{32, true};
    default:
      return {};
  }
}

std::int64_t OnnxNode::whole(const std::string& key, std::int64_t otherwise) const {
  const auto found = attributes.find(key);
  return found == attributes.end() ? otherwise : found->second.whole;
}

double OnnxNode::real(const std::string& key, double otherwise) const {
  const auto found = attributes.find(key);
  return found == attributes.end() ? otherwise : found->second.real;
}

std::string OnnxNode::text(const std::string& key, const std::string& otherwise) const {
  const auto found = attributes.find(key);
  return found == attributes.end() ? otherwise : found->second.text;
}

std::vector<std::int64_t> OnnxNode::wholes(const std::string& key, std::vector<std::int64_t> otherwise) const {
  const auto found = attributes.find(key);
  return found == attributes.end() ? otherwise : found->second.wholes;
}

void refuse(const OnnxNode& node, const std::string& message) {
  throw std::invalid_argument(fmt::format("{} node '{}': {}", node.op, node.name, message));
}

}  // namespace bitstrata::model::interchange
