// SPDX-License-Identifier: Apache-2.0
// The accelerator with its memory, module for module beside the RTL.
#pragma once

#include <functional>
#include <span>

#include "sim/systemc/array.h"
#include "sim/systemc/axi_read.h"
#include "sim/systemc/axi_write.h"
#include "sim/systemc/cycles.h"
#include "sim/systemc/events.h"
#include "sim/systemc/feeder.h"
#include "sim/systemc/loader.h"
#include "sim/systemc/memory.h"
#include "sim/systemc/post.h"
#include "sim/systemc/sequencer.h"
#include "sim/systemc/store.h"
#include "sim/systemc/streamer.h"
#include "sim/systemc/walker.h"

namespace bitstrata::sim::systemc {

class Accelerator final : public sc_core::sc_module, private Cycles {
 public:
  // `checked`: modules at rest are asked nevertheless, all of them in another order at every edge, and each cycle takes
  // its own time. Throws std::logic_error where one at rest would have shown something else.
  Accelerator(const sc_core::sc_module_name& name, const model::Architecture& architecture, bool checked = false);

  // For ports of modules that want to be woken in every cycle.
  sc_core::sc_export<Cycles> cycles{"cycles"};

  // Resets, runs the list to its end and returns; may be called again and again. `layer_done` is called with the events
  // of every descriptor as it is done. After an error or a reset by software it goes on until memory is left alone.
  void run(const MemoryBehaviour& behaviour, std::span<std::uint8_t> memory, std::uint32_t list_address,
           std::uint32_t watchdog, std::uint32_t limit, std::function<void(const model::Events&)> layer_done);
  RunError error() const { return was_reset_ ? RunError::none : sequencer_.error(); }
  // RunResult says what they are.
  std::int64_t end_cycle() const { return was_reset_ ? -1 : end_cycle_; }
  std::int64_t last_transfer() const { return memory_.contents().last_transfer(); }
  std::int64_t masked_beats() const { return memory_.contents().masked_beats(); }
  bool was_reset() const { return was_reset_; }
  // From now on toggles are counted, for each descriptor.
  void watch_toggles() { array_.watch(architecture_, toggles_, feeder_.watch_from_now(), post_.watch_from_now()); }
  const std::vector<model::Toggles>& toggles() const { return toggles_; }

 private:
  // Cycles that pass in one step of SystemC's time where nobody looks on.
  static constexpr int cycles_a_step = 1000;

  std::int64_t cycle() const override { return cycle_; }
  const Signals& signals() const override { return fabric_.signals; }
  const sc_core::sc_event& default_event() const override { return cycle_begins_; }
  void register_port(sc_core::sc_port_base&, const char*) override { looked_on_ = true; }

  void clock();
  bool finished();
  template <bool first>
  void edge();
  void next_edge() { cycle_ == 0 ? edge<true>() : edge<false>(); }
  void checked_edge();
  // `work` is called with all modules.
  template <class Work>
  [[gnu::always_inline]] void with_units(Work work) {
    work(memory_, axi_read_, axi_write_, sequencer_, loader_, walker_, feeder_, streamer_, array_, post_, store_,
         events_);
  }

  const model::Architecture architecture_;
  const bool checked_;
  const sc_core::sc_time period_{1, sc_core::SC_NS};
  sc_core::sc_event run_begins_, cycle_begins_;
  bool looked_on_ = false;
  Fabric fabric_;
  Memory memory_;
  AxiRead axi_read_;
  AxiWrite axi_write_;
  Sequencer sequencer_;
  Loader loader_;
  Walker walker_;
  Feeder feeder_;
  Streamer streamer_;
  Array array_;
  Post post_;
  Store store_;
  EventCounters events_;
  std::vector<model::Toggles> toggles_;
  std::int64_t cycle_ = 0, end_cycle_ = -1, reset_at_ = -1;
  bool at_start_ = true, over_ = false, was_reset_ = false, at_rest_ = false;
};

}  // namespace bitstrata::sim::systemc
