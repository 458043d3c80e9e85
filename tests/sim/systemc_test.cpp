// SPDX-License-Identifier: Apache-2.0
// The SystemC model against golden (values) and against the RTL (values, cycles, events, with equal memory stalls).
// The seed of a failing network is in its message; the number of values compared is printed, and none is a failure.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <iostream>

#include "sim/engine.h"
#include "sim/fast.h"
#include "tests/sim/arrays.h"
#include "tests/sim/drawn_network.h"

namespace bitstrata::sim {
namespace {

using model::Architecture;
using test::compare_events;
using test::compare_tensors;
using test::Draw;

// The networks of an architecture begin here.
std::uint64_t first_seed(const Architecture& a) { return 20260 + 10000 * static_cast<std::uint64_t>(a.rows); }

struct Case {
  Architecture architecture;
  int networks;  // against golden
  int beside_rtl;
};

std::vector<Case> cases() {
  Case narrow{test::narrow_array(), 60, 25};
  Case odd{test::odd_array(), 60, 25};
  Case triple{test::triple_array(), 60, 25};
  triple.architecture.memory = {.read_latency = 3, .write_latency = 2, .beat_interval = 2};
  Case wide{test::wide_array(), 40, 10};
  Case widest{test::widest_array(), 40, 10};
  widest.architecture.memory.read_latency = 60;
  return {narrow, odd, triple, wide, widest};
}

class Systemc : public testing::TestWithParam<Case> {};

TEST_P(Systemc, ValuesAreGolden) {
  const auto engine = make_systemc_engine(GetParam().architecture);
  std::int64_t compared = 0;
  for (int i = 0; i < GetParam().networks && !HasFailure(); ++i) {
    const std::uint64_t number = first_seed(GetParam().architecture) + static_cast<std::uint64_t>(i);
    SCOPED_TRACE(fmt::format("seed {}", number));
    const Draw draw(number, GetParam().architecture);
    MemoryBehaviour behaviour{.stall_seed = number, .stall_probability = i % 3 == 0 ? 0.3 : 0.0};
    const RunResult result = engine->run(draw.program, draw.input, behaviour);
    EXPECT_EQ(result.error, RunError::none);
    compared += compare_tensors(result.tensors.at(0), model::run_all(draw.network, draw.input));
  }
  std::cout << compared << " values compared with golden\n";
  EXPECT_GT(compared, 0);
}

TEST_P(Systemc, EqualsRtl) {
  const auto systemc = make_systemc_engine(GetParam().architecture);
  const auto rtl = make_rtl_engine(GetParam().architecture);
  std::int64_t values = 0, events = 0, cycles = 0;
  for (int i = 0; i < GetParam().beside_rtl && !HasFailure(); ++i) {
    const std::uint64_t number = first_seed(GetParam().architecture) + 1000 + static_cast<std::uint64_t>(i);
    SCOPED_TRACE(fmt::format("seed {}", number));
    const Draw draw(number, GetParam().architecture);
    for (const double stalls : {0.0, 0.1, 0.6}) {
      SCOPED_TRACE(fmt::format("stall probability {}", stalls));
      const MemoryBehaviour behaviour{.stall_seed = number, .stall_probability = stalls};
      const RunResult got = systemc->run(draw.program, draw.input, behaviour);
      const RunResult wanted = rtl->run(draw.program, draw.input, behaviour);
      EXPECT_EQ(got.error, wanted.error);
      values += compare_tensors(got.tensors.at(0), wanted.tensors.at(0));
      events += compare_events(got.layers, wanted.layers);
      for (const model::Events& layer : wanted.layers) cycles += layer.cycles;
    }
  }
  std::cout << values << " values, " << events << " event counts compared with the RTL over " << cycles << " cycles\n";
  EXPECT_GT(values, 0);
  EXPECT_GT(events, 0);
}

// Every way a run can fail ends in the RTL's error, in the RTL's layer.
TEST_P(Systemc, FailsAsRtl) {
  const auto systemc = make_systemc_engine(GetParam().architecture);
  const auto rtl = make_rtl_engine(GetParam().architecture);
  systemc->watchdog = rtl->watchdog = 2000;
  const Draw draw(first_seed(GetParam().architecture), GetParam().architecture);
  generate::Program damaged = draw.program;
  damaged.descriptors[0].set(generate::F_MAGIC, generate::descriptor_magic ^ 0x4000);
  const auto both = [&](const generate::Program& program, const MemoryBehaviour& behaviour, RunError error,
                        std::uint32_t limit = 0) {
    systemc->limit = rtl->limit = limit;
    const RunResult got = systemc->run(program, draw.input, behaviour);
    const RunResult wanted = rtl->run(program, draw.input, behaviour);
    EXPECT_EQ(got.error, error) << to_string(got.error);
    EXPECT_EQ(wanted.error, error) << to_string(wanted.error);
    compare_events(got.layers, wanted.layers);
    rtl->limit = 0;
    // The RTL comes back through its reset register, with bursts of the failed run under way.
    const RunResult again = rtl->run(draw.program, draw.input);
    EXPECT_EQ(again.error, RunError::none);
    EXPECT_GT(compare_tensors(again.tensors.at(0), model::run_all(draw.network, draw.input)), 0);
  };
  // Every count that must not be 0 is refused where it is.
  int counts = 0;
  for (std::size_t i = 0; i < generate::descriptor_fields.size(); ++i) {
    if (generate::descriptor_fields[i].rule != generate::Rule::count) continue;
    SCOPED_TRACE(generate::descriptor_fields[i].name);
    generate::Program empty = draw.program;
    empty.descriptors[0].set(static_cast<generate::Field>(i), 0);
    both(empty, {}, RunError::descriptor);
    ++counts;
  }
  EXPECT_EQ(counts, 20);
  both(damaged, {}, RunError::descriptor);
  generate::Program foreign = draw.program;
  foreign.descriptors.back().set(generate::F_CONFIGURATION,
                                 foreign.descriptors.back().get(generate::F_CONFIGURATION) ^ 1);
  both(foreign, {}, RunError::descriptor);
  // A limit ends what would go on, and what goes on and on: blocks without an end keep the watchdog content.
  std::int64_t cycles = 0;
  for (const model::Events& layer : systemc->run(draw.program, draw.input).descriptors) cycles += layer.cycles;
  both(draw.program, {}, RunError::no_progress, static_cast<std::uint32_t>(cycles / 2));
  both(draw.program, {}, RunError::none, static_cast<std::uint32_t>(cycles + 100));
  generate::Program endless = draw.program;
  endless.descriptors[0].set(generate::F_BLOCKS, 65535);
  both(endless, {}, RunError::no_progress, static_cast<std::uint32_t>(2 * cycles));
  for (const std::int64_t beat : {0, 3, 20, 50}) {
    SCOPED_TRACE(fmt::format("beat {}", beat));
    both(draw.program, {.fail_read_at = beat}, RunError::memory);
    both(draw.program, {.hang_read_at = beat}, RunError::no_progress);
  }
  both(draw.program, {.fail_write_at = 0}, RunError::memory);
}

INSTANTIATE_TEST_SUITE_P(Arrays, Systemc, testing::ValuesIn(cases()),
                         [](const auto& each) { return "array" + std::to_string(each.index); });

// Engines of several architectures live in one process, and one engine runs image after image.
TEST(SystemcEngine, RunsAnyArchitecturesInTurn) {
  const std::vector<Case> all = cases();
  std::int64_t compared = 0;
  std::vector<std::unique_ptr<Engine>> engines;
  for (const Case& c : all) engines.push_back(make_systemc_engine(c.architecture));
  for (int round = 0; round < 3; ++round) {
    for (std::size_t a = 0; a < all.size(); ++a) {
      Draw draw(first_seed(all[a].architecture), all[a].architecture);
      const model::Codes input = test::random_codes(draw.random, draw.network.tensors[0]);
      const RunResult result = engines[a]->run(draw.program, input);
      EXPECT_EQ(result.error, RunError::none);
      compared += compare_tensors(result.tensors.at(0), model::run_all(draw.network, input));
    }
  }
  std::cout << compared << " values compared with golden\n";
  EXPECT_GT(compared, 0);
}

}  // namespace
}  // namespace bitstrata::sim
