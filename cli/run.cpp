// SPDX-License-Identifier: Apache-2.0
// bitstrata run: what a network costs on an accelerator, layer by layer.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <mutex>
#include <optional>
#include <span>

#include "cli/execute.h"
#include "cli/fpga_options.h"
#include "cli/pricing.h"
#include "cli/run_images.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "model/golden.h"
#include "model/json_text.h"
#include "model/progress.h"
#include "sim/fast.h"

namespace bitstrata::cli {

using nlohmann::json;

namespace {

struct Options {
  WorkloadOptions workload;
  FpgaOptions fpga;
  Common common;
  std::string engine = "fast", out;
  std::vector<std::string> technologies;
  int images = 0;
};

bool read(const std::vector<std::string>& arguments, Options& o) {
  po::options_description options("options");
  o.workload.add(options);
  options.add_options()
      // clang-format off
      ("technology", po::value(&o.technologies)->composing(),
       "built-in name or YAML file; may be repeated; default: all built-in ones")
      ("engine", po::value(&o.engine)->default_value(o.engine), "fast, systemc or rtl")
      ("images", po::value(&o.images),
       "how many images are executed; default: a batch with systemc and rtl, 0 with fast, which needs none (its images "
       "go through the golden arithmetic, for accuracy and densities)")
      ("out", po::value(&o.out), "run folder to write: layers.csv, summary.json, run.json, plan.yaml");
  // clang-format on
  o.fpga.add(options, "of which the accelerator's resources are predicted");
  o.common.add(options);
  po::variables_map values;
  if (!parse(arguments, options,
             {"run --network N|DIR [--architecture A] [--technology T] [--engine E] [--out DIR]",
              "Cycles and energy of a network on an accelerator, layer by layer. utilization is macs x weight_bits x\n"
              "activation_bits over cycles x the one-bit products a cycle of the array. With --batch N cycles are\n"
              "those of a run of N images; macs, latency (time of the run / N) and energy are an image's. The engines\n"
              "systemc and rtl execute data; the exit status is 1 when their outputs differ from the golden\n"
              "arithmetic or cycles differ between runs.",
              "run --network lenet5 --weight-bits 4 --activation-bits 4 --engine fast --out out/lenet5-4-4"},
             values)) {
    return false;
  }
  check_choice("engine", o.engine, engine_names());
  const bool executes = o.engine != "fast";
  o.workload.check(values);
  o.workload.complete_batches(values, "images", executes ? 1 : 0, o.images);
  check_range("images", o.images, executes ? 1 : 0, 1e6);
  o.common.check();
  return true;
}

struct Results {
  const Options& options;
  const Workload& workload;
  const Inputs& inputs;
  const Tally& tally;
  Execution execution;
  model::Measurement measurement;
  std::vector<Price> prices;
  FpgaTarget fpga;
};

// Nothing where the technology prices no part of the layer.
std::optional<double> layer_pj(const Price& price, std::size_t layer) {
  const sim::EnergyParts& parts = price.energy.layers[layer].parts;
  return parts.any() ? std::optional(parts.total_pj()) : std::nullopt;
}

std::string number(double value) { return fmt::format("{:.6g}", value); }

// Has a further technology another clock than the first, whose latencies are shown?
bool other_clock(const Results& r, std::size_t price) { return r.prices[price].clock.mhz() != r.prices[0].clock.mhz(); }

// layers.csv: what is not known stays empty. Cycles are those of a run of --batch images; macs, latency (time of the
// run / batch) and energy are an image's. The columns from latency_us on are those of the first technology; each
// further one has an energy of its own, and a latency where its clock is another; the last column is the batch.
Table csv_table(const Results& r) {
  std::vector<std::string> header = {
      "layer",       "kind",           "weight_bits",        "activation_bits", "macs",
      "cycles",      "compute_cycles", "load_cycles",        "store_cycles",    "stall_cycles",
      "utilization", "weight_density", "activation_density", "latency_us",      "energy_pj"};
  for (const EnergyColumn& column : energy_columns) header.emplace_back(column.name);
  for (std::size_t p = 1; p < r.prices.size(); ++p) {
    header.push_back(fmt::format("energy_{}_pj", r.prices[p].technology.name));
    if (other_clock(r, p)) header.push_back(fmt::format("latency_{}_us", r.prices[p].technology.name));
  }
  header.emplace_back("batch");
  Table table(header);
  for (std::size_t i = 0; i < r.measurement.layers.size(); ++i) {
    const model::LayerMeasurement& layer = r.measurement.layers[i];
    const model::IntegerLayer& integers = r.workload.network.layers[i];
    const bool weights = has_weights(layer.kind);
    std::vector<std::string> row = {
        layer.layer,
        to_string(layer.kind),
        weights ? fmt::format("{}", layer.weight_bits) : "",
        fmt::format("{}", layer.activation_bits),
        fmt::format("{}", layer.macs),
        fmt::format("{}", layer.events.cycles),
        fmt::format("{}", layer.events.compute_cycles),
        fmt::format("{}", layer.events.load_cycles),
        fmt::format("{}", layer.events.store_cycles),
        fmt::format("{}", layer.events.stall_cycles),
        weights ? number(utilization(layer, r.measurement.batch, r.workload.architecture)) : ""};
    std::int64_t zeros = 0;
    if (r.workload.trained) {
      integers.weights.for_each_block(
          1, [&](std::size_t, const model::WeightBlock& block) { zeros += std::ranges::count(block, 0); });
    }
    const auto count = static_cast<double>(integers.weights.size());
    row.push_back(weights && r.workload.trained ? number(1 - static_cast<double>(zeros) / count) : "");
    row.push_back(r.tally.images() > 0 ? number(r.tally.density(integers.input)) : "");
    row.push_back(number(r.measurement.latency_us(layer)));
    const sim::EnergyParts& first = r.prices.at(0).energy.layers[i].parts;
    row.push_back(first.any() ? number(first.total_pj()) : "");
    for (const EnergyColumn& column : energy_columns) {
      row.push_back(first.*column.part ? number(*(first.*column.part)) : "");
    }
    for (std::size_t p = 1; p < r.prices.size(); ++p) {
      const std::optional<double> energy = layer_pj(r.prices[p], i);
      row.push_back(energy ? number(*energy) : "");
      if (other_clock(r, p))
        row.push_back(number(r.prices[p].clock.latency_us(layer.events.cycles) / r.measurement.batch));
    }
    row.push_back(fmt::format("{}", r.measurement.batch));
    table.add(row);
  }
  return table;
}

json layers_json(const Results& r) {
  json layers = json::array();
  for (std::size_t i = 0; i < r.measurement.layers.size(); ++i) {
    const model::LayerMeasurement& layer = r.measurement.layers[i];
    const model::IntegerLayer& integers = r.workload.network.layers[i];
    json entry = {{"layer", layer.layer},
                  {"kind", to_string(layer.kind)},
                  {"activation_bits", layer.activation_bits},
                  {"output_bits", layer.output_bits},
                  {"channels", integers.out_channels()},
                  {"weights", integers.weights.size()},
                  {"macs", layer.macs},
                  {"latency_us", r.measurement.latency_us(layer)}};
    if (has_weights(layer.kind)) {
      entry["weight_bits"] = layer.weight_bits;
      entry["utilization"] = utilization(layer, r.measurement.batch, r.workload.architecture);
    }
    for (std::size_t e = 0; e < model::event_names.size(); ++e) {
      entry["events"][std::string(model::event_names[e])] = layer.events.*model::event_members[e];
    }
    for (const Price& p : r.prices)
      if (const auto energy = layer_pj(p, i)) entry["energy_pj"][p.technology.name] = *energy;
    layers.push_back(entry);
  }
  return layers;
}

// What cycles and events are on an accelerator that skips planes.
std::string cycles_note(const Results& r) {
  if (r.tally.images() == 0) return "an upper bound, as if no plane were skipped: without --images no data are known";
  const int batch = r.workload.program.batch;
  return batch == 1 ? fmt::format("cycles and events are the mean of {} images", r.tally.images())
                    : fmt::format("cycles and events are the mean of {} runs", r.tally.images() / batch);
}

double cycles_per_image(const Results& r) {
  return static_cast<double>(r.measurement.total().cycles) / r.measurement.batch;
}

json fpga_json(const Results& r) {
  const model::FpgaUse use = model::predict_fpga(*r.fpga.family, r.workload.architecture);
  json result = {{"family", r.fpga.family->name}, {"luts", use.luts}, {"outside", use.outside}};
  for (std::size_t i = 0; i < use.resources.size(); ++i) result[model::fpga_resource_names[i]] = use.resources[i];
  if (r.fpga.part) result["device"] = model::share_json(*r.fpga.part, model::share_of(*r.fpga.part, use));
  return result;
}

void print_fpga(const Results& r) {
  const model::FpgaUse use = model::predict_fpga(*r.fpga.family, r.workload.architecture);
  std::string counts;
  for (std::size_t i = 0; i < use.resources.size(); ++i)
    counts +=
        fmt::format(", {} {}", grouped(static_cast<std::int64_t>(use.resources[i])), model::fpga_resource_names[i]);
  fmt::print("{} LUTs in all{}\n{}", grouped(static_cast<std::int64_t>(use.luts)), counts, fpga_errors(*r.fpga.family));
  if (!use.outside.empty())
    fmt::print("  OUTSIDE THE FITTED RANGE, so that these errors do not hold: {}\n", fmt::join(use.outside, ", "));
  if (r.fpga.part)
    fmt::print("{}: {} ({}, {})\n", r.fpga.part->name,
               model::share_text(*r.fpga.part, model::share_of(*r.fpga.part, use)), r.fpga.part->source,
               r.fpga.part->status);
}

json summary_of(const Results& r) {
  const model::Architecture& a = r.workload.architecture;
  json summary = {
      {"network", r.workload.network.name},
      {"weights", r.workload.trained ? "trained" : "random"},
      {"architecture", a.name},
      {"array",
       {{"style", a.style}, {"tiles", a.tiles}, {"vectors", a.vectors}, {"rows", a.rows}, {"columns", a.columns}}},
      {"clock_mhz", a.clock_mhz},
      {"engine", r.options.engine},
      {"batch", r.measurement.batch},
      {"cycles", r.measurement.total().cycles},
      {"cycles_per_image", cycles_per_image(r)},
      {"latency_us", r.measurement.latency_us()},
      {"macs", r.workload.macs()},
      {"parameters", r.workload.parameters()},
      {"weight_storage_bits", r.workload.weight_storage_bits()},
      {"layers", layers_json(r)}};
  if (r.fpga.family) summary["fpga"] = fpga_json(r);
  if (const auto reached = r.prices.at(0).clock.reached_mhz) summary["clock_reached_mhz"] = *reached;
  for (const Price& p : r.prices) summary["energy"][p.technology.name] = to_json(p);
  if (r.tally.images() > 0) summary["images"] = {{"source", r.inputs.source}, {"count", r.tally.images()}};
  r.workload.add_calibration(summary);
  if (a.skip_planes) summary["cycles_note"] = cycles_note(r);
  // Random weights recognise nothing: a figure would only mislead.
  if (r.workload.trained && !r.inputs.labels.empty()) {
    summary["images"]["correct"] = r.tally.correct();
    summary["images"]["accuracy"] = static_cast<double>(r.tally.correct()) / r.tally.images();
  }
  if (r.execution.cycles_per_cpu_second > 0) {
    summary["cycles_per_cpu_second"] = r.execution.cycles_per_cpu_second;
    summary["outputs_equal_to_golden"] = r.execution.outputs_compared;
  }
  // The network's folder knows these: a report then has accuracy and cost in one row.
  for (const char* key : {"dataset", "method", "validation_accuracy", "test_accuracy", "test_standard_error",
                          "test_images", "float_test_accuracy", "float_test_standard_error"}) {
    if (r.workload.origin.contains(key)) summary[key] = r.workload.origin[key];
  }
  return summary;
}

void print(const Results& r) {
  const model::Architecture& a = r.workload.architecture;
  const int batch = r.measurement.batch;
  fmt::print("{} ({} weights) on {} ({}, {:g} MHz), engine {}\n{}\n", r.workload.network.name,
             r.workload.trained ? "trained" : "random", a.name, a.array_text(), a.clock_mhz, r.options.engine,
             r.workload.calibration_line());
  // Short names keep the table on a screen; the line below it and layers.csv have the long ones.
  std::vector<std::string> header = {"layer",   "kind", "w",     "a",     "macs",        "cycles",
                                     "compute", "load", "store", "stall", "utilization", "latency_us"};
  for (const Price& p : r.prices) header.push_back(fmt::format("{}_pj", p.technology.name));
  Table table(header, 2);
  for (std::size_t i = 0; i < r.measurement.layers.size(); ++i) {
    const model::LayerMeasurement& layer = r.measurement.layers[i];
    const model::Events& e = layer.events;
    const bool weights = has_weights(layer.kind);
    std::vector<std::string> row = {layer.layer,
                                    to_string(layer.kind),
                                    weights ? fmt::format("{}", layer.weight_bits) : "",
                                    fmt::format("{}", layer.activation_bits),
                                    grouped(layer.macs),
                                    grouped(e.cycles),
                                    grouped(e.compute_cycles),
                                    grouped(e.load_cycles),
                                    grouped(e.store_cycles),
                                    grouped(e.stall_cycles),
                                    weights ? fmt::format("{:.4f}", utilization(layer, batch, a)) : "",
                                    fmt::format("{:.2f}", r.measurement.latency_us(layer))};
    for (const Price& p : r.prices) {
      const std::optional<double> energy = layer_pj(p, i);
      row.push_back(energy ? short_number(*energy) : "");
    }
    table.add(row);
  }
  const model::Events total = r.measurement.total();
  std::vector<std::string> row = {"total",
                                  "",
                                  "",
                                  "",
                                  grouped(r.workload.macs()),
                                  grouped(total.cycles),
                                  grouped(total.compute_cycles),
                                  grouped(total.load_cycles),
                                  grouped(total.store_cycles),
                                  grouped(total.stall_cycles),
                                  "",
                                  fmt::format("{:.2f}", r.measurement.latency_us())};
  for (const Price& p : r.prices) row.push_back(short_number(p.energy.total.total_pj()));
  table.add_total(row);
  fmt::print(
      "{}\nw, a: weight_bits and activation_bits; compute, load, store, stall: cycles, of units that overlap\n"
      "latency at {:.4g} MHz{}\n"
      "{} parameters, {} weight bits stored\n",
      table.text(), r.measurement.clock_mhz,
      r.prices.at(0).clock.reached_mhz
          ? fmt::format(", the slower of the clock asked for and {}'s", r.prices[0].technology.name)
          : ", the clock asked for",
      grouped(r.workload.parameters()), grouped(r.workload.weight_storage_bits()));
  if (a.skip_planes) fmt::print("skip_planes: {}\n", cycles_note(r));
  if (batch > 1) {
    fmt::print(
        "batch of {}: cycles are those of a run of {} images, {:.1f} an image; macs, latency (time of the run / {}) "
        "and "
        "energy are an image's\n",
        batch, batch, cycles_per_image(r), batch);
  }
  for (const Price& p : r.prices) {
    fmt::print("energy {}: {}{} nJ an image; coefficients {}: {}\n", p.technology.name,
               short_number(1e-3 * p.energy.total.total_pj()),
               p.standard_error_pj ? " ± " + short_number(1e-3 * *p.standard_error_pj) : "", to_string(p.energy.status),
               p.technology.title);
    fmt::print("  {}\n", physical_line(p));
    // How wrong it is, and where it is used beyond its range.
    for (std::size_t i = p.technology.rules.size(); i < p.energy.rules.size(); ++i)
      fmt::print("  {}\n", p.energy.rules[i]);
  }
  if (r.fpga.family) print_fpga(r);
  if (r.workload.trained && !r.inputs.labels.empty()) {
    fmt::print("accuracy: {} of {} images of {} right ({:.2f} %, {})\n", r.tally.correct(), r.tally.images(),
               r.inputs.source, 100.0 * r.tally.correct() / r.tally.images(),
               r.execution.outputs_compared > 0 ? "executed" : "golden arithmetic");
  }
  if (r.execution.outputs_compared > 0) {
    fmt::print(
        "{} images of {} executed{}; {} outputs equal to the golden arithmetic; "
        "{} simulated cycles a CPU second\n",
        r.tally.images(), r.inputs.source,
        a.skip_planes ? ""
        : batch > 1   ? ", the same cycles for each run"
                      : ", the same cycles for each",
        grouped(r.execution.outputs_compared), grouped(static_cast<std::int64_t>(r.execution.cycles_per_cpu_second)));
  }
}

}  // namespace

int run(const std::vector<std::string>& arguments) {
  Options o;
  if (!read(arguments, o)) return 0;
  RunRecord record("run", arguments, o.common);
  OutputFolder folder(o.out);
  const FpgaTarget fpga = fpga_target(o.fpga);
  const Workload workload = make_workload(o.workload, o.common, record);
  const std::vector<model::Technology> technologies = load_technologies(o.technologies, record);
  Inputs inputs;
  if (o.images > 0) {
    inputs = make_inputs(workload, o.workload, o.images, o.common, record);
  } else if (!o.workload.dataset.empty() && !workload.imported) {
    say(o.common, fmt::format("'{}' is not read: no images are executed (--images)", o.workload.dataset));
  }
  if (workload.trained) {
    const std::int64_t outputs = workload.network.tensors[workload.network.output()].shape.elements();
    if (outputs < 2) inputs.labels.clear();  // one number is no class
    check_labels(inputs.labels, outputs, inputs.source);
    if (!inputs.labels.empty() && workload.imported && workload.imported->samples)
      note_classes(o.common, *workload.imported->samples, outputs);
  }

  Tally tally(workload);
  const bool toggles = o.engine != "fast" && std::ranges::any_of(technologies, [](const model::Technology& t) {
                         return t.kind == model::TechnologyKind::gate_level;
                       });
  const Execution execution = execute_images(o.engine, o.common, workload, inputs, tally, toggles);
  const model::Origin origin = o.engine == "fast"      ? model::Origin::fast
                               : o.engine == "systemc" ? model::Origin::systemc
                                                       : model::Origin::rtl;
  Results results{o, workload, inputs, tally, execution, measurement_of(workload, origin, execution.events), {}, fpga};
  for (std::size_t l = 0; l < workload.network.layers.size() && tally.images() > 0; ++l)
    results.measurement.layers[l].activation_density = tally.density(workload.network.layers[l].input);
  for (const model::Technology& technology : technologies) {
    results.prices.push_back(
        price_runs(technology, results.measurement, execution.toggles, workload.network, workload.architecture));
  }
  results.measurement.clock_mhz = results.prices.at(0).clock.mhz();

  const json summary = summary_of(results);
  if (folder.wanted()) {
    folder.add("layers.csv", csv_table(results).csv());
    folder.add("summary.json", summary);
    folder.add("run.json", record.to_json(o.engine));
    folder.add("plan.yaml", model::to_text(workload.plan));
    folder.publish();
  }
  if (o.common.json) {
    std::cout << model::json_text(summary) << "\n";
  } else {
    print(results);
  }
  return 0;
}

}  // namespace bitstrata::cli
