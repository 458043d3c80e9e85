// SPDX-License-Identifier: Apache-2.0
// What the gate-level tests share: the library, synthesis of small designs, programs run.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "model/architecture.h"
#include "sim/gates/simulator.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {

inline const char* const osu018 = "/usr/share/qflow/tech/osu018/osu018_stdcells.lib";

// The programs and files of packages qflow-tech-osu018, yosys and iverilog.
inline bool have_library() { return std::filesystem::exists(osu018); }
inline bool have(const std::string& program) {
  return std::system(("command -v " + program + " > /dev/null 2>&1").c_str()) == 0;
}

// About as few gates as an accelerator can have.
inline model::Architecture small_architecture() {
  model::Architecture a;
  a.name = "gates-4x4";
  a.rows = a.columns = 4;
  a.max_weight_bits = a.max_activation_bits = 2;
  a.accumulator_bits = 24;
  a.data_bits = 32;
  a.activation_depth = a.output_depth = a.weight_depth = a.psum_depth = a.parameter_depth = 4;
  a.post_lanes = a.burst_beats = a.outstanding = 1;
  a.event_counters = false;
  return a;
}

// Runs a shell command in `folder`, whose output is shown where it fails.
inline void run_in(const std::filesystem::path& folder, const std::string& command) {
  const std::string log = (folder / "log").string();
  ASSERT_EQ(std::system(("cd '" + folder.string() + "' && (" + command + ") > '" + log + "' 2>&1").c_str()), 0)
      << read_text(log);
}

// What maps a design that has been read to osu018, but for memories. A latch transparent at 0 gets an inverter.
inline std::string mapping_script(const std::string& top, const std::string& json) {
  const std::string library = osu018;
  return "read_liberty -lib -ignore_miss_func " + library + "\nhierarchy -check -top " + top +
         "\nproc\nopt_expr\nopt_clean\nopt -nodffe -nosdff\nwreduce\nalumacc\nopt_clean\nmemory -nomap\nopt_clean\n"
         "opt -undriven -fast\ntechmap\nopt -fast\nsimplemap\ntechmap -map latch.v\n"
         "dfflegalize -cell $_DFF_P_ 0 -cell $_DFF_PP0_ 0 -cell $_DFF_PN0_ 0\ndfflibmap -liberty " +
         library + "\nopt -fast\nabc -liberty " + library +
         " -script +strash;map,-B,0.9\nopt_clean -purge\nwrite_json " + json + "\n";
}
inline const char* const latch_map =
    "module \\$_DLATCH_N_ (input E, D, output Q); wire e; \\$_NOT_ n (.A(E), .Y(e)); LATCH l (.CLK(e), .D(D), .Q(Q));\n"
    "endmodule\n";

// Synthesizes Verilog text to design.json in `folder`.
inline std::filesystem::path synthesize(const TemporaryFolder& folder, const std::string& verilog,
                                        const std::string& top) {
  folder.write("design.v", verilog);
  folder.write("latch.v", latch_map);
  folder.write("design.ys", "read_verilog -sv design.v\n" + mapping_script(top, "design.json"));
  run_in(folder / "", "yosys -q design.ys");
  return folder / "design.json";
}

// A netlist by hand: modules as Yosys' JSON.
inline std::filesystem::path write_netlist(const TemporaryFolder& folder, const std::string& modules) {
  folder.write("netlist.json", "{\"modules\": {" + modules + "}}");
  return folder / "netlist.json";
}

}  // namespace bitstrata::testing
