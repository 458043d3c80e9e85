// SPDX-License-Identifier: Apache-2.0
// Power of combinational logic beside OpenSTA's: the same netlist, the same activity. OpenSTA computes slews where we
// read all tables at one, and that is the difference left.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <regex>

#include "rtl/generate/rtl_files.h"
#include "sim/gates/energy.h"
#include "tests/sim/gates.h"

namespace bitstrata::sim::gates {
namespace {

// Registers around a popcount of 32 products.
constexpr const char* design = R"(
module top (input clk_i, input [31:0] a_i, input [31:0] b_i, output reg [5:0] count_o);
  reg [31:0] a, b;
  wire [5:0] count;
  bs_products #(.ROWS(32)) u_logic (.act_i(a), .weight_i(b), .count_o(count));
  always @(posedge clk_i) begin
    a <= a_i;
    b <= b_i;
    count_o <= count;
  end
endmodule
)";

TEST(Power, OfCombinationalLogicIsOpenStas) {
  using namespace bitstrata::testing;
  if (!have_library() || !have("yosys") || !have("sta")) GTEST_SKIP() << "needs osu018, yosys and sta";
  const TemporaryFolder folder;
  std::string text = design;
  for (const auto& file : generate::rtl_files()) {
    if (file.name == "bs_popcount.sv" || file.name == "bs_products.sv") text += file.text;
  }
  folder.write("flat.v", text);
  // The products with their popcount are one module of logic.
  run_in(folder / "",
         "yosys -q -p 'read_verilog -sv flat.v; hierarchy -top top; proc; flatten *bs_products*; "
         "write_verilog -noattr logic.v'");
  bitstrata::testing::synthesize(folder, read_text(folder / "logic.v"), "top");
  run_in(folder / "",
         "yosys -q -p 'read_json design.json; rename -enumerate -pattern n%; write_json named.json; "
         "write_verilog -noattr -noexpr named.v'");

  const Library library = read_liberty(osu018);
  const Netlist netlist = read_netlist(folder / "named.json", library, {.top = "top"});
  const TimingOptions options{.wire = 0, .port_load = 0};
  const Timing timing = make_timing(netlist, options);
  const EnergyModel model(netlist, timing, options, library.voltage,
                          [](const Instance& instance) { return instance.parent < 0 ? "registers" : "logic"; });
  // One transition of every net a cycle. (OpenSTA 2.0.17 does not take activities pin by pin.)
  const auto energies = model.energies(1, [](NetId) { return GroupCounts{1}; });
  const auto& components = model.components();
  const auto logic =
      static_cast<std::size_t>(std::ranges::find(components, "logic", &Component::name) - components.begin());
  constexpr double period = 10e-9;
  const double switching = energies.at(logic).switching[0] / period, internal = energies[logic].internal[0] / period;

  folder.write(
      "power.tcl",
      fmt::format("read_liberty {}\nread_verilog named.v\nlink_design top\n"
                  "create_clock -name clk -period 10 [get_ports clk_i]\nset_input_transition 0.1 [all_inputs]\n"
                  "set_power_activity -global -activity 1.0 -duty 0.5\nreport_power -digits 6\nexit\n",
                  osu018));
  run_in(folder / "", "sta -exit power.tcl < /dev/null > power.txt");
  const std::string report = read_text(folder / "power.txt");
  std::smatch row;
  ASSERT_TRUE(std::regex_search(report, row, std::regex(R"(Combinational\s+(\S+)\s+(\S+))"))) << report;
  const double sta_internal = std::stod(row[1]), sta_switching = std::stod(row[2]);
  std::cout << fmt::format(
      "{} cells; switching {:.4g} W, OpenSTA {:.4g} ({:+.1f} %); internal {:.4g} W, OpenSTA {:.4g} ({:+.1f} %)\n",
      components[logic].cells, switching, sta_switching, 100 * (switching / sta_switching - 1), internal, sta_internal,
      100 * (internal / sta_internal - 1));
  EXPECT_GT(components[logic].cells, 100);
  EXPECT_NEAR(switching, sta_switching, 0.02 * sta_switching);
  // OpenSTA 2.0.17 charges an output's tables once for every input that toggles, whether the output does or not;
  // Liberty means once for every transition of the output, by the input that causes it.
  double by_inputs = 0;
  for (const PlacedCell& placed : netlist.cells) {
    if (netlist.instances[placed.instance].parent < 0 || placed.outputs[0] == no_net) continue;
    const double once = energy_of(placed.cell->outputs[0].energy, timing.load[placed.outputs[0]], options.slew);
    by_inputs += once * static_cast<double>(placed.inputs.size()) / period;
  }
  std::cout << fmt::format("internal, once an input: {:.4g} W ({:+.1f} %)\n", by_inputs,
                           100 * (by_inputs / sta_internal - 1));
  EXPECT_NEAR(by_inputs, sta_internal, 0.1 * sta_internal);
}

}  // namespace
}  // namespace bitstrata::sim::gates
