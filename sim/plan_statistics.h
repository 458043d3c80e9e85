// SPDX-License-Identifier: Apache-2.0
// What layers do with data: toggles, and the planes that skip_planes leaves out. Counted once for each layer and pair
// of widths on real codes, then used for every plan that is priced.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <tuple>
#include <vector>

#include "model/architecture.h"
#include "model/events.h"
#include "model/golden.h"
#include "model/integer_network.h"
#include "sim/engine.h"

namespace bitstrata::sim {

// What a layer does with data at one pair of widths.
struct LayerStatistics {
  // Counted events by those that are predicted without data: 1 where no planes are skipped.
  std::array<double, model::event_names.size()> events;
  // Toggles for each of the events that they come from (plan_statistics.cpp), counted.
  std::array<double, model::toggle_names.size()> toggles;

  // From what was counted, and `predicted`: the most that can happen, of the same run.
  LayerStatistics(const model::Events& predicted, const model::Events& counted, const model::Toggles& toggles);
  LayerStatistics() = default;

  // The events of a run, from those that are predicted for it without data.
  model::Events expected(const model::Events& predicted) const;
  // The toggles of a run with these events (as `expected` gives them).
  model::Toggles toggles_of(const model::Events& events) const;
  bool operator==(const LayerStatistics&) const = default;
};

// The statistics of all layers of one network on one architecture.
class PlanStatistics {
 public:
  // The widths that statistics depend on. `first`: of the weights, or of the second input, or 0; of layers with two
  // inputs the wider one counts.
  struct Key {
    int layer = 0, first = 0, input = 0;
    auto operator<=>(const Key&) const = default;
  };
  // `layer` of `network` is number `index` of the whole network.
  static Key key(const model::IntegerNetwork& network, const model::IntegerLayer& layer, std::size_t index);

  bool has(const Key& key) const { return all_.contains(key); }
  void set(const Key& key, const LayerStatistics& statistics) { all_[key] = statistics; }
  // Null where there are none.
  const LayerStatistics* find(const Key& key) const;
  std::size_t size() const { return all_.size(); }

  nlohmann::json to_json() const;
  // Throws std::invalid_argument saying what is damaged.
  static PlanStatistics from_json(const nlohmann::json& text);
  bool operator==(const PlanStatistics&) const = default;

 private:
  std::map<Key, LayerStatistics> all_;
};

// How much of a layer is run.
struct SampleOptions {
  // A layer's run takes about so many on all images together, where the layer allows: rows, then outputs are left out.
  std::int64_t cycles = 12000;
};

// Runs each of `layers` of `network` alone on `images` ([image][tensor of the network], at the widths of their inputs)
// by an engine of `architecture` that counts toggles where they are wanted. Adds their cycles to `cycles`. Throws
// std::runtime_error where the engine stops.
std::vector<LayerStatistics> layer_statistics(Engine& engine, const model::Architecture& architecture,
                                              const model::IntegerNetwork& network, std::span<const std::size_t> layers,
                                              std::span<const std::vector<model::Codes>> images,
                                              const SampleOptions& options, std::int64_t& cycles);

// The architecture as it is where no plane is skipped: what it takes at the most.
model::Architecture without_skipping(model::Architecture architecture);

}  // namespace bitstrata::sim
