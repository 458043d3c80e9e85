// SPDX-License-Identifier: Apache-2.0
// Energy of a measurement under a technology: what the technology prices, split by part, with its status and rules
// beside the numbers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/architecture.h"
#include "model/cost.h"
#include "model/technology.h"

namespace bitstrata::sim {

// Picojoules by part. A part the technology says nothing about is absent: that is not zero.
struct EnergyParts {
  std::optional<double> array_pj;  // multiply-accumulates
  std::optional<double> shift_add_pj;
  std::optional<double> postprocess_pj;
  std::optional<double> buffer_pj;
  std::optional<double> memory_pj;  // accesses of a technology that does not tell buffers from DRAM
  std::optional<double> dram_pj;
  std::optional<double> control_pj;
  std::optional<double> clock_pj;
  std::optional<double> leakage_pj;
  bool any() const;  // whether any part is present
  // Sum of the parts present; of no parts 0, which is why any() is asked before a layer's is shown.
  double total_pj() const;
  EnergyParts& operator+=(const EnergyParts& other);
};

struct LayerEnergy {
  std::string layer;
  EnergyParts parts;
  std::string note;  // what is special about the layer's price; empty: nothing
};

// What prices under gate-level technologies need to know of the run.
struct RunContext {
  const model::Architecture* architecture = nullptr;
  int batch = 1;  // images of the run the events are of
};

struct Energy {
  std::string technology;
  model::Status status = model::Status::recalled;  // the weakest of the coefficients used
  std::vector<std::string> rules;                  // the technology's: rounding, what is left out
  std::vector<LayerEnergy> layers;
  EnergyParts total;      // of the layers that are priced
  int priced_layers = 0;  // how many those are
};

// What prices need beyond a LayerMeasurement.
struct LayerGeometry {
  model::Shape input, output;
  model::Window window;
  int groups = 1;
};

LayerGeometry geometry_of(const model::IntegerNetwork& network, const model::IntegerLayer& layer);

// mac_table: MACs x energy per MAC at max(weight_bits, activation_bits), rounded up to a listed width; array only.
// mac_memory: with k = max(weight_bits, activation_bits), array = MACs x (mac_slope k + mac_offset), memory =
// (inputs + weights) x access_slope k (papers: N_mem = N^2 I + p^2 I O).
// Layers without MACs (pooling, ...) are not covered by either kind: all their parts are absent, and a note says so.
// gate_level: the run's events and toggles times their weights, with the structural weights where toggles were not
// counted (the note says so, and how wrong they are); buffers, DRAM and leakage from events, sizes and cycles; a share
// of one image. Pooling too.
// Throws std::invalid_argument when a layer is wider than the technology's table or a coefficient is missing, and for
// gate_level without an architecture.
LayerEnergy price(const model::LayerMeasurement& layer, const LayerGeometry& geometry,
                  const model::Technology& technology, const RunContext& run = {});

// A whole network; `geometries` in the order of the measurement's layers. `architecture` is what was measured. The
// rules say where a gate-level technology is used beyond what it was calibrated for.
Energy price(const model::Measurement& measurement, const std::vector<LayerGeometry>& geometries,
             const model::Technology& technology, const model::Architecture& architecture);
// A whole network, with the geometry of `network`, whose layers are the measurement's.
Energy price(const model::Measurement& measurement, const model::IntegerNetwork& network,
             const model::Technology& technology, const model::Architecture& architecture);

}  // namespace bitstrata::sim
