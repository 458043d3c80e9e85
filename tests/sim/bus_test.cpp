// SPDX-License-Identifier: Apache-2.0
// Whole networks on memories of every legal kind, with resets in every phase of a run and with error responses: RTL
// beside SystemC, values beside golden. The memory holds both masters to the protocol in every cycle.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <iostream>
#include <map>

#include "sim/axi_memory.h"
#include "sim/engine.h"
#include "tests/sim/arrays.h"
#include "tests/sim/drawn_network.h"

namespace bitstrata::sim {
namespace {

using model::Architecture;
using test::Draw;

struct Mode {
  std::string name;
  MemoryBehaviour behaviour;
};

// Every order of a write's address and data, with READY before VALID, or behind it on some channels or all.
std::vector<Mode> modes() {
  std::vector<Mode> all;
  for (const auto& [order, name] :
       {std::pair{WriteOrder::address_first, "address first"}, std::pair{WriteOrder::either, "either first"},
        std::pair{WriteOrder::data_first, "data first"},
        std::pair{WriteOrder::address_after_data, "address after data"}}) {
    for (const unsigned late : {0u, 1u, 2u, 4u, 7u}) {
      MemoryBehaviour behaviour{.ar_after_valid = (late & 1) != 0,
                                .aw_after_valid = (late & 2) != 0,
                                .w_after_valid = (late & 4) != 0,
                                .write_order = order};
      all.push_back({fmt::format("{}, READY behind VALID:{}{}{}", name, late & 1 ? " AR" : "", late & 2 ? " AW" : "",
                                 late & 4 ? " W" : ""),
                     behaviour});
    }
  }
  return all;
}

// What was compared.
struct Counts {
  std::int64_t runs = 0, values = 0, events = 0, times = 0, masked = 0;
};

std::ostream& operator<<(std::ostream& out, const Counts& c) {
  return out << c.runs << " runs, " << c.values << " values, " << c.events << " event counts and " << c.times
             << " times compared, " << c.masked << " beats without strobes";
}

class Bus : public testing::TestWithParam<int> {
 protected:
  // The arrays of other tests: 32, 64 and 256 bits, 1 to 4 bursts in flight.
  static Architecture architecture() {
    return std::vector{test::narrow_array(), test::triple_array(), test::widest_array(), test::overlay_array()}.at(
        static_cast<std::size_t>(GetParam()));
  }
  static std::uint64_t first_seed() { return 880000 + 1000 * static_cast<std::uint64_t>(GetParam()); }

  // Both engines; they must agree in everything, also in what memory holds after an error.
  RunResult both(const generate::Program& program, const model::Codes& input, const MemoryBehaviour& behaviour) {
    const RunResult rtl = rtl_->run(program, input, behaviour), systemc = systemc_->run(program, input, behaviour);
    EXPECT_EQ(rtl.error, systemc.error) << to_string(rtl.error) << " and " << to_string(systemc.error);
    EXPECT_EQ(rtl.reset, systemc.reset);
    EXPECT_EQ(rtl.end_cycle, systemc.end_cycle);
    EXPECT_EQ(rtl.last_transfer, systemc.last_transfer);
    EXPECT_EQ(rtl.masked_beats, systemc.masked_beats);
    if (rtl.error == RunError::none && !rtl.reset) {
      EXPECT_EQ(rtl.masked_beats, 0);
    }
    counts_.masked += rtl.masked_beats;
    counts_.times += 2;
    counts_.events += test::compare_events(rtl.descriptors, systemc.descriptors);
    counts_.values += test::compare_tensors(rtl.tensors.at(0), systemc.tensors.at(0));
    ++counts_.runs;
    return rtl;
  }
  // The run that follows one with an error or a reset must be as if nothing had been.
  void recovers(const Draw& draw, const std::vector<model::Codes>& golden) {
    const RunResult again = rtl_->run(draw.program, draw.input);
    EXPECT_EQ(again.error, RunError::none) << to_string(again.error);
    counts_.values += test::compare_tensors(again.tensors.at(0), golden);
  }

  std::unique_ptr<Engine> rtl_ = make_rtl_engine(architecture()), systemc_ = make_systemc_engine(architecture());
  Counts counts_;
};

TEST_P(Bus, EveryKindOfMemoryGivesGolden) {
  for (const Mode& mode : modes()) {
    for (const double stalls : {0.0, 0.3, 0.8}) {
      const std::uint64_t seed = first_seed() + static_cast<std::uint64_t>(counts_.runs);
      SCOPED_TRACE(fmt::format("{}; seed {}, stall probability {}", mode.name, seed, stalls));
      const Draw draw(seed, architecture());
      MemoryBehaviour behaviour = mode.behaviour;
      behaviour.stall_seed = seed;
      behaviour.stall_probability = stalls;
      const RunResult result = both(draw.program, draw.input, behaviour);
      ASSERT_EQ(result.error, RunError::none) << to_string(result.error);
      counts_.values += test::compare_tensors(result.tensors.at(0), model::run_all(draw.network, draw.input));
      ASSERT_FALSE(HasFailure());
    }
  }
  std::cout << modes().size() << " kinds of memory, " << counts_ << "\n";
  EXPECT_EQ(counts_.runs, std::ssize(modes()) * 3);
  EXPECT_GT(counts_.values, 0);
  EXPECT_GT(counts_.events, 0);
}

// Where memory may begin: next to 0, somewhere, and such that the image ends where addresses do.
std::vector<std::uint64_t> bases(const Architecture& architecture, const generate::Program& program) {
  constexpr std::uint64_t page = 4096;
  const std::uint64_t highest = ~std::uint64_t{0} >> (64 - architecture.address_width);
  const std::uint64_t pages = (program.memory_bytes + page - 1) / page;
  return {page, (highest / 3) & ~(page - 1), highest - pages * page + 1};
}

// A list runs wherever its image lies, in the same cycles.
TEST_P(Bus, RunsAtAnyBase) {
  for (std::uint64_t number = 0; number < 4; ++number) {
    const std::uint64_t seed = first_seed() + 400 + number;
    const Draw draw(seed, architecture());
    const auto golden = model::run_all(draw.network, draw.input);
    const RunResult at_zero = rtl_->run(draw.program, draw.input);
    for (const std::uint64_t base : bases(architecture(), draw.program)) {
      SCOPED_TRACE(fmt::format("seed {}, base {:#x}", seed, base));
      const RunResult result = both(draw.program, draw.input, {.base = base});
      ASSERT_EQ(result.error, RunError::none) << to_string(result.error);
      EXPECT_EQ(result.end_cycle, at_zero.end_cycle);
      counts_.events += test::compare_events(result.descriptors, at_zero.descriptors);
      counts_.values += test::compare_tensors(result.tensors.at(0), golden);
    }
  }
  // Bursts are cut at pages: a base between them would cut others.
  const Draw draw(first_seed() + 404, architecture());
  for (std::uint64_t off = 1; off < 4096; off *= 2) {
    const RunResult result = both(draw.program, draw.input, {.base = 4096 + off});
    EXPECT_EQ(result.error, RunError::descriptor) << off << ": " << to_string(result.error);
    EXPECT_EQ(result.last_transfer, -1) << "nothing may be read";
  }
  if (architecture().address_width < 64) {
    const MemoryBehaviour beyond{.base = std::uint64_t{1} << architecture().address_width};
    EXPECT_THROW(rtl_->run(draw.program, draw.input, beyond), std::invalid_argument);
    EXPECT_THROW(systemc_->run(draw.program, draw.input, beyond), std::invalid_argument);
  }
  recovers(draw, model::run_all(draw.network, draw.input));
  std::cout << "addresses of " << architecture().address_width << " bits: " << counts_ << "\n";
  EXPECT_GT(counts_.values, 0);
  EXPECT_GT(counts_.events, 0);
}

// What the run was at when it was reset, by what the memory saw.
std::vector<std::string> phases(const BusState& bus, const generate::Program& program, const RunResult& result) {
  std::vector<std::string> names;
  if (bus.read_address_waits) names.emplace_back("read address shown, not taken");
  if (bus.write_address_waits) names.emplace_back("write address shown, not taken");
  if (bus.data_not_begun != 0) names.emplace_back("write address taken, no data yet");
  if (bus.in_burst != 0) names.emplace_back("in a write burst");
  if (bus.unanswered != 0) names.emplace_back("write data taken, no response yet");
  const auto layer = static_cast<std::size_t>(
      program.descriptor_layer[std::min(result.descriptors.size(), program.descriptors.size() - 1)]);
  const auto& descriptor = program.descriptors[std::min(result.descriptors.size(), program.descriptors.size() - 1)];
  const generate::LayerNumbers& numbers = program.numbers[layer];
  if (bus.reads != 0) {
    if (bus.last_read >= program.list_address &&
        bus.last_read < program.list_address + program.descriptors.size() * generate::descriptor_stride) {
      names.emplace_back("reading a descriptor");
    } else if (bus.last_read >= numbers.address && bus.last_read < numbers.address + numbers.bytes) {
      const auto weights_at = descriptor.get<generate::F_WEIGHT_ADDRESS>();
      const auto parameters_at = descriptor.get<generate::F_PARAM_ADDRESS>();
      const bool weights = weights_at > parameters_at ? bus.last_read >= weights_at : bus.last_read < parameters_at;
      names.emplace_back(weights && descriptor.opcode() == generate::OP_CONVOLUTION ? "reading weights"
                                                                                    : "reading parameters");
    } else {
      names.emplace_back("reading activations");
    }
  }
  if (names.empty()) names.emplace_back("memory at rest, array at work");
  return names;
}

TEST_P(Bus, RecoversFromResetsInEveryPhase) {
  std::map<std::string, int> seen;
  const std::vector<Mode> all = modes();
  for (std::size_t m = 0; m < all.size(); ++m) {
    const std::uint64_t seed = first_seed() + 500 + m % 6;
    const Draw draw(seed, architecture());
    const auto golden = model::run_all(draw.network, draw.input);
    MemoryBehaviour behaviour = all[m].behaviour;
    behaviour.stall_seed = seed;
    behaviour.stall_probability = m % 3 == 0 ? 0.0 : 0.5;
    const std::int64_t end = rtl_->run(draw.program, draw.input, behaviour).end_cycle;
    ASSERT_GT(end, 60);
    // The first cycles, some over the whole run, and the end, where the last rows are written.
    std::vector<std::int64_t> cycles = {0, 1, 2, 3, 5, 8};
    for (std::int64_t c = 10; c < end - 40; c += 1 + end / 13) cycles.push_back(c);
    for (std::int64_t c = end - 40; c + 2 < end; c += 2) cycles.push_back(c);
    for (const std::int64_t cycle : cycles) {
      behaviour.reset_at = cycle;
      SCOPED_TRACE(fmt::format("{}; seed {}, stall probability {}, reset at {}", all[m].name, seed,
                               behaviour.stall_probability, cycle));
      const RunResult result = both(draw.program, draw.input, behaviour);
      EXPECT_TRUE(result.reset);
      for (const std::string& name : phases(result.at_reset, draw.program, result)) ++seen[name];
      recovers(draw, golden);
      ASSERT_FALSE(HasFailure());
    }
  }
  for (const auto& [name, count] : seen) std::cout << count << " resets: " << name << "\n";
  std::cout << counts_ << "\n";
  EXPECT_EQ(seen.size(), 10u);
  EXPECT_GT(counts_.masked, 0);
  EXPECT_GT(counts_.values, 0);
}

TEST_P(Bus, EndsWithTheErrorOfAResponse) {
  std::int64_t failed = 0;
  const std::vector<Mode> all = modes();
  for (std::uint64_t number = 0; number < 3; ++number) {
    const std::uint64_t seed = first_seed() + 700 + number;
    const Draw draw(seed, architecture());
    const auto golden = model::run_all(draw.network, draw.input);
    const RunResult whole = rtl_->run(draw.program, draw.input);
    std::int64_t reads = 0;
    for (const model::Events& e : whole.descriptors) reads += e.memory_lines_read;
    std::vector<MemoryBehaviour> failures;
    for (std::int64_t beat = 0; beat < reads; beat += 1 + reads / 17) failures.push_back({.fail_read_at = beat});
    // Responses until one is not reached any more.
    for (std::int64_t response = 0; response < 12; ++response) failures.push_back({.fail_write_at = response});
    for (std::size_t i = 0; i < failures.size(); ++i) {
      const Mode& mode = all[(i * 3 + number) % all.size()];
      MemoryBehaviour behaviour = mode.behaviour;
      behaviour.fail_read_at = failures[i].fail_read_at;
      behaviour.fail_write_at = failures[i].fail_write_at;
      behaviour.fail_response = i % 2 == 0 ? 2 : 3;
      behaviour.stall_seed = seed + i;
      behaviour.stall_probability = i % 3 == 0 ? 0.0 : 0.4;
      SCOPED_TRACE(fmt::format("{}; seed {}, stall probability {}, read {}, write {}", mode.name, seed,
                               behaviour.stall_probability, behaviour.fail_read_at, behaviour.fail_write_at));
      const RunResult result = both(draw.program, draw.input, behaviour);
      if (behaviour.fail_read_at >= 0 || behaviour.fail_write_at == 0) {
        EXPECT_EQ(result.error, RunError::memory);
      }
      failed += result.error == RunError::memory;
      recovers(draw, golden);
      ASSERT_FALSE(HasFailure());
    }
  }
  std::cout << failed << " failed runs; " << counts_ << "\n";
  EXPECT_GT(failed, 40);
  EXPECT_GT(counts_.values, 0);
}

// Bursts of whole beats cannot begin between them.
TEST_P(Bus, RefusesAddressesBetweenBeats) {
  const Draw draw(first_seed() + 900, architecture());
  const auto golden = model::run_all(draw.network, draw.input);
  const auto beat = static_cast<std::uint32_t>(architecture().data_bits) / 8;
  std::int64_t refused = 0;
  for (std::size_t i = 0; i < generate::descriptor_fields.size(); ++i) {
    if (generate::descriptor_fields[i].rule != generate::Rule::beat) continue;
    for (std::uint32_t off = 1; off < beat; off *= 2) {
      SCOPED_TRACE(fmt::format("{} + {}", generate::descriptor_fields[i].name, off));
      generate::Program program = draw.program;
      program.descriptors[0].advance(static_cast<generate::Field>(i), off);
      const RunResult result = both(program, draw.input, {});
      EXPECT_EQ(result.error, RunError::descriptor) << to_string(result.error);
      EXPECT_EQ(result.descriptors.size(), 0u);
      ++refused;
    }
  }
  for (std::uint32_t off = 1; off < beat; off *= 2) {
    SCOPED_TRACE(fmt::format("list + {}", off));
    generate::Program program = draw.program;
    program.list_address += off;
    const RunResult result = both(program, draw.input, {});
    EXPECT_EQ(result.error, RunError::descriptor) << to_string(result.error);
    EXPECT_EQ(result.last_transfer, -1) << "nothing may be read";
    ++refused;
  }
  recovers(draw, golden);
  std::cout << refused << " addresses refused; " << counts_ << "\n";
  EXPECT_GT(refused, 17);
}

INSTANTIATE_TEST_SUITE_P(Arrays, Bus, testing::Range(0, 4));

// What the memory says of a master whose second cycle is not what the first one promised.
std::string complaint(AxiMasterSignals first, AxiMasterSignals second) {
  Architecture architecture = test::narrow_array();
  std::vector<std::uint8_t> bytes(8192);
  AxiMemory memory(architecture, {.stall_probability = 1.0}, bytes);
  try {
    memory.clock({});
    memory.clock(first);
    memory.clock(second);
  } catch (const std::logic_error& error) {
    return error.what();
  }
  return "";
}

TEST(AxiMemory, HoldsMastersToTheProtocol) {
  const AxiMasterSignals read{.arvalid = true, .araddr = 0x40, .arlen = 3};
  const AxiMasterSignals write{.awvalid = true, .awaddr = 0x80, .awlen = 1};
  const AxiMasterSignals beat{.wvalid = true, .wdata = {0xab}};
  for (const auto& good : {read, write, beat}) EXPECT_EQ(complaint(good, good), "");
  const auto changed = [](AxiMasterSignals signals, auto change) {
    change(signals);
    return signals;
  };
  int caught = 0;
  const auto catches = [&](const AxiMasterSignals& first, const AxiMasterSignals& second, const std::string& told) {
    EXPECT_EQ(complaint(first, second), told);
    ++caught;
  };
  catches(read, {}, "AXI channel AR, cycle 2: VALID falls before READY, which 4 beats at 0x40 wait for");
  catches(write, {}, "AXI channel AW, cycle 2: VALID falls before READY, which 2 beats at 0x80 wait for");
  catches(read, changed(read, [](auto& s) { s.araddr = 0x44; }),
          "AXI channel AR, cycle 2: the payload changes before READY, from 4 beats at 0x40 to 4 beats at 0x44");
  catches(read, changed(read, [](auto& s) { s.arlen = 4; }),
          "AXI channel AR, cycle 2: the payload changes before READY, from 4 beats at 0x40 to 5 beats at 0x40");
  catches(write, changed(write, [](auto& s) { s.awaddr = 0; }),
          "AXI channel AW, cycle 2: the payload changes before READY, from 2 beats at 0x80 to 2 beats at 0x0");
  catches(write, changed(write, [](auto& s) { s.awlen = 0; }),
          "AXI channel AW, cycle 2: the payload changes before READY, from 2 beats at 0x80 to 1 beats at 0x80");
  const std::string old =
      "data 000000000000000000000000000000000000000000000000"
      "00000000000000ab strobes ffffffff last 0";
  catches(beat, {}, "AXI channel W, cycle 2: VALID falls before READY, which " + old + " wait for");
  const std::string changes = "AXI channel W, cycle 2: the payload changes before READY, from " + old + " to data ";
  const std::string zeros(48, '0');
  catches(beat, changed(beat, [](auto& s) { s.wdata[0] = 0xac; }),
          changes + zeros + "00000000000000ac strobes ffffffff last 0");
  catches(beat, changed(beat, [](auto& s) { s.wstrb = 0; }),
          changes + zeros + "00000000000000ab strobes 00000000 last 0");
  catches(beat, changed(beat, [](auto& s) { s.wlast = true; }),
          changes + zeros + "00000000000000ab strobes ffffffff last 1");
  std::cout << caught << " violations caught\n";
}

}  // namespace
}  // namespace bitstrata::sim
