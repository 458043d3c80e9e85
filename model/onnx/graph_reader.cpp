// SPDX-License-Identifier: Apache-2.0
// Reads the protobuf of an ONNX file. Sizes are checked against the bytes that are there before anything is allocated.
#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/logging.h>
#include <onnx/onnx_pb.h>

#include <Eigen/Core>
#include <bit>
#include <charconv>
#include <cstring>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "model/input_file.h"
#include "model/onnx/graph.h"

namespace bitstrata::model::interchange {
namespace {

namespace fs = std::filesystem;

float half_to_float(std::uint16_t bits) { return static_cast<float>(Eigen::numext::bit_cast<Eigen::half>(bits)); }

float brain_to_float(std::uint16_t bits) { return static_cast<float>(Eigen::numext::bit_cast<Eigen::bfloat16>(bits)); }

// Bytes of one value; 0 for types that are not read, -1 for half a byte.
int width_of(int type) {
  switch (type) {
    case onnx::TensorProto::FLOAT:
    case onnx::TensorProto::INT32:
    case onnx::TensorProto::UINT32:
      return 4;
    case onnx::TensorProto::DOUBLE:
    case onnx::TensorProto::INT64:
    case onnx::TensorProto::UINT64:
      return 8;
    case onnx::TensorProto::UINT8:
    case onnx::TensorProto::INT8:
    case onnx::TensorProto::BOOL:
      return 1;
    case onnx::TensorProto::UINT16:
    case onnx::TensorProto::INT16:
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
      return 2;
    case type::uint4:
    case type::int4:
      return -1;
    default:
      return 0;
  }
}

// Whole numbers that a type holds. Fields of the file are wider than most types; what is read goes into 64 bits.
std::pair<std::int64_t, std::int64_t> range_of(int type) {
  const auto of = []<typename T>(T) {
    return std::pair<std::int64_t, std::int64_t>(std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
  };
  switch (type) {
    case onnx::TensorProto::BOOL:
      return {0, 1};
    case onnx::TensorProto::INT8:
      return of(std::int8_t{});
    case onnx::TensorProto::UINT8:
      return of(std::uint8_t{});
    case onnx::TensorProto::INT16:
      return of(std::int16_t{});
    case onnx::TensorProto::UINT16:
      return of(std::uint16_t{});
    case onnx::TensorProto::UINT32:
      return of(std::uint32_t{});
    case onnx::TensorProto::UINT64:
      return {0, std::numeric_limits<std::int64_t>::max()};
    default:
      return of(std::int64_t{});
  }
}

template <typename T>
std::vector<T> unpack(const std::string& raw, std::size_t count) {
  std::vector<T> values(count);
  if (count != 0) std::memcpy(values.data(), raw.data(), count * sizeof(T));
  return values;
}

template <typename T>
void take_ints(const std::string& raw, std::size_t count, Tensor& tensor) {
  const auto values = unpack<T>(raw, count);
  tensor.ints.assign(values.begin(), values.end());
}

// What an attribute says that it holds, or holds where it does not say so.
Kind kind_of(const onnx::AttributeProto& attribute) {
  if (attribute.type() != onnx::AttributeProto::UNDEFINED) return static_cast<Kind>(attribute.type());
  if (attribute.has_f()) return Kind::real;
  if (attribute.has_i()) return Kind::whole;
  if (attribute.has_s()) return Kind::text;
  if (attribute.has_t()) return Kind::tensor;
  if (attribute.has_g()) return Kind::graph;
  if (attribute.floats_size() != 0) return Kind::reals;
  return attribute.ints_size() != 0 ? Kind::wholes : Kind::unsaid;
}

class GraphReader {
 public:
  explicit GraphReader(const fs::path& file) : file_(file) {}

  Graph read() {
    refuse_device(file_);
    std::ifstream stream(file_, std::ios::binary);
    std::ostringstream text;
    if (!stream || fs::is_directory(file_) || !(text << stream.rdbuf())) {
      damaged("cannot be read: missing, empty or not a readable file");
    }
    const std::string bytes = text.str();
    // Errors come as one exception line, not as protobuf's own lines on stderr.
    const google::protobuf::LogSilencer silence;
    google::protobuf::io::CodedInputStream input(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                                 static_cast<int>(std::min<std::size_t>(bytes.size(), 0x7fffffff)));
    onnx::ModelProto model;
    if (bytes.size() > 0x7fffffff) damaged("is larger than 2 GiB, the limit of an ONNX file without external data");
    if (!model.ParseFromCodedStream(&input) || !input.ConsumedEntireMessage() || !model.has_graph()) {
      damaged("is not an ONNX model, or is truncated");
    }
    Graph graph;
    graph.name = model.graph().name();
    for (const auto& set : model.opset_import()) {
      if (set.domain().empty() || set.domain() == "ai.onnx") graph.opset = set.version();
    }
    for (const auto& entry : model.metadata_props()) graph.metadata[entry.key()] = entry.value();
    for (const auto& function : model.functions()) graph.functions.insert(function.domain() + ":" + function.name());
    for (const auto& tensor : model.graph().initializer()) {
      graph.constants.insert_or_assign(tensor.name(), constant(tensor));
    }
    if (model.graph().sparse_initializer_size() != 0) damaged("holds sparse initializers, which are not read");
    for (const auto& value : model.graph().input()) {
      if (graph.constants.count(value.name()) == 0) graph.inputs.push_back(input_of(value));
    }
    for (const auto& value : model.graph().output()) graph.outputs.push_back(value.name());
    nodes_of(model.graph(), graph);
    return graph;
  }

 private:
  [[noreturn]] void damaged(const std::string& why) const {
    throw std::runtime_error(fmt::format("{}: {}", file_.string(), why));
  }

  void nodes_of(const onnx::GraphProto& proto, Graph& graph) const {
    std::vector<OnnxNode> nodes;
    std::set<std::string> names;
    for (const auto& node : proto.node()) nodes.push_back(node_of(node, nodes.size(), names));
    sort(std::move(nodes), graph);
  }

  Graph branch_of(const onnx::GraphProto& proto) const {
    Graph graph;
    for (const auto& tensor : proto.initializer()) graph.constants.insert_or_assign(tensor.name(), constant(tensor));
    if (proto.sparse_initializer_size() != 0) damaged("holds sparse initializers, which are not read");
    for (const auto& value : proto.output()) graph.outputs.push_back(value.name());
    nodes_of(proto, graph);
    return graph;
  }

  // What a branch reads from the graphs around it.
  static void capture(const Graph& branch, std::vector<std::string>& captured) {
    std::set<std::string> made;
    for (const auto& entry : branch.constants) made.insert(entry.first);
    for (const OnnxNode& node : branch.nodes) made.insert(node.outputs.begin(), node.outputs.end());
    const auto take = [&](const std::vector<std::string>& names) {
      for (const std::string& name : names)
        if (!name.empty() && made.count(name) == 0) captured.push_back(name);
    };
    for (const OnnxNode& node : branch.nodes) take(node.inputs), take(node.captured);
    take(branch.outputs);
  }

  // The bytes of a tensor that lies in a file beside the model.
  std::string external(const onnx::TensorProto& proto) const {
    std::string location;
    std::uint64_t offset = 0, length = 0;
    bool has_length = false;
    for (const auto& entry : proto.external_data()) {
      const auto number = [&] {
        const std::string& text = entry.value();
        std::uint64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc{} || end != text.data() + text.size())
          damaged(fmt::format("tensor '{}': {} '{}' is no number of bytes", proto.name(), entry.key(), text));
        return value;
      };
      if (entry.key() == "location") location = entry.value();
      if (entry.key() == "offset") offset = number();
      if (entry.key() == "length") length = number(), has_length = true;
    }
    const fs::path relative = location;
    bool inside = !location.empty() && relative.is_relative();
    for (const fs::path& part : relative) inside = inside && part != "..";
    if (!inside) damaged(fmt::format("tensor '{}' lies in '{}', outside the model's folder", proto.name(), location));
    const fs::path path = file_.parent_path() / relative;
    std::error_code error;
    const std::uint64_t size = fs::file_size(path, error);
    if (error || offset > size) damaged(fmt::format("its external data file {} is missing or short", path.string()));
    if (!has_length) length = size - offset;
    if (length > size - offset) damaged(fmt::format("its external data file {} is short", path.string()));
    std::string bytes(length, '\0');
    std::ifstream stream(path, std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(offset));
    if (!stream.read(bytes.data(), static_cast<std::streamsize>(length))) {
      damaged(fmt::format("cannot read its external data file {}", path.string()));
    }
    return bytes;
  }

  Tensor constant(const onnx::TensorProto& proto) const {
    Tensor tensor;
    tensor.dims.assign(proto.dims().begin(), proto.dims().end());
    const std::string what = fmt::format("tensor '{}'", proto.name());
    std::int64_t signed_count = 0;
    try {
      signed_count = elements_of(tensor.dims);
    } catch (const std::exception& error) {
      damaged(fmt::format("{}: {}", what, error.what()));
    }
    // No file holds as many; their bytes would not even be a number of 64 bits.
    if (signed_count > std::int64_t{1} << 40) damaged(fmt::format("{} of {} is too large", what, to_text(tensor.dims)));
    const auto count = static_cast<std::size_t>(signed_count);
    const int type = proto.data_type(), width = width_of(type);
    if (width == 0) damaged(fmt::format("{} has data type {}, which is not read", what, type));
    tensor.type = type;
    const bool outside = proto.data_location() == onnx::TensorProto::EXTERNAL;
    if (outside || proto.has_raw_data()) {
      const std::string raw = outside ? external(proto) : proto.raw_data();
      const std::size_t expected = width < 0 ? (count + 1) / 2 : count * static_cast<std::size_t>(width);
      if (raw.size() != expected) {
        damaged(
            fmt::format("{} of {} needs {} bytes, the file has {}", what, to_text(tensor.dims), expected, raw.size()));
      }
      from_raw(raw, type, count, tensor);
      check_range(tensor, what);
      return tensor;
    }
    const auto check = [&](int have) {
      if (static_cast<std::size_t>(have) != count) {
        damaged(fmt::format("{} of {} needs {} values, the file has {}", what, to_text(tensor.dims), count, have));
      }
    };
    if (type == onnx::TensorProto::FLOAT) {
      check(proto.float_data_size());
      tensor.reals.assign(proto.float_data().begin(), proto.float_data().end());
    } else if (type == onnx::TensorProto::DOUBLE) {
      check(proto.double_data_size());
      tensor.doubles.assign(proto.double_data().begin(), proto.double_data().end());
    } else if (type == onnx::TensorProto::FLOAT16 || type == onnx::TensorProto::BFLOAT16) {
      check(proto.int32_data_size());
      for (const int value : proto.int32_data()) {
        tensor.reals.push_back(type == onnx::TensorProto::FLOAT16 ? half_to_float(static_cast<std::uint16_t>(value))
                                                                  : brain_to_float(static_cast<std::uint16_t>(value)));
      }
    } else if (type == onnx::TensorProto::INT64) {
      check(proto.int64_data_size());
      tensor.ints.assign(proto.int64_data().begin(), proto.int64_data().end());
    } else if (type == onnx::TensorProto::UINT32 || type == onnx::TensorProto::UINT64) {
      check(proto.uint64_data_size());
      tensor.ints.assign(proto.uint64_data().begin(), proto.uint64_data().end());
    } else if (width > 0) {
      check(proto.int32_data_size());
      tensor.ints.assign(proto.int32_data().begin(), proto.int32_data().end());
    } else {
      damaged(fmt::format("{} has 4-bit data outside raw_data, which is not read", what));
    }
    check_range(tensor, what);
    return tensor;
  }

  void check_range(const Tensor& tensor, const std::string& what) const {
    const auto [low, high] = range_of(tensor.type);
    for (const std::int64_t value : tensor.ints) {
      if (value >= low && value <= high) continue;
      // In 64 bits, unsigned values above the largest signed one have become negative.
      damaged(fmt::format("{} holds {}; its type has {} to {}", what,
                          tensor.type == onnx::TensorProto::UINT64 ? std::to_string(static_cast<std::uint64_t>(value))
                                                                   : std::to_string(value),
                          low, high));
    }
  }

  static void from_raw(const std::string& raw, int type, std::size_t count, Tensor& tensor) {
    switch (type) {
      case onnx::TensorProto::FLOAT:
        tensor.reals = unpack<float>(raw, count);
        break;
      case onnx::TensorProto::DOUBLE:
        tensor.doubles = unpack<double>(raw, count);
        break;
      case onnx::TensorProto::FLOAT16:
        for (const std::uint16_t value : unpack<std::uint16_t>(raw, count))
          tensor.reals.push_back(half_to_float(value));
        break;
      case onnx::TensorProto::BFLOAT16:
        for (const std::uint16_t value : unpack<std::uint16_t>(raw, count))
          tensor.reals.push_back(brain_to_float(value));
        break;
      case onnx::TensorProto::INT8:
        take_ints<std::int8_t>(raw, count, tensor);
        break;
      case onnx::TensorProto::UINT8:
      case onnx::TensorProto::BOOL:
        take_ints<std::uint8_t>(raw, count, tensor);
        break;
      case onnx::TensorProto::INT16:
        take_ints<std::int16_t>(raw, count, tensor);
        break;
      case onnx::TensorProto::UINT16:
        take_ints<std::uint16_t>(raw, count, tensor);
        break;
      case onnx::TensorProto::INT32:
        take_ints<std::int32_t>(raw, count, tensor);
        break;
      case onnx::TensorProto::UINT32:
        take_ints<std::uint32_t>(raw, count, tensor);
        break;
      case type::int4:
      case type::uint4:
        for (std::size_t i = 0; i < count; ++i) {  // the lower half first
          const int nibble = (static_cast<std::uint8_t>(raw[i / 2]) >> (i % 2 * 4)) & 15;
          tensor.ints.push_back(type == type::int4 && nibble > 7 ? nibble - 16 : nibble);
        }
        break;
      default:
        take_ints<std::int64_t>(raw, count, tensor);
        break;
    }
  }

  GraphInput input_of(const onnx::ValueInfoProto& value) const {
    GraphInput input{.name = value.name(), .dims = {}, .symbols = {}};
    if (!value.type().has_tensor_type()) damaged(fmt::format("input '{}' is no tensor", value.name()));
    input.type = value.type().tensor_type().elem_type();
    input.known_rank = value.type().tensor_type().has_shape();
    for (const auto& dim : value.type().tensor_type().shape().dim()) {
      const bool known = dim.has_dim_value() && dim.dim_value() > 0;
      input.dims.push_back(known ? dim.dim_value() : -1);
      input.symbols.push_back(dim.dim_param());
    }
    return input;
  }

  OnnxNode node_of(const onnx::NodeProto& proto, std::size_t index, std::set<std::string>& names) const {
    OnnxNode node{.op = proto.op_type(),
                  .domain = proto.domain(),
                  .name = proto.name(),
                  .inputs = {},
                  .outputs = {},
                  .attributes = {}};
    if (node.domain == "ai.onnx") node.domain.clear();
    node.inputs.assign(proto.input().begin(), proto.input().end());
    node.outputs.assign(proto.output().begin(), proto.output().end());
    if (node.outputs.empty()) damaged(fmt::format("{} node '{}' has no output", node.op, node.name));
    if (node.name.empty()) node.name = node.outputs[0];
    if (node.name.empty()) node.name = fmt::format("{}_{}", node.op, index);
    while (!names.insert(node.name).second) node.name += fmt::format("_{}", index);
    for (const auto& attribute : proto.attribute()) {
      Attribute value;
      value.kind = kind_of(attribute);
      value.real = attribute.f();
      value.whole = attribute.i();
      value.text = attribute.s();
      value.reals.assign(attribute.floats().begin(), attribute.floats().end());
      value.wholes.assign(attribute.ints().begin(), attribute.ints().end());
      if (attribute.has_t()) value.tensor = constant(attribute.t());
      if (node.op == "If" && attribute.has_g()) {
        value.graph = std::make_shared<const Graph>(branch_of(attribute.g()));
        capture(*value.graph, node.captured);
      }
      node.attributes[attribute.name()] = std::move(value);
    }
    return node;
  }

  // ONNX asks for sorted nodes, but not every exporter heeds it.
  void sort(std::vector<OnnxNode> nodes, Graph& graph) const {
    std::map<std::string, std::size_t> producer;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      for (const std::string& output : nodes[i].outputs) {
        if (!output.empty() && !producer.emplace(output, i).second) {
          damaged(fmt::format("two nodes write '{}'", output));
        }
      }
    }
    enum class State : char { fresh, open, done };
    std::vector<State> states(nodes.size(), State::fresh);
    std::vector<std::size_t> order, stack;
    for (std::size_t root = 0; root < nodes.size(); ++root) {
      stack.push_back(root);
      while (!stack.empty()) {
        const std::size_t i = stack.back();
        if (states[i] == State::done) {
          stack.pop_back();
          continue;
        }
        const bool again = states[i] == State::open;
        states[i] = State::open;
        bool ready = true;
        std::vector<std::string> read = nodes[i].inputs;
        read.insert(read.end(), nodes[i].captured.begin(), nodes[i].captured.end());
        for (const std::string& input : read) {
          const auto found = producer.find(input);
          if (found == producer.end() || states[found->second] == State::done) continue;
          if (again || states[found->second] == State::open) {
            damaged(fmt::format("its nodes run in a circle through '{}'", input));
          }
          stack.push_back(found->second);
          ready = false;
        }
        if (!ready) continue;
        states[i] = State::done;
        order.push_back(i);
        stack.pop_back();
      }
    }
    for (const std::size_t i : order) graph.nodes.push_back(std::move(nodes[i]));
  }

  fs::path file_;
};

}  // namespace

Graph read_graph(const fs::path& file) { return GraphReader(file).read(); }

}  // namespace bitstrata::model::interchange
