// SPDX-License-Identifier: Apache-2.0
// Batches: what is loaded once for all images, what the counts say of it, and where the images lie.
#include "rtl/generate/batch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <set>

#include "model/golden.h"
#include "rtl/generate/program.h"
#include "sim/engine.h"
#include "sim/fast.h"
#include "tests/sim/arrays.h"
#include "tests/sim/random_layers.h"

namespace bitstrata::sim {
namespace {

using generate::Piece;
using model::Events;
using model::IntegerLayer;
using model::IntegerNetwork;
using test::Random;

constexpr int images = 5;

// One convolution over `in` with kernel x kernel taps, 3-bit weights and 4-bit activations.
IntegerNetwork one_layer(Random& random, model::Shape in, int kernel, int pad, int channels) {
  IntegerNetwork network{.name = "one", .tensors = {{.shape = in, .bits = 4}}, .layers = {}};
  IntegerLayer layer{.name = "layer", .output = 1, .weight_bits = 3};
  layer.window.kernel_height = layer.window.kernel_width = kernel;
  layer.window.pad_top = layer.window.pad_bottom = layer.window.pad_left = layer.window.pad_right = pad;
  const int out = in.height + 2 * pad - kernel + 1;
  const auto n = static_cast<std::size_t>(channels);
  for (int i = 0; i < kernel * kernel * in.channels * channels; ++i)
    layer.weights.push_back(static_cast<std::int16_t>(test::pick(random, -4, 3)));
  layer.bias.assign(n, 7);
  layer.multiplier.assign(n, 40000);
  layer.shift.assign(n, 18);
  layer.clip_high = 15;
  layer.macs = std::int64_t{kernel} * kernel * in.channels * channels * out * out;
  network.tensors.push_back({.shape = {out, out, channels}, .bits = 4});
  network.layers.push_back(layer);
  model::validate(network);
  return network;
}

struct Both {
  Events single, batch;
  generate::Program program;  // of the batch
};

// Predicts the network for one image and for a batch, and holds the batch against SystemC and golden, every image with
// inputs of its own.
Both run_both(Random& random, const IntegerNetwork& network, const model::Architecture& a) {
  Both both{.single = {}, .batch = {}, .program = lower(network, a, images)};
  for (const Events& events : predict(lower(network, a))) both.single += events;
  for (const Events& events : predict(both.program)) both.batch += events;
  std::vector<model::Codes> inputs;
  for (int i = 0; i < images; ++i) inputs.push_back(test::random_codes(random, network.tensors[0]));
  const RunResult result = make_systemc_engine(a)->run(both.program, inputs, MemoryBehaviour{});
  EXPECT_EQ(result.error, RunError::none);
  EXPECT_EQ(result.layers, std::vector<Events>{both.batch});
  for (std::size_t i = 0; i < inputs.size(); ++i)
    EXPECT_EQ(result.tensors.at(i).back(), model::run(network, inputs[i])) << "image " << i;
  return both;
}

std::int64_t kept(const generate::Program& program) {
  return std::ranges::count_if(program.descriptors,
                               [](const generate::Descriptor& d) { return d.get<generate::F_KEEP_WEIGHTS>(); });
}

// Padding keeps the images apart: a descriptor each. The buffer holds all weights, so only the first image loads them.
TEST(Batch, ResidentWeightsStayFromImageToImage) {
  Random random(1);
  const auto a = test::wide_array();
  const Both both = run_both(random, one_layer(random, {9, 9, 5}, 3, 1, 30), a);
  ASSERT_EQ(both.program.descriptors.size(), static_cast<std::size_t>(images));
  EXPECT_EQ(kept(both.program), images - 1);
  EXPECT_GT(both.single.weight_lines_written, 0);
  EXPECT_EQ(both.batch.weight_lines_written, both.single.weight_lines_written);
  EXPECT_EQ(both.batch.memory_lines_read,
            images * both.single.memory_lines_read - (images - 1) * both.single.weight_lines_written);
  // The work is that of all images.
  EXPECT_EQ(both.batch.weight_rows_read, images * both.single.weight_rows_read);
  EXPECT_EQ(both.batch.cell_steps, images * both.single.cell_steps);
  EXPECT_EQ(both.batch.memory_lines_written, images * both.single.memory_lines_written);
  EXPECT_LT(both.batch.cycles, images * both.single.cycles);
}

// Linear layers that the weight buffer does not hold: all images' outputs are computed while the weights pass by once.
TEST(Batch, LinearLayersStreamTheirWeightsOnce) {
  Random random(2);
  auto a = test::wide_array();
  a.weight_depth = 128;
  const Both both = run_both(random, one_layer(random, {4, 4, 32}, 4, 0, 100), a);
  for (const generate::Descriptor& d : both.program.descriptors) EXPECT_FALSE(d.get<generate::F_RESIDENT>());
  EXPECT_EQ(both.program.descriptors.at(0).get<generate::F_OUT_HEIGHT>(), images);
  EXPECT_EQ(both.batch.weight_lines_written, both.single.weight_lines_written);
  EXPECT_EQ(both.batch.cell_steps, images * both.single.cell_steps);
  EXPECT_LT(2 * both.batch.cycles, images * both.single.cycles);
}

// The activation buffer does not hold the images: parts of the kernel, rows of the other parts left out.
TEST(Batch, LinearLayersInPartsStreamTheirWeightsOnce) {
  Random random(5);
  auto a = test::wide_array();
  a.weight_depth = 128;
  a.activation_depth = 4;
  const Both both = run_both(random, one_layer(random, {4, 4, 60}, 4, 0, 100), a);
  const auto rows_left_out = [&](const generate::Descriptor& d) {
    return d.get<generate::F_CARRY_OUT>() && d.get<generate::F_IN_ROW_STRIDE>() == both.program.tensors[0].bytes;
  };
  EXPECT_TRUE(std::ranges::any_of(both.program.descriptors, rows_left_out));
  EXPECT_EQ(both.batch.weight_lines_written, both.single.weight_lines_written);
  EXPECT_LT(2 * both.batch.cycles, images * both.single.cycles);
}

// And where the output buffer holds one image's row only: pieces of some channels each.
TEST(Batch, LinearLayersOfManyOutputsStreamTheirWeightsOnce) {
  Random random(6);
  auto a = test::wide_array();
  a.weight_depth = 128;
  a.output_depth = 4;
  const Both both = run_both(random, one_layer(random, {2, 2, 32}, 2, 0, 700), a);
  EXPECT_GT(both.program.descriptors.size(), 1u);
  // Once, but for a weight tile at each cut that is not full.
  EXPECT_LT(both.batch.weight_lines_written, 1.1 * static_cast<double>(both.single.weight_lines_written));
  EXPECT_LT(2 * both.batch.cycles, images * both.single.cycles);
}

TEST(Batch, LayersAreTallWhereWindowsStayInsideImages) {
  const auto tall = [](int height, int kernel, int stride, int pad, model::LayerKind kind) {
    const int out = (height + 2 * pad - kernel) / stride + 1;
    IntegerNetwork network{.name = "", .tensors = {{.shape = {height, 8, 4}}, {.shape = {out, 8, 4}}}, .layers = {}};
    IntegerLayer layer{.name = "layer", .kind = kind, .output = 1};
    layer.window.kernel_height = kernel;
    layer.window.stride_height = stride;
    layer.window.pad_top = layer.window.pad_bottom = pad;
    return generate::tall_layer(network, layer, 3);
  };
  using enum model::LayerKind;
  EXPECT_EQ(tall(8, 1, 1, 0, convolution)->tensors.tensors[0].shape.height, 24);
  EXPECT_EQ(tall(8, 2, 2, 0, max_pool)->tensors.tensors[1].shape.height, 12);
  EXPECT_EQ(tall(7, 7, 1, 0, average_pool)->layer.window.stride_height, 7);  // one window an image
  EXPECT_TRUE(tall(5, 3, 3, 0, convolution));                                // and two rows that none reads
  EXPECT_FALSE(tall(8, 3, 1, 1, convolution));
  EXPECT_FALSE(tall(9, 2, 2, 0, max_pool));  // the next image would begin in the middle of a window
  EXPECT_FALSE(tall(8, 3, 2, 0, max_pool));
  EXPECT_FALSE(tall(30000, 1, 1, 0, convolution));  // rows have 16 bits
}

// Windows that divide the rows, but begin above the first one: in a tall image that row would be another image's last.
TEST(Batch, PaddingAboveKeepsImagesApart) {
  Random random(11);
  const auto a = test::wide_array();
  IntegerNetwork network = one_layer(random, {8, 8, 5}, 2, 0, 6);
  IntegerLayer& layer = network.layers[0];
  layer.window.stride_height = layer.window.stride_width = 2;
  layer.window.pad_top = 1;
  network.tensors[1].shape = {4, 4, 6};
  layer.macs = 2 * 2 * 5 * 6 * 16;
  model::validate(network);
  EXPECT_EQ(run_both(random, network, a).program.descriptors.size(), static_cast<std::size_t>(images));
}

TEST(Batch, CarriedSumsStayTogetherAndEqualWeightsToo) {
  const auto piece = [](int x, int ky, bool in, bool out) {
    return Piece{.y1 = 1, .x0 = x, .x1 = x + 1, .n1 = 8, .ky0 = ky, .ky1 = ky + 1, .carry_in = in, .carry_out = out};
  };
  const auto order = [](const std::vector<Piece>& pieces) {
    std::string text;
    for (const generate::Turn& turn : generate::turns_of(pieces, 2))
      text += std::to_string(turn.piece) + "abc"[turn.image] + " ";
    return text;
  };
  EXPECT_EQ(order({piece(0, 0, false, false), piece(1, 0, false, false)}), "0a 1a 0b 1b ");
  EXPECT_EQ(order({piece(0, 0, false, false), piece(0, 1, false, false)}), "0a 0b 1a 1b ");
  EXPECT_EQ(
      order({piece(0, 0, false, true), piece(0, 1, true, false), piece(1, 0, false, true), piece(1, 1, true, false)}),
      "0a 1a 0b 1b 2a 3a 2b 3b ");
}

TEST(Batch, ImagesLieBehindEachOther) {
  Random random(3);
  const IntegerNetwork network = one_layer(random, {6, 6, 7}, 3, 1, 4);
  const generate::Program program = lower(network, test::narrow_array(), images);
  std::vector<std::uint8_t> memory(program.memory_bytes);
  std::vector<model::Codes> inputs;
  for (int i = 0; i < images; ++i) {
    inputs.push_back(test::random_codes(random, network.tensors[0]));
    generate::write_tensor(program, 0, inputs.back(), memory, i);
  }
  for (int i = 0; i < images; ++i)
    EXPECT_EQ(generate::read_tensor(program, 0, memory, i), inputs[static_cast<std::size_t>(i)]);
  EXPECT_THROW(generate::read_tensor(program, 0, memory, images), std::invalid_argument);
  EXPECT_THROW(generate::write_tensor(program, 0, inputs[0], memory, -1), std::invalid_argument);
  // No two descriptors write the same place, and all stay inside the tensor.
  std::set<std::uint32_t> places;
  const generate::TensorPlacement& out = program.tensors[1];
  for (const auto& d : program.descriptors) {
    const std::uint32_t at = d.get<generate::F_OUT_ADDRESS>() - out.address;
    EXPECT_TRUE(places.insert(at).second);
    EXPECT_LT(at, images * out.bytes);
  }
  EXPECT_EQ(program.tensors[1].bytes % static_cast<std::uint32_t>(program.architecture.data_bits / 8), 0u);
}

TEST(Batch, WrongNumbersOfImagesAreRefused) {
  Random random(4);
  const auto a = test::narrow_array();
  const IntegerNetwork network = one_layer(random, {3, 3, 4}, 1, 0, 4);
  EXPECT_THROW(lower(network, a, 0), std::invalid_argument);
  EXPECT_THROW(lower(network, a, -3), std::invalid_argument);
  const auto engine = make_systemc_engine(a);
  const std::vector<model::Codes> two(2, test::random_codes(random, network.tensors[0]));
  EXPECT_THROW(engine->run(lower(network, a, 3), two, MemoryBehaviour{}), std::invalid_argument);
  EXPECT_THROW(engine->run(lower(network, a, 2), two[0]), std::invalid_argument);
}

}  // namespace
}  // namespace bitstrata::sim
