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

#include "cli/characterize_family.h"
#include "cli/characterize_output.h"
#include "cli/run_folder.h"
#include "cli/train/build_info.h"
#include "cli/verbs.h"
#include "model/json_text.h"
#include "model/output_file.h"
#include "model/progress.h"
#include "model/technology.h"
#include "sim/gate_energy.h"
#include "sim/gates/energy_fit.h"
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
  std::string architecture = "pim-64x64", family, out, runs, check, activations, measurement, measurements, left_out;
  std::string dram = "lpddr4";
  std::vector<std::string> library = {"osu018"};  // a built-in name or Liberty files, then files alone
  int columns = 0;
  double feature_nm = 0, wire_ff = 5, clock_ns = 10;
  int jobs = 1;
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
      ("runs", po::value(&o.runs), "table of the runs on gates to write, CSV")
      ("measurement", po::value(&o.measurement), "what was measured on gates, to write, JSON: a family is fitted to such")
      ("family", po::value(&o.family),
       "family.yaml: architectures to measure in place of --architecture; how energies, area and clock grow with their "
       "parameters makes one technology for all between them")
      ("measurements", po::value(&o.measurements),
       "folder of a family's measurements, NAME.json each; those that are there are taken; default: the technology "
       "file's name and -measurements")
      ("left-out", po::value(&o.left_out), "table of a family's errors of each architecture by a fit without it, CSV")
      ("jobs", po::value(&o.jobs)->default_value(o.jobs), "architectures of a family that are measured at once");
  // clang-format on
  o.common.add(options);
  po::variables_map values;
  if (!parse(arguments, options,
             {"characterize [--architecture A | --family FAMILY.yaml] --library LIB --out TECH.yaml",
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
  check_range("jobs", o.jobs, 1, 256);
  const auto belongs = [&](const std::vector<const char*>& names, bool allowed, const char* to) {
    for (const char* option : names)
      if (!allowed && values.count(option) != 0 && !values[option].defaulted())
        throw std::invalid_argument(fmt::format("--{} belongs to {}", option, to));
  };
  belongs({"measurements", "left-out", "jobs"}, !o.family.empty(), "--family");
  belongs({"architecture", "measurement", "runs", "check"}, o.family.empty(), "a single architecture, not to --family");
  o.common.check();
  return true;
}

json json_of(const model::FitError& e) {
  return json{{"runs", e.points}, {"r2", e.r2}, {"mean", e.mean}, {"worst", e.worst}, {"worst_run", e.worst_point}};
}

void print_errors(const model::GateLevel& g, const char* runs) {
  for (const auto& [name, e] :
       {std::pair("events and toggles", g.toggles_error), std::pair("events alone", g.structural_error)}) {
    fmt::print("{:<18} {} {}: R2 {:.3f}, mean error {:.2f} %, worst {:.2f} % ({})\n", name, e.points, runs, e.r2,
               100 * e.mean, 100 * e.worst, e.worst_point);
  }
}

// What a run needs beside its architecture.
struct Inputs {
  sim::gates::MeasureOptions options;
  sim::gates::MemoryOptions memories;
  std::optional<model::SampleSet> recorded;
  std::optional<model::Technology> checked;
  sim::gates::Library library;
};

// Columns that are synthesized.
int columns_of(const Options& o, const model::Architecture& architecture) {
  return o.columns != 0 ? o.columns : architecture.overlay() ? 2 : 16;
}

const char* array_words(const model::Architecture& architecture) {
  return architecture.clock_gating ? "clock-gated array" : "array";
}

// The technology of --check. Throws std::invalid_argument where it is none of this hardware's gates.
std::optional<model::Technology> checked_technology(const Options& o, const model::Architecture& architecture) {
  if (o.check.empty()) return std::nullopt;
  model::Technology checked = model::load_technology(o.check);
  if (checked.kind != model::TechnologyKind::gate_level)
    throw std::invalid_argument(fmt::format("technology '{}' is not of gates", o.check));
  const auto others = sim::differences(checked.gates, architecture);
  if (!others.empty())
    throw std::invalid_argument(
        fmt::format("technology '{}' is of other hardware: {}", o.check, fmt::join(others, "; ")));
  return checked;
}

int characterize_one(const Options& o, const model::Architecture& architecture, Inputs& in) {
  in.options.columns = columns_of(o, architecture);
  say(o.common, "synthesis of a new accelerator takes minutes and up to 2 GB of memory");
  std::unique_ptr<model::Progress> progress;
  const auto c =
      sim::gates::characterize(architecture, in.library, in.options, in.memories, [&](std::size_t, std::size_t runs) {
        if (!progress)
          progress =
              std::make_unique<model::Progress>("runs on gates", static_cast<std::int64_t>(runs), o.common.quiet);
        progress->advance();
      });
  if (progress) progress->finish();
  const sim::gates::GateMeasurement& m = c.measured;
  const model::GateLevel& g = c.technology;
  const model::Technology technology = technology_of(
      {.name = fs::path(o.out).stem().string(),
       .title = fmt::format("{} of style {} with {} rows in gates of {}", array_words(architecture), architecture.style,
                            architecture.rows, g.library),
       .gates = fmt::format("{} cells, {} flip-flops", m.cells(), m.flip_flops()),
       .fit = {fmt::format("Fitted with {} columns in one macro; energy, clock, leakage and area of more columns go by "
                           "their number.",
                           g.columns)},
       .glitches = !o.zero_delay,
       .feature_nm = o.feature_nm},
      g);
  model::save_gate_level(technology, o.out);
  if (!o.runs.empty()) model::write_whole(o.runs, runs_csv(c));
  if (!o.measurement.empty()) sim::gates::save_measurement(m, o.measurement);
  std::optional<model::FitError> check;
  const sim::gates::GateMeasurement* const one[] = {&m};
  if (in.checked) check = sim::gates::error_of(in.checked->gates.with_toggles, one, true);
  if (o.common.json) {
    json result = json{{"technology", o.out},
                       {"cells", m.cells()},
                       {"flip_flops", m.flip_flops()},
                       {"values_compared", m.values_compared},
                       {"stream_cycles", m.stream_cycles},
                       {"synthesis_s", m.synthesis_seconds},
                       {"simulation_s", m.simulation_seconds},
                       {"known_runs", m.known_runs},
                       {"clock_ns", m.clock_period * 1e9},
                       {"area_mm2", g.area.of(architecture) * 1e6},
                       {"error", json_of(g.toggles_error)},
                       {"structural_error", json_of(g.structural_error)}};
    if (check) result["check"] = json_of(*check);
    std::cout << model::json_text(result) << "\n";
    return 0;
  }
  fmt::print("{}: {} with {} columns, {} cells of {}, {} flip-flops, {} memories; clock {:.2f} ns\n", o.out,
             architecture.name, g.columns, m.cells(), g.library, m.flip_flops(), m.memories, m.clock_period * 1e9);
  fmt::print(
      "{} stream cycles, {} outputs on gates equal to golden; {:.0f} s synthesis (0: known from before), {:.0f} s "
      "runs{}\n",
      m.stream_cycles, m.values_compared, m.synthesis_seconds, m.simulation_seconds,
      m.known_runs == 0 ? "" : fmt::format(", {} of them known from before", m.known_runs));
  fmt::print("area at {} columns: {:.2f} mm2 of gates\n", architecture.columns * architecture.tiles,
             g.area.of(architecture) * 1e6);
  print_errors(g, "runs held out");
  if (check) {
    fmt::print("{}, of {} columns, in the same runs: R2 {:.3f}, mean error {:.2f} %, worst {:.2f} % ({})\n", o.check,
               in.checked->gates.columns, check->r2, 100 * check->mean, 100 * check->worst, check->worst_point);
  }
  return 0;
}

// The words that measure one architecture as this run measures a family.
std::vector<std::string> words_of(const Options& o, const model::Architecture& architecture) {
  std::vector<std::string> words = {
      "--feature-nm", fmt::format("{}", o.feature_nm), "--wire-ff", fmt::format("{}", o.wire_ff),
      "--clock-ns",   fmt::format("{}", o.clock_ns),   "--columns", fmt::format("{}", columns_of(o, architecture)),
      "--seed",       fmt::format("{}", o.common.seed)};
  for (const std::string& file : o.library) words.insert(words.end(), {"--library", fs::absolute(file).string()});
  if (!o.activations.empty()) words.insert(words.end(), {"--activations", fs::absolute(o.activations).string()});
  if (o.zero_delay) words.push_back("--zero-delay");
  return words;
}

int characterize_family(const Options& o, const std::vector<model::Architecture>& architectures, const Inputs& in) {
  FamilyRun run{.folder = o.measurements, .words = words_of(o, architectures[0]), .jobs = o.jobs};
  if (run.folder.empty()) run.folder = fs::path(o.out).replace_extension().string() + "-measurements";
  const std::vector<sim::gates::GateMeasurement> measured = measure_family(architectures, run, o.common);
  std::vector<const sim::gates::GateMeasurement*> all;
  std::int64_t cells = 0, flip_flops = 0, compared = 0;
  double seconds = 0;
  for (const auto& m : measured) {
    all.push_back(&m);
    cells += m.cells();
    flip_flops += m.flip_flops();
    compared += m.values_compared;
    seconds += m.synthesis_seconds + m.simulation_seconds;
  }
  sim::gates::Family family = sim::gates::fit_family(all);
  model::GateLevel& g = family.technology;
  sim::gates::set_memories(g, in.library, in.memories);
  const model::Technology technology = technology_of(
      {.name = fs::path(o.out).stem().string(),
       .title = fmt::format("{}s of style {} in gates of {}, by their parameters", array_words(architectures[0]),
                            architectures[0].style, g.library),
       .gates = fmt::format("{} cells, {} flip-flops in {} architectures", cells, flip_flops, all.size()),
       .fit = {fmt::format("Fitted to {} architectures of at most {} columns in one macro; energy, clock, leakage and "
                           "area grow with the parameters between them, and with columns.",
                           all.size(), g.columns),
               "Errors are those of each architecture by a fit without it."},
       .glitches = !o.zero_delay,
       .feature_nm = o.feature_nm},
      g);
  model::save_gate_level(technology, o.out);
  if (!o.left_out.empty()) model::write_whole(o.left_out, left_out_csv(measured, family));
  const auto sizes = {std::pair("area", g.family.area), std::pair("leakage", g.family.leakage),
                      std::pair("clock", g.family.clock)};
  if (o.common.json) {
    json result = {{"technology", o.out},
                   {"architectures", all.size()},
                   {"cells", cells},
                   {"seconds", seconds},
                   {"values_compared", compared},
                   {"error", json_of(g.toggles_error)},
                   {"structural_error", json_of(g.structural_error)}};
    for (const auto& [name, e] : sizes) result[std::string(name) + "_error"] = json_of(e);
    std::cout << model::json_text(result) << "\n";
    return 0;
  }
  fmt::print(
      "{}: {} architectures, {} cells of {}; {} outputs on gates equal to golden; {:.0f} s of synthesis and runs\n",
      o.out, all.size(), cells, g.library, compared, seconds);
  print_errors(g, "runs held out of architectures left out");
  for (const auto& [name, e] : sizes)
    fmt::print("{:<18} {} architectures left out: mean error {:.2f} %, worst {:.2f} % ({})\n", name, e.points,
               100 * e.mean, 100 * e.worst, e.worst_point);
  return 0;
}

}  // namespace

int characterize(const std::vector<std::string>& arguments) {
  Options o;
  if (!read(arguments, o)) return 0;
  // First of all, so that a bad name costs no minutes.
  for (const auto& [option, file] : {std::pair("out", o.out), std::pair("runs", o.runs),
                                     std::pair("measurement", o.measurement), std::pair("left-out", o.left_out)})
    if (!file.empty()) check_output(option, file);
  const std::vector<model::Architecture> architectures =
      o.family.empty() ? std::vector{model::load_architecture(o.architecture)} : read_family(o.family);
  for (const model::Architecture& a : architectures) sim::gates::calibrated_architecture(a, columns_of(o, a));
  Inputs in;
  in.checked = checked_technology(o, architectures[0]);
  in.memories = {o.feature_nm * 1e-9, o.dram};
  in.options.period = o.clock_ns * 1e-9;
  in.options.timed = !o.zero_delay;
  in.options.code = build_info::code;
  in.options.seed = o.common.seed;
  in.options.timing.wire = o.wire_ff * 1e-15;
  if (!o.activations.empty()) {
    in.recorded = model::load_samples(o.activations);
    if (!in.recorded->test) throw std::invalid_argument(fmt::format("{} has no samples under 'test'", o.activations));
    sim::gates::check_recorded(*in.recorded->test);
    in.options.recorded = &*in.recorded->test;
  }
  const std::vector<fs::path> files(o.library.begin(), o.library.end());
  in.library = sim::gates::read_liberty(files);
  tell_of_cells(o.common, in.library);
  return o.family.empty() ? characterize_one(o, architectures[0], in) : characterize_family(o, architectures, in);
}

}  // namespace bitstrata::cli
