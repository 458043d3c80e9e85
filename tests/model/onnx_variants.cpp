// SPDX-License-Identifier: Apache-2.0
#include "tests/model/onnx_variants.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <onnx/onnx_pb.h>

#include <Eigen/Core>
#include <algorithm>
#include <bit>
#include <set>

namespace bitstrata::testing {
namespace {

constexpr int float64 = onnx::TensorProto::DOUBLE, float32 = onnx::TensorProto::FLOAT;
constexpr int versions[] = {7, 8, 9, 10, 11, 12, 13, 14, 16, 18, 19, 20, 21};
constexpr int wholes[] = {-2, -1, 0, 1, 2, 3, 4};
constexpr float limits[] = {-1, 0, 0.5, 1, 1.5, 2, 3};

// Operators whose whole numbers are axes, sides, or borders.
const std::set<std::string> counted = {"Reshape",   "Pad",        "Slice",     "Resize", "Squeeze",
                                       "Unsqueeze", "ReduceMean", "ReduceMax", "Split",  "Gather"};
// Operators whose numbers are factors or limits.
const std::set<std::string> measured = {"Resize", "Upsample", "Clip", "Pad"};
const std::set<std::string> joining = {"Add", "Sub", "Mul", "Div", "Sum", "PRelu"};

std::string words(const Attr& value) {
  switch (value.kind) {
    case Attr::real:
      return fmt::format("{}", value.reals.at(0));
    case Attr::whole:
      return fmt::format("{}", value.wholes.at(0));
    case Attr::list:
      return fmt::format("{}", fmt::join(value.wholes, " "));
    default:
      return value.words;
  }
}

class Changes {
 public:
  Changes(const onnx::ModelProto& model, const std::function<void(const Variant&)>& visit)
      : model_(model), visit_(visit) {}

  // `change` returns whether there is a variant.
  template <typename Change>
  void add(const std::string& op, const std::string& attribute, const std::string& what, Change change) const {
    onnx::ModelProto changed = model_;
    if (!change(changed)) return;
    const int type = changed.graph().input(0).type().tensor_type().elem_type();
    visit_({op, attribute, what, changed.SerializeAsString(), type});
  }

  const onnx::GraphProto& graph() const { return model_.graph(); }

 private:
  const onnx::ModelProto& model_;
  const std::function<void(const Variant&)>& visit_;
};

int place_of(const onnx::NodeProto& node, const std::string& attribute) {
  for (int a = 0; a < node.attribute_size(); ++a)
    if (node.attribute(a).name() == attribute) return a;
  return -1;
}

onnx::TensorProto* constant_of(onnx::GraphProto& graph, const std::string& name) {
  for (onnx::TensorProto& tensor : *graph.mutable_initializer())
    if (tensor.name() == name) return &tensor;
  return nullptr;
}

// Entries that a list of the node has; 0: any number. Windows have as many sides as the model's images.
int entries_of(const onnx::GraphProto& graph, const onnx::NodeProto& node, const std::string& attribute) {
  static const std::set<std::string> windows = {"strides", "dilations", "kernel_shape"};
  const int place = place_of(node, attribute);
  if (attribute == "perm") return place < 0 ? 0 : node.attribute(place).ints_size();
  const int sides = std::max(graph.input(0).type().tensor_type().shape().dim_size() - 2, 0);
  const bool pools = node.op_type() != "Pad";
  return windows.contains(attribute) ? sides : attribute == "pads" && pools ? 2 * sides : 0;
}

void attributes(int n, const Changes& changes) {
  const onnx::NodeProto& node = changes.graph().node(n);
  for (const LegalValues& legal : legal_values()) {
    if (legal.op != node.op_type()) continue;
    const int place = place_of(node, legal.attribute), entries = entries_of(changes.graph(), node, legal.attribute);
    for (const Attr& value : legal.values) {
      if (entries != 0 && value.wholes.size() != static_cast<std::size_t>(entries)) continue;
      changes.add(legal.op, legal.attribute, words(value), [&](onnx::ModelProto& model) {
        onnx::NodeProto& changed = *model.mutable_graph()->mutable_node(n);
        onnx::AttributeProto& attribute = *(place < 0 ? changed.add_attribute() : changed.mutable_attribute(place));
        const std::string before = attribute.SerializeAsString();
        attribute.clear_ints();
        attribute.set_name(legal.attribute);
        OnnxBuilder::write(value, attribute);
        return attribute.SerializeAsString() != before;
      });
    }
  }
  for (int a = 0; a < node.attribute_size(); ++a) {
    if (node.attribute(a).type() == onnx::AttributeProto::GRAPH) continue;
    changes.add(node.op_type(), node.attribute(a).name(), "left out", [&](onnx::ModelProto& model) {
      model.mutable_graph()->mutable_node(n)->mutable_attribute()->DeleteSubrange(a, 1);
      return true;
    });
  }
}

// Groups and turned matrices need weights of another shape: the same values, or the first of them.
void shapes_of_weights(int n, const Changes& changes) {
  const onnx::NodeProto& node = changes.graph().node(n);
  const bool convolution = node.op_type() == "Conv" || node.op_type() == "ConvTranspose";
  const auto set = [&](onnx::ModelProto& model, const char* name, std::int64_t value) {
    onnx::NodeProto& changed = *model.mutable_graph()->mutable_node(n);
    const int place = place_of(changed, name);
    onnx::AttributeProto& attribute = *(place < 0 ? changed.add_attribute() : changed.mutable_attribute(place));
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::INT);
    attribute.set_i(value);
  };
  if (convolution && place_of(node, "kernel_shape") < 0) {
    changes.add(node.op_type(), "kernel_shape", "of the weights", [&](onnx::ModelProto& model) {
      const onnx::TensorProto* weights = constant_of(*model.mutable_graph(), node.input(1));
      if (weights == nullptr) return false;
      onnx::AttributeProto& attribute = *model.mutable_graph()->mutable_node(n)->add_attribute();
      attribute.set_name("kernel_shape");
      OnnxBuilder::write(Attr(std::vector<std::int64_t>(weights->dims().begin() + 2, weights->dims().end())),
                         attribute);
      return true;
    });
  }
  for (const int groups : {2, 3, 4, 8}) {
    if (!convolution || place_of(node, "group") >= 0) continue;
    changes.add(node.op_type(), "group", fmt::format("{}", groups), [&](onnx::ModelProto& model) {
      onnx::TensorProto* weights = constant_of(*model.mutable_graph(), node.input(1));
      if (weights == nullptr || weights->dims(1) % groups != 0 || weights->dims(0) % groups != 0) return false;
      weights->set_dims(1, weights->dims(1) / groups);
      weights->mutable_float_data()->Truncate(weights->float_data_size() / groups);
      set(model, "group", groups);
      return true;
    });
  }
  for (const int k : {0, 1}) {
    if (node.op_type() != "Gemm") continue;
    const char* name = k == 0 ? "transA" : "transB";
    const int place = place_of(node, name);
    changes.add("Gemm", name, "turned", [&](onnx::ModelProto& model) {
      set(model, name, place < 0 || node.attribute(place).i() == 0 ? 1 : 0);
      if (onnx::TensorProto* matrix = constant_of(*model.mutable_graph(), node.input(k)); matrix != nullptr)
        matrix->mutable_dims()->SwapElements(0, 1);
      return true;
    });
  }
}

void constants(int n, const Changes& changes) {
  const onnx::NodeProto& node = changes.graph().node(n);
  const std::string& op = node.op_type();
  for (int i = 0; i < node.input_size(); ++i) {
    onnx::GraphProto copy = changes.graph();
    const onnx::TensorProto* found = constant_of(copy, node.input(i));
    if (i > 1) {
      changes.add(op, fmt::format("input {}", i), "left out", [&](onnx::ModelProto& model) {
        model.mutable_graph()->mutable_node(n)->set_input(i, "");
        return !node.input(i).empty();
      });
    }
    if (found == nullptr) continue;
    const std::string attribute = fmt::format("input {}", i);
    const auto with = [&](const std::string& what, auto change) {
      changes.add(op, attribute, what,
                  [&](onnx::ModelProto& model) { return change(*constant_of(*model.mutable_graph(), node.input(i))); });
    };
    for (int k = 0; counted.contains(op) && k < std::min(found->int64_data_size(), 8); ++k) {
      for (const int value : wholes) {
        with(fmt::format("[{}] {}", k, value), [&](onnx::TensorProto& tensor) {
          if (tensor.int64_data(k) == value) return false;
          tensor.set_int64_data(k, value);
          return true;
        });
      }
    }
    for (int k = 0; measured.contains(op) && k < std::min(found->float_data_size(), 4); ++k) {
      for (const float value : limits) {
        with(fmt::format("[{}] {}", k, value), [&](onnx::TensorProto& tensor) {
          if (tensor.float_data(k) == value) return false;
          tensor.set_float_data(k, value);
          return true;
        });
      }
    }
    if (!joining.contains(op) || found->float_data_size() == 0) continue;
    for (int rank = 0; rank <= 4; ++rank) {  // leading sides of 1 more or fewer: broadcasting ends at the last axis
      with(fmt::format("of {} sides", rank), [&](onnx::TensorProto& tensor) {
        while (tensor.dims_size() > rank && tensor.dims(0) == 1) tensor.mutable_dims()->erase(tensor.dims().begin());
        if (tensor.dims_size() < rank) {
          const std::vector<std::int64_t> sides(tensor.dims().begin(), tensor.dims().end());
          tensor.clear_dims();
          for (int k = static_cast<int>(sides.size()); k < rank; ++k) tensor.add_dims(1);
          for (const std::int64_t side : sides) tensor.add_dims(side);
        }
        return tensor.dims_size() == rank && rank != found->dims_size();
      });
    }
    with("last sides of 1 left out", [&](onnx::TensorProto& tensor) {
      while (tensor.dims_size() > 0 && tensor.dims(tensor.dims_size() - 1) == 1) tensor.mutable_dims()->RemoveLast();
      return tensor.dims_size() != found->dims_size();
    });
  }
  if (joining.contains(op) || op == "MatMul") {
    changes.add(op, "operands", "exchanged", [&](onnx::ModelProto& model) {
      onnx::NodeProto& changed = *model.mutable_graph()->mutable_node(n);
      changed.mutable_input()->SwapElements(0, 1);
      return node.input(0) != node.input(1);
    });
  }
}

// Float constants in the file as another type, which Casts turn into 32-bit floats.
bool cast_constants(onnx::ModelProto& model, int type) {
  onnx::GraphProto& graph = *model.mutable_graph();
  std::vector<onnx::NodeProto> casts;
  for (onnx::TensorProto& tensor : *graph.mutable_initializer()) {
    if (tensor.data_type() != float32 || tensor.float_data_size() < 2) continue;
    const std::string name = tensor.name();
    tensor.set_name(name + "_stored");
    tensor.set_data_type(type);
    for (float& value : *tensor.mutable_float_data()) {
      const auto bits = std::bit_cast<std::uint32_t>(value) & 0xffff0000U;  // exact in 16 bits, too
      if (type == float64) tensor.add_double_data(value);
      if (type == onnx::TensorProto::BFLOAT16) tensor.add_int32_data(static_cast<std::int32_t>(bits >> 16));
      if (type == onnx::TensorProto::FLOAT16) {
        const Eigen::half half(value);  // clang 14 has no _Float16
        tensor.add_int32_data(Eigen::numext::bit_cast<std::uint16_t>(half));
      }
    }
    tensor.clear_float_data();
    onnx::NodeProto cast;
    cast.set_op_type("Cast");
    cast.set_name(name + "_cast");
    cast.add_input(name + "_stored");
    cast.add_output(name);
    OnnxBuilder::write(Attr(float32), *cast.add_attribute());
    cast.mutable_attribute(0)->set_name("to");
    casts.push_back(cast);
  }
  for (const onnx::NodeProto& node : graph.node()) casts.push_back(node);
  graph.clear_node();
  for (const onnx::NodeProto& node : casts) *graph.add_node() = node;
  return true;
}

void whole_models(const Changes& changes) {
  for (const int version : versions) {
    changes.add("model", "opset", fmt::format("{}", version), [&](onnx::ModelProto& model) {
      const auto before = model.opset_import(0).version();
      model.mutable_opset_import(0)->set_version(version);
      return before != version;
    });
  }
  changes.add("model", "constants", "raw", [](onnx::ModelProto& model) {
    for (onnx::TensorProto& tensor : *model.mutable_graph()->mutable_initializer()) {
      std::string bytes;
      for (const float value : tensor.float_data()) bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
      for (const std::int64_t value : tensor.int64_data())
        bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
      if (bytes.empty()) continue;
      tensor.clear_float_data();
      tensor.clear_int64_data();
      tensor.set_raw_data(bytes);
    }
    return true;
  });
  changes.add("model", "constants", "nodes", [](onnx::ModelProto& model) {
    onnx::GraphProto& graph = *model.mutable_graph();
    std::vector<onnx::NodeProto> nodes;
    for (const onnx::TensorProto& tensor : graph.initializer()) {
      onnx::NodeProto node;
      node.set_op_type("Constant");
      node.set_name(tensor.name() + "_node");
      node.add_output(tensor.name());
      onnx::AttributeProto& value = *node.add_attribute();
      value.set_name("value");
      value.set_type(onnx::AttributeProto::TENSOR);
      *value.mutable_t() = tensor;
      nodes.push_back(node);
    }
    for (const onnx::NodeProto& node : graph.node()) nodes.push_back(node);
    graph.clear_initializer();
    graph.clear_node();
    for (const onnx::NodeProto& node : nodes) *graph.add_node() = node;
    return true;
  });
  changes.add("model", "constants", "float16 and Cast",
              [](onnx::ModelProto& model) { return cast_constants(model, onnx::TensorProto::FLOAT16); });
  changes.add("model", "constants", "bfloat16 and Cast",
              [](onnx::ModelProto& model) { return cast_constants(model, onnx::TensorProto::BFLOAT16); });
  changes.add("model", "constants", "float64 and Cast",
              [](onnx::ModelProto& model) { return cast_constants(model, float64); });
  changes.add("model", "type", "float64", [](onnx::ModelProto& model) {
    onnx::GraphProto& graph = *model.mutable_graph();
    graph.mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(float64);
    for (onnx::TensorProto& tensor : *graph.mutable_initializer()) {
      if (tensor.data_type() != float32) continue;
      tensor.set_data_type(float64);
      for (const float value : tensor.float_data()) tensor.add_double_data(value);
      tensor.clear_float_data();
    }
    return true;
  });
}

}  // namespace

void for_each_variant(const std::string& model, const std::function<void(const Variant&)>& visit) {
  onnx::ModelProto parsed;
  if (!parsed.ParseFromString(model)) return;
  const Changes changes(parsed, visit);
  for (int n = 0; n < parsed.graph().node_size(); ++n) {
    attributes(n, changes);
    shapes_of_weights(n, changes);
    constants(n, changes);
  }
  whole_models(changes);
}

}  // namespace bitstrata::testing
