// SPDX-License-Identifier: Apache-2.0
// A module's weights, state and channels; module_forward.cpp runs it.
#include "quant/module.h"

#include <fmt/format.h>

#include <cmath>
#include <stdexcept>

#include "model/activations.h"
#include "quant/fixed_point.h"
#include "quant/operators.h"

namespace bitstrata::quant {

namespace {

using torch::Tensor;

Tensor column(const Tensor& per_channel) { return per_channel.view({-1, 1, 1, 1}); }

Tensor indices(const std::vector<std::int64_t>& list) { return torch::tensor(list, torch::kInt64); }

// Both ends, and whether there is a range.
Tensor to_tensor(const std::optional<Range>& range) {
  const Range known = range.value_or(Range{});
  return torch::tensor({known.low, known.high, range ? 1.0 : 0.0}, torch::kFloat64);
}

// What a learned step of weights may be, as shares of the step by which the largest weight has the largest code. Behind
// a convolution with batch norm nothing else holds it: the sum's scale does not matter there, so a step that has fallen
// far goes on falling, until its weights are signs, and above twice that step the channel's weights are all 0.
constexpr double kLeastShare = 1.0 / 8, kLargestShare = 1.5;
constexpr const char* kWeightStep = ".weight_step";
constexpr const char* kTensorStep = "step.";
constexpr const char* kExtremes = "extremes.";
constexpr const char* kMean = ".float_mean";
constexpr const char* kShift = ".shift";

Tensor no_step(std::int64_t size) { return torch::zeros({size}).requires_grad_(); }

std::optional<Range> to_range(const Tensor& tensor) {
  const Tensor values = tensor.to(torch::kFloat64);
  if (values[2].item<double>() == 0) return {};
  return Range{values[0].item<double>(), values[1].item<double>()};
}

}  // namespace

bool of_calibration(const std::string& tensor) { return tensor.ends_with(kMean) || tensor.ends_with(kShift); }

bool is_step(const std::string& parameter) {
  return parameter.starts_with(kTensorStep) || parameter.ends_with(kWeightStep);
}

Module::Module(model::Network network)
    : network_(std::move(network)),
      layout_(lay_out(network_)),
      groups_(channel_groups(network_, layout_)),
      plan_(model::uniform_plan(network_, 8, 8)),
      ranges_(layout_.tensors.size()),
      table_ranges_(layout_.tensors.size()) {
  ranges_[0] = Range{0.0, 1.0};
  bits_ = tensor_bits(layout_, plan_);
  for (std::size_t t = 0; t < layout_.tensors.size(); ++t) steps_.push_back(no_step(1));
  for (const Step& step : layout_.steps)
    if (!shares_format(step) && !layout_.tensors[step.output].is_output) rounded_.push_back(step.output);
}

Module::Module(model::Network network, std::uint64_t seed) : Module(std::move(network)) {
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
    weights.step = no_step(out);
    weights_.push_back(std::move(weights));
  }
}

Module::Module(const model::FloatNetwork& network) : Module(network.graph) {
  for (const Stage& stage : layout_.stages) {
    const model::Node& node = network_.node(stage.weight);
    const model::Parameters& parameters = network.parameters.at(static_cast<std::size_t>(stage.weight));
    if (stage.batch_norm >= 0 || parameters.weight_bits != 0)
      throw std::invalid_argument(
          fmt::format("layer '{}' {}; training starts from float weights with batch norm folded", stage.name,
                      stage.batch_norm >= 0 ? "has a batch norm" : "is quantized already"));
    const model::Shape input = network_.input_shape(stage.weight);
    const bool linear = node.op == model::Op::linear;
    const std::int64_t out = node.output.channels;
    const std::vector<std::int64_t> shape{out, linear ? input.height : node.window.kernel_height,
                                          linear ? input.width : node.window.kernel_width,
                                          input.channels / node.groups};
    const auto from = [&](const std::vector<float>& values, const std::vector<std::int64_t>& sizes) {
      const Tensor view = torch::from_blob(const_cast<float*>(values.data()), sizes, torch::kFloat32);
      if (static_cast<std::int64_t>(values.size()) != view.numel())
        throw std::invalid_argument(fmt::format("layer '{}' has {} weights or biases where {} are needed", stage.name,
                                                values.size(), view.numel()));
      return view.clone();
    };
    StageWeights weights;
    // A clone, so that strides of kernels and groups of one value, too, say that channels come first.
    weights.weight =
        from(parameters.weights, shape).permute({0, 3, 1, 2}).clone(torch::MemoryFormat::Contiguous).requires_grad_();
    weights.bias = parameters.bias.empty() ? torch::zeros({out}) : from(parameters.bias, {out});
    weights.bias.requires_grad_();
    weights.step = no_step(out);
    weights_.push_back(std::move(weights));
  }
}

void Module::set_plan(const model::Plan& plan) {
  model::validate(plan, network_);
  const std::vector<int> bits = tensor_bits(layout_, plan);
  for (const Step& step : layout_.steps) {
    if (step.activation < 0) continue;
    const model::Node& node = network_.node(step.activation);
    const int own = bits[step.output];
    const model::ActivationInfo ending = info(ending_of(node.op));
    if (own > ending.most_bits)
      throw std::invalid_argument(fmt::format("'{}' would have {} bits: {} is a table of at most {}", node.name, own,
                                              to_string(node.op), ending.most_bits));
    if (own < ending.least_bits)
      throw std::invalid_argument(
          fmt::format("'{}' would have 1 bit: a leaky ReLU needs a sign and so at least 2", node.name));
  }
  const bool other_input = bits[0] != bits_[0];
  for (int t = 1; t < static_cast<int>(bits.size()); ++t) {
    if (bits[t] == bits_[t]) continue;
    ranges_[t] = {};
    steps_[t] = no_step(1);
  }
  for (std::size_t s = 0; s < weights_.size(); ++s)
    if (plan_.layers[s].weight_bits != plan.layers[s].weight_bits) weights_[s].step = no_step(weights_[s].step.size(0));
  plan_ = plan;
  bits_ = bits;
  if (other_input) clip_input();
}

bool Module::learned(int tensor) const {
  return options.quantizer == Quantizer::learned_steps && steps_[tensor].item<float>() > 0;
}

bool Module::learned_weights(int stage) const {
  return options.quantizer == Quantizer::learned_steps && this->stage(stage).step[0].item<float>() > 0;
}

void Module::start_steps() {
  if (options.quantizer != Quantizer::learned_steps) return;
  if (!ranges_ready()) throw std::logic_error("steps can only be learned once ranges are known");
  const torch::NoGradGuard no_grad;
  const Grids grids = this->grids();
  for (const Step& step : layout_.steps) {
    if (step.stage >= 0 && !learned_weights(step.stage) &&
        plan_.layers[step.stage].weight_bits <= options.widest_learned)
      stage(step.stage)
          .step.copy_(
              learned_weight_step(grids.weight_scales[step.stage], folding_gain(step.stage), options.granularity));
  }
  for (const int t : rounded_)
    if (!learned(t) && bits_[t] <= options.widest_learned) steps_[t].fill_(grids.tensors[t].step);
}

void Module::bound_steps() {
  const torch::NoGradGuard no_grad;
  for (std::size_t s = 0; s < weights_.size(); ++s) {
    const int index = static_cast<int>(s);
    if (!learned_weights(index)) continue;
    const Tensor largest = largest_step(index), step = weights_[s].step;
    // Channels without any weight keep theirs.
    step.copy_(torch::where(largest > 0, step.clamp(largest * kLeastShare, largest * kLargestShare), step));
  }
}

// The learned step by which the largest weight of its channel, or of the tensor, has the largest code; [channels].
Tensor Module::largest_step(int index) const {
  Tensor largest = folded_weight(index).abs().flatten(1).amax(1);
  if (options.granularity == Granularity::per_tensor) largest = largest.max().expand_as(largest);
  const int bits = plan_.layers[static_cast<std::size_t>(index)].weight_bits;
  return learned_weight_step(largest / std::max(1.0, largest_code(bits)), folding_gain(index), options.granularity);
}

void Module::set_input_range(double low, double high) {
  input_extremes_ = Range{low, high};
  clip_input();
}

// Float inputs of few bits are clipped, by the next quantized pass.
void Module::clip_input() {
  if (input_extremes_) ranges_[0] = clipped(bits_[0]) ? std::nullopt : input_extremes_;
}

bool Module::has_means() const { return weights_.front().mean.defined(); }

void Module::settle_means() {
  const torch::NoGradGuard no_grad;
  for (StageWeights& stage : weights_) {
    if (stage.shift.defined()) {
      if (stage.normalised())
        stage.running_mean.sub_(stage.shift);
      else
        stage.bias.add_(stage.shift);
    }
    stage.mean = stage.shift = Tensor();
  }
}

bool Module::ranges_ready() const {
  for (const Step& step : layout_.steps) {
    if (!shares_format(step) && !ranges_[step.output]) return false;
    if (by_table(step) && !table_ranges_[step.output]) return false;
  }
  return ranges_[0].has_value();
}

void Module::forget_ranges() {
  for (std::size_t t = 1; t < ranges_.size(); ++t) ranges_[t] = table_ranges_[t] = {};
  clip_input();
  for (Tensor& step : steps_) step = no_step(1);
  for (StageWeights& stage : weights_) stage.step = no_step(stage.step.size(0));
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
  const Tensor bias =
      stage.normalised() ? stage.beta.detach() - stage.running_mean * folding_gain(index) : stage.bias.detach();
  return stage.shift.defined() ? bias + stage.shift * folding_gain(index) : bias;
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
    if (options.quantizer == Quantizer::learned_steps) list.emplace_back(name + kWeightStep, weights_[s].step);
  }
  if (options.quantizer == Quantizer::learned_steps)
    for (const int t : rounded_)
      list.emplace_back(kTensorStep + network_.node(layout_.tensors[t].node).name, steps_[t]);
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
  for (std::size_t s = 0; s < weights_.size(); ++s) {
    if (weights_[s].mean.defined()) state[layout_.stages[s].name + kMean] = weights_[s].mean;
    if (weights_[s].shift.defined()) state[layout_.stages[s].name + kShift] = weights_[s].shift;
  }
  const std::string& input = network_.node(layout_.tensors[0].node).name;
  state["range." + input] = to_tensor(ranges_[0]);
  if (input_extremes_) state[kExtremes + input] = to_tensor(input_extremes_);
  for (const Step& step : layout_.steps) {
    const std::string& name = network_.node(layout_.tensors[step.output].node).name;
    if (!shares_format(step)) state["range." + name] = to_tensor(ranges_[step.output]);
    if (by_table(step)) state["table." + name] = to_tensor(table_ranges_[step.output]);
  }
  return state;
}

void Module::load_state(const std::map<std::string, Tensor>& state) {
  const torch::NoGradGuard no_grad;
  for (std::size_t s = 0; s < weights_.size(); ++s) {  // there or not, as calibration left them
    const auto given = [&](const char* kind) {
      const auto found = state.find(layout_.stages[s].name + kind);
      return found == state.end() ? Tensor() : torch::empty({weights_[s].weight.size(0)});
    };
    weights_[s].mean = given(kMean);
    weights_[s].shift = given(kShift);
  }
  const auto extremes = state.find(kExtremes + network_.node(layout_.tensors[0].node).name);
  input_extremes_ = extremes == state.end() ? std::nullopt : to_range(extremes->second);
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
    if (!name.starts_with("range.") && !name.starts_with("table.") && !name.starts_with(kExtremes))
      tensor.copy_(state.at(name));
  ranges_[0] = to_range(state.at("range." + network_.node(layout_.tensors[0].node).name));
  for (const Step& step : layout_.steps) {
    const std::string& name = network_.node(layout_.tensors[step.output].node).name;
    if (!shares_format(step)) ranges_[step.output] = to_range(state.at("range." + name));
    if (by_table(step)) table_ranges_[step.output] = to_range(state.at("table." + name));
  }
}

Module Module::with_channels(const KeptChannels& kept, std::vector<Tensor>* parallel) const {
  const torch::NoGradGuard no_grad;
  std::vector<int> counts;
  for (std::size_t g = 0; g < kept.size(); ++g) {
    counts.push_back(static_cast<int>(kept[g].size()));
    const ChannelGroup& group = groups_.groups.at(g);
    if (counts.back() == group.size || group.fixed.empty()) continue;
    const std::string of =
        group.stages.empty() ? "of the input" : "of layer '" + layout_.stages[group.stages[0]].name + "'";
    throw std::invalid_argument(fmt::format("channels {} cannot be removed: {}", of, group.fixed));
  }
  model::Plan plan = plan_;
  set_channels(groups_, counts, plan);
  std::vector<int> outputs;
  for (const model::LayerPlan& layer : plan.layers) outputs.push_back(layer.channels);
  Module cut(network_.with_channels(outputs));
  cut.options = options;
  cut.set_plan(plan);
  const bool learns = options.quantizer == Quantizer::learned_steps;
  std::vector<Tensor> sliced;
  std::size_t next = 0;  // position in parameters() and `parallel`
  for (std::size_t s = 0; s < weights_.size(); ++s) {
    const Tensor rows = indices(positions(groups_, groups_.outputs[s], kept));
    const Tensor columns = indices(positions(groups_, groups_.inputs[s], kept));
    const bool dense = network_.node(layout_.stages[s].weight).groups == 1;
    const auto sliced_tensor = [&](const Tensor& tensor) {
      Tensor result = tensor.detach().index_select(0, rows);
      if (dense && result.dim() > 1) result = result.index_select(1, columns);
      return result.contiguous();
    };
    const auto trained = [&](const Tensor& from) {
      if (parallel) sliced.push_back(sliced_tensor(parallel->at(next)));
      ++next;
      return sliced_tensor(from).requires_grad_();
    };
    StageWeights to;
    to.weight = trained(weights_[s].weight);
    if (weights_[s].normalised()) {
      to.gamma = trained(weights_[s].gamma);
      to.beta = trained(weights_[s].beta);
      to.running_mean = sliced_tensor(weights_[s].running_mean);
      to.running_var = sliced_tensor(weights_[s].running_var);
    } else {
      to.bias = trained(weights_[s].bias);
    }
    if (weights_[s].mean.defined()) to.mean = sliced_tensor(weights_[s].mean);
    if (weights_[s].shift.defined()) to.shift = sliced_tensor(weights_[s].shift);
    to.step = learns ? trained(weights_[s].step) : no_step(rows.numel());
    cut.weights_.push_back(std::move(to));
  }
  cut.input_extremes_ = input_extremes_;
  cut.ranges_ = ranges_;  // cutting channels takes values away but adds none
  cut.table_ranges_ = table_ranges_;
  for (const int t : rounded_) {
    cut.steps_[t] = steps_[t].detach().clone().requires_grad_();
    if (learns && parallel) sliced.push_back(parallel->at(next++).clone());
  }
  if (parallel) *parallel = std::move(sliced);
  return cut;
}

}  // namespace bitstrata::quant
