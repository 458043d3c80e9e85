// SPDX-License-Identifier: Apache-2.0
// The clocking discipline of the SystemC model.
//
// SystemC leaves open in which order the processes of a delta cycle run, so no module may read what another one
// writes at the same clock edge. Signals therefore exist twice: at edge n every module reads copy n mod 2 and writes
// its own part of copy (n + 1) mod 2. `clock_edge` gets the first as const and only its own part of the second, so the
// compiler enforces it; private state is nobody else's. Any order of processes gives the same run.
#pragma once

#include <systemc>

#include "sim/systemc/signals.h"

namespace bitstrata::sim::systemc {

// The two copies of the signals, and the event all modules are clocked by.
struct Fabric {
  sc_core::sc_event edge;
  std::array<Signals, 2> copies;
};

template <class Part>
class Unit : public sc_core::sc_module {
 public:
  // Back to the state after power-up; only while the simulation stands still.
  void reset() {
    edges_ = 0;
    reset_state(fabric_.copies[0].*part_);
    fabric_.copies[1].*part_ = fabric_.copies[0].*part_;
  }

 protected:
  Unit(const sc_core::sc_module_name& name, Fabric& fabric, Part Signals::*part)
      : sc_module(name), fabric_(fabric), part_(part) {
    SC_HAS_PROCESS(Unit);
    SC_METHOD(tick);
    sensitive << fabric.edge;
    dont_initialize();
  }

 private:
  // Sets private state and the part shown in the first cycle.
  virtual void reset_state(Part& shown) = 0;
  // The edge that ends a cycle: `now` are the signals of the cycle, `next` is this module's part of the next cycle's,
  // holding what it was two cycles ago.
  virtual void clock_edge(const Signals& now, Part& next) = 0;

  void tick() {
    clock_edge(fabric_.copies[edges_ & 1], fabric_.copies[(edges_ + 1) & 1].*part_);
    ++edges_;
  }

  Fabric& fabric_;
  Part Signals::*part_;
  unsigned edges_ = 0;
};

}  // namespace bitstrata::sim::systemc
