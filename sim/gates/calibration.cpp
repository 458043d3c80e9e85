// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "model/network.h"
#include "sim/fast.h"
#include "sim/gates/recorded.h"
#include "sim/random_network.h"

namespace bitstrata::sim::gates {

namespace {

constexpr int streams = 64;

// Cycles a run should take at least, so that its layer counts for more than its descriptor.
constexpr int wanted_cycles = 900;

struct Widths {
  int weights, activations;
};

// Every width of both operands occurs on one side or the other. 1-bit activations and sparse data must be among the
// calibrated ones: extrapolated to, they are three times as wrong.
constexpr Widths calibrated[] = {{1, 1}, {2, 2}, {4, 4}, {8, 8}, {16, 16}, {16, 1}, {1, 16}, {8, 2},   {2, 8}, {8, 1},
                                 {1, 8}, {4, 8}, {8, 4}, {3, 6}, {6, 3},   {16, 4}, {5, 12}, {12, 16}, {7, 5}};
constexpr Widths held_out[] = {{3, 3}, {5, 5}, {6, 6},   {7, 7}, {4, 2},  {2, 4},
                               {9, 7}, {8, 3}, {10, 10}, {1, 2}, {13, 1}, {6, 14}};

// Widths of the runs on recorded activations.
constexpr Widths calibrated_recorded[] = {{1, 1}, {2, 2}, {4, 4}, {8, 8}, {12, 16}};
constexpr Widths held_out_recorded[] = {{3, 5}, {5, 3}, {6, 6}, {8, 4}};

// Linear layers, whose weights take as long as their vectors: convolutions alone say little of what writing costs.
struct Linear {
  Widths widths;
  int side;
};
constexpr Linear calibrated_linear[] = {{{8, 8}, 1}, {{4, 4}, 2}, {{2, 2}, 1}, {{16, 8}, 2}, {{1, 4}, 1}};
constexpr Linear held_out_linear[] = {{{6, 6}, 1}, {{3, 8}, 2}, {{8, 5}, 1}};

model::Network one_linear_layer(const CalibrationRun& run, const model::Architecture& a) {
  model::Network network("calibration");
  int node = network.add_input({run.linear, run.linear, 4 * a.rows});
  node = network.add_convolution(node, "linear", a.outputs_per_macro(run.weight_bits) * a.tiles, {});
  network.add_relu(node, "relu");
  return network;
}

// A row tile and a half of inputs, so that tiles of all rows and of some occur; outputs of all columns.
model::Network one_convolution(const CalibrationRun& run, const model::Architecture& a) {
  const int channels = std::max(4, a.rows * 3 / 2 / 9);
  const int outputs = a.outputs_per_macro(run.weight_bits) * a.tiles;
  const int tiles = (channels * 9 + a.rows - 1) / a.rows;
  const int a_vector =
      std::max({a.rules().vector_cycles(run.weight_bits, run.activation_bits), a.vectors, 2}) / a.vectors;
  const int pixels = std::clamp(wanted_cycles / (tiles * std::max(1, a_vector)), 16, std::min(a.psum_depth, 144));
  const int side = static_cast<int>(std::sqrt(pixels));
  model::Network network("calibration");
  int node = network.add_input({side, side, channels});
  node = network.add_convolution(node, "conv", outputs, {3, 3, 1, 1, 1, 1, 1, 1});
  network.add_relu(node, "relu");
  return network;
}

model::Codes draw(std::mt19937_64& random, const model::TensorFormat& format, double zeros) {
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  const model::CodeRange range = model::code_range(format.coding, format.bits);
  model::Codes codes(static_cast<std::size_t>(format.shape.elements()));
  for (auto& code : codes) {
    if (format.coding == model::Coding::bipolar || range.high == 1) {
      code = uniform(random) < 0.5 * (1 - zeros) ? 1 : 0;
    } else if (uniform(random) < zeros) {
      code = 0;
    } else {  // half a normal distribution, as behind a ReLU, or a whole one
      const double value = normal(random) * range.high / 3.0;
      code = std::clamp(static_cast<std::int32_t>(std::lround(range.low < 0 ? value : std::abs(value))), range.low,
                        range.high);
    }
  }
  return codes;
}

}  // namespace

std::vector<CalibrationRun> calibration_runs(const model::Architecture& a) {
  std::vector<CalibrationRun> runs;
  const auto take = [&](std::span<const Widths> widths, std::array<double, groups> zeros, bool test) {
    for (const auto& [w, x] : widths) {
      if (w > a.max_weight_bits || x > a.max_activation_bits) continue;
      const bool two = runs.size() % 3 == 2 && x > 1;
      runs.push_back({fmt::format("w{}a{} {}", w, x, two ? "signed" : "unsigned"), w, x, two, false, 0, zeros, test});
    }
  };
  take(calibrated, {0.0, 0.5, 0.8, 0.95}, false);
  take(held_out, {0.1, 0.4, 0.65, 0.9}, true);
  const auto take_recorded = [&](std::span<const Widths> widths, bool test) {
    for (const auto& [w, x] : widths) {
      if (w > a.max_weight_bits || x > a.max_activation_bits) continue;
      runs.push_back({fmt::format("w{}a{} recorded", w, x), w, x, false, true, 0, {}, test});
    }
  };
  take_recorded(calibrated_recorded, false);
  take_recorded(held_out_recorded, true);
  const auto take_linear = [&](std::span<const Linear> layers, std::array<double, groups> zeros, bool test) {
    for (const auto& [widths, side] : layers) {
      const auto [w, x] = widths;
      if (w > a.max_weight_bits || x > a.max_activation_bits) continue;
      runs.push_back({fmt::format("w{}a{} linear", w, x), w, x, false, false, side, zeros, test});
    }
  };
  take_linear(calibrated_linear, {0.0, 0.5, 0.8, 0.95}, false);
  take_linear(held_out_linear, {0.1, 0.4, 0.65, 0.9}, true);
  if (!a.skip_planes) return runs;
  std::vector<CalibrationRun> each;  // two groups of a run, in turn; of some all four
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const bool all = runs[i].recorded || (runs[i].weight_bits == 8 && runs[i].activation_bits == 8);
    for (int group = 0; group < static_cast<int>(groups); ++group) {
      if (!all && group % 2 != static_cast<int>(i % 2)) continue;
      each.push_back(runs[i]);
      each.back().only_group = group;
    }
  }
  return each;
}

std::string CalibrationRun::part_name(std::size_t part) const {
  const std::size_t group = only_group < 0 ? part : static_cast<std::size_t>(only_group);
  return recorded ? fmt::format("{}, layer {}", name, group + 1)
                  : fmt::format("{}, {:.0f} % zeros", name, 100 * zeros[group]);
}

std::vector<Word> group_masks() { return {0xffff, 0xffff0000, 0xffff00000000, 0xffff000000000000}; }

CalibrationJobs jobs_of(const CalibrationRun& run, const model::Architecture& architecture,
                        const model::Samples& recorded, std::uint64_t seed) {
  const model::Network graph =
      run.linear > 0 ? one_linear_layer(run, architecture) : one_convolution(run, architecture);
  model::Plan plan = model::uniform_plan(graph, run.weight_bits, run.activation_bits);
  plan.output_bits = std::max(2, run.activation_bits);  // of a network, two's complement
  model::IntegerNetwork network = integer_shapes(graph, plan);
  if (run.two_complement) network.tensors[0].coding = model::Coding::twos_complement;
  std::mt19937_64 random(seed);
  CalibrationJobs result;
  result.programs.reserve(streams);
  std::array<double, groups> values{};
  for (int stream = 0; stream < streams; ++stream) {
    randomize_layer(network, 0, seed * streams + static_cast<std::uint64_t>(stream));
    result.programs.push_back(lower(network, architecture));
    const std::size_t part = run.part_of(static_cast<std::size_t>(stream));
    if (run.only_group >= 0 && stream > 0) {
      result.jobs.push_back({&result.programs.back(), result.jobs[0].inputs});
      continue;
    }
    const std::size_t group = run.only_group < 0 ? part : static_cast<std::size_t>(run.only_group);
    const model::TensorFormat& format = network.tensors[0];
    const int of_group = streams / static_cast<int>(groups);
    model::Codes codes = run.recorded ? recorded_codes(recorded, static_cast<int>(group), stream % of_group, format)
                                      : draw(random, format, run.zeros[group]);
    values[part] += static_cast<double>(codes.size());
    result.density[part] +=
        static_cast<double>(std::ranges::count_if(codes, [](std::int32_t code) { return code != 0; }));
    result.jobs.push_back({&result.programs.back(), {std::move(codes)}});
  }
  for (std::size_t part = 0; part < run.parts(); ++part) result.density[part] /= values[part];
  return result;
}

}  // namespace bitstrata::sim::gates
