// SPDX-License-Identifier: Apache-2.0
#include "cli/pricing.h"

#include <fmt/format.h>

#include <cmath>
#include <set>
#include <stdexcept>

namespace bitstrata::cli {

using nlohmann::json;

namespace {

json coefficient_json(const std::string& name, const model::Coefficient& c) {
  return {{"name", name},       {"value", c.value},           {"unit", c.unit},
          {"source", c.source}, {"conditions", c.conditions}, {"status", to_string(c.status)}};
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
    return {technology, sim::price(measurement, network, technology, architecture), std::nullopt};
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
  return price;
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
  if (price.standard_error_pj) entry["standard_error_pj"] = *price.standard_error_pj;
  for (const EnergyColumn& column : energy_columns) {
    if (const auto& part = price.energy.total.*column.part) entry["parts"][column.name] = *part;
  }
  return entry;
}

}  // namespace bitstrata::cli
