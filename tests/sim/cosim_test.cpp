// SPDX-License-Identifier: Apache-2.0
// Random co-simulation: golden = SystemC = RTL values of every image of a batch, SystemC = RTL cycles and events, =
// fast where memory is deterministic, over compiled arrays of odd and even sizes. BITSTRATA_SEED repeats a run.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <iostream>

#include "model/golden.h"
#include "rtl/generate/program.h"
#include "sim/engine.h"
#include "sim/fast.h"
#include "tests/sim/arrays.h"
#include "tests/sim/random_layers.h"

namespace bitstrata {
namespace {

std::uint64_t base_seed() {
  const char* text = std::getenv("BITSTRATA_SEED");
  return text ? std::strtoull(text, nullptr, 10) : 20261121;
}

class CoSimulation : public testing::TestWithParam<int> {};

TEST_P(CoSimulation, EnginesAgree) {
  const model::Architecture a = test::all_arrays().at(static_cast<std::size_t>(GetParam()));
  const auto rtl = sim::make_rtl_engine(a);
  const auto systemc = sim::make_systemc_engine(a);
  const std::uint64_t first = base_seed() + 1000003u * static_cast<std::uint64_t>(GetParam());
  const char* runs_text = std::getenv("BITSTRATA_COSIM_RUNS");
  const int runs = runs_text ? std::atoi(runs_text) : 40;
  long layers = 0, pieces = 0, values = 0, cycles = 0, events = 0, refused = 0, predicted = 0;
  // Descriptors; tall: run a batch as one image, skipping: of a part of each image's rows.
  long carried = 0, kept = 0, broadcast = 0, tall = 0, skipping = 0, strips = 0, several_pixels = 0, folded = 0,
       turned = 0;
  std::array<long, 4> batches{};  // networks of so many images
  long skipped = 0;               // planes
  for (int i = 0; i < runs; ++i) {
    const std::uint64_t seed = first + static_cast<std::uint64_t>(i);
    SCOPED_TRACE("array " + a.name + ", seed " + std::to_string(seed));
    test::Random random(seed);
    model::Architecture timed = a;
    timed.memory.read_latency = test::pick(random, 1, 40);
    timed.memory.write_latency = test::pick(random, 1, 30);
    timed.memory.beat_interval = test::pick(random, 1, 3);
    const auto network = test::random_network(random, a);
    std::vector<model::Codes> inputs{test::random_codes(random, network.tensors[0])};
    const int batch = test::pick(random, 1, 3);
    while (static_cast<int>(inputs.size()) < batch) inputs.push_back(test::random_codes(random, network.tensors[0]));
    generate::Program program;
    try {
      program = sim::lower(network, timed, batch);
    } catch (const std::invalid_argument&) {  // does not fit this array's buffers or accumulators
      ++refused;
      continue;
    }
    sim::MemoryBehaviour behaviour;
    behaviour.stall_seed = seed;
    behaviour.stall_probability = i % 2 == 0 ? 0.0 : test::pick(random, 1, 60) / 100.0;

    const auto from_rtl = rtl->run(program, inputs, behaviour);
    const auto from_systemc = systemc->run(program, inputs, behaviour);
    ASSERT_EQ(from_rtl.error, sim::RunError::none);
    ASSERT_EQ(from_systemc.error, sim::RunError::none);
    ASSERT_EQ(from_rtl.layers.size(), network.layers.size());
    ASSERT_EQ(from_systemc.layers.size(), network.layers.size());
    std::vector<std::vector<model::Codes>> golden;
    for (std::size_t image = 0; image < inputs.size(); ++image) {
      golden.push_back(model::run_all(network, inputs[image]));
      for (std::size_t t = 0; t < golden[image].size(); ++t) {
        ASSERT_EQ(golden[image][t], from_rtl.tensors.at(image)[t]) << "image " << image << ", tensor " << t;
        ASSERT_EQ(golden[image][t], from_systemc.tensors.at(image)[t]) << "image " << image << ", tensor " << t;
        values += static_cast<long>(golden[image][t].size());
      }
    }
    ++batches[inputs.size()];
    const auto predicted_events = sim::predict(program, sim::codes_of_batch(golden));
    const auto most = sim::predict(program);
    ASSERT_EQ(from_rtl.descriptors.size(), program.descriptors.size());
    ASSERT_EQ(from_systemc.descriptors.size(), program.descriptors.size());
    for (std::size_t d = 0; d < program.descriptors.size(); ++d) {
      const auto& layer = network.layers[static_cast<std::size_t>(program.descriptor_layer[d])];
      const int rows = network.tensors[static_cast<std::size_t>(layer.output)].shape.height;
      tall += program.descriptors[d].get<generate::F_OUT_HEIGHT>() > rows;
      const auto& in = program.tensors[static_cast<std::size_t>(layer.input)];
      const model::TensorFormat& in_format = network.tensors[static_cast<std::size_t>(layer.input)];
      const auto row_bytes = in.bytes / static_cast<std::uint32_t>(in_format.shape.height);
      skipping += program.descriptors[d].get<generate::F_IN_ROW_STRIDE>() > row_bytes;
      carried += program.descriptors[d].get<generate::F_CARRY_OUT>();
      kept += program.descriptors[d].get<generate::F_KEEP_WEIGHTS>();
      broadcast += program.descriptors[d].get<generate::F_BROADCAST>();
      strips += program.descriptors[d].get<generate::F_IN_STRIPS>();
      folded += program.descriptors[d].get<generate::F_FOLD>() > 0;
      turned += program.descriptors[d].get<generate::F_FOLD>() > 0 && program.descriptors[d].get<generate::F_SIGNED>();
      several_pixels += program.descriptors[d].get<generate::F_SHARED_RECORDS>();
      model::Events fast;
      const bool exact = behaviour.stall_probability == 0;
      if (exact) fast = predicted_events[d];
      predicted += exact;
      for (std::size_t e = 0; e < model::event_members.size(); ++e) {
        const auto member = model::event_members[e];
        const auto where =
            fmt::format("descriptor {} of layer {}, {}", d, program.descriptor_layer[d], model::event_names[e]);
        ASSERT_EQ(from_rtl.descriptors[d].*member, from_systemc.descriptors[d].*member) << where;
        if (exact) {
          ASSERT_EQ(from_rtl.descriptors[d].*member, fast.*member) << where;
        }
        ++events;
      }
      skipped += most[d].plane_steps - predicted_events[d].plane_steps;
      EXPECT_LE(predicted_events[d].cycles, most[d].cycles);
      ++pieces;
      cycles += from_rtl.descriptors[d].cycles;
    }
    layers += static_cast<int>(network.layers.size());
  }
  const long several = batches[2] + batches[3];
  std::cout << "[ seed " << first << " ] array " << a.name << ": " << runs - refused << " networks (" << refused
            << " did not fit; " << batches[2] << " ran 2 images at once, " << batches[3] << " ran 3), " << layers
            << " layers in " << pieces << " pieces (" << carried << " carry sums, " << kept << " keep weights, "
            << broadcast << " broadcast, " << tall << " tall, " << skipping << " skip rows, " << strips
            << " read strips, " << several_pixels << " of them for several pixels at once, " << folded
            << " planes at once, " << turned << " of them signed), " << skipped << " planes skipped, " << values
            << " values, " << cycles << " cycles, " << events << " events compared, " << predicted
            << " pieces also with fast; 0 differ\n";
  EXPECT_GT(values, 0);
  EXPECT_GT(predicted, 0);
  EXPECT_EQ(skipped > 0, a.skip_planes);
  EXPECT_EQ(folded > 0, a.planes_at_once() > 1);
  // With two planes at once, few short vectors are signed.
  if (a.planes_at_once() != 2) {
    EXPECT_EQ(turned > 0, a.planes_at_once() > 2);
  }
  EXPECT_EQ(strips > 0,
            a.strips && a.max_weight_bits > 1 && a.outputs_per_macro(a.max_weight_bits) >= std::max(4, a.post_lanes));
  EXPECT_GT(several, 0);
  EXPECT_GE(layers, runs);
}

INSTANTIATE_TEST_SUITE_P(Arrays, CoSimulation, testing::Range(0, static_cast<int>(test::all_arrays().size())));

}  // namespace
}  // namespace bitstrata
