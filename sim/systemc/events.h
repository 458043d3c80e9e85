// SPDX-License-Identifier: Apache-2.0
// Event counters, and their differences at the layers' barriers: rtl/bs_events.sv.
#pragma once

#include <functional>

#include "sim/systemc/unit.h"

namespace bitstrata::sim::systemc {

class EventCounters final : public Unit<EventsSignals> {
 public:
  EventCounters(const sc_core::sc_module_name& name, Fabric& fabric);

  bool active(const Signals& now) const { return now.sequencer.running; }

  // Called with the events of every layer as it is done, while the simulation stands still.
  std::function<void(const model::Events&)> layer_done;

 private:
  void reset_state(EventsSignals& shown) override;
  void clock_edge(const Signals& now, EventsSignals& next) override;
  void count(const Signals& now);
  void count_array(const Signals& now);

  int weight_bits_ = 0, activation_bits_ = 0, output_bits_ = 0;
  bool convolution_ = false;
  model::Events layer_;  // of the layer so far
};

}  // namespace bitstrata::sim::systemc
