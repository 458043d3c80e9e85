// SPDX-License-Identifier: Apache-2.0
// The golden arithmetic: requantization by hand, the fast path against the definition, whole networks and batches.
#include "model/golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <iostream>
#include <map>

#include "tests/model/random_network.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// One output channel with a wide output, for requantization by hand.
IntegerLayer one_channel(std::int64_t bias, std::uint16_t multiplier, std::uint8_t shift, std::int32_t low = -32768,
                         std::int32_t high = 32767) {
  IntegerLayer layer;
  layer.bias = {bias};
  layer.multiplier = {multiplier};
  layer.shift = {shift};
  layer.clip_low = low;
  layer.clip_high = high;
  return layer;
}

TEST(Requantize, TiesGoUpAlsoBelowZero) {
  const IntegerLayer half = one_channel(0, 1, 1);
  EXPECT_EQ(requantize(half, 0, 3), 2);    //  1.5 -> 2
  EXPECT_EQ(requantize(half, 0, 1), 1);    //  0.5 -> 1
  EXPECT_EQ(requantize(half, 0, -1), 0);   // -0.5 -> 0
  EXPECT_EQ(requantize(half, 0, -3), -1);  // -1.5 -> -1
  EXPECT_EQ(requantize(half, 0, -4), -2);  // -2 exactly
  const IntegerLayer quarter = one_channel(0, 1, 2);
  EXPECT_EQ(requantize(quarter, 0, -5), -1);  // -1.25
  EXPECT_EQ(requantize(quarter, 0, -6), -1);  // -1.5 -> -1
  EXPECT_EQ(requantize(quarter, 0, -7), -2);  // -1.75
  EXPECT_EQ(requantize(quarter, 0, 6), 2);    //  1.5 -> 2
}

TEST(Requantize, ShiftZeroRoundsNothing) {
  EXPECT_EQ(requantize(one_channel(0, 1, 0), 0, -7), -7);
  EXPECT_EQ(requantize(one_channel(0, 3, 0), 0, -7), -21);
}

TEST(Requantize, BiasIsAddedBeforeTheMultiplierAndAfterTheAccumulatorShift) {
  IntegerLayer layer = one_channel(-3, 5, 3);
  EXPECT_EQ(requantize(layer, 0, 10), 4);  // (10 - 3) * 5 / 8 = 4.375
  layer.acc_shift = 1;
  EXPECT_EQ(requantize(layer, 0, 10), 11);    // (20 - 3) * 5 / 8 = 10.625
  EXPECT_EQ(requantize(layer, 0, -10), -14);  // (-20 - 3) * 5 / 8 = -14.375
}

TEST(Requantize, Clips) {
  const IntegerLayer layer = one_channel(0, 1, 0, 2, 5);
  EXPECT_EQ(requantize(layer, 0, 1), 2);
  EXPECT_EQ(requantize(layer, 0, 2), 2);
  EXPECT_EQ(requantize(layer, 0, 5), 5);
  EXPECT_EQ(requantize(layer, 0, 1000000), 5);
  EXPECT_EQ(requantize(layer, 0, -1000000), 2);
}

TEST(Requantize, WideProductsDoNotOverflow) {
  // 2^60 * 65535 / 2^63 = 8191.875 -> 8192; the product has 76 bits.
  EXPECT_EQ(requantize(one_channel(0, 65535, 63), 0, std::int64_t{1} << 60), 8192);
  EXPECT_EQ(requantize(one_channel(0, 65535, 63), 0, -(std::int64_t{1} << 60)), -8192);
  EXPECT_EQ(requantize(one_channel(0, 1, 63), 0, -1), 0);
}

TEST(Requantize, LeakyValuesHaveMultipliersOfTheirChannel) {
  IntegerLayer layer = one_channel(0, 2, 1);
  layer.activation = Activation::leaky;
  layer.bias = {0, 0};
  layer.multiplier = {2, 4};
  layer.negative_multiplier = {1, 3};
  layer.shift = {1, 2};
  EXPECT_EQ(requantize(layer, 0, 6), 6);    // 6 * 2 / 2
  EXPECT_EQ(requantize(layer, 0, -6), -3);  // -6 * 1 / 2
  EXPECT_EQ(requantize(layer, 1, 6), 6);    // 6 * 4 / 4
  EXPECT_EQ(requantize(layer, 1, -6), -4);  // -6 * 3 / 4 = -4.5
}

TEST(Requantize, HardSwishByHand) {
  IntegerLayer layer = one_channel(0, 1, 0);
  layer.activation = Activation::hard_swish;
  layer.swish_three = 48;
  layer.swish_six = 96;
  layer.swish_shift = 7;
  layer.swish_offset = 2;
  EXPECT_EQ(requantize(layer, 0, 10), 7);         // 10 * 58 / 128 = 4.53
  EXPECT_EQ(requantize(layer, 0, 100), 77);       // 100 * 96 / 128 = 75: the gate is open
  EXPECT_EQ(requantize(layer, 0, 48), 38);        // 48 * 96 / 128 = 36: just so
  EXPECT_EQ(requantize(layer, 0, -20), -2);       // -20 * 28 / 128 = -4.375
  EXPECT_EQ(requantize(layer, 0, -60), 2);        // the gate is closed
  EXPECT_EQ(requantize(layer, 0, 40000), 24577);  // 32767 * 96 / 128 = 24575.25
}

TEST(Requantize, TablesBeginAtTheLowestCode) {
  IntegerLayer layer = one_channel(0, 1, 0);
  layer.activation = Activation::table;
  layer.table.assign(256, 0);
  layer.table[0] = 7;
  layer.table[1] = 9;
  layer.table[128] = 11;
  layer.table[255] = 13;
  EXPECT_EQ(requantize(layer, 0, -300), 7);
  EXPECT_EQ(requantize(layer, 0, -128), 7);
  EXPECT_EQ(requantize(layer, 0, -127), 9);
  EXPECT_EQ(requantize(layer, 0, 0), 11);
  EXPECT_EQ(requantize(layer, 0, 127), 13);
  EXPECT_EQ(requantize(layer, 0, 128), 13);
}

// 1 x 1 x 4 input, linear layer with two outputs, every step by hand.
TEST(RunLayer, ByHand) {
  IntegerNetwork net{.name = "hand", .tensors = {{.shape = {1, 1, 4}, .bits = 4}, {.shape = {1, 1, 2}, .bits = 4}}};
  IntegerLayer layer;
  layer.name = "fc";
  layer.output = 1;
  layer.weight_bits = 3;
  layer.weights = {1, -4, 3, 0, -1, 2, -3, 3};
  layer.bias = {10, -1};
  layer.multiplier = {3, 1};
  layer.shift = {2, 1};
  layer.clip_high = 15;
  layer.macs = 8;
  net.tensors[1].coding = Coding::unsigned_code;
  net.layers = {layer};
  validate(net);
  // acc = {1*5 - 4*2 + 3*1, -5 + 4 - 3 + 45} = {0, 41}; {(0+10)*3/4, (41-1)/2} = {7.5 -> 8, 20 -> 15}
  const Codes input = {5, 2, 1, 15};
  EXPECT_THAT(run_layer_reference(net, net.layers[0], input), ElementsAre(8, 15));
  EXPECT_THAT(run_layer(net, net.layers[0], input), ElementsAre(8, 15));
}

// A bipolar input and 1-bit weights: 2 * acc - sum(w) is the real dot product of +-1 values.
TEST(RunLayer, BipolarByHand) {
  IntegerNetwork net{.name = "bipolar",
                     .tensors = {{.shape = {1, 3, 1}, .bits = 1, .coding = Coding::bipolar},
                                 {.shape = {1, 3, 1}, .bits = 8, .coding = Coding::twos_complement}}};
  IntegerLayer layer;
  layer.name = "conv";
  layer.output = 1;
  layer.window = {.kernel_width = 3, .pad_left = 1, .pad_right = 1};
  layer.weight_bits = 1;
  layer.weights = {1, 1, -1};
  layer.acc_shift = 1;
  layer.bias = {-1};  // minus the sum of the weights
  layer.multiplier = {1};
  layer.shift = {0};
  layer.clip_low = -128;
  layer.clip_high = 127;
  layer.macs = 9;
  net.layers = {layer};
  validate(net);
  // +1 -1 +1, padded with code 0 = -1: {-1+1+1, 1-1-1, -1+1+1} = {1, -1, 1}
  EXPECT_THAT(run_layer_reference(net, net.layers[0], {1, 0, 1}), ElementsAre(1, -1, 1));
  EXPECT_THAT(run_layer(net, net.layers[0], {1, 0, 1}), ElementsAre(1, -1, 1));
}

// Two pixels of 2 x 3 blocks of two channels: in a block's rows, then its columns, then the channels.
TEST(RunLayer, DepthToSpaceByHand) {
  IntegerNetwork net{.name = "space", .tensors = {{.shape = {1, 2, 12}, .bits = 5}, {.shape = {2, 6, 2}, .bits = 6}}};
  IntegerLayer layer;
  layer.name = "spread";
  layer.kind = LayerKind::depth_to_space;
  layer.output = 1;
  layer.factor = {2, 3};
  layer.bias = {0, 1};
  layer.multiplier = {1, 2};
  layer.shift = {0, 0};
  layer.clip_high = 60;
  net.layers = {layer};
  validate(net);
  const Codes input = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
  const Codes output = {0, 4,  2, 8,  4,  12, 20, 44, 22, 48, 24, 52,  // the second channel: 2 * (code + 1)
                        6, 16, 8, 20, 10, 24, 26, 56, 28, 60, 30, 60};
  EXPECT_EQ(run_layer_reference(net, net.layers[0], input), output);
  EXPECT_EQ(run_layer(net, net.layers[0], input), output);
}

// An operator on the codes of tensor 0 and, where `second` has a shape, of tensor 1; 1 as multiplier of each channel.
IntegerNetwork on_values(LayerKind kind, Shape first, Shape second, Shape output) {
  IntegerNetwork net{.name = "values",
                     .tensors = {{.shape = first, .bits = 4},
                                 {.shape = second, .bits = 4},
                                 {.shape = output, .bits = 8, .coding = Coding::twos_complement}}};
  IntegerLayer layer;
  layer.name = "values";
  layer.kind = kind;
  layer.second = has_two_inputs(kind) ? 1 : -1;
  layer.output = 2;
  layer.bias.assign(static_cast<std::size_t>(output.channels), 0);
  layer.multiplier.assign(layer.bias.size(), 1);
  layer.shift.assign(layer.bias.size(), 0);
  layer.clip_low = -128;
  layer.clip_high = 127;
  net.layers = {layer};
  return net;
}

void expect_both(const IntegerNetwork& net, const Codes& first, const Codes& second, const Codes& expected) {
  EXPECT_EQ(run_layer_reference(net, net.layers[0], first, second), expected);
  EXPECT_EQ(run_layer(net, net.layers[0], first, second), expected);
}

TEST(RunLayer, AddAndMultiplyByHand) {
  const Codes first = {1, 2, 3, 4}, second = {10, 0, 5, 7};  // two pixels of two channels
  IntegerNetwork add = on_values(LayerKind::add, {1, 2, 2}, {1, 2, 2}, {1, 2, 2});
  add.layers[0].factor = {3, -2};
  add.layers[0].bias = {0, 10};
  expect_both(add, first, second, {3 - 20, 6 - 0 + 10, 9 - 10, 12 - 14 + 10});

  IntegerNetwork multiply = on_values(LayerKind::multiply, {1, 2, 2}, {1, 2, 2}, {1, 2, 2});
  multiply.layers[0].factor = {-1, 2};
  multiply.layers[0].bias = {0, 10};
  expect_both(multiply, first, second, {10 - 1 + 20, 0 - 2 + 0 + 10, 15 - 3 + 10, 28 - 4 + 14 + 10});

  // One pixel meets all of the first input's, channel by channel.
  IntegerNetwork gate = on_values(LayerKind::multiply, {1, 2, 2}, {1, 1, 2}, {1, 2, 2});
  gate.layers[0].factor = {-1, 2};
  expect_both(gate, first, {10, 7}, {10 - 1 + 20, 14 - 2 + 14, 30 - 3 + 20, 28 - 4 + 14});
}

TEST(RunLayer, ConcatenateByHand) {
  IntegerNetwork net = on_values(LayerKind::concatenate, {1, 2, 2}, {1, 2, 1}, {1, 2, 3});
  net.layers[0].multiplier = {1, 2, 3};
  expect_both(net, {1, 2, 3, 4}, {7, 9}, {1, 4, 21, 3, 8, 27});
}

TEST(RunLayer, UpsampleByHand) {
  IntegerNetwork net = on_values(LayerKind::upsample, {2, 2, 1}, {}, {6, 6, 1});
  net.layers[0].factor = {3, 0};
  expect_both(net, {1, 2, 3, 4}, {}, {1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2,
                                      3, 3, 3, 4, 4, 4, 3, 3, 3, 4, 4, 4, 3, 3, 3, 4, 4, 4});
}

TEST(RunLayer, FastPathEqualsTheDefinitionOnRandomLayers) {
  constexpr std::uint64_t seed = 20240607;
  Random random(seed);
  std::int64_t compared = 0, unclipped = 0;
  std::map<std::string, int> seen;
  for (int round = 0; round < 4000; ++round) {
    const IntegerNetwork net = random_layer(random);
    const IntegerLayer& layer = net.layers[0];
    const Codes input = random_codes(random, net.tensors[0]);
    const Codes expected = run_layer_reference(net, layer, input);
    ASSERT_EQ(run_layer(net, layer, input), expected) << "seed " << seed << ", round " << round;
    compared += static_cast<std::int64_t>(expected.size());
    for (int code : expected) unclipped += code != layer.clip_low && code != layer.clip_high;
    ++seen[to_string(layer.kind)];
    ++seen[std::string(to_string(net.tensors[0].coding)) + " input"];
    const Window& w = layer.window;
    seen["1-bit weights"] += layer.weight_bits == 1;
    seen["1-bit weights on bipolar input"] += layer.weight_bits == 1 && net.tensors[0].coding == Coding::bipolar;
    seen["groups"] += layer.groups > 1;
    seen["stride"] += w.stride_height > 1 || w.stride_width > 1;
    seen["padding"] += w.pad_top + w.pad_bottom + w.pad_left + w.pad_right > 0;
    seen["dilation"] += w.dilation_height > 1 || w.dilation_width > 1;
    seen["padding with a zero point"] += net.tensors[0].zero_point != 0 && w.pad_top + w.pad_left > 0;
    seen["sums above float's exact integers"] += accumulator_bound(net, layer) > 2 * (1 << 24);
  }
  std::cout << "seed " << seed << ": compared " << compared << " values, " << unclipped << " between the clips\n";
  for (const auto& [what, count] : seen) std::cout << "  " << what << ": " << count << " layers\n";
  EXPECT_GT(compared, 0);
  EXPECT_GT(unclipped, compared / 5);
  for (const auto& [what, count] : seen) EXPECT_GT(count, 10) << what;
}

// The largest sums each arithmetic may carry: one step more and rounding would show.
TEST(RunLayer, FastPathIsExactAtTheLimitOfFloat) {
  // 2^24 - 1 = 257 * 65281: weights and codes such that sums end odd just below 2^24.
  for (int taps : {256, 257, 258, 259}) {
    IntegerNetwork net{.name = "limit",
                       .tensors = {{.shape = {1, 1, taps}, .bits = 16}, {.shape = {1, 1, 1}, .bits = 16}}};
    IntegerLayer layer;
    layer.name = "fc";
    layer.output = 1;
    layer.weight_bits = 2;
    layer.weights.assign(static_cast<std::size_t>(taps), 1);
    layer.multiplier = {1};
    layer.shift = {0};
    layer.clip_high = 65535;
    layer.macs = taps;
    const std::int64_t sum = std::int64_t{taps} * 65535 - 2;
    layer.bias = {1000 - sum};  // leaves the last digits in view
    net.layers = {layer};
    validate(net);
    Codes input(static_cast<std::size_t>(taps), 65535);
    input[3] -= 2;
    EXPECT_THAT(run_layer_reference(net, net.layers[0], input), ElementsAre(1000));
    EXPECT_THAT(run_layer(net, net.layers[0], input), ElementsAre(1000)) << taps;
  }
}

TEST(RunLayer, BeyondTheLimitOfDoubleTheDefinitionRuns) {
  const int height = 2049, width = 2048;  // sum of |w * c| = 2049 * 2048 * 2^15 * 65535 > 2^53
  const int count = height * width;
  IntegerNetwork net{.name = "huge", .tensors = {{.shape = {height, width, 1}, .bits = 16}, {.shape = {}, .bits = 16}}};
  IntegerLayer layer;
  layer.name = "fc";
  layer.output = 1;
  layer.window = {.kernel_height = height, .kernel_width = width};
  layer.weight_bits = 16;
  layer.weights.assign(static_cast<std::size_t>(count), -32768);
  layer.multiplier = {1};
  layer.shift = {0};
  layer.clip_high = 65535;
  layer.macs = count;
  const std::int64_t sum = -std::int64_t{count} * 32768 * 65535 + 32767;
  layer.weights[7] = -32767;
  layer.bias = {-sum - 32768};
  Codes input(static_cast<std::size_t>(count), 65535);
  // sum of w * c = -count * 2^15 * 65535 + 65535; with the bias: 65535 - 32767 - 32768 = 0
  net.layers = {layer};
  validate(net);
  ASSERT_GT(accumulator_bound(net, net.layers[0]), std::int64_t{1} << 53);
  EXPECT_THAT(run_layer(net, net.layers[0], input), ElementsAre(0));
  input[9] -= 1;  // 32768 more
  EXPECT_THAT(run_layer(net, net.layers[0], input), ElementsAre(32768));
}

TEST(RunAll, ChainsLayersAndBatchesKeepOrder) {
  constexpr std::uint64_t seed = 77;
  Random random(seed);
  std::int64_t compared = 0;
  for (int round = 0; round < 30; ++round) {
    const IntegerNetwork net = random_chain(random, 4, {.largest_side = 14});
    std::vector<Codes> inputs, outputs;
    for (int image = 0; image < 7; ++image) {
      inputs.push_back(random_codes(random, net.tensors[0]));
      std::vector<Codes> tensors = {inputs.back()};
      for (const IntegerLayer& layer : net.layers) {
        tensors.push_back(run_layer_reference(net, layer, tensors.back()));
      }
      ASSERT_EQ(run_all(net, inputs.back()), tensors) << "seed " << seed << ", round " << round;
      ASSERT_EQ(run(net, inputs.back()), tensors.back());
      for (const Codes& tensor : tensors) compared += static_cast<std::int64_t>(tensor.size());
      outputs.push_back(tensors.back());
    }
    ASSERT_EQ(run_batch(net, inputs, 3), outputs);
    ASSERT_EQ(run_batch(net, inputs), outputs);
  }
  EXPECT_GT(compared, 0);
  std::cout << "seed " << seed << ": compared " << compared << " values\n";
}

TEST(RunBatch, OfNoImagesIsEmpty) {
  Random random(1);
  EXPECT_TRUE(run_batch(random_layer(random), {}).empty());
}

TEST(Run, RefusesInputsThatContradictTheFormat) {
  Random random(5);
  const IntegerNetwork net = random_layer(random);
  Codes input = random_codes(random, net.tensors[0]);
  input[0] = 1 << 20;
  for (const auto& call : std::vector<std::function<void()>>{
           [&] { run_layer(net, net.layers[0], input); }, [&] { run_layer_reference(net, net.layers[0], input); },
           [&] { run(net, input); }, [&] { run_batch(net, std::vector<Codes>{input}); }}) {
    EXPECT_THAT(message_of<std::invalid_argument>(call), HasSubstr("1048576, its input holds"));
  }
  input.pop_back();
  EXPECT_THAT(message_of<std::invalid_argument>([&] { run(net, input); }), HasSubstr("codes, its input has"));
}

TEST(Argmax, TakesTheFirstOfEquals) {
  EXPECT_EQ(argmax({3, 9, -1, 9}), 1);
  EXPECT_EQ(argmax({-5}), 0);
  EXPECT_THROW(argmax({}), std::invalid_argument);
}

TEST(EncodeImage, RoundsHalfUp) {
  const std::vector<std::uint8_t> pixels = {0, 1, 127, 128, 254, 255};
  const auto encode = [&](int bits) { return encode_image({.shape = {1, 6, 1}, .bits = bits}, pixels); };
  EXPECT_THAT(encode(8), ElementsAre(0, 1, 127, 128, 254, 255));
  EXPECT_THAT(encode(1), ElementsAre(0, 0, 0, 1, 1, 1));  // 127 / 255 = 0.498, 128 / 255 = 0.502
  EXPECT_THAT(encode(2), ElementsAre(0, 0, 1, 2, 3, 3));  // 1.494, 1.506, 2.988
  EXPECT_THAT(encode(16), ElementsAre(0, 257, 32639, 32896, 65278, 65535));
  // 17 * 15 / 255 = 1 and 42.5 would be the tie of 4 bits at 2.5; 5-bit codes: 4 * 31 / 255 = 0.486, 5 * 31 / 255 =
  // 0.608
  EXPECT_THAT(encode_image({.shape = {1, 2, 1}, .bits = 5}, std::vector<std::uint8_t>{4, 5}), ElementsAre(0, 1));
}

TEST(EncodeImage, RefusesOtherFormats) {
  const std::vector<std::uint8_t> pixels = {1};
  EXPECT_THROW(encode_image({.zero_point = 3}, pixels), std::invalid_argument);
  EXPECT_THROW(encode_image({.coding = Coding::twos_complement}, pixels), std::invalid_argument);
  EXPECT_THROW(encode_image({.shape = {1, 2, 1}}, pixels), std::invalid_argument);
}

}  // namespace
}  // namespace bitstrata::testing
