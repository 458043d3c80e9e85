// SPDX-License-Identifier: Apache-2.0
// Libraries out of one Liberty file or several.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>
#include <stdexcept>

#include "sim/gates/liberty_cell.h"

namespace bitstrata::sim::gates {

namespace {

bool is_template(const LibertyGroup& group) {
  return (group.name == "lu_table_template" || group.name == "power_lut_template") && !group.arguments.empty();
}

// Groups that are most of a modern library and that neither this program nor the tools it runs read: current sources,
// noise, variation.
bool is_foreign(const LibertyGroup& group) {
  const std::string_view name = group.name;
  return name.starts_with("output_current") || name.starts_with("receiver_capacitance") || name.starts_with("ccsn_") ||
         name.starts_with("compact_ccs") || name.starts_with("ocv_") || name.ends_with("_ccb") ||
         name.starts_with("normalized_driver_waveform") || name == "dc_current";
}
void drop_foreign(LibertyGroup& group) {
  std::erase_if(group.groups, is_foreign);
  for (LibertyGroup& inner : group.groups) drop_foreign(inner);
}

// "1ns", "100 mW"
double scaled(std::string_view text) {
  const std::size_t digits = text.find_first_not_of("0123456789.eE+- ");
  const double number = liberty_number(text.substr(0, digits), text);
  return number * (digits == std::string_view::npos ? 1 : unit_prefix(text.substr(digits)));
}

double number(const LibertyGroup& group, std::string_view name, double absent) {
  const LibertyAttribute* found = group.find(name);
  if (!found) return absent;
  return liberty_number(found->values.empty() ? std::string_view() : found->values.front().text, name);
}

// V; 0 where the library does not say it.
double voltage_of(const LibertyGroup& root) {
  const std::string_view conditions = root.text("default_operating_conditions");
  const LibertyGroup* only = nullptr;
  int count = 0;
  for (const LibertyGroup& group : root.groups) {
    if (group.name != "operating_conditions" || !group.find("voltage")) continue;
    if (!conditions.empty() && !group.arguments.empty() && group.arguments.front() == conditions)
      return number(group, "voltage", 0);
    only = &group;
    ++count;
  }
  if (root.find("nom_voltage")) return number(root, "nom_voltage", 0);
  if (count == 1) return number(*only, "voltage", 0);
  std::set<double> supplies;
  for (const LibertyAttribute& attribute : root.attributes) {
    if (attribute.name != "voltage_map" || attribute.values.size() != 2) continue;
    const double volts = liberty_number(attribute.values[1].text, "voltage_map");
    if (volts > 0) supplies.insert(volts);
  }
  return supplies.size() == 1 ? *supplies.begin() : 0;
}

// Energies of internal_power are in capacitive_load_unit * voltage_unit^2. (osu018 says nothing of it; 1 pJ it is:
// its inverter of 9.3 fF then has an internal energy of 5 to 9 fJ beside the 15 fJ of its own input at 1.8 V.)
LibertyHead head_of(const LibertyGroup& root, double& voltage) {
  LibertyHead head;
  const std::string_view model = root.text("delay_model");
  if (!model.empty() && model != "table_lookup")
    throw std::invalid_argument(fmt::format("delays of model '{}', not of table_lookup", model));
  const auto unit = [&](const char* name, double absent) {
    const std::string_view text = root.text(name);
    return text.empty() ? absent : scaled(text);
  };
  head.time = unit("time_unit", 1e-9);
  head.leakage = unit("leakage_power_unit", 0);
  const double volt = unit("voltage_unit", 1);
  if (const LibertyAttribute* load = root.find("capacitive_load_unit")) {
    if (load->values.size() != 2) throw std::invalid_argument("capacitive_load_unit needs a number and a unit");
    std::string name = load->values[1].text;
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    head.capacitance = liberty_number(load->values[0].text, "capacitive_load_unit") * unit_prefix(name);
  }
  head.energy = head.capacitance * volt * volt;
  voltage = voltage_of(root) * volt;
  if (voltage <= 0) throw std::invalid_argument("the library does not say its voltage");
  // The format has a default for the units above, and none for these.
  if (root.find("capacitive_load_unit") == nullptr)
    throw std::invalid_argument("the library does not say its unit of capacitance, e.g. capacitive_load_unit (1, pf);");
  head.input_capacitance = number(root, "default_input_pin_cap", 0) * head.capacitance;
  head.output_capacitance = number(root, "default_output_pin_cap", 0) * head.capacitance;
  head.cell_leakage = number(root, "default_cell_leakage_power", 0);
  for (const LibertyGroup& group : root.groups)
    if (is_template(group)) head.templates[template_key(group.name, group.arguments.front())] = &group;
  return head;
}

class Merger {
 public:
  void add(const std::filesystem::path& path) {
    const std::string file = path.string();
    if (!files_.insert(file).second) throw std::runtime_error(fmt::format("{}: it is given twice", file));
    LibertyGroup root = read_liberty_text(path);
    LibertyHead head;
    double voltage = 0;
    at(file, root.line, [&] { head = head_of(root, voltage); });
    if (first_.empty()) {
      first_ = file;
      units_ = head;
      library_.voltage = voltage;
      begin(root);
    } else {
      agree(file, "time_unit", units_.time, head.time);
      agree(file, "capacitive_load_unit", units_.capacitance, head.capacitance);
      agree(file, "unit of energy", units_.energy, head.energy);
      agree(file, "leakage_power_unit", units_.leakage, head.leakage);
      agree(file, "voltage", library_.voltage, voltage);
    }
    if (!root.arguments.empty()) library_.name += (library_.name.empty() ? "" : "+") + root.arguments.front();
    add_templates(root);
    std::map<std::string_view, int> times;
    for (const LibertyGroup& group : root.groups)
      if (group.name == "cell" && !group.arguments.empty()) ++times[group.arguments.front()];
    for (LibertyGroup& group : root.groups) {
      if (group.name != "cell") continue;
      LibertyCell cell;
      store_data(group);
      at(file, group.line, [&] {
        cell = read_cell(group, head);
        const auto [known, added] = from_.emplace(cell.name, file);
        if (!added && known->second != file)
          throw std::invalid_argument(fmt::format("cell {} is in {} already", cell.name, known->second));
      });
      if (times[cell.name] > 1) {
        cell.kind = CellKind::unusable;
        cell.unusable = "the file describes it more than once";
      }
      if (cell.kind == CellKind::clock_gate || (cell.kind != CellKind::unusable && !cell.avoided)) {
        drop_foreign(group);
        library_.text += liberty_text(group, renamed_);
      }
      std::string name = cell.name;
      library_.cells.insert_or_assign(std::move(name), std::move(cell));
    }
    if (times.empty()) at(file, root.line, [] { throw std::invalid_argument("the library has no cells"); });
  }

  Library finish() {
    library_.text += "}\n";
    return std::move(library_);
  }

 private:
  template <class F>
  static void at(const std::string& file, int line, F f) {
    try {
      f();
    } catch (const std::logic_error& e) {
      throw std::runtime_error(fmt::format("{}:{}: {}", file, line, e.what()));
    }
  }

  void agree(const std::string& file, const char* what, double first, double here) const {
    if (std::abs(here - first) > 1e-9 * std::abs(first))
      throw std::runtime_error(
          fmt::format("{}: its {} is not that of {} ({:g} and {:g}, in SI units); files given "
                      "together are one library",
                      file, what, first_, here, first));
  }

  // What stands before the cells, from the first file.
  void begin(const LibertyGroup& root) {
    library_.text = "library (cells) {\n";
    for (const LibertyAttribute& attribute : root.attributes) library_.text += liberty_text(attribute);
    for (const LibertyGroup& group : root.groups)
      if (group.name != "cell" && !is_template(group) && !is_foreign(group)) library_.text += liberty_text(group);
  }

  // Templates of one name may differ from file to file.
  void add_templates(const LibertyGroup& root) {
    renamed_.clear();
    for (const LibertyGroup& group : root.groups) {
      if (!is_template(group)) continue;
      const std::string& name = group.arguments.front();
      const std::string key = template_key(group.name, name);
      const auto known = templates_.find(key);
      if (known == templates_.end()) {
        library_.text += templates_[key] = liberty_text(group);
      } else if (known->second != liberty_text(group)) {
        LibertyGroup copy = group;
        std::string& other = copy.arguments.front();
        for (int i = 2; templates_.contains(template_key(group.name, other)); ++i)
          other = fmt::format("{}_{}", name, i);
        renamed_[key] = other;
        library_.text += templates_[template_key(group.name, other)] = liberty_text(copy);
      }
    }
  }

  Library library_;
  std::set<std::string> files_;
  std::string first_;  // file
  LibertyHead units_;  // its
  LibertyNames renamed_;
  std::map<std::string, std::string> templates_;  // as written, by template_key
  std::map<std::string, std::string> from_;       // a cell's file
};

}  // namespace

Library read_liberty(std::span<const std::filesystem::path> files) {
  if (files.empty()) throw std::invalid_argument("no Liberty file");
  Merger merger;
  for (const std::filesystem::path& file : files) merger.add(file);
  return merger.finish();
}

Library read_liberty(const std::filesystem::path& file) { return read_liberty(std::span(&file, 1)); }

}  // namespace bitstrata::sim::gates
