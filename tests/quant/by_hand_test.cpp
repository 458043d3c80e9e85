// SPDX-License-Identifier: Apache-2.0
// Quantizers, schedules and scores in small numbers, worked out by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "quant/activation_density.h"
#include "quant/annealing.h"
#include "quant/fake_quantize.h"
#include "quant/price.h"
#include "quant/rounding.h"
#include "tests/quant/support.h"

namespace bitstrata::quant {
namespace {

using torch::Tensor;

TEST(ByHandGradients, OfTensorsWithAZeroPointEndAtTheirRange) {
  // Codes 0 to 3 stand for -1 to 2.
  const TrainingGrid grid = make_grid({-1, 2}, 2, model::Coding::unsigned_code, Scales::free, 0);
  ASSERT_EQ(grid.step, 1.0);
  ASSERT_EQ(grid.offset, 1.0);
  Tensor x = torch::tensor({-1.5F, -0.6F, 0.2F, 1.6F, 2.5F}).requires_grad_();
  const Tensor y = fake_quantize(x, grid);
  EXPECT_TRUE(y.equal(torch::tensor({-1.0F, -1.0F, 0.0F, 2.0F, 2.0F}))) << y;
  (y * torch::tensor({1.0F, 2.0F, 3.0F, 4.0F, 5.0F})).sum().backward();
  EXPECT_TRUE(x.grad().equal(torch::tensor({0.0F, 2.0F, 3.0F, 4.0F, 0.0F}))) << x.grad();
}

TEST(ByHandGradients, OfSignedTensorsReachTheLowestCode) {
  const TrainingGrid grid = make_grid({-3, 3}, 3, model::Coding::twos_complement, Scales::free, 0);
  ASSERT_EQ(grid.step, 1.0);  // the largest code is 3, the lowest -4
  Tensor x = torch::tensor({-5.0F, -3.8F, 2.6F, 3.4F}).requires_grad_();
  const Tensor y = fake_quantize(x, grid);
  EXPECT_TRUE(y.equal(torch::tensor({-4.0F, -4.0F, 3.0F, 3.0F}))) << y;
  y.sum().backward();
  EXPECT_TRUE(x.grad().equal(torch::tensor({0.0F, 1.0F, 1.0F, 0.0F}))) << x.grad();
}

TEST(ByHandGrids, ZeroPointIsTheNearestCode) {
  const TrainingGrid grid = make_grid({-1.0, 2.2}, 2, model::Coding::unsigned_code, Scales::free, 0);
  EXPECT_DOUBLE_EQ(grid.step, 3.2 / 3);
  EXPECT_EQ(grid.offset, 1);                                                                      // 0.94
  EXPECT_EQ(make_grid({-1.0, 3.0}, 2, model::Coding::unsigned_code, Scales::free, 0).offset, 1);  // 0.75
  EXPECT_EQ(make_grid({-0.5, 3.0}, 2, model::Coding::unsigned_code, Scales::free, 0).offset, 0);  // 0.43
}

TEST(ByHandGrids, StepsOfPowersOfTwoAreNotBelowTheSmallest) {
  EXPECT_EQ(allowed_step(0.26, Scales::power_of_two, 0.3), 0.5);  // 0.25 would be nearest
  EXPECT_EQ(allowed_step(0.26, Scales::power_of_two, 0.2), 0.25);
  EXPECT_EQ(allowed_step(0.26, Scales::free, 0.3), 0.3);
}

TEST(ByHandGrids, WeightScalesOfPowersOfTwoHoldTheLargestWeight) {
  // 3.6 is 2 steps of 2 with an error of 0.4, or 3 steps of 1 with 0.6.
  const Tensor scale =
      weight_scale(torch::tensor({3.6F, -3.6F}).view({1, 2, 1, 1}), 3, Granularity::per_channel, Scales::power_of_two);
  EXPECT_EQ(scale[0].item<float>(), 2);
}

TEST(ByHandRounding, ZeroWeightsOfOneBitAreAboveZero) {
  const std::vector<float> weights = {0, -0.1F, 0.1F};
  std::vector<float> values(3);
  round_weights(weights.data(), values.data(), 3, {.gain = 1, .scale = 0.5, .largest = 0});
  EXPECT_EQ(values, (std::vector<float>{0.5, -0.5, 0.5}));
  const Tensor codes = weight_codes(torch::tensor({0.0F, -0.1F, 0.1F}), torch::ones({1}), 1);
  EXPECT_TRUE(codes.equal(torch::tensor({1.0F, -1.0F, 1.0F})));
}

TEST(ByHandRounding, NegativeValuesAreNotZero) {
  const std::vector<float> values = {-1, 0, 2, 0, -3, 1e-30F};
  EXPECT_EQ(nonzero(values.data(), 6), 4);
}

// Takes down what it is asked; accuracies come from a list.
class Listed final : public Trainable {
 public:
  explicit Listed(std::vector<double> accuracies)
      : network_(test::tiny_network()), plan_(model::uniform_plan(network_, 16, 16)), accuracies_(accuracies) {}
  const model::Network& network() const override { return network_; }
  const model::Plan& plan() const override { return plan_; }
  EpochReport train_epoch(const EpochSchedule& schedule) override {
    schedules.push_back(schedule);
    EpochReport report;
    report.density = report.input_density = density;
    return report;
  }
  double validation_accuracy() override { return accuracies_.at(asked_++); }
  void apply(const model::Plan& plan) override { plan_ = plan; }
  void keep() override { ++kept; }
  void restore() override { ++restored; }

  std::vector<EpochSchedule> schedules;
  std::vector<double> density = {0.5, 0.5, 0.5, 0.5};
  int kept = 0, restored = 0;

 private:
  model::Network network_;
  model::Plan plan_;
  std::vector<double> accuracies_;
  std::size_t asked_ = 0;
};

TEST(ByHandAnnealing, EpochsFollowEachOtherAndTheLastAreFrozen) {
  Listed network({0.1, 0.2, 0.3, 0.4});
  Annealing annealing(4, {}, 2);
  while (!annealing.done()) annealing.step(network);
  ASSERT_EQ(network.schedules.size(), 4U);
  for (int i = 0; i < 4; ++i) {
    const EpochSchedule& schedule = network.schedules[static_cast<std::size_t>(i)];
    EXPECT_EQ(schedule.from, i * 0.25);
    EXPECT_EQ(schedule.to, i * 0.25 + 0.25);
    EXPECT_EQ(schedule.freeze_batch_norm, i >= 2);
  }
  EXPECT_EQ(annealing.kept_epoch(), 4);
  EXPECT_EQ(network.restored, 0);
}

TEST(ByHandAnnealing, EqualEpochsAreNoBetterAndTheStartMayBeBest) {
  Listed equal({0.7, 0.7, 0.7});
  Annealing annealing(3, {});
  while (!annealing.done()) annealing.step(equal);
  EXPECT_EQ(annealing.kept_epoch(), 1);
  EXPECT_EQ(equal.kept, 1);
  EXPECT_EQ(equal.restored, 1);

  Listed better({0.9, 0.7, 0.8});  // before the first epoch, and after both
  Annealing counted(2, {}, 0, true);
  while (!counted.done()) counted.step(better);
  EXPECT_EQ(counted.kept_epoch(), 0);
  EXPECT_EQ(counted.best_accuracy(), 0.9);
  EXPECT_EQ(better.kept, 1);
  EXPECT_EQ(better.restored, 1);
}

TEST(ByHandDensity, AccuracyIsHeldAgainstTheBestIteration) {
  // 0.88 is 0.02 below the best and goes on; 0.86 is 0.02 below that, but 0.04 below the best.
  Listed network({0.90, 0.88, 0.86});
  ActivationDensityOptions options;
  options.epochs_per_iteration = 1;
  options.max_drop = 0.03;
  ActivationDensity search(options, {});
  while (!search.done()) search.step(network);
  ASSERT_EQ(search.log().size(), 3U);
  EXPECT_EQ(search.log()[1].event, "accepted");
  EXPECT_EQ(search.log()[2].event, "accuracy fell");
  EXPECT_EQ(network.restored, 1);
}

TEST(ByHandDensity, ALayerAtTheDeadDensityIsDead) {
  for (const double density : {0.001, 0.0011}) {
    Listed network({0.9, 0.9});
    network.density = {0.5, density, 0.5, 0.5};
    ActivationDensityOptions options;
    options.max_iterations = 1;
    options.epochs_per_iteration = 1;
    ActivationDensity search(options, {});
    while (!search.done()) search.step(network);
    EXPECT_EQ(search.log()[0].event, density > 0.001 ? "accepted" : "dead layer") << density;
  }
}

TEST(ByHandDensity, ChannelsFollowWhatALayerWrites) {
  const model::Network network = test::tiny_network();  // 6, 8, 8 and 10 channels
  ActivationDensityOptions options;
  options.minimum_channels = 2;
  const model::Plan plan =
      ActivationDensity(options, {})
          .shrink(network, model::uniform_plan(network, 16, 16), {{0.5, 0.25, 0.75, 1}, {1, 0.5, 0.25, 0.75}}, true);
  std::vector<int> channels;
  for (const model::LayerPlan& layer : plan.layers) channels.push_back(layer.channels);
  EXPECT_EQ(channels, (std::vector<int>{3, 2, 6, 10}));
}

TEST(ByHandScore, HasABinomialError) {
  EXPECT_DOUBLE_EQ((Score{400, 300}.standard_error()), std::sqrt(0.75 * 0.25 / 400));
  EXPECT_EQ((Score{}.standard_error()), 0);
}

// 503 images of one pixel, whose class is 1 where the pixel is above 127; every third is labelled wrongly. Images are
// taken 500 at a time.
TEST(ByHandScore, CountsTheLabelsOfAllImages) {
  model::IntegerNetwork net{.name = "pixel",
                            .tensors = {{.shape = {1, 1, 1}, .bits = 8, .scale = 1.0 / 255},
                                        {.shape = {1, 1, 2}, .bits = 9, .coding = model::Coding::twos_complement}}};
  model::IntegerLayer layer;
  layer.name = "fc";
  layer.output = 1;
  layer.weight_bits = 2;
  layer.weights = std::vector<std::int16_t>{-1, 1};
  layer.bias = {255, 0};  // 255 - pixel against pixel
  layer.multiplier = {1, 1};
  layer.shift = {0, 0};
  layer.clip_low = -256;
  layer.clip_high = 255;
  layer.macs = 2;
  net.layers = {layer};
  model::validate(net);
  Examples examples{.shape = {1, 1, 1}, .bytes = {}, .values = {}, .labels = {}};
  int right = 0;
  for (int i = 0; i < 503; ++i) {
    const bool wrong = i % 3 == 0;
    const int above = i * i % 7 % 2;
    examples.bytes.push_back(static_cast<std::uint8_t>(above != 0 ? 200 : 50));
    examples.labels.push_back(wrong ? 1 - above : above);
    right += wrong ? 0 : 1;
  }
  EXPECT_EQ(golden_score(net, examples, 0, 1).correct, right);
  EXPECT_EQ(golden_score(net, examples, 0, 1).images, 503);
  EXPECT_EQ(golden_score(net, examples, 4, 1).correct, 2);  // not 0 and 3
}

}  // namespace
}  // namespace bitstrata::quant
