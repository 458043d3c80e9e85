// SPDX-License-Identifier: Apache-2.0
// Grids and codes become integer layers: every zero point, offset and rounding of IntegerLayer's arithmetic is set
// here.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <stdexcept>

#include "model/activations.h"
#include "model/stages.h"
#include "quant/calibration/calibrate.h"
#include "quant/fixed_point.h"

namespace bitstrata::quant {
namespace {

using namespace model;

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

std::int64_t half_up(double value) { return static_cast<std::int64_t>(std::floor(value + 0.5)); }

// A tensor's codes as arithmetic sees them: value = unit * (code - zero). Bipolar codes have a zero of 1/2.
double unit_of(const Grid& grid) { return grid.coding == Coding::bipolar ? 2 * grid.scale : grid.scale; }
double zero_of(const Grid& grid) { return grid.coding == Coding::bipolar ? 0.5 : grid.zero_point; }

class Assembler {
 public:
  Assembler(const FloatNetwork& network, int accumulator_bits)
      : network_(network), graph_(network.graph), layout_(lay_out(graph_)), accumulator_bits_(accumulator_bits) {}

  IntegerNetwork run() {
    result_.name = graph_.name();
    for (const TensorNode& tensor : layout_.tensors) {
      const auto& grid = network_.grids[at(tensor.node)];
      if (!grid)
        throw std::invalid_argument(fmt::format("the output of '{}' has no grid", graph_.node(tensor.node).name));
      add_tensor(*grid, graph_.node(tensor.node).output);
    }
    for (const Step& step : layout_.steps) add_step(step);
    mark_depthwise(result_);
    validate(result_);
    return std::move(result_);
  }

 private:
  [[noreturn]] void refuse(const std::string& message) const {
    throw std::invalid_argument(fmt::format("layer '{}': {}", layer_.name, message));
  }

  int add_tensor(const Grid& grid, Shape shape) {
    TensorFormat format{.shape = shape, .bits = grid.bits, .coding = grid.coding};
    format.scale = grid.scale;
    format.zero_point = grid.coding == Coding::bipolar ? 0 : grid.zero_point;
    result_.tensors.push_back(format);
    grids_.push_back(grid);
    return static_cast<int>(result_.tensors.size()) - 1;
  }

  const Grid& grid(int tensor) const { return grids_[at(tensor)]; }

  // What the layer's activation makes of v's real value: the grid in which r is counted.
  struct Target {
    double unit = 1;    // real value of one r
    double offset = 0;  // added to r
  };

  // Sets clipping and activation of the layer.
  Target finish(const Step& step, const Grid& out, double pre_range_from_input = 0) {
    const CodeRange range = out.range();
    layer_.clip_low = range.low;
    layer_.clip_high = range.high;
    Target target{unit_of(out), zero_of(out) - (out.floor() ? 0.5 : 0.0)};
    if (step.activation < 0) return target;
    const Node& node = graph_.node(step.activation);
    const auto code_at = [&](double value) {
      return static_cast<std::int32_t>(
          std::clamp<std::int64_t>(half_up(value / unit_of(out) + zero_of(out)), range.low, range.high));
    };
    layer_.activation = ending_of(node.op);
    switch (layer_.activation) {
      case Activation::clip: {
        const Clipping clipping = clipping_of(node);
        target.unit *= clipping.divisor;
        target.offset += clipping.offset / unit_of(out);
        if (std::isfinite(clipping.low)) layer_.clip_low = code_at(clipping.low);
        if (std::isfinite(clipping.high)) layer_.clip_high = code_at(clipping.high);
        break;
      }
      case Activation::leaky:
        if (zero_of(out) != 0) refuse("a leaky ReLU's output must have a zero point of 0");
        break;
      case Activation::hard_swish: {
        if (out.coding == Coding::bipolar) refuse("a hard swish cannot give -1 and +1");
        // p * g * unit^2 / 6 must be the output's scale times a power of two; the finest unit whose p and 6 fit in
        // their bits, p at least as far as the output's codes reach.
        const double reach =
            std::max(std::abs(range.low - out.zero_point), std::abs(range.high - out.zero_point)) * out.scale;
        const double coarsest = std::max({6.0 / 65535, (reach + 3) / 32767, pre_range_from_input / 32767});
        const double exponent = std::floor(std::log2(6 * out.scale / (coarsest * coarsest)));
        if (exponent < 0) refuse(fmt::format("a hard swish with an output scale of {:g} is out of reach", out.scale));
        layer_.swish_shift = static_cast<int>(std::min(31.0, exponent));
        target.unit = std::sqrt(6 * out.scale * std::exp2(-layer_.swish_shift));
        target.offset = 0;
        layer_.swish_three = static_cast<std::int32_t>(half_up(3 / target.unit));
        layer_.swish_six = static_cast<std::int32_t>(std::min<std::int64_t>(65535, half_up(6 / target.unit)));
        layer_.swish_offset = out.zero_point;
        break;
      }
      case Activation::table: {
        const auto& pre = network_.grids[at(node.inputs[0])];
        if (!pre || pre->bits != 8 || pre->coding != Coding::twos_complement)
          refuse("has no 8-bit grid in front of its table");
        target = {pre->scale, static_cast<double>(pre->zero_point)};
        fill_table(node, out, [&](int i) { return pre->value(i - 128); });
        break;
      }
    }
    return target;
  }

  template <typename ValueOf>
  void fill_table(const Node& node, const Grid& out, ValueOf value_of) {
    if (const int most = info(Activation::table).most_bits; out.bits > most)
      refuse(fmt::format("{} is a table of at most {} bits, its output has {}", to_string(node.op), most, out.bits));
    layer_.table.clear();
    for (int i = 0; i < 256; ++i)
      layer_.table.push_back(static_cast<std::int16_t>(out.code(activate(node, static_cast<float>(value_of(i))))));
  }

  // One channel's results: an accumulator counts in `ratio` codes and holds `base` when the real result is 0, for which
  // the code is `offset`.
  struct Channel {
    double ratio, base, offset;
  };

  // The channel: accumulators count in `unit`, and hold `base` when the result is 0.
  void add_channel(double unit, double base, const Target& target) {
    // From 2^16 on one step of v saturates every output: a larger multiplier changes nothing.
    const double ratio = std::min(unit / target.unit, 65535.0);
    if (!(ratio > 0)) refuse(fmt::format("its scales lie too far apart (ratio {:g})", ratio));
    channels_.push_back({ratio, base, target.offset});
  }

  // Biases, multipliers and shifts of all channels, biases with `fraction` bits behind the accumulator's unit.
  void set_channels(const Step& step, int fraction) {
    layer_.bias.clear();
    layer_.multiplier.clear();
    layer_.shift.clear();
    layer_.negative_multiplier.clear();
    for (const Channel& channel : channels_) {
      const double ratio = std::ldexp(channel.ratio, -fraction);
      int exponent = 0;
      // A slope is a multiplier of its own and needs the bits that a multiplier of 1 lacks.
      const bool leaky = layer_.activation == Activation::leaky;
      const bool power = !leaky && std::frexp(ratio, &exponent) == 0.5 && exponent <= 1 && exponent >= -62;
      const Requantizer requantizer = power ? shift_only(ratio) : multiply_shift(ratio);
      if (requantizer.multiplier == 0) refuse(fmt::format("its scales lie too far apart (ratio {:g})", channel.ratio));
      layer_.multiplier.push_back(requantizer.multiplier);
      layer_.shift.push_back(requantizer.shift);
      // Whole units: where the result has one threshold, it stays exactly where it was.
      const double offset = std::ldexp(channel.offset / requantizer.ratio(), -fraction);
      const bool sign = channel.offset == 0.5 && layer_.clip_low == 0 && layer_.clip_high == 1;
      const double bias = sign ? std::floor(channel.base + 1e-6) + std::ceil(offset) : channel.base + offset;
      if (!(std::abs(bias) < 0x1p52)) refuse(fmt::format("a bias of {:g} in its units does not fit", bias));
      layer_.bias.push_back(half_up(std::ldexp(bias, fraction)));
      if (leaky) {
        layer_.negative_multiplier.push_back(
            static_cast<std::uint16_t>(half_up(requantizer.multiplier * graph_.node(step.activation).slope)));
      }
    }
  }

  // Requantization of the layer's channels. A bias is rounded to the unit of its accumulators, which moves every result
  // by up to half a unit: little where a code is hundreds of units, many codes where it is two or three. So it gets
  // fraction bits until the rounding moves a result by at most 2^-13 of a code, where the accumulators have them.
  void requantize(const Step& step) {
    const int own = layer_.acc_shift;  // of bipolar inputs
    double coarsest = 0;
    for (const Channel& channel : channels_) coarsest = std::max(coarsest, channel.ratio);
    int exponent = 0;
    std::frexp(coarsest, &exponent);  // coarsest <= 2^exponent
    int fraction = std::clamp(exponent + 12, 0, most_acc_shift - own);
    set_channels(step, 0);
    const std::int64_t bound = accumulator_bound(result_, layer_);
    while (fraction > 0 && bound + 1 >= (std::int64_t{1} << (accumulator_bits_ - 1)) >> fraction) --fraction;
    if (fraction > 0) {
      set_channels(step, fraction);
      // Bits that no channel uses go again: the layer stays as it is written by hand, and accumulators small.
      std::uint64_t bits = std::uint64_t{1} << fraction;
      for (const std::int64_t bias : layer_.bias) bits |= static_cast<std::uint64_t>(bias);
      fraction -= std::countr_zero(bits);
      set_channels(step, fraction);
    }
    layer_.acc_shift = own + fraction;
    channels_.clear();
  }

  void add_step(const Step& step) {
    const Node& node = graph_.node(step.node);
    layer_ = layer_of(graph_, step.node);
    layer_.input = step.input();
    layer_.output = step.output;
    if (is_activation(node.op)) {  // that no layer takes
      standalone(step, node);
    } else if (joins_channels(node.op)) {
      concatenate(step, node);
      return;
    } else {
      switch (accumulation(layer_.kind)) {
        case Accumulation::weighted_sum:
          convolution(step, node);
          break;
        case Accumulation::sum:
          pass(step, node.output.channels, node.window.kernel_height * node.window.kernel_width);
          break;
        case Accumulation::scaled_sum:
        case Accumulation::product:
          combine(step, node);
          break;
        case Accumulation::maximum:
        case Accumulation::copy:
          pass(step, node.output.channels, 1);
          break;
      }
    }
    result_.layers.push_back(std::move(layer_));
  }

  void convolution(const Step& step, const Node& node) {
    const Grid &in = grid(step.input()), &out = grid(step.output);
    const Parameters& p = network_.parameters[at(step.node)];
    const auto channels = at(node.out_channels);
    if (p.weight_bits == 0 || p.scales.size() != channels) refuse("its weights have no codes");
    layer_.weight_bits = p.weight_bits;
    layer_.acc_shift = in.coding == Coding::bipolar ? 1 : 0;
    const Target target = finish(step, out);
    const double zero = in.coding == Coding::bipolar ? 1 : in.zero_point;
    const std::size_t each = p.weights.size() / channels;
    const double largest = p.weight_bits == 1 ? 1 : std::exp2(p.weight_bits - 1) - 1;
    std::vector<std::int16_t> weights;
    weights.reserve(p.weights.size());
    for (std::size_t n = 0; n < channels; ++n) {
      std::int64_t sum = 0;
      for (std::size_t k = 0; k < each; ++k) {
        const double w = p.weights[n * each + k];
        const double code = p.weight_bits == 1 ? (w >= 0 ? 1.0 : -1.0)
                                               : std::clamp(std::nearbyint(w / p.scales[n]), -largest - 1, largest);
        weights.push_back(static_cast<std::int16_t>(code));
        sum += static_cast<std::int64_t>(code);
      }
      const double unit = in.scale * p.scales[n];  // acc_shift makes 2c of c
      add_channel(unit, p.bias[n] / unit - zero * static_cast<double>(sum), target);
    }
    layer_.weights = std::move(weights);
    requantize(step);
  }

  // The (sum of `taps`) codes of the input in the output's grid.
  void pass(const Step& step, int channels, int taps) {
    const Grid &in = grid(step.input()), &out = grid(step.output);
    const Target target = finish(step, out);
    const bool same =
        step.activation < 0 && in.scale == out.scale && in.zero_point == out.zero_point && in.coding == out.coding;
    for (int c = 0; c < channels; ++c) {
      if (same) {  // zero points cancel, exactly
        Target codes{1, out.floor() ? -0.5 : 0};
        add_channel(1.0 / taps, 0, codes);
      } else {
        add_channel(unit_of(in) / taps, -zero_of(in) * taps, target);
      }
    }
    requantize(step);
  }

  void standalone(const Step& step, const Node& node) {
    const Grid &in = grid(step.input()), &out = grid(step.output);
    const bool offset = ending_of(node.op) == Activation::leaky && zero_of(out) != 0 && in.bits <= 8;
    if (!needs_table(node.op) && !offset) {
      const double reach = std::max(std::abs(in.value(in.range().low)), std::abs(in.value(in.range().high)));
      const Target target = finish(step, out, reach);
      for (int c = 0; c < node.output.channels; ++c) add_channel(unit_of(in), -zero_of(in), target);
      requantize(step);
      return;
    }
    // The table's index is the input's code itself, or its upper 8 bits.
    const CodeRange codes = code_range(in.coding, in.bits), range = out.range();
    const int shift = std::max(0, in.bits - 8);
    layer_.activation = Activation::table;
    layer_.clip_low = range.low;
    layer_.clip_high = range.high;
    fill_table(node, out, [&](int i) { return in.value(codes.low + (i << shift)); });
    layer_.bias.assign(at(node.output.channels), -(std::int64_t{codes.low} + (std::int64_t{128} << shift)));
    layer_.multiplier.assign(at(node.output.channels), 1);
    layer_.shift.assign(at(node.output.channels), static_cast<std::uint8_t>(shift));
  }

  void combine(const Step& step, const Node& node) {
    layer_.second = step.inputs[1];
    if (result_.tensors[at(layer_.input)].shape.elements() < result_.tensors[at(layer_.second)].shape.elements()) {
      std::swap(layer_.input, layer_.second);
    }
    const Grid &a = grid(layer_.input), &b = grid(layer_.second);
    const Target target = finish(step, grid(step.output));
    double unit = 0, base = 0;
    if (accumulation(layer_.kind) == Accumulation::scaled_sum) {
      int exponent = 0;
      std::frexp(std::max(unit_of(a), unit_of(b)), &exponent);
      unit = std::exp2(exponent - 15);  // the larger factor lies in 2^14 .. 2^15
      layer_.factor = {static_cast<std::int32_t>(half_up(unit_of(a) / unit)),
                       static_cast<std::int32_t>(half_up(unit_of(b) / unit))};
      base = -(layer_.factor[0] * zero_of(a) + layer_.factor[1] * zero_of(b));
    } else {
      if (a.coding == Coding::bipolar || b.coding == Coding::bipolar)
        refuse("multiplies a tensor of -1 and +1, which is not supported");
      unit = unit_of(a) * unit_of(b);
      layer_.factor = {-b.zero_point, -a.zero_point};
      base = static_cast<double>(a.zero_point) * b.zero_point;
    }
    for (int c = 0; c < node.output.channels; ++c) add_channel(unit, base, target);
    requantize(step);
  }

  // A chain of joinings of two. All but the last hold values as they are before the activation.
  void concatenate(const Step& step, const Node& node) {
    const Grid out = grid(step.output);
    const bool plain = step.activation < 0 || graph_.node(step.activation).op == Op::relu;
    if (!plain && step.inputs.size() > 2)
      refuse("joins more than two tensors in front of an activation that is no ReLU");
    for (std::size_t i = 1; i < step.inputs.size(); ++i) {
      const bool last = i + 1 == step.inputs.size();
      IntegerLayer next = layer_of(graph_, step.node);
      next.input = layer_.output;
      layer_.second = step.inputs[i];
      const Shape first = result_.tensors[at(layer_.input)].shape, second = result_.tensors[at(layer_.second)].shape;
      layer_.name = last ? node.name : fmt::format("{}_{}", node.name, i);
      const Target target = finish(step, out);
      for (const int tensor : {layer_.input, layer_.second}) {
        const Grid& from = grid(tensor);
        const bool same =
            plain && from.scale == out.scale && from.zero_point == out.zero_point && from.coding == out.coding;
        for (int c = 0; c < result_.tensors[at(tensor)].shape.channels; ++c) {
          if (same) {
            add_channel(1, 0, {1, 0});
          } else {
            add_channel(unit_of(from), -zero_of(from), target);
          }
        }
      }
      requantize(step);
      if (!last) {
        layer_.output = add_tensor(out, {first.height, first.width, first.channels + second.channels});
        next.input = layer_.output;
        next.output = step.output;
      }
      result_.layers.push_back(std::move(layer_));
      layer_ = std::move(next);
    }
  }

  const FloatNetwork& network_;
  const Network& graph_;
  Layout layout_;
  int accumulator_bits_;
  IntegerNetwork result_;
  std::vector<Grid> grids_;  // indexed as result_.tensors
  IntegerLayer layer_;       // the one being made
  std::vector<Channel> channels_;
};

}  // namespace

IntegerNetwork assemble(const FloatNetwork& network, int accumulator_bits) {
  return Assembler(network, accumulator_bits).run();
}

}  // namespace bitstrata::quant
