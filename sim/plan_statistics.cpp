// SPDX-License-Identifier: Apache-2.0
#include "sim/plan_statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "sim/fast.h"
#include "sim/layer_sample.h"

namespace bitstrata::sim {

using namespace model;
using nlohmann::json;

namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// What toggles come from, as a number of events.
double lines(const Events& e) {  // active lines of the planes that are streamed; of other operators, values
  if (e.column_steps == 0) return static_cast<double>(e.accumulator_writes);
  return static_cast<double>(e.cell_steps) * static_cast<double>(e.plane_steps) / static_cast<double>(e.column_steps);
}
template <auto member, auto instead>
double count(const Events& e) {
  return static_cast<double>(e.*member > 0 ? e.*member : e.*instead);
}

struct Cause {
  std::int64_t Toggles::*toggles;
  double (*count)(const Events&);
};
constexpr Cause causes[] = {
    {&Toggles::activation_toggles, lines},
    {&Toggles::weight_line_toggles, count<&Events::cell_steps, &Events::vectors>},
    {&Toggles::product_toggles, count<&Events::cell_steps, &Events::vectors>},
    {&Toggles::tree_toggles, count<&Events::cell_steps, &Events::vectors>},
    {&Toggles::count_toggles, count<&Events::column_steps, &Events::vectors>},
    {&Toggles::operand_toggles, count<&Events::column_steps, &Events::accumulator_writes>},
    {&Toggles::accumulator_toggles, count<&Events::column_steps, &Events::accumulator_writes>},
    {&Toggles::joiner_toggles, count<&Events::joiner_adds, &Events::accumulator_writes>},
    {&Toggles::output_toggles, count<&Events::accumulator_writes, &Events::post_outputs>},
    {&Toggles::weight_toggles, count<&Events::weight_cells_written, &Events::cycles>},
    {&Toggles::window_toggles, lines},
    {&Toggles::sum_toggles, count<&Events::post_outputs, &Events::cycles>},
    {&Toggles::line_toggles, lines},
    {&Toggles::parameter_toggles, count<&Events::post_outputs, &Events::cycles>},
    {&Toggles::select_toggles, count<&Events::window_reads, &Events::cycles>},
};
static_assert(std::size(causes) == toggle_members.size());

std::size_t place(std::int64_t Toggles::*member) {
  return static_cast<std::size_t>(std::ranges::find(toggle_members, member) - toggle_members.begin());
}

Events sum(const std::vector<Events>& parts) {
  Events all;
  for (const Events& part : parts) all += part;
  return all;
}

// The part of a layer that takes about as many cycles as are wanted, by a run of one image.
SamplePart part_of(const Architecture& architecture, const IntegerNetwork& network, std::size_t index,
                   std::span<const std::vector<Codes>> images, std::int64_t cycles) {
  const IntegerLayer& layer = network.layers.at(index);
  const Shape output = network.tensors.at(at(layer.output)).shape;
  SamplePart part;
  while (!architecture.supported_bits.empty() && part.weight_bits < architecture.max_weight_bits &&
         std::ranges::find(architecture.supported_bits, part.weight_bits) == architecture.supported_bits.end())
    ++part.weight_bits;
  const auto share = [&](int all) {
    const LayerSample one = sample_layer(network, index, images.first(1), part);
    const auto taken =
        static_cast<double>(sum(predict(lower(one.network, architecture))).cycles) * static_cast<double>(images.size());
    return static_cast<int>(static_cast<double>(all) * static_cast<double>(cycles) / taken);
  };
  if (const int rows = share(output.height); rows < output.height) part.rows = std::max(1, rows);
  // Fewer outputs than fill the columns would be another load of the array.
  const int least = architecture.tiles * architecture.columns;
  if (part.rows == 1 && has_weights(layer.kind) && layer.groups == 1 && output.channels > least) {
    if (const int channels = share(output.channels); channels < output.channels)
      part.channels = std::max(least, channels);
  }
  return part;
}

}  // namespace

LayerStatistics::LayerStatistics(const Events& predicted, const Events& counted, const Toggles& counted_toggles) {
  for (std::size_t e = 0; e < event_members.size(); ++e) {
    const auto member = event_members[e];
    events[e] =
        predicted.*member > 0 ? static_cast<double>(counted.*member) / static_cast<double>(predicted.*member) : 1;
  }
  for (const Cause& cause : causes) {
    const double causing = cause.count(counted);
    toggles[place(cause.toggles)] = causing > 0 ? static_cast<double>(counted_toggles.*cause.toggles) / causing : 0;
  }
}

Events LayerStatistics::expected(const Events& predicted) const {
  Events result;
  for (std::size_t e = 0; e < event_members.size(); ++e)
    result.*event_members[e] = std::llround(static_cast<double>(predicted.*event_members[e]) * events[e]);
  return result;
}

Toggles LayerStatistics::toggles_of(const Events& of) const {
  Toggles result;
  for (const Cause& cause : causes)
    result.*cause.toggles = std::llround(cause.count(of) * toggles[place(cause.toggles)]);
  return result;
}

PlanStatistics::Key PlanStatistics::key(const IntegerNetwork& network, const IntegerLayer& layer, std::size_t index) {
  const int input = network.tensors.at(at(layer.input)).bits;
  if (layer.second < 0) return {static_cast<int>(index), layer.weight_bits, input};
  const int wider = std::max(input, network.tensors.at(at(layer.second)).bits);
  return {static_cast<int>(index), wider, wider};
}

const LayerStatistics* PlanStatistics::find(const Key& key) const {
  const auto found = all_.find(key);
  return found == all_.end() ? nullptr : &found->second;
}

json PlanStatistics::to_json() const {
  json rows = json::array();
  for (const auto& [key, statistics] : all_)
    rows.push_back({{"layer", key.layer},
                    {"first_bits", key.first},
                    {"input_bits", key.input},
                    {"events", statistics.events},
                    {"toggles", statistics.toggles}});
  return {{"event_names", event_names}, {"toggle_names", toggle_names}, {"rows", rows}};
}

PlanStatistics PlanStatistics::from_json(const json& text) {
  PlanStatistics result;
  try {
    if (text.at("event_names") != json(event_names) || text.at("toggle_names") != json(toggle_names))
      throw std::invalid_argument("they are of other events");
    for (const auto& row : text.at("rows")) {
      LayerStatistics statistics;
      row.at("events").get_to(statistics.events);
      row.at("toggles").get_to(statistics.toggles);
      result.set({row.at("layer"), row.at("first_bits"), row.at("input_bits")}, statistics);
    }
  } catch (const json::exception& error) {
    throw std::invalid_argument(error.what());
  }
  return result;
}

Architecture without_skipping(Architecture architecture) {
  architecture.fold = architecture.planes_at_once();  // skipping arrays have one plane at a time
  architecture.skip_planes = false;
  return architecture;
}

std::vector<LayerStatistics> layer_statistics(Engine& engine, const Architecture& architecture,
                                              const IntegerNetwork& network, std::span<const std::size_t> layers,
                                              std::span<const std::vector<Codes>> images, const SampleOptions& options,
                                              std::int64_t& cycles) {
  std::vector<LayerSample> samples;
  std::vector<generate::Program> programs;
  std::vector<Engine::Job> jobs;
  samples.reserve(layers.size());
  programs.reserve(layers.size());
  for (const std::size_t index : layers) {
    const SamplePart part = part_of(architecture, network, index, images, options.cycles);
    samples.push_back(sample_layer(network, index, images, part));
    programs.push_back(lower(samples.back().network, architecture, static_cast<int>(images.size())));
    jobs.push_back({&programs.back(), samples.back().inputs});
  }
  const std::vector<RunResult> runs = engine.run_each(jobs);
  std::vector<LayerStatistics> statistics;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunResult& run = runs[i];
    const generate::Program& program = programs[i];
    if (run.error != RunError::none)
      throw std::runtime_error(
          fmt::format("layer '{}': the accelerator stopped: {}", network.layers[layers[i]].name, to_string(run.error)));
    const std::vector<Events> predicted = predict(program);
    const auto [first, last] = program.descriptors_of(program.layer_names.size() - 1);
    Events most, counted;
    Toggles toggles;
    for (std::size_t d = 0; d < run.descriptors.size(); ++d) {
      cycles += run.descriptors[d].cycles;
      if (d < first || d >= last) continue;
      most += predicted[d];
      counted += run.descriptors[d];
      if (!run.toggles.empty()) toggles += run.toggles[d];
    }
    statistics.emplace_back(most, counted, toggles);
  }
  return statistics;
}

}  // namespace bitstrata::sim
