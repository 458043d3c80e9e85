// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/energy_fit.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "sim/gate_energy.h"

namespace bitstrata::sim::gates {

namespace {

using model::EnergyTerm;
using model::TermScale;

// What a part's energy may depend on. Coefficients of events that go together trade against each other: they are a set.
struct Candidates {
  const char* part;
  std::vector<std::pair<const char*, TermScale>> structural, toggles;
};

const std::vector<Candidates>& candidates() {
  constexpr TermScale one = TermScale::one, columns = TermScale::columns;
  static const std::vector<Candidates> all = {
      {"array",
       {{"cycles", columns},
        {"plane_steps", columns},
        {"cell_steps", one},
        {"weight_cells_written", one},
        {"vectors", columns}},
       {{"activation_toggles", columns},
        {"weight_line_toggles", one},
        {"product_toggles", one},
        {"tree_toggles", one},
        {"weight_toggles", one}}},
      {"shift_add",
       {{"cycles", columns},
        {"column_steps", one},
        {"joiner_adds", one},
        {"accumulator_writes", one},
        {"weight_rows_read", columns},
        {"weight_cells_written", one},
        {"vectors", columns}},
       {{"count_toggles", one},
        {"operand_toggles", one},
        {"accumulator_toggles", one},
        {"joiner_toggles", one},
        {"output_toggles", one},
        {"weight_toggles", one}}},
      {"postprocess",
       {{"cycles", one}, {"post_outputs", one}, {"post_cycles", one}, {"output_bits_written", one}},
       {{"sum_toggles", one}, {"parameter_toggles", one}, {"output_toggles", one}}},
      {"buffer",
       {{"cycles", one},
        {"window_reads", one},
        {"activation_lines_read", one},
        {"activation_lines_written", one},
        {"plane_steps", one},
        {"weight_rows_read", one},
        {"output_lines_read", one},
        {"output_bits_written", one}},
       {{"activation_toggles", one}, {"line_toggles", one}, {"select_toggles", one}, {"window_toggles", one}}},
      {"control",
       {{"cycles", one},
        {"memory_lines_read", one},
        {"memory_lines_written", one},
        {"window_reads", one},
        {"vectors", one},
        {"plane_steps", one},
        {"post_outputs", one},
        {"weight_rows_read", one}},
       {}},
      {"clock",
       {{"plane_steps", one},
        {"vectors", one},
        {"window_reads", one},
        {"weight_rows_read", one},
        {"memory_lines_read", one},
        {"post_outputs", one},
        {"post_cycles", one},
        {"load_cycles", one},
        {"store_cycles", one}},
       {}},
      {"clock_of_columns",
       {{"column_steps", one},
        {"plane_steps", columns},
        {"vectors", columns},
        {"joiner_adds", one},
        {"weight_cells_written", one},
        {"weight_rows_read", columns},
        {"accumulator_writes", one}},
       {}}};
  return all;
}

double sum_of(const CalibrationPoint& point, const model::EnergyTerms& parts, const model::Architecture& architecture) {
  double sum = 0;
  for (const auto& [part, terms] : parts) sum += energy_of(terms, point.events, &point.toggles, architecture);
  return sum;
}

}  // namespace

double CalibrationPoint::total() const {
  double sum = 0;
  for (const auto& [part, value] : energy) sum += value;
  return sum;
}

std::vector<double> non_negative_least_squares(const std::vector<std::vector<double>>& columns,
                                               const std::vector<double>& b) {
  const auto rows = static_cast<Eigen::Index>(b.size()), count = static_cast<Eigen::Index>(columns.size());
  Eigen::MatrixXd a(rows, count);
  // Columns of length 1: events differ by orders of magnitude.
  Eigen::VectorXd length(count);
  for (Eigen::Index j = 0; j < count; ++j) {
    a.col(j) = Eigen::Map<const Eigen::VectorXd>(columns[static_cast<std::size_t>(j)].data(), rows);
    length[j] = a.col(j).norm();
    if (length[j] > 0) a.col(j) /= length[j];
  }
  const Eigen::VectorXd target = Eigen::Map<const Eigen::VectorXd>(b.data(), rows);
  Eigen::VectorXd x = Eigen::VectorXd::Zero(count);
  std::vector<bool> passive(static_cast<std::size_t>(count));
  const double largest = std::max(1e-300, (a.transpose() * target).cwiseAbs().maxCoeff());
  // What is zero is so beside the solution, whose size the data have.
  const double tolerance = 1e-10 * largest, zero = 1e-14 * largest;
  // Least squares over the passive columns.
  const auto solve = [&] {
    std::vector<Eigen::Index> chosen;
    for (Eigen::Index j = 0; j < count; ++j) {
      if (passive[static_cast<std::size_t>(j)]) chosen.push_back(j);
    }
    Eigen::VectorXd all = Eigen::VectorXd::Zero(count);
    if (chosen.empty()) return all;  // Eigen does not factorize a matrix of no columns
    const Eigen::VectorXd some = a(Eigen::all, chosen).colPivHouseholderQr().solve(target);
    for (std::size_t i = 0; i < chosen.size(); ++i) all[chosen[i]] = some[static_cast<Eigen::Index>(i)];
    return all;
  };
  for (Eigen::Index step = 0; step < 10 * count; ++step) {
    const Eigen::VectorXd gradient = a.transpose() * (target - a * x);
    Eigen::Index best = -1;
    for (Eigen::Index j = 0; j < count; ++j) {
      if (!passive[static_cast<std::size_t>(j)] && length[j] > 0 && gradient[j] > tolerance &&
          (best < 0 || gradient[j] > gradient[best]))
        best = j;
    }
    if (best < 0) break;
    passive[static_cast<std::size_t>(best)] = true;
    Eigen::VectorXd next = solve();
    // Back to the edge of what is allowed, as long as the solution lies outside.
    for (Eigen::Index back = 0; back < count; ++back) {
      double part = 1;
      for (Eigen::Index j = 0; j < count; ++j) {
        if (passive[static_cast<std::size_t>(j)] && next[j] <= 0) part = std::min(part, x[j] / (x[j] - next[j]));
      }
      if (part >= 1) break;
      x += part * (next - x);
      for (Eigen::Index j = 0; j < count; ++j) {
        if (passive[static_cast<std::size_t>(j)] && x[j] <= zero) {
          passive[static_cast<std::size_t>(j)] = false;
          x[j] = 0;
        }
      }
      next = solve();
    }
    x = next.cwiseMax(0);
  }
  std::vector<double> result;
  for (Eigen::Index j = 0; j < count; ++j) result.push_back(length[j] > 0 ? x[j] / length[j] : 0);
  return result;
}

model::EnergyTerms fit_energy(const std::vector<CalibrationPoint>& points, const model::Architecture& architecture,
                              const model::PerColumn& clock, bool structural) {
  model::EnergyTerms parts;
  for (const Candidates& candidate : candidates()) {
    std::vector<EnergyTerm> terms;
    for (const auto& [event, scale] : candidate.structural) terms.push_back({event, scale, 1});
    if (!structural) {
      for (const auto& [event, scale] : candidate.toggles) terms.push_back({event, scale, 1});
    }
    std::vector<std::vector<double>> columns(terms.size());
    std::vector<double> target;
    for (const CalibrationPoint& point : points) {
      if (point.held_out) continue;
      // Errors count by their share of the run's whole energy.
      const double whole = point.total();
      const auto found = point.energy.find(candidate.part);
      if (found == point.energy.end()) throw std::logic_error("no energy of part " + std::string(candidate.part));
      double known = 0;
      if (found->first == "clock") known = clock.fixed * static_cast<double>(point.events.cycles);
      if (found->first == "clock_of_columns")
        known = clock.column * architecture.columns * static_cast<double>(point.events.cycles);
      // Clocks that are never gated take what they are known to take: the rest is rounding, which terms must not fit.
      const double rest = std::abs(found->second - known) > 1e-10 * found->second ? found->second - known : 0;
      target.push_back(rest / whole);
      for (std::size_t t = 0; t < terms.size(); ++t) {
        columns[t].push_back(energy_of({terms[t]}, point.events, &point.toggles, architecture) / whole);
      }
    }
    const std::vector<double> weights = non_negative_least_squares(columns, target);
    // The clocks of columns and of the rest are measured apart, so that each grows as it does, and reported as one.
    const bool clocks = candidate.part == std::string_view("clock_of_columns");
    std::vector<EnergyTerm>& kept = parts[clocks ? "clock" : candidate.part];
    for (std::size_t t = 0; t < terms.size(); ++t) {
      terms[t].joules = weights[t];
      if (weights[t] > 0) kept.push_back(terms[t]);
    }
  }
  parts["clock"].push_back({"cycles", TermScale::one, clock.fixed});
  parts["clock"].push_back({"cycles", TermScale::columns, clock.column});
  return parts;
}

model::FitError error_of(const model::EnergyTerms& parts, const std::vector<CalibrationPoint>& points,
                         const model::Architecture& architecture, bool held_out) {
  model::FitError error;
  double sum = 0, squares = 0, residuals = 0;
  for (const CalibrationPoint& point : points) {
    if (point.held_out != held_out) continue;
    const double cycles = static_cast<double>(point.events.cycles);
    const double measured = point.total() / cycles, predicted = sum_of(point, parts, architecture) / cycles;
    const double relative = std::abs(predicted - measured) / measured;
    ++error.points;
    error.mean += relative;
    if (relative >= error.worst) {
      error.worst = relative;
      error.worst_point = point.name;
    }
    sum += measured;
    squares += measured * measured;
    residuals += (predicted - measured) * (predicted - measured);
  }
  if (error.points == 0) throw std::invalid_argument("no runs to test the fit on");
  error.mean /= error.points;
  const double variance = squares - sum * sum / error.points;
  error.r2 = variance > 0 ? 1 - residuals / variance : 0;
  return error;
}

}  // namespace bitstrata::sim::gates
