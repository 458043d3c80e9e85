// SPDX-License-Identifier: Apache-2.0
#include "cli/pricing.h"

#include <fmt/format.h>

#include <cmath>
#include <set>
#include <stdexcept>

#include "cli/table.h"

namespace bitstrata::cli {

using nlohmann::json;

namespace {

json coefficient_json(const std::string& name, const model::Coefficient& c) {
  return {{"name", name},       {"value", c.value},           {"unit", c.unit},
          {"source", c.source}, {"conditions", c.conditions}, {"status", to_string(c.status)}};
}

std::optional<double> energy_pj(const Price& price) {
  return price.energy.total.any() ? std::optional(price.energy.total.total_pj()) : std::nullopt;
}

// With what the technology says besides the energy.
Price finished(Price price, const model::Measurement& measurement, const model::Architecture& architecture) {
  price.clock = sim::clock_of(architecture, price.technology);
  price.area = sim::area_of(architecture, price.technology);
  price.latency_us = price.clock.latency_us(measurement.total().cycles) / measurement.batch;
  for (const model::LayerMeasurement& layer : measurement.layers) price.macs += layer.macs;
  return price;
}

}  // namespace

std::vector<model::Technology> load_technologies(const std::vector<std::string>& names, RunRecord& record) {
  std::vector<model::Technology> technologies;
  std::set<std::string> seen;
  for (const std::string& name : names.empty() ? model::technology_names() : names) {
    model::Technology technology = model::load_technology(name);
    // Their toggles slow the engines: they are for those who ask.
    if (names.empty() && technology.kind == model::TechnologyKind::gate_level) continue;
    technologies.push_back(std::move(technology));
    const std::string& known_as = technologies.back().name;
    if (!seen.insert(known_as).second)
      throw std::invalid_argument(fmt::format("technology '{}' is given twice", known_as));
    record.add_file("technology " + known_as, name);
  }
  return technologies;
}

Price price_runs(const model::Technology& technology, model::Measurement measurement,
                 const std::vector<std::vector<model::Toggles>>& toggles, const model::IntegerNetwork& network,
                 const model::Architecture& architecture) {
  if (technology.kind != model::TechnologyKind::gate_level || toggles.empty())
    return finished({technology, sim::price(measurement, network, technology, architecture), std::nullopt}, measurement,
                    architecture);
  const auto runs = static_cast<std::int64_t>(toggles.size());
  double sum = 0, squares = 0;
  std::vector<model::Toggles> mean(measurement.layers.size());
  for (const auto& run : toggles) {
    for (std::size_t l = 0; l < mean.size(); ++l) {
      measurement.layers[l].toggles = run[l];
      mean[l] += run[l];
    }
    const double energy = sim::price(measurement, network, technology, architecture).total.total_pj();
    sum += energy;
    squares += energy * energy;
  }
  for (std::size_t l = 0; l < mean.size(); ++l) {
    for (const auto member : model::toggle_members) mean[l].*member = (mean[l].*member + runs / 2) / runs;
    measurement.layers[l].toggles = mean[l];
  }
  Price price{technology, sim::price(measurement, network, technology, architecture), std::nullopt};
  const auto n = static_cast<double>(runs);
  if (runs > 1) price.standard_error_pj = std::sqrt(std::max(0.0, squares - sum * sum / n) / (n - 1) / n);
  return finished(std::move(price), measurement, architecture);
}

std::string physical_line(const Price& p) {
  std::string text = fmt::format("{} us at {:.4g} MHz", short_number(p.latency_us), p.clock.mhz());
  if (!p.clock.reached_mhz) text += ", the clock asked for";
  if (!p.clock.met()) text += fmt::format(", which the gates reach ({:g} MHz are asked for)", p.clock.asked_mhz);
  text += fmt::format(": {:.4g} TOPS", sim::tops(p.macs, p.latency_us));
  const std::optional<double> energy = energy_pj(p);
  if (const auto power = sim::power_mw(energy, p.latency_us)) text += fmt::format(", {:.4g} mW", *power);
  if (const auto efficiency = sim::tops_per_w(p.macs, energy)) text += fmt::format(", {:.4g} TOPS/W", *efficiency);
  if (p.area)
    text += fmt::format("; area {:.4g} mm2 (gates {:.4g}, memories {:.4g})", p.area->mm2(), p.area->gates_mm2,
                        p.area->memories_mm2);
  return text;
}

json to_json(const Price& price) {
  json coefficients = json::array();
  for (const auto& [bits, c] : price.technology.mac_energy) {
    coefficients.push_back(coefficient_json(fmt::format("MAC of {} bits", bits), c));
  }
  for (const auto& [name, c] : price.technology.coefficients) coefficients.push_back(coefficient_json(name, c));
  json entry = {{"energy_pj", price.energy.total.total_pj()},
                {"priced_layers", price.energy.priced_layers},
                {"layers", price.energy.layers.size()},
                {"status", to_string(price.energy.status)},
                {"title", price.technology.title},
                {"rules", price.energy.rules},
                {"coefficients", coefficients}};
  entry["clock_mhz"] = price.clock.asked_mhz;
  if (price.clock.reached_mhz) entry["clock_reached_mhz"] = *price.clock.reached_mhz;
  entry["latency_us"] = price.latency_us;
  entry["tops"] = sim::tops(price.macs, price.latency_us);
  const std::optional<double> energy = energy_pj(price);
  if (const auto power = sim::power_mw(energy, price.latency_us)) entry["power_mw"] = *power;
  if (const auto efficiency = sim::tops_per_w(price.macs, energy)) entry["tops_per_w"] = *efficiency;
  if (price.area) {
    entry["area_mm2"] = price.area->mm2();
    entry["gates_mm2"] = price.area->gates_mm2;
    entry["memories_mm2"] = price.area->memories_mm2;
  }
  if (price.standard_error_pj) entry["standard_error_pj"] = *price.standard_error_pj;
  for (const EnergyColumn& column : energy_columns) {
    if (const auto& part = price.energy.total.*column.part) entry["parts"][column.name] = *part;
  }
  return entry;
}

}  // namespace bitstrata::cli
