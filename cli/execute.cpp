// SPDX-License-Identifier: Apache-2.0
#include "cli/execute.h"

#include <atomic>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "sim/fast.h"

namespace bitstrata::cli {

namespace {

struct DataEngine {
  const char* name;
  std::unique_ptr<sim::Engine> (*make)(const model::Architecture&, bool toggles);
};

constexpr DataEngine data_engines[] = {{"systemc", sim::make_systemc_engine}, {"rtl", sim::make_rtl_engine}};

}  // namespace

const std::vector<std::string>& engine_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all{"fast"};
    for (const DataEngine& engine : data_engines) all.emplace_back(engine.name);
    return all;
  }();
  return names;
}

std::unique_ptr<sim::Engine> make_engine(const std::string& name, const model::Architecture& architecture,
                                         bool toggles) {
  for (const DataEngine& engine : data_engines) {
    if (name == engine.name) return engine.make(architecture, toggles);
  }
  throw std::invalid_argument("engine '" + name + "' executes no data");
}

std::vector<model::Events> predict_layers(const generate::Program& program) {
  return sim::events_of_layers(program, sim::predict(program));
}

std::vector<model::Events> predict_layers(const generate::Program& program, std::span<const model::Codes> images,
                                          const SeeGolden& see) {
  const bool skips = program.architecture.skip_planes;
  if (!skips && !see) return predict_layers(program);
  std::vector<model::Inference> golden;
  for (const model::Codes& image : images) golden.emplace_back(*program.network, image);
  const auto step = [&](std::size_t layer) {
    model::Codes inputs;
    for (std::size_t image = 0; image < golden.size(); ++image) {
      if (skips) inputs.insert(inputs.end(), golden[image].input().begin(), golden[image].input().end());
      const model::Codes& output = golden[image].step();
      if (see) see(layer, image, output);
    }
    return inputs;
  };
  if (skips) return sim::events_of_layers(program, sim::predict(program, step));
  for (std::size_t layer = 0; layer < program.numbers.size(); ++layer) step(layer);
  return predict_layers(program);
}

model::Measurement measurement_of(const Workload& workload, model::Origin origin,
                                  const std::vector<model::Events>& events) {
  model::Measurement measurement;
  measurement.origin = origin;
  measurement.architecture = workload.architecture.name;
  measurement.clock_mhz = workload.architecture.clock_mhz;
  measurement.batch = workload.program.batch;
  for (std::size_t i = 0; i < workload.network.layers.size(); ++i) {
    const model::IntegerLayer& layer = workload.network.layers[i];
    const auto bits = [&](int tensor) { return workload.network.tensors.at(static_cast<std::size_t>(tensor)).bits; };
    measurement.layers.push_back({.layer = layer.name,
                                  .kind = layer.kind,
                                  .weight_bits = layer.weight_bits,
                                  .activation_bits = bits(layer.input),
                                  .output_bits = bits(layer.output),
                                  .macs = layer.macs,
                                  .events = events.at(i)});
  }
  return measurement;
}

double utilization(const model::LayerMeasurement& layer, int batch, const model::Architecture& architecture) {
  const double possible = static_cast<double>(layer.events.cycles * architecture.bit_products());
  const double needed = static_cast<double>(layer.macs * batch) * layer.weight_bits * layer.activation_bits;
  return possible > 0 ? needed / possible : 0;
}

void for_each_in_parallel(std::size_t count, int threads, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  std::exception_ptr failure;
  std::mutex failing;
  const auto worker = [&] {
    try {
      for (std::size_t i = next++; i < count; i = next++) work(i);
    } catch (...) {
      next = count;
      const std::lock_guard lock(failing);
      if (!failure) failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (int t = 1; t < threads && static_cast<std::size_t>(t) < count; ++t) others.emplace_back(worker);
    worker();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace bitstrata::cli
