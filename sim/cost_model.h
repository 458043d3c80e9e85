// SPDX-License-Identifier: Apache-2.0
// The fast engine as the cost model of searches: layers and plan in, exact cycles and events out.
#pragma once

#include <cstdint>

#include "model/architecture.h"
#include "model/cost.h"
#include "sim/layer_costs.h"

namespace bitstrata::sim {

// Needs shapes only, on which alone events depend. Nothing is estimated: the measurement equals a run of the RTL of the
// same network and plan on the deterministic memory, layer by layer.
//
// Every layer of a shape and widths is laid out and predicted once and remembered. Not for use from several threads at
// once; give each its own.
class FastCostModel final : public model::CostModel {
 public:
  explicit FastCostModel(const model::Architecture& architecture);

  model::Measurement measure(const model::Network& network, const model::Plan& plan) override;
  // Measures integer layers whose numbers may be missing (integer_shapes).
  model::Measurement measure(const model::IntegerNetwork& shapes);

  const model::Architecture& architecture() const { return layers_.architecture(); }
  // Calls LayerCosts::forget_events.
  void forget_events() { layers_.forget_events(); }
  // Layers predicted so far, and layers asked for.
  std::int64_t predicted() const { return layers_.predicted(); }
  std::int64_t asked() const { return layers_.asked(); }

 private:
  LayerCosts layers_;
};

}  // namespace bitstrata::sim
