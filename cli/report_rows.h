// SPDX-License-Identifier: Apache-2.0
// What a report knows of each run folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/table.h"

namespace bitstrata::cli {

// One run folder. What its files do not say is absent.
struct ReportRow {
  std::string name;  // the folder's
  std::string network, method, architecture, engine;
  std::optional<double> accuracy, standard_error;  // shares of 1
  std::optional<std::int64_t> accuracy_images;
  std::optional<double> weight_bits;      // mean over weights
  std::optional<double> activation_bits;  // mean over MACs
  std::optional<std::int64_t> parameters, macs, weight_storage_bits;
  std::optional<std::int64_t> cycles;  // of a run
  int batch = 1;                       // images a run
  std::optional<double> latency_us;
  std::optional<double> clock_mhz;                   // asked for
  std::optional<double> clock_reached_mhz;           // by the gates of the technology that latency_us is under
  nlohmann::json energy = nlohmann::json::object();  // technology -> summary.json's entry
  nlohmann::json layers = nlohmann::json::array();   // summary.json's
  nlohmann::json run = nlohmann::json::object();     // run.json
  nlohmann::json checks;                             // of verify folders: summary.json; else null
  std::optional<double> energy_pj(const std::string& technology) const;
  // A further number of a technology's entry: "power_mw", "latency_us", ...
  std::optional<double> under(const std::string& technology, const char* key) const;
  bool uniform(int bits) const;
};

// Throws std::runtime_error naming folder or file when something is missing or damaged.
ReportRow read_row(const std::filesystem::path& folder);

struct Report {
  std::string title;
  std::vector<ReportRow> rows;
  std::size_t reference = 0;              // ratios are against this row
  std::vector<std::string> technologies;  // in the order of their first appearance
  bool batches() const;                   // a row has several images a run
  // The weakest of what the rows say about the technology.
  std::string status(const std::string& technology) const;
};

// `reference`: a row's name; empty: the first measured row with 16-bit weights and activations everywhere, else the
// first measured row, else the first row.
Report make_report(const std::vector<std::string>& folders, const std::string& reference, const std::string& title);

// For people: what ran and how well; what it costs, with ratios to the reference where the network is the same.
Table quality_table(const Report& report);
Table cost_table(const Report& report);
// For programs: everything in one table, plain numbers, one unit a column.
Table plain_table(const Report& report);
nlohmann::json to_json(const Report& report);
// A line for each row and technology whose gates do not reach the clock asked for.
std::vector<std::string> clock_notes(const Report& report);

}  // namespace bitstrata::cli
