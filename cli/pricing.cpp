// SPDX-License-Identifier: Apache-2.0
#include "cli/pricing.h"

#include <fmt/format.h>

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
    technologies.push_back(model::load_technology(name));
    const std::string& known_as = technologies.back().name;
    if (!seen.insert(known_as).second)
      throw std::invalid_argument(fmt::format("technology '{}' is given twice", known_as));
    record.add_file("technology " + known_as, name);
  }
  return technologies;
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
                {"rules", price.technology.rules},
                {"coefficients", coefficients}};
  for (const EnergyColumn& column : energy_columns) {
    if (const auto& part = price.energy.total.*column.part) entry["parts"][column.name] = *part;
  }
  return entry;
}

}  // namespace bitstrata::cli
