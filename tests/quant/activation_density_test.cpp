// SPDX-License-Identifier: Apache-2.0
// The search's logic on scripted densities and accuracies, without training.
#include "quant/activation_density.h"

#include <gtest/gtest.h>

#include <map>

#include "model/stages.h"
#include "quant/annealing.h"
#include "tests/quant/support.h"

namespace bitstrata::quant {
namespace {

// Answers from a script; remembers what it was asked.
class Scripted final : public Trainable {
 public:
  explicit Scripted(model::Network network)
      : full_(network), network_(std::move(network)), plan_(model::uniform_plan(network_, 16, 16)) {}

  const model::Network& network() const override { return network_; }
  const model::Plan& plan() const override { return plan_; }
  EpochReport train_epoch(const EpochSchedule&) override {
    ++epochs;
    EpochReport report;
    report.density = density ? density(epochs) : std::vector<double>(plan_.layers.size(), 0.5);
    report.input_density = report.density;
    return report;
  }
  double validation_accuracy() override { return accuracy ? accuracy(plan_) : 0.9; }
  void apply(const model::Plan& plan) override {
    plan_ = plan;
    network_ = model::planned_network(full_, plan);
    applied.push_back(plan);
  }
  void keep() override { kept_ = plan_; }
  void restore() override {
    ++restored;
    plan_ = kept_;
    network_ = model::planned_network(full_, plan_);
  }

  std::function<std::vector<double>(int)> density;
  std::function<double(const model::Plan&)> accuracy;
  std::vector<model::Plan> applied;
  int epochs = 0, restored = 0;

 private:
  model::Network full_, network_;
  model::Plan plan_, kept_;
};

std::vector<int> bits_of(const model::Plan& plan) {
  std::vector<int> bits;
  for (const model::LayerPlan& layer : plan.layers) bits.push_back(layer.weight_bits);
  return bits;
}

std::vector<int> channels_of(const model::Plan& plan) {
  std::vector<int> channels;
  for (const model::LayerPlan& layer : plan.layers) channels.push_back(layer.channels);
  return channels;
}

struct SearchResult {
  model::Plan plan;
  double accuracy = 0, price = 0;
  std::vector<SearchStep> log;
};

SearchResult finish(ActivationDensity& search, Trainable& network, int limit = 1000) {
  for (int i = 0; i < limit && !search.done(); ++i) search.step(network);
  EXPECT_TRUE(search.done()) << "the search does not end";
  SearchResult result{.plan = network.plan(), .log = search.log()};
  for (const SearchStep& step : result.log) {
    if (step.event != "accepted") continue;
    result.accuracy = step.accuracy;
    result.price = step.price;
  }
  return result;
}

TEST(ActivationDensity, HalvesToTheFloorAndKeepsFirstAndLastLayer) {
  Scripted network(test::tiny_network());
  ActivationDensityOptions options;
  options.floor_bits = 3;
  ActivationDensity search(options, {});
  const SearchResult result = finish(search, network);
  EXPECT_EQ(bits_of(result.plan), (std::vector<int>{16, 3, 3, 16}));
  std::vector<std::vector<int>> seen;
  for (const SearchStep& step : result.log) seen.push_back(bits_of(step.plan));
  EXPECT_EQ(seen, (std::vector<std::vector<int>>{{16, 16, 16, 16}, {16, 8, 8, 16}, {16, 4, 4, 16}, {16, 3, 3, 16}}));
  for (const model::LayerPlan& layer : result.plan.layers) EXPECT_EQ(layer.weight_bits, layer.activation_bits);
  EXPECT_EQ(result.log.back().event, "accepted");
}

TEST(ActivationDensity, TrainsUntilDensitiesAreFlat) {
  Scripted network(test::tiny_network());
  // Falls by 0.1 an epoch for four epochs, then stays.
  network.density = [](int epoch) { return std::vector<double>(4, epoch < 5 ? 1.0 - 0.1 * epoch : 0.6); };
  ActivationDensityOptions options;
  options.epochs_per_iteration = 10;
  options.max_iterations = 1;
  ActivationDensity search(options, {});
  EXPECT_EQ(finish(search, network).log.at(0).epochs, 5);

  Scripted impatient(test::tiny_network());
  impatient.density = network.density;
  options.epochs_per_iteration = 3;
  ActivationDensity limited(options, {});
  EXPECT_EQ(finish(limited, impatient).log.at(0).epochs, 3);
}

TEST(ActivationDensity, StopsWhenDensityIsNearlyOne) {
  Scripted network(test::tiny_network());
  network.density = [](int) { return std::vector<double>(4, 0.99); };
  ActivationDensity search({}, {});
  const SearchResult result = finish(search, network);
  EXPECT_EQ(result.log.size(), 1U);
  EXPECT_EQ(bits_of(result.plan), (std::vector<int>{16, 16, 16, 16}));
}

TEST(ActivationDensity, ReturnsToTheLastGoodBitsWhenAccuracyFalls) {
  Scripted network(test::tiny_network());
  network.accuracy = [](const model::Plan& plan) { return plan.layers[1].weight_bits >= 4 ? 0.9 : 0.5; };
  ActivationDensity search({}, {});
  const SearchResult result = finish(search, network);
  EXPECT_EQ(bits_of(result.plan), (std::vector<int>{16, 4, 4, 16}));
  EXPECT_EQ(bits_of(network.plan()), (std::vector<int>{16, 4, 4, 16}));
  EXPECT_EQ(result.log.back().event, "accuracy fell");
  EXPECT_EQ(network.restored, 1);
  EXPECT_EQ(result.accuracy, 0.9);
}

TEST(ActivationDensity, ADeadLayerEndsTheIterationAtOnce) {
  Scripted network(test::tiny_network());
  network.density = [](int epoch) {
    return epoch <= 2 ? std::vector<double>(4, 0.5) : std::vector<double>{0.5, 0.0, 0.5, 1.0};
  };
  ActivationDensityOptions options;
  options.epochs_per_iteration = 5;
  ActivationDensity search(options, {});
  const SearchResult result = finish(search, network);
  EXPECT_EQ(result.log.back().event, "dead layer");
  EXPECT_EQ(result.log.back().epochs, 1);
  EXPECT_EQ(bits_of(network.plan()), (std::vector<int>{16, 16, 16, 16}));
}

TEST(ActivationDensity, IterationLimitHolds) {
  Scripted network(test::tiny_network());
  network.density = [](int) { return std::vector<double>(4, 0.9); };
  ActivationDensityOptions options;
  options.max_iterations = 3;
  ActivationDensity search(options, {});
  EXPECT_EQ(finish(search, network).log.size(), 3U);
}

TEST(ActivationDensity, PrunesAllButTheLastLayer) {
  Scripted network(test::tiny_network());
  ActivationDensityOptions options;
  options.prune = true;
  options.max_iterations = 2;
  options.minimum_channels = 4;
  ActivationDensity search(
      options, {{}, [](const model::Network& n, const model::Plan&) { return static_cast<double>(n.total_macs()); }});
  const SearchResult result = finish(search, network);
  EXPECT_EQ(channels_of(result.plan), (std::vector<int>{4, 4, 4, 10}));
  EXPECT_LT(result.price, static_cast<double>(test::tiny_network().total_macs()) * 0.5);
  EXPECT_EQ(result.log[1].macs, static_cast<std::int64_t>(result.price));
}

TEST(ActivationDensity, TriesWidthsAloneWhenPruningCostTheAccuracy) {
  Scripted network(test::tiny_network());
  network.accuracy = [](const model::Plan& plan) { return plan.layers[1].channels == 8 ? 0.9 : 0.6; };
  ActivationDensityOptions options;
  options.prune = true;
  options.floor_bits = 4;
  ActivationDensity search(options, {});
  const SearchResult result = finish(search, network);
  EXPECT_EQ(bits_of(result.plan), (std::vector<int>{16, 4, 4, 16}));
  EXPECT_EQ(channels_of(result.plan), (std::vector<int>{6, 8, 8, 10}));
  EXPECT_EQ(network.restored, 1);
}

TEST(ActivationDensity, WidthsFollowTheChosenDensity) {
  const model::Network network = test::tiny_network();
  const model::Plan plan = model::uniform_plan(network, 16, 16);
  const Densities density{{0.25, 0.5, 0.75, 1.0}, {1.0, 0.25, 0.5, 0.75}};
  ActivationDensityOptions options;
  EXPECT_EQ(bits_of(ActivationDensity(options, {}).shrink(network, plan, density, false)),
            (std::vector<int>{16, 8, 12, 16}));
  options.density_of = DensityOf::input;
  EXPECT_EQ(bits_of(ActivationDensity(options, {}).shrink(network, plan, density, false)),
            (std::vector<int>{16, 4, 8, 16}));
}

TEST(ActivationDensity, RoundsUpToAllowedWidths) {
  const model::Network network = test::tiny_network();
  const ActivationDensity search({}, {{2, 4, 8, 16}, {}});
  const model::Plan plan = model::uniform_plan(network, 16, 16);
  EXPECT_EQ(bits_of(search.shrink(network, plan, {{0.5, 0.3, 0.6, 1}, {}}, false)), (std::vector<int>{16, 8, 16, 16}));
}

TEST(ActivationDensity, LayersThatReadOneTensorStayTied) {
  model::Network network("fork");
  const int input = network.add_input({8, 8, 1});
  const int first = network.add_relu(network.add_convolution(input, "a", 4, {}), "a_relu");
  const int left = network.add_relu(network.add_convolution(first, "b", 8, {}), "b_relu");
  const int right = network.add_relu(network.add_convolution(first, "c", 8, {}), "c_relu");
  network.add_linear(network.add_elementwise(left, right, "sum", model::Op::add), "d", 2);
  const model::Layout layout = lay_out(network);
  ActivationDensityOptions options;
  options.minimum_channels = 1;
  const ActivationDensity search(options, {});
  const Densities density{{0.5, 0.25, 0.75, 1}, {}};
  const model::Plan plan = search.shrink(network, model::uniform_plan(network, 16, 16), density, true);
  EXPECT_EQ(plan.layers[1].activation_bits, 12);
  EXPECT_EQ(plan.layers[2].activation_bits, 12);
  EXPECT_EQ(plan.layers[1].weight_bits, 4);
  EXPECT_NO_THROW(tensor_bits(layout, plan));
  EXPECT_EQ(channels_of(plan), (std::vector<int>{2, 6, 6, 2}));  // what a sum joins keeps the more of both
  EXPECT_NO_THROW(model::planned_network(network, plan));
}

TEST(ActivationDensity, ResumesFromAnyStep) {
  auto script = [](Scripted& network) {
    network.accuracy = [](const model::Plan& plan) { return plan.layers[1].weight_bits >= 4 ? 0.9 : 0.5; };
  };
  Scripted whole(test::tiny_network());
  script(whole);
  ActivationDensity uninterrupted({}, {});
  const nlohmann::json expected = (finish(uninterrupted, whole), uninterrupted.state());
  for (int stop = 1; stop < whole.epochs; ++stop) {
    Scripted network(test::tiny_network());
    script(network);
    ActivationDensity first({}, {});
    for (int i = 0; i < stop; ++i) first.step(network);
    ActivationDensity second({}, {});
    second.resume(nlohmann::json::parse(first.state().dump()));
    finish(second, network);
    EXPECT_EQ(second.state(), expected) << "stopped after " << stop;
  }
}

TEST(TrainingComplexity, CountsEpochsByTheirCost) {
  const model::Network network = test::tiny_network();
  SearchStep full;
  full.passes = 2;
  full.plan = model::uniform_plan(network, 16, 16);
  SearchStep narrow = full;
  narrow.plan = model::uniform_plan(network, 4, 4);
  EXPECT_DOUBLE_EQ(training_complexity({full, narrow}, network, 16, 0, 4, nullptr), 1.0);
  const model::Technology line = model::load_technology("45nm-mac-memory");
  const double ratio = (3.1 * 4 / 32 + 0.1) / (3.1 * 16 / 32 + 0.1);
  EXPECT_DOUBLE_EQ(training_complexity({full, narrow}, network, 16, 0, 4, &line), (2 + 2 * ratio) / 4);
  EXPECT_DOUBLE_EQ(training_complexity({full}, network, 16, 3, 5, &line), 1.0);
}

TEST(SearchLog, BecomesOneRowALayerAndIteration) {
  Scripted network(test::tiny_network());
  ActivationDensity search({}, {});
  const std::string csv = to_csv(finish(search, network).log, "mac_energy_fj");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 4 * 4);
  EXPECT_NE(csv.find("\n1,accepted,2,2,0.9000,second,0.5000,8,8,8,"), std::string::npos) << csv;
}

TEST(Annealing, LeavesTheNetworkInItsBestEpoch) {
  Scripted network(test::tiny_network());
  int asked = 0;
  network.accuracy = [&](const model::Plan&) { return ++asked == 2 ? 0.8 : 0.7; };
  Annealing annealing(4, {});
  while (!annealing.done()) annealing.step(network);
  EXPECT_EQ(annealing.kept_epoch(), 2);
  EXPECT_EQ(network.restored, 1);
  EXPECT_EQ(annealing.best_accuracy(), 0.8);
  EXPECT_EQ(annealing.kept_accuracy(), 0.8);
}

// 0.8 on 100 images has a standard error of 0.040, so 0.765 is as good and 0.75 is not; on 1,000 images 0.765 is not.
TEST(Annealing, KeepsTheLatestOfThoseThatImagesCannotTellApart) {
  const auto kept = [](const std::vector<double>& accuracies, int judged_on, bool start_counts) {
    Scripted network(test::tiny_network());
    std::size_t asked = 0;
    network.accuracy = [&](const model::Plan&) { return accuracies.at(asked++); };
    Annealing annealing(static_cast<int>(accuracies.size()) - (start_counts ? 1 : 0), {}, 0, start_counts, judged_on);
    while (!annealing.done()) annealing.step(network);
    const auto at = static_cast<std::size_t>(annealing.kept_epoch() - (start_counts ? 0 : 1));
    EXPECT_EQ(annealing.kept_accuracy(), accuracies.at(at));
    return annealing.kept_epoch();
  };
  EXPECT_EQ(kept({0.7, 0.8, 0.765, 0.75}, 100, false), 3);
  EXPECT_EQ(kept({0.7, 0.8, 0.765, 0.75}, 1000, false), 2);
  EXPECT_EQ(kept({0.7, 0.765, 0.8, 0.75}, 100, false), 3);
  EXPECT_EQ(kept({1.0, 0.98, 0.9}, 41, true), 1);  // all right is not without error
  EXPECT_EQ(kept({1.0, 0.9, 0.9}, 41, true), 0);
}

}  // namespace
}  // namespace bitstrata::quant
