// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/family.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

#include "sim/gate_energy.h"

namespace bitstrata::sim::gates {

namespace {

using model::Growth;
using model::Scale;

// What the gates of a component grow with.
struct ComponentScales {
  const char* component;
  std::vector<Scale> scales;
};

const std::vector<ComponentScales>& component_scales() {
  static const std::vector<ComponentScales> all = {
      {"products", {"column", "row*column"}},
      {"columns",
       {"column", "column*count_bit", "row*column", "column*fold", "column*accumulator_bit", "row*column*fold",
        "column*weight_bit", "column*plane"}},
      {"lanes",
       {"column", "column*accumulator_bit", "column*weight_bit", "column*plane", "row", "row*column",
        "column*vector_unit"}},
      {"array", {"fixed", "row", "row*plane", "row*fold", "row*load_row"}},
      {"buffer",
       {"fixed", "line_bit", "plane", "plane*plane_stage", "plane*line_bit", "plane*line_bit*line_stage",
        "plane*line_bit*plane_stage", "row*plane", "row", "column*load_row", "address_bit"}},
      {"postprocess",
       {"fixed", "post_lane", "post_lane*accumulator_bit", "post_lane*plane", "post_lane*vector_unit",
        "post_lane*plane*vector_unit", "post_lane*swish_unit", "post_lane*table_unit"}},
      {"control", {"fixed", "line_bit", "plane*line_bit", "column*load_row", "accumulator_bit", "row", "post_lane"}}};
  return all;
}

// Paths go through adders as wide as partial sums, rotators, and trees over the rows.
const std::vector<Scale> clock_scales = {"fixed", "accumulator_bit", "count_bit", "plane", "line_stage", "weight_bit"};

Growth sum_of(std::vector<Growth> parts) {
  Growth sum;
  for (const Growth& part : parts) {
    for (const model::GrowthTerm& term : part.terms) {
      const auto same = std::ranges::find(sum.terms, term.per, &model::GrowthTerm::per);
      if (same == sum.terms.end()) {
        sum.terms.push_back(term);
      } else {
        same->value += term.value;
      }
    }
  }
  return sum;
}

// The sum over components; each is fitted apart, by what it is made of.
Growth fit_sizes(Measurements measurements, double ComponentSize::*size) {
  const auto of = [size](const GateMeasurement& m, const std::string& name) {
    const auto found = m.components.find(name);
    return found == m.components.end() ? 0 : found->second.*size;
  };
  const Quantity whole = [&](const GateMeasurement& m) {
    double sum = 0;
    for (const auto& [name, value] : m.components) sum += value.*size;
    return sum;
  };
  std::vector<Growth> parts;
  for (const auto& [component, scales] : component_scales())
    parts.push_back(fit_growth(
        measurements, [&, name = std::string(component)](const GateMeasurement& m) { return of(m, name); }, whole,
        scales));
  return sum_of(std::move(parts));
}

double leakage_of(const GateMeasurement& m) {
  double sum = 0;
  for (const auto& [name, size] : m.components) sum += size.leakage;
  return sum;
}

void fit(Measurements measurements, model::GateLevel& t) {
  t.with_toggles = fit_energy(measurements, false);
  t.structural = fit_energy(measurements, true);
  t.area = fit_sizes(measurements, &ComponentSize::area);
  t.leakage = fit_sizes(measurements, &ComponentSize::leakage);
  const Quantity clock = [](const GateMeasurement& m) { return m.clock_period; };
  t.clock_period = fit_growth(measurements, clock, clock, clock_scales);
}

// The parts' share in the error of the runs held out.
std::map<std::string, double> part_errors(const model::EnergyTerms& terms, const GateMeasurement& m) {
  std::map<std::string, double> errors;
  double runs = 0;
  for (const CalibrationPoint& point : m.points) {
    if (!point.held_out) continue;
    ++runs;
    const double whole = point.total();
    for (const auto& [part, list] : terms)
      errors[part] += energy_of(list, point.events, &point.toggles, m.architecture) / whole;
    for (const auto& [part, joules] : point.energy)
      errors[part == "clock_of_columns" ? "clock" : part] -= joules / whole;
  }
  for (auto& [part, error] : errors) error /= runs;
  return errors;
}

LeftOut errors_of(const model::GateLevel& t, const GateMeasurement& m) {
  const GateMeasurement* const one[] = {&m};
  return {error_of(t.with_toggles, one, true),
          error_of(t.structural, one, true),
          part_errors(t.with_toggles, m),
          t.area.of(m.architecture) / m.area() - 1,
          t.leakage.of(m.architecture) / leakage_of(m) - 1,
          t.clock_period.of(m.architecture) / m.clock_period - 1};
}

// The mean of accelerators' means, and the worst run of all.
model::FitError energy_error(const std::vector<LeftOut>& all, Measurements measurements, model::FitError LeftOut::*of) {
  model::FitError error;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const model::FitError& one = all[i].*of;
    error.points += one.points;
    error.mean += one.mean / static_cast<double>(all.size());
    error.r2 += one.r2 / static_cast<double>(all.size());
    if (one.worst < error.worst) continue;
    error.worst = one.worst;
    error.worst_point = measurements[i]->architecture.name + ": " + one.worst_point;
  }
  return error;
}

model::FitError error_over(const std::vector<LeftOut>& all, Measurements measurements, double LeftOut::*of) {
  model::FitError error;
  error.points = static_cast<int>(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double one = std::abs(all[i].*of);
    error.mean += one / static_cast<double>(all.size());
    if (one < error.worst) continue;
    error.worst = one;
    error.worst_point = measurements[i]->architecture.name;
  }
  return error;
}

bool is_number(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Values that a key has among the accelerators: one, "16..128", or "false|true".
std::string values_of(const std::set<std::string>& values) {
  if (values.size() > 1 && std::ranges::all_of(values, is_number)) {
    const auto less = [](const std::string& a, const std::string& b) { return std::stol(a) < std::stol(b); };
    const auto [least, most] = std::ranges::minmax_element(values, less);
    return *least + ".." + *most;
  }
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "" : "|") + value;
  return text;
}

}  // namespace

Family fit_family(Measurements measurements) {
  if (measurements.size() < 4)
    throw std::invalid_argument(
        fmt::format("a family needs four architectures at least; these are {}", measurements.size()));
  Family family;
  model::GateLevel& t = family.technology;
  const GateMeasurement& first = *measurements[0];
  std::map<std::string, std::set<std::string>> values;
  for (const GateMeasurement* m : measurements) {
    if (m->library != first.library || m->architecture.style != first.architecture.style)
      throw std::invalid_argument(fmt::format(
          "{} is of {} and style {}, {} of {} and style {}: a family has one of each", first.architecture.name,
          first.library, first.architecture.style, m->architecture.name, m->library, m->architecture.style));
    for (const auto& [key, value] : calibrated_keys(m->architecture)) values[key].insert(value);
    t.columns = std::max(t.columns, m->architecture.columns);
    t.least_density = m == &first ? m->least_density : std::max(t.least_density, m->least_density);
  }
  for (const auto& [key, of] : values) t.hardware[key] = values_of(of);
  t.library = first.library;
  t.tools = first.tools;
  t.voltage = first.voltage;
  t.wire = first.wire;
  for (std::size_t i = 0; i < measurements.size(); ++i) {
    std::vector<const GateMeasurement*> others(measurements.begin(), measurements.end());
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    model::GateLevel without;
    fit(others, without);
    family.left_out.push_back(errors_of(without, *measurements[i]));
  }
  fit(measurements, t);
  t.toggles_error = energy_error(family.left_out, measurements, &LeftOut::energy);
  t.structural_error = energy_error(family.left_out, measurements, &LeftOut::structural_energy);
  t.family = {static_cast<int>(measurements.size()), error_over(family.left_out, measurements, &LeftOut::area),
              error_over(family.left_out, measurements, &LeftOut::leakage),
              error_over(family.left_out, measurements, &LeftOut::clock)};
  return family;
}

}  // namespace bitstrata::sim::gates
