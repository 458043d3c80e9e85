// SPDX-License-Identifier: Apache-2.0
// Small ONNX models made on the spot, and their plain execution in the file's own NCHW terms: an executor that shares
// nothing with the importer, to compare it with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace onnx {
class AttributeProto;
}

namespace bitstrata::testing {

struct Array {
  std::vector<std::int64_t> dims;
  std::vector<double> values;
  int type = 1;  // ONNX's data type; quantizers take theirs from their zero point's
};

// The least and the largest value of an ONNX data type of integers; throws std::invalid_argument for another type.
std::pair<double, double> range_of_type(int type);

class OnnxBuilder;

struct Attr {
  Attr(double value) : kind(real), reals{value} {}       // NOLINT: written as literals in tests
  Attr(int value) : kind(whole), wholes{value} {}        // NOLINT
  Attr(const char* value) : kind(text), words(value) {}  // NOLINT
  Attr(std::vector<std::int64_t> value) : kind(list), wholes(std::move(value)) {}  // NOLINT
  Attr(const OnnxBuilder& value);                                                  // NOLINT: a branch of an If
  enum { real, whole, text, list, graph } kind;
  std::vector<double> reals;
  std::vector<std::int64_t> wholes;
  std::string words;
  std::shared_ptr<const OnnxBuilder> branch;
};
using Attrs = std::map<std::string, Attr>;

class OnnxBuilder {
 public:
  struct Node {
    std::string op;
    std::vector<std::string> inputs, outputs;
    Attrs attributes;
    std::string domain;
  };

  explicit OnnxBuilder(std::vector<std::int64_t> input) : input_(std::move(input)) {}
  // A branch of an If: it has no input but may read what is around it; the names it makes begin with `prefix`.
  static OnnxBuilder branch(std::string prefix) {
    OnnxBuilder made(std::vector<std::int64_t>{});
    made.prefix_ = std::move(prefix);
    return made;
  }
  // Dimensions below 1 are written as symbols.
  const std::vector<std::int64_t>& input_dims() const { return input_; }
  // A float constant; `type` is another ONNX data type, whose values are then whole.
  std::string constant(std::vector<std::int64_t> dims, std::vector<double> values, int type = 1);
  std::string scalar(double value, int type = 1) { return constant({}, {value}, type); }
  std::string ints(std::vector<std::int64_t> values);
  // Seeded values in -1..1.
  std::string random(std::vector<std::int64_t> dims, double scale = 1);
  // Returns the name of the first output; input "" is one left out, "x" is the model's input.
  std::string node(const std::string& op, std::vector<std::string> inputs, Attrs attributes = {},
                   const std::string& domain = "", int outputs = 1);
  void output(const std::string& name) { output_ = name; }
  // A further output, which run() does not give.
  void second_output(const std::string& name) { second_output_ = name; }
  void opset(int version) { opset_ = version; }
  // Nodes have no names in the file, as those of many converters.
  void leave_out_names() { named_ = false; }
  // The model's input holds codes of this type instead of floats.
  void input_type(int type) { input_type_ = type; }
  int input_type() const { return input_type_; }

  // Gives a file's attribute the value and its type.
  static void write(const Attr& value, onnx::AttributeProto& attribute);

  std::filesystem::path save(const std::filesystem::path& file) const;
  std::string bytes() const;
  // The output for an input of input_dims(); `around`: the values that a branch may read.
  Array run(const Array& input, const std::map<std::string, Array>& around = {}) const;

 private:
  template <typename GraphProto>
  void fill(GraphProto& graph) const;  // all but the input
  std::vector<std::int64_t> input_;
  std::map<std::string, Array> constants_;
  std::vector<Node> nodes_;
  std::string output_, second_output_, prefix_;
  std::uint64_t state_ = 1;
  int opset_ = 13, input_type_ = 1;
  bool named_ = true;
};

inline Attr::Attr(const OnnxBuilder& value) : kind(graph), branch(std::make_shared<const OnnxBuilder>(value)) {}

// Values 0..1 for the input, or codes of its type (seeded), and the same in NHWC, as the imported network reads them.
Array random_input(const OnnxBuilder& model, std::uint64_t seed);
std::vector<float> to_nhwc(const Array& nchw);

}  // namespace bitstrata::testing
