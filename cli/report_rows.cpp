// SPDX-License-Identifier: Apache-2.0
#include "cli/report_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "cli/run_folder.h"
#include "model/json_text.h"
#include "model/yaml_reader.h"

namespace bitstrata::cli {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

template <typename T>
void read(const json& from, const char* key, std::optional<T>& value) {
  if (!from.contains(key) || from[key].is_null()) return;
  if (!from[key].is_number())
    throw std::runtime_error(fmt::format("'{}' is {}; it is a number", key, model::json_text(from[key])));
  value = from[key].get<T>();
}

// Weights by their number, activations by the MACs that read them: what storage and work see.
void read_widths(ReportRow& row) {
  double weights = 0, weight_bits = 0, macs = 0, activation_bits = 0;
  for (const json& layer : row.layers) {
    if (!layer.contains("weight_bits")) continue;
    weights += layer.value("weights", 0.0);
    weight_bits += layer.value("weights", 0.0) * layer["weight_bits"].get<double>();
    macs += layer.value("macs", 0.0);
    activation_bits += layer.value("macs", 0.0) * layer.value("activation_bits", 0.0);
  }
  if (weights > 0) row.weight_bits = weight_bits / weights;
  if (macs > 0) row.activation_bits = activation_bits / macs;
}

void read_accuracy(const json& summary, ReportRow& row) {
  if (summary.contains("test_accuracy")) {
    read(summary, "test_accuracy", row.accuracy);
    read(summary, "test_standard_error", row.standard_error);
    read(summary, "test_images", row.accuracy_images);
  } else if (summary.contains("images") && summary["images"].contains("accuracy")) {
    read(summary["images"], "accuracy", row.accuracy);
    read(summary["images"], "count", row.accuracy_images);
  } else if (!summary.contains("layers")) {  // a folder of float training
    read(summary, "float_test_accuracy", row.accuracy);
    read(summary, "float_test_standard_error", row.standard_error);
  }
}

void fill(const json& summary, ReportRow& row) {
  row.network = summary.value("network", "");
  row.method = summary.value("method", summary.value("weights", "") == "random" ? "random weights" : "");
  row.architecture = summary.value("architecture", "");
  row.engine = summary.value("engine", row.run.value("engine", ""));
  read(summary, "parameters", row.parameters);
  read(summary, "macs", row.macs);
  read(summary, "weight_storage_bits", row.weight_storage_bits);
  read(summary, "cycles", row.cycles);
  row.batch = summary.value("batch", 1);
  read(summary, "latency_us", row.latency_us);
  read(summary, "clock_mhz", row.clock_mhz);
  read(summary, "clock_reached_mhz", row.clock_reached_mhz);
  row.energy = summary.value("energy", json::object());
  row.layers = summary.value("layers", json::array());
  // A folder of quantize has the price of its MACs only.
  if (row.energy.empty() && summary.contains("mac_energy_fj")) {
    row.energy[summary.value("mac_energy_technology", "ad-pim")] = {
        {"energy_pj", 1e-3 * summary["mac_energy_fj"].get<double>()},
        {"status", summary.value("mac_energy_status", "")}};
  }
  read_accuracy(summary, row);
  read_widths(row);
}

std::string with_unit(const std::optional<double>& value, double factor = 1) {
  return value ? short_number(*value * factor) : "";
}

std::string count_of(const std::optional<std::int64_t>& value) { return value ? grouped(*value) : ""; }

std::string ratio(const std::optional<double>& reference, const std::optional<double>& value) {
  return reference && value && *value > 0 ? fmt::format("{:.2f}x", *reference / *value) : "";
}

std::optional<double> as_double(const std::optional<std::int64_t>& value) {
  return value ? std::optional<double>(static_cast<double>(*value)) : std::nullopt;
}

// What the plain table has of each technology: a key of its entry in summary.json, and the column's name.
constexpr std::pair<const char*, const char*> columns_of_technologies[] = {{"energy_pj", "energy_{}_pj"},
                                                                           {"latency_us", "latency_{}_us"},
                                                                           {"power_mw", "power_{}_mw"},
                                                                           {"tops_per_w", "tops_per_w_{}"},
                                                                           {"area_mm2", "area_{}_mm2"}};

std::string accuracy_text(const ReportRow& row) {
  if (!row.accuracy) return "";
  std::string text = fmt::format("{:.2f}", 100 * *row.accuracy);
  if (row.standard_error) text += fmt::format(" ± {:.2f}", 100 * *row.standard_error);
  return text;
}

}  // namespace

std::optional<double> ReportRow::energy_pj(const std::string& technology) const {
  if (!energy.contains(technology)) return std::nullopt;
  return energy[technology].at("energy_pj").get<double>();
}

std::optional<double> ReportRow::under(const std::string& technology, const char* key) const {
  if (!energy.contains(technology) || !energy[technology].contains(key)) return std::nullopt;
  return energy[technology].at(key).get<double>();
}

bool ReportRow::uniform(int bits) const {
  bool any = false;
  for (const json& layer : layers) {
    if (!layer.contains("weight_bits")) continue;
    any = true;
    if (layer["weight_bits"] != bits || layer.value("activation_bits", 0) != bits) return false;
  }
  return any;
}

ReportRow read_row(const fs::path& folder) {
  if (!fs::is_directory(folder)) throw std::runtime_error(fmt::format("no run folder '{}'", folder.string()));
  const fs::path summary_file = folder / "summary.json", run_file = folder / "run.json";
  if (!fs::exists(summary_file) && !fs::exists(run_file)) {
    throw std::runtime_error(
        fmt::format("'{}' is no run folder: it holds neither summary.json nor run.json", folder.string()));
  }
  ReportRow row;
  fs::path given = folder;
  if (given.filename().empty()) given = given.parent_path();
  row.name = fs::weakly_canonical(given).filename().string();
  if (fs::exists(run_file)) row.run = read_json(run_file);
  const json summary = fs::exists(summary_file) ? read_json(summary_file) : row.run;
  try {
    fill(summary, row);
    if (summary.contains("passed")) {
      row.checks = summary;
      row.layers = json::array();
    }
  } catch (const json::exception& error) {
    std::string words = error.what();  // behind the library's name for it
    if (const auto name = words.find("] "); name != std::string::npos) words = words.substr(name + 2);
    throw std::runtime_error(fmt::format("{}: not as a run folder's: {}", summary_file.string(), words));
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(fmt::format("{}: not as a run folder's: {}", summary_file.string(), error.what()));
  }
  return row;
}

std::string Report::status(const std::string& technology) const {
  std::set<std::string> found;
  for (const ReportRow& row : rows) {
    if (row.energy.contains(technology)) found.insert(row.energy[technology].value("status", ""));
  }
  for (const char* weakest : {"recalled", "fitted", "cited", "measured"}) {
    if (found.contains(weakest)) return weakest;
  }
  return "of unknown status";
}

Report make_report(const std::vector<std::string>& folders, const std::string& reference, const std::string& title) {
  Report report;
  std::vector<std::string> names;
  for (const std::string& folder : folders) {
    ReportRow row = read_row(folder);
    if (std::ranges::find(names, row.name) != names.end()) row.name = folder;
    if (std::ranges::find(names, row.name) != names.end()) {
      throw std::invalid_argument(fmt::format("run folder '{}' is given twice", folder));
    }
    names.push_back(row.name);
    for (const auto& [technology, entry] : row.energy.items()) {
      if (std::ranges::find(report.technologies, technology) == report.technologies.end()) {
        report.technologies.push_back(technology);
      }
    }
    report.rows.push_back(std::move(row));
  }
  const auto named = std::ranges::find(names, reference);
  if (!reference.empty()) {
    if (named == names.end()) {
      throw std::invalid_argument(fmt::format("--reference '{}' is none of {}{}", reference, fmt::join(names, ", "),
                                              model::did_you_mean(reference, names)));
    }
    report.reference = static_cast<std::size_t>(named - names.begin());
  } else {
    // Runs with cycles go before folders of quantize, which only know the price of their MACs.
    const auto rank = [](const ReportRow& row) {
      if (!row.checks.is_null()) return 3;
      const bool full = row.uniform(16), timed = row.latency_us.has_value();
      return full && timed ? 0 : timed ? 1 : 2;
    };
    const auto best = std::ranges::min_element(report.rows, {}, rank);
    report.reference = static_cast<std::size_t>(best - report.rows.begin());
  }
  report.title = title;
  return report;
}

Table quality_table(const Report& report) {
  Table table(
      {"run", "network", "method", "accuracy (%)", "w (bits)", "a (bits)", "parameters", "macs", "weights (kB)"}, 3);
  for (const ReportRow& row : report.rows) {
    if (!row.checks.is_null()) continue;
    table.add({row.name, row.network, row.method, accuracy_text(row),
               row.weight_bits ? fmt::format("{:.2f}", *row.weight_bits) : "",
               row.activation_bits ? fmt::format("{:.2f}", *row.activation_bits) : "", count_of(row.parameters),
               count_of(row.macs), with_unit(as_double(row.weight_storage_bits), 1.0 / 8000)});
  }
  return table;
}

bool Report::batches() const {
  return std::ranges::any_of(rows, [](const ReportRow& row) { return row.batch > 1; });
}

Table cost_table(const Report& report) {
  std::vector<std::string> header = {"run", "architecture", "engine", "cycles", "latency (µs)", "less"};
  for (const std::string& t : report.technologies) {
    header.push_back(fmt::format("{} (nJ, {})", t, report.status(t)));
    header.emplace_back("less");
  }
  if (report.batches()) header.emplace_back("images a run");
  Table table(header, 3);
  const ReportRow& reference = report.rows.at(report.reference);
  for (const ReportRow& row : report.rows) {
    if (!row.checks.is_null()) continue;
    const bool comparable = row.network == reference.network;
    std::vector<std::string> cells = {row.name,
                                      row.architecture,
                                      row.engine,
                                      count_of(row.cycles),
                                      with_unit(row.latency_us),
                                      comparable ? ratio(reference.latency_us, row.latency_us) : ""};
    for (const std::string& t : report.technologies) {
      cells.push_back(with_unit(row.energy_pj(t), 1e-3));
      cells.push_back(comparable ? ratio(reference.energy_pj(t), row.energy_pj(t)) : "");
    }
    if (report.batches()) cells.push_back(fmt::format("{}", row.batch));
    table.add(cells);
  }
  return table;
}

Table plain_table(const Report& report) {
  std::vector<std::string> header = {"run",
                                     "network",
                                     "method",
                                     "architecture",
                                     "engine",
                                     "accuracy",
                                     "accuracy_standard_error",
                                     "accuracy_images",
                                     "mean_weight_bits",
                                     "mean_activation_bits",
                                     "parameters",
                                     "macs",
                                     "weight_storage_bits",
                                     "cycles",
                                     "clock_mhz",
                                     "clock_reached_mhz",
                                     "latency_us"};
  for (const std::string& t : report.technologies)
    for (const auto& [key, column] : columns_of_technologies) header.push_back(fmt::format(fmt::runtime(column), t));
  if (report.batches()) header.emplace_back("batch");
  Table table(header, 5);
  const auto plain = [](const auto& value) { return value ? fmt::format("{}", *value) : std::string(); };
  for (const ReportRow& row : report.rows) {
    if (!row.checks.is_null()) continue;
    std::vector<std::string> cells = {row.name,
                                      row.network,
                                      row.method,
                                      row.architecture,
                                      row.engine,
                                      plain(row.accuracy),
                                      plain(row.standard_error),
                                      plain(row.accuracy_images),
                                      plain(row.weight_bits),
                                      plain(row.activation_bits),
                                      plain(row.parameters),
                                      plain(row.macs),
                                      plain(row.weight_storage_bits),
                                      plain(row.cycles),
                                      plain(row.clock_mhz),
                                      plain(row.clock_reached_mhz),
                                      plain(row.latency_us)};
    for (const std::string& t : report.technologies)
      for (const auto& [key, column] : columns_of_technologies) cells.push_back(plain(row.under(t, key)));
    if (report.batches()) cells.push_back(fmt::format("{}", row.batch));
    table.add(cells);
  }
  return table;
}

json to_json(const Report& report) {
  json rows = json::array();
  const auto put = [](json& entry, const char* key, const auto& value) {
    if (value) entry[key] = *value;
  };
  for (const ReportRow& row : report.rows) {
    json entry = {
        {"name", row.name},     {"network", row.network}, {"method", row.method}, {"architecture", row.architecture},
        {"engine", row.engine}, {"layers", row.layers},   {"energy", row.energy}, {"run", row.run}};
    put(entry, "accuracy", row.accuracy);
    put(entry, "accuracy_standard_error", row.standard_error);
    put(entry, "accuracy_images", row.accuracy_images);
    put(entry, "mean_weight_bits", row.weight_bits);
    put(entry, "mean_activation_bits", row.activation_bits);
    put(entry, "parameters", row.parameters);
    put(entry, "macs", row.macs);
    put(entry, "weight_storage_bits", row.weight_storage_bits);
    put(entry, "cycles", row.cycles);
    if (row.cycles) entry["batch"] = row.batch;
    put(entry, "latency_us", row.latency_us);
    put(entry, "clock_mhz", row.clock_mhz);
    put(entry, "clock_reached_mhz", row.clock_reached_mhz);
    if (!row.checks.is_null()) entry["checks"] = row.checks;
    rows.push_back(entry);
  }
  return {{"title", report.title},
          {"reference", report.rows.at(report.reference).name},
          {"technologies", report.technologies},
          {"rows", rows}};
}

std::vector<std::string> clock_notes(const Report& report) {
  std::vector<std::string> notes;
  for (const ReportRow& row : report.rows) {
    for (const std::string& t : report.technologies) {
      const auto asked = row.under(t, "clock_mhz"), reached = row.under(t, "clock_reached_mhz");
      const auto latency = row.under(t, "latency_us");
      if (!asked || !reached || !latency || *reached >= *asked) continue;
      notes.push_back(fmt::format("{}: the gates of {} reach {:.1f} of the {:g} MHz asked for: {} µs.", row.name, t,
                                  *reached, *asked, short_number(*latency)));
    }
  }
  return notes;
}

}  // namespace bitstrata::cli
