// SPDX-License-Identifier: Apache-2.0
// bitstrata characterize: a technology file out of our own RTL and a Liberty library.
#include "sim/gates/characterize.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <optional>

#include "cli/run_folder.h"
#include "cli/train/build_info.h"
#include "cli/verbs.h"
#include "model/json_text.h"
#include "model/output_file.h"
#include "model/progress.h"
#include "model/technology.h"
#include "sim/gate_energy.h"
#include "sim/gates/recorded.h"

namespace bitstrata::cli {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

// Debian's qflow-tech packages.
struct BuiltIn {
  const char* name;
  const char* file;
  double feature;  // nm
};
constexpr BuiltIn libraries[] = {{"osu018", "/usr/share/qflow/tech/osu018/osu018_stdcells.lib", 180},
                                 {"osu035", "/usr/share/qflow/tech/osu035/osu035_stdcells.lib", 350},
                                 {"osu050", "/usr/share/qflow/tech/osu050/osu05_stdcells.lib", 500}};

struct Options {
  std::string architecture = "pim-64x64", out, runs, check, activations, dram = "lpddr4";
  std::vector<std::string> library = {"osu018"};  // a built-in name or Liberty files, then files alone
  int columns = 0;
  double feature_nm = 0, wire_ff = 5, clock_ns = 10;
  bool zero_delay = false;
  Common common;
};

// The files of --library and their feature size. Throws std::invalid_argument.
void check_library(Options& o, bool has_feature) {
  const auto known = [](const std::string& name) { return std::ranges::find(libraries, name, &BuiltIn::name); };
  if (o.library.size() == 1 && known(o.library[0]) != std::end(libraries)) {
    const BuiltIn& library = *known(o.library[0]);
    if (has_feature)
      throw std::invalid_argument(fmt::format("--feature-nm belongs to Liberty files; '{}' has its own", library.name));
    o.library = {library.file};
    o.feature_nm = library.feature;
    if (!fs::exists(library.file))
      throw std::invalid_argument(fmt::format("{} is missing; scripts/setup installs the libraries", library.file));
    return;
  }
  for (const std::string& file : o.library) {
    if (fs::exists(file)) continue;
    if (known(file) != std::end(libraries))
      throw std::invalid_argument(fmt::format("--library {} stands for a whole library; give it alone", file));
    throw std::invalid_argument(fmt::format("no library '{}': neither a file nor one of osu018, osu035, osu050", file));
  }
  if (!has_feature)
    throw std::invalid_argument("--feature-nm is missing; a Liberty file does not say its feature size");
  check_range("feature-nm", o.feature_nm, 1, 10000);
}

// What of a library is not used, and why: a line a reason, with how many cells there are of it and one of them.
void tell_of_cells(const Common& common, const sim::gates::Library& library) {
  std::map<std::string, std::pair<int, std::string>> reasons;
  std::size_t used = library.cells.size();
  for (const auto& [name, cell] : library.cells) {
    if (cell.kind != sim::gates::CellKind::unusable && !cell.avoided) continue;
    const std::string why = cell.kind == sim::gates::CellKind::unusable ? cell.unusable : "the file keeps it from use";
    --used;
    auto& [count, example] = reasons.try_emplace(why, 0, name).first->second;
    ++count;
  }
  say(common, fmt::format("library {}: {} of {} cells can be used", library.name, used, library.cells.size()));
  for (const auto& [why, cells] : reasons)
    say(common, cells.first == 1 ? fmt::format("  {}: {}", cells.second, why)
                                 : fmt::format("  {} and {} more: {}", cells.second, cells.first - 1, why));
}

bool read(const std::vector<std::string>& arguments, Options& o) {
  po::options_description options("options");
  options.add_options()
      // clang-format off
      ("architecture", po::value(&o.architecture)->default_value(o.architecture), "built-in name or YAML file")
      ("library", po::value(&o.library)->composing()->default_value(o.library, "osu018"),
       "osu018, osu035, osu050 (Debian's qflow-tech packages), or a Liberty file, also compressed by gzip; may be "
       "repeated for a library of several files")
      ("feature-nm", po::value(&o.feature_nm), "of a Liberty file: its feature size, which memories are scaled to")
      ("dram", po::value(&o.dram)->default_value(o.dram), "off-chip memory: lpddr4, ddr4 or hbm2")
      ("wire-ff", po::value(&o.wire_ff)->default_value(o.wire_ff), "capacitance of wire a fan-out, fF")
      ("clock-ns", po::value(&o.clock_ns)->default_value(o.clock_ns), "clock period gates are sized for, ns")
      ("columns", po::value(&o.columns),
       "columns that are synthesized, energy and area of more go by rule; default: those of two outputs of the widest "
       "weights, at most 16 (overlay: 2)")
      ("activations", po::value(&o.activations),
       "dataset.yaml of activations to calibrate on, labels: their layer; default: the demonstration network's")
      ("zero-delay", po::bool_switch(&o.zero_delay), "without glitches: faster, and too low")
      ("out", po::value(&o.out)->required(), "technology file to write")
      ("check", po::value(&o.check),
       "technology file whose error in the runs held out is printed too: another number of columns")
      ("runs", po::value(&o.runs), "table of the runs on gates to write, CSV");
  // clang-format on
  o.common.add(options);
  po::variables_map values;
  if (!parse(arguments, options,
             {"characterize --architecture A --library LIB --out TECH.yaml",
              "Synthesizes the accelerator with Yosys, runs layers of many widths and densities on its gates, with\n"
              "glitches, checks them against golden outputs and SystemC's cycles, and fits energy to events and\n"
              "toggles; runs that are not fitted say how wrong that is. Minutes; the netlist is kept in the cache.",
              "characterize --architecture pim-16x16 --library osu018 --out out/osu018.yaml"},
             values)) {
    return false;
  }
  check_choice("dram", o.dram, {"lpddr4", "ddr4", "hbm2"});
  check_range("wire-ff", o.wire_ff, 0, 1000);
  check_range("clock-ns", o.clock_ns, 0.01, 1000);
  if (values.count("columns") != 0) check_range("columns", o.columns, 1, 1024);
  check_library(o, values.count("feature-nm") != 0);
  o.common.check();
  return true;
}

model::Technology technology_of(const Options& o, const model::Architecture& architecture,
                                const sim::gates::Characterization& c) {
  model::Technology t;
  t.kind = model::TechnologyKind::gate_level;
  t.gates = c.technology;
  t.name = fs::path(o.out).stem().string();
  t.title = fmt::format("{} of style {} with {} rows in gates of {}",
                        architecture.clock_gating ? "clock-gated array" : "array", architecture.style,
                        architecture.rows, t.gates.library);
  t.rules = {
      fmt::format(
          "Gates: {} cells, {} flip-flops; switching, cell-internal, clock and leakage energy, {} glitches; {} fF of "
          "wire a fan-out, no clock tree, no placement.",
          c.cells, c.flip_flops, o.zero_delay ? "without" : "with", o.wire_ff),
      fmt::format(
          "Fitted with {} columns in one macro; energy, clock, leakage and area of more columns go by their number.",
          t.gates.columns),
      "Memories are not gates: energy of a bit goes with the root of the memory's bits; off-chip memory has an energy "
      "a bit.",
      "Coefficients are a set: events go together, and their weights trade against each other."};
  const model::Coefficient memory{
      0, "",
      "Horowitz, Computing's energy problem, ISSCC 2014, Fig. 1.1.9 (8 KB, 32 KB, 1 MB: 10, 20, 100 pJ), as "
      "transcribed in gist.github.com/V0XNIHILI/2b6fa61edd4c06d9ffce5551065124c1",
      fmt::format("scaled from 45 nm and 0.9 V to {} nm and {} V", o.feature_nm, t.gates.voltage),
      model::Status::cited};
  t.coefficients["memory_access"] = memory;
  t.coefficients["memory_area"] = {0, "", "CACTI at 45 nm for 512 bytes (buffers of BitFusion)",
                                   fmt::format("scaled from 45 nm to {} nm", o.feature_nm), model::Status::cited};
  t.coefficients["memory_leakage"] = {0, "", "twice the library's smallest inverter", "cells alone, no periphery",
                                      model::Status::measured};
  const std::map<std::string, const char*> drams = {
      {"lpddr4",
       "Ha, Understanding and improving the energy efficiency of DRAM, Stanford 2018 (32 Gb, 3.2 Gb/s a pin)"},
      {"ddr4", "Vogelsang, Understanding the energy consumption of DRAM, MICRO 2010 (8 Gb DDR4, IDD7, without I/O)"},
      {"hbm2", "O'Connor et al., Fine-Grained DRAM, MICRO 2017 (access, with activation and I/O)"}};
  t.coefficients["dram_access"] = {0, "", drams.at(o.dram), "reads and writes alike; no standby", model::Status::cited};
  return t;
}

std::string runs_csv(const model::Architecture& a, const sim::gates::Characterization& c) {
  std::string text =
      "run,held_out,streams,cycles,energy_pj_per_cycle,predicted_pj_per_cycle,error_percent,structural_error_percent";
  const auto& parts = c.points.front().energy;
  for (const auto& [part, value] : parts) text += fmt::format(",{0}_pj_per_cycle,predicted_{0}_pj_per_cycle", part);
  for (const std::string_view name : model::event_names) text += fmt::format(",{}", name);
  for (const std::string_view name : model::toggle_names) text += fmt::format(",{}", name);
  text += "\n";
  const auto predicted = [&](const model::EnergyTerms& terms, const sim::gates::CalibrationPoint& p) {
    double sum = 0;
    for (const auto& [part, list] : terms) sum += sim::energy_of(list, p.events, &p.toggles, a);
    return sum;
  };
  for (const auto& p : c.points) {
    const double cycles = static_cast<double>(p.events.cycles), scale = 1e12 / cycles;
    const double fitted = predicted(c.technology.with_toggles, p), plain = predicted(c.technology.structural, p);
    text += fmt::format("\"{}\",{},{},{},{:.3f},{:.3f},{:.3f},{:.3f}", p.name, p.held_out ? 1 : 0, p.streams,
                        p.events.cycles, p.total() * scale, fitted * scale, 100 * (fitted / p.total() - 1),
                        100 * (plain / p.total() - 1));
    for (const auto& [part, value] : p.energy) {
      const auto terms = c.technology.with_toggles.find(part);
      const double of_part =
          terms == c.technology.with_toggles.end() ? 0 : sim::energy_of(terms->second, p.events, &p.toggles, a);
      text += fmt::format(",{:.3f},{:.3f}", value * scale, of_part * scale);
    }
    for (const auto member : model::event_members) text += fmt::format(",{}", p.events.*member);
    for (const auto member : model::toggle_members) text += fmt::format(",{}", p.toggles.*member);
    text += "\n";
  }
  return text;
}

}  // namespace

int characterize(const std::vector<std::string>& arguments) {
  Options o;
  if (!read(arguments, o)) return 0;
  // First of all, so that a bad name costs no minutes.
  check_output("out", o.out);
  if (!o.runs.empty()) check_output("runs", o.runs);
  const model::Architecture architecture = model::load_architecture(o.architecture);
  sim::gates::CharacterizeOptions options;
  options.columns = o.columns != 0 ? o.columns : architecture.overlay() ? 2 : 16;
  const model::Architecture calibrated = sim::gates::calibrated_architecture(architecture, options.columns);
  options.period = o.clock_ns * 1e-9;
  options.feature = o.feature_nm * 1e-9;
  options.timed = !o.zero_delay;
  options.dram = o.dram;
  options.code = build_info::code;
  options.seed = o.common.seed;
  options.timing.wire = o.wire_ff * 1e-15;
  std::optional<model::Technology> checked;
  if (!o.check.empty()) {
    checked = model::load_technology(o.check);
    if (checked->kind != model::TechnologyKind::gate_level)
      throw std::invalid_argument(fmt::format("technology '{}' is not of gates", o.check));
    const auto others = sim::differences(checked->gates, architecture);
    if (!others.empty())
      throw std::invalid_argument(
          fmt::format("technology '{}' is of other hardware: {}", o.check, fmt::join(others, "; ")));
  }
  std::optional<model::SampleSet> recorded;
  if (!o.activations.empty()) {
    recorded = model::load_samples(o.activations);
    if (!recorded->test) throw std::invalid_argument(fmt::format("{} has no samples under 'test'", o.activations));
    sim::gates::check_recorded(*recorded->test);
    options.recorded = &*recorded->test;
  }
  const std::vector<fs::path> files(o.library.begin(), o.library.end());
  const sim::gates::Library library = sim::gates::read_liberty(files);
  tell_of_cells(o.common, library);
  say(o.common, "synthesis of a new accelerator takes minutes and up to 2 GB of memory");
  std::unique_ptr<model::Progress> progress;
  const auto c = sim::gates::characterize(architecture, library, options, [&](std::size_t, std::size_t runs) {
    if (!progress)
      progress = std::make_unique<model::Progress>("runs on gates", static_cast<std::int64_t>(runs), o.common.quiet);
    progress->advance();
  });
  if (progress) progress->finish();
  const model::Technology technology = technology_of(o, architecture, c);
  model::save_gate_level(technology, o.out);
  if (!o.runs.empty()) model::write_whole(o.runs, runs_csv(calibrated, c));
  std::optional<model::FitError> check;
  if (checked) check = sim::gates::error_of(checked->gates.with_toggles, c.points, calibrated, true);
  const model::GateLevel& g = technology.gates;
  const int columns = architecture.columns * architecture.tiles;
  if (o.common.json) {
    const auto error = [](const model::FitError& e) {
      return json{{"runs", e.points}, {"r2", e.r2}, {"mean", e.mean}, {"worst", e.worst}, {"worst_run", e.worst_point}};
    };
    json result = json{{"technology", o.out},
                       {"cells", c.cells},
                       {"flip_flops", c.flip_flops},
                       {"values_compared", c.values_compared},
                       {"stream_cycles", c.stream_cycles},
                       {"synthesis_s", c.synthesis_seconds},
                       {"simulation_s", c.simulation_seconds},
                       {"known_runs", c.known_runs},
                       {"clock_ns", g.clock_period * 1e9},
                       {"area_mm2", g.area.of(columns) * 1e6},
                       {"error", error(g.toggles_error)},
                       {"structural_error", error(g.structural_error)}};
    if (check) result["check"] = error(*check);
    std::cout << model::json_text(result) << "\n";
    return 0;
  }
  fmt::print("{}: {} with {} columns, {} cells of {}, {} flip-flops, {} memories; clock {:.2f} ns\n", o.out,
             architecture.name, g.columns, c.cells, g.library, c.flip_flops, c.memories, g.clock_period * 1e9);
  fmt::print(
      "{} stream cycles, {} outputs on gates equal to golden; {:.0f} s synthesis (0: known from before), {:.0f} s "
      "runs{}\n",
      c.stream_cycles, c.values_compared, c.synthesis_seconds, c.simulation_seconds,
      c.known_runs == 0 ? "" : fmt::format(", {} of them known from before", c.known_runs));
  fmt::print("area at {} columns: {:.2f} mm2 of gates\n", columns, g.area.of(columns) * 1e6);
  for (const auto& [name, e] :
       {std::pair("events and toggles", g.toggles_error), std::pair("events alone", g.structural_error)}) {
    fmt::print("{:<18} {} runs held out: R2 {:.3f}, mean error {:.2f} %, worst {:.2f} % ({})\n", name, e.points, e.r2,
               100 * e.mean, 100 * e.worst, e.worst_point);
  }
  if (check) {
    fmt::print("{}, of {} columns, in the same runs: R2 {:.3f}, mean error {:.2f} %, worst {:.2f} % ({})\n", o.check,
               checked->gates.columns, check->r2, 100 * check->mean, 100 * check->worst, check->worst_point);
  }
  return 0;
}

}  // namespace bitstrata::cli
