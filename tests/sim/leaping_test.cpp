// SPDX-License-Identifier: Apache-2.0
// The fast engine leaps over what repeats: every event of random layers on random architectures, large enough to repeat
// much, against the same recurrences taken step by step; and the tiling search, which stops early, against one that
// predicts every candidate to its end.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>

#include "rtl/generate/layer_program.h"
#include "sim/fast.h"
#include "tests/sim/arrays.h"
#include "tests/sim/random_layers.h"

namespace bitstrata::sim {
namespace {

using generate::Descriptor;
using model::Architecture;
using model::IntegerLayer;
using model::IntegerNetwork;
using model::LayerKind;
using test::pick;
using test::Random;

int power(Random& random, int low, int high) { return 1 << pick(random, low, high); }

// One of the compiled arrays or the default, now and then with other buffers, bursts and memory.
Architecture random_architecture(Random& random) {
  std::vector<Architecture> all = test::all_arrays();
  for (const char* name : {"pim-64x64", "overlay-8x64x8"}) all.push_back(model::load_architecture(name));
  Architecture a = all[static_cast<std::size_t>(pick(random, 0, static_cast<int>(all.size()) - 1))];
  if (pick(random, 0, 2) == 0) {
    if (!a.overlay()) a.tiles = pick(random, 1, 4);
    if (a.overlay()) a.vectors = pick(random, 1, 9);
    a.rows = pick(random, 8, 100);
    a.weight_depth = power(random, 5, 10);
    a.psum_depth = power(random, 4, 9);
    a.activation_depth = power(random, 4, 8);
    a.output_depth = power(random, 3, 6);
    a.parameter_depth = 4096;
    a.outstanding = pick(random, 1, 16);
    const int longest = 4096 * 8 / a.data_bits;
    a.burst_beats =
        pick(random, 0, 1) == 0 ? std::min(longest, power(random, 0, 8)) : pick(random, 1, std::min(longest, 60));
  }
  a.accumulator_bits = 48;
  a.memory.read_latency = pick(random, 0, 3) == 0 ? pick(random, 50, 300) : pick(random, 1, 40);
  a.memory.write_latency = pick(random, 0, 3) == 0 ? pick(random, 50, 300) : pick(random, 1, 40);
  a.memory.beat_interval = pick(random, 0, 1) == 0 ? 1 : pick(random, 2, 9);
  model::validate(a);
  return a;
}

// A layer without numbers: dense, grouped or depthwise convolution, pooling, sum, product or join of two
// tensors. Tall ones run in hundreds of blocks.
IntegerNetwork random_layer(Random& random, const Architecture& a, bool tall = false) {
  // Narrow ones often: then reading takes as long as computing.
  const auto bits = [&](int most) { return pick(random, 1, pick(random, 0, 1) == 0 ? std::min(2, most) : most); };
  const int side = tall || pick(random, 0, 3) == 0 ? pick(random, 1, 7) : pick(random, 8, 40);
  const int channels = pick(random, 0, 1) == 0 ? power(random, 0, tall ? 6 : 8) : pick(random, 1, tall ? 40 : 160);
  model::TensorFormat in{.shape = {tall ? pick(random, 500, 5000) : pick(random, 1, side), side, channels},
                         .bits = bits(a.max_activation_bits)};
  IntegerNetwork network{.name = "random", .tensors = {in}, .layers = {}};
  IntegerLayer layer;
  layer.name = "layer";
  const int kind = pick(random, 0, 10);
  model::Shape out = in.shape;
  if (kind <= 7) {
    layer.kind = kind < 6 ? LayerKind::convolution : kind == 6 ? LayerKind::max_pool : LayerKind::average_pool;
    model::Window& w = layer.window;
    const auto axis = [&](int size, int& kernel, int& stride, int& before, int& after) {
      kernel = pick(random, 1, std::min(size, 5));
      stride = pick(random, 1, 2);
      before = layer.kind == LayerKind::average_pool ? 0 : pick(random, 0, kernel - 1);
      after = layer.kind == LayerKind::average_pool ? 0 : pick(random, 0, kernel - 1);
      return (size + before + after - kernel) / stride + 1;
    };
    out.height = axis(in.shape.height, w.kernel_height, w.stride_height, w.pad_top, w.pad_bottom);
    out.width = axis(in.shape.width, w.kernel_width, w.stride_width, w.pad_left, w.pad_right);
    if (kind < 6) {
      layer.weight_bits = bits(a.max_weight_bits);
      if (kind == 5) layer.groups = channels;
      out.channels = kind == 5 ? channels : pick(random, 1, 200);
    }
  } else {
    layer.kind = kind == 8 ? LayerKind::add : kind == 9 ? LayerKind::multiply : LayerKind::concatenate;
    layer.second = 1;
    in.bits = bits(a.max_activation_bits);
    if (kind == 9 && pick(random, 0, 1) == 0) in.shape.height = in.shape.width = 1;
    if (kind == 10) out.channels += in.shape.channels = pick(random, 1, 500);
    network.tensors.push_back(in);
  }
  layer.output = static_cast<int>(network.tensors.size());
  network.tensors.push_back({.shape = out, .bits = bits(a.max_activation_bits)});
  network.layers.push_back(layer);
  return network;
}

std::string text_of(const Descriptor& d, const Architecture& a) {
  std::string text =
      fmt::format("{} tiles {} vectors {} rows {} depth {} outstanding {} burst {} latency {}/{} interval {}", a.name,
                  a.tiles, a.vectors, a.rows, a.weight_depth, a.outstanding, a.burst_beats, a.memory.read_latency,
                  a.memory.write_latency, a.memory.beat_interval);
  for (std::size_t i = 0; i < generate::descriptor_fields.size(); ++i)
    text += fmt::format(" {}={}", generate::descriptor_fields[i].name, d.get(static_cast<generate::Field>(i)));
  return text;
}

// BITSTRATA_LEAPING_SEED and BITSTRATA_LEAPING_LAYERS: another draw, a longer run.
std::uint64_t setting(const char* name, std::uint64_t value) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : value;
}

// Compares every event of `wanted` random layers.
void compare_with_steps(std::int64_t wanted, std::uint64_t seed, bool tall) {
  Random random(seed);
  std::int64_t layers = 0, refused = 0, descriptors = 0, row_tiles = 0, wrong = 0;
  while (layers < wanted) {
    const Architecture a = random_architecture(random);
    const IntegerNetwork network = random_layer(random, a, tall);
    std::vector<std::vector<Descriptor>> candidates;
    try {
      generate::program_layer(a, network, network.layers[0], {}, [&](const auto& list, std::int64_t) {
        candidates.push_back(list);
        return std::int64_t{0};
      });
      // Without alternatives nothing is judged.
      if (candidates.empty())
        candidates.push_back(generate::program_layer(a, network, network.layers[0], {}, {}).descriptors);
    } catch (const std::invalid_argument&) {
      ++refused;
      continue;
    }
    ++layers;
    for (const auto& list : candidates) {
      for (std::size_t i = 0; i < std::min<std::size_t>(list.size(), 4); ++i) {
        const Descriptor& d = list[i];
        const model::Events stepped = predict(d, a, Pace::stepping), leapt = predict(d, a);
        ++descriptors;
        row_tiles +=
            std::int64_t{d.get<generate::F_BLOCKS>()} * d.get<generate::F_N_TILES>() * d.get<generate::F_K_TILES>();
        for (std::size_t e = 0; e < model::event_members.size(); ++e) {
          const auto member = model::event_members[e];
          if (stepped.*member == leapt.*member) continue;
          if (++wrong <= 3)
            ADD_FAILURE() << model::event_names[e] << ": stepped " << stepped.*member << ", leapt " << leapt.*member
                          << " in " << text_of(d, a);
        }
      }
    }
  }
  std::cout << layers << " layers, " << descriptors << " descriptors of " << row_tiles << " row tiles compared, "
            << refused << " layers refused\n";
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(row_tiles, 100 * descriptors);
}

TEST(Leaping, GivesTheEventsOfEveryStep) {
  compare_with_steps(static_cast<std::int64_t>(setting("BITSTRATA_LEAPING_LAYERS", 2000)),
                     setting("BITSTRATA_LEAPING_SEED", 1), false);
}

TEST(Leaping, GivesTheEventsOfEveryBlock) {
  compare_with_steps(static_cast<std::int64_t>(setting("BITSTRATA_LEAPING_LAYERS", 2000) / 8),
                     setting("BITSTRATA_LEAPING_SEED", 3), true);
}

// Runs of 90 bits in row tiles of 20 rows: every fifth or so takes two windows, and reading them two cycles where 1-bit
// planes take one.
TEST(Leaping, SeesThatRowTilesDiffer) {
  Architecture a = model::load_architecture("pim-64x64");
  a.rows = 20;
  IntegerLayer layer{.name = "layer", .input = 0, .output = 1};
  layer.window = {.kernel_height = 5, .kernel_width = 5, .pad_top = 2, .pad_bottom = 2, .pad_left = 2, .pad_right = 2};
  layer.weight_bits = 1;
  const IntegerNetwork network{.name = "runs",
                               .tensors = {{.shape = {30, 30, 18}, .bits = 1}, {.shape = {30, 30, 64}, .bits = 1}},
                               .layers = {layer}};
  const auto program = generate::program_layer(a, network, layer, {}, {});
  ASSERT_TRUE(program.descriptors[0].get<generate::F_RESIDENT>());
  for (const Descriptor& d : program.descriptors) EXPECT_EQ(predict(d, a), predict(d, a, Pace::stepping));
}

TEST(Leaping, SearchesFindWhatFullPredictionsFind) {
  const auto wanted = static_cast<std::int64_t>(setting("BITSTRATA_LEAPING_LAYERS", 2000) / 4);
  Random random(setting("BITSTRATA_LEAPING_SEED", 2));
  std::int64_t layers = 0, candidates = 0;
  while (layers < wanted) {
    const Architecture a = random_architecture(random);
    const IntegerNetwork network = random_layer(random, a);
    const auto full = [&](const std::vector<Descriptor>& list, std::int64_t) {
      std::int64_t cycles = 0;
      for (const Descriptor& d : list) cycles += predict(d, a).cycles;
      ++candidates;
      return cycles;
    };
    try {
      const auto expected = generate::program_layer(a, network, network.layers[0], {}, full);
      const auto found = generate::program_layer(a, network, network.layers[0], {}, judge_of(a));
      ASSERT_EQ(found.descriptors.size(), expected.descriptors.size());
      for (std::size_t i = 0; i < found.descriptors.size(); ++i)
        EXPECT_EQ(found.descriptors[i].words, expected.descriptors[i].words);
      const std::vector<model::Events> together = predict(found.descriptors, a);
      for (std::size_t i = 0; i < found.descriptors.size(); ++i)
        EXPECT_EQ(together[i], predict(found.descriptors[i], a)) << "descriptor " << i;
    } catch (const std::invalid_argument&) {
      continue;
    }
    ++layers;
  }
  std::cout << layers << " layers of " << candidates << " tilings compared\n";
  EXPECT_GT(candidates, layers);
}

}  // namespace
}  // namespace bitstrata::sim
