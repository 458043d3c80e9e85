// SPDX-License-Identifier: Apache-2.0
// What searches and tables cost, on ResNet-18 (224x224) and the default architecture, one thread: plans per second, and
// the table of 21 layers x 8 weight widths x 8 activation widths, from nothing and with more and more known.
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "cli/cost_table.h"
#include "model/stages.h"
#include "sim/plan_cost.h"

namespace bitstrata {
namespace {

constexpr int widest = 8;  // bits

model::Architecture architecture() { return model::load_architecture("pim-64x64"); }
model::Network network() { return model::build_network("resnet18"); }

// Plans of random widths, layers that read one tensor agreeing.
std::vector<model::Plan> random_plans(const model::Network& network, int count) {
  std::mt19937_64 random(1);
  const model::Layout layout = model::lay_out(network);
  std::vector<model::Plan> plans(static_cast<std::size_t>(count), model::uniform_plan(network, widest, widest));
  for (model::Plan& plan : plans) {
    for (model::LayerPlan& layer : plan.layers) {
      layer.weight_bits = 1 + static_cast<int>(random() % widest);
      layer.activation_bits = 1 + static_cast<int>(random() % widest);
    }
    model::tie_widths(layout, plan);
  }
  return plans;
}

void set_rate(benchmark::State& state, const char* name, std::int64_t count) {
  state.counters[name] = benchmark::Counter(static_cast<double>(count), benchmark::Counter::kIsRate);
}

// Every plan is new to the tables, which know all layers.
void plan_cost(benchmark::State& state) {
  const std::vector<model::Plan> plans = random_plans(network(), 10000);
  sim::PlanCost cost(network(), architecture());
  cost.prepare(widest);
  std::int64_t done = 0;
  for (auto _ : state) benchmark::DoNotOptimize(cost.cycles(plans[static_cast<std::size_t>(done++) % plans.size()]));
  set_rate(state, "plans_per_s", done);
}
BENCHMARK(plan_cost);

// The set-up of the above: every layer at all widths of weights, input and output.
void plan_cost_preparation(benchmark::State& state) {
  std::int64_t layers = 0;
  for (auto _ : state) {
    sim::PlanCost cost(network(), architecture());
    cost.prepare(widest);
    layers += cost.predicted();
  }
  set_rate(state, "layers_per_s", layers);
}
BENCHMARK(plan_cost_preparation)->Unit(benchmark::kMillisecond);

// A search that predicts a layer when it first meets it: 2000 plans from nothing.
void plan_cost_from_nothing(benchmark::State& state) {
  const std::vector<model::Plan> plans = random_plans(network(), 2000);
  std::int64_t done = 0;
  for (auto _ : state) {
    sim::PlanCost cost(network(), architecture());
    for (const model::Plan& plan : plans) benchmark::DoNotOptimize(cost.cycles(plan));
    done += static_cast<std::int64_t>(plans.size());
  }
  set_rate(state, "plans_per_s", done);
}
BENCHMARK(plan_cost_from_nothing)->Unit(benchmark::kMillisecond);

cli::CostTable make_table(sim::FastCostModel& cost) {
  static const sim::SweepNetwork resnet = sim::SweepNetwork::load("resnet18");
  static const std::vector<model::Technology> technologies = {model::load_technology("ad-pim")};
  return cli::make_cost_table(resnet, cost, technologies, widest, widest, 0);
}

// Tilings searched, layers predicted.
void table_cold(benchmark::State& state) {
  for (auto _ : state) {
    sim::FastCostModel cost(architecture());
    benchmark::DoNotOptimize(make_table(cost));
  }
}
BENCHMARK(table_cold)->Unit(benchmark::kMillisecond);

// Tilings known, every distinct layer predicted again.
void table_tilings_known(benchmark::State& state) {
  sim::FastCostModel cost(architecture());
  make_table(cost);
  const std::int64_t before = cost.predicted();
  for (auto _ : state) {
    cost.forget_events();
    benchmark::DoNotOptimize(make_table(cost));
  }
  set_rate(state, "layers_per_s", cost.predicted() - before);
}
BENCHMARK(table_tilings_known)->Unit(benchmark::kMillisecond);

// Everything known: lookups, energies and the making of the table.
void table_known(benchmark::State& state) {
  sim::FastCostModel cost(architecture());
  make_table(cost);
  for (auto _ : state) benchmark::DoNotOptimize(make_table(cost));
}
BENCHMARK(table_known)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace bitstrata
