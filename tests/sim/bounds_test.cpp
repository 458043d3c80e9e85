// SPDX-License-Identifier: Apache-2.0
// Layers that fit a small array's limits exactly, and those that are one beyond: accumulators, carried sums, buffers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/golden.h"
#include "rtl/generate/layer_program.h"
#include "rtl/generate/program.h"
#include "sim/engine.h"
#include "sim/fast.h"
#include "tests/model/temporary.h"

namespace bitstrata::sim {
namespace {

using model::Architecture;
using model::IntegerLayer;
using model::IntegerNetwork;
using model::LayerKind;
using ::testing::HasSubstr;

// 16 x 16 with 16-bit accumulators: two outputs of 8-bit weights a tile, and one group of parameters for them.
Architecture small_array() {
  Architecture a;
  a.name = "small";
  a.rows = a.columns = 16;
  a.max_weight_bits = a.max_activation_bits = 8;
  a.accumulator_bits = 32;
  a.data_bits = 32;
  a.activation_depth = 32;
  a.output_depth = 8;
  a.weight_depth = 64;
  a.psum_depth = 32;
  a.parameter_depth = 32;
  a.post_lanes = 2;
  model::validate(a);
  return a;
}

// A kernel_height x 1 convolution with 8-bit operands, whose output has 8 bits, signed.
IntegerNetwork convolution(model::Shape in, int kernel_height, int channels, int weight_bits = 8) {
  const int height = in.height - kernel_height + 1;
  IntegerNetwork net{
      .name = "one",
      .tensors = {{.shape = in, .bits = 8},
                  {.shape = {height, in.width, channels}, .bits = 8, .coding = model::Coding::twos_complement}}};
  IntegerLayer layer;
  layer.name = "layer";
  layer.output = 1;
  layer.window.kernel_height = kernel_height;
  layer.weight_bits = weight_bits;
  const int weights = kernel_height * in.channels * channels, most = 1 << (weight_bits - 1);
  for (int i = 0; i < weights; ++i) layer.weights.push_back(static_cast<std::int16_t>(i * 37 % (2 * most) - most));
  layer.bias.assign(static_cast<std::size_t>(channels), 5);
  layer.multiplier.assign(layer.bias.size(), 40000);
  layer.shift.assign(layer.bias.size(), 24);
  layer.clip_low = -128;
  layer.clip_high = 127;
  layer.macs = std::int64_t{weights} * height * in.width;
  net.layers = {layer};
  model::validate(net);
  return net;
}

// Runs it on SystemC with golden's values and the predicted cycles, and returns its pieces.
std::size_t pieces_that_run(const IntegerNetwork& net, const Architecture& a, const model::Codes& input) {
  const generate::Program program = lower(net, a);
  const auto run = make_systemc_engine(a)->run(program, {input}, {});
  EXPECT_EQ(run.error, RunError::none);
  EXPECT_EQ(run.tensors.at(0).at(1), model::run_layer_reference(net, net.layers[0], input));
  EXPECT_EQ(run.descriptors, predict(program));
  return program.descriptors.size();
}

model::Codes ramp(const IntegerNetwork& net) {
  model::Codes codes;
  for (std::int64_t i = 0; i < net.tensors[0].shape.elements(); ++i)
    codes.push_back(static_cast<std::int32_t>(i * 29 % 256));
  return codes;
}

std::string refusal(const IntegerNetwork& net, const Architecture& a) {
  return testing::message_of<std::invalid_argument>([&] { lower(net, a); });
}

TEST(Accumulators, ReachTheirLimitAndNotBeyond) {
  Architecture a = small_array();
  a.accumulator_bits = 18;  // up to 131071
  IntegerNetwork net = convolution({1, 3, 4}, 1, 2);
  IntegerLayer& layer = net.layers[0];
  layer.weights = std::vector<std::int16_t>{127, 127, 127, 127, -128, -128, -128, -128};
  layer.bias = {131071 - 4 * 127 * 255, -(131071 - 4 * 128 * 255)};
  layer.multiplier = {1, 1};
  layer.shift = {10, 10};
  // The middle pixel reaches both ends: 131071 / 1024 = 127.999 and its negative.
  const model::Codes input = {0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 0};
  EXPECT_EQ(pieces_that_run(net, a, input), 1U);
  EXPECT_EQ(model::run_layer_reference(net, layer, input)[3], -128);
  ++layer.bias[0];
  EXPECT_THAT(refusal(net, a), HasSubstr("accumulators can reach 131072, which needs 19 bits"));
  --layer.bias[0];
  --layer.bias[1];
  EXPECT_THAT(refusal(net, a), HasSubstr("accumulators can reach 131072, which needs 19 bits"));
}

TEST(Accumulators, OfUnknownWeightsTakeTheWorst) {
  Architecture a = small_array();
  a.accumulator_bits = 18;
  const auto program = [&](int inputs) {
    IntegerNetwork net = convolution({1, 1, inputs}, 1, 2, 4);
    net.layers[0].weights = {};
    generate::program_layer(a, net, net.layers[0], {}, {});
  };
  EXPECT_NO_THROW(program(64));  // 64 * 8 * 255 = 130560
  EXPECT_THAT(testing::message_of<std::invalid_argument>([&] { program(65); }),
              HasSubstr("accumulators can reach 132600"));
}

TEST(Accumulators, HoldTwoOperandsSideBySide) {
  Architecture a = small_array();
  a.accumulator_bits = 18;  // a sign beside each of 8 bits
  IntegerNetwork net{.name = "sum", .tensors = {{.shape = {2, 3, 4}, .bits = 8}, {.shape = {2, 3, 4}, .bits = 8}}};
  IntegerLayer layer;
  layer.name = "sum";
  layer.kind = LayerKind::add;
  layer.second = 0;
  layer.output = 1;
  layer.factor = {1, 1};
  layer.bias.assign(4, 0);
  layer.multiplier.assign(4, 1);
  layer.shift.assign(4, 1);
  layer.clip_high = 255;
  net.layers = {layer};
  EXPECT_NO_THROW(lower(net, a));
  a.accumulator_bits = 17;
  EXPECT_THAT(refusal(net, a), HasSubstr("an accumulator of at least 18 bits"));
}

TEST(Widths, OfOutputsEndWithTheArchitectures) {
  IntegerNetwork net = convolution({1, 1, 4}, 1, 2);
  EXPECT_NO_THROW(lower(net, small_array()));
  net.tensors[1].bits = 9;
  EXPECT_THAT(refusal(net, small_array()), HasSubstr("9-bit output activations; architecture 'small' supports 1 to 8"));
}

// Five input rows do not fit the buffer, so the kernel is computed in two parts; 16 pixels of three tiles (two turns)
// are all that 32 places for partial sums hold.
TEST(CarriedSums, FillTheirBufferExactly) {
  Architecture a = small_array();
  a.activation_depth = 4;
  const IntegerNetwork net = convolution({8, 16, 4}, 5, 6);
  EXPECT_EQ(pieces_that_run(net, a, ramp(net)), 8U);  // 4 rows, 2 parts each
  EXPECT_THAT(refusal(convolution({8, 16, 4}, 5, 10), a), HasSubstr("3 times over: they do not fit psum_depth = 32"));
  a.psum_depth = 16;
  EXPECT_THAT(refusal(net, a), HasSubstr("16 pixels of an output row are computed at once"));
}

TEST(Buffers, AreFilledExactly) {
  Architecture a = small_array();
  a.psum_depth = 16;
  const IntegerNetwork wide = convolution({2, 16, 4}, 1, 3);
  EXPECT_EQ(pieces_that_run(wide, a, ramp(wide)), 1U);
  EXPECT_THAT(refusal(convolution({2, 17, 4}, 1, 3), a), HasSubstr("17 pixels of an output row are computed at once"));

  a = small_array();
  a.parameter_depth = 4;
  const IntegerNetwork deep = convolution({2, 5, 4}, 1, 8);  // four tiles of two outputs
  EXPECT_EQ(pieces_that_run(deep, a, ramp(deep)), 1U);
  EXPECT_THAT(refusal(convolution({2, 5, 4}, 1, 9), a), HasSubstr("9 channels need 5 groups of 2 parameter records"));

  a = small_array();
  a.weight_depth = 16;
  const IntegerNetwork full = convolution({2, 5, 32}, 1, 2);
  EXPECT_EQ(pieces_that_run(full, a, ramp(full)), 1U);
  a.weight_depth = 8;
  EXPECT_THAT(refusal(full, a), HasSubstr("a weight tile of 16 rows does not fit weight_depth = 8"));
}

// Sixteen groups of one channel with weights of -1 and +1, which take two columns each beside the zeros that part them:
// the outputs of all groups just fill two macros of eight.
TEST(PackedGroups, FillAllMacrosExactly) {
  Architecture a = small_array();
  a.tiles = 2;
  IntegerNetwork net = convolution({4, 6, 16}, 1, 16);
  IntegerLayer& layer = net.layers[0];
  layer.groups = 16;
  layer.weight_bits = 1;
  layer.weights = std::vector<std::int16_t>{1, -1, -1, 1, 1, 1, -1, 1, -1, -1, 1, -1, 1, -1, 1, 1};
  layer.bias.assign(16, 0);
  layer.multiplier.assign(16, 1);
  layer.shift.assign(16, 1);
  layer.macs = 4 * 6 * 16;
  model::validate(net);
  const generate::Program program = lower(net, a);
  EXPECT_EQ(program.numbers.at(0).mapping.packed, 16);
  EXPECT_EQ(pieces_that_run(net, a, ramp(net)), 1U);
}

TEST(Images, AreThoseOfTheBatch) {
  const IntegerNetwork net = convolution({2, 5, 4}, 1, 2);
  const generate::Program program = lower(net, small_array(), 3);
  std::vector<std::uint8_t> memory = generate::memory_image(program);
  for (int image = 0; image < 3; ++image) {
    model::Codes codes = ramp(net);
    codes[0] = 100 + image;
    generate::write_tensor(program, 0, codes, memory, image);
  }
  for (int image = 0; image < 3; ++image) EXPECT_EQ(generate::read_tensor(program, 0, memory, image)[0], 100 + image);
  for (const int image : {-1, 3})
    EXPECT_THAT(testing::message_of<std::invalid_argument>([&] { generate::read_tensor(program, 0, memory, image); }),
                HasSubstr("of a batch of 3"));
}

}  // namespace
}  // namespace bitstrata::sim
