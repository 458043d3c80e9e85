// SPDX-License-Identifier: Apache-2.0
// The cost interface: searches ask it, engines and tables answer it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/events.h"
#include "model/integer_network.h"
#include "model/plan.h"

namespace bitstrata::model {

enum class Origin { rtl, systemc, fast, table };

const char* to_string(Origin origin);

struct LayerMeasurement {
  std::string layer;
  LayerKind kind = LayerKind::convolution;
  int weight_bits = 0;                       // 0 for pooling
  int activation_bits = 0;                   // input tensor
  int output_bits = 0;                       // output tensor; the layer's store traffic depends on it
  std::int64_t macs = 0;                     // of one image
  Events events;                             // of a run: of all images of its batch
  std::optional<Toggles> toggles;            // of the same, where they were counted
  std::optional<double> activation_density;  // share of its input's codes that are not zero, where data are known
};

struct Measurement {
  Origin origin = Origin::fast;
  std::string architecture;
  double clock_mhz = 0;
  int batch = 1;  // images a run
  std::vector<LayerMeasurement> layers;
  Events total() const;
  // An image's share of a run: time of the run / batch.
  double latency_us() const;
  double latency_us(const LayerMeasurement& layer) const;
};

// Implementations say in their header what they need (weights, operands) and what they estimate.
class CostModel {
 public:
  virtual ~CostModel() = default;
  // Throws std::invalid_argument when the network does not fit the accelerator, naming layer and limit.
  virtual Measurement measure(const Network& network, const Plan& plan) = 0;
};

}  // namespace bitstrata::model
