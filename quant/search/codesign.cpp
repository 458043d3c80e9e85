// SPDX-License-Identifier: Apache-2.0
// Widths and kept channels chosen together against measured cost. In phases: losses of single changes are measured
// around the present plan, a program finds the plans of least predicted loss within a budget, their real losses decide
// (at the limits those behind a short training), training goes on under the one that was chosen, and the budget
// tightens.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <utility>

#include "quant/search/method.h"

namespace bitstrata::quant {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

class Codesign {
 public:
  explicit Codesign(const PlanProblem& problem)
      : problem_(problem), options_(problem.options), random_(problem.options.seed) {}

  SearchResult run() {
    Point point = problem_.space.largest();
    const Costs start = problem_.costs.total(point);
    problem_.show(0, "start", point, 0, loss(point));
    const int last = options_.phases + options_.settling;
    for (phase_ = 1; phase_ <= last; ++phase_) {
      at_limits_ = phase_ >= options_.phases;
      const double part = at_limits_ ? 1 : static_cast<double>(phase_) / options_.phases;
      const Point next = step(point, budget(start, problem_.allowed, part));
      if (next.empty()) return no_plan(problem_, phase_, point);
      const bool stands = phase_ > options_.phases && next == point;
      point = next;
      if (stands) break;
      problem_.oracle.adapt(problem_.space.plan(point));
      if (problem_.oracle.trains()) tried_.clear();  // trials of other weights
    }
    return {true, false, point, problem_.costs.total(point), loss(point)};
  }

 private:
  // Nothing where a value was not measured from here.
  static double predicted(const Losses& losses, const Point& point) {
    const double sum = loss_of(losses, point);
    return std::isfinite(sum) ? sum : 0;
  }

  double loss(const Point& point) { return problem_.oracle.loss(problem_.space.plan(point)); }

  // The best plan within the budget, with what costs nothing more; empty where there is none.
  Point best(const Losses& losses, const Costs& budget, double seconds) {
    ProgramOptions program = options_.program;
    program.seconds = seconds;
    const ProgramResult result = solve(problem_.space, problem_.costs, losses, budget, program);
    if (!result.feasible) return {};
    return promote(problem_.costs, losses, budget, result.point);
  }

  // What was measured around the widest plan, of all values that can still be had.
  Losses from_the_start(const Point& point) const {
    Losses losses = start_losses_;
    if (!problem_.oracle.trains()) return losses;
    for (std::size_t v = 0; v < losses.size(); ++v)
      if (problem_.space.variables()[v].kind == Variable::Kind::channels)
        for (std::size_t k = static_cast<std::size_t>(point[v]) + 1; k < losses[v].size(); ++k) losses[v][k] = infinity;
    return losses;
  }

  Point step(const Point& point, const Costs& budget) {
    // Changes are measured best around the present plan. But what is narrow already looks costly to narrow further, so
    // plans that spread the bits otherwise come from what was measured around the widest plan.
    Losses losses =
        monotone(problem_.oracle.single_changes(problem_.space, point, phase_ == 1 ? any_reach : options_.reach));
    if (phase_ == 1) start_losses_ = losses;
    const Losses start = from_the_start(point);
    std::vector<Point> candidates;
    const auto add = [&](const Point& candidate) {
      if (!candidate.empty() && std::ranges::find(candidates, candidate) == candidates.end())
        candidates.push_back(candidate);
    };
    add(best(losses, budget, options_.program.seconds));
    if (phase_ > 1) add(best(start, budget, options_.program.seconds));
    if (within(problem_.costs.total(point), budget)) add(point);
    if (candidates.empty()) return {};
    std::vector<Point> finalists = candidates;
    // Single changes miss what changes do to each other: programs of other weights give other plans, and the real loss
    // decides (after SPDY, Frantar and Alistarh 2022, whose weights are drawn in the same way). They need no proof.
    std::uniform_real_distribution<double> weight(0.0, 1.0);
    const int programs = (options_.candidates + 1) / 2;
    for (int tries = 0; static_cast<int>(candidates.size()) < programs && tries < 2 * programs; ++tries) {
      Losses drawn = tries % 2 == 0 ? losses : start;
      for (std::vector<double>& curve : drawn) {
        const double factor = weight(random_);
        for (double& loss : curve)
          if (std::isfinite(loss)) loss *= factor;
      }
      add(best(drawn, budget, 0));
    }
    Point chosen;
    double least = infinity;
    std::vector<std::pair<double, Point>> real_losses;
    const auto judge = [&](const Point& candidate) {
      const double real = loss(candidate);
      real_losses.emplace_back(real, candidate);
      problem_.show(phase_, "candidate", candidate, predicted(losses, candidate), real);
      if (real >= least) return false;
      least = real;
      chosen = candidate;
      return true;
    };
    for (const Point& candidate : candidates) judge(candidate);
    // From the best of them on by exchanges, the most promising first, as long as the real loss falls.
    std::set<Point> judged(candidates.begin(), candidates.end());
    for (bool moved = true; moved && static_cast<int>(judged.size()) < options_.candidates;) {
      moved = false;
      const auto near =
          exchanges(problem_.costs, losses, budget, chosen, static_cast<std::size_t>(options_.candidates));
      for (const Point& candidate : near) {
        if (static_cast<int>(judged.size()) >= options_.candidates) break;
        const Point promoted = promote(problem_.costs, losses, budget, candidate);
        if (!judged.insert(promoted).second) continue;
        if ((moved = judge(promoted))) break;
      }
    }
    if (at_limits_ && problem_.oracle.tries() && options_.trials > 0) {
      std::ranges::stable_sort(real_losses, {}, &std::pair<double, Point>::first);
      for (const auto& [real, candidate] : real_losses)
        if (std::ranges::find(finalists, candidate) == finalists.end()) finalists.push_back(candidate);
      finalists.resize(std::min(finalists.size(), static_cast<std::size_t>(options_.trials)));
      chosen = best_tried(finalists, losses);
      least = loss(chosen);
    }
    problem_.show(phase_, chosen == point ? "stands" : "chosen", chosen, predicted(losses, chosen), least);
    return chosen;
  }

  // The least real loss of many plans is in part luck with the images that it was taken on, and says little about what
  // training will mend. So the best by real loss, and before them those that programs found by themselves, are trained
  // for a while each.
  Point best_tried(const std::vector<Point>& finalists, const Losses& losses) {
    const Point* best = nullptr;
    for (const Point& finalist : finalists) {
      if (!tried_.contains(finalist)) {
        tried_[finalist] = problem_.oracle.trial(problem_.space.plan(finalist));
        problem_.show(phase_, "trial", finalist, predicted(losses, finalist), tried_[finalist]);
      }
      if (best == nullptr || tried_[finalist] < tried_[*best]) best = &finalist;
    }
    return *best;
  }

  const PlanProblem& problem_;
  const SearchOptions& options_;
  std::mt19937_64 random_;
  int phase_ = 0;
  bool at_limits_ = false;
  Losses start_losses_;
  std::map<Point, double> tried_;  // losses behind a short training of the present weights
};

}  // namespace

SearchResult codesign(const PlanProblem& problem) { return Codesign(problem).run(); }

}  // namespace bitstrata::quant
