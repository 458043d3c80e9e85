// SPDX-License-Identifier: Apache-2.0
// Parts of the gate-level simulator: memories in many streams, clock gates, unusual cells, energies that can be found
// by hand, netlists that are refused.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <random>

#include "sim/gates/energy.h"
#include "tests/sim/gates.h"

namespace {

using namespace bitstrata::sim::gates;
using namespace bitstrata::testing;
using ::testing::HasSubstr;

Word spread(bool bit) { return bit ? all_lanes : 0; }

TEST(LaneMemory, ReadsAndWritesStreamByStream) {
  constexpr int size = 11, width = 5, offset = 2, address_bits = 4;
  std::mt19937_64 random(3);
  std::vector<bool> content;
  for (int i = 0; i < size * width; ++i) content.push_back(random() % 2 != 0);
  LaneMemory memory(size, width, offset, content);
  std::vector<std::vector<int>> plain(lanes, std::vector<int>(size));  // a memory a stream
  for (auto& words : plain)
    for (int w = 0; w < size; ++w)
      for (int b = 0; b < width; ++b) words[w] |= int{content[w * width + b]} << b;
  for (int step = 0; step < 2000; ++step) {
    // Equal addresses, two different ones, or any.
    std::array<int, lanes> at;
    for (int l = 0; l < lanes; ++l)
      at[l] = step % 3 == 0   ? step % 16
              : step % 3 == 1 ? (l % 2 == 0 ? 3 : step % 16)
                              : static_cast<int>(random() % 16);
    std::array<Word, address_bits> address{};
    for (int l = 0; l < lanes; ++l)
      for (int i = 0; i < address_bits; ++i) address[i] |= static_cast<Word>((at[l] >> i) & 1) << l;
    std::array<Word, width> data, enable;
    for (int b = 0; b < width; ++b) {
      data[b] = random();
      enable[b] = random() & random();
    }
    const Word mask = random();
    if (step % 2 == 0) {
      memory.write(address, enable, data);
      for (int l = 0; l < lanes; ++l) {
        const int row = at[l] - offset;
        if (row < 0 || row >= size) continue;
        for (int b = 0; b < width; ++b) {
          if (((enable[b] >> l) & 1) == 0) continue;
          plain[l][row] = (plain[l][row] & ~(1 << b)) | (static_cast<int>((data[b] >> l) & 1) << b);
        }
      }
    } else {
      const std::array<Word, width> before = data;
      memory.read(address, mask, data);
      for (int l = 0; l < lanes; ++l) {
        const int row = at[l] - offset;
        for (int b = 0; b < width; ++b) {
          const Word expected = ((mask >> l) & 1) == 0   ? before[b] >> l
                                : row < 0 || row >= size ? 0
                                                         : static_cast<Word>(plain[l][row] >> b);
          ASSERT_EQ((data[b] >> l) & 1, expected & 1) << "step " << step << ", stream " << l;
        }
      }
    }
  }
  EXPECT_GT(memory.fast_accesses(), 600);
  EXPECT_GT(memory.slow_accesses(), 1200);
}

class Small : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!have_library() || !have("yosys")) GTEST_SKIP() << "yosys or osu018 are missing";
    library = read_liberty(osu018);
  }
  Netlist synthesized(const char* verilog, const char* top) {
    return read_netlist(synthesize(folder, verilog, top), library, {.top = top});
  }
  Netlist written(const std::string& modules) {
    return read_netlist(write_netlist(folder, modules), library, {.top = "top"});
  }
  std::string refusal(const std::string& modules) {
    return message_of<std::runtime_error>([&] {
      const Netlist netlist = written(modules);
      Simulator(netlist, make_timing(netlist, {}));
    });
  }
  TemporaryFolder folder;
  Library library;
};

TEST_F(Small, MemoriesOfANetlistAreThoseOfTheSource) {
  const Netlist netlist = synthesized(R"(
module memories (input clk, input we, re, input [3:0] wa, ra, input [7:0] d, input [7:0] mask, output reg [7:0] q,
                 output [7:0] now);
  reg [7:0] mem [0:15];
  integer i;
  always @(posedge clk) begin
    if (we) for (i = 0; i < 8; i = i + 1) if (mask[i]) mem[wa][i] <= d[i];
    if (re) q <= mem[ra];
  end
  assign now = mem[ra];
endmodule
)",
                                      "memories");
  ASSERT_EQ(netlist.memories.size(), 1u);
  const auto& ports = netlist.ports;
  for (const bool timed : {false, true}) {
    Simulator simulator(netlist, make_timing(netlist, {}));
    simulator.set_timed(timed);
    simulator.set_counting(true);
    std::mt19937_64 random(5);
    struct Stream {
      std::array<int, 16> mem{};
      int we = 0, re = 0, wa = 0, ra = 0, d = 0, mask = 0, q = 0;
    };
    std::vector<Stream> streams(lanes);
    std::uint64_t reads = 0, writes = 0, bits = 0;
    for (int cycle = 0; cycle < 500; ++cycle) {
      // The edge: reads see what was there before the writes.
      for (Stream& s : streams) {
        if (s.re) s.q = s.mem[s.ra];
        if (s.we) s.mem[s.wa] = (s.mem[s.wa] & ~s.mask) | (s.d & s.mask);
        writes += s.we && s.mask != 0;
        bits += s.we ? static_cast<unsigned>(std::popcount(static_cast<unsigned>(s.mask))) : 0;
        reads += s.re;
      }
      const int common = static_cast<int>(random() % 16);
      for (Stream& s : streams) {
        s.we = random() % 2;
        s.re = random() % 2;
        s.wa = cycle % 2 == 0 ? common : random() % 16;
        s.ra = cycle % 3 == 0 ? common : random() % 16;
        s.d = random() % 256;
        s.mask = cycle % 4 == 0 ? 255 : random() % 256;
      }
      const auto drive = [&](const char* name, int Stream::*value) {
        const auto& nets = ports.at(name).bits;
        for (std::size_t b = 0; b < nets.size(); ++b) {
          Word word = 0;
          for (int l = 0; l < lanes; ++l) word |= static_cast<Word>((streams[l].*value >> b) & 1) << l;
          simulator.set(nets[b], word);
        }
      };
      drive("we", &Stream::we);
      drive("re", &Stream::re);
      drive("wa", &Stream::wa);
      drive("ra", &Stream::ra);
      drive("d", &Stream::d);
      drive("mask", &Stream::mask);
      simulator.cycle();
      for (int b = 0; b < 8; ++b) {
        Word q = 0, now = 0;
        for (int l = 0; l < lanes; ++l) {
          q |= static_cast<Word>((streams[l].q >> b) & 1) << l;
          now |= static_cast<Word>((streams[l].mem[streams[l].ra] >> b) & 1) << l;
        }
        ASSERT_EQ(simulator.get(ports.at("q").bits[b]), q) << "cycle " << cycle;
        ASSERT_EQ(simulator.get(ports.at("now").bits[b]), now) << "cycle " << cycle;
      }
    }
    EXPECT_EQ(simulator.accesses(0).writes[0], writes);
    EXPECT_EQ(simulator.accesses(0).bits_written[0], bits);
    EXPECT_GE(simulator.accesses(0).reads[0], reads);  // and those of the asynchronous port
    EXPECT_GT(simulator.memory(0).fast_accesses(), 100);
    EXPECT_GT(simulator.memory(0).slow_accesses(), 100);
  }
}

TEST_F(Small, ClockGatesClockTheStreamsThatEnableThem) {
  const Netlist netlist = synthesized(R"(
module bs_clock_gate (input clk_i, enable_i, output clk_o);
  reg enabled;
  always_latch if (!clk_i) enabled = enable_i;
  assign clk_o = clk_i & enabled;
endmodule
module gated (input clk, input enable, inner, output reg [3:0] count, output reg [3:0] both);
  wire outer_clk, inner_clk;
  bs_clock_gate u_outer (.clk_i(clk), .enable_i(enable), .clk_o(outer_clk));
  bs_clock_gate u_inner (.clk_i(outer_clk), .enable_i(inner), .clk_o(inner_clk));
  always @(posedge outer_clk) count <= count + 1;
  always @(posedge inner_clk) both <= both + 1;
endmodule
)",
                                      "gated");
  ASSERT_EQ(netlist.domains.size(), 3u);
  const Timing timing = make_timing(netlist, {});
  const std::array<Word, 2> groups = {Word{1} << 5, all_lanes};
  Simulator simulator(netlist, timing, groups);
  simulator.set_counting(true);
  std::mt19937_64 random(9);
  std::array<unsigned, lanes> count{}, both{};
  std::uint64_t clocked = 0, twice = 0;
  Word enable = 0, inner = 0;
  constexpr int cycles = 200;
  for (int cycle = 0; cycle < cycles; ++cycle) {
    for (int l = 0; l < lanes; ++l) {
      count[l] += (enable >> l) & 1;
      both[l] += (enable & inner) >> l & 1;
    }
    clocked += static_cast<unsigned>(std::popcount(enable));
    twice += static_cast<unsigned>(std::popcount(enable & inner));
    enable = random();
    inner = random() | random();
    simulator.set(netlist.ports.at("enable").bits[0], enable);
    simulator.set(netlist.ports.at("inner").bits[0], inner);
    simulator.cycle();
    for (int b = 0; b < 4; ++b) {
      Word expected_count = 0, expected_both = 0;
      for (int l = 0; l < lanes; ++l) {
        expected_count |= static_cast<Word>((count[l] >> b) & 1) << l;
        expected_both |= static_cast<Word>((both[l] >> b) & 1) << l;
      }
      ASSERT_EQ(simulator.get(netlist.ports.at("count").bits[b]), expected_count) << "cycle " << cycle;
      ASSERT_EQ(simulator.get(netlist.ports.at("both").bits[b]), expected_both) << "cycle " << cycle;
    }
  }
  EXPECT_EQ(simulator.transitions(netlist.domains[0].clock)[1], 2u * cycles * lanes);
  EXPECT_EQ(simulator.transitions(netlist.domains[1].clock)[1], 2 * clocked);
  EXPECT_EQ(simulator.transitions(netlist.domains[2].clock)[1], 2 * twice);
  // The energy of the clock at the eight flip-flops: pins, wire and what Liberty says, at two transitions a pulse.
  const TimingOptions options;
  const EnergyModel energy(netlist, timing, options, library.voltage);
  const EnergyWindow window = energy.read(simulator);
  const LibertyCell& dff = *library.find("DFFPOSX1");
  const CellInput& pin = dff.inputs[static_cast<std::size_t>(dff.clock)];
  const double pulse = 2 * ((pin.capacitance + options.wire) * 1.8 * 1.8 / 2 + energy_of(pin.energy, 0, options.slew));
  const auto part = [&](const char* name) {
    return window.components[static_cast<std::size_t>(std::ranges::find(energy.components(), name, &Component::name) -
                                                      energy.components().begin())];
  };
  EXPECT_NEAR(part("gated").clock[1], 4 * pulse * static_cast<double>(clocked + twice), 1e-18);
  EXPECT_GT(part("bs_clock_gate").clock[1], 0);
  EXPECT_EQ(part("bs_clock_gate").switching[1], 0);
}

TEST_F(Small, ClockGatesOfALibraryHoldTheirEnable) {
  folder.write("gate.lib", R"(library (gate) { nom_voltage : 1; capacitive_load_unit (1, pf);
    cell (ICG) { clock_gating_integrated_cell : latch_posedge;
      pin (CK) { direction : input; clock_gate_clock_pin : true; }
      pin (E) { direction : input; clock_gate_enable_pin : true; }
      pin (G) { direction : output; clock_gate_out_pin : true; } }
    cell (FF) { ff (IQ, IQN) { clocked_on : "C"; next_state : "D"; }
      pin (C) { direction : input; clock : true; } pin (D) { direction : input; }
      pin (N) { direction : output; function : "IQN"; } } })");
  const Library gates = read_liberty(folder / "gate.lib");
  // A flip-flop that toggles when it is clocked.
  const Netlist netlist =
      read_netlist(write_netlist(folder, R"("bs_clock_gate": {"ports": {"clk_i": {"direction": "input", "bits": [2]},
            "enable_i": {"direction": "input", "bits": [3]}, "clk_o": {"direction": "output", "bits": [4]}},
          "cells": {"u": {"type": "ICG", "connections": {"CK": [2], "E": [3], "G": [4]}}}},
        "top": {"ports": {"clk": {"direction": "input", "bits": [2]}, "enable": {"direction": "input", "bits": [3]},
            "n": {"direction": "output", "bits": [5]}},
          "cells": {"g": {"type": "bs_clock_gate", "connections": {"clk_i": [2], "enable_i": [3], "clk_o": [4]}},
            "f": {"type": "FF", "connections": {"C": [4], "D": [5], "N": [5]}}}})"),
                   gates, {.top = "top"});
  Simulator simulator(netlist, make_timing(netlist, {}));
  simulator.set_counting(true);
  std::mt19937_64 random(2);
  Word enable = 0, n = all_lanes;
  std::uint64_t pulses = 0;
  for (int cycle = 0; cycle < 50; ++cycle) {
    n ^= enable;
    pulses += static_cast<unsigned>(std::popcount(enable));
    simulator.set(netlist.ports.at("enable").bits[0], enable = random());
    simulator.cycle();
    EXPECT_EQ(simulator.get(netlist.ports.at("n").bits[0]), n);
  }
  EXPECT_EQ(simulator.transitions(netlist.domains[1].clock)[0], 2 * pulses);
}

const char* const two_gates =
    R"("top": {"ports": {"a": {"direction": "input", "bits": [2]}, "b": {"direction": "input", "bits": [3]},
                         "y": {"direction": "output", "bits": [5]}},
       "cells": {"g": {"type": "NAND2X1", "connections": {"A": [2], "B": [3], "Y": [4]}},
                 "h": {"type": "INVX1", "connections": {"A": [4], "Y": [5]}}}})";

TEST_F(Small, EnergyOfTwoGatesIsThatFoundByHand) {
  const Netlist netlist = written(two_gates);
  TimingOptions options;
  options.slew = 60e-12;
  options.wire = 5e-15;
  options.port_load = 15e-15;
  const Timing timing = make_timing(netlist, options);
  const std::array<Word, 2> groups = {1, 2};
  Simulator simulator(netlist, timing, groups);
  simulator.set_counting(true);
  const NetId a = netlist.ports.at("a").bits[0], b = netlist.ports.at("b").bits[0];
  // Stream 0: a toggles 6 times while b is 1; stream 1: b stays 0 and only a toggles.
  for (int i = 1; i <= 6; ++i) {
    simulator.set(a, spread(i % 2 != 0));
    simulator.set(b, 1);
    simulator.cycle();
  }
  const EnergyModel energy(netlist, timing, options, library.voltage);
  const EnergyWindow window = energy.read(simulator);
  EXPECT_EQ(window.cycles, 6);
  const double half = 1.8 * 1.8 / 2;
  // fF: a has the pin of 12.5 and a wire of 5, b 12.9035 and 5; the net between them 9.32456 and 5; y its port.
  const double net_a = 17.5, net_b = 17.9035, net_y = 15;
  const double middle = 14.32456;
  // b's rise in stream 0 comes with a's first one: the output falls once. fJ of the tables at 0.06 ns, mean of both
  // related pins and edges: NAND2X1 between loads of 12.5 and 25 fF, INVX1 between 12.5 and 25 fF.
  const double nand_low = (9.375 + 45.446 + 9.413 + 33.477) / 4, nand_high = (9.041 + 45.658 + 8.958 + 34.205) / 4;
  const double nand = nand_low + (nand_high - nand_low) * (middle - 12.5) / 12.5;
  const double inv_low = (9.047 + 23.165) / 2, inv_high = (8.669 + 23.574) / 2;
  const double inv = inv_low + (inv_high - inv_low) * (net_y - 12.5) / 12.5;
  const ComponentEnergy& top = window.components[0];
  EXPECT_NEAR(top.switching[0] * 1e15, half * (6 * net_a + net_b + 6 * middle + 6 * net_y), 1e-6);
  EXPECT_NEAR(top.switching[1] * 1e15, half * 6 * net_a, 1e-6);
  EXPECT_NEAR(top.internal[0] * 1e15, 6 * nand + 6 * inv, 1e-6);
  EXPECT_EQ(top.internal[1], 0);
  EXPECT_EQ(top.clock[0], 0);
  EXPECT_DOUBLE_EQ(energy.components()[0].area, 40);
  EXPECT_NEAR(energy.components()[0].leakage, (0.0393659 + 0.0221741) * 1e-9, 1e-18);
}

TEST_F(Small, CellsOfOddFunctionsGoByTheirTables) {
  folder.write("odd.lib", R"(library (odd) { nom_voltage : 1; capacitive_load_unit (1, pf); cell (ODD) {
    pin (A) { direction : input; } pin (B) { direction : input; } pin (C) { direction : input; }
    pin (D) { direction : input; } pin (E) { direction : input; }
    pin (Y) { direction : output; function : "(A B) ^ (C + !D) E"; }
    pin (ONE) { direction : output; function : "1"; } } })");
  const Library odd = read_liberty(folder / "odd.lib");
  const Netlist netlist =
      read_netlist(write_netlist(folder, R"("top": {"ports": {"i": {"direction": "input", "bits": [2, 3, 4, 5, 6]},
          "y": {"direction": "output", "bits": [7, 8]}},
          "cells": {"g": {"type": "ODD", "connections":
            {"A": [2], "B": [3], "C": [4], "D": [5], "E": [6], "Y": [7], "ONE": [8]}}}})"),
                   odd, {.top = "top"});
  Simulator simulator(netlist, make_timing(netlist, {}));
  std::mt19937_64 random(1);
  for (int cycle = 0; cycle < 40; ++cycle) {
    std::array<Word, 5> in;
    for (std::size_t i = 0; i < in.size(); ++i) simulator.set(netlist.ports.at("i").bits[i], in[i] = random());
    simulator.set_timed(cycle % 2 == 0);
    simulator.cycle();
    EXPECT_EQ(simulator.get(netlist.ports.at("y").bits[0]), ((in[0] & in[1]) ^ (in[2] | ~in[3])) & in[4]);
    EXPECT_EQ(simulator.get(netlist.ports.at("y").bits[1]), all_lanes);
  }
}

TEST_F(Small, RefusesWhatItCannotSimulateInOneLine) {
  const auto module = [](const std::string& cells) {
    return R"("top": {"ports": {"a": {"direction": "input", "bits": [2]}, "y": {"direction": "output", "bits": [3]}},
              "cells": {)" +
           cells + "}}";
  };
  EXPECT_THAT(refusal(module(R"("u": {"type": "$and", "connections": {"A": [2], "B": [2], "Y": [3]}})")),
              HasSubstr("cell top.u of type $and is neither in the library nor a module"));
  EXPECT_THAT(refusal(module(R"("u": {"type": "INVX1", "connections": {"A": [2], "Y": [3]}},
                                "v": {"type": "INVX1", "connections": {"A": [2], "Y": [3]}})")),
              HasSubstr("cell top.v drives a net that has a driver already"));
  EXPECT_THAT(refusal(module(R"("u": {"type": "INVX1", "connections": {"A": [4], "Y": [3]}},
                                "v": {"type": "NAND2X1", "connections": {"A": [3], "B": [2], "Y": [4]}})")),
              HasSubstr("is part of a combinational loop"));
  EXPECT_THAT(refusal(module(R"("u": {"type": "LATCH", "connections": {"CLK": [2], "D": [2], "Q": [3]}})")),
              HasSubstr("cell top.u of type LATCH: a latch outside of bs_clock_gate"));
  EXPECT_THAT(refusal(module(R"("u": {"type": "DFFNEGX1", "connections": {"CLK": [2], "D": [2], "Q": [3]}})")),
              HasSubstr("cell top.u of type DFFNEGX1: its clock is"));
  EXPECT_THAT(refusal(module(R"("u": {"type": "INVX1", "connections": {"A": [2], "Y": [4]}},
                                "v": {"type": "DFFPOSX1", "connections": {"CLK": [4], "D": [2], "Q": [3]}})")),
              HasSubstr("the clock is no input of the top module"));
  EXPECT_THAT(refusal(module(R"("u": {"type": "INVX1", "connections": {"A": [2], "Y": [4]}},
                                "v": {"type": "DFFPOSX1", "connections": {"CLK": [2], "D": [4], "Q": [3]}})")),
              HasSubstr("cell top.u: it uses a clock as data"));
  EXPECT_THAT(refusal("\"other\": {}"), HasSubstr("there is no module 'top'"));
  EXPECT_THAT(refusal("\"top\": {"), HasSubstr("netlist.json"));
  EXPECT_THAT(message_of<std::runtime_error>([&] { read_netlist(folder / "absent", library); }),
              HasSubstr("cannot be read"));
}

}  // namespace
