// SPDX-License-Identifier: Apache-2.0
// The fast model against the RTL's counters: every event of every layer, exactly. Layers, widths and memory timings
// are drawn at random; the seed and the number of values compared are printed.
#include "sim/fast.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>

#include "rtl/generate/program.h"
#include "sim/engine.h"
#include "tests/sim/arrays.h"

namespace bitstrata::sim {
namespace {

using model::Architecture;
using model::Coding;
using model::IntegerLayer;
using model::IntegerNetwork;
using model::LayerKind;
using Random = std::mt19937_64;

int pick(Random& random, int low, int high) {
  return low + static_cast<int>(random() % static_cast<std::uint64_t>(high - low + 1));
}

struct Bounds {
  int height = 14, width = 14, channels = 24, kernel = 5, bits = 8;
};

// A layer of random kind, shape and widths that reads the last tensor. Values do not matter here: no weight is drawn.
void append_layer(Random& random, IntegerNetwork& network, const Architecture& a, const Bounds& bounds) {
  const model::TensorFormat in = network.tensors.back();
  IntegerLayer layer;
  layer.name = fmt::format("layer{}", network.layers.size());
  layer.input = static_cast<int>(network.tensors.size()) - 1;
  layer.output = layer.input + 1;
  const int kind = pick(random, 0, 9);
  if (kind == 0) layer.kind = LayerKind::max_pool;
  if (kind == 1) layer.kind = LayerKind::average_pool;
  const bool pooling = layer.kind != LayerKind::convolution;
  const auto axis = [&](int size, int& kernel, int& stride, int& before, int& after, int& dilation, bool whole) {
    if (whole) {
      kernel = size;
      return 1;
    }
    while (true) {
      kernel = pick(random, 1, std::min(bounds.kernel, size));
      stride = pick(random, 1, 3);
      dilation = pooling || pick(random, 0, 4) != 0 ? 1 : 2;
      before = layer.kind == LayerKind::average_pool ? 0 : pick(random, 0, kernel - 1);
      after = layer.kind == LayerKind::average_pool ? 0 : pick(random, 0, kernel - 1);
      const int room = size + before + after - dilation * (kernel - 1) - 1;
      if (room >= 0) return room / stride + 1;
    }
  };
  const bool whole = !pooling && kind == 2;
  auto& w = layer.window;
  const int height =
      axis(in.shape.height, w.kernel_height, w.stride_height, w.pad_top, w.pad_bottom, w.dilation_height, whole);
  const int width =
      axis(in.shape.width, w.kernel_width, w.stride_width, w.pad_left, w.pad_right, w.dilation_width, whole);
  const int channels = pooling ? in.shape.channels : pick(random, 1, bounds.channels);
  model::TensorFormat out{.shape = {height, width, channels}, .bits = pick(random, 1, bounds.bits)};
  if (!pooling) {
    layer.weight_bits = pick(random, 1, std::min(bounds.bits, a.max_weight_bits));
    const int taps = w.kernel_height * w.kernel_width * in.shape.channels;
    layer.weights.assign(static_cast<std::size_t>(taps * channels), 1);
    layer.macs = out.shape.elements() * taps;
  }
  layer.bias.assign(static_cast<std::size_t>(channels), 0);
  layer.multiplier.assign(static_cast<std::size_t>(channels), 1);
  layer.shift.assign(static_cast<std::size_t>(channels), 4);
  layer.clip_high = (1 << out.bits) - 1;
  network.tensors.push_back(out);
  network.layers.push_back(std::move(layer));
}

IntegerNetwork random_network(Random& random, const Architecture& a, int layers, const Bounds& bounds) {
  IntegerNetwork network{.name = "random"};
  network.tensors.push_back(
      {.shape = {pick(random, 1, bounds.height), pick(random, 1, bounds.width), pick(random, 1, bounds.channels)},
       .bits = pick(random, 1, bounds.bits)});
  for (int i = 0; i < layers; ++i) append_layer(random, network, a, bounds);
  model::validate(network);
  return network;
}

std::string describe(const generate::Descriptor& layer, const Architecture& a) {
  std::string text = fmt::format("{} latency {}/{} interval {}", a.name, a.memory.read_latency, a.memory.write_latency,
                                 a.memory.beat_interval);
  for (std::size_t i = 0; i < generate::descriptor_fields.size(); ++i)
    text += fmt::format(" {}={}", generate::descriptor_fields[i].name, layer.get(static_cast<generate::Field>(i)));
  return text;
}

struct Compared {
  std::int64_t layers = 0, values = 0, refused = 0, wrong = 0, cycles = 0, streamed = 0, blocks = 0;
};

// Runs one network on the RTL and compares every layer.
void compare(const IntegerNetwork& network, const Architecture& a, Compared& compared) {
  generate::Program program;
  try {
    program = lower(network, a);
  } catch (const std::invalid_argument&) {
    ++compared.refused;
    return;
  }
  const auto engine = make_rtl_engine(a);
  const auto result =
      engine->run(program, model::Codes(static_cast<std::size_t>(network.tensors[0].shape.elements()), 1));
  ASSERT_EQ(result.error, RunError::none);
  ASSERT_EQ(result.descriptors.size(), program.descriptors.size());
  const std::vector<model::Events> all = predict(program, codes_of_batch(result.tensors));
  for (std::size_t i = 0; i < result.descriptors.size(); ++i) {
    const auto& descriptor = program.descriptors[i];
    const model::Events expected = result.descriptors[i], predicted = all[i];
    ++compared.layers;
    compared.cycles += expected.cycles;
    compared.streamed += descriptor.opcode() == generate::OP_CONVOLUTION && !descriptor.get<generate::F_RESIDENT>();
    compared.blocks += descriptor.get<generate::F_BLOCKS>() > 1;
    bool equal = true;
    for (std::size_t e = 0; e < model::event_members.size(); ++e) {
      ++compared.values;
      const auto member = model::event_members[e];
      if (expected.*member == predicted.*member) continue;
      equal = false;
      if (compared.wrong < 10) {
        ADD_FAILURE() << model::event_names[e] << ": rtl " << expected.*member << ", fast " << predicted.*member
                      << " in " << describe(descriptor, a);
      }
    }
    compared.wrong += !equal;
  }
}

// Three builds; memory timings and layers vary at run time.
std::vector<Architecture> architectures() { return {test::narrow_array(), test::paired_array(), test::triple_array()}; }

model::MemoryTiming random_timing(Random& random) {
  model::MemoryTiming timing;
  timing.read_latency = pick(random, 0, 3) == 0 ? pick(random, 50, 300) : pick(random, 1, 30);
  timing.write_latency = pick(random, 0, 3) == 0 ? pick(random, 50, 300) : pick(random, 1, 30);
  timing.beat_interval = pick(random, 0, 1) == 0 ? 1 : pick(random, 2, 9);
  return timing;
}

// BITSTRATA_FAST_SEED and BITSTRATA_FAST_NETWORKS: another draw, a longer run.
std::uint64_t setting(const char* name, std::uint64_t value) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : value;
}

class FastAgainstRtl : public testing::TestWithParam<int> {};

TEST_P(FastAgainstRtl, EveryEventOfRandomLayers) {
  const std::uint64_t seed = setting("BITSTRATA_FAST_SEED", 1) + 1000 * static_cast<std::uint64_t>(GetParam());
  const auto networks = setting("BITSTRATA_FAST_NETWORKS", 40);
  Random random(seed);
  Architecture a = architectures().at(static_cast<std::size_t>(GetParam()));
  Compared compared;
  for (std::uint64_t i = 0; i < networks; ++i) {
    a.memory = random_timing(random);
    Bounds bounds;
    bounds.bits = a.max_activation_bits;
    // Tall and thin ones take several blocks, small and deep ones stream many weights.
    const bool tall = pick(random, 0, 2) == 0;
    bounds.height = pick(random, 1, tall ? 60 : 16);
    bounds.width = pick(random, 1, 20);
    bounds.channels = pick(random, 1, tall ? 10 : 40);
    compare(random_network(random, a, 3, bounds), a, compared);
  }
  std::cout << a.name << ": seed " << seed << ", " << compared.layers << " layers (" << compared.streamed
            << " with streamed weights, " << compared.blocks << " of several blocks), " << compared.values
            << " values compared, " << compared.cycles << " cycles, " << compared.refused << " networks refused, "
            << compared.wrong << " layers wrong\n";
  EXPECT_EQ(compared.wrong, 0);
  EXPECT_GT(compared.layers, 0);
  EXPECT_GT(compared.streamed, 0);
  EXPECT_GT(compared.blocks, 0);
}

INSTANTIATE_TEST_SUITE_P(Architectures, FastAgainstRtl, testing::Range(0, 3));

}  // namespace
}  // namespace bitstrata::sim
