// SPDX-License-Identifier: Apache-2.0
// The module that is trained and the golden integers that are exported agree on real test images.
#include <gtest/gtest.h>

#include <functional>

#include "model/activations.h"
#include "model/golden.h"
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
  tie_widths(lay_out(network), plan);
  return plan;
}

Tensor images_of(const Examples& images, int count) {
  const Tensor nhwc =
      torch::from_blob(const_cast<std::uint8_t*>(images.bytes.data()), {count, 28, 28, 1}, torch::kUInt8);
  return nhwc.permute({0, 3, 1, 2}).contiguous();
}

// All tensors of the first `count` images: [tensor], each [n][channel][y][x].
std::vector<Tensor> golden_codes(const model::IntegerNetwork& integers, const Examples& images, int count) {
  std::vector<Tensor> codes;
  for (const model::TensorFormat& format : integers.tensors)
    codes.push_back(
        torch::empty({count, format.shape.height, format.shape.width, format.shape.channels}, torch::kInt32));
  for (int i = 0; i < count; ++i) {
    const auto golden = model::run_all(integers, encode(integers.tensors[0], images, i));
    for (std::size_t t = 0; t < golden.size(); ++t)
      std::copy(golden[t].begin(), golden[t].end(), codes[t][i].data_ptr<std::int32_t>());
  }
  for (Tensor& tensor : codes) tensor = tensor.permute({0, 3, 1, 2}).contiguous();
  return codes;
}

// A network that has learnt something, with real statistics, under the case's plan.
std::unique_ptr<Trainer> trained(const Case& c) {
  auto trainer = std::make_unique<Trainer>(c.network(), test::small_dataset(), TrainOptions{}, c.options);
  trainer->train_epoch({});
  trainer->quantize(plan_of(c, trainer->network()));
  trainer->calibrate(512);
  if (c.options.quantizer == Quantizer::learned_steps) trainer->train_epoch({.peak = 0.02});
  return trainer;
}

// By how many codes of its output the integers of a step may be off, by what they round themselves.
double rounding(const Module& module, const Step& step, const Module::Values& values,
                const model::IntegerNetwork& integers) {
  const auto largest = [&](int tensor) {
    return values.tensors[static_cast<std::size_t>(tensor)].abs().max().item<double>();
  };
  const auto grid_of = [&](int tensor) -> const TrainingGrid& {
    return values.grids[static_cast<std::size_t>(tensor)];
  };
  const TrainingGrid& output = grid_of(step.output);
  const std::string& name = module.network().node(step.node).name;
  const auto layer = std::find_if(integers.layers.begin(), integers.layers.end(),
                                  [&](const model::IntegerLayer& candidate) { return candidate.name == name; });
  // A multiplier of 16 bits is off by 2^-17 of the result at most; sums in 32-bit floats by less.
  double codes = 0.01 + std::exp2(-16) * largest(step.output) / output.step;
  if (step.stage >= 0) {  // the bias is rounded to the accumulator's unit and its fraction bits
    const double unit = grid_of(step.input()).unit() *
                        module.grids().weight_scales[static_cast<std::size_t>(step.stage)].max().item<double>();
    const int fraction = layer->acc_shift - (grid_of(step.input()).coding == model::Coding::bipolar ? 1 : 0);
    codes += unit / output.step * std::exp2(-fraction - 1);
    // Products of a float and its rounded multiplier cancel in the sum, but not their errors.
    codes +=
        std::exp2(-16) * std::abs(static_cast<double>(layer->bias.front())) * std::exp2(-fraction) * unit / output.step;
  }
  if (layer->kind == model::LayerKind::add)  // factors of 15 bits
    codes += std::exp2(-15) * (largest(step.inputs[0]) + largest(step.inputs[1])) / output.step;
  if (layer->activation == model::Activation::hard_swish) {  // its argument, 3 and 6 are rounded to a unit of their own
    const double unit = std::sqrt(6 * output.step * std::exp2(-layer->swish_shift));
    codes += 0.5 * unit * (2 * largest(step.output) + 6) / 3 / output.step;
  }
  return codes;
}

class Agreement : public testing::TestWithParam<Case> {};

// Layer by layer on the codes that golden has in front of it, so that nothing adds up: the code is the one nearest to
// the module's value, but for values that lie within the rounding of biases and multipliers of an edge.
TEST_P(Agreement, EveryCodeOfEveryLayer) {
  constexpr int kImages = 24;
  const std::unique_ptr<Trainer> trainer = trained(GetParam());
  const torch::NoGradGuard no_grad;
  Module& module = trainer->module();
  const Layout& layout = module.layout();
  const model::IntegerNetwork integers = trainer->integers();
  const std::vector<Tensor> golden = golden_codes(integers, test::small_dataset().test, kImages);
  ForwardOptions forward;
  forward.quantized = true;
  Module::Values values = module.begin(images_of(test::small_dataset().test, kImages), forward);
  values.grids = module.grids().tensors;
  EXPECT_TRUE(grid_codes(values.tensors[0], values.grids[0]).equal(golden[0].to(torch::kFloat32)));
  for (std::size_t t = 0; t < layout.tensors.size(); ++t)
    values.tensors[t] = (golden[t].to(torch::kFloat32) - values.grids[t].offset) * values.grids[t].step;
  std::int64_t compared = 0, nonzero = 0, beyond = 0;
  for (std::size_t i = 0; i < layout.steps.size(); ++i) {
    const Step& step = layout.steps[i];
    const TrainingGrid& grid = values.grids[static_cast<std::size_t>(step.output)];
    const Tensor position = (module.unrounded(i, values, forward).to(torch::kFloat64) / grid.step + grid.offset)
                                .clamp(static_cast<double>(grid.low), static_cast<double>(grid.high));
    const Tensor codes = golden[static_cast<std::size_t>(step.output)].to(torch::kFloat64);
    const Tensor distance = (position - codes).abs() - 0.5 - rounding(module, step, values, integers);
    const model::Op function = step.activation < 0 ? model::Op::input : module.network().node(step.activation).op;
    const bool table = model::needs_table(function);
    const std::int64_t outside = distance.gt(0).sum().item<std::int64_t>();
    compared += codes.numel();
    nonzero += codes.ne(0).sum().item<std::int64_t>();
    // An index at an edge takes the entry beside, which may be some codes away.
    if (table) {
      EXPECT_LE(outside, codes.numel() / 500) << module.network().node(step.node).name;
    } else {
      beyond += outside;
      EXPECT_EQ(outside, 0) << module.network().node(step.node).name << ": up to " << distance.max().item<double>();
    }
  }
  std::cout << "compared " << compared << " codes (" << nonzero << " not zero) of " << kImages << " images, " << beyond
            << " are not the nearest\n";
  EXPECT_GT(compared, 0);
  EXPECT_GT(nonzero, compared / 50);

  // Golden alone and the trainer find one accuracy.
  const Score score = golden_score(integers, test::small_dataset().test, 0, 1);
  EXPECT_EQ(score.images, test::small_dataset().test.count());
  EXPECT_DOUBLE_EQ(score.accuracy(), trainer->accuracy(Part::test));
}

const QuantizeOptions kFree{};
const QuantizeOptions kShift{Granularity::per_channel, Scales::power_of_two, SignedTensors::twos_complement};
const QuantizeOptions kTensor{Granularity::per_tensor, Scales::free, SignedTensors::twos_complement};
const QuantizeOptions kZeroPoint{Granularity::per_channel, Scales::free, SignedTensors::zero_point};
const QuantizeOptions kTensorShift{Granularity::per_tensor, Scales::power_of_two, SignedTensors::zero_point};
const QuantizeOptions kLearned{.quantizer = Quantizer::learned_steps};
const QuantizeOptions kLearnedTensorShift{Granularity::per_tensor, Scales::power_of_two, SignedTensors::zero_point,
                                          Quantizer::learned_steps};

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
        Case{"learned_mixed", test::tiny_network, {5, 1, 3, 16}, {7, 1, 2, 11}, kLearned},
        Case{"learned_bipolar", test::signed_network, {8, 1, 3, 2}, {8, 1, 4, 1}, kLearned},
        Case{"learned_per_tensor_shift", test::signed_network, {6, 2, 5, 3}, {8, 3, 4, 2}, kLearnedTensorShift},
        Case{"learned_residual", test::residual_network, {4, 3}, {4, 5, 3}, kLearned},
        Case{"learned_mobile", test::mobile_network, {8, 4}, {8, 6}, kLearned},
        Case{"residual8", test::residual_network, {8}, {8}, kFree},
        Case{"residual_mixed", test::residual_network, {5, 2, 3, 16, 1, 4}, {8, 4, 3, 4, 2, 4}, kShift},
        Case{"mobile8", test::mobile_network, {8}, {8}, kFree},
        Case{"mobile_mixed", test::mobile_network, {5, 2, 3, 6, 8, 4}, {8, 4, 3, 7, 8, 6}, kFree},
        Case{"mobile16", test::mobile_network, {16}, {16}, kTensor},
        Case{"branching8", test::branching_network, {8}, {8}, kFree},
        Case{"branching_mixed", test::branching_network, {4, 3, 6, 8}, {8, 4, 4, 4, 4, 4}, kZeroPoint},
        Case{"functions", test::functions_network, {8}, {8}, kFree},
        Case{"lenet5", [] { return model::build_network("lenet5"); }, {8, 3, 4, 1, 6}, {8, 5, 4, 1, 2}, kFree}),
    [](const auto& chosen) { return chosen.param.name; });

TEST(Agreement, FromLayerToLayerRoundingAddsUp) {
  // Fake quantization leaves biases and multipliers unrounded and adds in 32-bit floats, so a value close to the edge
  // between two codes may fall on the other side; from layer to layer this adds up.
  const std::tuple<int, QuantizeOptions, double> expected[] = {
      {2, kFree, 0.99}, {4, kFree, 0.99}, {8, kFree, 0.99}, {2, kLearned, 0.99}, {8, kLearned, 0.99}};
  for (const auto& [bits, options, least] : expected) {
    const std::unique_ptr<Trainer> trainer = trained({"uniform", test::tiny_network, {bits}, {bits}, options});
    const torch::NoGradGuard no_grad;
    const model::IntegerNetwork integers = trainer->integers();
    const std::vector<Tensor> golden = golden_codes(integers, test::small_dataset().test, 256);
    std::vector<Tensor> codes;
    ForwardOptions forward;
    forward.quantized = true;
    forward.codes = &codes;
    trainer->module().forward(images_of(test::small_dataset().test, 256), forward);
    ASSERT_EQ(codes.size(), golden.size());
    std::int64_t compared = 0, equal = 0;
    for (std::size_t t = 1; t < golden.size(); ++t) {
      compared += golden[t].numel();
      equal += codes[t].to(torch::kInt32).eq(golden[t]).sum().item<std::int64_t>();
    }
    std::cout << bits << (options == kLearned ? " bits, learned steps: " : " bits: ") << equal << " of " << compared
              << " codes equal\n";
    EXPECT_GT(static_cast<double>(equal), least * static_cast<double>(compared));

    // What quantize reports is this comparison.
    const GoldenTest test = trainer->golden_test(integers);
    EXPECT_EQ(test.compared, compared);
    EXPECT_EQ(test.equal, equal);
    EXPECT_EQ(test.score.correct, golden_score(integers, test::small_dataset().test, 0, 1).correct);
  }
}

TEST(Export, NeedsCalibration) {
  Trainer trainer(test::tiny_network(), test::small_dataset(), {});
  EXPECT_THROW(trainer.integers(), std::invalid_argument);
}

}  // namespace
}  // namespace bitstrata::quant
