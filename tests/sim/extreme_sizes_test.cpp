// SPDX-License-Identifier: Apache-2.0
// Layers at and beyond the limits of a descriptor's fields: run as golden says where they are cut to fit, priced or
// refused with one reason where they are only shapes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

#include "model/golden.h"
#include "model/layer_lists.h"
#include "sim/cost_model.h"
#include "sim/engine.h"
#include "sim/fast.h"
#include "sim/random_network.h"
#include "tests/sim/arrays.h"
#include "tests/sim/random_layers.h"

namespace bitstrata::sim {
namespace {

using model::Architecture;
using model::IntegerNetwork;
using test::pick;
using test::Random;
using ::testing::HasSubstr;

IntegerNetwork convolution(model::TensorFormat in, model::TensorFormat out, model::Window window, int weight_bits) {
  IntegerNetwork network{.name = "layer", .tensors = {in, out}, .layers = {}};
  model::IntegerLayer layer{.name = "layer", .input = 0, .output = 1, .window = window, .weight_bits = weight_bits};
  layer.clip_high = model::code_range(out.coding, out.bits).high;
  layer.macs = out.shape.elements() * window.kernel_height * window.kernel_width * in.shape.channels;
  network.layers.push_back(layer);
  randomize_layer(network, 0, 5);
  return network;
}

// Values of SystemC against golden, its cycles and events against the fast engine.
void expect_right(const IntegerNetwork& network, const Architecture& a, std::size_t descriptors) {
  const generate::Program program = lower(network, a);
  EXPECT_EQ(program.descriptors.size(), descriptors);
  Random random(6);
  const model::Codes input = test::random_codes(random, network.tensors[0]);
  const RunResult result = make_systemc_engine(a)->run(program, input);
  ASSERT_EQ(result.error, RunError::none);
  EXPECT_TRUE(result.tensors.at(0).back() == model::run_all(network, input).back());
  EXPECT_EQ(result.descriptors, predict(program));
}

// 96 outputs, of which the parameter buffer takes 32 at a time: columns of pixels, six of them, three parts each.
TEST(ExtremeSizes, MoreOutputsThanTheBufferHoldsOnSeveralPixels) {
  Architecture a = test::narrow_array();
  a.parameter_depth = 16;
  const model::Window window{
      .kernel_height = 3, .kernel_width = 3, .pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
  expect_right(convolution({.shape = {5, 6, 3}, .bits = 4}, {.shape = {5, 6, 96}, .bits = 4}, window, 4), a, 18);
}

TEST(ExtremeSizes, MoreRowsThanADescriptorCounts) {
  expect_right(convolution({.shape = {70000, 1, 4}, .bits = 1}, {.shape = {70000, 1, 2}, .bits = 1}, {}, 1),
               test::narrow_array(), 2);
}

std::int64_t cycles_of(model::ListedLayer layer, const Architecture& a, int weight_bits, int activation_bits) {
  const model::LayerList list{.name = "list", .layers = {std::move(layer)}};
  return FastCostModel(a)
      .measure(integer_shapes(list, uniform_plan(list, weight_bits, activation_bits)))
      .total()
      .cycles;
}

model::ListedLayer product(int m, int n, int k) {
  return {.name = "product", .input = {m, 1, k}, .window = {}, .out_channels = n};
}

TEST(ExtremeSizes, ProductsOfLanguageModelsArePriced) {
  const Architecture a = model::load_architecture("pim-64x64");
  // No product takes fewer cycles than its bit products fill the array for.
  for (const auto& [m, n, k] : {std::array{1024, 4800, 1600}, {1500000, 64, 64}, {4, 1024, 2097152}, {8, 128256, 4096}})
    EXPECT_GT(cycles_of(product(m, n, k), a, 4, 4) * a.bit_products(), 16LL * m * n * k) << m << " " << n << " " << k;
}

// Pieces are compared up to a count of them, which such a product exceeds: it took 3.5 times what its parts do.
TEST(ExtremeSizes, AWideProductTakesWhatItsPartsDo) {
  const Architecture a = model::load_architecture("pim-64x64");
  EXPECT_LE(cycles_of(product(2048, 12288, 4096), a, 4, 4), 1.01 * 3 * cycles_of(product(2048, 4096, 4096), a, 4, 4));
}

TEST(ExtremeSizes, RefusalsNameTheLimit) {
  const auto refusal = [](const model::ListedLayer& layer) -> std::string {
    try {
      cycles_of(layer, model::load_architecture("pim-64x64"), 8, 8);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refusal(product(4, 200000, 2097152)),
              HasSubstr("layer 'product': its tensors, weights and parameters take more than 4294967296 bytes; "
                        "addresses of 32 bits reach 4294967296"));
  model::ListedLayer deep{.name = "deep", .input = {3, 3, 1 << 20}, .window = {}, .out_channels = 1 << 20};
  deep.window.kernel_height = deep.window.kernel_width = 3;
  deep.groups = 1 << 20;
  EXPECT_THAT(refusal(deep), HasSubstr("layer 'deep': "));
}

// Sizes around every limit, in all combinations that chance gives: a price or one reason, and never a crash.
TEST(ExtremeSizes, AnyShapeIsPricedOrRefused) {
  Random random(7);
  const std::vector<int> sizes = {1,     2,     3,     63,      64,      65,      255,    1000,
                                  65535, 65536, 65537, 1 << 20, 1 << 21, 1500001, 1 << 24};
  const auto size = [&](int most) {
    return std::min(most, sizes[static_cast<std::size_t>(pick(random, 0, static_cast<int>(sizes.size()) - 1))]);
  };
  int priced = 0, refused = 0;
  for (int i = 0; i < 150; ++i) {
    model::ListedLayer layer{.name = "layer", .input = {size(1 << 24), size(1 << 24), size(1 << 24)}, .window = {}};
    model::Window& w = layer.window;
    if (pick(random, 0, 2) == 0) layer.input.width = 1;
    if (pick(random, 0, 2) == 0) {
      w.kernel_height = size(std::min(layer.input.height, 1000));
      w.kernel_width = size(std::min(layer.input.width, 1000));
      w.stride_height = size(1 << 24), w.stride_width = size(1 << 24);
      if (pick(random, 0, 1) == 0) w.pad_top = w.pad_bottom = w.kernel_height - 1;
    }
    layer.out_channels = size(1 << 24);
    if (pick(random, 0, 3) == 0) layer.groups = layer.out_channels = layer.input.channels;
    const double macs = 1.0 * layer.output().height * layer.output().width * layer.out_channels * w.kernel_height *
                        w.kernel_width * (layer.input.channels / layer.groups);
    if (macs > 1e18) continue;  // the reader of lists refuses them
    SCOPED_TRACE(::testing::Message() << layer.input.height << "x" << layer.input.width << "x" << layer.input.channels
                                      << " to " << layer.out_channels << ", kernel " << w.kernel_height << "x"
                                      << w.kernel_width << ", stride " << w.stride_height << "x" << w.stride_width
                                      << ", groups " << layer.groups);
    try {
      EXPECT_GT(cycles_of(layer, model::load_architecture("pim-64x64"), pick(random, 1, 8), pick(random, 1, 8)), 0);
      ++priced;
    } catch (const std::invalid_argument& error) {
      EXPECT_THAT(error.what(), HasSubstr("layer 'layer': "));
      ++refused;
    }
  }
  std::cout << priced << " priced, " << refused << " refused\n";
  EXPECT_GT(priced, 5);
  EXPECT_GT(refused, 20);
}

}  // namespace
}  // namespace bitstrata::sim
