// SPDX-License-Identifier: Apache-2.0
// Writes quantized networks as ONNX, in N,C,H,W. What the schema of a style cannot say stands in the file's metadata:
// widths below 8 bits of QDQ files, whose clipping is spelled out as Clip nodes for other readers.
#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "model/activations.h"
#include "model/onnx/onnx.h"
#include "model/output_file.h"

namespace bitstrata::model {
namespace {

constexpr const char* qonnx_domain = "qonnx.custom_op.general";

using Sides = std::vector<std::int64_t>;

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

class Writer {
 public:
  Writer(const FloatNetwork& network, OnnxStyle style)
      : network_(network), graph_(network.graph), qonnx_(style == OnnxStyle::qonnx) {}

  std::string bytes() {
    const int version = opset();
    model_.set_ir_version(version > 20 ? 10 : version > 19 ? 9 : 8);
    model_.set_producer_name("bitstrata");
    auto* opset = model_.add_opset_import();
    opset->set_domain("");
    opset->set_version(version);
    if (qonnx_) {
      auto* own = model_.add_opset_import();
      own->set_domain(qonnx_domain);
      own->set_version(1);
    }
    proto().set_name(graph_.name());
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i) add(static_cast<int>(i));
    auto* output = proto().add_output();
    output->set_name(values_.back());
    auto* type = output->mutable_type()->mutable_tensor_type();
    type->set_elem_type(onnx::TensorProto::FLOAT);
    const Shape last = graph_.nodes().back().output;
    std::vector<int> sides = {1, last.channels, last.height, last.width};
    if (flat_.back()) sides.resize(2);
    for (const int side : sides) type->mutable_shape()->add_dim()->set_dim_value(side);
    entry("bitstrata.format", "1");
    return model_.SerializeAsString();
  }

 private:
  onnx::GraphProto& proto() { return *model_.mutable_graph(); }

  // Quantizers have 16-bit types from opset 21 on, which came with version 10 of the format, and some activations came
  // late too. Older readers refuse such files, so those that need neither stay with opset 14.
  int opset() const {
    int version = !qonnx_ && has_wide_codes() ? 21 : 14;
    for (const Node& node : graph_.nodes())
      if (const Function* row = function_of(node.op)) version = std::max(version, row->opset);
    return version;
  }

  bool has_wide_codes() const {
    const auto wide_grid = [](const std::optional<Grid>& grid) { return grid && grid->bits > 8; };
    return std::any_of(network_.grids.begin(), network_.grids.end(), wide_grid) ||
           std::any_of(network_.parameters.begin(), network_.parameters.end(),
                       [](const Parameters& p) { return p.weight_bits > 8; });
  }

  [[noreturn]] void refuse(const std::string& message) const {
    throw std::invalid_argument(fmt::format("node '{}': {}", graph_.node(now_).name, message));
  }

  void entry(const std::string& key, const std::string& value) {
    auto* made = model_.add_metadata_props();
    made->set_key(key);
    made->set_value(value);
  }

  std::string constant(const std::vector<std::int64_t>& dims, const std::vector<double>& values,
                       int type = onnx::TensorProto::FLOAT) {
    auto* tensor = proto().add_initializer();
    tensor->set_name(fmt::format("constant_{}", proto().initializer_size() - 1));
    tensor->set_data_type(type);
    for (const std::int64_t side : dims) tensor->add_dims(side);
    for (const double value : values) {
      if (type == onnx::TensorProto::FLOAT) {
        tensor->add_float_data(static_cast<float>(value));
      } else if (type == onnx::TensorProto::INT64) {
        tensor->add_int64_data(static_cast<std::int64_t>(value));
      } else {
        tensor->add_int32_data(static_cast<int>(value));
      }
    }
    return tensor->name();
  }

  onnx::NodeProto& node(const std::string& op, const std::string& name, const std::vector<std::string>& inputs) {
    auto* made = proto().add_node();
    made->set_op_type(op);
    made->set_name(name);
    for (const std::string& input : inputs) made->add_input(input);
    made->add_output(fmt::format("value_{}", proto().node_size() - 1));
    return *made;
  }

  std::string emit(const std::string& op, const std::string& name, const std::vector<std::string>& inputs) {
    return node(op, name, inputs).output(0);
  }

  static void attribute(onnx::NodeProto& to, const char* name, std::int64_t value) {
    auto* made = to.add_attribute();
    made->set_name(name);
    made->set_type(onnx::AttributeProto::INT);
    made->set_i(value);
  }
  static void attribute(onnx::NodeProto& to, const char* name, double value) {
    auto* made = to.add_attribute();
    made->set_name(name);
    made->set_type(onnx::AttributeProto::FLOAT);
    made->set_f(static_cast<float>(value));
  }
  static void attribute(onnx::NodeProto& to, const char* name, const std::string& value) {
    auto* made = to.add_attribute();
    made->set_name(name);
    made->set_type(onnx::AttributeProto::STRING);
    made->set_s(value);
  }
  static void attribute(onnx::NodeProto& to, const char* name, const std::vector<std::int64_t>& values) {
    auto* made = to.add_attribute();
    made->set_name(name);
    made->set_type(onnx::AttributeProto::INTS);
    for (const std::int64_t value : values) made->add_ints(value);
  }

  void windowed(onnx::NodeProto& to, const Window& w) {
    attribute(to, "kernel_shape", Sides{w.kernel_height, w.kernel_width});
    attribute(to, "strides", Sides{w.stride_height, w.stride_width});
    attribute(to, "pads", Sides{w.pad_top, w.pad_left, w.pad_bottom, w.pad_right});
    if (to.op_type() != "AveragePool") attribute(to, "dilations", Sides{w.dilation_height, w.dilation_width});
  }

  // The values of an input of the node being written, as an image or as a vector.
  std::string image(std::size_t input) {
    const int from = graph_.node(now_).inputs.at(input);
    const Node& source = graph_.node(from);
    if (!flat_[at(from)]) return values_[at(from)];
    return emit("Reshape", "",
                {values_[at(from)],
                 constant({4}, {1.0, static_cast<double>(source.output.channels), 1, 1}, onnx::TensorProto::INT64)});
  }

  void add(int index) {
    now_ = index;
    const Node& n = graph_.node(index);
    flat_.push_back(n.op == Op::linear);
    std::string value;
    switch (n.op) {
      case Op::input:
        value = input(n);
        break;
      case Op::convolution: {
        auto& made = node("Conv", n.name, {image(0), weights(n), bias()});
        windowed(made, n.window);
        attribute(made, "group", std::int64_t{n.groups});
        value = made.output(0);
        break;
      }
      case Op::linear: {
        const std::string x =
            flat_[at(n.inputs[0])] ? values_[at(n.inputs[0])] : emit("Flatten", "", {values_[at(n.inputs[0])]});
        auto& made = node("Gemm", n.name, {x, weights(n), bias()});
        attribute(made, "transB", std::int64_t{1});
        value = made.output(0);
        break;
      }
      case Op::max_pool:
      case Op::average_pool: {
        if (n.op == Op::average_pool && n.window == Window{}) {  // a second rounding: its quantizer alone
          value = image(0);
          break;
        }
        auto& made = node(n.op == Op::max_pool ? "MaxPool" : "AveragePool", n.name, {image(0)});
        windowed(made, n.window);
        value = made.output(0);
        break;
      }
      case Op::add:
      case Op::multiply:
        value = emit(n.op == Op::add ? "Add" : "Mul", n.name, {image(0), image(1)});
        break;
      case Op::concatenate: {
        std::vector<std::string> inputs;
        for (std::size_t i = 0; i < n.inputs.size(); ++i) inputs.push_back(image(i));
        auto& made = node("Concat", n.name, inputs);
        attribute(made, "axis", std::int64_t{1});
        value = made.output(0);
        break;
      }
      case Op::upsample: {
        const double f = n.factor;
        auto& made = node("Resize", n.name, {image(0), "", constant({4}, {1, 1, f, f})});
        attribute(made, "mode", std::string("nearest"));
        attribute(made, "coordinate_transformation_mode", std::string("asymmetric"));
        attribute(made, "nearest_mode", std::string("floor"));
        value = made.output(0);
        break;
      }
      case Op::depth_to_space:
        value = spread(n);
        break;
      case Op::batch_norm:
        refuse("a batch norm must be folded before it is written");
      default:
        flat_.back() = flat_[at(n.inputs[0])];
        value = activation(n, values_[at(n.inputs[0])]);
    }
    values_.push_back(network_.grids[at(index)] ? rounded(value, *network_.grids[at(index)], n) : value);
  }

  // DepthToSpace for square blocks, else what it is defined as.
  std::string spread(const Node& n) {
    const std::int64_t rows = n.block[0], columns = n.block[1];
    if (rows == columns) {
      auto& made = node("DepthToSpace", n.name, {image(0)});
      attribute(made, "blocksize", rows);
      attribute(made, "mode", std::string("DCR"));
      return made.output(0);
    }
    const Shape in = graph_.input_shape(now_);
    const auto sides = [&](std::initializer_list<std::int64_t> values) {
      const std::vector<double> numbers(values.begin(), values.end());
      return constant({static_cast<std::int64_t>(numbers.size())}, numbers, onnx::TensorProto::INT64);
    };
    const std::string parted = emit("Reshape", n.name + "_parted",
                                    {image(0), sides({1, rows, columns, n.output.channels, in.height, in.width})});
    auto& turned = node("Transpose", n.name + "_turned", {parted});
    attribute(turned, "perm", Sides{0, 3, 4, 1, 5, 2});
    return emit("Reshape", n.name, {turned.output(0), sides({1, n.output.channels, n.output.height, n.output.width})});
  }

  std::string input(const Node& n) {
    auto* made = proto().add_input();
    made->set_name("input");
    auto* type = made->mutable_type()->mutable_tensor_type();
    type->set_elem_type(onnx::TensorProto::FLOAT);
    for (const int side : {1, n.output.channels, n.output.height, n.output.width})
      type->mutable_shape()->add_dim()->set_dim_value(side);
    std::string value = "input";
    if (!network_.input_scale.empty()) {
      const auto count = static_cast<std::int64_t>(network_.input_scale.size());
      value = emit("Mul", "input_scale", {value, constant({1, count, 1, 1}, network_.input_scale)});
      value = emit("Add", "input_offset", {value, constant({1, count, 1, 1}, network_.input_offset)});
    }
    return value;
  }

  std::string bias() {
    const std::vector<float>& values = network_.parameters[at(now_)].bias;
    return constant({static_cast<std::int64_t>(values.size())}, {values.begin(), values.end()});
  }

  // Weights in the file's order, behind their quantizer.
  std::string weights(const Node& n) {
    const Parameters& p = network_.parameters[at(now_)];
    if (p.weight_bits == 0) refuse("its weights have no codes; calibrate the network first");
    const Shape in = graph_.input_shape(now_);
    const std::int64_t outputs = n.out_channels;
    const std::int64_t taps = n.op == Op::linear ? std::int64_t{in.height} * in.width
                                                 : std::int64_t{n.window.kernel_height} * n.window.kernel_width;
    const std::int64_t depth = static_cast<std::int64_t>(p.weights.size()) / (outputs * taps);
    std::vector<std::int64_t> dims = {outputs, depth, n.window.kernel_height, n.window.kernel_width};
    if (n.op == Op::linear) dims = {outputs, depth * taps};
    std::vector<double> codes;
    for (std::int64_t o = 0; o < outputs; ++o)
      for (std::int64_t c = 0; c < depth; ++c)
        for (std::int64_t t = 0; t < taps; ++t) {
          const double w = p.weights[at((o * taps + t) * depth + c)], scale = p.scales[at(o)];
          codes.push_back(p.weight_bits == 1 ? (w >= 0 ? 1 : -1) : std::nearbyint(w / scale));
        }
    if (!qonnx_) {
      const int type = p.weight_bits <= 8 ? onnx::TensorProto::INT8 : onnx::TensorProto::INT16;
      const std::string scale = constant({outputs}, p.scales),
                        zero = constant({outputs}, std::vector<double>(at(outputs), 0), type);
      auto& made = node("DequantizeLinear", n.name + "_weights", {constant(dims, codes, type), scale, zero});
      attribute(made, "axis", std::int64_t{0});
      if (p.weight_bits != 8 && p.weight_bits != 16)
        entry("bitstrata.bits." + made.output(0), fmt::format("{}", p.weight_bits));
      return made.output(0);
    }
    for (std::size_t k = 0; k < codes.size(); ++k) codes[k] *= p.scales[k / (codes.size() / at(outputs))];
    std::vector<std::int64_t> along(dims.size(), 1);
    along[0] = outputs;
    return quant(constant(dims, codes), n.name + "_weights", constant(along, p.scales), 0, p.weight_bits,
                 p.weight_bits == 1, true, false, Rounding::half_even);
  }

  std::string quant(const std::string& x, const std::string& name, const std::string& scale, int zero, int bits,
                    bool bipolar, bool is_signed, bool narrow, Rounding rounding) {
    if (bipolar) {
      auto& made = node("BipolarQuant", name, {x, scale});
      made.set_domain(qonnx_domain);
      return made.output(0);
    }
    auto& made = node("Quant", name,
                      {x, scale, constant({}, {static_cast<double>(zero)}), constant({}, {static_cast<double>(bits)})});
    made.set_domain(qonnx_domain);
    attribute(made, "signed", std::int64_t{is_signed});
    attribute(made, "narrow", std::int64_t{narrow});
    attribute(made, "rounding_mode",
              std::string(rounding == Rounding::floor       ? "FLOOR"
                          : rounding == Rounding::half_away ? "HALF_UP"
                                                            : "ROUND"));
    return made.output(0);
  }

  std::string rounded(const std::string& x, const Grid& grid, const Node& n) {
    const bool is_signed = grid.coding == Coding::twos_complement, bipolar = grid.coding == Coding::bipolar;
    // The quantizer that is a layer of its own has that layer's name.
    const std::string name = n.op == Op::average_pool && n.window == Window{} ? n.name : n.name + "_codes";
    const std::string scale = constant({}, {grid.scale});
    const bool narrow = grid.cut_low + grid.cut_high == 1 && (is_signed ? grid.cut_low : grid.cut_high) == 1;
    if (!narrow && grid.cut_low + grid.cut_high != 0) {
      refuse(fmt::format("codes limited to {}..{} have no form in the files we write", grid.range().low,
                         grid.range().high));
    }
    if (qonnx_) return quant(x, name, scale, grid.zero_point, grid.bits, bipolar, is_signed, narrow, grid.rounding);
    if (bipolar || grid.floor()) refuse("codes of -1 and +1, or rounded down, have no QDQ form; write QONNX");
    const int type = grid.bits <= 8 ? (is_signed ? onnx::TensorProto::INT8 : onnx::TensorProto::UINT8)
                                    : (is_signed ? onnx::TensorProto::INT16 : onnx::TensorProto::UINT16);
    const bool narrower = (grid.bits != 8 && grid.bits != 16) || narrow;
    std::string value = x;
    if (narrower) {
      const CodeRange range = grid.range();
      value = emit("Clip", n.name + "/bitstrata_clip",
                   {value, constant({}, {grid.value(range.low)}), constant({}, {grid.value(range.high)})});
    }
    const std::string zero = constant({}, {static_cast<double>(grid.zero_point)}, type);
    const std::string codes = emit("QuantizeLinear", name, {value, scale, zero});
    if (narrower) entry("bitstrata.bits." + codes, fmt::format("{}{}", grid.bits, narrow ? " narrow" : ""));
    return emit("DequantizeLinear", n.name + "_values", {codes, scale, zero});
  }

  std::string activation(const Node& n, const std::string& x) {
    switch (n.op) {
      case Op::relu:
        if (n.limit > 0) return emit("Clip", n.name, {x, constant({}, {0}), constant({}, {n.limit})});
        return emit("Relu", n.name, {x});
      case Op::leaky_relu: {
        auto& made = node("LeakyRelu", n.name, {x});
        attribute(made, "alpha", n.slope);
        return made.output(0);
      }
      case Op::hard_sigmoid: {
        auto& made = node("HardSigmoid", n.name, {x});
        attribute(made, "alpha", 1.0 / 6);
        attribute(made, "beta", 0.5);
        return made.output(0);
      }
      case Op::hard_swish:
        return emit("HardSwish", n.name, {x});
      case Op::silu:
        return emit("Mul", n.name, {x, emit("Sigmoid", n.name + "_gate", {x})});
      default: {
        const Function* row = function_of(n.op);
        if (row == nullptr || *row->onnx == '\0') refuse("has no ONNX form");
        auto& made = node(row->onnx, n.name, {x});
        if (row->alpha != 0) attribute(made, "alpha", n.alpha);
        if (row->gamma != 0) attribute(made, "gamma", n.gamma);
        if (n.op == Op::gelu_tanh) attribute(made, "approximate", std::string("tanh"));
        return made.output(0);
      }
    }
  }

  const FloatNetwork& network_;
  const Network& graph_;
  bool qonnx_;
  onnx::ModelProto model_;
  std::vector<std::string> values_;  // by node
  std::vector<bool> flat_;           // is it a vector (1 x channels)?
  int now_ = 0;
};

}  // namespace

void write_onnx(const FloatNetwork& network, OnnxStyle style, const std::filesystem::path& file) {
  write_whole(file, Writer(network, style).bytes());
}

}  // namespace bitstrata::model
