// SPDX-License-Identifier: Apache-2.0
// Transitions of every net against Icarus, with and without glitches; clock gates; memories; cells that have no
// function of their own.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <random>

#include "sim/gates/simulator.h"
#include "tests/sim/gates.h"
#include "tests/sim/gates_verilog.h"

namespace {

using namespace bitstrata::sim::gates;
using namespace bitstrata::testing;

// A multiplier that accumulates, with a comparison and a selection behind it: carries and glitches.
const char* const datapath = R"(
module datapath (input clk, input rst_n, input [6:0] a, b, input [2:0] select, output reg [15:0] sum, output [15:0] out);
  reg [6:0] a_q, b_q;
  reg [3:0] count;
  always @(posedge clk) begin a_q <= a; b_q <= b; end
  always @(posedge clk or negedge rst_n)
    if (!rst_n) begin sum <= 0; count <= 0; end
    else begin sum <= (sum[15] ? 16'd0 : sum) + a_q * b_q; count <= count + 1; end
  assign out = select[2] ? sum >> select : (sum < {a_q, b_q} ? sum ^ {count, 12'd0} : sum - b_q);
endmodule
)";

std::vector<NetId> inputs_of(const Netlist& netlist) {
  std::vector<NetId> nets;
  for (const auto& [name, port] : netlist.ports)
    if (port.input && name != "clk") nets.insert(nets.end(), port.bits.begin(), port.bits.end());
  return nets;
}

class Datapath : public ::testing::Test {
 protected:
  static constexpr std::size_t cycles = 300, from = 10;

  void SetUp() override {
    if (!have_library() || !have("yosys") || !have("iverilog")) GTEST_SKIP() << "yosys, iverilog or osu018 are missing";
    library = read_liberty(osu018);
    ASSERT_NO_FATAL_FAILURE(json = synthesize(folder, datapath, "datapath"));
    netlist = read_netlist(json, library, {.top = "datapath"});
    timing = make_timing(netlist, {});
    const std::vector<NetId> inputs = inputs_of(netlist);
    std::mt19937_64 random(7);
    const NetId reset = netlist.ports.at("rst_n").bits[0];
    for (std::size_t c = 0; c < cycles; ++c) {
      std::vector<Word> words;
      // Inputs that rest now and then; a reset at the beginning and again in the middle of some streams.
      for (const NetId net : inputs)
        words.push_back(net == reset           ? (c < 3      ? 0
                                                  : c == 150 ? random()
                                                             : all_lanes)
                        : c % 3 == 0 || c == 0 ? random()
                                               : stimulus.back()[words.size()]);
      stimulus.push_back(words);
    }
  }

  // Transitions of each net in each of three streams.
  std::vector<std::array<std::uint64_t, 3>> simulate(bool timed, std::vector<Word>& values) {
    const std::array<Word, 3> groups = {Word{1} << streams[0], Word{1} << streams[1], Word{1} << streams[2]};
    Simulator simulator(netlist, timing, groups);
    simulator.set_timed(timed);
    const std::vector<NetId> inputs = inputs_of(netlist);
    for (std::size_t c = 0; c < cycles; ++c) {
      simulator.set_counting(c >= from);
      for (std::size_t i = 0; i < inputs.size(); ++i) simulator.set(inputs[i], stimulus[c][i]);
      simulator.cycle();
    }
    std::vector<std::array<std::uint64_t, 3>> toggles(netlist.nets);
    for (NetId net = 0; net < netlist.nets; ++net) {
      const GroupCounts counts = simulator.transitions(net);
      std::copy_n(counts.begin(), 3, toggles[net].begin());
      values.push_back(simulator.get(net));
    }
    return toggles;
  }

  TemporaryFolder folder;
  std::filesystem::path json;
  Library library;
  Netlist netlist;
  Timing timing;
  std::vector<std::vector<Word>> stimulus;  // [cycle][input]
  const std::array<int, 3> streams = {0, 17, 63};
};

TEST_F(Datapath, TogglesAsInIcarus) {
  std::vector<Word> values, settled_values;
  const auto timed = simulate(true, values);
  const auto settled = simulate(false, settled_values);
  EXPECT_EQ(values, settled_values);
  const NetId clock = netlist.domains[0].clock;
  std::uint64_t sum_timed = 0, sum_settled = 0, compared = 0;
  for (std::size_t s = 0; s < streams.size(); ++s) {
    std::vector<std::vector<bool>> bits;
    for (const auto& words : stimulus) {
      bits.emplace_back();
      for (const Word word : words) bits.back().push_back(((word >> streams[s]) & 1) != 0);
    }
    std::vector<NetActivity> icarus;
    ASSERT_NO_FATAL_FAILURE(icarus = IcarusNetlist(netlist, timing).run(folder, inputs_of(netlist), bits, from));
    for (NetId net = 2; net < netlist.nets; ++net) {
      if (net == clock) continue;
      EXPECT_EQ(timed[net][s], icarus[net].toggles) << "net " << net << ", stream " << streams[s];
      EXPECT_EQ(settled[net][s], icarus[net].settled) << "net " << net << ", stream " << streams[s];
      EXPECT_EQ((values[net] >> streams[s]) & 1, static_cast<Word>(icarus[net].value)) << "net " << net;
      sum_timed += timed[net][s];
      sum_settled += settled[net][s];
      ++compared;
    }
  }
  fmt::print("equal: {} nets and streams, {} transitions with glitches, {} without\n", compared, sum_timed,
             sum_settled);
  EXPECT_GT(sum_timed, sum_settled);
}

TEST_F(Datapath, CountsClockEdges) {
  std::vector<Word> values;
  const auto toggles = simulate(true, values);
  EXPECT_EQ(toggles[netlist.domains[0].clock][1], 2 * (cycles - from));
}

}  // namespace
