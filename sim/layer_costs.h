// SPDX-License-Identifier: Apache-2.0
// The fast engine's answers by layer: layers of one shape and one set of widths are laid out and predicted once.
#pragma once

#include <cstdint>
#include <memory>

#include "model/architecture.h"
#include "model/events.h"
#include "model/integer_network.h"

namespace bitstrata::sim {

// Costs of layers on one architecture. Not for use from several threads at once.
class LayerCosts {
 public:
  explicit LayerCosts(const model::Architecture& architecture);  // throws where `validate` does, and with skip_planes
  ~LayerCosts();

  // Events of a layer of `shapes`, whose numbers may be missing (integer_shapes). Throws std::invalid_argument, naming
  // layer and limit, where it does not fit. The reference is good until forget_events.
  const model::Events& events(const model::IntegerNetwork& shapes, const model::IntegerLayer& layer);
  // Keeps how layers are tiled and predicts them again when they are asked for: to tell the two costs apart.
  void forget_events();
  const model::Architecture& architecture() const;
  // Layers predicted so far, and layers asked for.
  std::int64_t predicted() const;
  std::int64_t asked() const;

 private:
  class Memory;
  std::unique_ptr<Memory> memory_;
};

}  // namespace bitstrata::sim
