// SPDX-License-Identifier: Apache-2.0
// The bus ports are proven, not only run: what rtl/*_checks.svh state holds in the first cycles behind a reset, and by
// induction in all that follow, whatever the other side does within AXI. Yosys' own SAT solver does it. Designs that
// are wrong in one line must be found out.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <regex>
#include <set>

#include "rtl/generate/rtl_files.h"
#include "tests/rtl/support.h"

namespace bitstrata::generate::testing {
namespace {

constexpr int first_steps = 12;  // cycles from the reset on

struct Proof {
  bool base = false, induction = false;
  std::size_t checks = 0, assumptions = 0;
  std::string output;
};

class Design {
 public:
  Design() { write_rtl(architectures().at(0), false, folder_.path()); }
  // Replaces what must be there exactly once.
  void change(const std::string& module, const std::string& from, const std::string& to) const {
    const auto path = folder_.path() / (module + ".sv");
    std::ifstream stream(path);
    std::string text{std::istreambuf_iterator<char>(stream), {}};
    const auto at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    ASSERT_EQ(text.find(from, at + 1), std::string::npos) << from;
    std::ofstream(path) << text.replace(at, from.size(), to);
  }
  Outcome yosys(const std::string& module, const std::string& parameters, const std::string& commands) const {
    return run(
        fmt::format("cd '{0}' && yosys -p 'read_verilog -sv -DBS_CHECKS -DBS_FORMAL -I. {1}.sv; chparam {2} {1}; prep "
                    "-top {1}; async2sync; memory_map; opt -fast; {3}'",
                    folder_.path().string(), module, parameters, commands));
  }
  Proof prove(const std::string& module, const std::string& parameters) const {
    const Outcome outcome =
        yosys(module, parameters,
              fmt::format("sat -set-assumes -prove-asserts -tempinduct-baseonly -set-at 1 rst_ni 0 -maxsteps {}; "
                          "sat -set-assumes -prove-asserts -tempinduct-inductonly -maxsteps 2",
                          first_steps));
    const auto places = [&](const char* kind) {
      std::set<std::string> found;
      const std::regex pattern(fmt::format(R"({} cell: \S*?(bs_\w+\.svh?:\d+))", kind));
      for (std::sregex_iterator it(outcome.output.begin(), outcome.output.end(), pattern), end; it != end; ++it)
        found.insert((*it)[1]);
      return found.size();
    };
    static const std::regex asserted(R"(proof for assert: \S*?(bs_\w+\.svh?:\d+))");
    std::set<std::string> checks;
    for (std::sregex_iterator it(outcome.output.begin(), outcome.output.end(), asserted), end; it != end; ++it)
      checks.insert((*it)[1]);
    const std::string base = fmt::format("proved base case for {} steps: SUCCESS!", first_steps);
    return {.base = outcome.output.find(base) != std::string::npos,
            .induction = outcome.output.find("Induction step proven: SUCCESS!") != std::string::npos,
            .checks = checks.size(),
            .assumptions = places("constraint from assume"),
            .output = outcome.output};
  }

 private:
  TemporaryFolder folder_;
};

struct Port {
  const char* module;
  std::size_t checks, assumptions;
  std::vector<const char*> parameters;
};

const std::vector<Port>& ports() {
  static const std::vector<Port> all = {
      {"bs_axi_write",
       15,
       4,
       {"-set DATA_WIDTH 32 -set BURST_BEATS 4 -set OUTSTANDING 2",
        "-set ADDRESS_WIDTH 64 -set DATA_WIDTH 64 -set BURST_BEATS 7 -set OUTSTANDING 1",
        "-set DATA_WIDTH 32 -set BURST_BEATS 256 -set OUTSTANDING 16"}},
      {"bs_axi_read",
       8,
       3,
       {"-set DATA_WIDTH 32 -set BURST_BEATS 4 -set OUTSTANDING 2",
        "-set ADDRESS_WIDTH 64 -set DATA_WIDTH 64 -set BURST_BEATS 7 -set OUTSTANDING 1",
        "-set DATA_WIDTH 256 -set BURST_BEATS 16 -set OUTSTANDING 16"}},
      {"bs_store", 3, 1, {"-set DATA_WIDTH 32 -set BANKS 4 -set OUTPUT_DEPTH 8"}},
      {"bs_registers", 3, 0, {"-set ROWS 16", "-set ADDRESS_WIDTH 40"}}};
  return all;
}

TEST(Proof, PortsKeepToAxi) {
  const Design design;
  std::size_t proven = 0;
  for (const Port& port : ports()) {
    for (const char* parameters : port.parameters) {
      const Proof proof = design.prove(port.module, parameters);
      const auto tail = proof.output.substr(proof.output.size() - std::min<std::size_t>(proof.output.size(), 3000));
      EXPECT_TRUE(proof.base) << port.module << " " << parameters << tail;
      EXPECT_TRUE(proof.induction) << port.module << " " << parameters << tail;
      EXPECT_EQ(proof.checks, port.checks) << port.module;
      EXPECT_EQ(proof.assumptions, port.assumptions) << port.module;
      proven += proof.checks;
    }
  }
  std::cout << proven << " checks proven, " << first_steps << " cycles from the reset on and by induction\n";
  EXPECT_GT(proven, 0u);
}

// A slave that never takes the address gets all data of the burst: there is such a run, and it is short.
TEST(Proof, DataDoNotWaitForTheirAddress) {
  const Design design;
  const auto shows = [&] {
    const Outcome outcome = design.yosys(
        "bs_axi_write", ports()[0].parameters[0],
        "sat -set-assumes -show m_axi_awvalid_o -set-at 1 rst_ni 0 -set m_axi_awready_i 0 -set-at 2 cmd_beats_i "
        "4 "
        "-set-at 9 m_axi_wvalid_o 1 -set-at 9 m_axi_wready_i 1 -set-at 9 m_axi_wlast_o 1 -set-at 9 left_q 0 -set-at 9 "
        "tracked_q 1 -set-at 4 left_q 3 -seq 9");
    EXPECT_EQ(outcome.output.find("ERROR"), std::string::npos) << outcome.output;
    return outcome.output.find("SAT solving finished - model found:") != std::string::npos;
  };
  EXPECT_TRUE(shows());
  // With data that wait for AWREADY there is none.
  design.change("bs_axi_write", "(data_valid_i || fill_q) && may_send;",
                "(data_valid_i || fill_q) && may_send && in_flight_q != 5'd0;");
  EXPECT_FALSE(shows());
}

// Each of these breaks AXI within the first cycles.
TEST(Proof, FindsDesignsThatAreWrongInOneLine) {
  struct Fault {
    const char *module, *from, *to;
  };
  const std::vector<Fault> faults = {
      {"bs_axi_write", "(data_valid_i || fill_q) && may_send;", "(data_valid_i || fill_q) && may_send && !shown_q;"},
      {"bs_axi_write", "(data_valid_i || fill_q) && may_send;", "(data_valid_i || fill_q) && (may_send || active_q);"},
      {"bs_axi_write", "if (halt_i && !(m_axi_wvalid_o && !m_axi_wready_i)) fill_q <= 1'b1;",
       "if (halt_i) fill_q <= 1'b1;"},
      {"bs_axi_write", "(!halt_i || shown_q);", "!halt_i;"},
      {"bs_axi_write", "burst_left_q <= length - 1'b1;", "burst_left_q <= length - 2'd2;"},
      {"bs_axi_write", "burst = page_left[BURST_WIDTH-1:0];", ";"},
      {"bs_axi_write", "burst = beats_q[BURST_WIDTH-1:0];", ";"},
      {"bs_axi_write", "assign busy_o = m_axi_awvalid_o || in_flight_q != '0;", "assign busy_o = m_axi_awvalid_o;"},
      {"bs_axi_read", "(!halt_i || shown_q);", "!halt_i;"},
      {"bs_axi_read", "burst = page_left[BURST_WIDTH-1:0];", ";"},
      {"bs_axi_read", "in_flight_q < OUTSTANDING[FLIGHT_WIDTH-1:0] &&",
       "in_flight_q <= OUTSTANDING[FLIGHT_WIDTH-1:0] &&"},
      {"bs_store", "queue_count_q + {2'd0, arriving_q} < 3'd4;", "queue_count_q < 3'd4;"},
      {"bs_registers", "(s_axil_bvalid_o && !s_axil_bready_i);", "1'b0;"},
      {"bs_registers", "assign read = s_axil_arvalid_i && !s_axil_rvalid_o;", "assign read = s_axil_arvalid_i;"},
      {"bs_registers", "&& (!s_axil_bvalid_o || s_axil_bready_i);", ";"}};
  for (const Fault& fault : faults) {
    const Design design;
    design.change(fault.module, fault.from, fault.to);
    const auto port = std::find_if(ports().begin(), ports().end(),
                                   [&](const Port& p) { return std::string(p.module) == fault.module; });
    const Proof proof = design.prove(fault.module, port->parameters[0]);
    EXPECT_NE(proof.output.find("model found for base case: FAIL!"), std::string::npos)
        << fault.module << ": '" << fault.to << "' in place of '" << fault.from << "' was not found out";
  }
  std::cout << faults.size() << " faults found\n";
}

}  // namespace
}  // namespace bitstrata::generate::testing
