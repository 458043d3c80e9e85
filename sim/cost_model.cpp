// SPDX-License-Identifier: Apache-2.0
#include "sim/cost_model.h"

#include "sim/random_network.h"

namespace bitstrata::sim {

using namespace model;

FastCostModel::FastCostModel(const Architecture& architecture) : layers_(architecture) {}

Measurement FastCostModel::measure(const Network& network, const Plan& plan) {
  return measure(integer_shapes(network, plan));
}

Measurement FastCostModel::measure(const IntegerNetwork& shapes) {
  const auto bits = [&](int tensor) { return shapes.tensors[static_cast<std::size_t>(tensor)].bits; };
  Measurement measurement;
  measurement.origin = Origin::fast;
  measurement.architecture = layers_.architecture().name;
  measurement.clock_mhz = layers_.architecture().clock_mhz;
  measurement.layers.reserve(shapes.layers.size());
  for (const IntegerLayer& layer : shapes.layers) {
    measurement.layers.push_back({layer.name, layer.kind, layer.weight_bits, bits(layer.input), bits(layer.output),
                                  layer.macs, layers_.events(shapes, layer)});
  }
  return measurement;
}

}  // namespace bitstrata::sim
