// SPDX-License-Identifier: Apache-2.0
// Totals of a measurement.
#include "model/cost.h"

#include <stdexcept>

namespace bitstrata::model {

const char* to_string(Origin origin) {
  switch (origin) {
    case Origin::rtl:
      return "rtl";
    case Origin::systemc:
      return "systemc";
    case Origin::fast:
      return "fast";
    case Origin::table:
      return "table";
  }
  return "unknown";
}

Events Measurement::total() const {
  Events sum;
  for (const LayerMeasurement& layer : layers) sum += layer.events;
  return sum;
}

double Measurement::latency_us() const { return latency_us({.layer = "", .events = total()}); }

double Measurement::latency_us(const LayerMeasurement& layer) const {
  if (!(clock_mhz > 0)) throw std::logic_error("the measurement has no clock: clock_mhz must be above 0");
  return static_cast<double>(layer.events.cycles) / (clock_mhz * batch);
}

}  // namespace bitstrata::model
