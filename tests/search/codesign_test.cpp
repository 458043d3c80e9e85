// SPDX-License-Identifier: Apache-2.0
// The method's logic on losses that are known for every plan, without training.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <tuple>

#include "quant/search/method.h"
#include "quant/search/recorded_oracle.h"
#include "tests/model/temporary.h"
#include "tests/search/known.h"

namespace bitstrata::quant {
namespace {

using test::Known;
using test::Problem;

// Enough for problems this small, and quick.
SearchOptions few_candidates() {
  SearchOptions options;
  options.phases = 3;
  options.candidates = 3;
  options.steps = 20;
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
      std::vector<SearchRecord> steps;
      const SearchResult result = codesign({problem.space, problem.costs, allowed, oracle, few_candidates(),
                                            [&](const SearchRecord& step) { steps.push_back(step); }});
      EXPECT_GT(oracle.adapted, 1);
      ASSERT_TRUE(result.feasible);
      EXPECT_TRUE(within(problem.costs.total(result.point), allowed));
      EXPECT_DOUBLE_EQ(result.loss, oracle.at(result.point));
      EXPECT_EQ(steps.front().event, "start");
      EXPECT_EQ(steps.back().point, result.point);
      // The budget tightens: no later choice is beyond what an earlier one was held to.
      double before = std::numeric_limits<double>::infinity();
      for (const SearchRecord& step : steps) {
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

// Real losses mislead where training mends what they see; trials at the limits see what is left of it.
TEST(Codesign, ChoosesByWhatTrainingWillMake) {
  double with = 0, without = 0;
  int tried = 0;
  for (std::uint32_t seed = 1; seed <= 6; ++seed) {
    Problem problem("pim-64x64", seed);
    const Costs allowed = resolve({parse_limit("latency=0.7")}, problem.uniform, 100);
    for (const int trials : {0, 4}) {
      Known oracle(problem, 6.0);
      oracle.trials = true;
      SearchOptions options = few_candidates();
      options.candidates = 8;
      options.trials = trials;
      std::map<int, std::vector<double>> losses;  // of the trials of a phase
      std::map<int, Point> chosen;
      const auto record = [&](const SearchRecord& step) {
        if (step.event == "trial") losses[step.phase].push_back(step.loss);
        if (step.event == "chosen" || step.event == "stands") chosen[step.phase] = step.point;
      };
      const Point found = codesign({problem.space, problem.costs, allowed, oracle, options, record}).point;
      (trials == 0 ? without : with) += oracle.after_training(found);
      EXPECT_EQ(oracle.tried > 0, trials > 0);
      for (const auto& [phase, of] : losses) {
        EXPECT_GE(phase, options.phases) << "only at the limits";
        EXPECT_LE(of.size(), 4U);
        EXPECT_LE(oracle.after_training(chosen.at(phase)), *std::ranges::min_element(of));
        tried += static_cast<int>(of.size());
      }
    }
    Known untrained(problem, 6.0);
    codesign({problem.space, problem.costs, allowed, untrained, few_candidates()});
    EXPECT_EQ(untrained.tried, 0) << "nothing trains there";
  }
  std::cout << with << " lost behind training by " << tried << " trials, " << without << " where real losses choose\n";
  EXPECT_LT(with, without);
}

TEST(Codesign, RepeatsItselfForASeed) {
  const auto run = [](std::uint64_t seed) {
    Problem problem("overlay-8x64x8", 1);
    Known oracle(problem, 2.0);
    std::vector<Point> points;
    SearchOptions options = few_candidates();
    options.seed = seed;
    codesign({problem.space, problem.costs, resolve({parse_limit("latency=0.6")}, problem.uniform, 100), oracle,
              options, [&](const SearchRecord& step) { points.push_back(step.point); }});
    return points;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));  // other candidates
}

TEST(SearchMethods, KeepTheLimitsOrSayThatNothingDoes) {
  int kept = 0;
  for (const SearchMethod& method : search_methods()) {
    SCOPED_TRACE(method.name);
    EXPECT_EQ(find_search_method(method.name), &method);
    for (const char* limit : {"latency=0.75", "energy=0.5", "size=0.6"}) {
      Problem problem("pim-64x64", 2);
      Known oracle(problem, 0.5);
      const Costs allowed = resolve({parse_limit(limit)}, problem.uniform, 100);
      const SearchResult result = method.run({problem.space, problem.costs, allowed, oracle, few_candidates()});
      ASSERT_TRUE(result.feasible) << limit;
      EXPECT_TRUE(within(result.costs, allowed)) << limit;
      EXPECT_EQ(result.costs, problem.costs.total(result.point));
      EXPECT_DOUBLE_EQ(result.loss, oracle.at(result.point));
      EXPECT_GE(result.loss, least(problem, oracle, allowed) - 1e-9);
      ++kept;
    }
    Problem problem("pim-64x64", 1);
    Known oracle(problem, 0.0);
    std::vector<SearchRecord> steps;
    const SearchResult result = method.run({problem.space,
                                            problem.costs,
                                            resolve({parse_limit("latency=0.01")}, problem.uniform, 100),
                                            oracle,
                                            {},
                                            [&](const SearchRecord& step) { steps.push_back(step); }});
    EXPECT_FALSE(result.feasible);
    EXPECT_EQ(result.point, smallest(problem.losses));  // what comes nearest
    EXPECT_EQ(steps.back().event, "no plan keeps the limits");
    if (method.run == greedy) {
      EXPECT_EQ(steps.size(), 1U);  // before any of its steps, which are many
    }
  }
  EXPECT_EQ(find_search_method("codesing"), nullptr);
  EXPECT_EQ(kept, 21);
}

// Where nothing is 0, the rule of activation density narrows nothing: others keep what it does not come to.
TEST(SearchMethods, SayWhatOthersKeep) {
  Problem problem("pim-64x64", 1);
  Known oracle(problem, 0.0);
  oracle.density = 1;
  std::vector<SearchRecord> steps;
  const SearchResult result = density_rule({problem.space,
                                            problem.costs,
                                            resolve({parse_limit("latency=0.5")}, problem.uniform, 100),
                                            oracle,
                                            {},
                                            [&](const SearchRecord& step) { steps.push_back(step); }});
  EXPECT_FALSE(result.feasible);
  EXPECT_TRUE(result.others_keep);
  EXPECT_EQ(result.point, problem.space.largest());
  EXPECT_EQ(steps.back().event, "came to no plan within the limits");
}

// Costs in coarse steps, as an array has them whose macros are half full: many changes take nothing off.
class Stairs final : public model::PlanPrices {
 public:
  explicit Stairs(model::PlanPrices& prices, std::int64_t step) : prices_(prices), step_(step) {}
  std::vector<model::PricedLayer> layers() const override { return prices_.layers(); }
  const std::vector<model::LayerPrice>& prices(const model::Plan& plan) override {
    all_ = prices_.prices(plan);
    for (model::LayerPrice& layer : all_) layer = up(layer);
    return all_;
  }
  std::optional<model::LayerPrice> price(std::size_t layer, const model::Plan& plan) override {
    const auto found = prices_.price(layer, plan);
    return found ? std::optional(up(*found)) : found;
  }

 private:
  model::LayerPrice up(model::LayerPrice price) const {
    price.cycles = (price.cycles + step_ - 1) / step_ * step_;
    return price;
  }
  model::PlanPrices& prices_;
  std::int64_t step_;
  std::vector<model::LayerPrice> all_;
};

// One value less takes nothing off on a plateau, so greedy steps are as long as it is.
TEST(SearchMethods, GreedyFallsFromPlateaus) {
  Problem problem("pim-64x64", 2);
  int kept = 0;
  for (const std::int64_t step : {250, 500, 1000, 1500, 2000, 3000}) {
    Stairs stairs(problem.prices, step);
    PlanCosts costs(problem.space, stairs);
    const Costs allowed = {costs.total(smallest(problem.losses))[0], 1e300, 1e300};
    Known oracle(problem, 0.5);
    const SearchResult result = greedy({problem.space, costs, allowed, oracle, few_candidates()});
    EXPECT_TRUE(result.feasible) << step;
    kept += within(result.costs, allowed);
  }
  EXPECT_EQ(kept, 6);
}

// Layers that share channels or a tensor follow their densities together, not one after the other: 0.6 of 8 bits and of
// 16 channels are 5 and 10, and the space has 5 or 8 bits for weights, 4 or 8 for tensors, 8, 12 or 16 channels.
TEST(SearchMethods, DensityTakesTiedLayersAlong) {
  Problem problem("pim-64x64", 2);
  model::Plan rule = problem.space.plan(problem.space.largest());
  for (model::LayerPlan& layer : rule.layers) layer.weight_bits = layer.activation_bits = 5;
  rule.layers[0].channels = rule.layers[1].channels = 12;
  const Point expected = problem.space.point(rule);
  EXPECT_EQ(problem.space.plan(expected).layers[0].channels, 12);
  Known oracle(problem, 0.5);
  const Costs allowed = problem.costs.total(expected);
  const SearchResult result = density_rule({problem.space, problem.costs, allowed, oracle, few_candidates()});
  EXPECT_TRUE(result.feasible);
  EXPECT_EQ(result.point, expected);
}

TEST(SearchMethods, CodesignIsNotWorseThanTheOthers) {
  Problem problem("pim-64x64", 3);
  const Costs allowed = resolve({parse_limit("latency=0.7")}, problem.uniform, 100);
  std::map<std::string, double> losses;
  for (const SearchMethod& method : search_methods()) {
    Known oracle(problem, 1.0);
    losses[method.name] = method.run({problem.space, problem.costs, allowed, oracle, few_candidates()}).loss;
  }
  for (const auto& [name, loss] : losses) EXPECT_LE(losses["codesign"], loss + 1e-9) << name;
  EXPECT_LT(losses["codesign"], losses["uniform-pairs"]);
}

// Stopped anywhere, a search that is resumed arrives where one that was never stopped does, and asks nothing twice.
TEST(RecordedOracle, ResumesEveryMethodWhereItWasStopped) {
  const testing::TemporaryFolder folder;
  int stops = 0;
  for (const SearchMethod& method : search_methods()) {
    SCOPED_TRACE(method.name);
    Problem problem("pim-64x64", 2);
    const Costs allowed = resolve({parse_limit("latency=0.7")}, problem.uniform, 100);
    using Records = std::vector<std::tuple<std::string, Point, double, double>>;
    const auto run = [&](LossOracle& oracle, Records& records) {
      records.clear();
      return method.run({problem.space, problem.costs, allowed, oracle, few_candidates(),
                         [&](const SearchRecord& r) { records.emplace_back(r.event, r.point, r.loss, r.passes); }});
    };
    Known whole(problem, 0.5);
    whole.trials = true;
    Records expected, found;
    const SearchResult result = run(whole, expected);
    for (const int stop : {0, 1, whole.asked / 2, whole.asked - 1}) {
      std::filesystem::remove(folder / "journal");
      Known first(problem, 0.5), second(problem, 0.5);
      first.most = stop;
      first.trials = second.trials = true;
      const RecordedOracle::States states{[](int) {}, [&](int n) { second.adapted = n; }};
      {
        RecordedOracle recorded(first, folder / "journal", true, states);
        EXPECT_THROW(run(recorded, found), std::runtime_error);
      }
      std::ofstream(folder / "journal", std::ios::app) << "{\"question\": {\"lo";  // cut off in the middle of a line
      RecordedOracle recorded(second, folder / "journal", true, states);
      const SearchResult resumed = run(recorded, found);
      EXPECT_EQ(resumed.point, result.point);
      EXPECT_EQ(resumed.loss, result.loss);
      EXPECT_EQ(found, expected);
      EXPECT_EQ(recorded.replayed(), stop);
      EXPECT_EQ(second.asked, whole.asked - stop);
      ++stops;
    }
  }
  EXPECT_EQ(stops, 28);
}

// A state is kept before the journal says so: stopped between the two, the search goes on from the state before.
TEST(RecordedOracle, StatesAreKeptBeforeTheyCount) {
  const testing::TemporaryFolder folder;
  Problem problem("pim-64x64", 2);
  const model::Plan plan = problem.space.plan(problem.space.largest());
  Known first(problem, 0.5), second(problem, 0.5);
  std::vector<int> kept, restored;
  const RecordedOracle::States stopping{[&](int n) {
                                          kept.push_back(n);
                                          if (n == 3) throw std::runtime_error("killed");
                                        },
                                        [](int) {}};
  {
    RecordedOracle recorded(first, folder / "journal", false, stopping);
    recorded.adapt(plan);
    recorded.adapt(plan);
    EXPECT_THROW(recorded.adapt(plan), std::runtime_error);
  }
  const RecordedOracle::States states{[&](int n) { kept.push_back(n); }, [&](int n) { restored.push_back(n); }};
  RecordedOracle recorded(second, folder / "journal", true, states);
  for (int i = 0; i < 3; ++i) recorded.adapt(plan);
  EXPECT_EQ(kept, (std::vector<int>{1, 2, 3, 3}));
  EXPECT_EQ(restored, (std::vector<int>{2}));
  EXPECT_EQ(recorded.trained(), 3);
}

TEST(RecordedOracle, RefusesTheJournalOfAnotherSearch) {
  const testing::TemporaryFolder folder;
  Problem problem("pim-64x64", 2);
  Known known(problem, 0.5);
  const RecordedOracle::States states{[](int) {}, [](int) {}};
  { RecordedOracle(known, folder / "journal", false, states).loss(problem.space.plan(problem.space.largest())); }
  RecordedOracle other(known, folder / "journal", true, states);
  const std::string refusal =
      testing::message_of<std::invalid_argument>([&] { other.loss(problem.space.plan(smallest(problem.losses))); });
  EXPECT_NE(refusal.find("journal:1: the journal is of another search"), std::string::npos) << refusal;
  RecordedOracle anew(known, folder / "journal", false, states);
  anew.loss(problem.space.plan(smallest(problem.losses)));
  EXPECT_EQ(anew.replayed(), 0);
  EXPECT_THROW(RecordedOracle(known, folder / "missing" / "journal", false, states), std::runtime_error);
}

TEST(Losses, BecomeMonotone) {
  EXPECT_EQ(monotone({{3, 1, 2, 0, -1}, {0, 0.5}}), (Losses{{3, 2, 2, 0, -1}, {0.5, 0.5}}));
  EXPECT_EQ(monotone({{INFINITY, 1, 2, INFINITY}}), (Losses{{INFINITY, 2, 2, INFINITY}}));
}

}  // namespace
}  // namespace bitstrata::quant
