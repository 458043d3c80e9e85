// SPDX-License-Identifier: Apache-2.0
// Runs a module: operators, and the grids that values are rounded to.
#include <cmath>
#include <numbers>
#include <stdexcept>

#include "model/activations.h"
#include "quant/module.h"
#include "quant/operators.h"
#include "quant/rounding.h"

namespace bitstrata::quant {

namespace {

using model::Coding;
using model::Op;
using torch::Tensor;

Tensor column(const Tensor& per_channel) { return per_channel.view({-1, 1, 1, 1}); }

// Output margin: logits of unseen images may exceed the calibrated ones, and two clipped logits would tie.
// A step rounded to a power of two may shrink the range by 1/sqrt(2), which the margin makes up for.
double output_margin(Scales scales) { return scales == Scales::power_of_two ? 1.25 * std::numbers::sqrt2 : 1.25; }

// torch's count_nonzero takes as long as a convolution of few channels; this loop is as fast as memory.
std::int64_t nonzero_elements(const Tensor& tensor) {
  const Tensor values = dense(tensor.detach());
  return nonzero(values.data_ptr<float>(), values.numel());
}

void count(DensityCount& density, std::size_t tensor, const Tensor& values) {
  density.total[tensor] += values.numel();
  if (!density.per_channel) {
    density.nonzero[tensor] += nonzero_elements(values);
    return;
  }
  const Tensor nonzero = values.detach().count_nonzero({0, 2, 3});
  Tensor& sum = density.channel_nonzero[tensor];
  sum = sum.defined() ? sum + nonzero : nonzero;
  density.nonzero[tensor] += nonzero.sum().item<std::int64_t>();
}

// A table that is a layer of its own is indexed by the upper 8 bits of the codes it reads.
Tensor upper_bits(const Tensor& x, const TrainingGrid& grid) {
  if (grid.bits <= 8) return x;
  const double each = std::ldexp(1.0, grid.bits - 8), low = static_cast<double>(grid.low);
  const Tensor index = grid_codes(x.detach(), grid).sub_(low).div_(each).add_(0.5).floor_().clamp_(0, 255);
  const Tensor rounded = index.mul(each).add_(low - grid.offset).mul_(grid.step);
  return straight_through(x, rounded);
}

// The grid of a table's index: 8 bits over what is seen in front of it.
TrainingGrid table_grid(const Range& range) {
  TrainingGrid grid;
  grid.bits = 8;
  grid.coding = Coding::twos_complement;
  grid.low = -128;
  grid.high = 127;
  grid.step = static_cast<float>((range.high - range.low) / 255);
  grid.offset = std::clamp(std::nearbyint(-128 - range.low / grid.step), -128.0, 127.0);
  return grid;
}

// What is seen in front of a table, as far as it makes a difference to 8-bit results.
Range table_range(const Range& seen, Op op) {
  const model::Function& table = *model::function_of(op);
  return {std::clamp(seen.low, table.flat_low, -1e-3), std::clamp(seen.high, 1e-3, table.flat_high)};
}

// The rounding that lies between two.
Tensor mixed(const Tensor& narrower, const Tensor& wider, const Tensor& share) {
  return narrower + share * (wider - narrower);
}

// Images as the host rounds them.
Tensor rounded_input(const Tensor& images, const TrainingGrid& grid) {
  if (images.scalar_type() == torch::kUInt8)
    return images.to(torch::kFloat32).mul_(static_cast<double>(grid.high) / 255.0).add_(0.5).floor_().mul_(grid.step);
  // Halves to even, as hosts that follow ONNX do.
  const bool bipolar = grid.coding == Coding::bipolar;
  const Tensor codes = bipolar ? images.ge(0).to(torch::kFloat32) : images.div(grid.step).round_().add_(grid.offset);
  return codes.clamp(static_cast<double>(grid.low), static_cast<double>(grid.high)).sub_(grid.offset).mul_(grid.step);
}

void follow(std::optional<Range>& range, const Range& seen, double share) {
  const Range before = range.value_or(Range{});
  if (!range) share = 1;
  range = Range{before.low + share * (seen.low - before.low), before.high + share * (seen.high - before.high)};
}

void follow(Tensor& mean, const Tensor& seen, double share) {
  mean = mean.defined() && share < 1 ? mean + share * (seen - mean) : seen;
}

}  // namespace

bool Module::by_table(const Step& step) const {
  return step.activation >= 0 && step.activation != step.node && model::needs_table(network_.node(step.activation).op);
}

bool Module::shares_format(const Step& step) const { return layout_.tensors[step.output].source != step.output; }

Coding Module::coding(int tensor, int bits) const {
  const int source = layout_.tensors[tensor].source;
  const TensorNode& info = layout_.tensors[source];
  if (source == 0) {  // what was found of the data decides
    const Range range = (input_extremes_ ? input_extremes_ : ranges_[0]).value_or(Range{});
    if (range.low >= 0) return Coding::unsigned_code;
    if (bits == 1) return Coding::bipolar;
    const double smaller = std::min(-range.low, std::max(0.0, range.high));
    return smaller < 0.6 * std::max(-range.low, range.high) ? Coding::unsigned_code : Coding::twos_complement;
  }
  if (info.is_output) return info.rectified ? Coding::unsigned_code : Coding::twos_complement;
  const Op made_by = network_.node(info.node).op;
  // Functions that hardly leave 0 on one side would waste half of a symmetric range.
  if (const auto ending = model::info(made_by).ending) {
    const bool one_sided =
        *ending == model::Activation::hard_swish || (*ending == model::Activation::table && bound_of(made_by) == 0);
    if (one_sided) return Coding::unsigned_code;
    if (*ending == model::Activation::leaky) return Coding::twos_complement;  // its slope turns about code 0
  }
  return coding_of(info.rectified, bits, options.signed_tensors);
}

TrainingGrid Module::tensor_grid(int tensor, double smallest) const {
  const int source = layout_.tensors[tensor].source;
  const int bits = bits_[tensor];
  const bool learns = learned(source);
  TrainingGrid grid =
      make_grid(ranges_[source].value_or(Range{}), bits, coding(tensor, bits), options.scales, learns ? 0 : smallest);
  if (!learns) return grid;
  // The zero point stays that of the range, so both ends of it move with the step.
  grid.step = allowed_step(steps_[source].item<float>(), options.scales, smallest);
  return grid;
}

double Module::smallest_step(const Step& step, const std::vector<TrainingGrid>& grids, const StageScale& scale) const {
  // A right shift cannot enlarge, and a 16-bit multiplier by at most 2^15: the output's step must not be finer.
  if (step.stage >= 0) {
    const double largest = grids[step.input()].unit() * scale.largest;
    return options.scales == Scales::power_of_two ? largest : largest / 32768;
  }
  double unit = grids[step.input()].unit();
  const auto kind = info(network_.node(step.node).op).kind;
  if (kind && accumulation(*kind) == model::Accumulation::product) unit *= grids[step.inputs[1]].unit();
  return unit / 32768;
}

Module::StageScale Module::scale_of(int index) const {
  if (index < 0) return {};
  StageScale result{folding_gain(index), {}, 0};
  const StageWeights& weights = stage(index);
  result.scale = learned_weights(index)
                     ? learned_weight_scale(weights.step, result.gain, options.granularity, options.scales)
                     : weight_scale(weights.weight.detach() * column(result.gain),
                                    plan_.layers[static_cast<std::size_t>(index)].weight_bits, options.granularity,
                                    options.scales);
  result.largest = result.scale.max().item<double>();
  return result;
}

Tensor Module::scale_of_weights(int index) const { return scale_of(index).scale; }

Tensor Module::rounded_weight(int index) const {
  const Tensor scale = scale_of(index).scale;
  return weight_codes(folded_weight(index), scale, plan_.layers[static_cast<std::size_t>(index)].weight_bits) *
         column(scale);
}

Module::Grids Module::grids() const {
  Grids grids;
  grids.tensors.resize(layout_.tensors.size());
  grids.tables.resize(layout_.tensors.size());
  grids.weight_scales.resize(layout_.stages.size());
  grids.tensors[0] = tensor_grid(0, 0);
  for (const Step& step : layout_.steps) {
    const StageScale scale = scale_of(step.stage);
    if (step.stage >= 0) grids.weight_scales[step.stage] = scale.scale;
    if (by_table(step)) grids.tables[step.output] = table_grid(table_ranges_[step.output].value_or(Range{}));
    grids.tensors[step.output] = shares_format(step)
                                     ? grids.tensors[layout_.tensors[step.output].source]
                                     : tensor_grid(step.output, smallest_step(step, grids.tensors, scale));
  }
  return grids;
}

Tensor Module::run_stage(const Step& step, const Tensor& input, const TrainingGrid& input_grid, const StageScale& scale,
                         const ForwardOptions& forward) {
  StageWeights& stage = this->stage(step.stage);
  const int bits = plan_.layers[step.stage].weight_bits;
  Tensor weight = stage.weight;
  if (forward.quantized)
    weight = learned_weights(step.stage)
                 ? fake_quantize_weights(weight, stage.step, scale.scale, bits, scale.gain, options.granularity)
                 : fake_quantize_weights(weight, scale.scale, bits, scale.gain);
  if (const Between* between = forward.between; between && between->weights[step.stage].defined()) {
    const int wider_bits = between->weight_bits[step.stage];
    const Tensor wider_scale =
        weight_scale(stage.weight.detach() * column(scale.gain), wider_bits, options.granularity, options.scales);
    weight = mixed(weight, fake_quantize_weights(stage.weight, wider_scale, wider_bits, scale.gain),
                   between->weights[step.stage]);
  }
  Tensor x = convolve(input, weight, network_.node(step.node), forward.quantized ? input_grid.padding_value() : 0.0);
  if (forward.means == Means::take) follow(stage.mean, channel_means(x), forward.means_share);
  // Outputs are compared with each other: at 3/6, matching the means of logits, too, costs DS-CNN 11 points.
  const bool output = layout_.tensors[step.output].is_output;
  if (forward.quantized && forward.means == Means::match && stage.mean.defined() && !output)
    follow(stage.shift, stage.mean - channel_means(x), forward.means_share);
  const bool shifted = forward.quantized && stage.shift.defined();
  if (!stage.normalised()) return add_to_channels(x, shifted ? stage.bias + stage.shift : stage.bias);
  if (shifted) x = add_to_channels(x, stage.shift);
  return torch::batch_norm(x, stage.gamma, stage.beta, stage.running_mean, stage.running_var, forward.batch_statistics,
                           forward.norm_momentum, kNormEpsilon, false);
}

Tensor Module::evaluate(const Step& step, const Values& values, const StageScale& scale,
                        const ForwardOptions& forward) {
  Tensor x;
  if (step.stage >= 0) {
    const TrainingGrid grid = forward.quantized ? values.grids[step.input()] : TrainingGrid{};
    x = run_stage(step, values.tensors[step.input()], grid, scale, forward);
  } else if (step.activation != step.node) {
    std::vector<Tensor> inputs;
    for (const int input : step.inputs) inputs.push_back(values.tensors[input]);
    x = run_operator(network_.node(step.node), inputs);
  } else {
    x = values.tensors[step.input()];
  }
  if (step.activation < 0) return x;
  const model::Node& activation = network_.node(step.activation);
  if (forward.quantized && step.activation == step.node && model::needs_table(activation.op))
    x = upper_bits(x, values.grids[step.input()]);
  if (forward.quantized && by_table(step)) {
    std::optional<Range>& range = table_ranges_[step.output];
    if (forward.observe > 0 || !range) {
      const auto extremes = x.detach().aminmax();
      const Range seen{std::get<0>(extremes).item<double>(), std::get<1>(extremes).item<double>()};
      follow(range, table_range(seen, activation.op), forward.observe);
    }
    x = fake_quantize(x, table_grid(*range));
  }
  // The grid of a rectified tensor begins at 0, so rounding to it is the ReLU.
  const bool in_grid = forward.quantized && activation.op == Op::relu && activation.limit == 0 &&
                       !layout_.tensors[step.output].is_output;
  return in_grid ? x : run_operator(activation, {x});
}

Tensor Module::unrounded(std::size_t index, const Values& values, const ForwardOptions& options_now) {
  const Step& step = layout_.steps.at(index);
  return evaluate(step, values, options_now.quantized ? scale_of(step.stage) : StageScale{}, options_now);
}

void Module::observe(const Step& step, const Tensor& values, const ForwardOptions& forward) {
  std::optional<Range>& range = ranges_[step.output];
  if (range && (forward.observe == 0 || learned(step.output))) return;
  const Range seen = seen_range(step, values, bits_[step.output], forward.observed_values);
  const bool bounded = bound_of(network_.node(layout_.tensors[step.output].node).op) > 0;
  follow(range, seen, bounded ? 1 : forward.observe);
}

Range Module::seen_range(const Step& step, const Tensor& values, int bits, int samples) const {
  const TensorNode& tensor = layout_.tensors[step.output];
  // Functions that are bounded reach their bound whatever was seen.
  if (const double bound = bound_of(network_.node(tensor.node).op); bound > 0)
    return {tensor.rectified ? 0 : -bound, bound};
  const Range seen = observe_range(values, bits, coding(step.output, bits), samples, tensor.rectified);
  const double margin = tensor.is_output ? output_margin(options.scales) : 1;
  return {seen.low * margin, seen.high * margin};
}

Module::Values Module::begin(const Tensor& images, const ForwardOptions& forward) {
  Values values{std::vector<Tensor>(layout_.tensors.size()), std::vector<TrainingGrid>(layout_.tensors.size())};
  Tensor& input = values.tensors[0];
  const bool bytes = images.scalar_type() == torch::kUInt8;
  if (!forward.quantized) {
    input = bytes ? images.to(torch::kFloat32).div_(255.0) : images;
    return values;
  }
  if (!ranges_[0]) ranges_[0] = observe_range(images, bits_[0], coding(0, bits_[0]), forward.observed_values);
  values.grids[0] = tensor_grid(0, 0);
  input = rounded_input(images, values.grids[0]);
  if (forward.between) {
    values.wider = values.grids;
    if (const Tensor& share = forward.between->tensors[0]; share.defined()) {
      const int bits = forward.between->tensor_bits[0];
      values.wider[0] = make_grid(*ranges_[0], bits, coding(0, bits), options.scales, 0);
      input = mixed(input, rounded_input(images, values.wider[0]), share);
    }
  }
  return values;
}

void Module::run(Values& values, std::size_t first, const ForwardOptions& forward) {
  if (forward.density && forward.density->total.empty()) {
    forward.density->nonzero.assign(layout_.tensors.size(), 0);
    forward.density->total.assign(layout_.tensors.size(), 0);
    forward.density->channel_nonzero.resize(layout_.tensors.size());
  }
  if (forward.density && first == 0) count(*forward.density, 0, values.tensors[0]);
  if (forward.results) forward.results->resize(layout_.steps.size());
  for (std::size_t i = first; i < layout_.steps.size(); ++i) run_step(i, values, forward);
}

void Module::run_step(std::size_t index, Values& values, const ForwardOptions& forward) {
  const Step& step = layout_.steps.at(index);
  const StageScale scale = forward.quantized ? scale_of(step.stage) : StageScale{};
  Tensor result = evaluate(step, values, scale, forward);
  if (forward.results) forward.results->at(index) = result;
  finish(step, std::move(result), scale, values, forward);
}

void Module::round_step(std::size_t index, Tensor result, Values& values, const ForwardOptions& forward) {
  const Step& step = layout_.steps.at(index);
  finish(step, std::move(result), forward.quantized ? scale_of(step.stage) : StageScale{}, values, forward);
}

void Module::finish(const Step& step, Tensor output, const StageScale& scale, Values& values,
                    const ForwardOptions& forward) {
  if (forward.quantized) {
    TrainingGrid& grid = values.grids[step.output];
    const int source = layout_.tensors[step.output].source;
    const Tensor share = forward.between ? forward.between->tensors[source] : Tensor();
    const Tensor exact = output;
    if (shares_format(step)) {
      grid = values.grids[source];
      if (share.defined()) values.wider[step.output] = values.wider[source];
      if (step.pools) output = round_to_grid(output, grid);
      if (step.pools && share.defined()) output = mixed(output, round_to_grid(exact, values.wider[source]), share);
    } else {
      observe(step, output, forward);
      const double smallest = smallest_step(step, values.grids, scale);
      grid = tensor_grid(step.output, smallest);
      // Logits keep their full resolution while training: their codes only matter to the argmax.
      if (!layout_.tensors[step.output].is_output) {
        output = learned(step.output) ? fake_quantize(output, grid, steps_[step.output]) : fake_quantize(output, grid);
        if (share.defined()) {
          const int bits = forward.between->tensor_bits[source];
          const Range range = seen_range(step, exact, bits, forward.observed_values);
          values.wider[source] = make_grid(range, bits, coding(source, bits), options.scales, smallest);
          output = mixed(output, fake_quantize(exact, values.wider[source]), share);
        }
      }
    }
  }
  if (forward.density) count(*forward.density, static_cast<std::size_t>(step.output), output);
  values.tensors[step.output] = std::move(output);
}

Tensor Module::forward(const Tensor& images, const ForwardOptions& forward) {
  Values values = begin(images, forward);
  run(values, 0, forward);
  if (forward.codes)
    for (std::size_t t = 0; t < values.tensors.size(); ++t)
      forward.codes->push_back(grid_codes(values.tensors[t].detach(), values.grids[t]));
  return values.tensors.back().flatten(1);
}

}  // namespace bitstrata::quant
