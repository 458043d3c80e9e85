// SPDX-License-Identifier: Apache-2.0
// Quantizers of tensors become grids of nodes. Between a quantizer and its DequantizeLinear the file's tensors hold
// codes: Value::codes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <stdexcept>

#include "model/activations.h"
#include "model/onnx/converter.h"

namespace bitstrata::model::interchange {
namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// Does a value rounded to one of them stay as it is under the other? How halves are rounded does not matter then.
bool alike(const Grid& a, const Grid& b) {
  Grid same = a;
  same.scale = b.scale;
  if (a.floor() == b.floor()) same.rounding = b.rounding;
  return same == b && std::abs(a.scale - b.scale) <= 1e-6 * b.scale;
}

// Multiples of the node's scale become as many of the file's.
Value reread(Value x, double scale, double scale_of_file) {
  x.stepped = x.factor;
  x.stepped_node = x.steps_source = x.node;
  x.steps.clear();
  if (x.factor != 1) {
    x.steps.push_back(
        {.kind = ValueStep::Kind::recode, .low = static_cast<float>(scale), .high = static_cast<float>(scale_of_file)});
  }
  return x;
}

}  // namespace

Grid Converter::grid_of(const OnnxNode& node, const FileQuantizer& q) const {
  if (q.grid.scales.size() > 1)
    refuse(node, "a tensor with a scale for each channel is not supported; only weights have them");
  if (q.grid.bits > 16) refuse(node, fmt::format("a tensor of {} bits is not supported; up to 16 are", q.grid.bits));
  Grid grid{.bits = q.grid.bits,
            .zero_point = static_cast<int>(q.zero_point(0)),
            .scale = q.grid.scales[0],
            .rounding = q.rounding};
  if (q.grid.bipolar) {
    grid.coding = Coding::bipolar;
    grid.rounding = Rounding::half_up;
    return grid;
  }
  grid.coding = q.is_signed ? Coding::twos_complement : Coding::unsigned_code;
  (q.is_signed ? grid.cut_low : grid.cut_high) = q.narrow ? 1 : 0;
  if (q.is_signed && q.grid.bits == 1)
    refuse(node, "signed tensors of 1 bit hold -1 and 0; BipolarQuant holds -1 and +1");
  const CodeRange range = grid.range();
  if (range.low >= range.high) refuse(node, fmt::format("its codes {}..{} are fewer than two", range.low, range.high));
  if (q.zero_point(0) < range.low || q.zero_point(0) > range.high) {
    refuse(node, fmt::format("zero point {} is none of its codes {}..{}", q.zero_point(0), range.low, range.high));
  }
  return grid;
}

Value Converter::round_to(const OnnxNode& node, Value x, Grid grid) {
  // A factor goes into the weights while it can: a rounded layer does not take it any more.
  const bool open = x.exclusive && !network_.grids[at(x.node)];
  if (open && has_weights(network_.graph.node(x.node).op)) x = without_factor(node, x);
  const double scale_of_file = grid.scale;
  grid.scale /= x.factor;
  std::optional<Grid>& present = network_.grids[at(x.node)];
  // A leaky ReLU multiplies by one of two factors, behind which no zero point can be added. Codes of few bits it reads
  // from a table; other values are rounded finely first, to the grid that calibration gives them, and then to this one.
  const Node& made = network_.graph.node(x.node);
  bool direct = !present && x.exclusive;
  if (direct && made.op == Op::leaky_relu && grid.zero_point != 0) {
    const std::optional<Grid>& before = network_.grids[at(made.inputs[0])];
    direct = before && before->bits <= 8 && grid.bits <= 8;
  }
  if (direct) {
    // An activation's quantizer rounds once what another one in front of it has rounded before.
    if (made.op == Op::relu) {
      const std::optional<Grid>& before = network_.grids[at(made.inputs[0])];
      if (before && !alike(*before, grid)) network_.graph.keep_rounding(made.inputs[0]);
    }
    present = grid;
    // A factor that came behind the mean is not in it.
    bool as_written = x.has_steps();
    if (std::optional<Mean>& mean = network_.parameters[at(x.node)].mean; mean && mean->unit == x.factor) {
      mean->scale = static_cast<float>(scale_of_file);
      as_written = true;
    }
    if (std::optional<Product>& product = network_.parameters[at(x.node)].product;
        product && product->factors[0] * product->factors[1] == x.factor) {
      product->scale = scale_of_file;
      as_written = true;
    }
    if (!as_written) note_factor(node, x);
    take_steps(x, scale_of_file);
    return reread(std::move(x), grid.scale, scale_of_file);
  }
  if (present && alike(*present, grid)) return reread(std::move(x), grid.scale, scale_of_file);
  // A second rounding, or one that other readers do not see, is a layer of its own.
  std::vector<int>& others = roundings_[x.node];
  x.exclusive = true;
  for (const int other : others) {
    if (!alike(*network_.grids[at(other)], grid)) continue;
    x.node = other;
    x.exclusive = false;
    return reread(std::move(x), grid.scale, scale_of_file);
  }
  if (x.pad.any()) refuse(node, "follows a Pad and another quantizer, which is not supported");
  settle(x, Geometry::other);
  if (!x.has_steps()) note_factor(node, x);
  const int from = x.node;
  x.move_to(added(network_.graph.add_pool(from, fresh_name(node), Op::average_pool, {})));
  network_.grids[at(x.node)] = grid;
  take_steps(x, scale_of_file);
  roundings_[from].push_back(x.node);
  return reread(std::move(x), grid.scale, scale_of_file);
}

// The steps that make the factor of a value come in front of its quantizer, whose scale in the file is `scale`.
void Converter::take_steps(const Value& x, double scale) {
  if (!x.has_steps()) return;
  std::optional<Written>& written = network_.parameters[at(x.node)].written;
  if (!written || x.steps_source != x.node) written = {.source = x.steps_source == x.node ? -1 : x.steps_source};
  written->steps.insert(written->steps.end(), x.steps.begin(), x.steps.end());
  written->scale = scale;
}

// An activation of rounded values: it takes over the rounding in front of it only where that changes nothing.
void Converter::guard_rounding(int node, Op activation) {
  const std::optional<Grid>& grid = network_.grids[at(node)];
  if (!grid || activation == Op::relu) return;  // a ReLU's own quantizer decides
  const bool index =
      grid->bits == 8 && grid->coding == Coding::twos_complement && grid->cut_low == 0 && grid->cut_high == 0;
  if (!(needs_table(activation) && index)) network_.graph.keep_rounding(node);
}

// Quant, BipolarQuant and QuantizeLinear.
void Converter::quantize(const OnnxNode& node) {
  std::vector<const Tensor*> inputs = {nullptr};
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    inputs.push_back(node.inputs[i].empty() ? nullptr : &need_constant(node, i, "scale, zero point or width"));
  }
  const Value x = value(node, 0);
  FileQuantizer quantizer = quantizer_of(node, inputs, x.view.sizes());
  if (const std::optional<NotedWidth> noted = noted_width(node, quantizer.grid.bits)) {
    quantizer.grid.bits = noted->bits;
    quantizer.narrow = noted->narrow;
  }
  Value result = round_to(node, x, grid_of(node, quantizer));
  result.codes = node.op == "QuantizeLinear";
  const auto given = static_cast<int>(node.whole("output_dtype", type::uint8));
  result.code_type = inputs.size() > 2 && inputs[2] != nullptr ? inputs[2]->type : given;
  if (result.codes) note_opset(node);
  // What is done to one of equal quantizers' codes must not reach the others'.
  if (shared_.count(node.input(0)) != 0) result.exclusive = false;
  set(node, result);
}

void Converter::check_code_type(const OnnxNode& node, const Value& codes, const Tensor& met, const char* what) {
  if (!codes.codes || codes.code_type == 0 || met.type == codes.code_type) return;
  refuse(node, fmt::format("{} is {}, the codes that it meets are {}; they must have one type", what,
                           type_name(met.type), type_name(codes.code_type)));
}

// Newer types in files that say they are older are read; other programs refuse them.
void Converter::note_opset(const OnnxNode& node) {
  if (opset_noted_ || !node.domain.empty() || graph_.opset >= 21 || graph_.opset == 0) return;
  if (node.op != "QuantizeLinear" && node.op != "DequantizeLinear") return;
  for (const std::size_t i : {std::size_t{0}, std::size_t{2}}) {
    const Tensor* tensor = constant(node.input(i));
    if (tensor == nullptr || !tensor->whole()) continue;
    const std::optional<TypeRange> range = integer_type(tensor->type);
    if (!range || range->bits == 8 || range->bits == 32) continue;
    network_.notes.push_back(fmt::format("{} '{}' has codes of {}, which ONNX knows from opset 21 on; the file says {}",
                                         node.op, node.name, type_name(tensor->type), graph_.opset));
    opset_noted_ = true;
    return;
  }
}

// The grid of the codes that a value holds; nothing where none were made.
std::optional<Grid> Converter::grid_of_codes(const Value& value) const {
  int origin = value.node;
  while (!network_.grids[at(origin)]) {
    const Node& source = network_.graph.node(origin);
    if (!keeps_codes(source.op)) return {};
    origin = source.inputs[0];
  }
  return network_.grids[at(origin)];
}

// By its rounding, or behind a ReLU; rounding to codes of both signs changes no sign.
bool Converter::never_negative(int index) const {
  while (true) {
    const Node& made = network_.graph.node(index);
    const std::optional<Grid>& grid = network_.grids[at(index)];
    if (made.op == Op::relu || (grid && grid->coding == Coding::unsigned_code && grid->zero_point == 0)) return true;
    if (made.inputs.size() != 1 || !(keeps_codes(made.op) || made.op == Op::average_pool)) return false;
    index = made.inputs[0];
  }
}

double Converter::scalar(const OnnxNode& node, std::size_t input, const char* what) const {
  const Tensor& tensor = need_constant(node, input, what);
  if (tensor.elements() != 1)
    refuse(node, fmt::format("its {} has {} entries; a tensor's is one number", what, tensor.elements()));
  return tensor.at(0);
}

Value Converter::decoded(const OnnxNode& node, std::size_t codes, std::size_t scale_at, std::size_t zero_at) {
  Value x = value(node, codes);
  const double scale = scalar(node, scale_at, "scale");
  const double zero = node.input(zero_at).empty() ? 0 : scalar(node, zero_at, "zero point");
  if (!(scale > 0) || !std::isfinite(scale)) refuse(node, fmt::format("scale is {}; it must be above 0", scale));
  if (!x.codes) {
    refuse(node, fmt::format("reads codes, but nothing has quantized its input '{}'", node.input(codes)));
  }
  if (!node.input(zero_at).empty())
    check_code_type(node, x, need_constant(node, zero_at, "zero point"), "its zero point");
  if (!grid_of_codes(x) && input_codes_ && !network_.grids[0]) take_input_codes(node, scale, zero);
  const std::optional<Grid> grid = grid_of_codes(x);
  if (!grid) refuse(node, fmt::format("its input '{}' was not quantized", node.input(codes)));
  if (zero != grid->zero_point) {
    refuse(node, fmt::format("its zero point is {}, that of its input '{}' {}; they must be equal", zero,
                             node.input(codes), grid->zero_point));
  }
  // Codes read with another scale than they were made with are other values.
  const double factor = scale / grid->scale;
  if (std::abs(factor - x.factor) > 1e-6 * factor) {
    x.factor = factor;
    x = reread(std::move(x), grid->scale, scale);
  }
  x.codes = false;
  return x;
}

// The network's input are codes: the host makes values of them as the first reader says.
void Converter::take_input_codes(const OnnxNode& node, double scale, double zero) {
  const TypeRange range = *input_codes_;
  FileQuantizer quantizer;
  quantizer.grid.bits = range.bits;
  quantizer.grid.scales = {scale};
  quantizer.zero_points = {static_cast<std::int64_t>(zero)};
  quantizer.is_signed = range.is_signed;
  quantizer.rounding = Rounding::half_even_step;
  network_.grids[0] = grid_of(node, quantizer);
  network_.input_scale = {scale};
  network_.input_offset = {-scale * zero};
}

void Converter::dequantize(const OnnxNode& node) { set(node, decoded(node, 0, 1, 2)); }

void Converter::cast(const OnnxNode& node) {
  Value x = value(node, 0);
  const auto to = static_cast<int>(node.whole("to", type::real32));
  const bool real = is_real(to);
  if (!x.codes) {
    if (!real) {
      refuse(node,
             "turns values into integers: they would be cut off towards zero between layers, which has no layer here; "
             "use QuantizeLinear");
    }
    if (is_short_real(to)) {
      network_.notes.push_back(fmt::format("Cast '{}' to {} is left out: values are not rounded to 16 bits", node.name,
                                           to == type::real16 ? "FLOAT16" : "BFLOAT16"));
    }
    set(node, x);
    return;
  }
  const std::optional<TypeRange> range = integer_type(to);
  if (real) {  // the values are the codes themselves
    if (!network_.grids[0] && input_codes_ && x.node == 0) take_input_codes(node, 1, 0);
    const std::optional<Grid> grid = grid_of_codes(x);
    if (!grid || grid->zero_point != 0) refuse(node, "makes numbers of codes whose zero point is not 0");
    x.factor = 1 / grid->scale;
    x.codes = false;
  } else if (to != type::int64) {
    const std::optional<Grid> grid = grid_of_codes(x);
    const std::optional<TypeRange> given = integer_type(x.code_type);
    if (!range || !(grid || given)) refuse(node, fmt::format("turns codes into {}", type_name(to)));
    const std::int64_t low = grid ? grid->range().low : given->low(), high = grid ? grid->range().high : given->high();
    if (low < range->low() || high > range->high()) {
      refuse(node,
             fmt::format("turns codes of {}..{} into {}, which does not hold all of them", low, high, type_name(to)));
    }
    x.code_type = to;
  } else {
    x.code_type = to;
  }
  set(node, x);
}

// Codes limited to a range: the same grid with fewer codes.
void Converter::clip_codes(const OnnxNode& node, Value x, double low, double high) {
  const std::optional<Grid> grid = grid_of_codes(x);
  if (!grid) refuse(node, "limits codes that nothing has quantized");
  const CodeRange present = grid->range();
  low = std::max(low, static_cast<double>(present.low)), high = std::min(high, static_cast<double>(present.high));
  if (!(low < high) || low != std::nearbyint(low) || high != std::nearbyint(high))
    refuse(node, fmt::format("limits codes to {}..{}", low, high));
  Grid limited = *grid;
  const bool is_signed = grid->coding == Coding::twos_complement;
  limited.bits = bits_for(static_cast<std::int64_t>(low), static_cast<std::int64_t>(high), is_signed);
  limited.cut_low = limited.cut_high = 0;
  const CodeRange whole = limited.range();
  limited.cut_low = static_cast<int>(low) - whole.low, limited.cut_high = whole.high - static_cast<int>(high);
  if (limited.zero_point < low || limited.zero_point > high)
    refuse(node,
           fmt::format("limits codes to {}..{}, which leaves out their zero point {}", low, high, grid->zero_point));
  if (network_.grids[at(x.node)] && x.exclusive) {
    network_.grids[at(x.node)] = limited;
  } else {
    limited.scale *= x.factor;
    x = round_to(node, x, limited);
  }
  x.codes = true;
  set(node, x);
}

// Keeps the upper `out` of `in` bits: Brevitas has it behind the sum of an average pooling.
void Converter::trunc(const OnnxNode& node) {
  const double scale = need_constant(node, 1, "scale").at(0), zero = need_constant(node, 2, "zero point").at(0);
  const double in = need_constant(node, 3, "input width").at(0);
  // Its second version has the scale of the result in front of the width, and says whether codes are signed.
  const bool second = node.inputs.size() > 5;
  const double out = need_constant(node, second ? 5 : 4, "output width").at(0);
  const double out_scale = second ? need_constant(node, 4, "output scale").at(0) : scale;
  const std::string rounding = node.text("rounding_mode", "FLOOR");
  if (zero != 0 || !(in >= out && out >= 1 && out <= 16))
    refuse(node, fmt::format("from {} to {} bits with zero point {} is not supported", in, out, zero));
  if (rounding != "FLOOR" && rounding != "ROUND")
    refuse(node, fmt::format("rounding_mode '{}' is not supported", rounding));
  Value x = value(node, 0);
  const Op op = network_.graph.node(x.node).op;
  // Whether the values are signed shows in what they are made of.
  int origin = x.node;
  while (!network_.grids[at(origin)] && !network_.graph.node(origin).inputs.empty() &&
         !has_weights(network_.graph.node(origin).op)) {
    origin = network_.graph.node(origin).inputs[0];
  }
  const auto& source = network_.grids[at(origin)];
  const bool is_signed =
      second ? node.whole("signed", 1) != 0 : !(op == Op::relu || (source && source->coding == Coding::unsigned_code));
  const double steps = second ? std::exp2(std::nearbyint(std::log2(out_scale / scale))) : std::exp2(in - out);
  if (!(scale > 0 && out_scale > 0 && std::isfinite(steps)))
    refuse(node, fmt::format("from scale {} to {} is not supported", scale, out_scale));
  x.factor *= out_scale / (scale * steps);
  Grid grid{.bits = static_cast<int>(out),
            .scale = out_scale,
            .rounding = rounding == "FLOOR" ? Rounding::floor : Rounding::half_even};
  grid.coding = is_signed ? Coding::twos_complement : Coding::unsigned_code;
  if (second && node.whole("narrow", 0) != 0) (is_signed ? grid.cut_low : grid.cut_high) = 1;
  set(node, round_to(node, x, grid));
}

}  // namespace bitstrata::model::interchange
