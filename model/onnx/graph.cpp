// SPDX-License-Identifier: Apache-2.0
#include "model/onnx/graph.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <Eigen/Core>
#include <map>
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
  const bool wide = type == type::real64;
  const std::size_t count = whole() ? ints.size() : wide ? doubles.size() : reals.size();
  if (index >= count) {
    throw std::invalid_argument(fmt::format("a constant of {} has {} values; it needs more", to_text(dims), count));
  }
  return whole() ? static_cast<double>(ints[index]) : wide ? doubles[index] : double{reals[index]};
}

void Tensor::add(double value) {
  if (type == type::real64) {
    doubles.push_back(value);
  } else {
    reals.push_back(rounded_to(type, value));
  }
}

void Tensor::add(const Tensor& from, std::size_t index) {
  if (whole()) {
    ints.push_back(from.ints[index]);
  } else {
    add(from.at(index));
  }
}

void Tensor::multiply(double factor) {
  for (float& value : reals) value = rounded_to(type, value * factor);
  for (double& value : doubles) value *= factor;
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

float rounded_to(int type, double value) {
  const auto single = static_cast<float>(value);
  if (type == type::real16) return static_cast<float>(Eigen::half(single));
  return type == type::brain16 ? static_cast<float>(Eigen::bfloat16(single)) : single;
}

std::string type_name(int type) {
  static const std::map<int, std::string> names = {
      {type::real32, "FLOAT"},     {type::uint8, "UINT8"},   {type::int8, "INT8"},     {type::uint16, "UINT16"},
      {type::int16, "INT16"},      {type::int32, "INT32"},   {type::int64, "INT64"},   {type::boolean, "BOOL"},
      {type::real16, "FLOAT16"},   {type::real64, "DOUBLE"}, {type::uint32, "UINT32"}, {type::uint64, "UINT64"},
      {type::brain16, "BFLOAT16"}, {type::uint4, "UINT4"},   {type::int4, "INT4"}};
  const auto found = names.find(type);
  return found == names.end() ? fmt::format("data type {}", type) : found->second;
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

namespace {

// ONNX's name of what an attribute holds, with its article.
std::string kind_name(Kind kind) {
  static const std::vector<std::string> names = {"value of no type", "FLOAT", "INT",     "STRING",  "TENSOR", "GRAPH",
                                                 "FLOATS",           "INTS",  "STRINGS", "TENSORS", "GRAPHS"};
  const auto number = static_cast<std::size_t>(kind);
  const std::string name = number < names.size() ? names[number] : fmt::format("value of type {}", number);
  return fmt::format("{} {}", name.starts_with("INT") ? "an" : "a", name);
}

}  // namespace

const Attribute* OnnxNode::attribute(const std::string& key, Kind kind) const {
  const auto found = attributes.find(key);
  if (found == attributes.end()) return nullptr;
  if (found->second.kind != kind && found->second.kind != Kind::unsaid) {
    refuse(*this,
           fmt::format("attribute '{}' is {}; it must be {}", key, kind_name(found->second.kind), kind_name(kind)));
  }
  return &found->second;
}

std::int64_t OnnxNode::whole(const std::string& key, std::int64_t otherwise) const {
  const Attribute* found = attribute(key, Kind::whole);
  return found == nullptr ? otherwise : found->whole;
}

double OnnxNode::real(const std::string& key, double otherwise) const {
  const Attribute* found = attribute(key, Kind::real);
  return found == nullptr ? otherwise : found->real;
}

std::string OnnxNode::text(const std::string& key, const std::string& otherwise) const {
  const Attribute* found = attribute(key, Kind::text);
  return found == nullptr ? otherwise : found->text;
}

std::vector<std::int64_t> OnnxNode::wholes(const std::string& key, std::vector<std::int64_t> otherwise) const {
  const Attribute* found = attribute(key, Kind::wholes);
  return found == nullptr ? otherwise : found->wholes;
}

const Tensor* OnnxNode::tensor(const std::string& key) const {
  const Attribute* found = attribute(key, Kind::tensor);
  return found == nullptr || !found->tensor ? nullptr : &*found->tensor;
}

void refuse(const OnnxNode& node, const std::string& message) {
  throw std::invalid_argument(fmt::format("{} node '{}': {}", node.op, node.name, message));
}

}  // namespace bitstrata::model::interchange
