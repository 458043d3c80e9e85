// SPDX-License-Identifier: Apache-2.0
// Layers stream: what a run holds is that of its largest layer, however many layers follow each other.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "model/golden.h"
#include "sim/fast.h"
#include "sim/run_memory.h"
#include "tests/sim/arrays.h"
#include "tests/sim/random_layers.h"

namespace bitstrata::sim {
namespace {

constexpr int channels = 256, few = 3, many = 8 * few;

// Linear layers of equal size, whose weights nobody keeps; the first one's output is read again by the last.
model::IntegerNetwork chain(int layers) {
  model::IntegerNetwork network{.name = "chain", .tensors = {{.shape = {.channels = channels}}}, .layers = {}};
  const auto append = [&](model::IntegerLayer layer) {
    layer.name = "layer" + std::to_string(network.layers.size());
    layer.output = static_cast<int>(network.tensors.size());
    if (layer.bias.empty()) layer.bias.assign(channels, 0);
    layer.multiplier.assign(channels, 1);
    layer.clip_high = 255;
    network.tensors.push_back(network.tensors[0]);
    network.layers.push_back(std::move(layer));
  };
  for (int i = 0; i < layers; ++i) {
    model::IntegerLayer layer{.input = i, .weight_bits = 8};
    layer.weights = model::Weights(std::size_t{channels} * channels, [i](std::size_t first, auto block) {
      for (std::int16_t& weight : block)
        weight = static_cast<std::int16_t>(((first++ * 2654435761U >> 7) + static_cast<unsigned>(i)) % 127) - 63;
    });
    layer.bias.assign(channels, 128 << 10);
    layer.shift.assign(channels, 10);
    layer.macs = std::int64_t{channels} * channels;
    append(layer);
  }
  model::IntegerLayer sum{.kind = model::LayerKind::add, .input = layers, .second = 1, .factor = {1, 1}};
  sum.shift.assign(channels, 1);
  append(sum);
  return network;
}

// Memory of this process that it shares with others: that of a run, and nothing else here.
std::size_t shared_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::size_t kilobytes = 0;
    if (word == "RssShmem:" && status >> kilobytes) return 1024 * kilobytes;
  }
  return 0;
}

struct Held {
  std::size_t most = 0;   // at the end of a layer, without the descriptor list
  std::size_t whole = 0;  // what all layers together would take
};

Held held_by(Engine& engine, int layers) {
  const model::IntegerNetwork network = chain(layers);
  const generate::Program program = lower(network, test::narrow_array());
  model::Codes image(channels);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<std::int32_t>(i * 29 % 256);
  const std::size_t list = program.tensors[0].address, before = shared_bytes();
  Held held{.whole = program.memory_bytes - list};
  model::Inference golden(network, image);
  std::size_t shown = 0;
  const RunResult result =
      engine.run(program, std::span(&image, 1), {}, [&](std::size_t layer, const std::vector<model::Codes>& images) {
        EXPECT_EQ(layer, shown++);
        EXPECT_EQ(images.at(0), golden.step()) << "layer " << layer;
        held.most = std::max(held.most, shared_bytes() - before - std::min(list, shared_bytes() - before));
      });
  EXPECT_EQ(result.error, RunError::none);
  EXPECT_TRUE(result.tensors.empty());
  EXPECT_EQ(shown, network.layers.size());
  EXPECT_EQ(shared_bytes(), before);
  return held;
}

void expect_no_growth(Engine& engine) {
  const Held small = held_by(engine, few), large = held_by(engine, many);
  std::cout << few << " layers: " << small.most << " of " << small.whole << " bytes held at most; " << many
            << " layers: " << large.most << " of " << large.whole << "\n";
  EXPECT_GT(large.whole, 7 * small.whole);
  EXPECT_GT(small.most, std::size_t{channels} * channels);  // a layer's weights
  EXPECT_LE(large.most, small.most + generate::MemoryLayout::page);
}

TEST(Streaming, SystemcHoldsALayer) { expect_no_growth(*make_systemc_engine(test::narrow_array())); }
TEST(Streaming, RtlHoldsALayer) { expect_no_growth(*make_rtl_engine(test::narrow_array())); }

TEST(Streaming, PagesComeAndGo) {
  PagedMemory memory(64 << 10);
  EXPECT_EQ(memory.held(), 0U);
  std::ranges::fill(memory.bytes(), std::uint8_t{1});
  EXPECT_EQ(memory.held(), 64U << 10);
  memory.give_back(8192, 16384);
  EXPECT_EQ(memory.held(), 48U << 10);
  EXPECT_EQ(memory.bytes()[8191], 1);
  EXPECT_EQ(memory.bytes()[8192], 0);
  EXPECT_EQ(memory.bytes()[8192 + 16384], 1);
  memory.give_back(100, 200);  // no whole page
  EXPECT_EQ(memory.bytes()[100], 1);
}

// Who watches may have enough.
TEST(Streaming, AnObserverMayThrow) {
  for (const auto& engine : {make_systemc_engine(test::narrow_array()), make_rtl_engine(test::narrow_array())}) {
    const generate::Program program = lower(chain(few), test::narrow_array());
    const model::Codes image(channels, 3);
    EXPECT_THROW(engine->run(program, std::span(&image, 1), {},
                             [](std::size_t layer, const std::vector<model::Codes>&) {
                               if (layer == 1) throw std::domain_error("enough");
                             }),
                 std::domain_error);
    EXPECT_EQ(engine->run(program, image).error, RunError::none);
  }
}

}  // namespace
}  // namespace bitstrata::sim
