// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/liberty.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>
namespace bitstrata::sim::gates {

namespace {

double mean_of(const std::vector<LibertyTable>& tables, double load, double slew) {
  double sum = 0;
  for (const LibertyTable& table : tables) sum += table.at(load, slew);
  return tables.empty() ? 0 : sum / static_cast<double>(tables.size());
}

// delay_of over at most so many arcs: a damaged file may lead in a circle.
double delay_within(const LibertyCell& cell, std::size_t input, std::size_t output, std::span<const double> loads,
                    double slew, std::size_t arcs) {
  const CellOutput& to = cell.outputs[output];
  const LibertyTables& direct = to.delay[input];
  if (!direct.rise.empty() || !direct.fall.empty()) return direct.mean(loads[output], slew);
  double slowest = 0;
  for (const OutputArc& arc : to.behind) {
    const double before = arcs == 0 ? 0 : delay_within(cell, input, arc.output, loads, slew, arcs - 1);
    if (before > 0) slowest = std::max(slowest, before + arc.delay.mean(loads[output], slew));
  }
  return slowest;
}

}  // namespace

LibertyTable::LibertyTable(std::vector<Axis> axes, std::vector<std::vector<double>> index, std::vector<double> values)
    : axes_(std::move(axes)), index_(std::move(index)), values_(std::move(values)) {
  if (values_.size() == 1) {  // a constant, whatever its template says
    axes_.clear();
    index_.clear();
  }
  std::size_t size = 1;
  for (const auto& axis : index_) {
    size *= axis.size();
    if (std::ranges::adjacent_find(axis, std::greater_equal<>{}) != axis.end())
      throw std::invalid_argument("a table's index does not rise");
  }
  if (size != values_.size() || size == 0)
    throw std::invalid_argument(fmt::format("a table has {} values for {} points", values_.size(), size));
}

double LibertyTable::at(double load, double slew) const {
  std::vector<double> values = values_;
  for (std::size_t axis = axes_.size(); axis-- > 0;) {
    const std::vector<double>& index = index_[axis];
    const std::size_t n = index.size();
    const double x = axes_[axis] == Axis::load ? load : slew;
    const std::size_t low = n < 2
                                ? 0
                                : std::min<std::size_t>(static_cast<std::size_t>(std::max<std::ptrdiff_t>(
                                                            std::ranges::upper_bound(index, x) - index.begin() - 1, 0)),
                                                        n - 2);
    const double share = n < 2 ? 0 : (x - index[low]) / (index[low + 1] - index[low]);
    std::vector<double> fewer(values.size() / n);
    for (std::size_t i = 0; i < fewer.size(); ++i) {
      fewer[i] = values[i * n + low];
      if (n > 1) fewer[i] += share * (values[i * n + low + 1] - values[i * n + low]);
    }
    values = std::move(fewer);
  }
  return values.at(0);
}

double LibertyTables::mean(double load, double slew) const {
  if (rise.empty() || fall.empty()) return mean_of(rise.empty() ? fall : rise, load, slew);
  return (mean_of(rise, load, slew) + mean_of(fall, load, slew)) / 2;
}

int LibertyCell::input(std::string_view pin) const {
  const auto found = std::ranges::find(inputs, pin, &CellInput::name);
  return found == inputs.end() ? -1 : static_cast<int>(found - inputs.begin());
}

int LibertyCell::output(std::string_view pin) const {
  const auto found = std::ranges::find(outputs, pin, &CellOutput::name);
  return found == outputs.end() ? -1 : static_cast<int>(found - outputs.begin());
}

double delay_of(const LibertyCell& cell, std::size_t input, std::size_t output, std::span<const double> loads,
                double slew) {
  return delay_within(cell, input, output, loads, slew, cell.outputs.size());
}

double energy_of(const std::vector<LibertyTables>& supplies, double load, double slew) {
  return std::accumulate(supplies.begin(), supplies.end(), 0.0,
                         [&](double sum, const LibertyTables& tables) { return sum + tables.mean(load, slew); });
}

const LibertyCell* Library::find(std::string_view cell) const {
  const auto found = cells.find(cell);
  return found == cells.end() ? nullptr : &found->second;
}

}  // namespace bitstrata::sim::gates
