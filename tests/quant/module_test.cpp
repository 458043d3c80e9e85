// SPDX-License-Identifier: Apache-2.0
// The module: layout, batch-norm folding, channel removal.
#include "quant/module.h"

#include <gtest/gtest.h>

#include "quant/exact.h"
#include "tests/quant/support.h"

namespace bitstrata::quant {
namespace {

using torch::Tensor;

Tensor some_images(int count, std::uint64_t seed = 3) {
  auto generator = at::detail::createCPUGenerator(seed);
  return torch::randint(0, 256, {count, 1, 28, 28}, generator, torch::kUInt8);
}

// Statistics and scales as training leaves them, negative gains among them.
void disturb(Module& module, std::uint64_t seed) {
  const torch::NoGradGuard no_grad;
  auto generator = at::detail::createCPUGenerator(seed);
  for (std::size_t s = 0; s < module.layout().stages.size(); ++s) {
    StageWeights& stage = module.stage(static_cast<int>(s));
    if (!stage.normalised()) continue;
    stage.gamma.copy_(torch::randn(stage.gamma.sizes(), generator));
    stage.beta.copy_(torch::randn(stage.beta.sizes(), generator).mul_(0.3));
    stage.running_mean.copy_(torch::randn(stage.running_mean.sizes(), generator));
    stage.running_var.copy_(torch::rand(stage.running_var.sizes(), generator).add_(0.2));
  }
}

TEST(Layout, JoinsStagesAndLetsPoolingShareATensor) {
  const Layout layout = lay_out(test::tiny_network());
  ASSERT_EQ(layout.stages.size(), 4U);
  EXPECT_GE(layout.stages[0].batch_norm, 0);
  EXPECT_GE(layout.stages[2].activation, 0);
  EXPECT_EQ(layout.stages[2].batch_norm, -1);
  ASSERT_EQ(layout.tensors.size(), 7U);  // input, 4 stages, 2 poolings
  EXPECT_EQ(layout.tensors[2].source, 1);
  EXPECT_EQ(layout.tensors[1].readers, (std::vector<int>{1}));
  EXPECT_TRUE(layout.tensors[6].is_output);
  const std::vector<int> bits = [&] {
    model::Plan plan = model::uniform_plan(test::tiny_network(), 8, 8);
    plan.layers[1].activation_bits = 5;
    return tensor_bits(layout, plan);
  }();
  EXPECT_EQ(bits, (std::vector<int>{8, 5, 5, 8, 8, 8, 16}));
}

TEST(Folding, EqualsBatchNormByRunningStatistics) {
  Module module(test::tiny_network(), 1);
  disturb(module, 5);
  const torch::NoGradGuard no_grad;
  const Tensor x = some_images(4).to(torch::kFloat32).div(255.0);
  const model::Node& node = module.network().node(module.layout().stages[0].weight);
  const StageWeights& stage = module.stage(0);
  const Tensor expected =
      torch::batch_norm(convolve(x, stage.weight, node, 0.0), stage.gamma, stage.beta, stage.running_mean,
                        stage.running_var, false, 0.1, Module::kNormEpsilon, false);
  const Tensor folded = convolve(x, module.folded_weight(0), node, 0.0) + module.folded_bias(0).view({1, -1, 1, 1});
  EXPECT_TRUE(folded.allclose(expected, 1e-4, 1e-4)) << (folded - expected).abs().max();
}

TEST(Folding, QuantizedWeightsAreThoseOfTheFoldedLayer) {
  // Quantizing in the folded domain and unfolding for batch norm must give, with running statistics, the layer that
  // the integers describe; per tensor and power-of-two scales included, where the two domains differ.
  for (const Granularity granularity : {Granularity::per_channel, Granularity::per_tensor})
    for (const Scales scales : {Scales::free, Scales::power_of_two}) {
      Module module(test::tiny_network(), 1);
      disturb(module, 6);
      module.options = {granularity, scales, SignedTensors::twos_complement};
      module.set_plan(model::uniform_plan(module.network(), 4, 16));
      const torch::NoGradGuard no_grad;
      ForwardOptions forward;
      forward.quantized = true;
      const Tensor images = some_images(64);
      const Tensor logits = module.forward(images, forward);  // finds the ranges
      const ModuleIntegers integers = integers_of(module);
      const Tensor codes = ExactPath(module).run(images);
      const Tensor exact = codes.to(torch::kFloat64) * integers.tensors.back().step;
      // 16-bit activations: what remains is the rounding of the output codes and of float32.
      const double error = (exact - logits.to(torch::kFloat64)).abs().max().item<double>();
      EXPECT_LT(error, 0.01 * logits.abs().max().item<double>());
    }
}

TEST(Folding, AChannelWithoutGainGivesItsBiasOnly) {
  Module module(test::tiny_network(), 1);
  disturb(module, 7);
  const torch::NoGradGuard no_grad;
  module.stage(0).gamma[2] = 0;
  ForwardOptions forward;
  forward.quantized = true;
  const Tensor images = some_images(8);
  EXPECT_TRUE(module.forward(images, forward).isfinite().all().item<bool>());
  const Tensor codes = ExactPath(module).run_all(images)[1].select(1, 2);
  EXPECT_EQ(codes.min().item<std::int64_t>(), codes.max().item<std::int64_t>());
}

TEST(Channels, AreReallyRemovedAndDeadOnesLeaveNoTrace) {
  Module module(test::tiny_network(), 1);
  disturb(module, 8);
  {
    const torch::NoGradGuard no_grad;  // channels 1 and 4 of the first, 0 of the second layer are dead behind the ReLU
    for (const int channel : {1, 4}) {
      module.stage(0).gamma[channel] = 0;
      module.stage(0).beta[channel] = -1;
    }
    module.stage(1).gamma[0] = 0;
    module.stage(1).beta[0] = -0.5;
  }
  std::vector<Tensor> momentum;
  for (const auto& [name, tensor] : module.parameters()) momentum.push_back(tensor.detach() * 2);
  Module cut = module.with_channels(
      {{0, 2, 3, 5}, {1, 2, 3, 4, 5, 6, 7}, {0, 1, 2, 3, 4, 5, 6, 7}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}, &momentum);
  EXPECT_EQ(cut.stage(0).weight.sizes(), (std::vector<std::int64_t>{4, 1, 3, 3}));
  EXPECT_EQ(cut.stage(1).weight.sizes(), (std::vector<std::int64_t>{7, 4, 3, 3}));
  EXPECT_EQ(cut.stage(2).weight.sizes(), (std::vector<std::int64_t>{8, 7, 3, 3}));
  EXPECT_EQ(cut.stage(1).running_var.size(0), 7);
  EXPECT_EQ(cut.plan().layers[0].channels, 4);
  EXPECT_LT(cut.network().total_macs(), module.network().total_macs() * 4 / 5);
  EXPECT_LT(cut.network().total_parameters(), module.network().total_parameters());
  const auto parameters = cut.parameters();
  ASSERT_EQ(momentum.size(), parameters.size());
  for (std::size_t i = 0; i < momentum.size(); ++i)
    EXPECT_TRUE(momentum[i].equal(parameters[i].second.detach() * 2)) << parameters[i].first;
  const torch::NoGradGuard no_grad;
  const Tensor images = some_images(16);
  EXPECT_TRUE(cut.forward(images, {}).allclose(module.forward(images, {}), 1e-4, 1e-4));
}

TEST(Channels, OfALinearInputWithPixelsAreRemoved) {
  model::Network network("flat");
  int at = network.add_input({28, 28, 1});
  at = network.add_relu(network.add_convolution(at, "c", 3, {5, 5, 8, 8}), "c_relu");
  network.add_linear(at, "l", 10);
  Module module(network, 1);
  {
    const torch::NoGradGuard no_grad;
    module.stage(0).weight[1].zero_();
  }
  Module cut = module.with_channels({{0, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}, nullptr);
  EXPECT_EQ(cut.stage(1).weight.size(1), 2);
  const torch::NoGradGuard no_grad;
  const Tensor images = some_images(4);
  EXPECT_TRUE(cut.forward(images, {}).allclose(module.forward(images, {}), 1e-4, 1e-5));
}

TEST(Channels, OfGroupedConvolutionsAreRefused) {
  const Module module(test::signed_network(), 1);
  try {
    module.with_channels({{0, 1, 2, 3, 4, 5}, {0, 1, 2, 3}, {0, 1, 2, 3, 4, 5, 6, 7}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
                         nullptr);
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("third"), std::string::npos) << error.what();
  }
}

TEST(Gradients, ReachEveryParameterAtEveryWidth) {
  for (const int bits : {1, 2, 4, 8, 16}) {
    Module module(test::tiny_network(), 2);
    module.set_plan(model::uniform_plan(module.network(), bits, bits));
    ForwardOptions forward;
    forward.quantized = true;
    forward.batch_statistics = true;
    module.forward(some_images(32), forward).square().sum().backward();
    for (const auto& [name, tensor] : module.parameters()) {
      ASSERT_TRUE(tensor.grad().defined()) << name << " at " << bits;
      EXPECT_GT(tensor.grad().abs().sum().item<double>(), 0) << name << " at " << bits;
      EXPECT_TRUE(tensor.grad().isfinite().all().item<bool>()) << name << " at " << bits;
    }
  }
}

TEST(Ranges, AreForgottenWhereTheWidthChanges) {
  Module module(test::tiny_network(), 2);
  model::Plan plan = model::uniform_plan(module.network(), 8, 8);
  module.set_plan(plan);
  ForwardOptions forward;
  forward.quantized = true;
  EXPECT_THROW(integers_of(module), std::invalid_argument);
  module.forward(some_images(8), forward);
  EXPECT_TRUE(module.ranges_ready());
  plan.layers[2].activation_bits = 3;
  module.set_plan(plan);
  EXPECT_FALSE(module.ranges_ready());
  EXPECT_TRUE(module.ranges()[1].ready);
  EXPECT_FALSE(module.ranges()[3].ready);
}

}  // namespace
}  // namespace bitstrata::quant
