// SPDX-License-Identifier: Apache-2.0
// The exact path and the exported golden integers agree code for code on real test images.
#include <gtest/gtest.h>

#include <functional>

#include "model/golden.h"
#include "quant/exact.h"
#include "quant/export.h"
#include "quant/price.h"
#include "quant/trainer.h"
#include "tests/quant/support.h"

namespace bitstrata::quant {
namespace {

using torch::Tensor;

struct Case {
  const char* name;
  std::function<model::Network()> network;
  std::vector<int> weight_bits, activation_bits;  // of the layers in turn, repeated
  QuantizeOptions options;
};

std::ostream& operator<<(std::ostream& stream, const Case& c) { return stream << c.name; }

model::Plan plan_of(const Case& c, const model::Network& network) {
  model::Plan plan = model::uniform_plan(network, 8, 8);
  for (std::size_t i = 0; i < plan.layers.size(); ++i) {
    plan.layers[i].weight_bits = c.weight_bits[i % c.weight_bits.size()];
    plan.layers[i].activation_bits = c.activation_bits[i % c.activation_bits.size()];
  }
  return plan;
}

Tensor images_of(const model::Images& images, int count) {
  const Tensor nhwc =
      torch::from_blob(const_cast<std::uint8_t*>(images.pixels.data()), {count, 28, 28, 1}, torch::kUInt8);
  return nhwc.permute({0, 3, 1, 2}).contiguous();
}

class Agreement : public testing::TestWithParam<Case> {};

TEST_P(Agreement, EveryCodeOfEveryTensor) {
  constexpr int kImages = 24;
  const model::Dataset& data = test::small_dataset();
  TrainOptions train;
  Trainer trainer(GetParam().network(), data, train, GetParam().options);
  EpochSchedule schedule;
  trainer.train_epoch(schedule);  // real weights and statistics, not initial ones
  trainer.quantize(plan_of(GetParam(), trainer.network()));
  trainer.calibrate(512);

  const model::IntegerNetwork integers = trainer.integers();
  const std::vector<Tensor> exact = ExactPath(trainer.module()).run_all(images_of(data.test, kImages));
  ASSERT_EQ(exact.size(), integers.tensors.size());
  std::int64_t compared = 0, different = 0, nonzero = 0;
  for (int i = 0; i < kImages; ++i) {
    const auto golden = model::run_all(integers, model::encode_image(integers.tensors[0], data.test.image(i)));
    for (std::size_t t = 0; t < golden.size(); ++t) {
      const Tensor codes = exact[t][i].permute({1, 2, 0}).contiguous();  // as golden lays them out: [y][x][channel]
      ASSERT_EQ(static_cast<std::size_t>(codes.numel()), golden[t].size());
      const std::int64_t* mine = codes.data_ptr<std::int64_t>();
      for (std::size_t k = 0; k < golden[t].size(); ++k) {
        ++compared;
        different += mine[k] != golden[t][k];
        nonzero += golden[t][k] != 0;
      }
    }
  }
  std::cout << "compared " << compared << " codes (" << nonzero << " not zero) of " << kImages << " images, "
            << different << " differ\n";
  EXPECT_GT(compared, 0);
  EXPECT_GT(nonzero, compared / 50);
  EXPECT_EQ(different, 0);

  // The same network by golden alone and by the trainer: one accuracy.
  const Score score = golden_score(integers, data.test, 0, 1);
  EXPECT_EQ(score.images, data.test.count());
  EXPECT_DOUBLE_EQ(score.accuracy(), trainer.accuracy(Part::test));
}

const QuantizeOptions kFree{};
const QuantizeOptions kShift{Granularity::per_channel, Scales::power_of_two, SignedTensors::twos_complement};
const QuantizeOptions kTensor{Granularity::per_tensor, Scales::free, SignedTensors::twos_complement};
const QuantizeOptions kZeroPoint{Granularity::per_channel, Scales::free, SignedTensors::zero_point};
const QuantizeOptions kTensorShift{Granularity::per_tensor, Scales::power_of_two, SignedTensors::zero_point};

INSTANTIATE_TEST_SUITE_P(
    Plans, Agreement,
    testing::Values(
        Case{"uniform8", test::tiny_network, {8}, {8}, kFree}, Case{"uniform16", test::tiny_network, {16}, {16}, kFree},
        Case{"uniform1", test::tiny_network, {1}, {1}, kFree},
        Case{"mixed", test::tiny_network, {5, 1, 3, 16}, {7, 1, 2, 11}, kFree},
        Case{"mixed_shift", test::tiny_network, {5, 1, 3, 16}, {7, 1, 2, 11}, kShift},
        Case{"few_in_many_out_shift", test::tiny_network, {1, 2}, {1, 16, 2, 16}, kShift},
        Case{"per_tensor", test::tiny_network, {4, 9, 2, 6}, {6, 3, 13, 4}, kTensor},
        Case{"signed", test::signed_network, {8, 4, 1, 7}, {8, 5, 6, 9}, kFree},
        Case{"signed_zero_point", test::signed_network, {8, 4, 1, 7}, {8, 5, 6, 9}, kZeroPoint},
        Case{"signed_bipolar", test::signed_network, {8, 1, 3, 2}, {8, 1, 4, 1}, kFree},
        Case{"signed_per_tensor_shift", test::signed_network, {6, 2, 5, 3}, {8, 3, 1, 2}, kTensorShift},
        Case{"vgg_small",
             [] { return model::build_network("vgg_small"); },
             {16, 8, 4, 2, 1, 3, 16},
             {16, 8, 4, 2, 1, 3, 16},
             kFree},
        Case{"lenet5", [] { return model::build_network("lenet5"); }, {8, 3, 4, 1, 6}, {8, 5, 4, 1, 2}, kFree}),
    [](const auto& chosen) { return chosen.param.name; });

TEST(Agreement, FloatTrainingPathDiffersFromTheIntegersByRounding) {
  // Fake quantization leaves biases and multipliers unrounded, so a value close to the edge between two codes may fall
  // on the other side, and does so more often where accumulators are coarse; from layer to layer this adds up.
  const std::pair<int, double> expected[] = {{2, 0.75}, {4, 0.92}, {8, 0.99}};
  for (const auto& [bits, least] : expected) {
    Trainer trainer(test::tiny_network(), test::small_dataset(), {});
    trainer.train_epoch({});
    trainer.quantize(model::uniform_plan(trainer.network(), bits, bits));
    trainer.calibrate(512);
    const Tensor images = images_of(test::small_dataset().test, 256);
    const torch::NoGradGuard no_grad;
    std::vector<Tensor> trained;
    ForwardOptions forward;
    forward.quantized = true;
    forward.codes = &trained;
    trainer.module().forward(images, forward);
    const std::vector<Tensor> exact = ExactPath(trainer.module()).run_all(images);
    ASSERT_EQ(trained.size(), exact.size());
    const auto difference = [&](std::size_t t) { return (trained[t].to(torch::kInt64) - exact[t]).abs(); };
    EXPECT_EQ(difference(0).max().item<std::int64_t>(), 0);  // pixels
    // The inputs of the first layer are equal, so nothing has added up yet.
    EXPECT_LE(difference(1).max().item<std::int64_t>(), 1);
    std::int64_t compared = 0, equal = 0;
    for (std::size_t t = 1; t < exact.size(); ++t) {
      compared += exact[t].numel();
      equal += difference(t).eq(0).sum().item<std::int64_t>();
    }
    std::cout << bits << " bits: " << equal << " of " << compared << " codes equal\n";
    EXPECT_GT(static_cast<double>(equal), least * static_cast<double>(compared));

    // What quantize reports: the same comparison, made with the golden integers.
    const model::IntegerNetwork integers = trainer.integers();
    const GoldenTest golden = trainer.golden_test(integers);
    EXPECT_EQ(golden.compared, compared);
    EXPECT_EQ(golden.equal, equal);
    EXPECT_EQ(golden.score.correct, golden_score(integers, test::small_dataset().test, 0, 1).correct);
  }
}

TEST(Export, NeedsCalibration) {
  Trainer trainer(test::tiny_network(), test::small_dataset(), {});
  EXPECT_THROW(trainer.integers(), std::invalid_argument);
}

}  // namespace
}  // namespace bitstrata::quant
