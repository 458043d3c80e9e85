// SPDX-License-Identifier: Apache-2.0
#include "quant/search/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>

#include "quant/search/elimination.h"
#include "quant/search/linear_program.h"

namespace bitstrata::quant {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double most_work = 5e7;       // sums of one elimination: half a second
constexpr double most_columns = 30000;  // of an integer program that is worth its time
constexpr int most_prices = 60;         // cutting planes

std::size_t at(int index) { return static_cast<std::size_t>(index); }

using Values = std::vector<std::vector<int>>;  // by variable: those that may be taken

// The program with some values struck, whose costs are shares of the limits.
class Program {
 public:
  Program(PlanCosts& costs, const Losses& losses, const Costs& allowed, Values open)
      : costs_(costs), losses_(losses), open_(std::move(open)) {
    for (std::size_t q = 0; q < allowed.size(); ++q)
      if (std::isfinite(allowed[q])) limited_.push_back(q);
    std::vector<int> sizes;
    for (const std::vector<int>& values : open_) sizes.push_back(static_cast<int>(values.size()));
    std::vector<std::vector<int>> scopes = costs_.variables();
    for (std::size_t v = 0; v < open_.size(); ++v) scopes.push_back({static_cast<int>(v)});
    elimination_.emplace(sizes, scopes);
    for (const std::vector<int>& scope : costs_.variables()) {
      double size = 1;
      for (const int v : scope) size *= static_cast<double>(open_[at(v)].size());
      columns_ += size;
    }
    if (tractable()) take_costs(allowed);
  }

  bool tractable() const { return elimination_->work() <= most_work && columns_ <= most_work; }
  double columns() const { return columns_; }
  std::size_t limits() const { return limited_.size(); }
  const Values& open() const { return open_; }

  // The point that is best when a limit's share costs its price, and what it then costs less the limits': a bound.
  // `only`: where set, one variable takes one of its open values.
  double relaxed(const std::vector<double>& prices, Point& point, int variable = -1, std::size_t only = 0) {
    std::vector<std::vector<double>> values;
    for (const std::vector<std::vector<double>>& shares : shares_) {
      std::vector<double>& sums = values.emplace_back(shares[0].size(), 0.0);
      for (std::size_t k = 0; k < limited_.size(); ++k)
        for (std::size_t i = 0; i < sums.size(); ++i)
          sums[i] = std::isfinite(shares[k][i]) ? sums[i] + prices[k] * shares[k][i] : infinity;
    }
    for (std::size_t v = 0; v < open_.size(); ++v) {
      values.emplace_back();
      for (std::size_t k = 0; k < open_[v].size(); ++k) {
        const bool struck = static_cast<int>(v) == variable && k != only;
        values.back().push_back(struck ? infinity : losses_[v][at(open_[v][k])]);
      }
    }
    std::vector<int> found;
    double bound = elimination_->minimize(values, found);
    for (const double price : prices) bound -= price;
    point.clear();
    for (std::size_t v = 0; v < open_.size(); ++v) point.push_back(open_[v][at(found[v])]);
    return bound;
  }

  // Costs of a point as shares of the limits.
  std::vector<double> shares(const Point& point, const Costs& allowed) {
    const Costs total = costs_.total(point);
    std::vector<double> result;
    for (const std::size_t q : limited_) result.push_back(allowed[q] > 0 ? total[q] / allowed[q] : infinity);
    return result;
  }

  ProgramResult integer(double seconds, double gap, double cutoff) const;

 private:
  void take_costs(const Costs& allowed) {
    Point point;
    for (const std::vector<int>& values : open_) point.push_back(values[0]);
    for (std::size_t i = 0; i < costs_.variables().size(); ++i) {
      const std::vector<int>& scope = costs_.variables()[i];
      std::vector<std::vector<double>>& shares = shares_.emplace_back(std::max<std::size_t>(limited_.size(), 1));
      std::vector<std::size_t> digits(scope.size(), 0);
      for (bool more = true; more;) {
        for (std::size_t d = 0; d < scope.size(); ++d) point[at(scope[d])] = open_[at(scope[d])][digits[d]];
        const Costs& layer = costs_.layer(i, point);
        if (limited_.empty()) shares[0].push_back(std::isfinite(layer[0]) ? 0 : infinity);
        for (std::size_t k = 0; k < limited_.size(); ++k) {
          const double limit = allowed[limited_[k]];
          shares[k].push_back(limit > 0 ? layer[limited_[k]] / limit : layer[limited_[k]] > 0 ? infinity : 0.0);
        }
        more = false;
        for (std::size_t d = 0; d < scope.size() && !more; ++d) {
          more = ++digits[d] < open_[at(scope[d])].size();
          if (!more) digits[d] = 0;
        }
      }
      for (const int v : scope) point[at(v)] = open_[at(v)][0];
    }
  }

  PlanCosts& costs_;
  const Losses& losses_;
  Values open_;
  std::vector<std::size_t> limited_;
  std::optional<Elimination> elimination_;
  double columns_ = 0;
  // By layer and limit: of every combination of its variables' open values, the first variable's running fastest.
  std::vector<std::vector<std::vector<double>>> shares_;
};

ProgramResult Program::integer(double seconds, double gap, double cutoff) const {
  LinearProgram program;
  std::vector<int> limit_rows, one;
  for (std::size_t k = 0; k < limited_.size(); ++k) limit_rows.push_back(program.add_row(-infinity, 1));
  for (std::size_t v = 0; v < open_.size(); ++v) one.push_back(program.add_row(1, 1));
  // A row for every open value of every variable of every layer: its combinations are as often as the value.
  std::vector<std::vector<std::vector<int>>> marginal(shares_.size());
  for (std::size_t i = 0; i < marginal.size(); ++i) {
    for (const int v : costs_.variables()[i]) {
      marginal[i].emplace_back();
      for (std::size_t k = 0; k < open_[at(v)].size(); ++k) marginal[i].back().push_back(program.add_row(0, 0));
    }
  }
  std::vector<std::vector<int>> choice(open_.size());
  for (std::size_t v = 0; v < open_.size(); ++v) {
    for (std::size_t k = 0; k < open_[v].size(); ++k) {
      choice[v].push_back(program.begin_column(losses_[v][at(open_[v][k])], 0, 1, true));
      program.add(one[v], 1);
      for (std::size_t i = 0; i < marginal.size(); ++i) {
        const std::vector<int>& scope = costs_.variables()[i];
        for (std::size_t d = 0; d < scope.size(); ++d)
          if (scope[d] == static_cast<int>(v)) program.add(marginal[i][d][k], -1);
      }
    }
  }
  for (std::size_t i = 0; i < marginal.size(); ++i) {
    const std::vector<int>& scope = costs_.variables()[i];
    for (std::size_t place = 0; place < shares_[i][0].size(); ++place) {
      bool fits = true;
      for (const std::vector<double>& shares : shares_[i]) fits = fits && std::isfinite(shares[place]);
      if (!fits) continue;
      program.begin_column(0, 0, 1, false);
      for (std::size_t k = 0; k < limited_.size(); ++k) program.add(limit_rows[k], shares_[i][k][place]);
      std::size_t rest = place;
      for (std::size_t d = 0; d < scope.size(); ++d) {
        const std::size_t size = open_[at(scope[d])].size();
        program.add(marginal[i][d][rest % size], 1);
        rest /= size;
      }
    }
  }
  const LinearProgram::Answer answer = program.solve(seconds, gap, cutoff);
  ProgramResult result;
  result.columns = static_cast<std::int64_t>(program.columns());
  result.proven = answer.proven;
  result.bound = answer.bound;
  if (!answer.solved) return result;
  for (std::size_t v = 0; v < open_.size(); ++v) {
    std::size_t best = 0;
    for (std::size_t k = 0; k < open_[v].size(); ++k)
      if (answer.values[at(choice[v][k])] > answer.values[at(choice[v][best])]) best = k;
    result.point.push_back(open_[v][best]);
  }
  result.feasible = true;
  return result;
}

class Solver {
 public:
  Solver(const SearchSpace& space, PlanCosts& costs, const Losses& losses, const Costs& allowed,
         const ProgramOptions& options)
      : costs_(costs), losses_(losses), allowed_(allowed), options_(options) {
    for (std::size_t v = 0; v < losses.size(); ++v) {
      open_.emplace_back();
      for (std::size_t k = 0; k < losses[v].size(); ++k)
        if (std::isfinite(losses[v][k])) open_.back().push_back(static_cast<int>(k));
      if (open_.back().empty())
        throw std::invalid_argument(fmt::format("no value of '{}' may be taken", space.variables().at(v).name));
    }
  }

  ProgramResult run() {
    Program whole(costs_, losses_, allowed_, open_);
    if (!whole.tractable()) {
      result_.bound = -infinity;
      meet(descend_from_largest());
      return result_;
    }
    relax(whole);
    if (!result_.proven && !result_.feasible) meet(descend_from_largest());
    if (result_.proven || options_.seconds <= 0) return result_;
    Program left = strike(whole);
    if (left.columns() <= most_columns) finish(left);
    return result_;
  }

 private:
  double close_enough() const { return std::max(options_.gap * std::abs(result_.loss), 1e-9); }
  void judge_gap() { result_.proven = result_.feasible && result_.loss - result_.bound <= close_enough(); }

  Point descend_from_largest() {
    Point largest;
    for (const std::vector<int>& values : open_) largest.push_back(values.back());
    return descend(costs_, losses_, allowed_, largest, 1);
  }

  // A point on the way: within the limits it is improved and kept where it is the best so far.
  void meet(const Point& point) {
    if (!within(costs_.total(point), allowed_)) return;
    if (result_.feasible && loss_of(losses_, point) > result_.loss + (result_.loss - result_.bound)) return;
    const Point better = improve(costs_, losses_, allowed_, point);
    const double loss = loss_of(losses_, better);
    if (result_.feasible && loss >= result_.loss) return;
    result_.feasible = true;
    result_.point = better;
    result_.loss = loss;
  }

  // Kelley's cutting planes: each price list's best point gives a line above the bound as a function of the prices.
  void relax(Program& program) {
    double range = 0;
    for (std::size_t v = 0; v < open_.size(); ++v) {
      double least = infinity, most = -infinity;
      for (const int k : open_[v]) {
        least = std::min(least, losses_[v][at(k)]);
        most = std::max(most, losses_[v][at(k)]);
      }
      worst_ += most;
      range += most - least;
    }
    const double highest = 1e4 * std::max(range, 1e-9);
    struct Cut {
      double loss;
      std::vector<double> beyond;
    };
    std::vector<Cut> cuts;
    std::vector<double> prices(program.limits(), 0.0);
    result_.bound = -infinity;
    for (int n = 0; n < most_prices; ++n) {
      Point point;
      const double bound = program.relaxed(prices, point);
      if (bound > result_.bound) result_.bound = bound, best_prices_ = prices;
      if (!std::isfinite(bound) || bound > worst_ + 1e-9) {  // beyond the loss of any point: there is none
        result_.proven = true;
        return;
      }
      meet(point);
      judge_gap();
      if (result_.proven) return;
      Cut cut{loss_of(losses_, point), {}};
      for (const double share : program.shares(point, allowed_)) cut.beyond.push_back(share - 1);
      cuts.push_back(std::move(cut));
      if (n == 0) {  // the other end, so that the next prices lie between
        prices.assign(prices.size(), highest);
        continue;
      }
      LinearProgram master;
      std::vector<int> rows;
      for (const Cut& c : cuts) rows.push_back(master.add_row(-infinity, c.loss));
      master.begin_column(-1, -highest, 2 * highest * static_cast<double>(prices.size() + 1), false);
      for (const int row : rows) master.add(row, 1);
      for (std::size_t k = 0; k < prices.size(); ++k) {
        master.begin_column(0, 0, highest, false);
        for (std::size_t c = 0; c < cuts.size(); ++c) master.add(rows[c], -cuts[c].beyond[k]);
      }
      const LinearProgram::Answer answer = master.solve(5, 0, infinity);
      if (!answer.solved) return;
      prices.assign(answer.values.begin() + 1, answer.values.end());
      if (answer.values[0] - result_.bound <= 1e-6 * std::max(std::abs(result_.bound), range)) return;
    }
  }

  // Without the values that no point better than the present one takes: their own bounds are above it.
  Program strike(Program& program) {
    if (!result_.feasible) return {costs_, losses_, allowed_, open_};
    Values left;
    for (std::size_t v = 0; v < open_.size(); ++v) {
      left.emplace_back();
      for (std::size_t k = 0; k < open_[v].size(); ++k) {
        Point point;
        const bool own = result_.point[v] == open_[v][k];
        if (own || program.relaxed(best_prices_, point, static_cast<int>(v), k) < result_.loss - close_enough())
          left.back().push_back(open_[v][k]);
        if (!point.empty()) meet_plainly(point);
      }
    }
    return {costs_, losses_, allowed_, std::move(left)};
  }

  // Without improvement: there are as many of these as values.
  void meet_plainly(const Point& point) {
    const double loss = loss_of(losses_, point);
    if (result_.feasible && loss >= result_.loss) return;
    if (!within(costs_.total(point), allowed_)) return;
    result_.feasible = true;
    result_.point = point;
    result_.loss = loss;
  }

  void finish(const Program& left) {
    const double cutoff = result_.feasible ? result_.loss - close_enough() / 2 : infinity;
    ProgramResult found = left.integer(options_.seconds, options_.gap, cutoff);
    result_.columns = found.columns;
    if (found.feasible) {
      meet_plainly(found.point);
      meet(found.point);
      result_.bound = std::max(result_.bound, std::min(found.bound, result_.loss));
      result_.proven = found.proven;
    } else if (found.proven) {  // nothing is better than what there is by more than the gap
      result_.proven = true;
      if (result_.feasible) result_.bound = std::max(result_.bound, cutoff);
    }
  }

  PlanCosts& costs_;
  const Losses& losses_;
  const Costs& allowed_;
  ProgramOptions options_;
  Values open_;
  ProgramResult result_;
  std::vector<double> best_prices_;
  double worst_ = 0;
};

}  // namespace

ProgramResult solve(const SearchSpace& space, PlanCosts& costs, const Losses& losses, const Costs& allowed,
                    const ProgramOptions& options) {
  return Solver(space, costs, losses, allowed, options).run();
}

}  // namespace bitstrata::quant
