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
using model::Scale;

// An event and what its energy may grow with. A fit of one accelerator asks the first alone: the others are multiples
// of it.
struct Candidate {
  const char* event;
  std::vector<Scale> scales = {Scale()};
  bool of_families = false;  // asked where there are several accelerators alone
};

// What a part's energy may depend on. Coefficients of events that go together trade against each other: they are a set.
struct Candidates {
  const char* part;
  std::vector<Candidate> structural, toggles;
};

const std::vector<Candidates>& candidates() {
  // Lines of all planes, and the stages of multiplexers that turn them.
  static const Scale lines = "plane*line_bit", turned_lines = "plane*line_bit*line_stage";
  static const std::vector<Candidates> all = {
      {"array",
       {{"cycles", {"column", "row*column"}},
        {"plane_steps", {"column", "row*column"}},
        {"cell_steps", {"fixed", "count_bit"}},
        {"weight_cells_written"},
        {"vectors", {"column", "row*column"}}},
       {{"activation_toggles", {"column"}},
        {"weight_line_toggles", {"fixed", "row"}},
        {"product_toggles", {"fixed", "count_bit"}},
        {"tree_toggles", {"fixed", "count_bit"}},
        {"weight_toggles"}}},
      {"shift_add",
       {{"cycles", {"column"}},
        {"column_steps", {"fixed", "count_bit", "weight_bit"}},
        {"joiner_adds", {"fixed", "count_bit", "weight_bit", "accumulator_bit"}},
        {"accumulator_writes", {"fixed", "accumulator_bit"}},
        {"weight_rows_read", {"column", "row*column"}},
        {"weight_cells_written"},
        {"vectors", {"column"}}},
       {{"count_toggles"},
        {"operand_toggles"},
        {"accumulator_toggles"},
        {"joiner_toggles"},
        {"output_toggles"},
        {"weight_toggles"}}},
      {"postprocess",
       {{"cycles", {"fixed", "post_lane"}},
        {"post_outputs", {"fixed", "accumulator_bit", "plane", "vector_unit"}},
        {"post_cycles", {"fixed", "post_lane", "post_lane*accumulator_bit", "post_lane*vector_unit"}},
        {"output_bits_written"}},
       {{"sum_toggles", {"fixed", "weight_bit"}}, {"parameter_toggles"}, {"output_toggles"}}},
      {"buffer",
       {{"cycles"},
        {"window_reads", {"fixed", "line_bit", lines, turned_lines, "plane", "plane*plane_stage", "row", "row*plane"}},
        {"activation_lines_read", {"fixed", "line_bit", lines, turned_lines}},
        {"activation_lines_written", {"fixed", "line_bit", lines, turned_lines}},
        {"plane_steps", {"fixed", "row", "row*count_bit"}},
        {"weight_rows_read", {"fixed", "column*load_row"}},
        {"output_lines_read", {"fixed", "line_bit"}},
        {"output_bits_written", {"fixed", "line_bit"}}},
       {{"activation_toggles", {"fixed", "line_stage"}},
        {"line_toggles", {"fixed", "line_stage"}},
        {"select_toggles",
         {"fixed", "line_bit", lines, turned_lines, "plane", "plane*plane_stage", "plane*line_stage",
          "plane*plane_stage*line_stage", "row", "row*plane"}},
        {"window_toggles", {"fixed", "line_stage"}}}},
      {"control",
       {{"cycles"},
        {"memory_lines_read", {"fixed", "line_bit"}},
        {"memory_lines_written", {"fixed", "line_bit"}},
        {"window_reads"},
        {"vectors"},
        {"plane_steps"},
        {"post_outputs"},
        {"weight_rows_read", {"fixed", "column*load_row"}},
        {"parameter_lines_read", {"fixed", "line_bit"}, true},
        {"weight_lines_written", {"fixed", "line_bit"}, true},
        {"activation_lines_written", {"fixed", "line_bit"}, true}},
       {}},
      {"clock",
       {{"plane_steps", {"fixed", "row", "row*plane"}},
        {"vectors", {"fixed", "row", "row*plane", "plane"}},
        {"window_reads", {"fixed", "line_bit", lines, "row*plane", "plane"}},
        {"weight_rows_read", {"fixed", "column*load_row"}},
        {"memory_lines_read", {"fixed", "line_bit"}},
        {"post_outputs", {"fixed", "accumulator_bit", "plane"}},
        {"post_cycles", {"fixed", "post_lane", "post_lane*accumulator_bit", "accumulator_bit"}},
        {"load_cycles", {"fixed", "line_bit", lines, "plane"}},
        {"store_cycles", {"fixed", "line_bit", lines, "plane"}},
        {"parameter_lines_read", {"fixed", "line_bit", "accumulator_bit", "plane"}, true},
        {"weight_lines_written", {"fixed", "line_bit"}, true}},
       {}},
      {"clock_of_columns",
       {{"column_steps", {"fixed", "count_bit"}},
        {"plane_steps", {"column", "row*column"}},
        {"vectors", {"column", "row*column"}},
        {"joiner_adds"},
        {"weight_cells_written"},
        {"weight_rows_read", {"column", "row*column"}},
        {"accumulator_writes", {"fixed", "accumulator_bit"}}},
       {}}};
  return all;
}

// What a cycle in which nothing happens takes: of the columns, and of the rest.
const std::vector<Scale> idle_scales = {"fixed", "post_lane", "line_bit", "plane", "row", "accumulator_bit"};
const std::vector<Scale> idle_scales_of_columns = {"column", "row*column", "column*count_bit"};

bool of_columns(const std::string_view part) { return part == "clock_of_columns"; }

// J a cycle, of an accelerator at rest.
double idle_of(const GateMeasurement& m, const std::string_view part) {
  return part == "clock" ? m.idle_clock : of_columns(part) ? m.idle_clock_of_columns : 0;
}

// Terms that may be, at 1 J a count.
std::vector<EnergyTerm> terms_of(const Candidates& candidate, bool structural, bool family) {
  std::vector<EnergyTerm> terms;
  const auto take = [&](const std::vector<Candidate>& list) {
    for (const Candidate& one : list) {
      if (one.of_families && !family) continue;
      for (const Scale& scale : one.scales) {
        terms.push_back({one.event, scale, 1});
        if (!family) break;
      }
    }
  };
  take(candidate.structural);
  if (!structural) take(candidate.toggles);
  return terms;
}

double sum_of(const CalibrationPoint& point, const model::EnergyTerms& parts, const model::Architecture& architecture) {
  double sum = 0;
  for (const auto& [part, terms] : parts) sum += energy_of(terms, point.events, &point.toggles, architecture);
  return sum;
}

}  // namespace

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

model::Growth fit_growth(Measurements measurements, const Quantity& quantity, const Quantity& whole,
                         const std::vector<Scale>& scales) {
  std::vector<std::vector<double>> columns(scales.size());
  std::vector<double> target;
  for (const GateMeasurement* m : measurements) {
    target.push_back(quantity(*m) / whole(*m));
    for (std::size_t s = 0; s < scales.size(); ++s) columns[s].push_back(scales[s].of(m->architecture) / whole(*m));
  }
  const std::vector<double> weights = non_negative_least_squares(columns, target);
  model::Growth growth;
  for (std::size_t s = 0; s < scales.size(); ++s)
    if (weights[s] > 0) growth.terms.push_back({scales[s], weights[s]});
  return growth;
}

model::EnergyTerms fit_energy(Measurements measurements, bool structural) {
  const bool family = measurements.size() > 1;
  model::EnergyTerms parts;
  for (const Candidates& candidate : candidates()) {
    std::vector<EnergyTerm> terms = terms_of(candidate, structural, family);
    std::vector<std::vector<double>> columns(terms.size());
    std::vector<double> target;
    for (const GateMeasurement* m : measurements) {
      const auto fitted = std::ranges::count_if(m->points, [](const CalibrationPoint& p) { return !p.held_out; });
      const double weight = 1 / std::sqrt(static_cast<double>(fitted));
      for (const CalibrationPoint& point : m->points) {
        if (point.held_out) continue;
        // Errors count by their share of the run's whole energy.
        const double whole = point.total() / weight;
        const auto found = point.energy.find(candidate.part);
        if (found == point.energy.end()) throw std::logic_error("no energy of part " + std::string(candidate.part));
        const double known = idle_of(*m, candidate.part) * static_cast<double>(point.events.cycles);
        // Clocks that are never gated take what they are known to take: the rest is rounding, which terms must not fit.
        const double rest = std::abs(found->second - known) > 1e-10 * found->second ? found->second - known : 0;
        target.push_back(rest / whole);
        for (std::size_t t = 0; t < terms.size(); ++t)
          columns[t].push_back(energy_of({terms[t]}, point.events, &point.toggles, m->architecture) / whole);
      }
    }
    const std::vector<double> weights = non_negative_least_squares(columns, target);
    // The clocks of columns and of the rest are measured apart, so that each grows as it does, and reported as one.
    std::vector<EnergyTerm>& kept = parts[of_columns(candidate.part) ? "clock" : candidate.part];
    for (std::size_t t = 0; t < terms.size(); ++t) {
      terms[t].joules = weights[t];
      if (weights[t] > 0) kept.push_back(terms[t]);
    }
  }
  const Quantity clock = [](const GateMeasurement& m) { return m.idle_clock + m.idle_clock_of_columns; };
  const auto idle = [&](double GateMeasurement::*part, const std::vector<Scale>& scales) {
    const std::vector<Scale> asked(scales.begin(), family ? scales.end() : scales.begin() + 1);
    for (const model::GrowthTerm& term :
         fit_growth(
             measurements, [part](const GateMeasurement& m) { return m.*part; }, clock, asked)
             .terms)
      parts["clock"].push_back({"cycles", term.per, term.value});
  };
  idle(&GateMeasurement::idle_clock, idle_scales);
  idle(&GateMeasurement::idle_clock_of_columns, idle_scales_of_columns);
  return parts;
}

model::FitError error_of(const model::EnergyTerms& parts, Measurements measurements, bool held_out) {
  model::FitError error;
  double sum = 0, squares = 0, residuals = 0;
  for (const GateMeasurement* m : measurements) {
    for (const CalibrationPoint& point : m->points) {
      if (point.held_out != held_out) continue;
      const double cycles = static_cast<double>(point.events.cycles);
      const double measured = point.total() / cycles, predicted = sum_of(point, parts, m->architecture) / cycles;
      const double relative = std::abs(predicted - measured) / measured;
      ++error.points;
      error.mean += relative;
      if (relative >= error.worst) {
        error.worst = relative;
        error.worst_point = measurements.size() > 1 ? m->architecture.name + ": " + point.name : point.name;
      }
      sum += measured;
      squares += measured * measured;
      residuals += (predicted - measured) * (predicted - measured);
    }
  }
  if (error.points == 0) throw std::invalid_argument("no runs to test the fit on");
  error.mean /= error.points;
  const double variance = squares - sum * sum / error.points;
  error.r2 = variance > 0 ? 1 - residuals / variance : 0;
  return error;
}

}  // namespace bitstrata::sim::gates
