// SPDX-License-Identifier: Apache-2.0
#include "quant/module.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

namespace bitstrata::quant {

namespace {

using torch::Tensor;

Tensor column(const Tensor& per_channel) { return per_channel.view({-1, 1, 1, 1}); }

// Output margin: logits of unseen images may exceed the calibrated ones, and two clipped logits would tie.
// A step rounded to a power of two may shrink the range by 1/sqrt(2), which the margin makes up for.
double output_margin(Scales scales) { return scales == Scales::power_of_two ? 1.25 * std::numbers::sqrt2 : 1.25; }

// torch's count_nonzero takes as long as a convolution of few channels; this loop is as fast as memory.
std::int64_t nonzero_elements(const Tensor& tensor) {
  const Tensor values = tensor.detach().contiguous();
  const float* data = values.data_ptr<float>();
  const std::int64_t size = values.numel();
  constexpr std::int64_t kBlock = 1 << 16;  // keeps the inner sum in 32 bits, which vectorizes best
  std::int64_t count = 0;
  for (std::int64_t start = 0; start < size; start += kBlock) {
    const std::int64_t end = std::min(size, start + kBlock);
    std::int32_t part = 0;
    for (std::int64_t i = start; i < end; ++i) part += data[i] != 0.0F;
    count += part;
  }
  return count;
}

}  // namespace

Tensor convolve(const Tensor& input, const Tensor& weight, const model::Node& node, double padding) {
  model::Window w = node.window;
  if (node.op == model::Op::linear)
    w = model::Window{static_cast<int>(weight.size(2)), static_cast<int>(weight.size(3))};
  const bool even = w.pad_top == w.pad_bottom && w.pad_left == w.pad_right;
  Tensor x = input;
  std::vector<std::int64_t> pad{w.pad_top, w.pad_left};
  if (!even || (padding != 0.0 && (w.pad_top > 0 || w.pad_left > 0))) {
    x = torch::constant_pad_nd(x, {w.pad_left, w.pad_right, w.pad_top, w.pad_bottom}, padding);
    pad = {0, 0};
  }
  return torch::conv2d(x, weight, {}, {w.stride_height, w.stride_width}, pad, {w.dilation_height, w.dilation_width},
                       node.groups);
}

Tensor pool_max(const Tensor& input, const model::Window& w) {
  Tensor x = input;
  if (w.pad_top || w.pad_bottom || w.pad_left || w.pad_right)  // taps outside the image never win
    x = torch::constant_pad_nd(x, {w.pad_left, w.pad_right, w.pad_top, w.pad_bottom},
                               -std::numeric_limits<double>::infinity());
  return torch::max_pool2d(x, {w.kernel_height, w.kernel_width}, {w.stride_height, w.stride_width}, {0, 0},
                           {w.dilation_height, w.dilation_width});
}

Tensor pool_sum(const Tensor& input, const model::Window& w) {
  return torch::avg_pool2d(input, {w.kernel_height, w.kernel_width}, {w.stride_height, w.stride_width}, {0, 0}, false,
                           true, 1);
}

namespace {

// Forward, backward and export below know these.
model::Network trainable(model::Network network) {
  for (const model::Node& node : network.nodes()) {
    const bool known = node.op <= model::Op::average_pool || (node.op == model::Op::relu && node.limit == 0);
    if (!known)
      throw std::invalid_argument("training knows convolution, linear, batch norm, ReLU and pooling; node '" +
                                  node.name + "' of network '" + network.name() + "' is a " + to_string(node.op) +
                                  (node.op == model::Op::relu ? " with a limit" : ""));
  }
  const model::Op last = network.nodes().back().op;
  if (!has_weights(last))
    throw std::invalid_argument("network '" + network.name() + "' must end in a convolution or linear layer");
  return network;
}

}  // namespace

Module::Module(model::Network network, std::uint64_t seed)
    : network_(trainable(std::move(network))),
      layout_(lay_out(network_)),
      plan_(model::uniform_plan(network_, 16, 16)) {
  const torch::NoGradGuard no_grad;
  auto generator = at::detail::createCPUGenerator(seed);
  for (const Stage& stage : layout_.stages) {
    const model::Node& node = network_.node(stage.weight);
    const model::Shape input = network_.input_shape(stage.weight);
    const bool linear = node.op == model::Op::linear;
    const std::int64_t out = node.output.channels;
    const std::vector<std::int64_t> shape{out, input.channels / node.groups,
                                          linear ? input.height : node.window.kernel_height,
                                          linear ? input.width : node.window.kernel_width};
    const double fan_in = static_cast<double>(shape[1] * shape[2] * shape[3]);
    StageWeights weights;
    weights.weight = torch::empty(shape).normal_(0.0, std::sqrt(2.0 / fan_in), generator).requires_grad_();
    if (stage.batch_norm >= 0) {
      weights.gamma = torch::ones({out}).requires_grad_();
      weights.beta = torch::zeros({out}).requires_grad_();
      weights.running_mean = torch::zeros({out});
      weights.running_var = torch::ones({out});
    } else {
      weights.bias = torch::zeros({out}).requires_grad_();
    }
    weights_.push_back(std::move(weights));
  }
  ranges_.resize(layout_.tensors.size());
  ranges_[0] = {0.0, 1.0, true};
  bits_ = tensor_bits(layout_, plan_);
}

void Module::set_plan(const model::Plan& plan) {
  model::validate(plan, network_);
  const std::vector<int> bits = tensor_bits(layout_, plan);
  for (std::size_t t = 1; t < bits.size(); ++t)
    if (bits[t] != bits_[t]) ranges_[t] = {};
  plan_ = plan;
  bits_ = bits;
}

bool Module::ranges_ready() const {
  for (std::size_t t = 0; t < ranges_.size(); ++t)
    if (layout_.tensors[t].source == static_cast<int>(t) && !ranges_[t].ready) return false;
  return true;
}

void Module::forget_ranges() {
  for (std::size_t t = 1; t < ranges_.size(); ++t) ranges_[t] = {};
}

Tensor Module::folding_gain(int index) const {
  const StageWeights& stage = this->stage(index);
  if (!stage.normalised()) return torch::ones({stage.weight.size(0)});
  const torch::NoGradGuard no_grad;
  const Tensor gain = stage.gamma / torch::sqrt(stage.running_var + kNormEpsilon);
  // A gain of exactly 0 cannot be divided out again; its sign is kept so that codes stay those of the folded weights.
  return torch::where(gain.abs() < 1e-12, torch::full_like(gain, 1e-12), gain);
}

Tensor Module::folded_weight(int index) const {
  const torch::NoGradGuard no_grad;
  return stage(index).weight.detach() * column(folding_gain(index));
}

Tensor Module::folded_bias(int index) const {
  const torch::NoGradGuard no_grad;
  const StageWeights& stage = this->stage(index);
  return stage.normalised() ? stage.beta.detach() - stage.running_mean * folding_gain(index) : stage.bias.detach();
}

Grid Module::tensor_grid(int tensor, double smallest_step) const {
  const TensorNode& source = layout_.tensors[layout_.tensors[tensor].source];
  const Range& range = ranges_[layout_.tensors[tensor].source];
  const int bits = bits_[tensor];
  return make_grid(
      range, bits,
      coding_of(source.rectified, bits, source.is_output ? SignedTensors::twos_complement : options.signed_tensors),
      options.scales, smallest_step);
}

double Module::smallest_step(double unit, const Tensor& scale) const {
  // A right shift cannot enlarge, and a 16-bit multiplier by at most 2^15: the output's step must not be finer.
  const double largest = unit * scale.max().item<double>();
  return options.scales == Scales::power_of_two ? largest : largest / 32768;
}

Module::Grids Module::grids() const {
  Grids grids;
  grids.tensors.resize(layout_.tensors.size());
  grids.weight_scales.resize(layout_.stages.size());
  grids.tensors[0] = tensor_grid(0, 0);
  for (const Step& step : layout_.steps) {
    const Grid& input = grids.tensors[step.input()];
    if (step.stage < 0) {
      grids.tensors[step.output] = input;
      continue;
    }
    const Tensor scale = weight_scale(folded_weight(step.stage), plan_.layers[step.stage].weight_bits,
                                      options.granularity, options.scales);
    grids.weight_scales[step.stage] = scale;
    grids.tensors[step.output] = tensor_grid(step.output, smallest_step(input.unit(), scale));
  }
  return grids;
}

Tensor Module::run_stage(const Step& step, const Tensor& input, const Grid& input_grid, const Tensor& scale,
                         const ForwardOptions& forward) {
  StageWeights& stage = this->stage(step.stage);
  Tensor weight = stage.weight;
  if (forward.quantized) {
    const Tensor gain = column(folding_gain(step.stage));
    const Tensor folded = stage.weight.detach() * gain;
    const Tensor quantized = fake_quantize_weights(folded, scale, plan_.layers[step.stage].weight_bits).div_(gain);
    weight = stage.weight + (quantized - stage.weight.detach());  // straight through
  }
  Tensor x = convolve(input, weight, network_.node(step.node), forward.quantized ? input_grid.padding_value() : 0.0);
  if (stage.normalised())
    return torch::batch_norm(x, stage.gamma, stage.beta, stage.running_mean, stage.running_var,
                             forward.batch_statistics, forward.norm_momentum, kNormEpsilon, false);
  return x + stage.bias.view({1, -1, 1, 1});
}

Tensor Module::forward(const Tensor& images, const ForwardOptions& forward) {
  std::vector<Tensor> values(layout_.tensors.size());
  std::vector<Grid> grids(layout_.tensors.size());
  if (forward.density && forward.density->total.empty()) {
    forward.density->nonzero.assign(layout_.stages.size(), 0);
    forward.density->total.assign(layout_.stages.size(), 0);
    forward.density->channel_nonzero.resize(layout_.stages.size());
  }
  if (forward.quantized) {
    grids[0] = tensor_grid(0, 0);
    const double codes = static_cast<double>(grids[0].high);
    values[0] = images.to(torch::kFloat32).mul_(codes / 255.0).add_(0.5).floor_().mul_(grids[0].step);
  } else {
    values[0] = images.to(torch::kFloat32).div_(255.0);
  }
  for (const Step& step : layout_.steps) {
    const Tensor& input = values[step.input()];
    Tensor& output = values[step.output];
    if (step.stage < 0) {
      const model::Node& node = network_.node(step.node);
      grids[step.output] = grids[step.input()];
      if (node.op == model::Op::max_pool) {
        output = pool_max(input, node.window);
      } else {
        output = pool_sum(input, node.window) / (node.window.kernel_height * node.window.kernel_width);
        if (forward.quantized) output = round_to_grid(output, grids[step.output]);
      }
      continue;
    }
    const TensorNode& tensor = layout_.tensors[step.output];
    Tensor scale;
    if (forward.quantized)
      scale = weight_scale(folded_weight(step.stage), plan_.layers[step.stage].weight_bits, options.granularity,
                           options.scales);
    output = run_stage(step, input, grids[step.input()], scale, forward);
    if (forward.quantized) {
      Range& range = ranges_[step.output];
      if (forward.observe > 0 || !range.ready) {
        const int bits = bits_[step.output];
        const model::Coding coding = coding_of(tensor.rectified, bits, options.signed_tensors);
        Range seen = observe_range(tensor.rectified ? output.detach().clamp_min(0) : output, bits,
                                   tensor.is_output ? model::Coding::twos_complement : coding);
        if (tensor.is_output)
          seen = {seen.low * output_margin(options.scales), seen.high * output_margin(options.scales), true};
        const double share = range.ready ? forward.observe : 1.0;
        range = {range.low + share * (seen.low - range.low), range.high + share * (seen.high - range.high), true};
      }
      grids[step.output] = tensor_grid(step.output, smallest_step(grids[step.input()].unit(), scale));
      // Logits keep their full resolution while training: their codes only matter to the argmax.
      if (!tensor.is_output) output = fake_quantize(output, grids[step.output]);
    } else if (tensor.rectified) {
      output = torch::relu(output);
    }
    if (forward.density) {
      DensityCount& density = *forward.density;
      density.total[step.stage] += output.numel();
      if (density.per_channel) {
        const Tensor count = output.detach().count_nonzero({0, 2, 3});
        Tensor& sum = density.channel_nonzero[step.stage];
        sum = sum.defined() ? sum + count : count;
        density.nonzero[step.stage] += count.sum().item<std::int64_t>();
      } else {
        density.nonzero[step.stage] += nonzero_elements(output);
      }
    }
  }
  if (forward.codes)
    for (std::size_t t = 0; t < values.size(); ++t) forward.codes->push_back(grid_codes(values[t].detach(), grids[t]));
  return values.back().flatten(1);
}

std::vector<std::pair<std::string, Tensor>> Module::parameters() const {
  std::vector<std::pair<std::string, Tensor>> list;
  for (std::size_t s = 0; s < weights_.size(); ++s) {
    const std::string& name = layout_.stages[s].name;
    list.emplace_back(name + ".weight", weights_[s].weight);
    if (weights_[s].normalised()) {
      list.emplace_back(name + ".norm.weight", weights_[s].gamma);
      list.emplace_back(name + ".norm.bias", weights_[s].beta);
    } else {
      list.emplace_back(name + ".bias", weights_[s].bias);
    }
  }
  return list;
}

std::map<std::string, Tensor> Module::state() const {
  std::map<std::string, Tensor> state;
  for (const auto& [name, tensor] : parameters()) state[name] = tensor.detach();
  for (std::size_t s = 0; s < weights_.size(); ++s) {
    if (!weights_[s].normalised()) continue;
    state[layout_.stages[s].name + ".norm.running_mean"] = weights_[s].running_mean;
    state[layout_.stages[s].name + ".norm.running_var"] = weights_[s].running_var;
  }
  for (std::size_t t = 0; t < ranges_.size(); ++t) {
    if (layout_.tensors[t].source != static_cast<int>(t)) continue;
    const Range& range = ranges_[t];
    state["range." + network_.node(layout_.tensors[t].node).name] =
        torch::tensor({range.low, range.high, range.ready ? 1.0 : 0.0}, torch::kFloat64);
  }
  return state;
}

void Module::load_state(const std::map<std::string, Tensor>& state) {
  const torch::NoGradGuard no_grad;
  std::map<std::string, Tensor> own = this->state();
  for (const auto& [name, tensor] : own) {
    const auto found = state.find(name);
    if (found == state.end()) throw std::runtime_error("tensor '" + name + "' is missing");
    if (found->second.sizes() != tensor.sizes())
      throw std::runtime_error("tensor '" + name + "' has another shape than the network '" + network_.name() +
                               "' wants");
  }
  for (const auto& [name, tensor] : state)
    if (!own.contains(name))
      throw std::runtime_error("tensor '" + name + "' does not belong to '" + network_.name() + "'");
  for (auto& [name, tensor] : own)
    if (name.rfind("range.", 0) != 0) tensor.copy_(state.at(name));
  for (std::size_t t = 0; t < ranges_.size(); ++t) {
    if (layout_.tensors[t].source != static_cast<int>(t)) continue;
    const Tensor range = state.at("range." + network_.node(layout_.tensors[t].node).name).to(torch::kFloat64);
    ranges_[t] = {range[0].item<double>(), range[1].item<double>(), range[2].item<double>() != 0};
  }
}

Module Module::with_channels(const std::vector<std::vector<std::int64_t>>& kept, std::vector<Tensor>* parallel) const {
  const torch::NoGradGuard no_grad;
  std::vector<int> counts;
  for (const auto& list : kept) counts.push_back(static_cast<int>(list.size()));
  Module cut(network_.with_channels(counts), 0);
  cut.options = options;
  std::vector<Tensor> sliced;
  std::size_t next = 0;  // position in parameters() and `parallel`
  for (std::size_t s = 0; s < weights_.size(); ++s) {
    const Step* step = nullptr;
    for (const Step& candidate : layout_.steps)
      if (candidate.stage == static_cast<int>(s)) step = &candidate;
    const model::Node& node = network_.node(layout_.stages[s].weight);
    const Tensor outputs = torch::tensor(kept[s], torch::kInt64);
    // The stage whose output this one reads; -1: the network's input, never cut.
    int producer = -1;
    for (const Step& candidate : layout_.steps)
      if (candidate.output == layout_.tensors[step->input()].source) producer = candidate.stage;
    if (node.groups != 1 &&
        (kept[s].size() != static_cast<std::size_t>(weights_[s].weight.size(0)) ||
         (producer >= 0 && kept[producer].size() != static_cast<std::size_t>(weights_[producer].weight.size(0)))))
      throw std::invalid_argument("layer '" + node.name + "' is a grouped convolution: its channels cannot be removed");
    auto cut_weight = [&](const Tensor& tensor) {
      Tensor result = tensor.index_select(0, outputs);
      if (producer >= 0 && node.groups == 1)
        result = result.index_select(1, torch::tensor(kept[producer], torch::kInt64));
      return result.contiguous();
    };
    auto take = [&](const Tensor& from, Tensor& to, bool is_weight) {
      to.copy_(is_weight ? cut_weight(from) : from.index_select(0, outputs));
      if (parallel) {
        const Tensor& state = parallel->at(next);
        sliced.push_back(is_weight ? cut_weight(state) : state.index_select(0, outputs));
      }
      ++next;
    };
    StageWeights& to = cut.weights_[s];
    take(weights_[s].weight, to.weight, true);
    if (weights_[s].normalised()) {
      take(weights_[s].gamma, to.gamma, false);
      take(weights_[s].beta, to.beta, false);
      to.running_mean.copy_(weights_[s].running_mean.index_select(0, outputs));
      to.running_var.copy_(weights_[s].running_var.index_select(0, outputs));
    } else {
      take(weights_[s].bias, to.bias, false);
    }
  }
  model::Plan plan = plan_;
  for (std::size_t s = 0; s < counts.size(); ++s) plan.layers[s].channels = counts[s];
  cut.set_plan(plan);
  cut.ranges_ = ranges_;  // cutting channels takes values away but adds none
  if (parallel) *parallel = std::move(sliced);
  return cut;
}

}  // namespace bitstrata::quant
