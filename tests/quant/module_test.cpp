// SPDX-License-Identifier: Apache-2.0
// The module: layout, batch-norm folding, channel removal.
#include "quant/module.h"

#include <gtest/gtest.h>

#include "model/golden.h"
#include "quant/export.h"
#include "quant/operators.h"
#include "tests/quant/support.h"

namespace bitstrata::quant {
namespace {

using torch::Tensor;

Tensor some_images(int count, std::uint64_t seed = 3) {
  auto generator = at::detail::createCPUGenerator(seed);
  return torch::randint(0, 256, {count, 1, 28, 28}, generator, torch::kUInt8);
}

// The values of one tensor by the golden integers, [n][channel][y][x], in float64.
Tensor golden_values(const Module& module, const Tensor& images, std::size_t tensor) {
  const model::IntegerNetwork integers = export_integers(module);
  const model::TensorFormat& format = integers.tensors.at(tensor);
  std::vector<Tensor> all;
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const Tensor pixels = images[i].permute({1, 2, 0}).contiguous();
    const std::span<const std::uint8_t> bytes(pixels.data_ptr<std::uint8_t>(),
                                              static_cast<std::size_t>(pixels.numel()));
    const model::Codes codes = model::run_all(integers, model::encode_image(integers.tensors[0], bytes)).at(tensor);
    all.push_back(torch::tensor(std::vector<double>(codes.begin(), codes.end()), torch::kFloat64)
                      .view({format.shape.height, format.shape.width, format.shape.channels})
                      .permute({2, 0, 1}));
  }
  return (torch::stack(all) - format.zero_point) * format.scale;
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
      const Tensor exact = golden_values(module, images, 6).flatten(1);
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
  const Tensor channel = golden_values(module, images, 1).select(1, 2);
  EXPECT_EQ(channel.min().item<double>(), channel.max().item<double>());
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
      {{0}, {0, 2, 3, 5}, {1, 2, 3, 4, 5, 6, 7}, {0, 1, 2, 3, 4, 5, 6, 7}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}, &momentum);
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
  Module cut = module.with_channels({{0}, {0, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}, nullptr);
  EXPECT_EQ(cut.stage(1).weight.size(1), 2);
  const torch::NoGradGuard no_grad;
  const Tensor images = some_images(4);
  EXPECT_TRUE(cut.forward(images, {}).allclose(module.forward(images, {}), 1e-4, 1e-5));
}

TEST(Channels, OfGroupedConvolutionsAreRefused) {
  const Module module(test::signed_network(), 1);
  KeptChannels kept = all_channels(module.groups());
  kept[2].pop_back();
  try {
    module.with_channels(kept, nullptr);
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "channels of layer 'second' cannot be removed: 'third' is a grouped convolution");
  }
}

// Channels that say nothing leave no trace when their whole group goes: what sums, products, joinings and depthwise
// layers make of them included.
TEST(Channels, OfAGroupGoTogether) {
  for (const auto& make : {test::residual_network, test::mobile_network, test::branching_network}) {
    Module module(make(), 1);
    disturb(module, 9);
    const Layout& layout = module.layout();
    const ChannelGroups& groups = module.groups();
    KeptChannels kept = all_channels(groups);
    int cut_groups = 0;
    for (std::size_t g = 0; g < groups.groups.size(); ++g) {
      if (!groups.groups[g].fixed.empty()) continue;
      const torch::NoGradGuard no_grad;
      kept[g].erase(kept[g].begin() + 1);
      ++cut_groups;
      // The channel is silenced where it is written; a function that is not 0 at 0 is silenced where it is read.
      for (std::size_t s = 0; s < layout.stages.size(); ++s) {
        std::int64_t start = 0;
        for (const int part : groups.outputs[s]) {
          if (part == static_cast<int>(g)) {
            StageWeights& stage = module.stage(static_cast<int>(s));
            (stage.normalised() ? stage.gamma : stage.weight)[start + 1].zero_();
            (stage.normalised() ? stage.beta : stage.bias)[start + 1].zero_();
          }
          start += groups.groups[static_cast<std::size_t>(part)].size;
        }
        start = 0;
        for (const int part : groups.inputs[s]) {
          if (part == static_cast<int>(g) && module.network().node(layout.stages[s].weight).groups == 1)
            module.stage(static_cast<int>(s)).weight.select(1, start + 1).zero_();
          start += groups.groups[static_cast<std::size_t>(part)].size;
        }
      }
    }
    EXPECT_GT(cut_groups, 2) << module.network().name();
    const Module cut = module.with_channels(kept, nullptr);
    EXPECT_LT(cut.network().total_macs(), module.network().total_macs());
    const torch::NoGradGuard no_grad;
    const Tensor images = some_images(16);
    Module small = cut;
    EXPECT_TRUE(small.forward(images, {}).allclose(module.forward(images, {}), 1e-4, 1e-4)) << module.network().name();
  }
}

TEST(Gradients, ReachEveryParameterAtEveryWidth) {
  for (const auto& make : {test::tiny_network, test::residual_network, test::mobile_network, test::branching_network,
                           test::functions_network})
    for (const int bits : {1, 2, 4, 8, 16}) {
      Module module(make(), 2);
      // A mean of single bits is mostly 0, so gradients die behind it; functions by table have at most 8 bits.
      const bool plain = module.network().name() == "tiny";
      if (!plain && bits == 1) continue;
      if ((module.network().name() == "branching" || module.network().name() == "functions") && bits > 8) continue;
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

TEST(Plans, WidthsThatCannotBeHadAreRefused) {
  const auto message = [](const model::Network& network, const std::string& layer, int bits) -> std::string {
    Module module(network, 1);
    model::Plan plan = model::uniform_plan(network, 8, 8);
    for (model::LayerPlan& planned : plan.layers)
      if (planned.layer == layer) planned.activation_bits = bits;
    tie_widths(lay_out(network), plan);
    try {
      module.set_plan(plan);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(message(test::branching_network(), "deep", 9),
            "'small_act' would have 9 bits: silu is a table of at most 8");
  model::Network leaky("leaky");
  int at = leaky.add_leaky_relu(leaky.add_convolution(leaky.add_input({4, 4, 1}), "c", 2, {}), "c_leaky", 0.1);
  leaky.add_linear(at, "l", 2);
  EXPECT_EQ(message(leaky, "l", 1), "'c_leaky' would have 1 bit: a leaky ReLU needs a sign and so at least 2");
  EXPECT_EQ(message(leaky, "l", 2), "accepted");
}

TEST(Ranges, AreForgottenWhereTheWidthChanges) {
  Module module(test::tiny_network(), 2);
  model::Plan plan = model::uniform_plan(module.network(), 8, 8);
  module.set_plan(plan);
  ForwardOptions forward;
  forward.quantized = true;
  EXPECT_THROW(export_integers(module), std::invalid_argument);
  module.forward(some_images(8), forward);
  EXPECT_TRUE(module.ranges_ready());
  plan.layers[2].activation_bits = 3;
  module.set_plan(plan);
  EXPECT_FALSE(module.ranges_ready());
  EXPECT_TRUE(module.ranges()[1].has_value());
  EXPECT_FALSE(module.ranges()[3].has_value());
}

}  // namespace
// Biases get fraction bits as accumulators have room for them.
TEST(Export, KeepsToTheAccumulators) {
  Module module(test::tiny_network(), 1);
  disturb(module, 5);
  module.set_plan(model::uniform_plan(module.network(), 2, 2));
  ForwardOptions forward;
  forward.quantized = true;
  module.forward(some_images(8), forward);
  const auto bits_of = [&](int accumulator_bits) {
    const model::IntegerNetwork integers = export_integers(module, accumulator_bits);
    std::uint64_t widest = 0;
    for (const model::IntegerLayer& layer : integers.layers)
      widest = std::max(widest, static_cast<std::uint64_t>(model::accumulator_bound(integers, layer)));
    return std::bit_width(widest) + 1;
  };
  EXPECT_LE(bits_of(16), 16);
  EXPECT_GT(bits_of(48), 16);
}

}  // namespace bitstrata::quant
