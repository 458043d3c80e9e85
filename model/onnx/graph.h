// SPDX-License-Identifier: Apache-2.0
// An ONNX file as plain values (internal to model/onnx; protobuf stays in graph_reader.cpp and writer.cpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace bitstrata::model::interchange {

using Dims = std::vector<std::int64_t>;

std::int64_t elements_of(const Dims& dims);
std::string to_text(const Dims& dims);  // "1x3x32x32"

// How a constant was quantized: value = scale * code, codes of `bits` bits. One scale, or one for each entry of `axis`.
struct ConstantGrid {
  int bits = 8;
  bool bipolar = false;  // 1 bit, -1 and +1
  int axis = 0;
  std::vector<double> scales;
};

// A constant: an initializer, or what folding made of some. Integers and booleans lie in `ints`, floats of 64 bits in
// `doubles`, the rest in `reals`, where those of 16 bits are values that 16 bits hold.
struct Tensor {
  Dims dims;
  int type = 1;  // ONNX's data type number; 1 is float32, 7 is int64
  std::vector<float> reals;
  std::vector<double> doubles;
  std::vector<std::int64_t> ints;
  std::optional<ConstantGrid> grid;
  int code_bits = 0;       // of codes that a Clip has limited to fewer bits than their type has; else 0
  bool quantized = false;  // made of values that had codes, whether or not it has a grid itself

  bool whole() const;  // are the values in `ints`?
  // Appends a value to a tensor of floats, as the nearest one of its type, halves to even.
  void add(double value);
  // Appends a value of a tensor of the same kind of numbers.
  void add(const Tensor& from, std::size_t index);
  // Multiplies floats, each result as the nearest one of the type.
  void multiply(double factor);
  std::int64_t elements() const { return elements_of(dims); }
  // Operators read as many values as they need, a file holds as many as it likes: throws std::invalid_argument beyond.
  double at(std::size_t index) const;
  static Tensor of_reals(Dims dims, std::vector<float> values);
  static Tensor of_ints(Dims dims, std::vector<std::int64_t> values);
};

namespace type {
enum : int {
  real32 = 1,
  uint8 = 2,
  int8 = 3,
  uint16 = 4,
  int16 = 5,
  int32 = 6,
  int64 = 7,
  boolean = 9,
  real16 = 10,
  real64 = 11,
  uint32 = 12,
  uint64 = 13,
  brain16 = 16,
  uint4 = 21,
  int4 = 22
};
}

bool is_real(int type);  // floats of any width
// Floats of 16 bits, whose values are few of those of 32.
bool is_short_real(int type);
// The nearest value of a type of floats of at most 32 bits, halves to even.
float rounded_to(int type, double value);

// The codes of an integer data type of up to 32 bits; nothing for others.
struct TypeRange {
  int bits;
  bool is_signed;
  std::int64_t low() const { return is_signed ? -(std::int64_t{1} << (bits - 1)) : 0; }
  std::int64_t high() const { return (std::int64_t{1} << (is_signed ? bits - 1 : bits)) - 1; }
};
std::optional<TypeRange> integer_type(int type);
std::string type_name(int type);  // ONNX's own: "FLOAT16"

struct Graph;

// What an attribute holds; the numbers are ONNX's.
enum class Kind : int { unsaid = 0, real = 1, whole = 2, text = 3, tensor = 4, graph = 5, reals = 6, wholes = 7 };

struct Attribute {
  Kind kind = Kind::unsaid;  // a number that is none of them: something else
  double real = 0;
  std::int64_t whole = 0;
  std::string text;
  std::vector<double> reals;
  std::vector<std::int64_t> wholes;
  std::optional<Tensor> tensor;
  std::shared_ptr<const Graph> graph;  // a branch of an If; its nodes also read tensors of the graphs around it
};

inline constexpr const char* qonnx_channels_last = "qonnx.custom_op.channels_last";

struct OnnxNode {
  std::string op, domain, name;  // the name is never empty
  std::vector<std::string> inputs, outputs;
  std::map<std::string, Attribute> attributes;
  std::vector<std::string> captured = {};  // tensors from around its branches that these read

  // An operator on images of N, H, W, C: of qonnx, or of ONNX Runtime, whose weights stay [out][in][ky][kx].
  bool channels_last() const { return domain == qonnx_channels_last || whole("channels_last", 0) != 0; }
  bool has(const std::string& key) const { return attributes.count(key) != 0; }
  // Null where there is none. Throws std::invalid_argument where it is stored as something else; every attribute is
  // read through here, since another field's value would be 0 or empty.
  const Attribute* attribute(const std::string& key, Kind kind) const;
  std::int64_t whole(const std::string& key, std::int64_t otherwise) const;
  double real(const std::string& key, double otherwise) const;
  std::string text(const std::string& key, const std::string& otherwise) const;
  std::vector<std::int64_t> wholes(const std::string& key, std::vector<std::int64_t> otherwise = {}) const;
  const Tensor* tensor(const std::string& key) const;  // null where there is none
  std::string input(std::size_t index) const { return index < inputs.size() ? inputs[index] : std::string(); }
};

// "Conv node 'x': message"
[[noreturn]] void refuse(const OnnxNode& node, const std::string& message);

struct GraphInput {
  std::string name;
  Dims dims;                         // -1 where unknown
  std::vector<std::string> symbols;  // what the file calls unknown dimensions
  int type = 1;                      // ONNX's data type number
  bool known_rank = true;
};

struct Graph {
  std::string name;
  std::int64_t opset = 0;
  std::vector<OnnxNode> nodes;  // every node behind those whose outputs it reads
  std::map<std::string, Tensor> constants;
  std::vector<GraphInput> inputs;  // without those that have an initializer
  std::vector<std::string> outputs;
  std::map<std::string, std::string> metadata;
  std::vector<std::string> notes;   // what is done differently from the file
  std::set<std::string> functions;  // operators that the file itself defines: "domain:name"
};

// Puts one branch of the If called `node` in its place.
void take_branch(Graph& graph, const std::string& node, bool then);

// Throws std::runtime_error naming the file and what is damaged.
Graph read_graph(const std::filesystem::path& file);

}  // namespace bitstrata::model::interchange
