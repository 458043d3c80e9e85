// SPDX-License-Identifier: Apache-2.0
// Toggle events: RTL monitors = SystemC, descriptor by descriptor, on random networks; a hand-made one by counting.
#include <gtest/gtest.h>

#include <array>
#include <iostream>

#include "model/golden.h"
#include "rtl/generate/program.h"
#include "sim/engine.h"
#include "sim/fast.h"
#include "tests/sim/arrays.h"
#include "tests/sim/random_layers.h"

namespace bitstrata {
namespace {

class Toggles : public testing::TestWithParam<model::Architecture> {};

TEST_P(Toggles, OfRtlAndSystemcAgree) {
  const model::Architecture& a = GetParam();
  const auto rtl = sim::make_rtl_engine(a, true), systemc = sim::make_systemc_engine(a, true);
  long compared = 0;
  model::Toggles sums;
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE("array " + a.name + ", seed " + std::to_string(seed));
    test::Random random(seed);
    const auto network = test::random_network(random, a);
    std::vector<model::Codes> inputs{test::random_codes(random, network.tensors[0])};
    if (seed % 3 == 0) inputs.push_back(test::random_codes(random, network.tensors[0]));
    generate::Program program;
    try {
      program = sim::lower(network, a, static_cast<int>(inputs.size()));
    } catch (const std::invalid_argument&) {
      continue;
    }
    const sim::MemoryBehaviour stalls{.stall_seed = seed, .stall_probability = seed % 2 == 0 ? 0 : 0.2};
    const auto from_rtl = rtl->run(program, inputs, stalls), from_systemc = systemc->run(program, inputs, stalls);
    ASSERT_EQ(from_rtl.error, sim::RunError::none);
    ASSERT_EQ(from_rtl.toggles.size(), program.descriptors.size());
    ASSERT_EQ(from_systemc.toggles.size(), program.descriptors.size());
    for (std::size_t d = 0; d < from_rtl.toggles.size(); ++d) {
      for (std::size_t i = 0; i < model::toggle_members.size(); ++i) {
        const auto member = model::toggle_members[i];
        ASSERT_EQ(from_rtl.toggles[d].*member, from_systemc.toggles[d].*member)
            << "descriptor " << d << ", " << model::toggle_names[i];
        ++compared;
      }
      sums += from_rtl.toggles[d];
    }
  }
  std::cout << a.name << ": " << compared << " toggle counts compared, 0 differ; " << sums.product_toggles
            << " products and " << sums.tree_toggles << " tree nodes toggled\n";
  EXPECT_GT(compared, 0);
  for (std::size_t i = 0; i < model::toggle_members.size(); ++i) {
    const bool there = a.overlay() || model::toggle_names[i] != "weight_line_toggles";
    EXPECT_EQ(sums.*model::toggle_members[i] > 0, there) << model::toggle_names[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Arrays, Toggles,
                         testing::Values(test::narrow_array(), test::odd_array(), test::paired_array(),
                                         test::overlay_array(), test::wide_overlay_array()),
                         [](const auto& i) { return "Array" + std::to_string(i.index); });

}  // namespace
}  // namespace bitstrata
