// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/measurement.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "model/json_text.h"
#include "model/output_file.h"
#include "model/yaml_reader.h"

namespace bitstrata::sim::gates {

using nlohmann::json;

namespace {

constexpr const char* format = "bitstrata-gate-measurement-1";

// Counts by their names.
template <typename Counts, typename Names, typename Members>
json json_of(const Counts& counts, const Names& names, const Members& members) {
  json all = json::object();
  for (std::size_t i = 0; i < names.size(); ++i) all[std::string(names[i])] = counts.*members[i];
  return all;
}

template <typename Counts, typename Names, typename Members>
void read(Counts& counts, const json& all, const Names& names, const Members& members) {
  for (std::size_t i = 0; i < names.size(); ++i) counts.*members[i] = all.at(std::string(names[i]));
}

}  // namespace

double CalibrationPoint::total() const {
  double sum = 0;
  for (const auto& [part, value] : energy) sum += value;
  return sum;
}

std::int64_t GateMeasurement::cells() const {
  std::int64_t sum = 0;
  for (const auto& [name, size] : components) sum += size.cells;
  return sum;
}

std::int64_t GateMeasurement::flip_flops() const {
  std::int64_t sum = 0;
  for (const auto& [name, size] : components) sum += size.flip_flops;
  return sum;
}

double GateMeasurement::area() const {
  double sum = 0;
  for (const auto& [name, size] : components) sum += size.area;
  return sum;
}

bool per_column(const std::string& component) {
  return component == "products" || component == "columns" || component == "lanes";
}

void save_measurement(const GateMeasurement& m, const std::filesystem::path& file) {
  json all = {{"format", format},
              {"name", m.architecture.name},
              {"architecture", model::parameters_of(m.architecture)},
              {"library", m.library},
              {"tools", m.tools},
              {"voltage_V", m.voltage},
              {"wire_F", m.wire},
              {"idle_clock_J", m.idle_clock},
              {"idle_clock_of_columns_J", m.idle_clock_of_columns},
              {"clock_period_s", m.clock_period},
              {"least_density", m.least_density},
              {"values_compared", m.values_compared},
              {"memories", m.memories},
              {"stream_cycles", m.stream_cycles},
              {"synthesis_s", m.synthesis_seconds},
              {"simulation_s", m.simulation_seconds},
              {"components", json::object()},
              {"runs", json::array()}};
  for (const auto& [name, size] : m.components)
    all["components"][name] = {
        {"area_m2", size.area}, {"leakage_W", size.leakage}, {"cells", size.cells}, {"flip_flops", size.flip_flops}};
  for (const CalibrationPoint& point : m.points)
    all["runs"].push_back({{"name", point.name},
                           {"held_out", point.held_out},
                           {"streams", point.streams},
                           {"events", json_of(point.events, model::event_names, model::event_members)},
                           {"toggles", json_of(point.toggles, model::toggle_names, model::toggle_members)},
                           {"energy_J", point.energy}});
  model::write_whole(file, model::json_text(all) + "\n");
}

GateMeasurement load_measurement(const std::filesystem::path& file) {
  std::ifstream stream(file);
  try {
    const json all = json::parse(stream);
    if (all.at("format") != format) throw std::runtime_error(fmt::format("its format is not {}", format));
    GateMeasurement m;
    for (const auto& [key, value] : all.at("architecture").items())
      model::set_parameter(m.architecture, key, model::YamlReader::from_text(value.dump(), file.string()));
    m.architecture.name = all.at("name");
    m.library = all.at("library");
    m.tools = all.at("tools");
    m.voltage = all.at("voltage_V");
    m.wire = all.at("wire_F");
    m.idle_clock = all.at("idle_clock_J");
    m.idle_clock_of_columns = all.at("idle_clock_of_columns_J");
    m.clock_period = all.at("clock_period_s");
    m.least_density = all.at("least_density");
    m.values_compared = all.at("values_compared");
    m.memories = all.at("memories");
    m.stream_cycles = all.at("stream_cycles");
    m.synthesis_seconds = all.at("synthesis_s");
    m.simulation_seconds = all.at("simulation_s");
    for (const auto& [name, size] : all.at("components").items())
      m.components[name] = {size.at("area_m2"), size.at("leakage_W"), size.at("cells"), size.at("flip_flops")};
    for (const json& run : all.at("runs")) {
      CalibrationPoint& point = m.points.emplace_back();
      point.name = run.at("name");
      point.held_out = run.at("held_out");
      point.streams = run.at("streams");
      read(point.events, run.at("events"), model::event_names, model::event_members);
      read(point.toggles, run.at("toggles"), model::toggle_names, model::toggle_members);
      point.energy = run.at("energy_J");
    }
    return m;
  } catch (const std::exception& e) {
    throw std::runtime_error(fmt::format("{} is no measurement of gates: {}", file.string(), e.what()));
  }
}

}  // namespace bitstrata::sim::gates
