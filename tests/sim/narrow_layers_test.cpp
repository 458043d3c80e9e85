// SPDX-License-Identifier: Apache-2.0
// Layers that fill few rows of the array: tensors in strips before depthwise convolutions, several planes at once,
// words of several rows; and arrays whose buffers and counters hardly hold a layer. Co-simulation draws such layers;
// here are the rules, places and cycles, by hand.
#include <gtest/gtest.h>

#include "model/golden.h"
#include "rtl/generate/program.h"
#include "rtl/generate/strips.h"
#include "sim/engine.h"
#include "sim/fast.h"

namespace bitstrata::sim {
namespace {

using model::Architecture;
using model::IntegerLayer;
using model::IntegerNetwork;

IntegerLayer convolution(const char* name, IntegerNetwork& network, int channels, int groups, int kernel, int stride,
                         int weight_bits) {
  IntegerLayer layer;
  layer.name = name;
  layer.input = static_cast<int>(network.tensors.size()) - 1;
  layer.output = layer.input + 1;
  const model::TensorFormat in = network.tensors.back();
  layer.groups = groups;
  layer.window = {.kernel_height = kernel,
                  .kernel_width = kernel,
                  .stride_height = stride,
                  .stride_width = stride,
                  .pad_top = kernel / 2,
                  .pad_bottom = kernel / 2,
                  .pad_left = kernel / 2,
                  .pad_right = kernel / 2};
  layer.weight_bits = weight_bits;
  const int weights = kernel * kernel * in.shape.channels / groups * channels, most = 1 << (weight_bits - 1);
  for (int i = 0; i < weights; ++i) {
    const int weight = weight_bits == 1 ? 1 - 2 * (i * 5 / 3 % 2) : i * 37 % (2 * most) - most;
    layer.weights.push_back(static_cast<std::int16_t>(weight));
  }
  layer.bias.assign(static_cast<std::size_t>(channels), 11);
  layer.multiplier.assign(layer.bias.size(), 50000);
  layer.shift.assign(layer.bias.size(), 26);
  layer.clip_low = -128;
  layer.clip_high = 127;
  const auto side = [&](int size) { return (size - 1) / stride + 1; };
  network.tensors.push_back({.shape = {side(in.shape.height), side(in.shape.width), channels},
                             .bits = 8,
                             .coding = model::Coding::twos_complement});
  layer.macs = weights * std::int64_t{side(in.shape.height)} * side(in.shape.width);
  return layer;
}

// 1 x 1 to `channels`, then a depthwise 3 x 3.
IntegerNetwork mobile(int side, int channels, int stride = 1, int weight_bits = 8) {
  IntegerNetwork network{.name = "mobile", .tensors = {{.shape = {side, side, 8}, .bits = 8}}, .layers = {}};
  network.layers.push_back(convolution("expand", network, channels, 1, 1, 1, 8));
  network.layers.push_back(convolution("depthwise", network, channels, channels, 3, stride, weight_bits));
  mark_depthwise(network);
  validate(network);
  return network;
}

// On SystemC: values of golden and cycles of the fast engine. Returns the latter.
std::int64_t run(const IntegerNetwork& network, const Architecture& a) {
  const generate::Program program = lower(network, a);
  model::Codes input;
  for (std::int64_t i = 0; i < network.tensors[0].shape.elements(); ++i) {
    const auto range = model::code_range(network.tensors[0].coding, network.tensors[0].bits);
    input.push_back(range.low + static_cast<std::int32_t>(i * 29 % (range.high - range.low + 1)));
  }
  const auto ran = make_systemc_engine(a)->run(program, {input}, {});
  EXPECT_EQ(ran.error, RunError::none);
  EXPECT_EQ(ran.tensors.at(0), model::run_all(network, input));
  EXPECT_EQ(ran.descriptors, predict(program));
  std::int64_t cycles = 0;
  for (const model::Events& events : ran.descriptors) cycles += events.cycles;
  return cycles;
}

TEST(Strips, FollowFromTheTensorItsReadersAndTheArchitecture) {
  const Architecture a;
  const auto strip = [](const IntegerNetwork& network, const Architecture& with) {
    return generate::strip_of(with, network.tensors[1]);
  };
  EXPECT_EQ(strip(mobile(12, 24), a), 4);
  EXPECT_EQ(generate::strip_of(a, mobile(12, 24).tensors[0]), 0);
  EXPECT_EQ(strip(mobile(12, 26), a), 0);  // no whole strips
  Architecture other = a;
  other.strips = false;
  EXPECT_EQ(strip(mobile(12, 24), other), 0);
  other = a;
  other.columns = 48;  // three outputs of 16-bit weights a tile
  EXPECT_EQ(strip(mobile(12, 24), other), 0);
  other.max_weight_bits = 12;
  EXPECT_EQ(strip(mobile(12, 24), other), 4);
  other.post_lanes = 8;
  EXPECT_EQ(strip(mobile(12, 24), other), 0);
  other = a;
  other.activation_depth = 16;  // 256 lines a parity: 4 rows of 12 x 24 values of 8 bits take 4 * 3 * 8
  EXPECT_EQ(strip(mobile(12, 24), other), 4);
  EXPECT_EQ(strip(mobile(12, 312), other), 0);  // 4 * 30 * 8
  IntegerNetwork twice = mobile(12, 24);
  IntegerLayer more = twice.layers[1];
  more.name = "more";
  more.output = 3;
  twice.tensors.push_back(twice.tensors[2]);
  twice.layers.push_back(more);
  mark_depthwise(twice);
  EXPECT_EQ(strip(twice, a), 0);  // two readers
}

TEST(Strips, PlaceChannelsOfAllPixelsSideBySide) {
  const model::TensorFormat format{.shape = {1, 5, 12}};
  EXPECT_EQ(generate::place_in_row(format, 0, 3, 7), 3 * 12 + 7);
  EXPECT_EQ(generate::place_in_row(format, 4, 0, 3), 3);
  EXPECT_EQ(generate::place_in_row(format, 4, 1, 0), 4);
  EXPECT_EQ(generate::place_in_row(format, 4, 3, 7), 20 + 3 * 4 + 3);
  EXPECT_EQ(generate::place_in_row(format, 4, 4, 11), 59);
}

TEST(Strips, ComputeSeveralPixelsOfDepthwiseConvolutionsAtOnce) {
  Architecture plain;
  plain.strips = false;
  // Rows of 13 pixels are no whole number of them.
  for (const auto& [side, stride] : {std::pair{24, 1}, {24, 2}, {13, 1}}) {
    for (const int weight_bits : {1, 2, 4, 8}) {
      const IntegerNetwork network = mobile(side, 48, stride, weight_bits);
      const generate::Program program = lower(network, Architecture{});
      int in_strips = 0, shared = 0;
      for (const auto& d : program.descriptors) {
        in_strips += d.get<generate::F_IN_STRIPS>();
        shared += d.get<generate::F_SHARED_RECORDS>();
      }
      EXPECT_GT(in_strips, 0);
      EXPECT_GT(shared, 0);
      EXPECT_LT(run(network, Architecture{}), run(network, plain))
          << side << " / " << stride << ", " << weight_bits << " bits";
    }
  }
}

TEST(Strips, AreCheckedAgainstTheGraph) {
  IntegerNetwork network = mobile(12, 24);
  network.layers[1].groups = 1;
  network.layers[1].macs *= 24;
  network.layers[1].weights = std::vector<std::int16_t>(24 * 24 * 9, 1);
  EXPECT_THROW(validate(network), std::invalid_argument);
  mark_depthwise(network);
  EXPECT_EQ(network.tensors[1].depthwise.rows, 0);
  validate(network);
}

TEST(PlanesAtOnce, TakeTheirPartOfTheCycles) {
  // 16 input values are a quarter of 64 rows: four planes of 8 at once, two cycles a pixel in place of eight.
  IntegerNetwork network{.name = "narrow", .tensors = {{.shape = {14, 14, 16}, .bits = 8}}, .layers = {}};
  network.layers.push_back(convolution("narrow", network, 8, 1, 1, 1, 8));
  Architecture a;
  a.fold = 4;
  const std::int64_t folded = run(network, a);
  EXPECT_EQ(lower(network, a).descriptors[0].get<generate::F_FOLD>(), 2);
  a.fold = 2;
  const std::int64_t halves = run(network, a);
  EXPECT_EQ(lower(network, a).descriptors[0].get<generate::F_FOLD>(), 1);
  a.fold = 1;
  const std::int64_t plain = run(network, a);
  EXPECT_EQ(lower(network, a).descriptors[0].get<generate::F_FOLD>(), 0);
  const std::int64_t pixels = 14 * 14;
  EXPECT_NEAR(static_cast<double>(plain - halves), static_cast<double>(pixels * 4), 80);
  EXPECT_NEAR(static_cast<double>(plain - folded), static_cast<double>(pixels * 6), 80);
}

// Turned over, the codes of the sums are up to twice as large: the accumulators run over on the way, and the bias takes
// them back.
TEST(PlanesAtOnce, OfSignedCodesMayPassTheAccumulatorsLimit) {
  IntegerNetwork network{.name = "signed",
                         .tensors = {{.shape = {1, 120, 15}, .bits = 8, .coding = model::Coding::twos_complement}},
                         .layers = {}};
  network.layers.push_back(convolution("signed", network, 2, 1, 1, 1, 8));
  IntegerLayer& layer = network.layers[0];
  layer.weights = std::vector<std::int16_t>(30, 17);  // 15 * 17 * 128 = 32640, turned over 15 * 17 * 255 = 65025
  layer.bias = {127, -127};
  layer.multiplier = {1, 1};
  layer.shift = {8, 8};
  Architecture a;
  a.fold = 4;
  a.accumulator_bits = 16;
  a.max_activation_bits = 7 + 1;
  a.max_weight_bits = 8;
  a.vector_unit = false;
  EXPECT_EQ(lower(network, a).descriptors[0].get<generate::F_FOLD>(), 2);
  run(network, a);
}

TEST(Words, HoldRowsThatAreWrittenAtOnce) {
  Architecture a;
  EXPECT_EQ(a.rows_at_once(), 4);
  EXPECT_EQ(a.weight_words(), 128);
  EXPECT_EQ(a.weight_word_bits(), 256);
  EXPECT_EQ(a.words_of_weights(8, 8, 9), 3);
  a.rows = 66;
  EXPECT_EQ(a.rows_at_once(), 2);
  a.rows = 63;
  EXPECT_EQ(a.rows_at_once(), 1);
  a = {};
  a.weight_depth = 8;
  EXPECT_EQ(a.rows_at_once(), 2);
  a.style = "overlay";
  EXPECT_EQ(a.rows_at_once(), 1);
  EXPECT_EQ(a.planes_at_once(), 1);
  // A linear layer of resident weights loads a quarter of the words.
  IntegerNetwork network{.name = "rows", .tensors = {{.shape = {1, 16, 64}, .bits = 2}}, .layers = {}};
  network.layers.push_back(convolution("rows", network, 64, 1, 1, 1, 8));
  Architecture one;
  one.load_rows = 1;
  const model::Events four = predict(lower(network, Architecture{})).at(0), single = predict(lower(network, one)).at(0);
  EXPECT_EQ(single.weight_rows_read, 4 * four.weight_rows_read);
  EXPECT_EQ(single.weight_cells_written, four.weight_cells_written);
  run(network, Architecture{});
}

// A block's last vector is one window here, which waits for its slot while the streamer is busy with the two before it.
// The loader, whose buffer holds the rows of a block alone, must leave them until that window is read.
TEST(TightBuffers, KeepRowsUntilTheLastWindowIsRead) {
  Architecture a;
  a.rows = a.columns = a.data_bits = 32;
  a.max_weight_bits = a.max_activation_bits = 8;
  a.post_lanes = 1;
  a.activation_depth = 4;
  a.output_depth = 256;
  a.psum_depth = 16;
  a.weight_depth = 2048;
  for (const int rows : {2, 3, 12}) {
    IntegerNetwork network{.name = "tight", .tensors = {{.shape = {rows, 8, 32}, .bits = 8}}, .layers = {}};
    network.layers.push_back(convolution("tight", network, 32, 1, 1, 1, 1));
    run(network, a);
  }
}

// Counters of `count_bits` bits, and places in a row, which have four more.
TEST(TightBuffers, AreCutIntoWhatCountersReach) {
  Architecture a;
  a.rows = 8;
  a.columns = 16;
  a.count_bits = 8;
  a.psum_depth = 64;
  IntegerNetwork wide{.name = "wide", .tensors = {{.shape = {3, 60, 4}, .bits = 2}}, .layers = {}};
  wide.layers.push_back(convolution("wide", wide, 72, 1, 1, 1, 2));  // rows of 4,320 values
  for (const auto& d : lower(wide, a).descriptors) EXPECT_LT(d.get<generate::F_OUT_ROW_BITS>(), 1 << 12);
  run(wide, a);
  IntegerNetwork long_rows{.name = "long", .tensors = {{.shape = {4, 52, 80}, .bits = 2}}, .layers = {}};
  long_rows.layers.push_back(convolution("long", long_rows, 4, 1, 3, 2, 2));  // rows of 4,160 values
  for (const auto& d : lower(long_rows, a).descriptors) EXPECT_LT(d.get<generate::F_IN_ROW_BITS>(), 1 << 12);
  run(long_rows, a);
}

// No part of a row of whole lines of 256 values is as short as 255.
TEST(TightBuffers, AreRefusedWhereNoPartOfARowIsShortEnough) {
  Architecture a;
  a.rows = a.columns = 16;
  a.data_bits = 256;
  a.count_bits = 8;
  a.max_activation_bits = 8;
  a.activation_depth = 4;
  IntegerNetwork network{.name = "linear", .tensors = {{.shape = {1, 1, 2500}, .bits = 8}}, .layers = {}};
  network.layers.push_back(convolution("linear", network, 4, 1, 1, 1, 8));
  EXPECT_THROW(lower(network, a), std::invalid_argument);
  a.data_bits = 128;
  run(network, a);
}

// Each of the seven rows that the first layer's window reaches over begins on a line of its own.
TEST(TightBuffers, LieInStripsOnlyWhereTheWritersRowsFit) {
  IntegerNetwork network{.name = "tall", .tensors = {{.shape = {12, 10, 2}, .bits = 8}}, .layers = {}};
  network.layers.push_back(convolution("writer", network, 8, 1, 7, 1, 4));
  network.layers.push_back(convolution("depthwise", network, 8, 8, 3, 1, 4));
  mark_depthwise(network);
  validate(network);
  Architecture a;
  a.rows = a.columns = 16;
  a.max_weight_bits = 4;
  a.activation_depth = 4;
  a.output_depth = 16;
  a.psum_depth = 128;
  EXPECT_EQ(generate::strip_of(a, network.tensors[1]), 0);
  run(network, a);
  a.activation_depth = 8;
  EXPECT_EQ(generate::strip_of(a, network.tensors[1]), 4);
  run(network, a);
}

}  // namespace
}  // namespace bitstrata::sim
