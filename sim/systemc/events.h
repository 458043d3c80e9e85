// SPDX-License-Identifier: Apache-2.0
// Event counters, and their differences at the layers' barriers: rtl/bs_events.sv.
#pragma once

#include "sim/systemc/unit.h"

namespace bitstrata::sim::systemc {

class Events final : public Unit<EventsSignals> {
 public:
  Events(const sc_core::sc_module_name& name, Fabric& fabric);

  const std::vector<model::Events>& layers() const { return layers_; }

 private:
  void reset_state(EventsSignals& shown) override;
  void clock_edge(const Signals& now, EventsSignals& next) override;
  void count(const Signals& now);
  void count_array(const Signals& now);

  int weight_bits_ = 0, activation_bits_ = 0, output_bits_ = 0;
  bool convolution_ = false;
  model::Events layer_;  // of the layer so far
  std::vector<model::Events> layers_;
};

}  // namespace bitstrata::sim::systemc
