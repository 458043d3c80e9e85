// SPDX-License-Identifier: Apache-2.0
// The clocking discipline of the SystemC model.
//
// At a clock edge every module reads the signals of the cycle that ends and writes its own part of the next cycle's
// into a place of its own; when all have done so, the parts are put on the signals. These are the evaluation and the
// update of a SystemC channel, and as there no module sees what another one writes at the same edge: `clock_edge` gets
// the signals as const, so the compiler enforces it, and private state is nobody else's. Any order of modules gives
// the same run, so one process may go through all of them (Accelerator::clock).
//
// A module at rest is left alone. Each derived class says when it is:
//   bool active(const Signals& now) const;  // whether clock_edge would do anything but what rest() does
//   void rest(const Signals& now);          // an edge at rest: counts time, where the module does
// With active() false clock_edge must leave the state as rest() does, and the module's part as it is shown. Runs with
// SystemcOptions::checked ask clock_edge nevertheless and compare.
#pragma once

#include <systemc>

#include "sim/systemc/signals.h"

namespace bitstrata::sim::systemc {

// The signals all modules read.
struct Fabric {
  Signals signals;
};

template <class Part>
class Unit : public sc_core::sc_module {
 public:
  // Back to the state after power-up; only while the simulation stands still.
  void reset() {
    reset_state(next_);
    update();
  }
  // The edge that ends a cycle, seen by this module; what it shows then is put on the signals by update(), when all
  // modules have seen the edge.
  void evaluate() { clock_edge(fabric_.signals, next_); }
  void update() { fabric_.signals.*part_ = next_; }
  void rest(const Signals&) {}
  // Whether update() would change nothing.
  bool unchanged() const { return fabric_.signals.*part_ == next_; }

 protected:
  Unit(const sc_core::sc_module_name& name, Fabric& fabric, Part Signals::*part)
      : sc_module(name), fabric_(fabric), part_(part) {}

 private:
  // Sets private state and the part shown in the first cycle.
  virtual void reset_state(Part& shown) = 0;
  // The edge that ends a cycle: `now` are the signals of the cycle, `next` is this module's part of the next cycle's,
  // holding what is shown now.
  virtual void clock_edge(const Signals& now, Part& next) = 0;

  Fabric& fabric_;
  Part Signals::*const part_;
  Part next_;
};

}  // namespace bitstrata::sim::systemc
