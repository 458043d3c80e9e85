// SPDX-License-Identifier: Apache-2.0
#include "quant/search/program.h"

#include <coin/Cbc_C_Interface.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>

namespace bitstrata::quant {

namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// The solver's matrix by columns; rows are counted first.
class Matrix {
 public:
  struct Row {
    double low, high;
  };
  int add_row(double low, double high) {
    rows_.push_back({low, high});
    return static_cast<int>(rows_.size()) - 1;
  }
  // A column between 0 and 1.
  int begin_column(double cost, bool integer) {
    starts_.push_back(static_cast<CoinBigIndex>(places_.size()));
    costs_.push_back(cost);
    integer_.push_back(integer);
    return static_cast<int>(costs_.size()) - 1;
  }
  void add(int row, double value) {
    if (value == 0) return;
    places_.push_back(row);
    values_.push_back(value);
  }
  std::size_t columns() const { return costs_.size(); }

  void load(Cbc_Model* model) {
    starts_.push_back(static_cast<CoinBigIndex>(places_.size()));
    const std::vector<double> zeros(costs_.size(), 0.0), ones(costs_.size(), 1.0);
    std::vector<double> low, high;
    for (const Row& row : rows_) low.push_back(row.low), high.push_back(row.high);
    Cbc_loadProblem(model, static_cast<int>(costs_.size()), static_cast<int>(rows_.size()), starts_.data(),
                    places_.data(), values_.data(), zeros.data(), ones.data(), costs_.data(), low.data(), high.data());
    for (std::size_t i = 0; i < integer_.size(); ++i)
      if (integer_[i]) Cbc_setInteger(model, static_cast<int>(i));
  }

 private:
  std::vector<Row> rows_;
  std::vector<CoinBigIndex> starts_;
  std::vector<int> places_;
  std::vector<double> values_, costs_;
  std::vector<bool> integer_;
};

// All combinations of the values that `variables` may take, as points that are `base` elsewhere.
template <typename Visit>
void for_each_combination(const std::vector<int>& variables, const std::vector<std::vector<int>>& open, Point base,
                          std::size_t depth, const Visit& visit) {
  if (depth == variables.size()) {
    visit(base);
    return;
  }
  for (const int value : open[at(variables[depth])]) {
    base[at(variables[depth])] = value;
    for_each_combination(variables, open, base, depth + 1, visit);
  }
}

}  // namespace

double loss_of(const Losses& losses, const Point& point) {
  double sum = 0;
  for (std::size_t v = 0; v < point.size(); ++v) sum += losses.at(v).at(at(point[v]));
  return sum;
}

ProgramResult solve(const SearchSpace& space, PlanCosts& costs, const Losses& losses, const Costs& allowed,
                    const ProgramOptions& options) {
  const std::size_t count = space.variables().size();
  // The values that may be taken, and a point of them.
  std::vector<std::vector<int>> open(count);
  Point base;
  for (std::size_t v = 0; v < count; ++v) {
    for (std::size_t k = 0; k < losses.at(v).size(); ++k)
      if (std::isfinite(losses[v][k])) open[v].push_back(static_cast<int>(k));
    if (open[v].empty())
      throw std::invalid_argument(fmt::format("no value of '{}' may be taken", space.variables()[v].name));
    base.push_back(open[v].back());
  }

  Matrix matrix;
  // Costs as shares of the limit, so that all rows are of one size.
  std::vector<std::size_t> limited;
  std::vector<int> limit_rows;
  const double infinity = std::numeric_limits<double>::infinity();
  for (std::size_t q = 0; q < allowed.size(); ++q) {
    if (!std::isfinite(allowed[q])) continue;
    limited.push_back(q);
    limit_rows.push_back(matrix.add_row(-infinity, 1));
  }
  std::vector<std::vector<int>> choice(count);  // the column of every value; -1: not open
  std::vector<int> one(count);
  for (std::size_t v = 0; v < count; ++v) one[v] = matrix.add_row(1, 1);
  // A row for every open value of every variable of every layer: its combinations are as often as the value.
  std::vector<std::vector<std::vector<int>>> marginal(costs.variables().size());
  for (std::size_t i = 0; i < marginal.size(); ++i) {
    for (const int v : costs.variables()[i]) {
      marginal[i].emplace_back(losses[at(v)].size(), -1);
      for (const int value : open[at(v)]) marginal[i].back()[at(value)] = matrix.add_row(0, 0);
    }
  }
  for (std::size_t v = 0; v < count; ++v) {
    choice[v].assign(losses[v].size(), -1);
    for (const int value : open[v]) {
      choice[v][at(value)] = matrix.begin_column(losses[v][at(value)], true);
      matrix.add(one[v], 1);
      for (std::size_t i = 0; i < marginal.size(); ++i) {
        const std::vector<int>& variables = costs.variables()[i];
        for (std::size_t d = 0; d < variables.size(); ++d)
          if (variables[d] == static_cast<int>(v)) matrix.add(marginal[i][d][at(value)], -1);
      }
    }
  }
  for (std::size_t i = 0; i < marginal.size(); ++i) {
    const std::vector<int>& variables = costs.variables()[i];
    for_each_combination(variables, open, base, 0, [&](const Point& point) {
      const Costs& layer = costs.layers(space.plan(point)).at(i);
      matrix.begin_column(0, false);
      for (std::size_t k = 0; k < limited.size(); ++k)
        matrix.add(limit_rows[k], layer[limited[k]] / allowed[limited[k]]);
      for (std::size_t d = 0; d < variables.size(); ++d) matrix.add(marginal[i][d][at(point[at(variables[d])])], 1);
    });
  }

  const std::unique_ptr<Cbc_Model, void (*)(Cbc_Model*)> model(Cbc_newModel(), Cbc_deleteModel);
  matrix.load(model.get());
  Cbc_setObjSense(model.get(), 1);
  Cbc_setLogLevel(model.get(), 0);
  Cbc_setMaximumSeconds(model.get(), options.seconds);
  Cbc_setAllowableFractionGap(model.get(), options.gap);
  Cbc_solve(model.get());

  ProgramResult result;
  result.columns = static_cast<std::int64_t>(matrix.columns());
  if (Cbc_isAbandoned(model.get())) throw std::runtime_error("the integer program's solver gave up (CBC)");
  const double* solution = Cbc_bestSolution(model.get());
  result.proven = Cbc_isProvenOptimal(model.get()) != 0 || Cbc_isProvenInfeasible(model.get()) != 0;
  if (!solution || Cbc_isProvenInfeasible(model.get()) != 0) return result;
  for (std::size_t v = 0; v < count; ++v) {
    int best = open[v].front();
    for (const int value : open[v])
      if (solution[choice[v][at(value)]] > solution[choice[v][at(best)]]) best = value;
    result.point.push_back(best);
  }
  result.loss = loss_of(losses, result.point);
  result.bound = Cbc_getBestPossibleObjValue(model.get());
  result.feasible = true;
  return result;
}

}  // namespace bitstrata::quant
