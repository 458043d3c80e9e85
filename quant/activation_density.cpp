// SPDX-License-Identifier: Apache-2.0
#include "quant/activation_density.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "model/channel_groups.h"
#include "model/stages.h"

namespace bitstrata::quant {

using nlohmann::json;

namespace {

json to_json(const Densities& density) { return {{"outputs", density.outputs}, {"inputs", density.inputs}}; }

Densities densities_from(const json& state) {
  return {state.at("outputs").get<std::vector<double>>(), state.at("inputs").get<std::vector<double>>()};
}

bool same(const model::Plan& a, const model::Plan& b) {
  for (std::size_t i = 0; i < a.layers.size(); ++i)
    if (a.layers[i].weight_bits != b.layers[i].weight_bits ||
        a.layers[i].activation_bits != b.layers[i].activation_bits || a.layers[i].channels != b.layers[i].channels)
      return false;
  return true;
}

}  // namespace

ActivationDensity::ActivationDensity(ActivationDensityOptions options, SearchProblem problem)
    : options_(options), problem_(std::move(problem)), pruning_(options.prune) {
  if (options_.floor_bits < 1 || options_.floor_bits > options_.initial_bits)
    throw std::invalid_argument(
        fmt::format("the floor of {} bits must lie in 1..{}", options_.floor_bits, options_.initial_bits));
}

model::Plan ActivationDensity::shrink(const model::Network& network, const model::Plan& plan, const Densities& density,
                                      bool channels) const {
  const model::Layout layout = lay_out(network);
  model::Plan next = plan;
  const int last = static_cast<int>(plan.layers.size()) - 1;
  for (int i = 0; i <= last; ++i) {
    model::LayerPlan& layer = next.layers[i];
    if (i > 0 && i < last) {
      const double drives = options_.density_of == DensityOf::output ? density.outputs.at(i) : density.inputs.at(i);
      int bits = static_cast<int>(std::lround(layer.weight_bits * drives));
      bits = std::clamp(bits, std::min(options_.floor_bits, layer.weight_bits), layer.weight_bits);
      const auto allowed = std::lower_bound(problem_.allowed_bits.begin(), problem_.allowed_bits.end(), bits);
      if (allowed != problem_.allowed_bits.end()) bits = std::min(*allowed, layer.weight_bits);
      layer.weight_bits = layer.activation_bits = bits;
    }
    const int present = network.node(layout.stages[i].weight).output.channels;
    layer.channels = present;
    if (channels && i < last) {
      const int kept = static_cast<int>(std::lround(present * density.outputs.at(i)));
      layer.channels = std::clamp(kept, std::min(options_.minimum_channels, present), present);
    }
  }
  tie_widths(layout, next);  // layers that read one tensor keep one width
  const model::ChannelGroups groups = model::channel_groups(network, layout);
  model::set_channels(groups, model::group_counts(groups, next), next);
  return next;
}

void ActivationDensity::begin(Trainable& network) {
  const model::Plan start = model::uniform_plan(network.network(), options_.initial_bits, options_.initial_bits);
  network.apply(start);
  network.keep();
  started_ = true;
}

bool ActivationDensity::saturated() const {
  if (densities_.size() < 2) return false;
  const std::vector<double>& now = densities_.back().outputs;
  const std::vector<double>& before = densities_[densities_.size() - 2].outputs;
  for (std::size_t i = 0; i < now.size(); ++i)
    if (std::abs(now[i] - before[i]) > options_.saturation) return false;
  return true;
}

bool ActivationDensity::dead() const {
  return std::any_of(densities_.back().outputs.begin(), densities_.back().outputs.end(),
                     [&](double density) { return density <= options_.dead_density; });
}

void ActivationDensity::record(Trainable& network, double accuracy, const std::string& event) {
  SearchStep step;
  step.iteration = iteration_;
  step.event = event;
  step.epochs = epochs_;
  step.passes = passes_;
  step.accuracy = accuracy;
  step.price = problem_.price ? problem_.price(network.network(), network.plan()) : 0.0;
  step.macs = network.network().total_macs();
  step.plan = network.plan();
  step.density = densities_.back().outputs;
  log_.push_back(std::move(step));
}

void ActivationDensity::step(Trainable& network) {
  if (done_) return;
  if (!started_) begin(network);
  const EpochReport report = network.train_epoch(options_.schedule);
  densities_.push_back({report.density, report.input_density});
  ++epochs_;
  passes_ += report.passes;
  // A dead layer cannot recover (its gradient is zero), so there is nothing to wait for.
  if (dead() || saturated() || epochs_ >= options_.epochs_per_iteration) judge(network);
}

void ActivationDensity::judge(Trainable& network) {
  const double accuracy = network.validation_accuracy();
  const bool fell = iteration_ > 0 && accuracy < best_accuracy_ - options_.max_drop;
  if (!dead() && !fell) {
    record(network, accuracy, "accepted");
    network.keep();
    good_step_ = static_cast<int>(log_.size()) - 1;
    good_density_ = densities_.back();
    best_accuracy_ = std::max(best_accuracy_, accuracy);
    advance(network);
    return;
  }
  record(network, accuracy, dead() ? "dead layer" : "accuracy fell");
  network.restore();
  if (good_step_ >= 0 && channels_shrank_) {
    pruning_ = false;  // the channels of the last good state stay; widths may still shrink
    advance(network);
  } else {
    done_ = true;
  }
}

void ActivationDensity::advance(Trainable& network) {
  const model::Plan next = shrink(network.network(), network.plan(), good_density_, pruning_);
  if (same(next, network.plan()) || iteration_ + 1 >= options_.max_iterations) {
    done_ = true;
    return;
  }
  channels_shrank_ = false;
  for (std::size_t i = 0; i < next.layers.size(); ++i)
    channels_shrank_ = channels_shrank_ || next.layers[i].channels < network.plan().layers[i].channels;
  network.apply(next);
  ++iteration_;
  epochs_ = 0;
  passes_ = 0;
  densities_.clear();
}

json ActivationDensity::state() const {
  json log = json::array();
  for (const SearchStep& step : log_) log.push_back(to_json(step));
  json densities = json::array();
  for (const Densities& density : densities_) densities.push_back(to_json(density));
  return {{"started", started_},     {"done", done_},
          {"pruning", pruning_},     {"channels_shrank", channels_shrank_},
          {"iteration", iteration_}, {"epochs", epochs_},
          {"passes", passes_},       {"best_accuracy", best_accuracy_},
          {"densities", densities},  {"good_density", to_json(good_density_)},
          {"good_step", good_step_}, {"log", log}};
}

void ActivationDensity::resume(const json& state) {
  started_ = state.at("started");
  done_ = state.at("done");
  pruning_ = state.at("pruning");
  channels_shrank_ = state.at("channels_shrank");
  iteration_ = state.at("iteration");
  epochs_ = state.at("epochs");
  passes_ = state.at("passes");
  best_accuracy_ = state.at("best_accuracy");
  densities_.clear();
  for (const json& density : state.at("densities")) densities_.push_back(densities_from(density));
  good_density_ = densities_from(state.at("good_density"));
  good_step_ = state.at("good_step");
  log_.clear();
  for (const json& step : state.at("log")) log_.push_back(step_from(step));
}

double training_complexity(const std::vector<SearchStep>& log, const model::Network& unpruned, int initial_bits,
                           double extra_full_epochs, double baseline_epochs, const model::Technology* mac_energy) {
  const auto of_mac = [&](const std::string& layer, int weight_bits, int activation_bits) {
    return mac_energy != nullptr ? mac_energy->mac_fj(layer, weight_bits, activation_bits) : 1.0;
  };
  const double full = static_cast<double>(unpruned.total_macs()) * of_mac("", initial_bits, initial_bits);
  double effort = extra_full_epochs;
  for (const SearchStep& step : log) {
    const model::Network network = model::planned_network(unpruned, step.plan);
    const std::vector<int> nodes = network.weight_layers();
    double cost = 0;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const model::LayerPlan& layer = step.plan.layers[i];
      cost +=
          static_cast<double>(network.macs(nodes[i])) * of_mac(layer.layer, layer.weight_bits, layer.activation_bits);
    }
    effort += step.passes * cost / full;
  }
  return effort / baseline_epochs;
}

}  // namespace bitstrata::quant
