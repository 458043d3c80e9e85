// SPDX-License-Identifier: Apache-2.0
// bitstrata generate: a folder with the accelerator's Verilog and a testbench of the user's own network.
#include <fmt/format.h>

#include <filesystem>
#include <iostream>
#include <numeric>
#include <optional>

#include "cli/common.h"
#include "cli/execute.h"
#include "cli/train/build_info.h"
#include "cli/verbs.h"
#include "cli/workload.h"
#include "model/golden.h"
#include "model/json_text.h"
#include "rtl/generate/export.h"
#include "sim/fast.h"

namespace bitstrata::cli {

namespace {

struct Options {
  WorkloadOptions workload;
  Common common;
  std::string out, board;
  int images = 1, layers = 0;
  bool force = false;
};

bool read(const std::vector<std::string>& arguments, Options& o) {
  po::options_description options("options");
  WorkloadOptions& w = o.workload;
  // The workload of the other verbs, but here a network is not required.
  options.add_options()
      // clang-format off
      ("architecture", po::value(&w.architecture)->default_value(w.architecture), "built-in name or YAML file")
      ("network", po::value(&w.network),
       "for the testbench: built-in network with seeded random weights, or ONNX file, or run folder of quantize, or "
       "its integer.safetensors; without it the folder has no testbench")
      ("dataset", po::value(&w.dataset),
       "fashion-mnist, a folder of IDX files, a dataset.yaml, or random (seeded codes); default: what the network was "
       "trained on, else fashion-mnist, and for networks of another input shape random")
      ("images", po::value(&o.images)->default_value(o.images), "how many images the testbench runs, at least a batch")
      ("layers", po::value(&o.layers), "only the first so many layers, for slow simulators")
      ("board", po::value(&o.board),
       "the whole accelerator with memory on chip and a serial line for this board: top module, pins, a script from "
       "Yosys to the bitstream, and, with --network, its testbench; hx8k (the default architecture is pim-4x4-hx8k then)")
      ("out", po::value(&o.out)->required(), "folder to write; must not exist or be empty")
      ("force", po::bool_switch(&o.force), "replace the design that --out already holds");
  // clang-format on
  w.widths.add(options);
  w.add_batch(options);
  w.import.add(options);
  o.common.add(options);
  po::variables_map values;
  if (!parse(
          arguments, options,
          {"generate --architecture A [--network N|DIR] [--images K] --out DIR",
           "A folder with the configured SystemVerilog, a README with parameters, registers and memory map, scripts\n"
           "for Yosys, Vivado and Quartus, and, with --network, a self-checking testbench with golden vectors of\n"
           "that network for Icarus and Verilator.",
           "generate --architecture pim-16x16 --network lenet5 --weight-bits 4 --activation-bits 4 --out out/design"},
          values)) {
    return false;
  }
  if (!o.board.empty() && values["architecture"].defaulted()) w.architecture = generate::board_of(o.board).architecture;
  if (w.network.empty()) {
    for (const char* name :
         {"plan", "weight-bits", "activation-bits", "output-bits", "dataset", "batch", "images", "layers"}) {
      if (values.count(name) != 0 && !values[name].defaulted()) {
        throw std::invalid_argument(fmt::format("--{} belongs to the testbench, which needs --network", name));
      }
    }
  }
  check_range("images", o.images, 1, 1000);
  if (values.count("layers") != 0) check_range("layers", o.layers, 1, 1e6);
  w.check(values);
  w.complete_batches(values, "images", o.images, o.images);
  o.common.check();
  return true;
}

// Drops all layers behind the first `count` and the tensors only they touch.
void keep_layers(Workload& workload, int count) {
  model::IntegerNetwork& network = workload.network;
  if (static_cast<std::size_t>(count) >= network.layers.size()) return;
  network.layers.resize(static_cast<std::size_t>(count));
  int last = 0;
  for (const model::IntegerLayer& layer : network.layers) last = std::max({last, layer.input, layer.output});
  network.tensors.resize(static_cast<std::size_t>(last) + 1);
  workload.program = sim::lower(network, workload.architecture, workload.program.batch);
}

// A word of the command line as a shell reads it.
std::string quoted(const std::string& word) {
  const bool plain = !word.empty() && word.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789-_=./,:+") == std::string::npos;
  if (plain) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return fmt::format("{}'", text);
}

generate::TestVectors make_vectors(const Options& o, const generate::Board* board,
                                   const std::vector<std::string>& arguments) {
  RunRecord record("generate", arguments, o.common);
  Workload workload = make_workload(o.workload, o.common, record);
  const std::size_t all = workload.network.layers.size();
  if (o.layers != 0) keep_layers(workload, o.layers);
  if (board != nullptr) generate::check_board(*board, workload.architecture, &workload.program);
  const Inputs inputs = make_inputs(workload, o.workload, o.images, o.common, record);
  generate::TestVectors vectors{.network = workload.network.name,
                                .weights = workload.trained
                                               ? fmt::format("from {}", o.workload.network)
                                               : fmt::format("seeded random ones (seed {})", o.common.seed),
                                .images = inputs.source,
                                .program = workload.program,
                                .tensors = {},
                                .cycles = {}};
  if (workload.imported) vectors.weights += fmt::format(", {}", workload.imported->calibration_text());
  const std::size_t kept = workload.network.layers.size();
  if (kept < all) vectors.network += fmt::format(" (the first {} of {} layers)", kept, all);
  for (const model::Codes& image : inputs.images) vectors.tensors.push_back(model::run_all(workload.network, image));
  // The testbench compares the cycles of every run with one prediction; where planes are skipped they differ.
  const auto batch = static_cast<std::size_t>(workload.program.batch);
  if (!workload.architecture.skip_planes || inputs.images.size() == batch) {
    const std::vector<model::Codes> tensors = sim::codes_of_batch(std::span(vectors.tensors).first(batch));
    for (const model::Events& events : sim::predict(workload.program, tensors)) vectors.cycles.push_back(events.cycles);
  }
  return vectors;
}

}  // namespace

int generate(const std::vector<std::string>& arguments) {
  Options o;
  if (!read(arguments, o)) return 0;
  const model::Architecture architecture = model::load_architecture(o.workload.architecture);
  const generate::Board* board = o.board.empty() ? nullptr : &generate::board_of(o.board);
  if (board != nullptr) generate::check_board(*board, architecture, nullptr);
  // First of all, so that a bad --out costs no time.
  generate::DesignFolder folder(o.out, o.force);

  std::optional<generate::TestVectors> vectors;
  if (!o.workload.network.empty()) vectors = make_vectors(o, board, arguments);
  std::string command = "bitstrata generate";
  for (const std::string& word : arguments) command += fmt::format(" {}", quoted(word));
  const std::vector<std::string> files = generate::write_design(
      architecture, vectors ? &*vectors : nullptr,
      {.command = command, .version = fmt::format("{} ({})", build_info::version, build_info::commit)}, folder.work(),
      board);
  folder.publish();

  nlohmann::json summary = {{"out", o.out}, {"architecture", architecture.name}, {"files", files}};
  std::string text = fmt::format("{}: {} files of architecture {}\n", o.out, files.size(), architecture.name);
  if (vectors) {
    // Where planes are skipped and images differ there is no one prediction.
    const bool known = !vectors->cycles.empty();
    const std::int64_t cycles = std::accumulate(vectors->cycles.begin(), vectors->cycles.end(), std::int64_t{0}) *
                                static_cast<std::int64_t>(vectors->tensors.size()) / vectors->program.batch;
    const double seconds = static_cast<double>(cycles) / generate::icarus_cycles_per_second(architecture);
    summary["network"] = vectors->network;
    summary["weights"] = vectors->weights;
    summary["layers"] = vectors->program.descriptors.size();
    summary["images"] = vectors->tensors.size();
    summary["batch"] = vectors->program.batch;
    summary["memory_bytes"] = vectors->program.memory_bytes;
    if (known) summary["predicted_cycles"] = cycles;
    if (known) summary["icarus_seconds_estimate"] = seconds;
    text += fmt::format(
        "testbench: {} layers of {}, {} image(s), {} bytes of memory, {}\n"
        "  weights {}\n"
        "  {}/sim/run_verilator.sh\n"
        "  {}/sim/run_icarus.sh{}{}\n",
        vectors->program.descriptors.size(), vectors->network, vectors->tensors.size(), vectors->program.memory_bytes,
        known ? fmt::format("{} cycles", cycles) : "cycles that depend on the images", vectors->weights, o.out, o.out,
        known ? fmt::format("      about {:.0f} s", seconds < 1 ? 1 : seconds) : "",
        seconds > 300 ? "; --layers N shortens it" : "");
    if (board != nullptr) text += fmt::format("  {}/sim/run_serial.sh\n", o.out);
  }
  if (board != nullptr) {
    summary["board"] = board->name;
    text += fmt::format("board {}: {}/synth/ice40.sh\n", board->name, o.out);
  }
  text += fmt::format("synthesis: {}/synth/run_yosys.sh\n", o.out);
  if (o.common.json) {
    std::cout << model::json_text(summary, 2) << "\n";
  } else {
    std::cout << text;
  }
  return 0;
}

}  // namespace bitstrata::cli
