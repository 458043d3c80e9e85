// SPDX-License-Identifier: Apache-2.0
#include "cli/sweep_confirm.h"

#include <fmt/format.h>

#include <random>
#include <span>

#include "cli/execute.h"
#include "model/golden.h"
#include "model/progress.h"
#include "rtl/generate/program.h"
#include "sim/fast.h"
#include "sim/random_network.h"

namespace bitstrata::cli {

namespace {

model::Codes random_image(const model::TensorFormat& format, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const model::CodeRange range = model::code_range(format.coding, format.bits);
  const auto codes = static_cast<std::uint64_t>(range.high - range.low + 1);
  model::Codes image(static_cast<std::size_t>(format.shape.elements()));
  for (std::int32_t& code : image) code = range.low + static_cast<std::int32_t>(random() % codes);
  return image;
}

// One point made ready: shared by both engines.
struct Workpiece {
  generate::Program program;
  std::vector<model::Events> predicted;
  model::Codes image;
};

Workpiece make_workpiece(const sim::Sweep& sweep, const SweepPoint& point, std::uint64_t seed) {
  const sim::SweepNetwork& network = sweep.networks[point.network];
  const sim::SweepPlan& plan = sweep.plans[point.plan];
  const model::IntegerNetwork integers =
      plan.of_file ? plan.layers(network)
                   : sim::random_integer_network(*network.graph(), plan.for_network(network), seed);
  Workpiece work;
  work.program = sim::lower(integers, sweep.architecture(point.architecture));
  work.predicted = predict_layers(work.program);
  work.image = random_image(integers.tensors.front(), seed);
  return work;
}

sim::Confirmation execute(const std::string& engine, const Workpiece& work) {
  sim::Confirmation c{.engine = engine};
  model::Inference golden(*work.program.network, work.image);
  std::int64_t compared = 0, different = 0;
  const sim::RunResult result =
      make_engine(engine, work.program.architecture)
          ->run(work.program, std::span(&work.image, 1), {}, [&](std::size_t, const std::vector<model::Codes>& images) {
            const model::Codes& wanted = golden.step();
            for (std::size_t i = 0; i < wanted.size(); ++i) {
              ++compared;
              different += images[0].at(i) != wanted[i] ? 1 : 0;
            }
          });
  if (result.error != sim::RunError::none) {
    c.error = fmt::format("the accelerator stopped after {} layers: {}", result.layers.size(), to_string(result.error));
    return c;
  }
  for (std::size_t l = 0; l < work.predicted.size(); ++l) {
    c.cycles += result.layers.at(l).cycles;
    for (const auto member : model::event_members) {
      ++c.events_compared;
      c.events_different += result.layers[l].*member != work.predicted[l].*member ? 1 : 0;
    }
  }
  c.values_compared = compared;
  c.values_different = different;
  return c;
}

}  // namespace

std::vector<Confirmed> confirm_points(const sim::Sweep& sweep, const Fronts& fronts,
                                      const std::vector<std::size_t>& points, sim::PointStore& store,
                                      const Common& common) {
  std::vector<Confirmed> results;
  model::Progress progress("confirm", static_cast<std::int64_t>(2 * points.size()), common.quiet);
  for (const std::size_t index : points) {
    const SweepPoint& point = fronts.points.at(index);
    if (sweep.networks[point.network].graph() == nullptr) {
      say(common, fmt::format("'{}' is a list of layers and cannot be executed", sweep.networks[point.network].name()));
      continue;
    }
    const Workpiece work = make_workpiece(sweep, point, common.seed);
    for (const char* engine : {"systemc", "rtl"}) {
      Confirmed confirmed{.point = index};
      try {
        confirmed.result = execute(engine, work);
      } catch (const std::runtime_error& error) {
        // An engine that cannot be built says nothing about the others.
        confirmed.result.engine = engine;
        confirmed.result.error = error.what();
      }
      const sim::Confirmation& c = confirmed.result;
      confirmed.equal = c.error.empty() && c.cycles == point.stored.cycles && c.events_compared > 0 &&
                        c.events_different == 0 && c.values_compared > 0 && c.values_different == 0;
      store.confirm(point.stored.id, c);
      store.show_life();
      results.push_back(std::move(confirmed));
      progress.advance(1, engine);
    }
  }
  return results;
}

}  // namespace bitstrata::cli
