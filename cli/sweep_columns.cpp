// SPDX-License-Identifier: Apache-2.0
#include "cli/sweep_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "model/json_text.h"

namespace bitstrata::cli {

using nlohmann::json;

namespace {

Cell cell_of(const json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_number()) return value.get<double>();
  return value.is_string() ? value.get<std::string>() : model::json_text(value);
}

Cell cell_of(const std::optional<double>& value) { return value ? Cell(*value) : Cell(); }

// Parameters of the architectures; the columns of a row ask for one architecture after the other.
class Parameters {
 public:
  explicit Parameters(const sim::Sweep& sweep) : sweep_(sweep) {}
  const json& of(std::int64_t architecture) {
    if (architecture != known_) parameters_ = model::parameters_of(sweep_.architecture(architecture));
    known_ = architecture;
    return parameters_;
  }

 private:
  const sim::Sweep& sweep_;
  std::int64_t known_ = -1;
  json parameters_;
};

Column parameter_column(const std::string& key, const std::shared_ptr<Parameters>& parameters) {
  return {key, [key, parameters](const SweepPoint& p) { return cell_of(parameters->of(p.architecture).at(key)); }};
}

std::string note_word(const SweepPoint& p) { return p.energy_note.empty() ? "" : p.energy_pj ? "outside" : "unknown"; }

void add_fpga_columns(const Fronts& fronts, std::vector<Column>& columns) {
  const auto use = [&fronts](const SweepPoint& p) -> const model::FpgaUse& {
    return fronts.fpga_uses.at(p.architecture);
  };
  for (std::size_t r = 0; r < model::fpga_resource_names.size(); ++r) {
    columns.push_back({model::fpga_resource_names[r],
                       [use, r](const SweepPoint& p) { return Cell(static_cast<std::int64_t>(use(p).resources[r])); }});
  }
  if (fronts.part) {
    const auto share = [&fronts, use](const SweepPoint& p) { return model::share_of(*fronts.part, use(p)); };
    for (std::size_t r = 0; r < model::fpga_part_resources.size(); ++r)
      columns.push_back({fmt::format("{}_percent", model::fpga_part_resources[r]),
                         [share, r](const SweepPoint& p) { return Cell(share(p).percent[r]); }});
    columns.push_back({"fits", [share](const SweepPoint& p) { return Cell(share(p).fits()); }});
  }
  columns.push_back(
      {"outside", [use](const SweepPoint& p) { return Cell(fmt::format("{}", fmt::join(use(p).outside, " "))); }});
}

}  // namespace

std::string text_of(const Cell& cell) {
  struct Text {
    std::string operator()(std::monostate) const { return ""; }
    std::string operator()(std::int64_t value) const { return fmt::format("{}", value); }
    std::string operator()(double value) const { return fmt::format("{:.6g}", value); }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(const std::string& value) const { return value; }
  };
  return std::visit(Text{}, cell);
}

json json_of(const Cell& cell) {
  struct Json {
    json operator()(std::monostate) const { return nullptr; }
    json operator()(std::int64_t value) const { return value; }
    json operator()(double value) const { return value; }
    json operator()(bool value) const { return value; }
    json operator()(const std::string& value) const { return value; }
  };
  return std::visit(Json{}, cell);
}

std::vector<std::string> varied(const sim::Sweep& sweep) {
  std::vector<std::string> keys;
  for (const auto& [key, values] : sweep.axes) keys.push_back(key);
  return keys;
}

std::vector<Column> shown_columns(const sim::Sweep& sweep, const Fronts& fronts) {
  std::vector<Column> columns;
  const auto add = [&](const char* name, auto of) { columns.push_back({name, of}); };
  add("point", [](const SweepPoint& p) { return p.number == 0 ? Cell() : Cell(p.number); });
  add("architecture", [&sweep](const SweepPoint& p) { return Cell(sweep.base_name(p.architecture)); });
  const auto parameters = std::make_shared<Parameters>(sweep);
  for (const std::string& key : varied(sweep)) columns.push_back(parameter_column(key, parameters));
  add("network", [&sweep](const SweepPoint& p) { return Cell(sweep.networks[p.network].name()); });
  add("plan", [&sweep](const SweepPoint& p) { return Cell(sweep.plans[p.plan].label); });
  add("cycles", [](const SweepPoint& p) { return Cell(p.stored.cycles); });
  if (fronts.clock_known) {
    if (std::ranges::find(columns, "clock_mhz", &Column::name) == columns.end())
      add("clock_mhz", [](const SweepPoint& p) { return Cell(p.clock.asked_mhz); });
    add("clock_reached_mhz", [](const SweepPoint& p) { return cell_of(p.clock.reached_mhz); });
  }
  add("latency_us", [](const SweepPoint& p) { return Cell(p.latency_us); });
  add("energy_pj", [](const SweepPoint& p) { return cell_of(p.energy_pj); });
  add("power_mw", [](const SweepPoint& p) { return cell_of(sim::power_mw(p.energy_pj, p.latency_us)); });
  add("tops", [](const SweepPoint& p) { return Cell(sim::tops(p.stored.macs, p.latency_us)); });
  add("tops_per_w", [](const SweepPoint& p) { return cell_of(sim::tops_per_w(p.stored.macs, p.energy_pj)); });
  if (fronts.area_known && !fronts.fpga) {
    add("area_mm2", [](const SweepPoint& p) { return Cell(p.area->mm2()); });
    add("gates_mm2", [](const SweepPoint& p) { return Cell(p.area->gates_mm2); });
    add("memories_mm2", [](const SweepPoint& p) { return Cell(p.area->memories_mm2); });
  } else {
    add(fronts.size_name(), [](const SweepPoint& p) { return Cell(static_cast<std::int64_t>(p.size)); });
  }
  if (fronts.fpga) add_fpga_columns(fronts, columns);
  // In a word; the whole notes stand below the fronts and in summary.json.
  if (!fronts.energy_notes.empty() || !fronts.unpriced.empty()) {
    add("energy_note", [](const SweepPoint& p) { return Cell(note_word(p)); });
  }
  return columns;
}

std::vector<Column> all_columns(const sim::Sweep& sweep, const Fronts& fronts) {
  std::vector<Column> columns = shown_columns(sweep, fronts);
  std::erase_if(columns, [](const Column& column) { return column.name == "point" || column.name == "energy_note"; });
  columns.push_back({"energy_note", [](const SweepPoint& p) { return Cell(note_word(p)); }});
  const auto parameters = std::make_shared<Parameters>(sweep);
  for (const std::string& key : model::architecture_keys())
    if (std::ranges::find(columns, key, &Column::name) == columns.end())
      columns.push_back(parameter_column(key, parameters));
  return columns;
}

}  // namespace bitstrata::cli
