// SPDX-License-Identifier: Apache-2.0
// Every module is taken without a warning by Verilator, and the whole design by Icarus and Yosys, in several sizes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>

#include "rtl/generate/rtl_files.h"
#include "tests/rtl/support.h"

namespace bitstrata::generate::testing {
namespace {

int ceil_log2(int value) { return static_cast<int>(std::bit_width(static_cast<unsigned>(value - 1))); }

// Values of a module's parameters in the given accelerator.
std::map<std::string, long> values_for(const std::string& module, const model::Architecture& a) {
  std::map<std::string, long> values;
  for (const auto& [name, value] : rtl_parameters(a)) values[name] = value;
  const long count = ceil_log2(a.rows + 1) + (a.planes_at_once() > 2 ? 1 : 0);
  if (module == "bs_column" || module == "bs_products") values["COUNT_WIDTH"] = count;  // of ones, not of loops
  const long column_width = a.max_activation_bits + ceil_log2(a.rows + 1) + 1;
  if (module == "bs_sum_unit") values["ACC_WIDTH"] = column_width;
  if (module == "bs_column") {
    values["ACC_WIDTH"] = std::max<long>(10, column_width + a.max_weight_bits);
    values["PAIR_WIDTH"] = count + std::min(3, a.max_weight_bits);
    values["FOUR_WIDTH"] = count + std::min(5, a.max_weight_bits);
    values["EIGHT_WIDTH"] = count + std::min(9, a.max_weight_bits);
    values["SUM_WIDTH"] = count + a.max_weight_bits;
  }
  if (module == "bs_dot") values["ACC_WIDTH"] = std::max<long>(10, column_width + a.max_weight_bits);
  values["JOIN_WIDTH"] = std::max<long>(10, column_width + a.max_weight_bits);
  values["WIDTH"] = a.data_bits;
  values["DEPTH"] = a.activation_depth;
  values["INDEX"] = a.columns - 1;
  values["WEIGHT_WIDTH"] = a.weight_word_bits();
  return values;
}

class PerArchitecture : public ::testing::TestWithParam<int> {
 protected:
  PerArchitecture() : architecture_(architectures().at(static_cast<std::size_t>(GetParam()))) {
    for (const auto& name : write_rtl(architecture_, architecture_.event_counters, folder_.path()))
      sources_ += " " + name;
  }
  std::string in_folder(const std::string& command) const {
    return fmt::format("cd '{}' && {}", folder_.path().string(), command);
  }
  model::Architecture architecture_;
  TemporaryFolder folder_;
  std::string sources_;
};

TEST_P(PerArchitecture, EveryModuleLintsAsItsOwnTop) {
  static const std::regex pattern(R"(\n  parameter (\w+))");
  int linted = 0;
  for (const auto& file : rtl_files()) {
    if (!file.name.ends_with(".sv") || !std::filesystem::exists(folder_.path() / file.name)) continue;
    const std::string module(file.name.substr(0, file.name.size() - 3)), text(file.text);
    const auto values = values_for(module, architecture_);
    std::string overrides;
    for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
      if (const auto value = values.find((*it)[1]); value != values.end()) {
        overrides += fmt::format(" -G{}={}", value->first, value->second);
      }
    }
    const bool checks = text.find("BS_CHECKS") != std::string::npos;
    for (const char* with : {"", " +define+BS_CHECKS"}) {
      if (*with != 0 && !checks) continue;
      const Outcome outcome = run(in_folder(
          fmt::format("verilator --lint-only -Wall -I.{}{} --top-module {} {}", with, overrides, module, file.name)));
      EXPECT_EQ(outcome.status, 0) << module << overrides << with << "\n" << outcome.output;
      EXPECT_EQ(outcome.output, "") << module << overrides << with;
      ++linted;
    }
  }
  const Outcome top = run(in_folder("verilator --lint-only -Wall -I. --top-module bitstrata_top" + sources_));
  EXPECT_EQ(top.status, 0) << top.output;
  EXPECT_EQ(top.output, "");
  EXPECT_GT(linted, 15);
  std::cout << architecture_.name << ": " << linted + 1 << " modules linted\n";
}

TEST_P(PerArchitecture, IcarusElaborates) {
  const Outcome outcome = run(in_folder("iverilog -g2012 -I. -s bitstrata_top -o top.vvp" + sources_));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "top.vvp"));
}

INSTANTIATE_TEST_SUITE_P(Architectures, PerArchitecture, ::testing::Range(0, static_cast<int>(architectures().size())));

// Whoever instantiates bs_top without a generated top is told what architecture files are.
TEST(Parameters, HaveTheRangesOfArchitectures) {
  using A = model::Architecture;
  const TemporaryFolder folder;
  write_rtl(architectures().at(0), false, folder.path());
  // A module for each architecture, all in one run.
  std::vector<A> tried;
  std::string text = "`define BS_PARAMETER(condition) initial if (!(condition)) $display(\"refused: %m.\");\n";
  const auto compare = [&](const A& architecture) {
    text += fmt::format("module m{};\n", tried.size());
    for (const auto& [name, value] : rtl_parameters(architecture))
      text += fmt::format("  localparam {} = {};\n", name, value);
    text += "  `include \"bs_parameter_checks.svh\"\nendmodule\n";
    tried.push_back(architecture);
  };
  for (const char* style : {"pim", "overlay"}) {
    for (int A::*member : {&A::tiles, &A::vectors, &A::rows, &A::columns, &A::max_weight_bits, &A::max_activation_bits,
                           &A::accumulator_bits, &A::data_bits, &A::address_width, &A::count_bits, &A::activation_depth,
                           &A::output_depth, &A::weight_depth, &A::psum_depth, &A::parameter_depth, &A::post_lanes,
                           &A::burst_beats, &A::outstanding}) {
      A base;
      base.style = style;
      // Where the answer changes, both sides of it are among these.
      for (const int value : {0,  1,   2,   3,   4,   8,   15,   16,   17,   31,   32,    48,    49,      64,
                              65, 128, 255, 256, 257, 512, 1024, 1025, 2048, 4096, 32768, 65536, 1 << 20, 1 << 21}) {
        base.*member = value;
        if (base.plane_banks() > 0) compare(base);
      }
    }
  }
  // Limits on products.
  A many;
  many.tiles = 64;
  for (const int columns : {512, 513}) {
    many.columns = columns;
    compare(many);
  }
  std::ofstream(folder.path() / "ranges.sv") << text;
  const Outcome outcome = run(fmt::format("cd '{}' && iverilog -g2012 -I. -o ranges.vvp ranges.sv && vvp -N ranges.vvp",
                                          folder.path().string()));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  int accepted = 0, refused = 0;
  for (std::size_t i = 0; i < tried.size(); ++i) {
    std::string reason;
    try {
      validate(tried[i]);
    } catch (const std::invalid_argument& error) {
      reason = error.what();
    }
    const bool in_rtl = outcome.output.find(fmt::format("refused: m{}.", i)) != std::string::npos;
    EXPECT_EQ(in_rtl, !reason.empty()) << model::parameters_of(tried[i]).dump() << " " << reason;
    ++(reason.empty() ? accepted : refused);
  }
  // The design itself ends before it begins.
  const Outcome top = run(fmt::format(
      "cd '{}' && iverilog -g2012 -DBS_CHECKS -I. -P bs_top.OUTSTANDING=17 -s bs_top -o top.vvp bs_*.sv 2>&1 "
      "&& vvp -N top.vvp",
      folder.path().string()));
  EXPECT_NE(top.status, 0);
  EXPECT_NE(top.output.find("bs_top, parameter"), std::string::npos) << top.output;
  EXPECT_NE(top.output.find("out of range: OUTSTANDING >= 1 && OUTSTANDING <= 16"), std::string::npos) << top.output;
  std::cout << "compared: " << accepted << " accepted and " << refused << " refused\n";
  EXPECT_GT(accepted, 100);
  EXPECT_GT(refused, 100);
}

// Without the registers nothing leads from an input of either bus to an output of either: no VALID and no READY depends
// on what another one is in the same cycle. (The pulse of a layer's end does, so the selection is able to find a path.)
constexpr const char* no_path_between_buses =
    "flatten; opt_clean; delete t:$dff t:$adff t:$dffe t:$adffe t:$mem* t:$dlatch; "
    "select -set bus_inputs i:s_axil_* i:m_axi_*; select -set bus_outputs o:s_axil_* o:m_axi_*; "
    "select -assert-min 20 @bus_inputs; select -assert-min 25 @bus_outputs; "
    "select -assert-min 1 o:layer_done_o %ci* @bus_inputs %i; select -assert-none @bus_outputs %ci* @bus_inputs %i";

// The smallest sensible size: Yosys spends its time on the width of the buffers.
class YosysStyles : public ::testing::TestWithParam<const char*> {};

TEST_P(YosysStyles, ElaboratesAndChecks) {
  model::Architecture a = architectures().at(0);
  a.style = GetParam();
  a.rows = 8;
  a.columns = a.overlay() ? 2 : 8;
  a.vectors = a.overlay() ? 4 : 1;
  a.max_weight_bits = a.max_activation_bits = 4;
  a.post_lanes = 1;
  model::validate(a);
  const TemporaryFolder folder;
  std::string sources;
  for (const auto& name : write_rtl(a, false, folder.path())) sources += " " + name;
  const Outcome outcome = run(fmt::format(
      "cd '{}' && yosys -p 'read_verilog -sv -I. -defer{}; hierarchy -check -top bitstrata_top; proc; opt_clean; "
      "check -assert; stat; {}'",
      folder.path().string(), sources, no_path_between_buses));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  static const std::regex cells(R"(Number of cells: +(\d+))");
  long total = 0;
  for (std::sregex_iterator it(outcome.output.begin(), outcome.output.end(), cells), end; it != end; ++it) {
    total = std::stol((*it)[1]);  // the last one is the whole hierarchy
  }
  EXPECT_GT(total, 1000);
  EXPECT_EQ(outcome.output.find("Found and reported 0 problems") == std::string::npos, false);
  std::cout << "yosys: " << a.style << ", " << total << " coarse cells\n";
}

// Both bodies of the popcount, by a SAT proof; 64 rows take it half a minute and passed too.
TEST(Yosys, ProvesPopcountBodiesEqual) {
  const TemporaryFolder folder;
  write_rtl(architectures().at(0), false, folder.path());
  std::ofstream(folder.path() / "ones.sv")
      << "module ones #(parameter WIDTH = 64) (input logic [WIDTH-1:0] bits_i,\n"
         "  output logic [$clog2(WIDTH+1)-1:0] count_o);\n  assign count_o = $countones(bits_i);\nendmodule\n";
  int proven = 0;
  for (const int width : {1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 20, 33}) {
    const Outcome outcome = run(fmt::format(
        "cd '{}' && yosys -q -p 'read_verilog -sv bs_popcount.sv ones.sv; chparam -set WIDTH {} bs_popcount ones; "
        "hierarchy -check; proc; flatten; opt; techmap; opt; miter -equiv -flatten -make_assert bs_popcount ones m; "
        "sat -verify -prove-asserts m'",
        folder.path().string(), width));
    EXPECT_EQ(outcome.status, 0) << width << " rows: " << outcome.output;
    ++proven;
  }
  std::cout << proven << " widths proven\n";
}

// The end of a requantization compares with its limits before it has rounded; here is what it stands for.
TEST(Yosys, ProvesClippingOfRoundedValues) {
  const TemporaryFolder folder;
  write_rtl(architectures().at(0), false, folder.path());
  const auto ports = [](const char* module, int width, int limit) {
    return fmt::format(
        "module {} (input logic signed [{}:0] doubled_i, input logic signed [{}:0] offset_i, low_i, high_i,\n"
        "  output logic signed [{}:0] value_o);\n",
        module, width - 1, limit - 1, limit - 1);
  };
  for (const auto& [width, limit] : {std::pair{7, 3}, {9, 4}, {33, 18}, {66, 18}}) {
    std::ofstream(folder.path() / "clip.sv")
        << ports("clip", width, limit)
        << fmt::format("  bs_clip #(.WIDTH({0}), .LIMIT_WIDTH({1})) u_clip (.doubled_i(doubled_i),\n", width, limit)
        << fmt::format("    .negative_i(doubled_i[{}]), .offset_i(offset_i), .low_i(low_i), .high_i(high_i),\n",
                       width - 1)
        << "    .value_o(value_o));\nendmodule\n"
        << ports("plain", width, limit) << fmt::format("  logic signed [{}:0] half, rounded;\n", width + 1)
        << "  assign half = $signed({1'b0, doubled_i[0]});\n"
           "  assign rounded = (doubled_i >>> 1) + half + offset_i;\n"
           "  assign value_o = rounded < low_i ? low_i : rounded > high_i ? high_i\n"
        << fmt::format("                 : rounded[{}:0];\nendmodule\n", limit - 1);
    const Outcome outcome =
        run(fmt::format("cd '{}' && yosys -q -p 'read_verilog -sv bs_clip.sv clip.sv; hierarchy -check; proc; flatten; "
                        "opt; techmap; opt; "
                        "miter -equiv -flatten -make_assert clip plain m; sat -verify -prove-asserts m'",
                        folder.path().string()));
    EXPECT_EQ(outcome.status, 0) << width << " bits: " << outcome.output;
  }
}

// Transfers in every order, late answers, byte strobes.
TEST(Registers, TransfersAreRemembered) {
  const TemporaryFolder folder;
  write_rtl(architectures().at(0), false, folder.path());
  const Outcome outcome = run(fmt::format(
      "cd '{}' && iverilog -g2012 -DBS_CHECKS -I. -o tb.vvp '{}/registers_tb.sv' bs_registers.sv && vvp -N tb.vvp",
      folder.path().string(), BITSTRATA_TESTS_RTL));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("PASS: 6000 reads compared, 600 writes"), std::string::npos) << outcome.output;
  std::cout << outcome.output;
}

INSTANTIATE_TEST_SUITE_P(Styles, YosysStyles, ::testing::Values("pim", "overlay"));

}  // namespace
}  // namespace bitstrata::generate::testing
