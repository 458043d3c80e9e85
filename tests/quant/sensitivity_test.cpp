// SPDX-License-Identifier: Apache-2.0
// Losses of single changes: what is recalculated behind a change gives what whole passes give.
#include "quant/sensitivity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "quant/ranking.h"
#include "quant/trainer.h"
#include "tests/quant/support.h"

namespace bitstrata::quant {
namespace {

using torch::Tensor;

constexpr std::int64_t kImages = 256;

Tensor images() {
  const Examples& test = test::small_dataset().test;
  return torch::from_blob(const_cast<std::uint8_t*>(test.bytes.data()), {kImages, 28, 28, 1}, torch::kUInt8)
      .permute({0, 3, 1, 2})
      .contiguous();
}

Tensor labels() {
  return torch::from_blob(const_cast<int*>(test::small_dataset().test.labels.data()), {kImages}, torch::kInt32)
      .to(torch::kInt64);
}

TEST(Sensitivity, OfSingleChangesIsThatOfWholePlans) {
  std::int64_t compared = 0;
  for (const auto& make : {test::tiny_network, test::residual_network, test::mobile_network, test::branching_network}) {
    const model::Network network = make();
    Trainer trainer(network, test::small_dataset(), {});
    trainer.train_epoch({});
    const Tensor teacher = [&] {
      const torch::NoGradGuard no_grad;
      return trainer.module().forward(images(), {});
    }();
    SpaceOptions options;
    options.weight_bits = {3, 6, 8};
    options.activation_bits = {2, 8};
    for (const ChannelGroup& group : trainer.module().groups().groups)
      options.levels.push_back(group.fixed.empty() ? std::vector<int>{group.size / 2, group.size} : std::vector<int>{});
    const SearchSpace space(network, options);
    trainer.quantize(space.plan(space.largest()));
    trainer.calibrate(512);
    for (const Against against : {Against::labels, Against::teacher}) {
      Sensitivity sensitivity(trainer.module(), images(), labels(), teacher, against);
      const double own = sensitivity.loss(space.plan(space.largest()));
      const double before = sensitivity.passes();
      const Losses changes = sensitivity.single_changes(space, space.largest(), any_reach);
      const double passes = sensitivity.passes() - before;
      double whole = kImages;  // had nothing been left out
      for (std::size_t v = 0; v < changes.size(); ++v) {
        EXPECT_EQ(changes[v].back(), 0.0);
        for (std::size_t k = 0; k + 1 < changes[v].size(); ++k) {
          Point point = space.largest();
          point[v] = static_cast<int>(k);
          EXPECT_NEAR(changes[v][k], sensitivity.loss(space.plan(point)) - own, 1e-6)
              << network.name() << " " << to_string(space.variables()[v].kind) << " " << space.variables()[v].name;
          ++compared;
          whole += kImages;
        }
      }
      EXPECT_GT(passes, kImages);
      EXPECT_LT(passes, 0.9 * whole) << network.name();
    }
  }
  std::cout << compared << " changes compared\n";
  EXPECT_GT(compared, 100);
}

// Slopes between widths against differences of the losses there. Of one layer, whose result is not rounded, losses
// between two widths are smooth; of more, what lies behind is rounded anew, and at whole places they are the plans'.
TEST(Sensitivity, SlopesAreThoseOfTheLossBetweenWidths) {
  model::Network single("single");
  single.add_linear(single.add_input({28, 28, 1}), "fc", 10);
  SpaceOptions options;
  options.weight_bits = options.activation_bits = {2, 4, 8};
  const SearchSpace space(single, options);
  Trainer trainer(single, test::small_dataset(), {});
  trainer.train_epoch({});
  trainer.quantize(space.plan(space.largest()));
  trainer.calibrate(512);
  const Tensor teacher = [&] {
    const torch::NoGradGuard no_grad;
    return trainer.module().forward(images(), {});
  }();
  int compared = 0;
  for (const Against against : {Against::labels, Against::teacher}) {
    Sensitivity sensitivity(trainer.module(), images(), labels(), teacher, against);
    for (const double place : {0.25, 0.75, 1.5}) {
      for (std::size_t v = 0; v < 2; ++v) {
        const auto at = [&](double moved) {
          std::vector<double> places(2, place);
          places[v] += moved;
          return sensitivity.slopes(space, places, 1);
        };
        const double slope = at(0).by_variable[v], difference = (at(0.05).loss - at(-0.05).loss) / 0.1;
        EXPECT_NEAR(slope, difference, 0.02 * std::abs(difference) + 1e-4) << place << " " << v;
        EXPECT_NE(slope, 0.0);
        ++compared;
      }
    }
  }
  EXPECT_EQ(compared, 12);
}

TEST(Sensitivity, LossesAtWholePlacesAreThePlans) {
  int compared = 0;
  for (const auto& make : {test::residual_network, test::mobile_network, test::branching_network}) {
    const model::Network network = make();
    Trainer trainer(network, test::small_dataset(), {});
    trainer.train_epoch({});
    SpaceOptions options;
    options.weight_bits = {2, 5, 8};
    options.activation_bits = {2, 4, 8};
    const SearchSpace space(network, options);
    trainer.quantize(space.plan(space.largest()));
    trainer.calibrate(512);
    const Tensor few = images().narrow(0, 128, 128), answers = labels().narrow(0, 128, 128);
    Sensitivity all(trainer.module(), images(), labels(), {}, Against::labels);
    Sensitivity second(trainer.module(), few, answers, {}, Against::labels);
    for (const int place : {0, 1}) {
      const Point point(space.variables().size(), place);
      const std::vector<double> places(point.begin(), point.end());
      const Slopes slopes = all.slopes(space, places, 1);
      EXPECT_NEAR(slopes.loss, second.loss(space.plan(point)), 1e-5) << network.name();
      for (const double slope : slopes.by_variable) compared += std::isfinite(slope) && slope != 0;
      // The top of a cell is the next plan, rounded as the lower one's statistics have it.
      const Slopes top = all.slopes(space, std::vector<double>(point.size(), place + 0.999999), 1);
      const Point next(space.variables().size(), place + 1);
      EXPECT_NEAR(top.loss, second.loss(space.plan(next)), 0.1 * std::max(1.0, top.loss)) << network.name();
    }
  }
  std::cout << compared << " slopes\n";
  EXPECT_GT(compared, 40);
}

TEST(Sensitivity, NarrowPlansLoseMore) {
  const model::Network network = test::residual_network();
  Trainer trainer(network, test::small_dataset(), {});
  trainer.train_epoch({});
  const SearchSpace space(network, {});
  trainer.quantize(space.plan(space.largest()));
  trainer.calibrate(512);
  Sensitivity sensitivity(trainer.module(), images(), labels(), {}, Against::labels);
  const double wide = sensitivity.loss(model::uniform_plan(network, 8, 8));
  EXPECT_GT(sensitivity.loss(model::uniform_plan(network, 2, 2)), wide + 0.1);
  EXPECT_NEAR(sensitivity.accuracy(model::uniform_plan(network, 8, 8)), trainer.accuracy(Part::test), 0.02);
  // The module itself stays as it was.
  EXPECT_EQ(trainer.plan().layers[0].weight_bits, 8);
}

TEST(Sensitivity, MeasuresWithinReachAndWhatIsStillThere) {
  const model::Network network = test::residual_network();
  Trainer trainer(network, test::small_dataset(), {});
  SpaceOptions options;
  for (const ChannelGroup& group : trainer.module().groups().groups)
    options.levels.push_back(group.fixed.empty() ? std::vector<int>{group.size / 4, group.size / 2, group.size}
                                                 : std::vector<int>{});
  const SearchSpace space(network, options);
  trainer.quantize(space.plan(space.largest()));
  trainer.calibrate(512);
  Point half = space.largest();
  for (std::size_t v = 0; v < half.size(); ++v)
    if (space.variables()[v].kind == Variable::Kind::channels) half[v] = 1;
  trainer.apply(space.plan(half));
  Sensitivity sensitivity(trainer.module(), images(), labels(), {}, Against::labels);
  const Losses changes = sensitivity.single_changes(space, half, 1);
  int measured = 0, far = 0, gone = 0;
  for (std::size_t v = 0; v < changes.size(); ++v)
    for (int k = 0; k < static_cast<int>(changes[v].size()); ++k) {
      const bool finite = std::isfinite(changes[v][static_cast<std::size_t>(k)]);
      const bool channels = space.variables()[v].kind == Variable::Kind::channels;
      EXPECT_EQ(finite, std::abs(k - half[v]) <= 1 && !(channels && k > half[v])) << v << " " << k;
      (finite ? measured : channels && k > half[v] ? gone : far) += 1;
    }
  EXPECT_GT(measured, 10);
  EXPECT_GT(far, 10);
  EXPECT_GT(gone, 0);
  const std::vector<double> density = sensitivity.densities(space.plan(half));
  ASSERT_EQ(density.size(), space.plan(half).layers.size());
  for (const double share : density) {
    EXPECT_GT(share, 0.01);
    EXPECT_LE(share, 1.0);
  }
}

TEST(Ranking, KeepsTheHighest) {
  const std::vector<Tensor> ranking = {torch::tensor({2, 0, 1}, torch::kInt64), torch::tensor({1, 0}, torch::kInt64)};
  EXPECT_EQ(highest(ranking, {2, 1}), (KeptChannels{{0, 2}, {1}}));
}

}  // namespace
}  // namespace bitstrata::quant
