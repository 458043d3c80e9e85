// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/synthesis.h"

#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "model/output_file.h"
#include "rtl/generate/rtl_files.h"
#include "sim/cached_file.h"
#include "sim/gates/buffers.h"
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

// The smallest cell that `fits`.
template <class Fits>
const Cell* smallest(const Library& library, Fits fits) {
  const Cell* best = nullptr;
  for (const auto& [name, cell] : library.cells) {
    if (fits(cell) && (best == nullptr || cell.area < best->area)) best = &cell;
  }
  return best;
}

// dfflibmap leaves latches, of which clock gates have one each, alone.
std::string latch_map(const Library& library) {
  const Cell* const latch = smallest(library, [](const Cell& cell) {
    return cell.kind == CellKind::latch && cell.inputs.size() == 2 && cell.clear == 0 && cell.preset == 0 &&
           !cell.outputs.empty() && !cell.outputs[0].inverted;
  });
  if (latch == nullptr) throw std::runtime_error(fmt::format("library '{}' has no latch of two inputs", library.name));
  const bool second_enables = latch->enable == input_table[1] || latch->enable == ~input_table[1];
  const bool high = latch->enable == input_table[second_enables ? 1 : 0];
  const std::string& enable = latch->inputs[second_enables ? 1 : 0].name;
  const std::string& data = latch->inputs[second_enables ? 0 : 1].name;
  const auto module = [&](const char* name, const char* when) {
    return fmt::format("module {} (input E, D, output Q);\n  {} u_latch (.{}({}), .{}(D), .{}(Q));\nendmodule\n", name,
                       latch->name, enable, when, data, latch->outputs[0].name);
  };
  return module("\\$_DLATCH_P_", high ? "E" : "!E") + module("\\$_DLATCH_N_", high ? "!E" : "E");
}

// What drives inputs and loads outputs when ABC sizes gates and adds buffers; without it, it adds none.
std::string constraints(const Library& library) {
  const Cell* const buffer = smallest_buffer(library);
  if (buffer == nullptr) throw std::runtime_error(fmt::format("library '{}' has no buffer", library.name));
  return fmt::format("set_driving_cell {}\nset_load {:.3f} [all_outputs]\n", buffer->name,
                     8 * buffer->inputs[0].capacitance * 1e15);
}

// ABC's own scripts sweep by SAT, which does not come to an end on multipliers.
std::string yosys_script(const std::string& sources, const std::string& liberty, double period) {
  return fmt::format(
      "read_verilog -sv -I.{0}\n"
      "read_liberty -lib -ignore_miss_func {1}\n"
      "hierarchy -check -top {2}\nproc\nopt_expr\nopt_clean\nopt -nodffe "
      "-nosdff\nfsm\nopt\nwreduce\npeepopt\nopt_clean\n"
      "alumacc\nshare\nopt\nmemory -nomap\nopt_clean\nopt -fast -full\nopt -undriven -fine\ntechmap\nopt -fast\n"
      "techmap -map latches.v\ntechmap\ndfflibmap -liberty {1}\nopt -fast\n"
      "abc -liberty {1} -constr constraints -D {3} -script "
      "+strash;dc2;strash;map,-B,0.9;topo;buffer,-c;topo;upsize,{{D}};dnsize,{{D}};stime,-p\n"
      "opt_clean -purge\ncheck -assert\nwrite_json netlist.json\n",
      sources, liberty, generate::top_module, static_cast<long>(period * 1e12));
}

}  // namespace

Synthesis synthesize(const model::Architecture& architecture, const fs::path& liberty, const Library& library,
                     double period) {
  model::Architecture hardware = architecture;
  hardware.name = "gates";  // the name is not part of the hardware
  hardware.popcount_tree = true;
  const std::string map = latch_map(library), sizing = constraints(library);
  const std::string library_path = fs::absolute(liberty).string();
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const auto& file : generate::rtl_files()) {
    if (!file.name.ends_with("toggles.sv")) hash = fnv1a(fnv1a(hash, file.name), file.text);
  }
  hash = fnv1a(fnv1a(hash, generate::top_text(hardware, false)), text_of(liberty));
  const Finished asked = run_tool({"yosys", "-V"});
  if (asked.status != 0) throw std::runtime_error("synthesis needs Yosys on the PATH (scripts/setup installs it)");
  const std::string& version = asked.output;
  hash = fnv1a(fnv1a(fnv1a(fnv1a(hash, map), sizing), yosys_script("", "", period)), version);
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
    model::write_whole(work / "latches.v", map);
    model::write_whole(work / "constraints", sizing);
    // The tools' scripts split paths at spaces: they read the library under a name of our own.
    fs::copy_file(library_path, work / "library.lib");
    model::write_whole(work / "synthesis.ys", yosys_script(sources, "library.lib", period));
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

double clock_period(const Netlist& netlist, const Library& library, const fs::path& liberty) {
  const WorkFolder work(harmless_folder(cache_folder()), "gates-timing");
  const fs::path& folder = work.path();
  write_timing_verilog(netlist, library, folder / "timing.v");
  constexpr double guess = 1000;  // in the library's unit of time; long enough for anything
  // The tools' scripts split paths at spaces: they read the library under a name of our own.
  fs::copy_file(liberty, folder / "library.lib");
  model::write_whole(
      folder / "timing.tcl",
      fmt::format(
          "read_liberty library.lib\nread_verilog timing.v\nlink_design {}\ncreate_clock -name clk -period {} "
          "[get_ports clk_i]\n"
          "report_checks -path_delay max -to [all_registers -edge_triggered -data_pins] -format full\nputs \"unit "
          "[sta::unit_scale time]\"\nexit\n",
          generate::top_module, guess));
  const std::string log = run(work, {"sta", "-exit", "timing.tcl"}, "timing.log", "timing analysis");
  // Paths to flip-flops count. Latches of clock gates take what comes before the same edge; reset, in a group of its
  // own, is a tree that placement buffers.
  std::smatch unit, slack;
  if (!std::regex_search(log, unit, std::regex(R"(unit ([-+0-9.eE]+))")) ||
      !std::regex_search(log, slack, std::regex(R"(Path Group: clk\n[^]*?([-+0-9.]+)\s+slack)")))
    throw std::runtime_error(fmt::format("no slack in {}", keep_log(log, "timing.log").string()));
  return (guess - std::stod(slack[1])) * std::stod(unit[1]);
}

}  // namespace bitstrata::sim::gates
