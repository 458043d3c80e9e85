// SPDX-License-Identifier: Apache-2.0
// Simulated cycles per CPU second of the engines on a 3x3 convolution of 28x28x64 -> 64 through the default 64x64
// accelerator, beside the plain AND-popcount loop over the same bit products; and layers per second of the fast engine.
#include <benchmark/benchmark.h>

#include <bit>
#include <random>

#include "rtl/generate/program.h"
#include "sim/engine.h"
#include "sim/fast.h"

namespace bitstrata {
namespace {

model::Architecture architecture() {
  model::Architecture a = model::load_architecture("pim-64x64");
  a.activation_depth = 256;
  a.output_depth = 128;
  return a;
}

struct Work {
  generate::Program program;
  model::Codes input;
};

Work convolution(int weight_bits, int activation_bits) {
  std::mt19937_64 random(1);
  model::IntegerNetwork network;
  model::TensorFormat format;
  format.shape = {28, 28, 64};
  format.bits = activation_bits;
  network.tensors = {format, format};
  model::IntegerLayer layer;
  layer.name = "conv";
  layer.output = 1;
  layer.window = {.kernel_height = 3, .kernel_width = 3, .pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
  layer.weight_bits = weight_bits;
  const int half = 1 << (weight_bits - 1);
  for (int i = 0; i < 9 * 64 * 64; ++i) {
    layer.weights.push_back(
        static_cast<std::int16_t>(static_cast<int>(random() % static_cast<unsigned>(2 * half)) - half));
  }
  layer.bias.assign(64, 0);
  layer.multiplier.assign(64, 40000);
  layer.shift.assign(64, static_cast<std::uint8_t>(12 + weight_bits));
  layer.clip_high = (1 << activation_bits) - 1;
  layer.macs = 28LL * 28 * 9 * 64 * 64;
  network.layers = {layer};
  Work work{sim::lower(network, architecture()), {}};
  for (std::int64_t i = 0; i < format.shape.elements(); ++i) {
    work.input.push_back(static_cast<int>(random() % (1u << activation_bits)));
  }
  return work;
}

void run(benchmark::State& state, sim::Engine& engine) {
  const Work work = convolution(static_cast<int>(state.range(0)), static_cast<int>(state.range(0)));
  std::int64_t cycles = 0;
  for (auto _ : state) {
    const auto result = engine.run(work.program, work.input);
    for (const auto& layer : result.layers) cycles += layer.cycles;
  }
  state.counters["cycles_per_s"] = benchmark::Counter(static_cast<double>(cycles), benchmark::Counter::kIsRate);
}

void rtl(benchmark::State& state) {
  static const auto engine = sim::make_rtl_engine(architecture());
  run(state, *engine);
}
// The SystemC engine works in a child process, whose time only the wall clock sees.
void systemc(benchmark::State& state) {
  static const auto engine = sim::make_systemc_engine(architecture());
  run(state, *engine);
}
BENCHMARK(rtl)->Arg(8)->Arg(4)->Arg(2)->Unit(benchmark::kMillisecond);
BENCHMARK(systemc)->Arg(8)->Arg(4)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

// The least a bit-exact simulator must do: AND and popcount of every 64-row plane with every column.
void and_popcount(benchmark::State& state) {
  const int bits = static_cast<int>(state.range(0));
  std::mt19937_64 random(1);
  std::vector<std::uint64_t> planes(static_cast<std::size_t>(28 * 28 * 9 * bits)),
      columns(static_cast<std::size_t>(9 * 64 * bits));
  for (auto& word : planes) word = random();
  for (auto& word : columns) word = random();
  for (auto _ : state) {
    std::uint64_t sum = 0;
    for (std::size_t plane = 0; plane < planes.size(); ++plane) {
      const std::size_t tile = plane / static_cast<std::size_t>(bits) % 9;
      for (std::size_t c = 0; c < static_cast<std::size_t>(64 * bits); ++c) {
        sum += static_cast<std::uint64_t>(
                   std::popcount(planes[plane] & columns[tile * static_cast<std::size_t>(64 * bits) + c]))
               << (c & 7);
      }
    }
    benchmark::DoNotOptimize(sum);
  }
}
BENCHMARK(and_popcount)->Arg(8)->Arg(4)->Arg(2)->Unit(benchmark::kMillisecond);

void fast(benchmark::State& state) {
  const Work work = convolution(static_cast<int>(state.range(0)), static_cast<int>(state.range(0)));
  const auto a = architecture();
  for (auto _ : state) benchmark::DoNotOptimize(sim::predict(work.program.descriptors[0], a));
}
BENCHMARK(fast)->Arg(8)->Arg(4)->Arg(2)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace bitstrata

BENCHMARK_MAIN();
