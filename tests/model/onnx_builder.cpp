// SPDX-License-Identifier: Apache-2.0
#include "tests/model/onnx_builder.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <fstream>
#include <set>
#include <stdexcept>

namespace bitstrata::testing {
namespace {

double draw(std::uint64_t& state) {
  state = state * 6364136223846793005U + 1442695040888963407U;
  return static_cast<double>(state >> 40) / 16777216.0;
}

}  // namespace

std::pair<double, double> range_of_type(int type) {
  switch (type) {
    case onnx::TensorProto::UINT8:
      return {0, 255};
    case onnx::TensorProto::INT8:
      return {-128, 127};
    case onnx::TensorProto::UINT16:
      return {0, 65535};
    case onnx::TensorProto::INT16:
      return {-32768, 32767};
    case onnx::TensorProto::INT32:
      return {-2147483648.0, 2147483647.0};
    default:
      throw std::invalid_argument(fmt::format("data type {} is none of the integers of quantizers", type));
  }
}

std::string OnnxBuilder::constant(std::vector<std::int64_t> dims, std::vector<double> values, int type) {
  const std::string name = fmt::format("{}c{}", prefix_, constants_.size());
  constants_[name] = {std::move(dims), std::move(values), type};
  return name;
}

std::string OnnxBuilder::ints(std::vector<std::int64_t> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return constant({count}, {values.begin(), values.end()}, onnx::TensorProto::INT64);
}

std::string OnnxBuilder::random(std::vector<std::int64_t> dims, double scale) {
  std::int64_t count = 1;
  for (const std::int64_t side : dims) count *= side;
  std::vector<double> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>((2 * draw(state_) - 1) * scale));
  return constant(std::move(dims), std::move(values));
}

std::string OnnxBuilder::node(const std::string& op, std::vector<std::string> inputs, Attrs attributes,
                              const std::string& domain, int outputs) {
  Node made{op, std::move(inputs), {}, std::move(attributes), domain};
  for (int i = 0; i < outputs; ++i) made.outputs.push_back(fmt::format("{}{}_{}_{}", prefix_, op, nodes_.size(), i));
  nodes_.push_back(made);
  output_ = made.outputs[0];
  return output_;
}

template <typename GraphProto>
void OnnxBuilder::fill(GraphProto& graph) const {
  graph.add_output()->set_name(output_);
  if (!second_output_.empty()) graph.add_output()->set_name(second_output_);
  for (const auto& [name, array] : constants_) {
    auto* tensor = graph.add_initializer();
    tensor->set_name(name);
    const int data_type = array.type;
    tensor->set_data_type(data_type);
    for (const std::int64_t side : array.dims) tensor->add_dims(side);
    for (const double value : array.values) {
      if (data_type == onnx::TensorProto::FLOAT) {
        tensor->add_float_data(static_cast<float>(value));
      } else if (data_type == onnx::TensorProto::INT64) {
        tensor->add_int64_data(static_cast<std::int64_t>(value));
      } else if (data_type == onnx::TensorProto::UINT32 || data_type == onnx::TensorProto::UINT64) {
        tensor->add_uint64_data(static_cast<std::uint64_t>(value));
      } else {
        tensor->add_int32_data(static_cast<int>(value));
      }
    }
  }
  for (const Node& node : nodes_) {
    auto* proto = graph.add_node();
    proto->set_op_type(node.op);
    if (named_) proto->set_name(fmt::format("n_{}", node.outputs[0]));
    proto->set_domain(node.domain);
    for (const std::string& name : node.inputs) proto->add_input(name);
    for (const std::string& name : node.outputs) proto->add_output(name);
    for (const auto& [key, value] : node.attributes) {
      auto* attribute = proto->add_attribute();
      attribute->set_name(key);
      write(value, *attribute);
    }
  }
}

void OnnxBuilder::write(const Attr& value, onnx::AttributeProto& attribute) {
  switch (value.kind) {
    case Attr::real:
      attribute.set_type(onnx::AttributeProto::FLOAT);
      attribute.set_f(static_cast<float>(value.reals[0]));
      break;
    case Attr::whole:
      attribute.set_type(onnx::AttributeProto::INT);
      attribute.set_i(value.wholes[0]);
      break;
    case Attr::text:
      attribute.set_type(onnx::AttributeProto::STRING);
      attribute.set_s(value.words);
      break;
    case Attr::list:
      attribute.set_type(onnx::AttributeProto::INTS);
      for (const std::int64_t entry : value.wholes) attribute.add_ints(entry);
      break;
    case Attr::graph:
      attribute.set_type(onnx::AttributeProto::GRAPH);
      attribute.mutable_g()->set_name(attribute.name());
      value.branch->fill(*attribute.mutable_g());
      break;
  }
}

std::string OnnxBuilder::bytes() const {
  onnx::ModelProto model;
  model.set_ir_version(opset_ < 21 ? 8 : 10);
  std::set<std::string> domains = {""};
  for (const Node& node : nodes_) domains.insert(node.domain);
  for (const std::string& domain : domains) {
    auto* opset = model.add_opset_import();
    opset->set_domain(domain);
    opset->set_version(domain.empty() ? opset_ : 1);
  }
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name("test");
  auto* input = graph.add_input();
  input->set_name("x");
  auto* type = input->mutable_type()->mutable_tensor_type();
  type->set_elem_type(input_type_);
  for (const std::int64_t side : input_) {
    auto* dim = type->mutable_shape()->add_dim();
    if (side > 0) {
      dim->set_dim_value(side);
    } else {
      dim->set_dim_param("size");
    }
  }
  fill(graph);
  return model.SerializeAsString();
}

std::filesystem::path OnnxBuilder::save(const std::filesystem::path& file) const {
  std::ofstream(file, std::ios::binary) << bytes();
  return file;
}

Array random_input(const OnnxBuilder& model, std::uint64_t seed) {
  Array input{model.input_dims(), {}, model.input_type()};
  std::int64_t count = 1;
  for (const std::int64_t side : input.dims) count *= side;
  std::uint64_t state = seed * 7919 + 13;
  if (input.type == onnx::TensorProto::FLOAT) {
    for (std::int64_t i = 0; i < count; ++i) input.values.push_back(static_cast<float>(draw(state)));
    return input;
  }
  const auto [low, high] = range_of_type(input.type);
  for (std::int64_t i = 0; i < count; ++i)
    input.values.push_back(low + static_cast<double>(static_cast<std::int64_t>(draw(state) * (high - low + 1))));
  return input;
}

std::vector<float> to_nhwc(const Array& nchw) {
  std::vector<float> result;
  const std::int64_t channels = nchw.dims.size() > 1 ? nchw.dims[1] : 1;
  const std::int64_t pixels = static_cast<std::int64_t>(nchw.values.size()) / channels;
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel)
    for (std::int64_t c = 0; c < channels; ++c) {
      result.push_back(static_cast<float>(nchw.values[static_cast<std::size_t>(c * pixels + pixel)]));
    }
  return result;
}

}  // namespace bitstrata::testing
