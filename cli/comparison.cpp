// SPDX-License-Identifier: Apache-2.0
#include "cli/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace bitstrata::cli {

using nlohmann::json;

namespace {

constexpr std::size_t shown_differences = 10;

// Events that say when, not how much: they change with the stalls of the memory.
const std::set<std::string_view> timing_events = {"cycles",      "load_cycles",  "compute_cycles",
                                                  "post_cycles", "store_cycles", "stall_cycles"};

void remember(std::vector<Pair>& pairs, const Pair& pair) {
  if (std::ranges::find(pairs, pair) == pairs.end()) pairs.push_back(pair);
}

std::string cell(const std::map<Pair, Count>& counts, const Pair& pair) {
  const auto found = counts.find(pair);
  if (found == counts.end()) return "";
  return fmt::format("{} / {}", grouped(found->second.compared), grouped(found->second.different));
}

json counts_json(const std::map<Pair, Count>& counts) {
  json entry = json::object();
  for (const auto& [pair, count] : counts) {
    entry[pair.first + "-" + pair.second] = {{"compared", count.compared}, {"different", count.different}};
  }
  return entry;
}

Count sum(const std::map<Pair, Count>& counts) {
  Count total;
  for (const auto& [pair, count] : counts) total += count;
  return total;
}

}  // namespace

Count& Count::operator+=(const Count& other) {
  compared += other.compared;
  different += other.different;
  return *this;
}

ValueComparison::ValueComparison(const model::IntegerNetwork& network, int image, Pair pair)
    : network_(network), image_(image), pair_(std::move(pair)), layers_(network.layers.size()) {}

void ValueComparison::add(std::size_t index, const model::Codes& left, const model::Codes& right) {
  const model::IntegerLayer& layer = network_.layers.at(index);
  const model::Shape shape = network_.tensors[static_cast<std::size_t>(layer.output)].shape;
  const auto elements = static_cast<std::size_t>(shape.elements());
  if (left.size() != elements || right.size() != elements) {
    failures_.push_back(fmt::format("image {}, layer '{}': {} and {} do not both have its {} outputs", image_,
                                    layer.name, pair_.first, pair_.second, elements));
    return;
  }
  Count& count = layers_[index];
  count.compared += static_cast<std::int64_t>(elements);
  for (std::size_t i = 0; i < elements; ++i) {
    if (left[i] == right[i]) continue;
    ++count.different;
    if (differences_.size() == shown_differences) continue;
    const std::size_t pixel = i / static_cast<std::size_t>(shape.channels);
    const auto width = static_cast<std::size_t>(shape.width);
    differences_.push_back(fmt::format("image {}, layer '{}', y {}, x {}, channel {}: {} {}, {} {}", image_, layer.name,
                                       pixel / width, pixel % width, i % static_cast<std::size_t>(shape.channels),
                                       pair_.first, left[i], pair_.second, right[i]));
  }
}

Comparison::Comparison(const Workload& workload) : workload_(workload), layers_(workload.network.layers.size()) {}

void Comparison::show(const std::string& line) {
  if (differences_.size() < shown_differences) differences_.push_back(line);
}

void Comparison::add_values(const ValueComparison& values) {
  remember(value_pairs_, values.pair_);
  for (std::size_t l = 0; l < layers_.size(); ++l) layers_[l].values[values.pair_] += values.layers_.at(l);
  for (const std::string& line : values.failures_) note_failure(line);
  for (const std::string& line : values.differences_) show(line);
}

std::string Comparison::run_name(int run) const {
  return fmt::format("{} {}", workload_.program.batch > 1 ? "batch" : "image", run);
}

void Comparison::compare_events(int run, const Pair& pair, const std::vector<model::Events>& left,
                                const std::vector<model::Events>& right, bool timing) {
  remember(event_pairs_, pair);
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const std::string& name = workload_.network.layers[l].name;
    if (l >= left.size() || l >= right.size()) {
      note_failure(fmt::format("{}, layer '{}': {} and {} did not both finish it", run_name(run), name, pair.first,
                               pair.second));
      continue;
    }
    Count& count = layers_[l].events[pair];
    for (std::size_t e = 0; e < model::event_names.size(); ++e) {
      if (!timing && timing_events.contains(model::event_names[e])) continue;
      const std::int64_t a = left[l].*model::event_members[e], b = right[l].*model::event_members[e];
      ++count.compared;
      if (a == b) continue;
      ++count.different;
      show(fmt::format("{}, layer '{}', event {}: {} {}, {} {}", run_name(run), name, model::event_names[e], pair.first,
                       a, pair.second, b));
    }
  }
}

Count Comparison::values() const {
  Count total;
  for (const Layer& layer : layers_) total += sum(layer.values);
  return total;
}

Count Comparison::events() const {
  Count total;
  for (const Layer& layer : layers_) total += sum(layer.events);
  return total;
}

bool Comparison::passed() const {
  const auto compared = [](const Layer& layer) {
    return sum(layer.values).compared > 0 && sum(layer.events).compared > 0;
  };
  return failures_.empty() && !layers_.empty() && std::ranges::all_of(layers_, compared) && values().different == 0 &&
         events().different == 0;
}

std::vector<std::string> Comparison::first_cells(std::size_t index) const {
  const model::IntegerLayer& layer = workload_.network.layers[index];
  const bool weights = has_weights(layer.kind);
  const int input_bits = workload_.network.tensors[static_cast<std::size_t>(layer.input)].bits;
  return {layer.name, to_string(layer.kind), weights ? fmt::format("{}", layer.weight_bits) : "",
          fmt::format("{}", input_bits)};
}

Table Comparison::value_table() const {
  std::vector<std::string> header = {"layer", "kind", "w", "a"}, last = {"total", "", "", ""};
  for (const Pair& pair : value_pairs_) header.push_back(fmt::format("values {} = {}", pair.first, pair.second));
  Table table(header, 2);
  std::map<Pair, Count> total;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    std::vector<std::string> row = first_cells(l);
    for (const Pair& pair : value_pairs_) row.push_back(cell(layers_[l].values, pair));
    for (const auto& [pair, count] : layers_[l].values) total[pair] += count;
    table.add(row);
  }
  for (const Pair& pair : value_pairs_) last.push_back(cell(total, pair));
  table.add_total(last);
  return table;
}

Table Comparison::timing_table() const {
  std::vector<std::string> header = {"layer", "kind", "w", "a"}, last = {"total", "", "", ""};
  for (const auto& [engine, layers] : cycles_) header.push_back(fmt::format("cycles {}", engine));
  for (const Pair& pair : event_pairs_) header.push_back(fmt::format("events {} = {}", pair.first, pair.second));
  Table table(header, 2);
  std::map<Pair, Count> total;
  std::map<std::string, std::int64_t> cycles;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    std::vector<std::string> row = first_cells(l);
    for (const auto& [engine, events] : cycles_) {
      row.push_back(l < events.size() ? grouped(events[l].cycles) : "");
      if (l < events.size()) cycles[engine] += events[l].cycles;
    }
    for (const Pair& pair : event_pairs_) row.push_back(cell(layers_[l].events, pair));
    for (const auto& [pair, count] : layers_[l].events) total[pair] += count;
    table.add(row);
  }
  for (const auto& [engine, events] : cycles_) last.push_back(grouped(cycles[engine]));
  for (const Pair& pair : event_pairs_) last.push_back(cell(total, pair));
  table.add_total(last);
  return table;
}

json Comparison::to_json() const {
  json layers = json::array();
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    json entry = {{"layer", workload_.network.layers[l].name},
                  {"values", counts_json(layers_[l].values)},
                  {"events", counts_json(layers_[l].events)}};
    for (const auto& [engine, events] : cycles_) {
      if (l < events.size()) entry["cycles"][engine] = events[l].cycles;
    }
    layers.push_back(entry);
  }
  return {{"passed", passed()},
          {"values", {{"compared", values().compared}, {"different", values().different}}},
          {"events", {{"compared", events().compared}, {"different", events().different}}},
          {"differences", differences_},
          {"failures", failures_},
          {"layers", layers}};
}

}  // namespace bitstrata::cli
