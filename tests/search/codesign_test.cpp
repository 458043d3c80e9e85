// SPDX-License-Identifier: Apache-2.0
// The method's logic on losses that are known for every plan, without training.
#include "quant/search/codesign.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/search/problem.h"

namespace bitstrata::quant {
namespace {

using test::Problem;

// Losses of single values, and of neighbouring variables that are narrow together.
class Known final : public LossOracle {
 public:
  Known(const Problem& problem, double interaction) : problem_(problem), interaction_(interaction) {}

  double at(const Point& point) const {
    double loss = loss_of(problem_.losses, point);
    for (std::size_t v = 1; v < point.size(); ++v)
      loss += interaction_ * problem_.losses[v][static_cast<std::size_t>(point[v])] *
              problem_.losses[v - 1][static_cast<std::size_t>(point[v - 1])];
    return loss;
  }
  double loss(const model::Plan& plan) override {
    ++passes_;
    return at(problem_.space.point(plan));
  }
  Losses single_changes(const SearchSpace& space, const Point& point) override {
    Losses changes;
    for (std::size_t v = 0; v < point.size(); ++v) {
      changes.emplace_back();
      for (std::size_t k = 0; k < space.variables()[v].values.size(); ++k, ++passes_) {
        Point other = point;
        other[v] = static_cast<int>(k);
        changes.back().push_back(at(other) - at(point));
      }
    }
    return changes;
  }
  double passes() const override { return passes_; }

 private:
  const Problem& problem_;
  double interaction_;
  double passes_ = 0;
};

// Enough for problems this small, and quick.
CodesignOptions few_candidates() {
  CodesignOptions options;
  options.phases = 3;
  options.candidates = 3;
  return options;
}

double least(Problem& problem, const Known& known, const Costs& allowed) {
  double best = std::numeric_limits<double>::infinity();
  Point point(problem.space.variables().size(), 0);
  for (;;) {
    if (known.at(point) < best && within(problem.costs.total(point), allowed)) best = known.at(point);
    std::size_t v = 0;
    while (v < point.size() && ++point[v] == static_cast<int>(problem.space.variables()[v].values.size()))
      point[v++] = 0;
    if (v == point.size()) return best;
  }
}

TEST(Codesign, ComesNearTheBestPlanThatKeepsTheLimits) {
  int best = 0, runs = 0;
  for (const double interaction : {0.0, 0.5, 2.0}) {
    for (std::uint32_t seed = 1; seed <= 3; ++seed) {
      Problem problem("pim-64x64", seed);
      Known oracle(problem, interaction);
      const Costs allowed = resolve({parse_limit("latency=0.75"), parse_limit("energy=0.6")}, problem.uniform, 100);
      std::vector<CodesignStep> steps;
      const CodesignResult result = codesign(problem.space, problem.costs, oracle, allowed, few_candidates(),
                                             [&](const CodesignStep& step) { steps.push_back(step); });
      ASSERT_TRUE(result.feasible);
      EXPECT_TRUE(within(problem.costs.total(result.point), allowed));
      EXPECT_DOUBLE_EQ(result.loss, oracle.at(result.point));
      EXPECT_EQ(steps.front().event, "start");
      EXPECT_EQ(steps.back().point, result.point);
      // The budget tightens: no later choice is beyond what an earlier one was held to.
      double before = std::numeric_limits<double>::infinity();
      for (const CodesignStep& step : steps) {
        if (step.event != "chosen") continue;
        EXPECT_LE(step.costs[0], std::max(before, allowed[0]));
        before = step.costs[0];
      }
      const double optimum = least(problem, oracle, allowed);
      EXPECT_LE(result.loss, 1.25 * optimum + 1e-9) << interaction << " " << seed;
      best += result.loss <= optimum + 1e-9;
      ++runs;
    }
  }
  std::cout << best << " of " << runs << " are the best of all plans\n";
  EXPECT_GE(best, runs * 2 / 3);
}

TEST(Codesign, RepeatsItselfForASeed) {
  const auto run = [](std::uint64_t seed) {
    Problem problem("overlay-8x64x8", 1);
    Known oracle(problem, 2.0);
    std::vector<Point> points;
    CodesignOptions options = few_candidates();
    options.seed = seed;
    codesign(problem.space, problem.costs, oracle, resolve({parse_limit("latency=0.6")}, problem.uniform, 100), options,
             [&](const CodesignStep& step) { points.push_back(step.point); });
    return points;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));  // other candidates
}

TEST(Codesign, SaysWhereNoPlanKeepsTheLimits) {
  Problem problem("pim-64x64", 1);
  Known oracle(problem, 0.0);
  const CodesignResult result =
      codesign(problem.space, problem.costs, oracle, resolve({parse_limit("latency=0.01")}, problem.uniform, 100), {});
  EXPECT_FALSE(result.feasible);
  EXPECT_EQ(result.point, smallest(problem.losses));  // what comes nearest
}

TEST(Losses, BecomeMonotone) {
  EXPECT_EQ(monotone({{3, 1, 2, 0, -1}, {0, 0.5}}), (Losses{{3, 2, 2, 0, -1}, {0.5, 0.5}}));
}

}  // namespace
}  // namespace bitstrata::quant
