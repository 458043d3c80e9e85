// SPDX-License-Identifier: Apache-2.0
// How modules of others look on: each binds a port to Accelerator::cycles,
//
//   SC_MODULE(Counter) {
//     sc_core::sc_port<Cycles> cycles{"cycles"};
//     SC_CTOR(Counter) { SC_METHOD(cycle); sensitive << cycles; dont_initialize(); }
//     void cycle() { reads += cycles->signals().arvalid(); }
//   };
//   counter.cycles(accelerator.cycles);
//
// and is then woken in every cycle. Where no port is bound, SystemC's time goes on by many cycles at once.
#pragma once

#include <cstdint>
#include <systemc>

#include "sim/systemc/signals.h"

namespace bitstrata::sim::systemc {

// The cycles of a run, a nanosecond each. The default event is notified as each one begins, the first one (0) at the
// start of the run, and the last one as it ends.
class Cycles : virtual public sc_core::sc_interface {
 public:
  // Number of the cycle, and its signals, which stay for the cycle. Only in processes woken by the event.
  virtual std::int64_t cycle() const = 0;
  virtual const Signals& signals() const = 0;
};

}  // namespace bitstrata::sim::systemc
