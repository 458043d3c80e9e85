// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "model/golden.h"
#include "sim/engine.h"
#include "sim/gates/energy.h"
#include "sim/gates/recorded.h"

namespace bitstrata::sim::gates {

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// An instance's component, by module; clock gates belong to where they stand. "columns", "lanes": once a column.
std::string component_of(const Instance& instance) {
  const std::string& m = instance.module;
  if (m == "bs_products" || m == "bs_popcount") return "products";
  if (m == "bs_column" || m == "bs_dot") return "columns";
  if (m == "bs_macro") return "lanes";
  if (m == "bs_array" || m == "bs_sum_unit") return "array";
  if (m == "bs_plane_buffer" || m == "bs_feeder" || m == "bs_walker" || m == "bs_ram") return "buffer";
  if (m == "bs_post" || m == "bs_requant" || m == "bs_clip") return "postprocess";
  if (m == "bs_clock_gate") {
    const bool column =
        instance.path.find(".u_column.") != std::string::npos || instance.path.find(".u_dot.") != std::string::npos;
    // Gates of rows are there once a macro, whatever its columns.
    const bool lane =
        instance.path.find(".u_macro.") != std::string::npos && instance.path.find(".g_row") == std::string::npos;
    return column ? "columns" : lane ? "lanes" : "array";
  }
  return "control";
}
const char* part_of(const std::string& component) {
  if (component == "products" || component == "array") return "array";
  if (component == "columns" || component == "lanes") return "shift_add";
  return component == "buffer" ? "buffer" : component == "postprocess" ? "postprocess" : "control";
}

// Energies of runs on gates that are done, one line each in a file beside the netlist: what was stopped goes on, and a
// fit by other terms needs no gates.
class KnownRuns {
 public:
  explicit KnownRuns(const std::filesystem::path& file) : file_(file) {
    std::ifstream stream(file);
    for (std::string line; std::getline(stream, line);) {
      const auto run = nlohmann::json::parse(line, nullptr, false);
      // An interrupted line ends the file.
      if (run.is_object() && run.contains("name") && run.contains("cycles") && run.contains("energy"))
        runs_[run["name"]] = run;
    }
  }
  // Cycles of the run; its groups' energies in `points`.
  std::int64_t measure(const std::string& name, std::vector<CalibrationPoint>& points,
                       const std::function<std::int64_t()>& on_gates) {
    if (const auto known = runs_.find(name); known != runs_.end()) {
      ++found_;
      for (std::size_t g = 0; g < points.size(); ++g) points[g].energy = known->second["energy"].at(g);
      return known->second["cycles"];
    }
    const std::int64_t cycles = on_gates();
    nlohmann::json run = {{"name", name}, {"cycles", cycles}};
    for (const CalibrationPoint& point : points) run["energy"].push_back(point.energy);
    std::ofstream(file_, std::ios::app) << run.dump() << std::endl;
    return cycles;
  }

  // Runs that were not made again.
  int found() const { return found_; }

 private:
  std::filesystem::path file_;
  std::map<std::string, nlohmann::json> runs_;
  int found_ = 0;
};

// To change when the simulator, the runs or the way energy is counted do.
constexpr int runs_version = 5;

// Runs jobs of a calibration run and turns them into a point a group.
class Runs {
 public:
  Runs(const model::Architecture& architecture, const Simulator& powered_up, const EnergyModel& energy,
       KnownRuns& known, const model::Samples& recorded, std::uint64_t seed)
      : architecture_(architecture),
        known_(known),
        recorded_(recorded),
        powered_up_(powered_up),
        energy_(energy),
        systemc_(make_systemc_engine(architecture, true)),
        seed_(seed) {}

  void run(const CalibrationRun& run, GateMeasurement& result) {
    const CalibrationJobs jobs = jobs_of(run, architecture_, recorded_, seed_++);
    std::vector<CalibrationPoint> points(run.parts());
    for (std::size_t g = 0; g < points.size(); ++g) {
      points[g].name = run.part_name(g);
      points[g].held_out = run.held_out;
      if (!run.held_out) least_density_ = std::min(least_density_, jobs.density[g]);
    }
    const std::int64_t cycles = known_.measure(run.only_group < 0 ? run.name : run.part_name(0), points,
                                               [&] { return on_gates(run, jobs, points); });
    for (std::size_t j = 0; j < jobs.jobs.size(); ++j) {
      const auto reference = systemc_->run(jobs.programs[j], jobs.jobs[j].inputs, {});
      for (const model::Codes& tensor : reference.tensors.at(0))
        result.values_compared += static_cast<std::int64_t>(tensor.size());
      if (cycles != reference.descriptors.at(0).cycles)
        throw std::runtime_error(
            fmt::format("{}: {} cycles of gates, {} of SystemC", run.name, cycles, reference.descriptors[0].cycles));
      CalibrationPoint& point = points[run.part_of(j)];
      ++point.streams;
      point.events += reference.descriptors[0];
      point.toggles += reference.toggles.at(0);
      result.stream_cycles += cycles;
    }
    for (CalibrationPoint& point : points) {
      // A fit to anything else would go on into every coefficient.
      if (!std::isfinite(point.total()) || point.total() <= 0)
        throw std::runtime_error(fmt::format("run {}: its gates take {:g} J; the fit needs a positive finite energy",
                                             point.name, point.total()));
      result.points.push_back(std::move(point));
    }
  }

  // Least share of activations that are not zero among the fitted runs' groups.
  double least_density() const { return least_density_; }

 private:
  // Energies of the groups; cycles. Outputs must be golden's.
  std::int64_t on_gates(const CalibrationRun& run, const CalibrationJobs& jobs, std::vector<CalibrationPoint>& points) {
    // From power-up, as SystemC: what a run before left in rows, columns, and vectors that this one does not use would
    // toggle, too.
    Simulator simulator = powered_up_;
    GateEngine gates(simulator, architecture_);
    gates.started = [&] {
      simulator.clear_counts();
      simulator.set_counting(true);
    };
    EnergyWindow window;
    const GateRun from_gates = gates.run(jobs.jobs, {}, [&](std::size_t) {
      window = energy_.read(simulator);
      simulator.set_counting(false);
    });
    if (from_gates.error != RunError::none) throw std::runtime_error(run.name + ": the gates report an error");
    if (window.cycles != from_gates.cycles.at(0))
      throw std::logic_error(fmt::format("{} cycles counted of {}", window.cycles, from_gates.cycles[0]));
    for (std::size_t j = 0; j < jobs.jobs.size(); ++j) {
      if (model::run_all(*jobs.programs[j].network, jobs.jobs[j].inputs[0]) != from_gates.tensors.at(j).at(0))
        throw std::runtime_error(fmt::format("{}: stream {} of the gates gives other outputs", run.name, j));
    }
    for (std::size_t g = 0; g < groups; ++g) {
      for (std::size_t c = 0; c < window.components.size(); ++c) {
        const ComponentEnergy& of = window.components[c];
        CalibrationPoint& point = points[run.part_of(g * jobs.jobs.size() / groups)];
        point.energy[part_of(energy_.components()[c].name)] += of.switching[g] + of.internal[g];
        point.energy[per_column(energy_.components()[c].name) ? "clock_of_columns" : "clock"] += of.clock[g];
      }
    }
    return window.cycles;
  }

  double least_density_ = 1;
  const model::Architecture& architecture_;
  KnownRuns& known_;
  const model::Samples& recorded_;
  const Simulator& powered_up_;
  const EnergyModel& energy_;
  std::unique_ptr<Engine> systemc_;
  std::uint64_t seed_;
};

}  // namespace

model::Architecture calibrated_architecture(const model::Architecture& architecture, int columns) {
  model::Architecture a = architecture;
  a.tiles = 1;
  a.columns = std::min(architecture.columns, columns);
  a.name = fmt::format("{} with {} columns", architecture.name, a.columns);
  a.event_counters = false;
  a.popcount_tree = true;
  model::validate(a);
  return a;
}

double time_grid(const BufferRule& buffers, const TimingOptions& options) {
  const double delay = buffers.cell->outputs[0].delay[0].mean(buffers.most, options.slew);
  return std::clamp(std::floor(delay / 7 * 1e12) * 1e-12, std::min(1e-12, options.grid), options.grid);
}

GateMeasurement measure(const model::Architecture& architecture, const Library& library, const MeasureOptions& options,
                        const MeasureProgress& progress) {
  const model::Architecture a = calibrated_architecture(architecture, options.columns);
  const Synthesis synthesis = synthesize(a, library, options.period);
  TimingOptions timed = options.timing;
  const BufferRule buffers = buffer_rule(library, timed);
  timed.grid = time_grid(buffers, timed);
  const Netlist netlist = read_netlist(synthesis.netlist, library, {.buffers = &buffers});
  const Timing timing = make_timing(netlist, timed);
  Simulator powered_up(netlist, timing, group_masks());
  powered_up.set_timed(options.timed);
  const EnergyModel energy(netlist, timing, timed, library.voltage, component_of);

  GateMeasurement result;
  result.architecture = a;
  result.library = library.name;
  result.tools = synthesis.tools;
  result.voltage = library.voltage;
  result.wire = timed.wire;
  result.clock_period = clock_period(netlist, library);
  // Liberty areas are square micrometres in every library there is.
  for (const Component& component : energy.components())
    result.components[component.name] = {component.area * 1e-12, component.leakage, component.cells,
                                         component.flip_flops};
  result.memories = static_cast<std::int64_t>(netlist.memories.size());
  result.synthesis_seconds = synthesis.seconds;

  const auto start = std::chrono::steady_clock::now();
  // A clock that nothing happens in.
  Simulator idling = powered_up;
  idling.set_counting(true);
  constexpr int idle = 16;
  for (int i = 0; i < idle; ++i) idling.cycle();
  const EnergyWindow resting = energy.read(idling);
  for (std::size_t c = 0; c < resting.components.size(); ++c) {
    double joules = 0;
    for (std::size_t g = 0; g < groups; ++g) joules += resting.components[c].clock[g];
    (per_column(energy.components()[c].name) ? result.idle_clock_of_columns : result.idle_clock) +=
        joules / (idle * 64);
  }

  const model::Samples& recorded = options.recorded != nullptr ? *options.recorded : recorded_activations();
  KnownRuns known(synthesis.netlist.parent_path() /
                  fmt::format("runs-{}{}-{}-{:x}-{}-{:g}-{:g}-{:g}.jsonl", runs_version, options.code, options.seed,
                              hash_of(recorded), options.timed ? "timed" : "settled", timed.grid * 1e12,
                              timed.slew * 1e12, timed.wire * 1e15));
  Runs runs(a, powered_up, energy, known, recorded, options.seed);
  const std::vector<CalibrationRun> all = calibration_runs(a);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (progress) progress(i, all.size());
    runs.run(all[i], result);
  }
  result.simulation_seconds = seconds_since(start);
  result.known_runs = known.found();
  result.least_density = std::floor(1000 * runs.least_density()) / 1000;
  return result;
}

}  // namespace bitstrata::sim::gates
