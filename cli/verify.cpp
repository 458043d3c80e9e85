// SPDX-License-Identifier: Apache-2.0
// bitstrata verify: all engines on the user's own network, compared code for code and cycle for cycle.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <optional>
#include <span>

#include "cli/compared_run.h"
#include "cli/comparison.h"
#include "cli/execute.h"
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
  Common common;
  int images = 2, rtl_images = 1;
  double stall_probability = 0;
  std::uint64_t stall_seed = 1;
  std::string out;
};

bool read(const std::vector<std::string>& arguments, Options& o) {
  po::options_description options("options");
  o.workload.add(options);
  options.add_options()
      // clang-format off
      ("images", po::value(&o.images)->default_value(o.images), "executed by the SystemC model, at least a batch")
      ("rtl-images", po::value(&o.rtl_images)->default_value(o.rtl_images),
       "executed by the Verilated RTL, at least a batch")
      ("stall-probability", po::value(&o.stall_probability)->default_value(o.stall_probability),
       "of each memory channel in each cycle; above 0 the fast engine's cycles are not compared")
      ("stall-seed", seed_value("stall-seed", o.stall_seed), "of the stalls of the first run")
      ("out", po::value(&o.out), "run folder to write: summary.json (all counts, layer by layer), run.json");
  // clang-format on
  o.common.add(options);
  po::variables_map values;
  if (!parse(
          arguments, options,
          {"verify --network N|DIR [--architecture A] [--images N] [--rtl-images M]",
           "Executes images on the SystemC model and on the Verilated RTL and compares every code of every layer with\n"
           "the golden arithmetic and with each other, and cycles and events with each other and with the fast\n"
           "engine. With --batch N images run N at once: cycles and events are those of a batch. The exit status is 1\n"
           "when anything differs or a layer was not compared at all.",
           "verify --network lenet5 --weight-bits 3 --activation-bits 5 --images 2 --rtl-images 1"},
          values)) {
    return false;
  }
  o.workload.check(values);
  o.workload.complete_batches(values, "images", o.images, o.images);
  o.workload.complete_batches(values, "rtl-images", o.rtl_images, o.rtl_images);
  check_range("images", o.images, 0, 1e6);
  check_range("rtl-images", o.rtl_images, 0, 1e6);
  check_range("stall-probability", o.stall_probability, 0, 0.95);
  o.common.check();
  return true;
}

// One engine's part: the first `images` images.
struct Contestant {
  std::string name;
  int images;
  std::unique_ptr<sim::Engine> engine;
};

std::vector<Contestant> contestants(const Options& o, const model::Architecture& architecture) {
  std::vector<Contestant> all;
  if (o.images > 0) all.push_back({"systemc", o.images, make_engine("systemc", architecture)});
  if (o.rtl_images > 0) {
    say(o.common,
        fmt::format("preparing the RTL of '{}': Verilator compiles it once, then it is kept", architecture.name));
    all.push_back({"rtl", o.rtl_images, make_engine("rtl", architecture)});
  }
  return all;
}

// The images of run number `run`, whose first is image `first`. Returns what the fast engine predicts for it.
std::vector<model::Events> compare_run(int run, const Options& o, const Workload& workload, const Inputs& inputs,
                                       std::vector<Contestant>& all, Comparison& comparison,
                                       model::Progress& progress) {
  const int batch = workload.program.batch, first = run * batch;
  const auto images =
      std::span(inputs.images).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(batch));
  const std::vector<model::Events> predicted = predict_layers(workload.program, images);
  if (run == 0) comparison.set_cycles("fast", predicted);
  sim::MemoryBehaviour behaviour;
  behaviour.stall_probability = o.stall_probability;
  behaviour.stall_seed = o.stall_seed + static_cast<std::uint64_t>(run);
  const auto add_values = [&](const std::vector<ValueComparison>& values) {
    for (const ValueComparison& image : values) comparison.add_values(image);
  };
  const bool stalls = o.stall_probability > 0;
  std::vector<FinishedRun> finished;
  for (Contestant& contestant : all) {
    if (first >= contestant.images) continue;
    ComparedRun values(workload, images, first, finished, contestant.name);
    const sim::RunResult result = contestant.engine->run(
        workload.program, images, behaviour,
        [&](std::size_t layer, const std::vector<model::Codes>& codes) { values.add(layer, codes); });
    progress.advance(batch, contestant.name);
    if (result.error != sim::RunError::none) {
      comparison.note_failure(fmt::format("{}: {} stopped after {} layers: {}", comparison.run_name(run),
                                          contestant.name, result.layers.size(), to_string(result.error)));
    }
    add_values(values.with_golden());
    comparison.compare_events(run, {contestant.name, "fast"}, result.layers, predicted, !stalls);
    for (std::size_t e = 0; e < finished.size(); ++e) {
      add_values(values.with_other(e));
      comparison.compare_events(run, {contestant.name, finished[e].name}, result.layers, finished[e].layers, true);
    }
    if (run == 0) comparison.set_cycles(contestant.name, result.layers);
    finished.push_back(values.finish(result.layers));
  }
  return predicted;
}

}  // namespace

int verify(const std::vector<std::string>& arguments) {
  Options o;
  if (!read(arguments, o)) return 0;
  RunRecord record("verify", arguments, o.common);
  OutputFolder folder(o.out);
  const Workload workload = make_workload(o.workload, o.common, record);
  const int images = std::max(o.images, o.rtl_images);
  const Inputs inputs = make_inputs(workload, o.workload, images, o.common, record);
  std::vector<Contestant> all = contestants(o, workload.architecture);

  Comparison comparison(workload);
  std::vector<std::vector<model::Events>> of_run;  // predicted
  {
    model::Progress progress("verify", std::int64_t{o.images} + o.rtl_images, o.common.quiet);
    for (int run = 0; run < images / workload.program.batch; ++run)
      of_run.push_back(compare_run(run, o, workload, inputs, all, comparison, progress));
  }

  json summary = comparison.to_json();
  summary["network"] = workload.network.name;
  summary["weights"] = workload.trained ? "trained" : "random";
  summary["architecture"] = workload.architecture.name;
  summary["images"] = {{"source", inputs.source}, {"systemc", o.images}, {"rtl", o.rtl_images}};
  summary["batch"] = workload.program.batch;
  workload.add_calibration(summary);
  summary["stall_probability"] = o.stall_probability;
  if (folder.wanted()) {
    folder.add("summary.json", summary);
    folder.add("run.json", record.to_json("golden, fast, systemc, rtl"));
    folder.publish();
  }
  if (o.common.json) {
    std::cout << model::json_text(summary) << "\n";
  } else {
    fmt::print("{} ({} weights) on {}; images of {}: {} by systemc, {} by rtl; stall probability {:g}\n{}\n{}\n{}",
               workload.network.name, workload.trained ? "trained" : "random", workload.architecture.name,
               inputs.source, o.images, o.rtl_images, o.stall_probability, workload.calibration_line(),
               comparison.value_table().text(), comparison.timing_table().text());
    const int batch = workload.program.batch;
    fmt::print("values and events: compared / different; cycles: of the first {}{}\n",
               batch > 1 ? fmt::format("batch of {} images", batch) : "image",
               o.stall_probability > 0 ? " (fast: without stalls)" : "");
    if (batch > 1 && !of_run.empty()) {
      std::int64_t cycles = 0;
      for (const model::Events& layer : of_run.at(0)) cycles += layer.cycles;
      fmt::print("cycles an image (of a batch / {}): {:.1f} predicted\n", batch, static_cast<double>(cycles) / batch);
    }
    for (const std::string& line : comparison.differences()) fmt::print("different: {}\n", line);
    for (const std::string& line : comparison.failures()) fmt::print("failed: {}\n", line);
    const Count values = comparison.values(), events = comparison.events();
    fmt::print("{}: {} values and {} events compared, {} values and {} events different (seed {})\n",
               comparison.passed() ? "equal" : "NOT EQUAL", grouped(values.compared), grouped(events.compared),
               grouped(values.different), grouped(events.different), o.common.seed);
  }
  return comparison.passed() ? 0 : 1;
}

}  // namespace bitstrata::cli
