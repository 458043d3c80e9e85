// SPDX-License-Identifier: Apache-2.0
#include "model/technology_gates.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <stdexcept>

#include "model/events.h"
#include "model/output_file.h"

namespace bitstrata::model {

namespace {

// Coefficients of a gate-level technology, their units, and what one unit is in SI.
struct Unit {
  const char* name;
  const char* unit;
  double si;
  double GateLevel::*member;
};
constexpr Unit units[] = {{"memory_cycle", "pJ/access", 1e-12, &GateLevel::memory_cycle},
                          {"memory_access", "fJ/bit/sqrt(bit)", 1e-15, &GateLevel::memory_access},
                          {"memory_block", "um2", 1e-12, &GateLevel::memory_block},
                          {"memory_area", "um2/bit", 1e-12, &GateLevel::memory_area},
                          {"memory_leakage", "pW/bit", 1e-12, &GateLevel::memory_leakage},
                          {"dram_access", "pJ/bit", 1e-12, &GateLevel::dram_access}};

double positive(const YamlReader& reader) {
  const double value = reader.as_double();
  if (value < 0) reader.fail("must not be negative");
  return value;
}

Scale read_scale(const YamlReader& reader, const std::string& text) {
  try {
    return Scale(std::string_view(text));
  } catch (const std::invalid_argument& e) {
    reader.fail(e.what());
  }
}

EnergyTerms read_terms(const YamlReader& reader) {
  EnergyTerms terms;
  for (const auto& [part, list] : reader.members()) {
    for (const YamlReader& entry : list.items()) {
      entry.check_keys({"event", "per", "fJ"});
      EnergyTerm term{.event = entry.at("event").as_string(), .per = {}, .joules = 0};
      if (std::ranges::find(event_names, term.event) == event_names.end() &&
          std::ranges::find(derived_event_names, term.event) == derived_event_names.end() &&
          std::ranges::find(toggle_names, term.event) == toggle_names.end())
        entry.at("event").fail(fmt::format("'{}' is no event", term.event));
      if (entry.has("per")) term.per = read_scale(entry.at("per"), entry.at("per").as_string());
      term.joules = positive(entry.at("fJ")) * 1e-15;
      terms[part].push_back(term);
    }
  }
  return terms;
}

FitError read_error(const YamlReader& reader) {
  reader.check_keys({"runs", "r2", "mean_percent", "worst_percent", "worst_run"});
  return {reader.at("runs").as_int(), reader.at("r2").as_double(), positive(reader.at("mean_percent")) / 100,
          positive(reader.at("worst_percent")) / 100, reader.at("worst_run").as_string()};
}

// A number, or a map of scales: {fixed: 7.3, column: 0.1, row*column: 0.002}.
FamilyError read_family(const YamlReader& reader) {
  reader.check_keys({"architectures", "area", "leakage", "clock"});
  const int architectures = reader.at("architectures").as_int();
  const auto error = [&](const char* key) {
    const YamlReader one = reader.at(key);
    one.check_keys({"mean_percent", "worst_percent", "worst"});
    FitError e;
    e.points = architectures;
    e.mean = positive(one.at("mean_percent")) / 100;
    e.worst = positive(one.at("worst_percent")) / 100;
    e.worst_point = one.at("worst").as_string();
    return e;
  };
  return {architectures, error("area"), error("leakage"), error("clock")};
}

Growth read_growth(const YamlReader& reader, double unit) {
  if (!reader.is_map()) return Growth::fixed(positive(reader) * unit);
  Growth growth;
  for (const auto& [scale, value] : reader.members())
    growth.terms.push_back({read_scale(value, scale), positive(value) * unit});
  return growth;
}

// More digits, as many as a double needs, would only look exact.
std::string number(double value) { return fmt::format("{:.6g}", value); }

void emit(YAML::Emitter& out, const EnergyTerms& terms) {
  out << YAML::BeginMap;
  for (const auto& [part, list] : terms) {
    out << YAML::Key << part << YAML::Value << YAML::BeginSeq;
    for (const EnergyTerm& term : list) {
      out << YAML::Flow << YAML::BeginMap << YAML::Key << "event" << YAML::Value << term.event;
      if (term.per != Scale()) out << YAML::Key << "per" << YAML::Value << term.per.text();
      out << YAML::Key << "fJ" << YAML::Value << number(term.joules * 1e15) << YAML::EndMap;
    }
    out << YAML::EndSeq;
  }
  out << YAML::EndMap;
}

void emit(YAML::Emitter& out, const FitError& error) {
  out << YAML::Flow << YAML::BeginMap << YAML::Key << "runs" << YAML::Value << error.points << YAML::Key << "r2"
      << YAML::Value << fmt::format("{:.4f}", error.r2) << YAML::Key << "mean_percent" << YAML::Value
      << fmt::format("{:.2f}", 100 * error.mean) << YAML::Key << "worst_percent" << YAML::Value
      << fmt::format("{:.2f}", 100 * error.worst) << YAML::Key << "worst_run" << YAML::Value << error.worst_point
      << YAML::EndMap;
}

void emit(YAML::Emitter& out, const FamilyError& family) {
  out << YAML::BeginMap << YAML::Key << "architectures" << YAML::Value << family.architectures;
  for (const auto& [key, error] :
       {std::pair("area", family.area), std::pair("leakage", family.leakage), std::pair("clock", family.clock)}) {
    out << YAML::Key << key << YAML::Value << YAML::Flow << YAML::BeginMap;
    out << YAML::Key << "mean_percent" << YAML::Value << fmt::format("{:.2f}", 100 * error.mean);
    out << YAML::Key << "worst_percent" << YAML::Value << fmt::format("{:.2f}", 100 * error.worst);
    out << YAML::Key << "worst" << YAML::Value << error.worst_point << YAML::EndMap;
  }
  out << YAML::EndMap;
}

void emit(YAML::Emitter& out, const Growth& growth, double unit) {
  if (growth.terms.size() == 1 && growth.terms[0].per == Scale()) {
    out << number(growth.terms[0].value / unit);
    return;
  }
  out << YAML::Flow << YAML::BeginMap;
  for (const GrowthTerm& term : growth.terms)
    out << YAML::Key << term.per.text() << YAML::Value << number(term.value / unit);
  out << YAML::EndMap;
}

}  // namespace

void read_gate_level(const YamlReader& top, Technology& technology) {
  if (top.has("mac_energy")) top.at("mac_energy").fail("kind gate_level has 'gates', not 'mac_energy'");
  GateLevel& g = technology.gates;
  const YamlReader gates = top.at("gates");
  gates.check_keys({"library", "tools", "columns", "voltage_V", "wire_fF", "clock_period_ns", "dram",
                    "activation_density", "hardware", "area_mm2", "leakage_uW", "error", "structural_error", "family",
                    "terms", "structural_terms"});
  g.library = gates.at("library").as_text();
  g.tools = gates.at("tools").as_text();
  g.columns = gates.at("columns").as_int();
  if (g.columns < 1) gates.at("columns").fail("must be at least 1");
  g.voltage = positive(gates.at("voltage_V"));
  g.wire = positive(gates.at("wire_fF")) * 1e-15;
  g.clock_period = read_growth(gates.at("clock_period_ns"), 1e-9);
  g.dram = gates.at("dram").as_text();
  const auto density = gates.at("activation_density").items();
  if (density.size() != 2) gates.at("activation_density").fail("must be a list of the least and the most");
  g.least_density = positive(density[0]);
  g.most_density = positive(density[1]);
  if (std::ranges::none_of(g.clock_period.terms, [](const GrowthTerm& term) { return term.value > 0; }))
    gates.at("clock_period_ns").fail("must be above 0");
  if (g.least_density > g.most_density) gates.at("activation_density").fail("the least is above the most");
  for (const auto& [key, value] : gates.at("hardware").members()) {
    const std::string text = value.as_text();
    const std::size_t dots = text.find("..");
    const auto number = [](std::string_view word) {
      return !word.empty() && word.size() <= 9 &&
             std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; });
    };
    if (dots != std::string::npos &&
        !(number(std::string_view(text).substr(0, dots)) && number(std::string_view(text).substr(dots + 2))))
      value.fail(fmt::format("'{}' must be two whole numbers around the dots, as in 16..128", text));
    g.hardware[key] = text;
  }
  g.area = read_growth(gates.at("area_mm2"), 1e-6);
  g.leakage = read_growth(gates.at("leakage_uW"), 1e-6);
  g.toggles_error = read_error(gates.at("error"));
  g.structural_error = read_error(gates.at("structural_error"));
  if (gates.has("family")) g.family = read_family(gates.at("family"));
  g.with_toggles = read_terms(gates.at("terms"));
  g.structural = read_terms(gates.at("structural_terms"));
  const YamlReader coefficients = top.at("coefficients");
  std::vector<std::string> names;
  for (const Unit& unit : units) names.emplace_back(unit.name);
  coefficients.check_keys(names);
  for (const Unit& unit : units) {
    const Coefficient c = read_coefficient(coefficients.at(unit.name), unit.unit);
    g.*unit.member = c.value * unit.si;
    technology.coefficients.emplace(unit.name, c);
  }
}

void save_gate_level(const Technology& technology, const std::filesystem::path& file) {
  const GateLevel& g = technology.gates;
  YAML::Emitter out;
  out << YAML::BeginMap << YAML::Key << "format" << YAML::Value << "bitstrata-technology-1";
  out << YAML::Key << "name" << YAML::Value << technology.name;
  out << YAML::Key << "title" << YAML::Value << technology.title;
  out << YAML::Key << "kind" << YAML::Value << "gate_level";
  out << YAML::Key << "rules" << YAML::Value << technology.rules;
  out << YAML::Key << "gates" << YAML::Value << YAML::BeginMap;
  out << YAML::Key << "library" << YAML::Value << g.library << YAML::Key << "tools" << YAML::Value << g.tools;
  out << YAML::Key << "columns" << YAML::Value << g.columns;
  out << YAML::Key << "voltage_V" << YAML::Value << number(g.voltage);
  out << YAML::Key << "wire_fF" << YAML::Value << number(g.wire * 1e15);
  out << YAML::Key << "clock_period_ns" << YAML::Value;
  emit(out, g.clock_period, 1e-9);
  out << YAML::Key << "dram" << YAML::Value << g.dram;
  out << YAML::Key << "activation_density" << YAML::Value << YAML::Flow << YAML::BeginSeq << number(g.least_density)
      << number(g.most_density) << YAML::EndSeq;
  out << YAML::Key << "hardware" << YAML::Value << g.hardware;
  out << YAML::Key << "area_mm2" << YAML::Value;
  emit(out, g.area, 1e-6);
  out << YAML::Key << "leakage_uW" << YAML::Value;
  emit(out, g.leakage, 1e-6);
  out << YAML::Key << "error" << YAML::Value;
  emit(out, g.toggles_error);
  out << YAML::Key << "structural_error" << YAML::Value;
  emit(out, g.structural_error);
  if (g.family.architectures > 0) {
    out << YAML::Key << "family" << YAML::Value;
    emit(out, g.family);
  }
  out << YAML::Key << "terms" << YAML::Value;
  emit(out, g.with_toggles);
  out << YAML::Key << "structural_terms" << YAML::Value;
  emit(out, g.structural);
  out << YAML::EndMap << YAML::Key << "coefficients" << YAML::Value << YAML::BeginMap;
  for (const Unit& unit : units) {
    const Coefficient& c = technology.coefficients.at(unit.name);
    out << YAML::Key << unit.name << YAML::Value << YAML::BeginMap;
    out << YAML::Key << "value" << YAML::Value << number(g.*unit.member / unit.si);
    out << YAML::Key << "unit" << YAML::Value << unit.unit << YAML::Key << "source" << YAML::Value << c.source;
    out << YAML::Key << "conditions" << YAML::Value << c.conditions;
    out << YAML::Key << "status" << YAML::Value << to_string(c.status) << YAML::EndMap;
  }
  out << YAML::EndMap << YAML::EndMap;
  write_whole(file, fmt::format("{}\n", out.c_str()));
}

}  // namespace bitstrata::model
