// SPDX-License-Identifier: Apache-2.0
// The integer program against enumeration, and the search around its result.
#include "quant/search/plan_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "quant/search/array_choice.h"
#include "quant/search/elimination.h"
#include "quant/search/program.h"
#include "tests/search/known.h"
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

TEST(Exchanges, AreTheBestNeighboursWithinTheLimits) {
  int compared = 0;
  for (const char* architecture : {"pim-64x64", "overlay-8x64x8"}) {
    Problem problem(architecture, 4);
    const Costs allowed = resolve({parse_limit("latency=0.8")}, problem.uniform, 100);
    const Point from = descend(problem.costs, problem.losses, allowed, problem.space.largest(), 1);
    ASSERT_TRUE(within(problem.costs.total(from), allowed));
    std::vector<double> expected;  // all points where one variable is larger and at most one is smaller
    Point point(from.size(), 0);
    for (bool more = true; more;) {
      int larger = 0, smaller = 0;
      for (std::size_t v = 0; v < from.size(); ++v) larger += point[v] > from[v], smaller += point[v] < from[v];
      if (larger == 1 && smaller <= 1 && within(problem.costs.total(point), allowed))
        expected.push_back(loss_of(problem.losses, point));
      std::size_t v = 0;
      while (v < point.size() && ++point[v] == static_cast<int>(problem.space.variables()[v].values.size()))
        point[v++] = 0;
      more = v < point.size();
    }
    std::ranges::sort(expected);
    const std::vector<Point> all = exchanges(problem.costs, problem.losses, allowed, from, 1000);
    ASSERT_EQ(all.size(), expected.size());
    for (std::size_t i = 0; i < all.size(); ++i, ++compared) {
      EXPECT_TRUE(within(problem.costs.total(all[i]), allowed));
      EXPECT_NEAR(loss_of(problem.losses, all[i]), expected[i], 1e-9);
    }
    EXPECT_EQ(exchanges(problem.costs, problem.losses, allowed, from, 2).size(), 2U);
  }
  std::cout << compared << " exchanges compared\n";
  EXPECT_GT(compared, 20);
}

// What is remembered by layer, and added up by differences, is what the whole network costs.
TEST(Neighbourhood, CostsAreThoseOfThePlans) {
  std::mt19937 random(3);
  const model::Technology technology = model::load_technology("ad-pim");
  int compared = 0;
  for (const char* name : {"resnet8", "dscnn", "mobilenetv3_small"}) {
    const model::Network network = model::build_network(name);
    SpaceOptions options;
    for (const model::ChannelGroup& group : model::channel_groups(network, model::lay_out(network)).groups)
      options.levels.push_back(group.size < 8 ? std::vector<int>{}
                                              : std::vector<int>{group.size / 2, group.size * 3 / 4, group.size});
    const SearchSpace space(network, options);
    sim::PlanCost prices(network, model::load_architecture("pim-64x64"), &technology);
    sim::PlanCost others(network, model::load_architecture("pim-64x64"), &technology);
    PlanCosts costs(space, prices), plain(space, others);
    const auto draw = [&](std::size_t v) { return static_cast<int>(random() % space.variables()[v].values.size()); };
    Point point = space.largest();
    Neighbourhood near(costs, point);
    const auto expect_same = [&](const Costs& a, const Costs& b) {
      EXPECT_EQ(a[0], b[0]);
      EXPECT_NEAR(a[1], b[1], 1e-9 * b[1]);
      EXPECT_EQ(a[2], b[2]);
      ++compared;
    };
    for (int i = 0; i < 40; ++i) {
      const std::size_t v = random() % point.size(), other = random() % point.size();
      Point changed = point;
      changed[v] = draw(v);
      expect_same(near.with(v, changed[v]), plain.total(space.plan(changed)));
      changed[other] = draw(other);
      expect_same(near.with(v, changed[v], other, changed[other]), plain.total(space.plan(changed)));
      expect_same(costs.total(changed), plain.total(space.plan(changed)));
      near.move_to(changed);
      point = changed;
    }
  }
  std::cout << compared << " costs compared\n";
  EXPECT_EQ(compared, 360);
}

TEST(Descend, KeepsTheLimitsByTheCheapestSteps) {
  Problem problem("pim-64x64", 2);
  const Costs allowed = resolve({parse_limit("latency=0.75"), parse_limit("size=0.5")}, problem.uniform, 100);
  const Point found = descend(problem.costs, problem.losses, allowed, problem.space.largest(), 1);
  EXPECT_TRUE(within(problem.costs.total(found), allowed));
  EXPECT_GE(loss_of(problem.losses, found), problem.enumerate(allowed) - 1e-9);
  // Steps that add no loss come first, and are enough here.
  Losses free = problem.losses;
  for (std::size_t v = 1; v < free.size(); ++v) free[v].assign(free[v].size(), 0.0);
  const Costs mild = resolve({parse_limit("size=0.9")}, problem.uniform, 100);
  EXPECT_EQ(loss_of(free, descend(problem.costs, free, mild, problem.space.largest(), 1)), 0.0);
  const Costs none = resolve({parse_limit("latency=0.001")}, problem.uniform, 100);
  EXPECT_FALSE(
      within(problem.costs.total(descend(problem.costs, problem.losses, none, problem.space.largest(), 1)), none));
}

TEST(Elimination, FindsTheLeastSum) {
  std::mt19937 random(5);
  int sums = 0;
  for (int n = 0; n < 40; ++n) {
    const int count = 2 + static_cast<int>(random() % 5);
    std::vector<int> sizes;
    for (int v = 0; v < count; ++v) sizes.push_back(1 + static_cast<int>(random() % 4));
    std::vector<std::vector<int>> scopes;
    std::vector<std::vector<double>> values;
    for (int f = 0; f < 6; ++f) {
      std::vector<int> scope;
      std::size_t size = 1;
      for (int v = 0; v < count; ++v)
        if (random() % 3 == 0) scope.push_back(v), size *= static_cast<std::size_t>(sizes[static_cast<std::size_t>(v)]);
      std::shuffle(scope.begin(), scope.end(), random);
      scopes.push_back(scope);
      values.emplace_back();
      for (std::size_t i = 0; i < size; ++i) values.back().push_back(random() % 8 == 0 ? INFINITY : random() % 1000);
    }
    const auto sum = [&](const std::vector<int>& point) {
      double total = 0;
      for (std::size_t f = 0; f < scopes.size(); ++f) {
        std::size_t place = 0, stride = 1;
        for (const int v : scopes[f]) {
          place += stride * static_cast<std::size_t>(point[static_cast<std::size_t>(v)]);
          stride *= static_cast<std::size_t>(sizes[static_cast<std::size_t>(v)]);
        }
        total += values[f][place];
      }
      return total;
    };
    double best = INFINITY;
    std::vector<int> point(static_cast<std::size_t>(count), 0);
    for (bool more = true; more; ++sums) {
      best = std::min(best, sum(point));
      more = false;
      for (std::size_t v = 0; v < point.size() && !more; ++v) {
        more = ++point[v] < sizes[v];
        if (!more) point[v] = 0;
      }
    }
    Elimination elimination(sizes, scopes);
    EXPECT_EQ(elimination.minimize(values, point), best);
    if (std::isfinite(best)) {
      EXPECT_EQ(sum(point), best);
    }
  }
  std::cout << sums << " sums\n";
  EXPECT_GT(sums, 1000);
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

// Losses are the same on every array; each pair is what a program for that array alone finds.
TEST(PairArrays, AreThoseOfEachArrayAlone) {
  Problem pim("pim-64x64", 3), overlay("overlay-8x64x8", 3), large("pim-64x64", 3);
  ASSERT_EQ(pim.losses, overlay.losses);
  const std::vector<ArrayCandidate> arrays = {
      {"pim", 200, 10, &pim.prices}, {"overlay", 100, 5, &overlay.prices}, {"large", 200, 11, &large.prices}};
  const double infinity = std::numeric_limits<double>::infinity();
  const ArrayLimits limits = {
      .latency_us = 0.7 * pim.uniform[0] / 200, .energy_fj = infinity, .size_bits = infinity, .area = 10};
  const std::vector<ArrayPair> pairs = pair_arrays(pim.space, arrays, pim.losses, limits, {1, 2, 0.001}, {});
  ASSERT_EQ(pairs.size(), 6U);  // one array is too large
  int feasible = 0;
  for (const ArrayPair& pair : pairs) {
    Problem& alone = pair.array == 0 ? pim : overlay;
    const double clock = arrays[pair.array].clock_mhz;
    EXPECT_DOUBLE_EQ(pair.uniform_latency_us, alone.uniform[0] / clock);
    const Costs allowed = {pair.part * limits.latency_us * clock, infinity, infinity};
    const double best = alone.enumerate(allowed);
    ASSERT_EQ(pair.feasible, std::isfinite(best)) << pair.array << " " << pair.part;
    if (!pair.feasible) continue;
    ++feasible;
    EXPECT_NEAR(pair.predicted, best, 1e-3 * best + 1e-9);
    EXPECT_LE(pair.latency_us, pair.part * limits.latency_us);
    EXPECT_EQ(pair.costs, alone.costs.total(pair.point));
  }
  EXPECT_GE(feasible, 3);
  EXPECT_LT(feasible, 6);
}

// Predictions put one pair first; real losses choose, and the array that is fastest for 8/8 always takes part.
TEST(JudgePairs, TakesTheLeastRealLoss) {
  Problem problem("pim-64x64", 3);
  const auto pair = [&](std::size_t array, double predicted, double uniform_us, int value, bool feasible = true,
                        double part = 1) {
    ArrayPair made{.array = array, .part = part, .feasible = feasible, .predicted = predicted};
    made.uniform_latency_us = uniform_us;
    made.point = problem.space.largest();
    made.point[0] = value;  // what sets the real loss
    return made;
  };
  problem.losses.assign(problem.losses.size(), {0, 0, 0});
  problem.losses[0] = {3, 1, 2};
  test::Known known(problem, 0);
  // The best of all, of half the limits, and one that breaks them do not count.
  std::vector<ArrayPair> pairs = {pair(0, 0.3, 9, 2), pair(0, 0.1, 9, 1, true, 0.5), pair(1, 0.2, 8, 0),
                                  pair(2, 0.1, 7, 1, false), pair(3, 0.5, 7.5, 1)};
  const auto two = judge_pairs(problem.space, pairs, 2, known);
  ASSERT_TRUE(two);
  ASSERT_EQ(two->confirmed.size(), 2U);
  EXPECT_EQ(two->confirmed[0].pair, 2U);
  EXPECT_EQ(two->confirmed[0].loss, 3);
  EXPECT_EQ(two->confirmed[1].pair, 0U);
  EXPECT_EQ(two->fastest, 3U);  // it keeps no limits: nothing to judge
  EXPECT_FALSE(two->array_first);
  EXPECT_EQ(two->chosen.pair, 0U);
  pairs.erase(pairs.begin() + 3);
  const auto beside = judge_pairs(problem.space, pairs, 2, known);
  ASSERT_TRUE(beside && beside->array_first);
  EXPECT_EQ(beside->array_first->pair, 3U);
  EXPECT_EQ(beside->confirmed.size(), 2U);
  EXPECT_EQ(beside->chosen.pair, 3U);
  EXPECT_EQ(beside->chosen.loss, 1);
  EXPECT_FALSE(judge_pairs(problem.space, {pair(0, 0, 1, 0, false), pair(0, 0, 1, 0, true, 2)}, 4, known));
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
