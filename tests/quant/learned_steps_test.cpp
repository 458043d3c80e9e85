// SPDX-License-Identifier: Apache-2.0
// Learned step sizes: their gradients by hand, what they begin as, and what widths and channels do to them.
#include <gtest/gtest.h>

#include <cmath>

#include "quant/export.h"
#include "quant/module.h"
#include "quant/rounding.h"
#include "quant/trainer.h"
#include "tests/quant/support.h"

namespace bitstrata::quant {
namespace {

using torch::Tensor;

QuantizeOptions learned(QuantizeOptions options = {}) {
  options.quantizer = Quantizer::learned_steps;
  return options;
}

Tensor some_images(int count) {
  auto generator = at::detail::createCPUGenerator(4);
  return torch::randint(0, 256, {count, 1, 28, 28}, generator, torch::kUInt8);
}

ForwardOptions quantized_pass() {
  ForwardOptions forward;
  forward.quantized = true;
  return forward;
}

TEST(LearnedSteps, OfTensorsHaveTheGradientOfLsq) {
  TrainingGrid grid = make_grid({0, 1.5}, 2, model::Coding::unsigned_code, Scales::free, 0);
  ASSERT_EQ(grid.step, 0.5);
  Tensor x = torch::tensor({-1.0F, 0.3F, 0.9F, 5.0F}).view({2, 2}).requires_grad_();
  Tensor step = torch::full({1}, 0.5F).requires_grad_();
  const Tensor y = fake_quantize(x, grid, step);
  EXPECT_TRUE(y.equal(torch::tensor({0.0F, 0.5F, 1.0F, 1.5F}).view({2, 2}))) << y;
  (y * torch::tensor({1.0F, 2.0F, 3.0F, 4.0F}).view({2, 2})).sum().backward();
  EXPECT_TRUE(x.grad().equal(torch::tensor({0.0F, 2.0F, 3.0F, 0.0F}).view({2, 2}))) << x.grad();
  // 1 * 0 + 2 * (1 - 0.6) + 3 * (2 - 1.8) + 4 * 3, of images with 2 values and a largest code of 3.
  EXPECT_NEAR(step.grad().item<double>(), 13.4 / std::sqrt(2.0 * 3.0), 1e-5);
}

TEST(LearnedSteps, OfTensorsWithAZeroPointCountFromIt) {
  TrainingGrid grid;
  grid.step = 0.5, grid.offset = 1, grid.high = 3;
  Tensor x = torch::tensor({{-2.0F, -0.2F, 0.6F, 3.0F}}).requires_grad_();
  Tensor step = torch::full({1}, 0.5F).requires_grad_();
  const Tensor y = fake_quantize(x, grid, step);
  EXPECT_TRUE(y.equal(torch::tensor({{-0.5F, 0.0F, 0.5F, 1.0F}}))) << y;
  y.sum().backward();
  // (0 - 1) + (0 + 0.4) + (1 - 1.2) + (3 - 1), of 4 values and a largest value of 2 steps.
  EXPECT_NEAR(step.grad().item<double>(), (-1 + 0.4 - 0.2 + 2) / std::sqrt(4.0 * 2.0), 1e-5);
}

TEST(LearnedSteps, OfWeightsHaveTheGradientOfLsq) {
  // Two channels whose gains are -2 and 0.5, at 2 bits: codes -1, 0, 1.
  const Tensor gain = torch::tensor({-2.0F, 0.5F});
  const Tensor upstream = torch::tensor({1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F}).view({2, 3, 1, 1});
  Tensor weights = torch::tensor({0.2F, -0.9F, 3.0F, 0.1F, 0.45F, -0.6F}).view({2, 3, 1, 1}).requires_grad_();
  Tensor step = torch::tensor({0.5F, 0.5F}).requires_grad_();
  const Tensor scale = learned_weight_scale(step, gain, Granularity::per_channel, Scales::free);
  EXPECT_TRUE(scale.allclose(torch::tensor({1.0F, 0.25F}))) << scale;
  EXPECT_TRUE(learned_weight_step(scale, gain, Granularity::per_channel).allclose(step));
  const Tensor y = fake_quantize_weights(weights, step, scale, 2, gain, Granularity::per_channel);
  EXPECT_TRUE(y.flatten().allclose(torch::tensor({0.0F, -0.5F, 0.5F, 0.0F, 0.5F, -0.5F}))) << y;
  (y * upstream).sum().backward();
  EXPECT_TRUE(weights.grad().flatten().equal(torch::tensor({1.0F, 0.0F, 0.0F, 4.0F, 5.0F, 0.0F}))) << weights.grad();
  // Weights in steps: 0.4, -1.8, 6 and 0.2, 0.9, -1.2; 3 weights a step, largest code 1.
  EXPECT_NEAR(step.grad()[0].item<double>(), (1 * (0 - 0.4) + 2 * -1 + 3 * 1) / std::sqrt(3.0), 1e-5);
  EXPECT_NEAR(step.grad()[1].item<double>(), (4 * (0 - 0.2) + 5 * (1 - 0.9) + 6 * -1) / std::sqrt(3.0), 1e-5);
}

TEST(LearnedSteps, OfAWholeTensorStayEqual) {
  const Tensor gain = torch::tensor({-2.0F, 0.5F});  // mean magnitude 1.25
  Tensor weights = torch::tensor({0.2F, -0.9F, 3.0F, 0.1F, 0.45F, -0.6F}).view({2, 3, 1, 1}).requires_grad_();
  Tensor step = torch::tensor({0.4F, 0.4F}).requires_grad_();
  const Tensor scale = learned_weight_scale(step, gain, Granularity::per_tensor, Scales::free);
  EXPECT_TRUE(scale.allclose(torch::tensor({0.5F, 0.5F}))) << scale;
  const Tensor y = fake_quantize_weights(weights, step, scale, 2, gain, Granularity::per_tensor);
  EXPECT_TRUE(y.flatten().allclose(torch::tensor({0.25F, -0.25F, 0.25F, 0.0F, 0.0F, -1.0F}))) << y;
  y.sum().backward();
  // In steps: -0.8, 3.6, -12 and 0.1, 0.45, -0.6; codes -1, 1, -1 and 0, 0, -1. Divided by the gain of the channel.
  const double expected = ((-1 + 0.8) + 1 - 1) / -2 + ((0 - 0.1) + (0 - 0.45) + (-1 + 0.6)) / 0.5;
  for (int n = 0; n < 2; ++n) EXPECT_NEAR(step.grad()[n].item<double>(), expected * 1.25 / std::sqrt(6.0), 1e-5);
}

TEST(LearnedSteps, SumsOfManyValuesLoseNothing) {
  auto generator = at::detail::createCPUGenerator(2);
  const Tensor x = torch::rand({1, 300007}, generator), gradient = torch::rand({1, 300007}, generator) - 0.5;
  TensorRounding rounding;
  rounding.inverse = 10, rounding.step = 0.1F, rounding.high = 7;
  Tensor to_x = torch::empty_like(x);
  const double sum =
      round_backward(gradient.data_ptr<float>(), x.data_ptr<float>(), to_x.data_ptr<float>(), x.numel(), rounding);
  const Tensor position = x.to(torch::kFloat64) * 10, inside = position < 7;
  const Tensor each =
      torch::where(inside, (position + 0.5).floor().clamp(0, 7) - position, torch::full_like(position, 7));
  EXPECT_NEAR(sum, (each * gradient).sum().item<double>(), 0.02);  // of magnitudes that sum up to 170,000
  EXPECT_TRUE(to_x.equal(torch::where(inside, gradient, torch::zeros_like(gradient))));
}

TEST(LearnedSteps, BeginWhereRangesAre) {
  for (const auto& make : {test::tiny_network, test::residual_network, test::mobile_network, test::signed_network})
    for (const Scales scales : {Scales::free, Scales::power_of_two})
      for (const Granularity granularity : {Granularity::per_channel, Granularity::per_tensor}) {
        Module module(make(), 1);
        module.options = learned({granularity, scales, SignedTensors::zero_point});
        module.set_plan(model::uniform_plan(module.network(), 3, 4));
        EXPECT_THROW(module.start_steps(), std::logic_error);
        const torch::NoGradGuard no_grad;
        module.forward(some_images(16), quantized_pass());
        const Module::Grids before = module.grids();
        module.start_steps();
        const Module::Grids after = module.grids();
        for (std::size_t t = 0; t < before.tensors.size(); ++t) {
          EXPECT_NEAR(after.tensors[t].step, before.tensors[t].step, 1e-6 * before.tensors[t].step);
          EXPECT_EQ(after.tensors[t].offset, before.tensors[t].offset);
        }
        for (std::size_t s = 0; s < before.weight_scales.size(); ++s)
          EXPECT_TRUE(after.weight_scales[s].allclose(before.weight_scales[s]));
        int steps = 0;
        for (const auto& [name, tensor] : module.parameters()) {
          if (!is_step(name)) continue;
          ++steps;
          EXPECT_GT(tensor.min().item<double>(), 0) << name;
        }
        EXPECT_GE(steps, 7);
      }
}

// The steps of a trained module, in the order of its parameters.
std::vector<Tensor> steps_of(const Module& module) {
  std::vector<Tensor> steps;
  for (const auto& [name, tensor] : module.parameters())
    if (is_step(name)) steps.push_back(tensor.detach().clone());
  return steps;
}

TEST(LearnedSteps, AreLearnedAndExported) {
  TrainOptions options;
  Trainer trainer(test::residual_network(), test::small_dataset(), options, learned());
  trainer.train_epoch({});
  for (const Tensor& step : steps_of(trainer.module())) EXPECT_EQ(step.abs().max().item<double>(), 0);  // float
  trainer.quantize(model::uniform_plan(trainer.network(), 3, 3));
  trainer.calibrate(256);
  trainer.module().start_steps();
  const std::vector<Tensor> before = steps_of(trainer.module());
  trainer.train_epoch({});
  const std::vector<Tensor> after = steps_of(trainer.module());
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_FALSE(after[i].equal(before[i])) << i;
    EXPECT_GT(after[i].min().item<double>(), 0) << i;
  }
  const model::FloatNetwork exported = float_network(trainer.module());
  int compared = 0;
  for (const auto& [name, tensor] : trainer.module().parameters()) {
    if (!name.starts_with("step.")) continue;
    const auto& grid = exported.grids.at(static_cast<std::size_t>(exported.graph.find(name.substr(5))));
    ASSERT_TRUE(grid.has_value()) << name;
    EXPECT_FLOAT_EQ(static_cast<float>(grid->scale), tensor.item<float>()) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 8);
  for (int s = 0; s < 7; ++s) {
    const auto& scales =
        exported.parameters
            .at(static_cast<std::size_t>(trainer.module().layout().stages[static_cast<std::size_t>(s)].weight))
            .scales;
    const Tensor expected = trainer.module().stage(s).step.detach() * trainer.module().folding_gain(s).abs();
    for (std::size_t n = 0; n < scales.size(); ++n)
      EXPECT_NEAR(scales[n], expected[static_cast<std::int64_t>(n)].item<double>(), 1e-6 * scales[n]);
  }
}

TEST(LearnedSteps, BeginAnewWhereTheWidthChanges) {
  Trainer trainer(test::signed_network(), test::small_dataset(), {}, learned());
  trainer.quantize(model::uniform_plan(trainer.network(), 4, 4));
  trainer.calibrate(256);
  trainer.train_epoch({});
  const Module::Grids before = trainer.module().grids();
  model::Plan plan = model::uniform_plan(trainer.network(), 3, 3);
  plan.layers[1].weight_bits = 1;
  plan.layers[2].weight_bits = 4;
  plan.layers[3].activation_bits = 4;
  const Tensor unchanged = trainer.module().parameters().back().second;
  trainer.apply(plan);
  EXPECT_FALSE(trainer.module().ranges_ready());
  {
    const torch::NoGradGuard no_grad;
    trainer.module().forward(some_images(64), quantized_pass());
  }
  const Module::Grids after = trainer.module().grids();
  EXPECT_EQ(after.tensors[1].bits, 3);
  EXPECT_EQ(after.tensors[3].step, before.tensors[3].step);
  EXPECT_TRUE(trainer.module().parameters().back().second.is_same(unchanged));
  EXPECT_TRUE(after.weight_scales[2].equal(before.weight_scales[2]));
  EXPECT_TRUE(after.weight_scales[0].allclose(
      weight_scale(trainer.module().folded_weight(0), 3, Granularity::per_channel, Scales::free)));
  EXPECT_TRUE(after.weight_scales[1].allclose(trainer.module().folded_weight(1).abs().mean({1, 2, 3})));
  trainer.train_epoch({});
  EXPECT_GT(trainer.module().stage(1).step.min().item<double>(), 0);  // and is learned from there
  trainer.apply(model::uniform_plan(trainer.network(), 3, 1));        // -1 and +1: seen anew
  EXPECT_FALSE(trainer.module().ranges_ready());
  trainer.train_epoch({});
  EXPECT_GT(trainer.module().grids().tensors[1].step, 0);
}

// What training at 16 bits makes of steps must not be what 7 bits begin with.
TEST(LearnedSteps, AreNotLearnedBeyondFourBits) {
  TrainOptions options;
  options.batch = 32;
  Trainer trainer(test::tiny_network(), test::small_dataset(), options, learned());
  for (int i = 0; i < 3; ++i) trainer.train_epoch({0.05, 0.1, 0.5});
  model::Plan plan = model::uniform_plan(trainer.network(), 16, 16);
  plan.layers[1].weight_bits = 5;
  plan.layers[1].activation_bits = 4;
  trainer.quantize(plan);
  trainer.calibrate(256);
  for (int i = 0; i < 3; ++i) trainer.train_epoch({0.05, 0.1, 0.5});
  int learned_steps = 0;
  for (const Tensor& step : steps_of(trainer.module())) learned_steps += step.min().item<double>() > 0 ? 1 : 0;
  EXPECT_EQ(learned_steps, 1);  // of the tensor of 4 bits
  const double wide = trainer.validation_accuracy();
  trainer.apply(model::uniform_plan(trainer.network(), 7, 7));
  trainer.train_epoch({0.001, 0.1, 0.5});
  EXPECT_GT(trainer.validation_accuracy(), wide - 0.05);
}

// Behind a batch norm nothing else would hold them: its sums have no scale, and a channel whose weights are all 0 has a
// gain that blows up what comes later.
TEST(LearnedSteps, OfWeightsStayNearTheirWeights) {
  int compared = 0;
  for (const Granularity granularity : {Granularity::per_channel, Granularity::per_tensor})
    for (const int bits : {1, 2, 4}) {
      Trainer trainer(test::tiny_network(), test::small_dataset(), {}, learned({.granularity = granularity}));
      trainer.train_epoch({});
      trainer.quantize(model::uniform_plan(trainer.network(), bits, 4));
      trainer.calibrate(256);
      Module& module = trainer.module();
      module.start_steps();
      {
        const torch::NoGradGuard no_grad;
        module.stage(0).step.mul_(1e-6);
        module.stage(1).step.mul_(1e6);
        module.stage(2).weight[3].zero_();
        module.stage(2).step.mul_(1e-6);
      }
      const Tensor unbounded = module.stage(2).step.detach().clone();
      module.bound_steps();
      for (const auto& [stage, share] : {std::pair{0, 0.125}, {1, 1.5}, {2, 0.125}}) {
        SCOPED_TRACE(testing::Message() << "stage " << stage << ", " << bits << " bits");
        const Tensor folded = module.folded_weight(stage);
        Tensor largest = folded.abs().amax({1, 2, 3});
        if (granularity == Granularity::per_tensor) largest = largest.max().expand_as(largest);
        const Tensor gain = module.folding_gain(stage).abs();
        const Tensor reference = granularity == Granularity::per_tensor ? gain.mean() : gain;
        const Tensor code = share * largest / reference / std::max(1, (1 << (bits - 1)) - 1);
        const Tensor step = module.stage(stage).step.detach();
        for (std::int64_t n = 0; n < step.size(0); ++n) {
          const bool nothing = stage == 2 && n == 3 && granularity == Granularity::per_channel;
          const double expected = (nothing ? unbounded : code)[n].item<double>();
          EXPECT_NEAR(step[n].item<double>(), expected, 1e-5 * expected) << n;
          ++compared;
        }
        const Tensor codes = weight_codes(folded, module.grids().weight_scales[static_cast<std::size_t>(stage)], bits);
        if (stage == 1 && granularity == Granularity::per_channel) {
          EXPECT_GT(codes.abs().amax({1, 2, 3}).min().item<double>(), 0);
        }
      }
    }
  std::cout << compared << " steps compared\n";
  EXPECT_GT(compared, 100);
}

TEST(LearnedSteps, AreBoundedWhileTraining) {
  Trainer trainer(test::tiny_network(), test::small_dataset(), {}, learned());
  trainer.quantize(model::uniform_plan(trainer.network(), 3, 4));
  trainer.calibrate(256);
  trainer.module().start_steps();
  {
    const torch::NoGradGuard no_grad;
    trainer.module().stage(1).step.mul_(1e6);
  }
  trainer.train_epoch({.peak = 1e-9});
  const Tensor largest = trainer.module().stage(1).weight.detach().abs().amax({1, 2, 3});
  EXPECT_TRUE((trainer.module().stage(1).step.detach() * 3 <= 1.5001 * largest).all().item<bool>());
}

// What a search has measured and trained is what goes on: only widths that changed are looked at.
TEST(LearnedSteps, StayWhereRangesAreCompleted) {
  Trainer trainer(test::tiny_network(), test::small_dataset(), {}, learned());
  trainer.quantize(model::uniform_plan(trainer.network(), 4, 4));
  trainer.calibrate(256);
  trainer.train_epoch({});
  const Module::Grids before = trainer.module().grids();
  model::Plan plan = model::uniform_plan(trainer.network(), 4, 4);
  plan.layers[1].activation_bits = 3;
  trainer.apply(plan);
  ASSERT_FALSE(trainer.module().ranges_ready());
  trainer.complete_ranges();
  ASSERT_TRUE(trainer.module().ranges_ready());
  const Module::Grids after = trainer.module().grids();
  EXPECT_NE(after.tensors[1].bits, before.tensors[1].bits);
  EXPECT_EQ(after.tensors[3].step, before.tensors[3].step);
  for (std::size_t s = 0; s < after.weight_scales.size(); ++s)
    EXPECT_TRUE(after.weight_scales[s].equal(before.weight_scales[s])) << s;
  EXPECT_GT(trainer.module().stage(1).step.min().item<double>(), 0);
}

TEST(LearnedSteps, GoWithTheChannels) {
  Trainer trainer(test::tiny_network(), test::small_dataset(), {}, learned());
  trainer.quantize(model::uniform_plan(trainer.network(), 4, 4));
  trainer.calibrate(256);
  trainer.train_epoch({});
  const Module& module = trainer.module();
  std::vector<Tensor> parallel;
  for (const auto& [name, tensor] : module.parameters()) parallel.push_back(tensor.detach() * 2);
  KeptChannels kept = all_channels(module.groups());
  kept[1] = {0, 2, 5};
  const Module cut = module.with_channels(kept, &parallel);
  EXPECT_TRUE(cut.stage(0).step.equal(module.stage(0).step.index_select(0, torch::tensor({0, 2, 5}))));
  EXPECT_TRUE(cut.stage(1).step.equal(module.stage(1).step));
  EXPECT_EQ(cut.grids().tensors[2].step, module.grids().tensors[2].step);
  const auto parameters = cut.parameters();
  ASSERT_EQ(parameters.size(), parallel.size());
  for (std::size_t i = 0; i < parallel.size(); ++i)
    EXPECT_TRUE(parallel[i].equal(parameters[i].second.detach() * 2)) << parameters[i].first;
}

TEST(LearnedSteps, LearnAtTwoBits) {
  TrainOptions options;
  options.batch = 32;
  Trainer trainer(test::tiny_network(), test::small_dataset(), options, learned());
  for (int i = 0; i < 3; ++i) trainer.train_epoch({0.05, 0.1, 0.5});
  trainer.quantize(model::uniform_plan(trainer.network(), 2, 2));
  trainer.calibrate(256);
  const double before = trainer.validation_accuracy();
  for (int i = 0; i < 3; ++i) trainer.train_epoch({0.02, 0.0, 0.2});
  EXPECT_GT(trainer.validation_accuracy(), before);
  EXPECT_GT(trainer.validation_accuracy(), 0.5);
}

TEST(Distillation, LossIsTheMixture) {
  TrainOptions options;
  options.batch = 1024;  // all images in one batch, so that their order does not matter
  options.distillation = 0.7;
  options.temperature = 3;
  Trainer trainer(test::tiny_network(), test::small_dataset(), options);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(trainer.train_epoch({}).teacher_passes, 0);  // float training follows the labels alone
  const Examples& train = test::small_dataset().train;
  const Tensor images =
      torch::from_blob(const_cast<std::uint8_t*>(train.bytes.data()), {1024, 28, 28, 1}, torch::kUInt8)
          .permute({0, 3, 1, 2})
          .contiguous();
  const Tensor labels =
      torch::from_blob(const_cast<int*>(train.labels.data()), {1024}, torch::kInt32).to(torch::kInt64);
  const auto logits = [&](const ForwardOptions& forward) {
    const torch::NoGradGuard no_grad;
    return trainer.module().forward(images, forward).to(torch::kFloat64);
  };
  const Tensor teacher = logits({});
  trainer.quantize(model::uniform_plan(trainer.network(), 2, 2));
  trainer.calibrate(512);
  EpochSchedule schedule;
  schedule.peak = 0.05;
  schedule.freeze_batch_norm = true;
  for (int epoch = 0; epoch < 2; ++epoch) {  // the teacher stays what it was while the network moves on
    const EpochReport report = [&] {
      EpochSchedule once = schedule;
      once.peak = 1e-9;
      return trainer.train_epoch(once);
    }();
    EXPECT_EQ(report.teacher_passes, 1);
    const Tensor own = logits(quantized_pass());
    const Tensor p = torch::softmax(teacher / 3, 1), q = torch::softmax(own / 3, 1);
    const double divergence = (p * (p / q).log()).sum().item<double>() / 1024;
    const double entropy = -torch::softmax(own, 1).log().gather(1, labels.view({-1, 1})).sum().item<double>() / 1024;
    EXPECT_GT(divergence, 0.0003);  // so that it is seen in the sum
    EXPECT_NEAR(report.loss, 0.3 * entropy + 0.7 * 9 * divergence, 2e-4) << "epoch " << epoch;
    if (epoch == 0) trainer.train_epoch(schedule);
  }
}

}  // namespace
}  // namespace bitstrata::quant
