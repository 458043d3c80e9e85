// SPDX-License-Identifier: Apache-2.0
// From measurements on gates to an energy model: non-negative weights of events and toggles, part by part.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "model/events.h"
#include "model/gate_level.h"
#include "sim/gates/measurement.h"

namespace bitstrata::sim::gates {

// x >= 0 that minimizes |A x - b| (Lawson and Hanson, Solving Least Squares Problems, 1974, ch. 23). A column by
// column.
std::vector<double> non_negative_least_squares(const std::vector<std::vector<double>>& columns,
                                               const std::vector<double>& b);

using Measurements = std::span<const GateMeasurement* const>;

// Terms of every part for the runs that are not held out; relative errors are minimized, each accelerator counts alike.
// Energies of one accelerator grow with its columns alone; of several, with other parameters, too. `structural`:
// events alone.
model::EnergyTerms fit_energy(Measurements measurements, bool structural);

// Growth of what is measured of an accelerator, by non-negative weights of the scales. Errors count by their share of
// `whole`.
using Quantity = std::function<double(const GateMeasurement&)>;
model::Growth fit_growth(Measurements measurements, const Quantity& quantity, const Quantity& whole,
                         const std::vector<model::Scale>& scales);

// Error on the runs that are held out, or on the others.
model::FitError error_of(const model::EnergyTerms& parts, Measurements measurements, bool held_out);

}  // namespace bitstrata::sim::gates
