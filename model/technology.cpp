// SPDX-License-Identifier: Apache-2.0
// Technology files: reading and checking.
#include "model/technology.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "model/built_in_texts.h"
#include "model/digest.h"
#include "model/technology_gates.h"
#include "model/yaml_reader.h"

namespace bitstrata::model {
namespace {

constexpr const char* format_name = "bitstrata-technology-1";

// A word of the file as one of an enumeration's values.
template <typename Enum>
Enum read_word(const YamlReader& reader, const std::vector<std::pair<std::string, Enum>>& words) {
  const std::string word = reader.as_string();
  std::vector<std::string> known;
  for (const auto& [text, value] : words) {
    if (text == word) return value;
    known.push_back(text);
  }
  reader.fail(fmt::format("'{}' is not one of {}{}", word, fmt::join(known, ", "), did_you_mean(word, known)));
}

std::string read_text(const YamlReader& reader, const std::string& key) {
  const std::string text = reader.at(key).as_text();
  if (text.empty()) reader.at(key).fail(fmt::format("'{}' is empty", key));
  return text;
}

// Shared with technology_gates.cpp.
}  // namespace
Coefficient read_coefficient(const YamlReader& reader, const std::string& unit) {
  reader.check_keys({"value", "unit", "source", "conditions", "status"});
  Coefficient c;
  c.value = reader.at("value").as_double();
  if (c.value < 0) reader.at("value").fail("an energy cannot be negative");
  c.unit = read_text(reader, "unit");
  if (c.unit != unit) reader.at("unit").fail(fmt::format("unit is '{}'; here it must be '{}'", c.unit, unit));
  c.source = read_text(reader, "source");
  c.conditions = read_text(reader, "conditions");
  c.status = read_word<Status>(
      reader.at("status"), {{"measured", Status::measured}, {"cited", Status::cited}, {"recalled", Status::recalled}});
  return c;
}

namespace {

void read_mac_table(const YamlReader& top, Technology& technology) {
  if (top.has("coefficients")) top.at("coefficients").fail("kind mac_table has 'mac_energy', not 'coefficients'");
  const YamlReader table = top.at("mac_energy");
  for (const auto& [key, entry] : table.members()) {
    const bool digits =
        !key.empty() && key[0] != '0' && key.size() <= 2 && key.find_first_not_of("0123456789") == std::string::npos;
    const int bits = digits ? std::stoi(key) : 0;
    if (bits < 1 || bits > 16) entry.fail(fmt::format("'{}' is no width; widths are 1..16 bits", key));
    if (!technology.mac_energy.emplace(bits, read_coefficient(entry, "fJ/MAC")).second) {
      entry.fail(fmt::format("width {} stands twice", bits));
    }
  }
  if (technology.mac_energy.empty()) table.fail("lists no width");
}

void read_mac_memory(const YamlReader& top, Technology& technology) {
  if (top.has("mac_energy")) top.at("mac_energy").fail("kind mac_memory has 'coefficients', not 'mac_energy'");
  const std::vector<std::pair<std::string, std::string>> units = {
      {"mac_slope", "pJ/bit"}, {"mac_offset", "pJ"}, {"access_slope", "pJ/bit"}};
  const YamlReader section = top.at("coefficients");
  std::vector<std::string> names;
  for (const auto& [name, unit] : units) names.push_back(name);
  section.check_keys(names);
  for (const auto& [name, unit] : units) {
    technology.coefficients.emplace(name, read_coefficient(section.at(name), unit));
  }
}

Technology read_technology(const YamlReader& top) {
  top.check_keys({"format", "name", "title", "kind", "rules", "mac_energy", "coefficients", "gates"});
  top.check_format(format_name);
  Technology technology;
  technology.name = top.at("name").as_string();
  if (technology.name.empty()) top.at("name").fail("'name' is empty");
  if (technology.name.find_first_of("/\\") != std::string::npos || technology.name.starts_with('.'))
    top.at("name").fail(
        fmt::format("'name' is '{}'; files are called after it: no /, and no . in front", technology.name));
  technology.title = read_text(top, "title");
  technology.kind = read_word<TechnologyKind>(top.at("kind"), {{"mac_table", TechnologyKind::mac_table},
                                                               {"mac_memory", TechnologyKind::mac_memory},
                                                               {"gate_level", TechnologyKind::gate_level}});
  if (top.has("rules")) {
    for (const YamlReader& rule : top.at("rules").items()) technology.rules.push_back(rule.as_text());
  }
  switch (technology.kind) {
    case TechnologyKind::mac_table:
      read_mac_table(top, technology);
      break;
    case TechnologyKind::mac_memory:
      read_mac_memory(top, technology);
      break;
    case TechnologyKind::gate_level:
      read_gate_level(top, technology);
      break;
  }
  return technology;
}

}  // namespace

const char* to_string(Status status) {
  switch (status) {
    case Status::measured:
      return "measured";
    case Status::cited:
      return "cited";
    case Status::fitted:
      return "fitted";
    case Status::recalled:
      return "recalled";
  }
  return "unknown";
}

Status Technology::status() const {
  Status weakest = kind == TechnologyKind::gate_level ? Status::fitted : Status::measured;
  const auto take = [&](const Coefficient& c) { weakest = std::max(weakest, c.status); };
  for (const auto& [bits, coefficient] : mac_energy) take(coefficient);
  for (const auto& [key, coefficient] : coefficients) take(coefficient);
  return weakest;
}

const std::pair<const int, Coefficient>& Technology::mac_price(const std::string& layer, int weight_bits,
                                                               int activation_bits) const {
  const int bits = std::max(weight_bits, activation_bits);
  const auto entry = mac_energy.lower_bound(bits);
  if (entry == mac_energy.end()) {
    throw std::invalid_argument(fmt::format("layer '{}': {} bits are more than technology '{}' lists ({})", layer, bits,
                                            name, mac_energy.empty() ? 0 : mac_energy.rbegin()->first));
  }
  return *entry;
}

double Technology::mac_fj(const std::string& layer, int weight_bits, int activation_bits) const {
  switch (kind) {
    case TechnologyKind::mac_table:
      return mac_price(layer, weight_bits, activation_bits).second.value;
    case TechnologyKind::mac_memory:  // in pJ, as read_mac_memory holds the units to
      return 1e3 * (coefficients.at("mac_slope").value * std::max(weight_bits, activation_bits) +
                    coefficients.at("mac_offset").value);
    case TechnologyKind::gate_level:
      break;
  }
  throw std::invalid_argument(fmt::format(
      "technology '{}' prices runs of an accelerator, not MACs; known to price MACs: ad-pim, colonnade-65nm, "
      "45nm-mac-memory and files of kind mac_table or mac_memory",
      name));
}

std::vector<std::string> technology_names() {
  std::vector<std::string> names;
  for (const BuiltInText& text : technology_texts()) names.push_back(text.name);
  return names;
}

Technology load_technology(const std::string& name_or_file) {
  for (const BuiltInText& text : technology_texts()) {
    if (text.name == name_or_file) {
      Technology technology =
          read_technology(YamlReader::from_text(text.text, fmt::format("{}.yaml (built in)", text.name)));
      technology.digest = digest_of(text.text);
      return technology;
    }
  }
  std::error_code unknown;  // no file has a name that is too long
  if (std::filesystem::exists(name_or_file, unknown)) {
    Technology technology = read_technology(YamlReader::from_file(name_or_file));
    technology.digest = digest_of_file(name_or_file);
    return technology;
  }
  const std::vector<std::string> names = technology_names();
  throw std::runtime_error(fmt::format("no technology '{}': neither a file nor one of {}{}", name_or_file,
                                       fmt::join(names, ", "), did_you_mean(name_or_file, names)));
}

}  // namespace bitstrata::model
