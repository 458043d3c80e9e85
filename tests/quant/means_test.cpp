// SPDX-License-Identifier: Apache-2.0
// What calibration does where no training follows: means of the float network are matched, float inputs clipped.
#include <gtest/gtest.h>

#include "quant/annealing.h"
#include "quant/export.h"
#include "quant/module.h"
#include "quant/operators.h"
#include "quant/trainer.h"
#include "tests/quant/support.h"

namespace bitstrata::quant {
namespace {

using torch::Tensor;

constexpr int kImages = 512;

Tensor training_images(int count) {
  const Examples& part = test::small_dataset().train;
  return torch::from_blob(const_cast<std::uint8_t*>(part.bytes.data()), {count, 28, 28, 1}, torch::kUInt8)
      .permute({0, 3, 1, 2})
      .contiguous();
}

ForwardOptions quantized_pass() {
  ForwardOptions forward;
  forward.quantized = true;
  return forward;
}

Tensor logits(Trainer& trainer) {
  const torch::NoGradGuard no_grad;
  return trainer.module().forward(training_images(64), quantized_pass());
}

void train_and_calibrate(Trainer& trainer, int weight_bits, int activation_bits) {
  trainer.train_epoch({});
  trainer.quantize(model::uniform_plan(trainer.network(), weight_bits, activation_bits));
  trainer.calibrate(kImages, kImages);
}

// In front of its activation every layer but the last has, by channel, the mean that it has in float.
TEST(Means, OfQuantizedLayersAreThoseOfTheFloatNetwork) {
  const torch::NoGradGuard no_grad;
  int channels = 0;
  for (const auto& make : {test::tiny_network, test::residual_network, test::mobile_network}) {
    Module module(make(), 1);
    const Tensor images = training_images(128);
    ForwardOptions statistics;
    statistics.batch_statistics = true;
    statistics.norm_momentum = 1;
    module.forward(images, statistics);
    EXPECT_FALSE(module.has_means());
    module.forward(images, {.means = Means::take});
    EXPECT_TRUE(module.has_means());
    module.set_plan(model::uniform_plan(module.network(), 2, 4));
    ForwardOptions match = quantized_pass();
    match.means = Means::match;
    Module::Values values = module.begin(images, match);
    module.run(values, 0, match);
    for (const Step& step : module.layout().steps) {
      if (step.stage < 0) continue;
      const StageWeights& stage = module.stage(step.stage);
      if (module.layout().tensors[static_cast<std::size_t>(step.output)].is_output) {
        EXPECT_FALSE(stage.shift.defined());
        continue;
      }
      const TrainingGrid& grid = values.grids[static_cast<std::size_t>(step.input())];
      const Tensor weight =
          fake_quantize_weights(stage.weight, module.grids().weight_scales[static_cast<std::size_t>(step.stage)], 2,
                                module.folding_gain(step.stage));
      const Tensor rounded = convolve(values.tensors[static_cast<std::size_t>(step.input())], weight,
                                      module.network().node(step.node), grid.padding_value());
      const Tensor mean = rounded.mean({0, 2, 3}) + stage.shift;
      EXPECT_TRUE(mean.allclose(stage.mean, 1e-4, 1e-4 * stage.mean.abs().max().item<double>()));
      EXPECT_GT(stage.shift.abs().max().item<double>(), 0);
      channels += static_cast<int>(mean.numel());
    }
  }
  std::cout << channels << " means compared\n";
  EXPECT_GT(channels, 100);
}

TEST(Means, AreExportedAndMakeNarrowPlansBetter) {
  double matched = 0, unmatched = 0;
  for (const auto& make : {test::residual_network, test::mobile_network}) {
    const auto train = [](Trainer& trainer) {
      Annealing training(6, {0.05, 0.1, 0.0});
      while (!training.done()) training.step(trainer);
    };
    TrainOptions options;
    options.batch = 32;
    Trainer trainer(make(), test::small_dataset(), options);
    train(trainer);
    trainer.quantize(model::uniform_plan(trainer.network(), 3, 4));
    trainer.calibrate(kImages, kImages);
    matched += trainer.accuracy(Part::train);  // of the golden integers
    const GoldenTest golden = trainer.golden_test(trainer.integers());
    EXPECT_GT(golden.equal, 0.97 * static_cast<double>(golden.compared));
    Trainer other(make(), test::small_dataset(), options);
    train(other);
    other.quantize(trainer.plan());
    other.calibrate(kImages);
    EXPECT_FALSE(other.module().has_means());
    unmatched += other.accuracy(Part::train);
  }
  std::cout << "accuracy " << matched / 2 << ", without means " << unmatched / 2 << "\n";
  EXPECT_GT(matched, unmatched + 0.02);
}

TEST(Means, BecomeBiasesWhereTrainingGoesOn) {
  for (const auto& make : {test::residual_network, test::signed_network}) {
    Trainer trainer(make(), test::small_dataset(), {});
    train_and_calibrate(trainer, 3, 4);
    const Tensor before = logits(trainer);
    trainer.module().settle_means();
    EXPECT_FALSE(trainer.module().has_means());
    EXPECT_TRUE(logits(trainer).allclose(before, 1e-3, 1e-3));
    for (const auto& [name, tensor] : trainer.module().state()) EXPECT_FALSE(of_calibration(name)) << name;
    trainer.train_epoch({});
    EXPECT_FALSE(trainer.module().has_means());
    // Weights that were trained under quantization have no float network to follow, in another process neither.
    const std::filesystem::path file = test::scratch_folder() / "state.safetensors";
    trainer.save(file, "");
    Trainer other(make(), test::small_dataset(), {});
    other.load(file);
    for (Trainer* trained : {&trainer, &other}) {
      trained->calibrate(kImages, kImages);
      EXPECT_FALSE(trained->module().has_means());
    }
    EXPECT_TRUE(logits(other).equal(logits(trainer)));
  }
}

TEST(Means, AreStoredAndCutWithTheirChannels) {
  Trainer trainer(test::residual_network(), test::small_dataset(), {});
  train_and_calibrate(trainer, 3, 4);
  const std::filesystem::path file = test::scratch_folder() / "state.safetensors";
  trainer.save(file, "");
  Trainer other(test::residual_network(), test::small_dataset(), {});
  other.load(file);
  EXPECT_TRUE(other.module().has_means());
  EXPECT_TRUE(logits(other).equal(logits(trainer)));
  other.load_weights(file);  // the weights alone
  EXPECT_FALSE(other.module().has_means());

  model::KeptChannels kept = model::all_channels(trainer.module().groups());
  for (std::size_t g = 0; g < kept.size(); ++g)
    if (trainer.module().groups().groups[g].fixed.empty()) kept[g].erase(kept[g].begin());
  const Module cut = trainer.module().with_channels(kept, nullptr);
  int fewer = 0;
  for (int s = 0; s < static_cast<int>(cut.layout().stages.size()); ++s) {
    const StageWeights &whole = trainer.module().stage(s), &part = cut.stage(s);
    const std::int64_t size = part.weight.size(0), lost = whole.weight.size(0) - size;
    EXPECT_TRUE(part.mean.equal(whole.mean.narrow(0, lost, size)));
    EXPECT_EQ(part.shift.defined(), whole.shift.defined());
    if (whole.shift.defined()) {
      EXPECT_TRUE(part.shift.equal(whole.shift.narrow(0, lost, size)));
    }
    fewer += lost > 0;
  }
  EXPECT_GT(fewer, 2);
}

// One value far out: few bits do without it, eight do not, and what was clipped comes back with the width.
TEST(FloatInputs, OfFewBitsAreClipped) {
  const torch::NoGradGuard no_grad;
  Module module(test::tiny_network(), 1);
  torch::manual_seed(3);
  Tensor images = torch::randn({32, 1, 28, 28});
  images[0][0][0][0] = 20.0;
  module.set_input_range(images.min().item<double>(), 20.0);
  const auto plan = [&](int bits) {
    model::Plan made = model::uniform_plan(module.network(), 8, 8);
    made.layers[0].activation_bits = bits;
    return made;
  };
  const auto top = [&](int bits) {
    module.set_plan(plan(bits));
    module.forward(images, quantized_pass());
    const TrainingGrid grid = module.grids().tensors[0];
    EXPECT_EQ(grid.bits, bits);
    return (static_cast<double>(grid.high) - grid.offset) * grid.step;
  };
  EXPECT_NEAR(top(8), 20.0, 0.1);
  const double clipped_top = top(4);
  EXPECT_LT(clipped_top, 6.0);
  EXPECT_GT(clipped_top, 1.0);
  Module other(test::tiny_network(), 1);
  other.set_plan(plan(4));
  other.load_state(module.state());
  EXPECT_EQ(other.grids().tensors[0].step, module.grids().tensors[0].step);
  other.set_plan(plan(8));
  EXPECT_NEAR((static_cast<double>(other.grids().tensors[0].high) - other.grids().tensors[0].offset) *
                  other.grids().tensors[0].step,
              20.0, 0.1);
  EXPECT_NEAR(top(8), 20.0, 0.1);
}

}  // namespace
}  // namespace bitstrata::quant
