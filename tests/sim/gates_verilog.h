// SPDX-License-Identifier: Apache-2.0
// A flat netlist with its delays as Verilog, for Icarus to say what a stream of it does.
//
// A gate is `assign #inertia y = f(...)` of inputs that come (delay - inertia) late. The #0 lets all inputs that change
// at one time change before the function is taken, as hardware descriptions have it and one-by-one events do not.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "sim/gates/simulator.h"
#include "tests/sim/gates.h"

namespace bitstrata::testing {

// Activity of a net: transitions, transitions of its settled values, and its last value.
struct NetActivity {
  std::uint64_t toggles = 0, settled = 0;
  int value = 0;
};

class IcarusNetlist {
 public:
  IcarusNetlist(const sim::gates::Netlist& netlist, const sim::gates::Timing& timing)
      : netlist_(netlist), timing_(timing) {}

  // `stimulus`: in each cycle a bit of each of `inputs`; counts from cycle `from` on.
  std::vector<NetActivity> run(const TemporaryFolder& folder, const std::vector<sim::gates::NetId>& inputs,
                               const std::vector<std::vector<bool>>& stimulus, std::size_t from) const {
    folder.write("gates.v", verilog(inputs, stimulus.size(), from));
    std::string memory;
    for (const auto& bits : stimulus) {
      for (std::size_t i = bits.size(); i-- > 0;) memory += bits[i] ? '1' : '0';
      memory += '\n';
    }
    folder.write("stimulus", memory);
    run_in(folder.path(), "iverilog -g2012 -o gates gates.v && vvp -n gates > out");
    std::istringstream out(read_text(folder / "out"));
    std::vector<NetActivity> activity(netlist_.nets);
    for (std::size_t net = 0; out >> net;) out >> activity[net].toggles >> activity[net].settled >> activity[net].value;
    return activity;
  }

 private:
  // The truth table's bit of this number; of the inputs that decide only, lest an undefined one spoils the others.
  static std::string lookup(sim::gates::TruthTable table, const std::vector<std::string>& inputs) {
    using namespace sim::gates;
    std::vector<std::size_t> used;
    for (std::size_t k = 0; k < inputs.size(); ++k)
      if (depends_on(table, static_cast<int>(k))) used.push_back(k);
    if (used.empty()) return fmt::format("1'b{}", table & 1);
    TruthTable reduced = 0;
    for (unsigned row = 0; row < 1U << used.size(); ++row) {
      unsigned from = 0;
      for (std::size_t i = 0; i < used.size(); ++i) from |= ((row >> i) & 1) << used[i];
      reduced |= ((table >> from) & 1) << row;
    }
    std::string index;
    for (std::size_t i = used.size(); i-- > 0;) index += (index.empty() ? "" : ", ") + inputs[used[i]];
    return fmt::format("64'h{:x} >> {{{}}}", reduced, index);
  }

  std::string verilog(const std::vector<sim::gates::NetId>& inputs, std::size_t cycles, std::size_t from) const {
    using namespace sim::gates;
    std::string text = "`timescale 1ps/1ps\nmodule test;\nreg clk = 0, counting = 0;\n";
    const auto add = [&](auto format, const auto&... values) { text += fmt::format(fmt::runtime(format), values...); };
    add("reg [{}:0] in = 0; reg [{}:0] stimulus [0:{}];\n", inputs.size() - 1, inputs.size() - 1, cycles - 1);
    for (NetId net = 0; net < netlist_.nets; ++net)
      add("wire n{0}; integer t{0} = 0, s{0} = 0; reg v{0} = 0; always @(n{0}) if (counting) t{0} = t{0} + 1;\n", net);
    add("assign n0 = 0; assign n1 = 1; assign n{} = clk;\n", netlist_.domains[0].clock);
    for (std::size_t i = 0; i < inputs.size(); ++i) add("assign n{} = in[{}];\n", inputs[i], i);
    for (std::uint32_t i = 0; i < netlist_.cells.size(); ++i) cell(i, add);
    text += "task sample; begin\n";
    for (NetId net = 0; net < netlist_.nets; ++net)
      add("if (counting && n{0} !== v{0}) s{0} = s{0} + 1; v{0} = n{0};\n", net);
    add("end endtask\ninteger c;\ninitial begin $readmemb(\"stimulus\", stimulus);\n"
        "for (c = 0; c < {}; c = c + 1) begin clk = 1; #{} in = stimulus[c]; #10000 clk = 0; #10000 sample;\n"
        "counting = c + 1 >= {}; end\n",
        cycles, timing_.input_delay, from);
    for (NetId net = 2; net < netlist_.nets; ++net) add("$display(\"{0} %0d %0d %0d\", t{0}, s{0}, n{0});\n", net);
    return text + "$finish; end\nendmodule\n";
  }

  template <class Add>
  void cell(std::uint32_t index, const Add& add) const {
    using namespace sim::gates;
    const PlacedCell& placed = netlist_.cells[index];
    const LibertyCell& cell = *placed.cell;
    const std::size_t count = placed.inputs.size();
    std::vector<std::string> nets;
    for (const NetId net : placed.inputs) nets.push_back(fmt::format("n{}", net));
    if (cell.kind == CellKind::flip_flop) {
      add("reg q{0} = 0; wire c{0}, p{0}; assign c{0} = {1}; assign p{0} = {2};\n"
          "always @(posedge clk or posedge c{0} or posedge p{0}) if (c{0}) q{0} <= 0; else if (p{0}) q{0} <= 1;\n"
          "else q{0} <= {3};\n",
          index, lookup(cell.clear, nets), lookup(cell.preset, nets), lookup(cell.next_state, nets));
      for (std::size_t o = 0; o < placed.outputs.size(); ++o) {
        if (placed.outputs[o] != no_net)
          add("assign #{} n{} = {}q{};\n", timing_.of(index, o, count, static_cast<std::size_t>(cell.clock)),
              placed.outputs[o], cell.outputs[o].inverted ? "~" : "", index);
      }
      return;
    }
    for (std::size_t o = 0; o < placed.outputs.size(); ++o) {
      if (placed.outputs[o] == no_net) continue;
      unsigned inertia = ~0U;
      for (std::size_t k = 0; k < count; ++k) inertia = std::min<unsigned>(inertia, timing_.of(index, o, count, k));
      std::vector<std::string> late;
      std::string sensitive;
      for (std::size_t k = 0; k < count; ++k) {
        late.push_back(fmt::format("i{}_{}_{}", index, o, k));
        add("reg {0} = 0; always @({1}) {0} <= #{2} {1}; initial #1 {0} = {1};\n", late.back(), nets[k],
            timing_.of(index, o, count, k) - inertia);
        sensitive += (k == 0 ? "" : " or ") + late.back();
      }
      add("reg y{0}_{1} = 0; always @({2}) begin #0 y{0}_{1} = {3}; end initial #2 y{0}_{1} = {3};\n"
          "assign #{4} n{5} = y{0}_{1};\n",
          index, o, sensitive, lookup(cell.outputs[o].function, late), inertia, placed.outputs[o]);
    }
  }

  const sim::gates::Netlist& netlist_;
  const sim::gates::Timing& timing_;
};

}  // namespace bitstrata::testing
