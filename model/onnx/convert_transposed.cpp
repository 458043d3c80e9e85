// SPDX-License-Identifier: Apache-2.0
// Transposed convolutions. Output s * j + p of an axis of stride s adds input j + (p + pad - k * dilation) / s for each
// tap k for which that is whole: for one phase p, a convolution of stride 1. So all phases together are a convolution
// over the union of their windows, of one output a phase and channel (weights outside a phase's own window are 0), and
// its outputs are blocks of pixels (convert_space.cpp). Padding is a shift of the windows; only outputs that are no
// whole blocks have to be cut off.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "model/onnx/converter.h"

namespace bitstrata::model::interchange {
namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

constexpr std::int64_t largest_side = 65536, most_outputs = 1 << 24;

// One axis of a transposed convolution, and of the convolution that it is.
struct Axis {
  std::int64_t size = 1, kernel = 1, stride = 1, dilation = 1, pad = 0, outputs = 1;
  std::int64_t first = 0, step = 1, taps = 1, after = 0;  // offset of the first tap, and from tap to tap
  bool beyond = false;                                    // auto_pad asks for outputs that no tap reaches
  bool far = false;  // outputs reach a stride or more beyond the last tap of the last input

  std::int64_t blocks() const { return (outputs + stride - 1) / stride; }
  // The place of tap k of phase p in the convolution; nothing where it meets no input.
  std::optional<std::int64_t> tap(std::int64_t p, std::int64_t k) const {
    const std::int64_t distance = p + pad - k * dilation;
    if (distance % stride != 0) return {};
    return (distance / stride - first) / step;
  }
  void unite_windows() {
    first = 0, step = 1;
    std::set<std::int64_t> offsets;
    for (std::int64_t p = 0; p < stride; ++p)
      for (std::int64_t k = 0; k < kernel; ++k)
        if (const auto offset = tap(p, k)) offsets.insert(*offset);
    std::int64_t last = *offsets.rbegin(), common = 0;
    for (const std::int64_t offset : offsets) common = std::gcd(common, offset - *offsets.begin());
    first = *offsets.begin(), step = std::max<std::int64_t>(common, 1);
    // Windows begin at the input's first pixel or before it, and end at its last one or behind it.
    while (first > 0) first -= step;
    while (blocks() - 1 + last < size - 1) last += step;
    taps = (last - first) / step + 1;
    after = blocks() - 1 + last - (size - 1);
  }
};

// Paddings of both sides as ONNX Runtime shares them out.
void share_padding(Axis& axis, std::int64_t total, bool upper) {
  total = std::max<std::int64_t>(total, 0);
  axis.pad = upper ? total / 2 : total - total / 2;
}

Axis axis_of_window(const OnnxNode& node, std::size_t i, std::size_t rank, std::int64_t size, std::int64_t kernel) {
  const auto side = [&](const char* key, std::size_t index, std::size_t count, std::int64_t otherwise) {
    const Dims all = node.wholes(key, Dims(count, otherwise));
    if (all.size() != count) refuse(node, fmt::format("its {} has {} entries, not {}", key, all.size(), count));
    if (all[index] < 0 || all[index] > largest_side) refuse(node, fmt::format("one of its {} is {}", key, all[index]));
    return all[index];
  };
  Axis axis{.size = size, .kernel = kernel};
  axis.stride = side("strides", i, rank, 1), axis.dilation = side("dilations", i, rank, 1);
  if (side("kernel_shape", i, rank, kernel) != kernel)
    refuse(node, fmt::format("its kernel_shape is not that of its weights, {}", kernel));
  if (axis.stride < 1 || axis.stride > 64)
    refuse(node, fmt::format("its stride is {}; 1 to 64 is supported", axis.stride));
  const std::int64_t reach = axis.dilation * (kernel - 1) + 1;
  if (axis.dilation < 1 || kernel < 1 || reach > largest_side)
    refuse(node, fmt::format("a kernel side of {} with dilation {} is not supported", kernel, axis.dilation));
  const std::int64_t more = side("output_padding", i, rank, 0);
  if (more >= std::max(axis.stride, axis.dilation)) {
    refuse(node, fmt::format("its output_padding is {}; less than its stride, {}, or its dilation, {}, is right", more,
                             axis.stride, axis.dilation));
  }
  const std::int64_t reached = axis.stride * (size - 1) + reach, whole = reached + more;  // without padding
  const std::string automatic = node.text("auto_pad", "NOTSET");
  const bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
  if (!same && automatic != "VALID" && automatic != "NOTSET")
    refuse(node, fmt::format("auto_pad '{}' is not known", automatic));
  const Dims pads = node.wholes("pads");
  if (automatic != "NOTSET" && std::ranges::any_of(pads, [](std::int64_t pad) { return pad != 0; }))
    refuse(node, fmt::format("has pads of {} and auto_pad '{}'; ONNX allows one of them", to_text(pads), automatic));
  if (Dims shape = node.wholes("output_shape"); !shape.empty()) {
    if (shape.size() == rank + 2) shape.erase(shape.begin(), shape.begin() + 2);
    if (shape.size() != rank) refuse(node, fmt::format("its output_shape has {} sides, not {}", shape.size(), rank));
    axis.outputs = std::clamp<std::int64_t>(shape[i], 0, most_outputs + 1);
    axis.far = std::max(axis.outputs, whole) - reached >= axis.stride;
    share_padding(axis, whole - axis.outputs, automatic == "SAME_UPPER");
  } else if (same) {
    axis.outputs = size * axis.stride;
    axis.beyond = axis.outputs > whole;
    axis.far = more >= axis.stride;
    share_padding(axis, whole - axis.outputs, automatic == "SAME_UPPER");
  } else {
    const bool none = automatic == "VALID";
    axis.far = more >= axis.stride;
    axis.pad = none ? 0 : side("pads", i, 2 * rank, 0);
    axis.outputs = whole - axis.pad - (none ? 0 : side("pads", i + rank, 2 * rank, 0));
  }
  if (axis.outputs < 1 || axis.outputs > most_outputs)
    refuse(node, fmt::format("an output side would be {}; 1 to {} is supported", axis.outputs, most_outputs));
  axis.unite_windows();
  if (std::max({axis.taps, axis.step, -axis.first, axis.after}) > largest_side)
    refuse(node, fmt::format("its windows reach over {} pixels", axis.taps));
  return axis;
}

// Weights of [in][out / groups][taps] as those of [block row][block column][out][tap row][tap column][in].
struct Phases {
  Axis rows, columns;
  std::int64_t inputs = 0, outputs = 0, groups = 1;
  bool zeros = false;  // some weights of the convolution are none of the transposed one's

  std::int64_t channels() const { return rows.stride * columns.stride * outputs; }
  std::int64_t weights() const { return channels() * rows.taps * columns.taps * inputs; }

  std::vector<float> spread(const Tensor& tensor, double factor) {
    std::vector<float> result(at(weights()), 0.0F);
    std::int64_t written = 0;
    const std::int64_t depth = inputs / groups, each = outputs / groups;
    for (std::int64_t py = 0; py < rows.stride; ++py)
      for (std::int64_t px = 0; px < columns.stride; ++px)
        for (std::int64_t ky = 0; ky < rows.kernel; ++ky)
          for (std::int64_t kx = 0; kx < columns.kernel; ++kx) {
            const auto ty = rows.tap(py, ky), tx = columns.tap(px, kx);
            if (!ty || !tx) continue;
            for (std::int64_t n = 0; n < outputs; ++n)
              for (std::int64_t c = 0; c < depth; ++c, ++written) {
                const std::int64_t input = n / each * depth + c;
                const std::int64_t from = ((input * each + n % each) * rows.kernel + ky) * columns.kernel + kx;
                const std::int64_t output = (py * columns.stride + px) * outputs + n;
                result[at(((output * rows.taps + *ty) * columns.taps + *tx) * inputs + input)] =
                    static_cast<float>(tensor.at(at(from)) * factor);
              }
          }
    zeros = written < weights();
    return result;
  }

  // Scales of the codes of weights; empty where they run along inputs of several outputs.
  std::vector<double> scales(const ConstantGrid& grid, double factor) const {
    std::vector<double> result;
    const bool by_input = grid.axis == 0 && inputs == groups;
    if (grid.scales.size() > 1 && grid.axis != 1 && !by_input) return result;
    const std::int64_t each = outputs / groups;
    for (std::int64_t n = 0; n < channels(); ++n) {
      const std::int64_t channel = n % outputs;
      const std::int64_t entry = grid.scales.size() == 1 ? 0 : by_input ? channel / each : channel % each;
      result.push_back(grid.scales.at(at(entry)) * factor);
    }
    return result;
  }
};

}  // namespace

void Converter::transposed_convolution(const OnnxNode& node) {
  const Tensor& weights = need_constant(node, 1, "weight");
  check_real(node, weights, "weights");
  const std::size_t rank = std::max<std::size_t>(weights.dims.size(), 2) - 2;
  if (rank != 1 && rank != 2)
    refuse(node, fmt::format("has weights of {}; 1 or 2 spatial dimensions are supported", to_text(weights.dims)));
  Value x = value(node, 0);
  settle(x, rank == 1 ? Geometry::ncw : Geometry::nchw);
  x = straight(node, x);
  const Geometry g = geometry(x);
  check_image(node, x, rank == 1);
  if (x.pad.any()) refuse(node, "follows a Pad, which only a convolution or pooling can take");
  const Shape in = shape(x);
  Phases phases{.inputs = weights.dims[0], .groups = node.whole("group", 1)};
  if (phases.groups < 1 || phases.groups > in.channels || phases.inputs != in.channels ||
      in.channels % phases.groups != 0 || weights.dims[1] < 1) {
    refuse(node, fmt::format("its weights of {} in {} group(s) do not fit {} channels", to_text(weights.dims),
                             phases.groups, in.channels));
  }
  phases.outputs = weights.dims[1] * phases.groups;
  if (phases.outputs > largest_side) refuse(node, fmt::format("the number of outputs is {}", phases.outputs));
  if (rank == 2 || g == Geometry::nch) phases.rows = axis_of_window(node, 0, rank, in.height, weights.dims[2]);
  if (rank == 2 || g == Geometry::ncw)
    phases.columns = axis_of_window(node, rank - 1, rank, in.width, weights.dims[rank + 1]);
  const Axis &rows = phases.rows, &columns = phases.columns;
  if (rows.beyond || columns.beyond) {
    network_.notes.push_back(fmt::format(
        "{} '{}': auto_pad {} with a kernel smaller than its stride gives input times stride outputs, as the "
        "standard says, the last of them the bias alone; ONNX Runtime leaves these out",
        node.op, node.name, node.text("auto_pad", "")));
  }
  if (rows.far || columns.far) {
    network_.notes.push_back(fmt::format(
        "{} '{}': its outputs reach a stride or more beyond its last window, as its {} says; ONNX Runtime then takes "
        "products of other pixels for 75 to 100 % of its values",
        node.op, node.name, node.wholes("output_shape").empty() ? "output_padding" : "output_shape"));
  }
  // Many weights are taken where they are not much more than the file's own.
  const double count = static_cast<double>(phases.channels() * phases.inputs) * static_cast<double>(rows.taps) *
                       static_cast<double>(columns.taps);
  if (count > 8 * static_cast<double>(weights.elements()))
    check_weights(node, static_cast<std::int64_t>(std::min(count, 1e15)));
  const auto number = [](std::int64_t value) { return static_cast<int>(value); };
  const Window window{.kernel_height = number(rows.taps),
                      .kernel_width = number(columns.taps),
                      .pad_top = number(-rows.first),
                      .pad_bottom = number(rows.after),
                      .pad_left = number(-columns.first),
                      .pad_right = number(columns.after),
                      .dilation_height = number(rows.step),
                      .dilation_width = number(columns.step)};
  note_factor(node, x);
  Value result;
  result.node = added(network_.graph.add_convolution(x.node, fresh_name(node), number(phases.channels()), window));
  Parameters& p = network_.parameters[at(result.node)];
  p.weights = phases.spread(weights, x.factor);
  p.bias.assign(at(phases.channels()), 0.0F);
  p.transposed = Transposed{number(phases.outputs), number(phases.groups)};
  if (!node.input(2).empty()) {
    const Tensor& bias = need_constant(node, 2, "bias");
    check_real(node, bias, "bias");
    if (bias.elements() != phases.outputs)
      refuse(node, fmt::format("has {} biases for {} outputs", bias.elements(), phases.outputs));
    for (std::size_t n = 0; n < p.bias.size(); ++n) p.bias[n] = static_cast<float>(bias.at(n % at(phases.outputs)));
  }
  if (weights.grid && weights.grid->bits <= 16) {
    p.scales = phases.scales(*weights.grid, x.factor);
    if (p.scales.empty()) {
      network_.notes.push_back(
          fmt::format("{} '{}': its weight scales run along its inputs; the weights are quantized "
                      "anew",
                      node.op, node.name));
    } else {  // one bit is -1/+1, which has no zero
      p.weight_bits = weights.grid->bits == 1 && (phases.zeros || !weights.grid->bipolar) ? 2 : weights.grid->bits;
    }
  }
  // Channels lie as rows of a block, its columns, and the output's channels.
  const std::int64_t all = phases.channels(), of_row = columns.stride * phases.outputs;
  const Shape made = shape(result);
  const std::vector<Factor> height = {{made.height, made.width * all}, {rows.stride, of_row}},
                            width = {{made.width, all}, {columns.stride, phases.outputs}},
                            channels = {{phases.outputs, 1}};
  std::vector<std::vector<Factor>> dims = {{}, channels};
  if (rank == 2 || g == Geometry::nch) dims.push_back(height);
  if (rank == 2 || g == Geometry::ncw) dims.push_back(width);
  result.view = View::of(std::move(dims));
  const Cut cut{number(rows.blocks() * rows.stride - rows.outputs),
                number(columns.blocks() * columns.stride - columns.outputs)};
  if (cut.rows + cut.columns > 0) cuts_[end_of_chain(node.outputs[0])] = cut;
  set(node, result);
}

// The last tensor of the functions of single values that follow, each the only reader of the one before: they can as
// well work on the pixels that are cut off behind them, and then belong to the layer in front.
std::string Converter::end_of_chain(std::string tensor) const {
  static const std::set<std::string> functions = {
      "Relu", "LeakyRelu", "PRelu",       "Clip", "HardSigmoid",        "HardSwish",      "Sigmoid",          "Silu",
      "Tanh", "Identity",  "Dropout",     "Neg",  "BatchNormalization", "QuantizeLinear", "DequantizeLinear", "Quant",
      "Cast", "IntQuant",  "BipolarQuant"};
  static const std::set<std::string> sums = {"Add", "Sub", "Mul", "Div"};
  for (bool longer = true; longer;) {
    longer = false;
    std::vector<const OnnxNode*> readers;
    for (const OnnxNode& node : graph_.nodes)
      if (std::count(node.inputs.begin(), node.inputs.end(), tensor) > 0) readers.push_back(&node);
    const bool is_result = std::count(heads_.begin(), heads_.end(), tensor) > 0;
    if (readers.size() != 1 || is_result || readers[0]->outputs.empty()) break;
    const OnnxNode& node = *readers[0];
    const bool first = node.inputs[0] == tensor;
    const bool with_constant =
        sums.count(node.op) != 0 && node.inputs.size() == 2 && constant(node.inputs[first ? 1 : 0]) != nullptr;
    longer = with_constant || (first && functions.count(node.op) != 0);
    if (longer) tensor = node.outputs[0];
  }
  return tensor;
}

// The image without its last rows and columns: by a depthwise convolution whose window begins with a 1 and reaches over
// as much as is cut off.
Value Converter::cut_off(const OnnxNode& node, Value value, Cut cut) {
  value = straight(node, std::move(value));
  const Geometry g = geometry(value);
  const int channels = shape(value).channels;
  const Window window{.kernel_height = cut.rows + 1, .kernel_width = cut.columns + 1};
  std::vector<std::int64_t> first(at(std::int64_t{window.kernel_height} * window.kernel_width), 0);
  first[0] = 1;
  Value result = value;
  result.node = same_kernels(node, value.node, "_cut", window, channels, first, channels, 1);
  if (std::optional<Grid> grid = grid_of_codes(value)) {
    grid->rounding = Rounding::half_up;
    network_.grids[at(result.node)] = grid;
  }
  result.view = view_of(g, shape(result));
  result.exclusive = true;
  return result;
}

}  // namespace bitstrata::model::interchange
