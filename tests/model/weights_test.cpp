// SPDX-License-Identifier: Apache-2.0
// Weights that are kept and weights that are not: the same to everybody who reads them.
#include "model/weights.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "model/golden.h"
#include "model/integer_network.h"
#include "tests/model/temporary.h"

namespace bitstrata::model {
namespace {

std::int16_t number(std::size_t index) {
  return static_cast<std::int16_t>(static_cast<int>(index * 2654435761U >> 9 & 127) - 64);
}

Weights::Source source() {
  return [](std::size_t first, std::span<std::int16_t> block) {
    for (std::int16_t& weight : block) weight = number(first++);
  };
}

Weights kept(std::size_t size) {
  std::vector<std::int16_t> values(size);
  source()(0, values);
  return values;
}

TEST(Weights, BlocksOfASourceAreThoseOfAVector) {
  const std::size_t size = 2 * Weights::usual_block + 7;
  const Weights a = kept(size), b(size, source());
  EXPECT_TRUE(a == b);
  EXPECT_EQ(b.block(size - 1, 1)[0], number(size - 1));
  EXPECT_EQ(b.block(5, 0).size(), 0U);
  EXPECT_THROW(b.block(size, 1), std::out_of_range);
  EXPECT_EQ(a.magnitudes(1000), b.magnitudes(1000));
  EXPECT_EQ(b.magnitudes(1000).size(), size / 1000 + 1);
  EXPECT_EQ(b.magnitudes(1)[3], std::abs(int{number(3)}));
  std::size_t seen = 0;
  b.for_each_block(1000, [&](std::size_t first, const WeightBlock& block) {
    EXPECT_EQ(first, seen);
    EXPECT_LE(block.size(), Weights::usual_block);
    EXPECT_TRUE(block.size() % 1000 == 0 || first + block.size() == size);
    seen += block.size();
  });
  EXPECT_EQ(seen, size);
}

TEST(Weights, ChangesStayInTheCopy) {
  const Weights a(6, source());
  Weights b = a, c = b;
  b[2] = 99;
  c.push_back(5);
  EXPECT_EQ(a.block(2, 1)[0], number(2));
  EXPECT_EQ(b.block(2, 1)[0], 99);
  EXPECT_EQ(b.magnitudes(6)[0], a.magnitudes(6)[0] - std::abs(int{number(2)}) + 99);
  EXPECT_EQ(c.size(), 7U);
  c.pop_back();
  EXPECT_TRUE(c == a);
  EXPECT_FALSE(b == a);
  EXPECT_TRUE(Weights().empty());
  EXPECT_TRUE(Weights() == Weights(0, source()));
}

// One convolution with so many pixels and weights that golden takes them in parts.
IntegerNetwork large_layer(Shape in, int kernel, int outputs, Weights weights) {
  // Sums of weights around -1/2 and codes around 125 lie around 0 then.
  const std::int64_t bias = std::int64_t{kernel} * kernel * in.channels * 62 + (1 << 16);
  IntegerNetwork network{.name = "large", .tensors = {{.shape = in}}, .layers = {}};
  IntegerLayer layer{.name = "layer", .output = 1, .weight_bits = 8};
  layer.window = {.kernel_height = kernel, .kernel_width = kernel};
  layer.weights = std::move(weights);
  layer.bias.assign(static_cast<std::size_t>(outputs), bias);
  layer.multiplier.assign(static_cast<std::size_t>(outputs), 1);
  layer.shift.assign(static_cast<std::size_t>(outputs), 10);
  layer.clip_high = 255;
  const Shape out{in.height - kernel + 1, in.width - kernel + 1, outputs};
  layer.macs = out.elements() * kernel * kernel * in.channels;
  network.tensors.push_back({.shape = out});
  network.layers.push_back(std::move(layer));
  validate(network);
  return network;
}

TEST(Weights, GoldenInPartsIsTheDefinition) {
  struct Case {
    Shape in;
    int kernel, outputs;
  };
  for (const Case& c : {Case{{1, 1, 2048}, 1, 1500}, Case{{46, 46, 16}, 7, 5}}) {
    const auto size = static_cast<std::size_t>(c.kernel * c.kernel * c.in.channels * c.outputs);
    const IntegerNetwork network = large_layer(c.in, c.kernel, c.outputs, Weights(size, source()));
    Codes input(static_cast<std::size_t>(c.in.elements()));
    for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<std::int32_t>(i * 37 % 251);
    const Codes reference = run_layer_reference(network, network.layers[0], input);
    EXPECT_NE(std::ranges::min(reference), std::ranges::max(reference));
    EXPECT_EQ(run(network, input), reference);
    EXPECT_EQ(run(large_layer(c.in, c.kernel, c.outputs, kept(size)), input), reference);
  }
}

TEST(Weights, OfALargeFileStayThere) {
  const testing::TemporaryFolder folder;
  const int outputs = 2100;
  const std::size_t size = std::size_t{2048} * outputs;
  ASSERT_GT(static_cast<std::int64_t>(size), Weights::most_kept);
  const IntegerNetwork network = large_layer({1, 1, 2048}, 1, outputs, Weights(size, source()));
  const auto file = folder / "large.safetensors";
  save(network, file);
  const IntegerNetwork loaded = load_integer_network(file);
  EXPECT_TRUE(loaded.layers[0].weights == network.layers[0].weights);
  // Saved anew, the file is another one.
  save(large_layer({1, 1, 2048}, 1, 2, kept(4096)), file);
  EXPECT_TRUE(loaded.layers[0].weights == network.layers[0].weights);
  const IntegerNetwork again = load_integer_network(file);
  EXPECT_TRUE(again.layers[0].weights == kept(4096));
  // Cut short meanwhile: said, not guessed.
  save(network, file);
  const IntegerNetwork cut = load_integer_network(file);
  std::filesystem::resize_file(file, 100000);
  EXPECT_EQ(testing::message_of<std::runtime_error>([&] { cut.layers[0].weights.all(); }),
            "cannot read " + file.string() + ": it changed meanwhile");
}

}  // namespace
}  // namespace bitstrata::model
