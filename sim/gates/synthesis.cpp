// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/synthesis.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "model/output_file.h"
#include "rtl/generate/rtl_files.h"
#include "sim/cached_file.h"
#include "sim/gates/buffers.h"
#include "sim/gates/plain_cells.h"
#include "sim/gates/timing_verilog.h"
#include "sim/process.h"
#include "sim/rtl_build.h"

namespace bitstrata::sim::gates {

namespace fs = std::filesystem;

namespace {

std::string text_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw std::runtime_error(fmt::format("cannot read {}", file.string()));
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::uint64_t fnv1a(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

// Where a tool's output outlives the folder that it worked in.
fs::path keep_log(const std::string& output, const std::string& name) {
  const fs::path kept = cache_folder() / name;
  model::write_whole(kept, output);
  return kept;
}

// Runs a tool in the folder; its output goes to `log` there, or, where it fails, to the cache folder.
std::string run(const WorkFolder& work, const std::vector<std::string>& words, const std::string& log,
                const char* what) {
  const fs::path& folder = work.path();
  const Finished finished = run_tool(words, folder, "/dev/null", work.temporary());
  if (finished.status == 0) {
    model::write_whole(folder / log, finished.output);
    return finished.output;
  }
  throw std::runtime_error(fmt::format("{} failed; its output is in {} (scripts/setup installs the tools)", what,
                                       keep_log(finished.output, log).string()));
}

// dfflibmap leaves latches, of which clock gates have one each, alone.
std::string latch_map(const Library& library) {
  const auto latch = smallest_storage(library, CellKind::latch);
  if (!latch)
    throw std::runtime_error(
        fmt::format("library '{}' has neither a clock gate nor a latch of data and enable", library.name));
  const LibertyCell& cell = *latch->cell;
  const CellOutput& output = cell.outputs[latch->output];
  const auto module = [&](const char* name, bool high) {
    return fmt::format(
        "module {} (input E, D, output Q);\n  wire q;\n  {} u_latch (.{}({}E), .{}(D), .{}(q){});\n"
        "  assign Q = {}q;\nendmodule\n",
        name, cell.name, cell.inputs[latch->control].name, high == latch->active_high ? "" : "!",
        cell.inputs[latch->data].name, output.name, tied_pins(*latch), output.inverted ? "!" : "");
  };
  return module("\\$_DLATCH_P_", true) + module("\\$_DLATCH_N_", false);
}

// A library's gating cell: the text to put in front of bs_clock_gate's, and the cell as a black box, which Yosys does
// not read from Liberty.
struct GateText {
  std::string defines, box;
};
GateText gate_text(const LibertyCell& gate) {
  const std::string& out = gate.outputs[0].name;
  std::string ports, inputs;
  for (int k = 0; k < static_cast<int>(gate.inputs.size()); ++k) {
    const std::string& name = gate.inputs[static_cast<std::size_t>(k)].name;
    ports += fmt::format(".{}({}), ", name, k == gate.clock ? "clk_i" : k == gate.enabling ? "enable_i" : "1'b0");
    inputs += fmt::format("input {}, ", name);
  }
  return {
      fmt::format("`define BS_CLOCK_GATE_CELL {}\n`define BS_CLOCK_GATE_PORTS ({}.{}(clk_o))\n", gate.name, ports, out),
      fmt::format("module {} ({}output {});\nendmodule\n", gate.name, inputs, out)};
}

// What drives inputs and loads outputs when ABC sizes gates and adds buffers; without it, it adds none.
std::string constraints(const Library& library) {
  const LibertyCell* const buffer = smallest_buffer(library);
  if (buffer == nullptr) throw std::runtime_error(fmt::format("library '{}' has no buffer", library.name));
  return fmt::format("set_driving_cell {}\nset_load {:.3f} [all_outputs]\n", buffer->name,
                     8 * buffer->inputs[0].capacitance * 1e15);
}

// ABC's own scripts sweep by SAT, which does not come to an end on multipliers.
std::string yosys_script(const std::string& sources, bool gate, double period) {
  return fmt::format(
      "read_verilog -sv -I.{0}\n"
      "read_liberty -lib -ignore_miss_func library.lib\n{1}"
      "hierarchy -check -top {2}\nproc\nopt_expr\nopt_clean\nopt -nodffe "
      "-nosdff\nfsm\nopt\nwreduce\npeepopt\nopt_clean\n"
      "alumacc\nshare\nopt\nmemory -nomap\nopt_clean\nopt -fast -full\nopt -undriven -fine\ntechmap\nopt -fast\n"
      "{4}techmap\ndfflibmap -liberty library.lib\nopt -fast\n"
      "abc -liberty library.lib -constr constraints -D {3} -script "
      "+strash;dc2;strash;map,-B,0.9;topo;buffer,-c;topo;upsize,{{D}};dnsize,{{D}};stime,-p\n"
      "opt_clean -purge\ncheck -assert\nwrite_json netlist.json\n",
      sources, gate ? "read_verilog -lib gate.v\n" : "", generate::top_module, static_cast<long>(period * 1e12),
      gate ? "" : "techmap -map latches.v\n");
}

}  // namespace

Synthesis synthesize(const model::Architecture& architecture, const Library& library, double period) {
  model::Architecture hardware = architecture;
  hardware.name = "gates";  // the name is not part of the hardware
  hardware.popcount_tree = true;
  const LibertyCell* const gate = smallest_clock_gate(library);
  const GateText gating = gate == nullptr ? GateText{} : gate_text(*gate);
  const std::string map = gate == nullptr ? latch_map(library) : "", sizing = constraints(library);
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const auto& file : generate::rtl_files()) {
    if (!file.name.ends_with("toggles.sv")) hash = fnv1a(fnv1a(hash, file.name), file.text);
  }
  hash = fnv1a(fnv1a(hash, generate::top_text(hardware, false)), library.text);
  const Finished asked = run_tool({"yosys", "-V"});
  if (asked.status != 0) throw std::runtime_error("synthesis needs Yosys on the PATH (scripts/setup installs it)");
  const std::string& version = asked.output;
  for (const std::string& text :
       {map, gating.defines, gating.box, sizing, yosys_script("", gate != nullptr, period), version})
    hash = fnv1a(hash, text);
  const fs::path folder = cache_folder() / fmt::format("gates-{:016x}", hash);
  Synthesis result{folder / "netlist.json", "", 0};
  if (!is_cached(result.netlist)) {
    tell_of_damage(result.netlist);
    const auto start = std::chrono::steady_clock::now();
    // Told before the work rather than after it.
    std::error_code told_below;
    fs::create_directories(cache_folder(), told_below);
    model::check_writable(cache_folder() / "write-test");
    WorkFolder folder_of_work(harmless_folder(cache_folder()), "gates-build");
    const fs::path& work = folder_of_work.path();
    std::string sources;
    for (const auto& name : generate::write_rtl(hardware, false, work)) sources += " " + name;
    if (gate != nullptr) {
      const fs::path source = work / "bs_clock_gate.sv";
      model::write_whole(source, gating.defines + text_of(source));
      model::write_whole(work / "gate.v", gating.box);
    }
    model::write_whole(work / "latches.v", map);
    model::write_whole(work / "constraints", sizing);
    model::write_whole(work / "library.lib", library.text);
    model::write_whole(work / "synthesis.ys", yosys_script(sources, gate != nullptr, period));
    run(folder_of_work, {"yosys", "-q", "-l", "yosys.log", "synthesis.ys"}, "yosys.out", "synthesis");
    fs::create_directories(folder);
    fs::copy_file(work / "yosys.log", folder / "yosys.log", fs::copy_options::overwrite_existing);
    keep_in_cache(work / "netlist.json", result.netlist);
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  std::istringstream(version) >> result.tools >> result.tools;
  result.tools = "Yosys " + result.tools;
  return result;
}

double clock_period(const Netlist& netlist, const Library& library) {
  const WorkFolder work(harmless_folder(cache_folder()), "gates-timing");
  const fs::path& folder = work.path();
  write_timing_verilog(netlist, library, folder / "timing.v");
  constexpr double guess = 1e-6;  // s; long enough for anything
  model::write_whole(folder / "library.lib", library.text);
  model::write_whole(
      folder / "timing.tcl",
      fmt::format(
          "read_liberty library.lib\nread_verilog timing.v\nlink_design {}\ncreate_clock -name clk -period "
          "[expr round({:g} / [sta::unit_scale time])] [get_ports clk_i]\n"
          "report_checks -path_delay max -to [all_registers -edge_triggered -data_pins] -format full\nputs \"unit "
          "[sta::unit_scale time]\"\nexit\n",
          generate::top_module, guess));
  const std::string log = run(work, {"sta", "-exit", "timing.tcl"}, "timing.log", "timing analysis");
  // Paths to flip-flops count, and to those that stand for memories and clock gates; reset, in a group of its own, is a
  // tree that placement buffers.
  std::smatch unit, slack;
  if (!std::regex_search(log, unit, std::regex(R"(unit ([-+0-9.eE]+))")) ||
      !std::regex_search(log, slack, std::regex(R"(Path Group: clk\n[^]*?([-+0-9.]+)\s+slack)")))
    throw std::runtime_error(fmt::format("no slack in {}", keep_log(log, "timing.log").string()));
  const double scale = std::stod(unit[1]);
  return (std::round(guess / scale) - std::stod(slack[1])) * scale;
}

}  // namespace bitstrata::sim::gates
