// SPDX-License-Identifier: Apache-2.0
// What the gates of one accelerator are and what runs on them spent: all that an energy model is fitted to.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "model/architecture.h"
#include "model/events.h"

namespace bitstrata::sim::gates {

// A run's, or a group's of its streams: sums over the streams.
struct CalibrationPoint {
  std::string name;
  bool held_out = false;
  int streams = 0;  // that ran it: events and energy are theirs together
  model::Events events;
  model::Toggles toggles;
  std::map<std::string, double> energy;  // J by part, clock_of_columns apart from clock; of gates, not of memories

  double total() const;
};

struct ComponentSize {
  double area = 0;     // m^2
  double leakage = 0;  // W
  std::int64_t cells = 0, flip_flops = 0;
};

struct GateMeasurement {
  model::Architecture architecture;  // as synthesized: one macro of few columns
  std::string library, tools;
  double voltage = 0;                                // V
  double wire = 0;                                   // F a fan-out
  std::map<std::string, ComponentSize> components;   // "products", "columns", "lanes" are there once a column
  double idle_clock = 0, idle_clock_of_columns = 0;  // J of a cycle in which nothing happens, of all columns
  double clock_period = 0;                           // s, shortest
  double least_density = 1;  // least share of activations that are not zero among the fitted runs' groups
  std::vector<CalibrationPoint> points;

  std::int64_t values_compared = 0;  // outputs of gates with golden's
  std::int64_t memories = 0, stream_cycles = 0;
  double synthesis_seconds = 0, simulation_seconds = 0;
  int known_runs = 0;  // taken from before: their gates did not run in simulation_seconds

  std::int64_t cells() const;
  std::int64_t flip_flops() const;
  // m^2, all columns.
  double area() const;
};

// Is the component there once a column?
bool per_column(const std::string& component);

// A JSON file, and what it holds. Throws std::runtime_error naming the file that cannot be written, or that is none.
void save_measurement(const GateMeasurement& measurement, const std::filesystem::path& file);
GateMeasurement load_measurement(const std::filesystem::path& file);

}  // namespace bitstrata::sim::gates
