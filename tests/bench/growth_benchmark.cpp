// SPDX-License-Identifier: Apache-2.0
// Time of a whole run against the work in it: 3x3 convolutions of 64 to 64 channels with random operands, over array
// size, image size, widths and depth. scripts/speed runs it and draws it.
//   counters: cycles of the run, cells: one-bit products executed
#include <benchmark/benchmark.h>

#include <random>

#include "sim/engine.h"
#include "sim/fast.h"

namespace bitstrata {
namespace {

struct Work {
  int array = 64, image = 14, bits = 8, depth = 1;
};

model::Architecture architecture_of(const Work& work) {
  model::Architecture a = model::load_architecture("pim-64x64");
  a.rows = a.columns = work.array;
  a.activation_depth = 256;
  a.output_depth = 128;
  return a;
}

model::IntegerNetwork network_of(const Work& work) {
  std::mt19937_64 random(1);
  model::IntegerNetwork network;
  model::TensorFormat format;
  format.shape = {work.image, work.image, 64};
  format.bits = work.bits;
  network.tensors.push_back(format);
  for (int i = 0; i < work.depth; ++i) {
    model::IntegerLayer layer;
    layer.name = "conv" + std::to_string(i);
    layer.input = i;
    layer.output = i + 1;
    layer.window = {
        .kernel_height = 3, .kernel_width = 3, .pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
    layer.weight_bits = work.bits;
    const int half = 1 << (work.bits - 1);
    for (int w = 0; w < 9 * 64 * 64; ++w) {
      const int draw = static_cast<int>(random() % static_cast<unsigned>(2 * half)) - half;
      layer.weights.push_back(static_cast<std::int16_t>(work.bits == 1 ? 2 * draw + 1 : draw));
    }
    layer.bias.assign(64, 0);
    layer.multiplier.assign(64, 40000);
    layer.shift.assign(64, static_cast<std::uint8_t>(12 + work.bits));
    layer.clip_high = (1 << work.bits) - 1;
    layer.macs = std::int64_t{work.image} * work.image * 9 * 64 * 64;
    network.layers.push_back(layer);
    network.tensors.push_back(format);
  }
  return network;
}

void run(benchmark::State& state, std::unique_ptr<sim::Engine> (*make)(const model::Architecture&), const Work& work) {
  const auto engine = make(architecture_of(work));
  const auto program = sim::lower(network_of(work), architecture_of(work));
  std::mt19937_64 random(1);
  model::Codes input(static_cast<std::size_t>(program.formats[0].shape.elements()));
  for (auto& code : input) code = static_cast<std::int32_t>(random() % (1u << work.bits));
  model::Events events;
  for (auto _ : state) {
    const auto result = engine->run(program, input);
    if (result.error != sim::RunError::none) state.SkipWithError("the accelerator stopped");
    events = {};
    for (const auto& layer : result.layers) events += layer;
  }
  state.counters["cycles"] = static_cast<double>(events.cycles);
  state.counters["cells"] = static_cast<double>(events.cell_steps);
}

void add(const char* engine, std::unique_ptr<sim::Engine> (*make)(const model::Architecture&), const char* axis,
         int value, const Work& work) {
  // Wall clock: the SystemC engine works in a child process.
  benchmark::RegisterBenchmark((std::string(engine) + "/" + axis + "/" + std::to_string(value)).c_str(),
                               [=](benchmark::State& state) { run(state, make, work); })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

}  // namespace
}  // namespace bitstrata

int main(int argc, char** argv) {
  using bitstrata::add;
  // The overloads without toggles.
  using Make = std::unique_ptr<bitstrata::sim::Engine> (*)(const bitstrata::model::Architecture&);
  const Make systemc = bitstrata::sim::make_systemc_engine, rtl = bitstrata::sim::make_rtl_engine;
  // Compiling an array takes longer than these runs: its size grows in SystemC, and in RTL by two steps.
  for (const int n : {16, 32, 64, 128, 256}) add("systemc", systemc, "array", n, {.array = n});
  for (const int n : {16, 32, 64}) add("rtl", rtl, "array", n, {.array = n});
  for (const auto& [name, make] : {std::pair("systemc", systemc), {"rtl", rtl}}) {
    for (const int n : {7, 14, 28, 56}) add(name, make, "image", n, {.image = n});
    for (const int n : {1, 2, 4, 8, 16}) add(name, make, "bits", n, {.bits = n});
    for (const int n : {1, 2, 4, 8}) add(name, make, "depth", n, {.depth = n});
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
