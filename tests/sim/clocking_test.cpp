// SPDX-License-Identifier: Apache-2.0
// How the SystemC model is clocked changes nothing: many cycles at once or each in its own time, with modules at rest
// left alone or asked nevertheless, in any order, alone or with modules of others looking on, and traced.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "sim/systemc/accelerator.h"
#include "tests/sim/arrays.h"
#include "tests/sim/drawn_network.h"

namespace bitstrata::sim {
namespace {

using model::Architecture;
using test::Draw;

std::vector<Architecture> arrays() {
  return {test::narrow_array(), test::paired_array(),  test::triple_array(),      test::odd_array(),
          test::widest_array(), test::overlay_array(), test::wide_overlay_array()};
}

// Numbers compared.
std::int64_t compare_runs(const RunResult& got, const RunResult& wanted) {
  EXPECT_EQ(got.error, wanted.error);
  EXPECT_EQ(got.reset, wanted.reset);
  EXPECT_EQ(got.end_cycle, wanted.end_cycle);
  EXPECT_EQ(got.last_transfer, wanted.last_transfer);
  EXPECT_EQ(got.masked_beats, wanted.masked_beats);
  EXPECT_EQ(got.toggles.size(), wanted.toggles.size());
  for (std::size_t d = 0; d < wanted.toggles.size() && d < got.toggles.size(); ++d)
    for (const auto member : model::toggle_members) EXPECT_EQ(got.toggles[d].*member, wanted.toggles[d].*member);
  return 5 + test::compare_events(got.descriptors, wanted.descriptors) +
         test::compare_tensors(got.tensors.at(0), wanted.tensors.at(0)) +
         static_cast<std::int64_t>(wanted.toggles.size() * model::toggle_members.size());
}

class Clocking : public testing::TestWithParam<int> {};

TEST_P(Clocking, ModulesAtRestWouldDoNothing) {
  const Architecture a = arrays().at(static_cast<std::size_t>(GetParam()));
  std::int64_t compared = 0, runs = 0, cycles = 0;
  std::map<RunError, int> ends;
  const auto both = [&](const Draw& draw, const MemoryBehaviour& behaviour, bool toggles, std::uint32_t limit = 0) {
    const auto usual = make_systemc_engine(a, {.toggles = toggles}),
               checked = make_systemc_engine(a, {.toggles = toggles, .checked = true});
    usual->watchdog = checked->watchdog = 1500;
    usual->limit = checked->limit = limit;
    const RunResult wanted = usual->run(draw.program, draw.input, behaviour);
    compared += compare_runs(checked->run(draw.program, draw.input, behaviour), wanted);
    ++runs;
    ++ends[wanted.error];
    for (const model::Events& events : wanted.descriptors) cycles += events.cycles;
    return wanted;
  };
  for (std::uint64_t i = 0; i < 12 && !HasFailure(); ++i) {
    const std::uint64_t seed = 5000 + 100 * static_cast<std::uint64_t>(GetParam()) + i;
    SCOPED_TRACE(fmt::format("array {}, seed {}", a.name, seed));
    const Draw draw(seed, a);
    MemoryBehaviour behaviour{.stall_seed = seed, .write_order = static_cast<WriteOrder>(i % 4)};
    behaviour.ar_after_valid = i % 3 == 1;
    behaviour.w_after_valid = i % 5 == 2;
    const std::int64_t end = both(draw, behaviour, i % 6 == 5).end_cycle;
    ASSERT_GT(end, 60);
    behaviour.stall_probability = 0.4;
    both(draw, behaviour, false);
    // Ends in every way.
    behaviour.stall_probability = 0;
    const auto at = static_cast<std::int64_t>(i) * end / 12;
    behaviour.reset_at = at;
    both(draw, behaviour, false);
    behaviour.reset_at = -1;
    (i % 2 == 0 ? behaviour.fail_read_at : behaviour.hang_read_at) = at / 8;
    both(draw, behaviour, false);
    behaviour.fail_read_at = behaviour.hang_read_at = -1;
    both(draw, behaviour, false, static_cast<std::uint32_t>(at + 1));
  }
  std::cout << runs << " runs of " << cycles << " cycles, " << compared << " numbers compared\n";
  EXPECT_GT(ends[RunError::none], 0);
  EXPECT_GT(ends[RunError::memory], 0);
  EXPECT_GT(ends[RunError::no_progress], 0);
}

INSTANTIATE_TEST_SUITE_P(Arrays, Clocking, testing::Range(0, static_cast<int>(arrays().size())));

// A module of others: counts what it sees, and drives a signal.
struct Watcher : sc_core::sc_module {
  sc_core::sc_port<systemc::Cycles> cycles{"cycles"};
  sc_core::sc_out<bool> reads{"reads"};
  std::int64_t seen = 0, next = 0, out_of_turn = 0, planes = 0, lines_read = 0, in_layers = 0;

  explicit Watcher(const sc_core::sc_module_name& name) : sc_module(name) {
    SC_HAS_PROCESS(Watcher);
    SC_METHOD(look);
    sensitive << cycles;
    dont_initialize();
  }
  void look() {
    if (cycles->cycle() == 0) next = 0;  // a further run
    out_of_turn += cycles->cycle() != next++;
    const systemc::Signals& s = cycles->signals();
    ++seen;
    planes += s.plane();
    lines_read += s.sequencer.running && s.memory.rvalid;
    in_layers += s.sequencer.in_layer;
    reads = s.memory.rvalid;
  }
};

// It knows the watcher's signal alone.
struct Edges : sc_core::sc_module {
  sc_core::sc_in<bool> in{"in"};
  std::int64_t rises = 0;
  sc_core::sc_time high, rose;

  explicit Edges(const sc_core::sc_module_name& name) : sc_module(name) {
    SC_HAS_PROCESS(Edges);
    SC_METHOD(change);
    sensitive << in;
    dont_initialize();
  }
  void change() {
    if (in) {
      ++rises;
      rose = sc_core::sc_time_stamp();
    } else {
      high += sc_core::sc_time_stamp() - rose;
    }
  }
};

struct Seen {
  std::vector<model::Events> events;
  std::vector<std::uint8_t> memory;
  std::int64_t end_cycle = 0;
  sc_core::sc_time took;
  bool operator==(const Seen&) const = default;
};

Seen run(systemc::Accelerator& accelerator, const Draw& draw, const MemoryBehaviour& behaviour) {
  Seen seen;
  seen.memory = generate::memory_image(draw.program);
  place_inputs(draw.program, {&draw.input, 1}, seen.memory);
  const sc_core::sc_time start = sc_core::sc_time_stamp();
  accelerator.run(behaviour, seen.memory, draw.program.list_address, 100000, 0,
                  [&](const model::Events& events) { seen.events.push_back(events); });
  EXPECT_EQ(accelerator.error(), RunError::none);
  seen.end_cycle = accelerator.end_cycle();
  seen.took = sc_core::sc_time_stamp() - start;
  return seen;
}

void look_on() {
  setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
  const Architecture a = test::triple_array();
  systemc::Accelerator alone("alone", a), looked_on("looked_on", a), checked("checked", a, true);
  sc_core::sc_signal<bool> reads{"reads"};
  Watcher watcher("watcher");
  watcher.cycles(looked_on.cycles);
  watcher.reads(reads);
  Edges edges("edges");
  edges.in(reads);
  std::int64_t events = 0, cycles = 0, planes = 0, lines = 0, in_layers = 0;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Draw draw(seed, a);
    const MemoryBehaviour behaviour{.stall_seed = seed, .stall_probability = seed % 2 == 0 ? 0.3 : 0.0};
    const Seen wanted = run(alone, draw, behaviour), got = run(looked_on, draw, behaviour);
    const Seen asked = run(checked, draw, behaviour);
    events += test::compare_events(got.events, wanted.events);
    EXPECT_TRUE(got == wanted);
    EXPECT_TRUE(asked == wanted);
    // The time of a run is its cycles', however many pass at once, with the one in which the run is over.
    EXPECT_EQ(wanted.took, sc_core::sc_time(static_cast<double>(wanted.end_cycle + 1), sc_core::SC_NS));
    cycles += wanted.end_cycle + 1;
    for (const model::Events& each : wanted.events) {
      planes += each.plane_steps;
      lines += each.memory_lines_read;
      in_layers += each.cycles;
    }
  }
  EXPECT_EQ(watcher.seen, cycles);
  EXPECT_EQ(watcher.out_of_turn, 0);
  EXPECT_EQ(watcher.planes, planes);
  EXPECT_EQ(watcher.lines_read, lines);
  EXPECT_LT(watcher.in_layers, in_layers);  // events count descriptors being fetched, too
  EXPECT_GT(watcher.in_layers, 0);
  EXPECT_EQ(edges.high, sc_core::sc_time(static_cast<double>(lines), sc_core::SC_NS));
  EXPECT_GT(edges.rises, 0);
  std::cout << cycles << " cycles, " << planes << " planes, " << lines << " lines in " << edges.rises
            << " pulses seen, " << events << " event counts compared\n";
}

// SystemC elaborates once a process, so this has one of its own, with all accelerators.
TEST(LookedOnDeathTest, EachCycleIsSeenAndNothingChanges) {
  EXPECT_EXIT(
      {
        look_on();
        std::cout.flush();
        _exit(testing::Test::HasFailure() ? 1 : 0);
      },
      testing::ExitedWithCode(0), "");
}

// Cycles in which each signal of one bit is 1, by its name with its scope's.
std::map<std::string, std::int64_t> high_cycles(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::map<std::string, std::string> names;  // by the file's short ones
  std::map<std::string, std::pair<bool, std::int64_t>> now;
  std::map<std::string, std::int64_t> high;
  std::string line, scope;
  std::int64_t time = 0;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::string word, kind, width, id, name;
    words >> word;
    if (word == "$scope") words >> kind >> scope;
    if (word == "$upscope") scope.clear();
    if (word == "$var") {
      words >> kind >> width >> id >> name;
      if (width == "1") names[id] = scope + "." + name;
    }
    if (word.size() > 1 && word[0] == '#') time = std::stoll(word.substr(1));
    if (word.empty() || (word[0] != '0' && word[0] != '1')) continue;
    auto& [value, since] = now[word.substr(1)];
    if (value) high[names.at(word.substr(1))] += time - since;
    value = word[0] == '1';
    since = time;
  }
  return high;
}

TEST(Trace, HasEachCycle) {
  const std::filesystem::path file = std::filesystem::temp_directory_path() / fmt::format("trace-{}.vcd", getpid());
  const Architecture a = test::narrow_array();
  const Draw draw(7, a);
  const RunResult wanted = make_systemc_engine(a)->run(draw.program, draw.input),
                  got = make_systemc_engine(a, {.trace = file})->run(draw.program, draw.input);
  EXPECT_GT(compare_runs(got, wanted), 5);
  auto high = high_cycles(file);
  std::filesystem::remove(file);
  model::Events sum;
  for (const model::Events& events : wanted.descriptors) sum += events;
  EXPECT_GT(sum.plane_steps, 0);
  EXPECT_EQ(high["settled.plane"], sum.plane_steps);
  EXPECT_EQ(high["settled.load_row"], sum.weight_rows_read);
  EXPECT_EQ(high["settled.window_read"], sum.window_reads);
  EXPECT_EQ(high["post.group"], sum.post_cycles);
  EXPECT_EQ(high["axi.rvalid"], sum.memory_lines_read);
  EXPECT_EQ(high["sequencer.running"], sum.cycles);
}

TEST(Trace, SaysWhatIsWrongWithItsFile) {
  const Architecture a = test::narrow_array();
  const Draw draw(7, a);
  const auto message = [&](const char* file) -> std::string {
    try {
      make_systemc_engine(a, {.trace = file})->run(draw.program, draw.input);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "nothing is wrong";
  };
  EXPECT_THAT(message("trace.txt"), testing::HasSubstr("trace file trace.txt: its name must end with .vcd"));
  EXPECT_THAT(message("/nowhere/trace.vcd"), testing::HasSubstr("trace file /nowhere/trace.vcd: No such file"));
}

}  // namespace
}  // namespace bitstrata::sim
