// SPDX-License-Identifier: Apache-2.0
#include "tests/model/onnx_mutants.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

namespace bitstrata::testing {
namespace {

constexpr std::array<std::int64_t, 12> wholes = {-1,
                                                 0,
                                                 1,
                                                 2,
                                                 -8,
                                                 70000,
                                                 std::numeric_limits<std::int32_t>::min(),
                                                 std::int64_t{1} << 31,
                                                 std::int64_t{1} << 40,
                                                 std::int64_t{1} << 62,
                                                 std::numeric_limits<std::int64_t>::min(),
                                                 std::numeric_limits<std::int64_t>::max()};
constexpr std::array<float, 9> reals = {-1.0F,
                                        0.0F,
                                        -0.0F,
                                        1e-38F,
                                        3e38F,
                                        2147483648.0F,
                                        std::numeric_limits<float>::quiet_NaN(),
                                        std::numeric_limits<float>::infinity(),
                                        -std::numeric_limits<float>::infinity()};
constexpr std::array<int, 6> types = {1, 2, 3, 7, 9, 11};

const std::string none, model_input = "x", other = "OTHER";

using Change = std::function<void(onnx::GraphProto&)>;

class Changes {
 public:
  void add(const std::string& what, Change change) { all_.push_back({what, std::move(change)}); }

  // Every entry of a list at every value, the list emptied, shortened and lengthened. `list` finds it in a graph.
  template <typename List, typename Values>
  void of_list(const std::string& what, int size, const Values& values, List list) {
    for (int i = 0; i < std::min(size, 4); ++i) {
      for (const auto value : values)
        add(fmt::format("{}[{}] = {}", what, i, value), [=](auto& graph) { list(graph).Set(i, value); });
    }
    add(fmt::format("{} emptied", what), [=](auto& graph) { list(graph).Clear(); });
    if (size > 0) add(fmt::format("{} shortened", what), [=](auto& graph) { list(graph).RemoveLast(); });
    add(fmt::format("{} lengthened", what), [=](auto& graph) { list(graph).Add(values[0]); });
  }

  const std::vector<std::pair<std::string, Change>>& all() const { return all_; }

 private:
  std::vector<std::pair<std::string, Change>> all_;
};

void change_attribute(int n, int a, const onnx::AttributeProto& attribute, const std::string& node, Changes& changes) {
  const std::string what = fmt::format("{}.{}", node, attribute.name());
  const auto at = [n, a](onnx::GraphProto& graph) { return graph.mutable_node(n)->mutable_attribute(a); };
  if (attribute.type() == onnx::AttributeProto::INT) {
    for (const std::int64_t value : wholes)
      changes.add(fmt::format("{} = {}", what, value), [=](auto& graph) { at(graph)->set_i(value); });
  }
  if (attribute.type() == onnx::AttributeProto::FLOAT) {
    for (const float value : reals)
      changes.add(fmt::format("{} = {}", what, value), [=](auto& graph) { at(graph)->set_f(value); });
  }
  if (attribute.type() == onnx::AttributeProto::INTS)
    changes.of_list(
        what, attribute.ints_size(), wholes, [=](auto& graph) -> auto& { return *at(graph)->mutable_ints(); });
  if (attribute.type() == onnx::AttributeProto::STRING)
    changes.add(fmt::format("{} = other", what), [=](auto& graph) { at(graph)->set_s(other); });
  changes.add(fmt::format("{} missing", what),
              [=](auto& graph) { graph.mutable_node(n)->mutable_attribute()->DeleteSubrange(a, 1); });
}

void change_node(int n, const onnx::NodeProto& node, Changes& changes) {
  for (int a = 0; a < node.attribute_size(); ++a) change_attribute(n, a, node.attribute(a), node.name(), changes);
  for (int i = 0; i < node.input_size(); ++i) {
    const std::string what = fmt::format("{} input {}", node.name(), i);
    changes.add(fmt::format("{} left out", what), [=](auto& graph) { graph.mutable_node(n)->set_input(i, none); });
    changes.add(fmt::format("{} is the model's", what),
                [=](auto& graph) { graph.mutable_node(n)->set_input(i, model_input); });
    changes.add(fmt::format("{} is its first", what),
                [=](auto& graph) { graph.mutable_node(n)->set_input(i, graph.node(n).input(0)); });
    changes.add(fmt::format("{} and behind dropped", what),
                [=](auto& graph) { graph.mutable_node(n)->mutable_input()->DeleteSubrange(i, node.input_size() - i); });
  }
  if (node.output_size() == 0) return;  // a mutant's own
  changes.add(fmt::format("{} output twice", node.name()),
              [=](auto& graph) { graph.mutable_node(n)->add_output(graph.node(n).output(0)); });
  changes.add(fmt::format("{} output left out", node.name()),
              [=](auto& graph) { graph.mutable_node(n)->set_output(0, none); });
}

void change_constant(int c, const onnx::TensorProto& tensor, Changes& changes) {
  const std::string what = tensor.name();
  const auto at = [c](onnx::GraphProto& graph) { return graph.mutable_initializer(c); };
  const auto empty = [at](onnx::GraphProto& graph) {
    at(graph)->clear_float_data();
    at(graph)->clear_int64_data();
    at(graph)->clear_int32_data();
    at(graph)->clear_raw_data();
  };
  if (tensor.float_data_size() > 0) {
    for (const float value : reals)
      changes.add(fmt::format("{}[0] = {}", what, value), [=](auto& graph) { at(graph)->set_float_data(0, value); });
  }
  for (int i = 0; i < std::min(tensor.int64_data_size(), 4); ++i) {
    for (const std::int64_t value : wholes)
      changes.add(fmt::format("{}[{}] = {}", what, i, value),
                  [=](auto& graph) { at(graph)->set_int64_data(i, value); });
  }
  changes.of_list(
      fmt::format("{} dims", what), tensor.dims_size(),
      wholes, [=](auto& graph) -> auto& { return *at(graph)->mutable_dims(); });
  for (const std::int64_t side : wholes) {  // no values, and sides that would have been many
    changes.add(fmt::format("{} of {} x 0", what, side), [=](auto& graph) {
      empty(graph);
      at(graph)->clear_dims();
      at(graph)->add_dims(side);
      at(graph)->add_dims(0);
    });
  }
  changes.add(fmt::format("{} of 0", what), [=](auto& graph) {
    empty(graph);
    at(graph)->clear_dims();
    at(graph)->add_dims(0);
  });
  for (const int type : types)
    changes.add(fmt::format("{} of type {}", what, type), [=](auto& graph) { at(graph)->set_data_type(type); });
  changes.add(fmt::format("{} one value longer", what), [=](auto& graph) {
    std::uint64_t count = 1;  // of a mutant of a mutant, whose sides may be of any size; wraps around as it likes
    for (const std::int64_t side : at(graph)->dims()) count *= static_cast<std::uint64_t>(side);
    at(graph)->clear_dims();
    at(graph)->add_dims(static_cast<std::int64_t>(count + 1));
    if (tensor.float_data_size() > 0) at(graph)->add_float_data(1);
    if (tensor.int64_data_size() > 0) at(graph)->add_int64_data(1);
    if (tensor.int32_data_size() > 0) at(graph)->add_int32_data(1);
  });
}

Changes changes_of(const onnx::GraphProto& graph) {
  Changes changes;
  for (int n = 0; n < graph.node_size(); ++n) change_node(n, graph.node(n), changes);
  for (int c = 0; c < graph.initializer_size(); ++c) change_constant(c, graph.initializer(c), changes);
  for (int i = 0; i < graph.input_size(); ++i) {
    for (int d = 0; d < graph.input(i).type().tensor_type().shape().dim_size(); ++d) {
      for (const std::int64_t side : wholes) {
        changes.add(fmt::format("input side {} = {}", d, side), [=](auto& g) {
          g.mutable_input(i)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(d)->set_dim_value(
              side);
        });
      }
    }
  }
  return changes;
}

}  // namespace

std::size_t for_each_mutant(const std::string& model,
                            const std::function<void(const std::string& bytes, const std::string& what)>& visit) {
  onnx::ModelProto parsed;
  if (!parsed.ParseFromString(model)) return 0;
  const Changes changes = changes_of(parsed.graph());
  for (const auto& [what, change] : changes.all()) {
    onnx::ModelProto mutant = parsed;
    change(*mutant.mutable_graph());
    visit(mutant.SerializeAsString(), what);
  }
  return changes.all().size();
}

std::string mutant_of(const std::string& model, std::uint64_t seed) {
  onnx::ModelProto parsed;
  if (!parsed.ParseFromString(model)) return model;
  const Changes changes = changes_of(parsed.graph());
  if (changes.all().empty()) return model;
  changes.all()[seed % changes.all().size()].second(*parsed.mutable_graph());
  return parsed.SerializeAsString();
}

}  // namespace bitstrata::testing
