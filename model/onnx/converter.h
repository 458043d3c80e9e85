// SPDX-License-Identifier: Apache-2.0
// Walks an ONNX graph and builds ours (internal to model/onnx). One handler an operator; the table is in converter.cpp.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/float_network.h"
#include "model/onnx/fold.h"
#include "model/onnx/graph.h"
#include "model/onnx/onnx.h"
#include "model/onnx/view.h"

namespace bitstrata::model::interchange {

// Padding of height and width, not applied yet: the next convolution or pooling takes it.
struct Padding {
  int top = 0, bottom = 0, left = 0, right = 0;
  double value = 0;
  bool any() const { return top != 0 || bottom != 0 || left != 0 || right != 0; }
};

// An ONNX tensor that depends on the input: a node's tensor, seen through a view.
struct Value {
  int node = 0;
  View view;
  Padding pad;
  double factor = 1;      // its values are `factor` times the node's; above 0. Taken by the next layer with weights.
  bool exclusive = true;  // nothing else reads the node
  bool codes = false;     // the file's tensor holds their codes, not yet turned to values
  int code_type = 0;      // of codes: ONNX's data type; 0 where it is not known
  // The file's operators that make the factor `stepped` of the values of the node `stepped_node`, one after another; of
  // those of `steps_source` where that is another.
  std::vector<ValueStep> steps = {};
  double stepped = 1;
  int stepped_node = 0, steps_source = 0;
  bool has_steps() const { return !steps.empty() && stepped == factor && stepped_node == node; }
  bool has_own_steps() const { return has_steps() && steps_source == node; }
  // Multiplies the factor as the file's operator `step` does.
  void scale(double by, ValueStep step) {
    const bool known = has_steps();
    if (!known) steps.clear(), steps_source = node;
    if (known || factor == 1) steps.push_back(std::move(step));
    factor *= by;
    stepped = factor;
    stepped_node = node;
  }
  // Goes on to a node that has the same values, or some of them; the steps hold for it, too.
  void move_to(int other) {
    if (has_own_steps()) stepped_node = steps_source = other;
    node = other;
  }
};

// Weights of a mean along one side of its window, and how much of the padding counts as values of 0.
struct Taps {
  std::vector<std::int64_t> weights;
  int counted_before = 0, counted_after = 0;
};

// The width of a tensor of codes; `narrow` leaves the lowest code out.
struct NotedWidth {
  int bits = 0;
  bool narrow = false;
};

// How the dimensions of an image are arranged.
enum class Geometry { nchw, nhwc, ncw, nch, nwc, flat, other };

// The elements of the file's input in NHWC: `size` steps of `onnx_stride` there are steps of `stride` here. Files do
// not say what their dimensions mean; the first operator that knows demands a layout, and the conversion starts over.
struct InputLayout {
  Shape shape;
  struct Step {
    std::int64_t size, onnx_stride, stride;
  };
  std::vector<Step> steps;
};
struct LayoutDemand {
  InputLayout layout;
};

// The condition of an If is known: the conversion starts over with that branch in its place.
struct BranchDemand {
  std::string node;
  bool then;
};

class Converter {
 public:
  Converter(Graph graph, const ImportOptions& options, const InputLayout* layout);
  FloatNetwork convert(OutputLayout* layout);

  // operators.cpp
  using Handler = void (Converter::*)(const OnnxNode&);
  struct Operator {
    std::string name;
    Handler read;            // nullptr: read with another operator
    const char* attributes;  // in words
    // It says how it reads codes, or moves them as they are; others would take codes for the numbers they stand for.
    bool takes_codes = false;
  };
  static const std::vector<Operator>& operators();

 private:
  static Handler handler_of(const std::string& op);  // nullptr: not an operator that is read
  static bool takes_codes(const std::string& op);

  // converter.cpp: bookkeeping
  void add_input();
  ChannelOrder input_order(const Value& input) const;
  void fold_constants();
  void join_equal_quantizers();
  void cut_host_tail();
  // outputs.cpp: which tensors are the result
  void choose_outputs();
  void join_outputs();
  std::set<std::string> needed_nodes() const;
  // Throws std::invalid_argument naming all operators among the needed nodes that are not supported (missing.cpp).
  void check_operators(const std::set<std::string>& needed) const;
  // Throws std::invalid_argument naming a tensor that a needed node reads, or that is the result, and nothing writes.
  void check_written(const std::set<std::string>& needed) const;
  void step(const OnnxNode& node);
  void refuse_codes(const OnnxNode& node) const;
  void check_result(OutputLayout* layout);
  // The width that our own writer notes for the codes of `type_bits` that a node makes; nothing in other files.
  std::optional<NotedWidth> noted_width(const OnnxNode& node, int type_bits) const;
  const Tensor* constant(const std::string& name) const;
  const Tensor& need_constant(const OnnxNode& node, std::size_t input, const char* what) const;
  const std::vector<std::int64_t>& need_wholes(const OnnxNode& node, std::size_t input, const char* what) const;
  // Refuses a layer of its own making that would take all memory.
  static void check_weights(const OnnxNode& node, std::int64_t count);
  Value value(const OnnxNode& node, std::size_t input) const;
  void set(const OnnxNode& node, Value value, std::size_t output = 0);
  void set_constant(const std::string& name, Tensor tensor) {
    graph_.constants.insert_or_assign(name, std::move(tensor));
  }
  std::string fresh_name(const OnnxNode& node, const std::string& suffix = "");
  int added(int index);  // makes room for what a new node of the network needs
  Shape shape(const Value& value) const { return network_.graph.node(value.node).output; }
  Geometry geometry(const Value& value) const;
  View view_of(Geometry geometry, Shape shape) const;
  // Demands a layout of the input where `value` is the input and none is settled yet.
  void settle(const Value& value, Geometry wanted) const;
  // Settled, without padding, its factor applied: fit for any operator.
  Value ready(const OnnxNode& node, Value value);
  Value without_factor(const OnnxNode& node, Value value);
  std::vector<double> per_channel(const OnnxNode& node, const Value& value, const Tensor& tensor) const;
  // scale * value + shift, one entry or one a channel: folded where it can be, else a 1x1 depthwise convolution.
  // `steps` are the file's operators that it stands for; else it is a product and a sum.
  Value affine(const OnnxNode& node, Value value, std::vector<double> scale, std::vector<double> shift,
               std::vector<ValueStep> steps = {});

  // A batch norm behind a Flatten that differs from pixel to pixel: the matrix that reads the tensor takes it.
  struct PerFeature {
    std::vector<double> scale, shift;  // [element of the view]
  };

  // convert_layers.cpp
  void convolution(const OnnxNode& node);
  void gemm(const OnnxNode& node);
  void matmul(const OnnxNode& node);
  Value convolve(const OnnxNode& node, Value x, const Tensor& weights, const std::vector<double>& bias);
  Value multiply_matrix(const OnnxNode& node, const Value& x, const Tensor& weights, bool transposed);
  // Refuses whole numbers where values meet them: they are codes whose scale the file does not give.
  static void check_real(const OnnxNode& node, const Tensor& tensor, const char* what);
  // Refuses biases of a matrix product that do not stand in one row, which is added to every row of the product.
  static void check_row(const OnnxNode& node, const Tensor& bias, std::int64_t outputs);
  void take_features(const OnnxNode& node, const PerFeature& features, const Value& x, Parameters& p) const;
  Window window_of(const OnnxNode& node, const Value& x, Dims kernel, Geometry geometry) const;

  // convert_pools.cpp
  void max_pool(const OnnxNode& node);
  void average_pool(const OnnxNode& node);
  void global_pool(const OnnxNode& node);
  void reduce(const OnnxNode& node);
  Value pooled_image(const OnnxNode& node);
  // How the node wants the dimensions of an image of two sides, and a refusal of another arrangement.
  static Geometry image_order(const OnnxNode& node);
  void check_image(const OnnxNode& node, const Value& value, bool line) const;
  Value pooled(const OnnxNode& node, const Value& x, Op op, const Window& window, Geometry geometry);
  // Says that `result` is the mean of `x` that the file takes by one operator.
  void take_mean(const Value& x, const Value& result, Mean mean);

  // convert_borders.cpp
  int same_kernels(const OnnxNode& node, int input, const std::string& suffix, const Window& window, int groups,
                   const std::vector<std::int64_t>& kernel, int channels, double scale);
  Value weighted_mean(const OnnxNode& node, Value x, const Window& window, const Taps& rows, const Taps& columns,
                      Geometry geometry);
  Value enlarged_linearly(const OnnxNode& node, Value x, int factor, bool centred, Geometry geometry);
  Value widened(const OnnxNode& node, const Value& one, int channels, Geometry geometry);

  // convert_values.cpp
  void add(const OnnxNode& node);
  void subtract(const OnnxNode& node);
  void multiply(const OnnxNode& node);
  void divide(const OnnxNode& node);
  void negate(const OnnxNode& node);
  void batch_norm(const OnnxNode& node);
  void relu(const OnnxNode& node);
  void clip(const OnnxNode& node);
  void leaky_relu(const OnnxNode& node);
  Value sloped(const OnnxNode& node, Value x, const std::vector<double>& slope);
  void prelu(const OnnxNode& node);
  bool never_negative(int index) const;
  Value leaky(const OnnxNode& node, Value value, double slope);
  void hard_sigmoid(const OnnxNode& node);
  void hard_swish(const OnnxNode& node);
  void silu(const OnnxNode& node);
  void table_function(const OnnxNode& node);
  void activation(const OnnxNode& node, Op op, double alpha = 0, double gamma = 0);
  void write_as(const Value& from, const Value& result, std::vector<ValueStep> steps);
  // Says of a quantized file that `node` went into the layer in front of it, which rounds once where the file does
  // twice.
  void note_tie(const OnnxNode& node);
  // Says of a quantized file that the factor of the value `x`, which `node` reads, went into its weights or its scale.
  void note_factor(const OnnxNode& node, const Value& x);
  void take_spelling(const OnnxNode& node, const Value& x, const Value& result);
  Value limited(const OnnxNode& node, Value value, double low, double high);
  Value join(const OnnxNode& node, Value a, Value b, Op op);

  // convert_views.cpp
  void pass(const OnnxNode& node);
  void branch(const OnnxNode& node);
  void shape_of(const OnnxNode& node);
  void reshape(const OnnxNode& node);
  void flatten(const OnnxNode& node);
  void transpose(const OnnxNode& node);
  void squeeze(const OnnxNode& node);
  void unsqueeze(const OnnxNode& node);
  void pad(const OnnxNode& node);
  void concat(const OnnxNode& node);
  std::vector<double> scales_of(const OnnxNode& node, const Dims& sizes, std::size_t scales_at) const;
  void resize(const OnnxNode& node);
  void split(const OnnxNode& node);
  void slice(const OnnxNode& node);
  void review(const OnnxNode& node, const Dims& sizes);
  Value select(const OnnxNode& node, Value x, int axis, std::int64_t first, std::int64_t count,
               const std::string& suffix);

  // convert_space.cpp
  struct Blocks {
    Geometry geometry;                // of the image
    std::array<int, 2> block;         // rows and columns that a pixel of the node holds
    std::vector<std::int64_t> order;  // [row, column and channel of the block]: channel of the node
  };
  struct Spread {
    int from;
    View view;
    int image;
  };
  void depth_to_space(const OnnxNode& node);
  void space_to_depth(const OnnxNode& node);
  std::optional<Blocks> blocks_of(const Value& value) const;
  bool reorder_outputs(const Value& value, const std::vector<std::int64_t>& order);
  Value spread(const OnnxNode& node, Value value, const Blocks& blocks);

  // convert_transposed.cpp
  struct Cut {
    int rows = 0, columns = 0;  // the last ones
  };
  void transposed_convolution(const OnnxNode& node);
  std::string end_of_chain(std::string tensor) const;
  Value cut_off(const OnnxNode& node, Value value, Cut cut);

  // convert_shuffled.cpp
  struct Shuffle {
    Geometry geometry;                // of the image, were its channels in order
    std::vector<std::int64_t> order;  // [channel of the view]: channel of the node
  };
  std::optional<Shuffle> shuffle_of(const Value& value) const;
  Value straight(const OnnxNode& node, Value value);
  Value ordered(const OnnxNode& node, Value value, const std::vector<std::int64_t>& order);
  Value convolve_shuffled(const OnnxNode& node, Value x, const Shuffle& shuffle, const Tensor& weights,
                          const std::vector<double>& bias);

  // convert_quantized.cpp
  void quantize(const OnnxNode& node);
  void dequantize(const OnnxNode& node);
  void trunc(const OnnxNode& node);
  void cast(const OnnxNode& node);
  void clip_codes(const OnnxNode& node, Value x, double low, double high);
  std::optional<Grid> grid_of_codes(const Value& value) const;
  // Refuses a constant whose type is not that of the codes it meets; `what` names it ("its zero point").
  static void check_code_type(const OnnxNode& node, const Value& codes, const Tensor& met, const char* what);
  void note_opset(const OnnxNode& node);
  // The values of codes that the node reads with a scale and a zero point: those they were made with, or refused.
  Value decoded(const OnnxNode& node, std::size_t codes, std::size_t scale, std::size_t zero);
  void take_input_codes(const OnnxNode& node, double scale, double zero);
  double scalar(const OnnxNode& node, std::size_t input, const char* what) const;
  Value round_to(const OnnxNode& node, Value value, Grid grid);
  void take_steps(const Value& value, double scale);
  void guard_rounding(int node, Op activation);
  Grid grid_of(const OnnxNode& node, const FileQuantizer& quantizer) const;

  // convert_qlinear.cpp
  void qlinear_conv(const OnnxNode& node);
  void qlinear_matmul(const OnnxNode& node);
  void qlinear_join(const OnnxNode& node);
  void qlinear_gemm(const OnnxNode& node);
  void qlinear_global_pool(const OnnxNode& node);
  void qlinear_function(const OnnxNode& node);
  void qlinear_concat(const OnnxNode& node);
  void integer_sums(const OnnxNode& node);
  Value through(const OnnxNode& node, const std::string& op, const std::vector<Value>& inputs);
  Value summed(Value result, Sums sums);  // sets Parameters::sums
  // Rounds the result to the grid of two inputs of the node and sets its codes as the output.
  void recoded(const OnnxNode& node, const Value& result, std::size_t scale, std::size_t zero);
  void note_long_sums(const OnnxNode& node, const Value& x, const Value& result);
  Tensor dequantized(const OnnxNode& node, std::size_t codes, std::size_t scale, std::size_t zero) const;
  Grid output_grid(const OnnxNode& node, std::size_t scale, std::size_t zero) const;

  Graph graph_;
  ImportOptions options_;
  const InputLayout* layout_;
  FloatNetwork network_;
  std::map<std::string, Value> values_;
  std::map<std::string, PerFeature> features_;  // by the tensor's name
  std::map<std::string, int> uses_;
  std::set<std::string> shared_;  // tensors of several readers that all quantize them alike
  std::set<std::string> names_;
  Dims input_dims_;
  std::int64_t file_batch_ = 1;
  bool opset_noted_ = false;
  std::int64_t folded_ = 0, most_folded_ = 0;  // elements of the constants made by folding
  std::optional<TypeRange> input_codes_;       // where the file's input is of an integer type
  std::vector<Spread> spread_;
  std::map<std::string, Cut> cuts_;            // of tensors that are not set yet
  std::map<int, std::vector<int>> roundings_;  // layers that only round a node's values, by that node
  std::vector<std::string> ties_;              // notes of quantized files: see note_tie
  std::vector<std::string> heads_;             // the tensors that are the result, before they are joined
  std::string output_;
};

// Domains of operators that the importer knows.
const std::set<std::string>& known_domains();

// Replaces the shapes in which exporters write hard swish, hard sigmoid, SiLU and GELU by single nodes (rewrite.cpp).
void rewrite_activations(Graph& graph);
// Weights that meet dynamically quantized values become quantized weights that meet the values themselves, whose ranges
// calibration then fixes (rewrite_dynamic.cpp).
void rewrite_dynamic_quantization(Graph& graph);

}  // namespace bitstrata::model::interchange
