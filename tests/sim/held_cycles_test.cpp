// SPDX-License-Identifier: Apache-2.0
// Cycles of a few layers as they were when every tiling was looked at: a way to run a layer that is lost, or a worse
// one that is taken, is slower here, while all engines go on agreeing. Faster is good news: put the new number here.
#include <gtest/gtest.h>

#include "model/architecture.h"
#include "rtl/generate/layer_program.h"
#include "sim/fast.h"
#include "tests/sim/arrays.h"

namespace bitstrata::sim {
namespace {

using model::Architecture;
using model::IntegerLayer;
using model::IntegerNetwork;
using model::LayerKind;

struct Held {
  const char* what;
  Architecture architecture;
  model::Shape in;
  int kernel, stride, pad, channels, groups, weight_bits, bits, batch;
  std::int64_t cycles;
};

std::int64_t cycles_of(const Held& held) {
  const auto size = [&](int all) { return (all + 2 * held.pad - held.kernel) / held.stride + 1; };
  IntegerNetwork net{
      .name = "held",
      .tensors = {{.shape = held.in, .bits = held.bits},
                  {.shape = {size(held.in.height), size(held.in.width), held.channels}, .bits = held.bits}}};
  IntegerLayer layer;
  layer.name = held.what;
  layer.kind = held.weight_bits > 0 ? LayerKind::convolution : LayerKind::max_pool;
  layer.output = 1;
  layer.window = {.kernel_height = held.kernel,
                  .kernel_width = held.kernel,
                  .stride_height = held.stride,
                  .stride_width = held.stride,
                  .pad_top = held.pad,
                  .pad_bottom = held.pad,
                  .pad_left = held.pad,
                  .pad_right = held.pad};
  layer.groups = held.groups;
  layer.weight_bits = held.weight_bits;
  layer.bias.assign(static_cast<std::size_t>(held.channels), 0);
  const generate::LayerProgram program =
      generate::program_layer(held.architecture, net, layer, {}, judge_of(held.architecture), held.batch);
  std::int64_t cycles = 0;
  for (const model::Events& events : predict(program.descriptors, held.architecture)) cycles += events.cycles;
  return cycles;
}

TEST(HeldCycles, OfLayersWithSeveralWaysToRunThem) {
  const Architecture large = model::load_architecture("pim-64x64"), tiny = model::load_architecture("pim-16x16"),
                     overlay = model::load_architecture("overlay-8x64x8");
  const Held all[] = {
      {"ResNet's 3x3 of 56x56", large, {56, 56, 64}, 3, 1, 1, 64, 1, 8, 8, 1, 1'852'820},
      {"ResNet's first", large, {224, 224, 3}, 7, 2, 3, 64, 1, 8, 8, 1, 2'053'611},
      {"depthwise", large, {112, 112, 32}, 3, 1, 1, 32, 32, 4, 8, 1, 512'507},
      {"depthwise with all groups in one tile", large, {14, 14, 8}, 3, 1, 1, 8, 8, 4, 8, 1, 3'426},
      {"grouped on three macros", test::triple_array(), {10, 12, 24}, 3, 1, 1, 24, 24, 4, 4, 1, 15'639},
      {"1x1 of many channels", large, {28, 28, 512}, 1, 1, 0, 128, 1, 6, 6, 1, 563'286},
      {"a row too wide", large, {64, 500, 16}, 3, 1, 1, 24, 1, 8, 8, 1, 1'948'232},
      {"linear", large, {1, 1, 4096}, 1, 1, 0, 1000, 1, 8, 8, 1, 514'774},
      {"linear of a batch", large, {1, 1, 1024}, 1, 1, 0, 1000, 1, 8, 8, 16, 296'830},
      {"linear of a large batch, in parts", large, {1, 1, 512}, 1, 1, 0, 512, 1, 8, 8, 64, 298'714},
      {"linear of a map, a batch", tiny, {6, 6, 64}, 6, 1, 0, 256, 1, 4, 4, 8, 338'876},
      {"on dot units", overlay, {14, 14, 256}, 3, 1, 1, 256, 1, 4, 8, 1, 1'194'230},
      {"on the smallest array", tiny, {32, 32, 16}, 3, 1, 1, 32, 1, 5, 4, 1, 410'274},
      {"a kernel in parts", tiny, {40, 40, 32}, 11, 1, 5, 16, 1, 8, 8, 1, 24'901'144},
      {"a kernel in parts, channels of whole lines", tiny, {20, 20, 64}, 7, 1, 3, 64, 1, 8, 8, 1, 20'249'784},
      {"pooling", large, {112, 112, 64}, 3, 2, 1, 64, 1, 0, 8, 1, 105'198},
  };
  for (const Held& held : all) EXPECT_EQ(cycles_of(held), held.cycles) << held.what;
}

}  // namespace
}  // namespace bitstrata::sim
