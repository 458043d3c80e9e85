// SPDX-License-Identifier: Apache-2.0
// Costs and plans between whole widths.
#include "quant/search/fractional.h"

#include <gtest/gtest.h>

#include <cmath>
#include <iostream>
#include <random>

#include "quant/search/method.h"
#include "tests/search/known.h"

namespace bitstrata::quant {
namespace {

using test::Known;
using test::Problem;

TEST(FractionalCosts, AreThePlansAtWholePlacesAndLinearBetween) {
  std::mt19937 random(1);
  int compared = 0;
  for (const char* architecture : {"pim-64x64", "overlay-8x64x8"}) {
    Problem problem(architecture, 1);
    const std::vector<Variable>& variables = problem.space.variables();
    for (int n = 0; n < 20; ++n) {
      Point point;
      std::vector<double> places;
      for (const Variable& variable : variables) {
        point.push_back(static_cast<int>(random() % variable.values.size()));
        places.push_back(point.back());
      }
      const FractionalCosts whole = interpolate(problem.space, problem.costs, places);
      const Costs exact = problem.costs.total(point);
      for (std::size_t q = 0; q < exact.size(); ++q) EXPECT_NEAR(whole.costs[q], exact[q], 1e-9 * exact[q]);
      // Inside a cell, costs are linear in every variable alone: any two points give the slope.
      for (std::size_t v = 0; v < variables.size(); ++v)
        if (variables[v].kind != Variable::Kind::channels)
          places[v] =
              std::min(point[v], static_cast<int>(variables[v].values.size()) - 2) + 0.25 + 0.5 * (random() % 2);
      const FractionalCosts between = interpolate(problem.space, problem.costs, places);
      for (std::size_t v = 0; v < variables.size(); ++v) {
        if (variables[v].kind == Variable::Kind::channels) {
          EXPECT_EQ(between.slopes[v], Costs{});
          continue;
        }
        std::vector<double> further = places;
        further[v] += 0.125;
        const FractionalCosts other = interpolate(problem.space, problem.costs, further);
        for (std::size_t q = 0; q < exact.size(); ++q)
          EXPECT_NEAR((other.costs[q] - between.costs[q]) / 0.125, between.slopes[v][q], 1e-9 * exact[q]) << v;
        ++compared;
      }
    }
  }
  std::cout << compared << " slopes compared\n";
  EXPECT_GT(compared, 100);
}

// The best plan that keeps all channels, of all there are.
double least(Problem& problem, const Known& known, const Costs& allowed) {
  double best = std::numeric_limits<double>::infinity();
  const Point largest = problem.space.largest();
  Point point(largest.size(), 0);
  for (;;) {
    bool full = true;
    for (std::size_t v = 0; v < point.size(); ++v)
      full = full && (problem.space.variables()[v].kind != Variable::Kind::channels || point[v] == largest[v]);
    if (full && known.at(point) < best && within(problem.costs.total(point), allowed)) best = known.at(point);
    std::size_t v = 0;
    while (v < point.size() && ++point[v] > largest[v]) point[v++] = 0;
    if (v == point.size()) return best;
  }
}

TEST(Fractional, ComesNearTheBestPlanOfAllChannels) {
  double sum = 0, of_uniform = 0;
  int runs = 0;
  for (const double interaction : {0.0, 1.0}) {
    for (std::uint32_t seed = 1; seed <= 4; ++seed) {
      Problem problem("pim-64x64", seed);
      const Costs allowed = resolve({parse_limit("latency=0.75")}, problem.uniform, 100);
      SearchOptions options;
      options.phases = 3;
      options.steps = 60;
      Known oracle(problem, interaction), uniform(problem, interaction);
      const SearchResult result = fractional({problem.space, problem.costs, allowed, oracle, options});
      ASSERT_TRUE(result.feasible);
      EXPECT_TRUE(within(result.costs, allowed));
      for (std::size_t v = 0; v < result.point.size(); ++v) {
        if (problem.space.variables()[v].kind != Variable::Kind::channels) continue;
        EXPECT_EQ(result.point[v], problem.space.largest()[v]);
      }
      EXPECT_EQ(oracle.adapted, 3);
      sum += result.loss / least(problem, oracle, allowed);
      of_uniform += uniform_pairs({problem.space, problem.costs, allowed, uniform, options}).loss /
                    least(problem, uniform, allowed);
      ++runs;
    }
  }
  std::cout << "times the least loss: " << sum / runs << ", the best uniform pair " << of_uniform / runs << "\n";
  EXPECT_LT(sum / runs, 1.75);
  EXPECT_LT(sum, 0.8 * of_uniform);
}

// The penalty of a budget that is kept fades, so nothing is narrowed for limits that bind nothing.
TEST(Fractional, NarrowsNothingForWideLimits) {
  for (std::uint32_t seed = 1; seed <= 4; ++seed) {
    Problem problem("pim-64x64", seed);
    const Costs allowed = resolve({parse_limit("latency=2")}, problem.uniform, 100);
    SearchOptions options;
    options.phases = 1;
    options.steps = 120;
    Known oracle(problem, 0);
    const SearchResult result = fractional({problem.space, problem.costs, allowed, oracle, options});
    ASSERT_TRUE(result.feasible);
    EXPECT_EQ(result.point, problem.space.largest()) << seed;
  }
}

}  // namespace
}  // namespace bitstrata::quant
