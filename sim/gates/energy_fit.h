// SPDX-License-Identifier: Apache-2.0
// From runs on gates to an energy model: non-negative weights of events and toggles, part by part.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/architecture.h"
#include "model/events.h"
#include "model/gate_level.h"

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

// x >= 0 that minimizes |A x - b| (Lawson and Hanson, Solving Least Squares Problems, 1974, ch. 23). A column by
// column.
std::vector<double> non_negative_least_squares(const std::vector<std::vector<double>>& columns,
                                               const std::vector<double>& b);

// Terms of every part for the points that are not held out; relative errors are minimized. `clock`: J of a cycle in
// which nothing happens, known beforehand. `structural`: events alone.
model::EnergyTerms fit_energy(const std::vector<CalibrationPoint>& points, const model::Architecture& architecture,
                              const model::PerColumn& clock, bool structural);

// Error on the points that are held out, or on the others.
model::FitError error_of(const model::EnergyTerms& parts, const std::vector<CalibrationPoint>& points,
                         const model::Architecture& architecture, bool held_out);

}  // namespace bitstrata::sim::gates
