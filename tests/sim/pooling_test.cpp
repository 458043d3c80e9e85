// SPDX-License-Identifier: Apache-2.0
// Poolings whose windows reach over more of a row than the activation buffer holds: a part of each kernel row at a
// time, whose sums or largest codes stay in the lanes.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>

#include "model/golden.h"
#include "rtl/generate/program.h"
#include "sim/engine.h"
#include "sim/fast.h"
#include "tests/sim/arrays.h"
#include "tests/sim/random_layers.h"

namespace bitstrata::sim {
namespace {

using model::IntegerLayer;
using model::IntegerNetwork;
using model::LayerKind;
using test::Random;

IntegerNetwork pooling(Random& random, LayerKind kind, model::Shape in, model::Window window, model::Shape out) {
  IntegerNetwork network{.name = "pooling", .tensors = {}, .layers = {}};
  network.tensors = {{.shape = in, .bits = 4, .coding = model::Coding::twos_complement}, {.shape = out, .bits = 4}};
  network.tensors[1].coding = model::Coding::twos_complement;
  IntegerLayer layer{.name = "pool", .kind = kind, .output = 1, .window = window};
  const int taps = kind == LayerKind::average_pool ? window.kernel_height * window.kernel_width : 1;
  test::random_requantization(random, layer, out.channels, network.tensors[0], network.tensors[1], 8.0 * taps);
  network.layers.push_back(layer);
  model::validate(network);
  return network;
}

// Runs two images on SystemC; returns the descriptors that hold a part of a kernel row.
std::int64_t parts_of(Random& random, const IntegerNetwork& network, const model::Architecture& a) {
  const generate::Program program = lower(network, a, 2);
  const std::vector<model::Codes> inputs{test::random_codes(random, network.tensors[0]),
                                         test::random_codes(random, network.tensors[0])};
  const RunResult result = make_systemc_engine(a)->run(program, inputs, MemoryBehaviour{});
  EXPECT_EQ(result.error, RunError::none);
  std::vector<std::vector<model::Codes>> golden;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    golden.push_back(model::run_all(network, inputs[i]));
    EXPECT_EQ(result.tensors.at(i).back(), golden[i].back()) << "image " << i;
  }
  EXPECT_EQ(result.descriptors, predict(program, codes_of_batch(golden)));
  const int width = network.layers[0].window.kernel_width;
  return std::ranges::count_if(program.descriptors,
                               [&](const generate::Descriptor& d) { return d.get<generate::F_RUN_COUNT_X>() < width; });
}

TEST(Pooling, OfRowsThatTheBufferDoesNotHoldRunsInPartsOfTheKernel) {
  Random random(20261128);
  int parts = 0;
  for (const model::Architecture& a : {test::narrow_array(), test::paired_array(), test::overlay_array()}) {
    SCOPED_TRACE(a.name);
    // Lines that the buffer holds at 4 bits, in values.
    const int held = a.plane_banks() * a.activation_depth * a.data_bits * 2 / 4;
    const int channels = 40;
    // Over everything, where one row is more than all that there is.
    const int wide = held / channels * 5 / 2;
    for (const LayerKind kind : {LayerKind::average_pool, LayerKind::max_pool}) {
      const IntegerNetwork all = pooling(random, kind, {2, wide, channels}, {2, wide}, {1, 1, channels});
      const std::int64_t descriptors = parts_of(random, all, a);
      EXPECT_GE(descriptors, 2 * 2 * 3);  // images, kernel rows, parts
      parts += static_cast<int>(descriptors);
    }
    // Windows side by side and above each other, with padding that the first and the last part see.
    model::Window window{.kernel_height = 3, .kernel_width = wide, .stride_height = 2, .stride_width = 5};
    window.pad_top = 1, window.pad_left = 7, window.pad_right = 4;
    const int columns = (7 + wide + 9 + 4 - wide) / 5 + 1;
    const IntegerNetwork several =
        pooling(random, LayerKind::max_pool, {5, wide + 9, channels}, window, {2, columns, channels});
    const std::int64_t descriptors = parts_of(random, several, a);
    EXPECT_GT(descriptors, 0);
    parts += static_cast<int>(descriptors);
  }
  std::cout << parts << " descriptors of parts of a kernel row\n";
}

}  // namespace
}  // namespace bitstrata::sim
