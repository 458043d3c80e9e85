// SPDX-License-Identifier: Apache-2.0
// The integer program against enumeration, and the search around its result.
#include "quant/search/plan_search.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/search/problem.h"

namespace bitstrata::quant {
namespace {

using test::Problem;

TEST(Program, FindsTheBestOfAllPoints) {
  std::int64_t points = 0;
  int programs = 0, impossible = 0;
  for (const char* architecture : {"pim-64x64", "overlay-8x64x8"}) {
    for (std::uint32_t seed = 1; seed <= 3; ++seed) {
      Problem problem(architecture, seed);
      for (const std::vector<const char*>& limits : {std::vector<const char*>{"latency=0.7"},
                                                     {"energy=0.5"},
                                                     {"size=0.5"},
                                                     {"latency=0.8", "energy=0.6"},
                                                     {"latency=0.75", "size=0.4"},
                                                     {"latency=0.01"}}) {
        std::vector<Limit> parsed;
        for (const char* limit : limits) parsed.push_back(parse_limit(limit));
        const Costs allowed = resolve(parsed, problem.uniform, 100);
        const double best = problem.enumerate(allowed);
        const ProgramResult result = solve(problem.space, problem.costs, problem.losses, allowed);
        points += problem.points;
        ++programs;
        EXPECT_TRUE(result.proven);
        ASSERT_EQ(result.feasible, std::isfinite(best)) << architecture << " " << seed << " " << limits[0];
        if (!result.feasible) {
          ++impossible;
          continue;
        }
        EXPECT_TRUE(within(problem.costs.total(result.point), allowed)) << limits[0];
        EXPECT_NEAR(result.loss, best, 1e-3 * best + 1e-9) << architecture << " " << seed << " " << limits[0];
        EXPECT_LE(result.bound, best + 1e-9);
      }
    }
  }
  std::cout << programs << " programs against " << points << " points, " << impossible << " without a plan\n";
  EXPECT_GT(programs - impossible, 20);
  EXPECT_GE(impossible, 6);
}

TEST(Program, TakesNoValueOfInfiniteLoss) {
  Problem problem("pim-64x64", 4);
  for (std::vector<double>& losses : problem.losses) losses[1] = std::numeric_limits<double>::infinity();
  const ProgramResult result =
      solve(problem.space, problem.costs, problem.losses, resolve({parse_limit("latency=0.8")}, problem.uniform, 100));
  ASSERT_TRUE(result.feasible);
  for (const int value : result.point) EXPECT_NE(value, 1);
  problem.losses[0].assign(3, std::numeric_limits<double>::infinity());
  EXPECT_THROW(solve(problem.space, problem.costs, problem.losses, problem.uniform), std::invalid_argument);
}

TEST(Improve, KeepsTheLimitsAndComesNearTheBest) {
  int best = 0, tried = 0;
  for (std::uint32_t seed = 1; seed <= 8; ++seed) {
    Problem problem("pim-64x64", seed);
    const Costs allowed = resolve({parse_limit("latency=0.75"), parse_limit("energy=0.6")}, problem.uniform, 100);
    const Point start = smallest(problem.losses);
    ASSERT_TRUE(within(problem.costs.total(start), allowed));
    const Point found = improve(problem.costs, problem.losses, allowed, start);
    EXPECT_TRUE(within(problem.costs.total(found), allowed));
    EXPECT_LT(loss_of(problem.losses, found), loss_of(problem.losses, start));
    EXPECT_EQ(improve(problem.costs, problem.losses, allowed, found), found);  // nothing near is better
    ++tried;
    best += loss_of(problem.losses, found) <= problem.enumerate(allowed) + 1e-9;
  }
  std::cout << best << " of " << tried << " are the best of all points\n";
  EXPECT_GE(best, 5);
}

TEST(Promote, RaisesWhatCostsNothing) {
  int raised = 0;
  for (std::uint32_t seed = 1; seed <= 16; ++seed) {
    Problem problem("pim-64x64", seed);
    const Costs allowed = resolve({parse_limit("latency=0.9")}, problem.uniform, 100);
    std::mt19937 random(seed);
    Point start;
    for (const Variable& variable : problem.space.variables())
      start.push_back(static_cast<int>(random() % variable.values.size()));
    const Point found = promote(problem.costs, problem.losses, allowed, start);
    EXPECT_LE(problem.costs.total(found)[0], problem.costs.total(start)[0]);
    EXPECT_LE(loss_of(problem.losses, found), loss_of(problem.losses, start));
    for (std::size_t v = 0; v < found.size(); ++v) {
      EXPECT_GE(found[v], start[v]);
      raised += found[v] > start[v];
      for (int value = found[v] + 1; value < static_cast<int>(problem.losses[v].size()); ++value) {
        Point higher = found;
        higher[v] = value;
        EXPECT_GT(problem.costs.total(higher)[0], problem.costs.total(found)[0]) << "was free";
      }
    }
  }
  std::cout << raised << " values raised\n";
  EXPECT_GT(raised, 4);
}

}  // namespace
}  // namespace bitstrata::quant
