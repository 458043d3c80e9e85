// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/accelerator.h"

#include <utility>

namespace bitstrata::sim::systemc {

Accelerator::Accelerator(const sc_core::sc_module_name& name, const model::Architecture& architecture)
    : sc_module(name),
      architecture_(architecture),
      memory_("memory", fabric_),
      axi_read_("axi_read", fabric_, architecture),
      axi_write_("axi_write", fabric_, architecture),
      sequencer_("sequencer", fabric_, architecture),
      loader_("loader", fabric_, architecture),
      walker_("walker", fabric_, architecture),
      feeder_("feeder", fabric_, architecture),
      streamer_("streamer", fabric_, architecture),
      array_("array", fabric_, architecture),
      post_("post", fabric_, architecture),
      store_("store", fabric_, architecture),
      events_("events", fabric_) {
  for (Signals& copy : fabric_.copies) copy.overlay = architecture.overlay();
  SC_HAS_PROCESS(Accelerator);
  SC_METHOD(clock);
}

// Whether nothing more happens in cycle_ and later.
bool Accelerator::finished() {
  if (!sequencer_.ended() && reset_at_ < 0) return false;
  if (cycle_ == reset_at_ && !sequencer_.ended()) was_reset_ = true;
  // The register's pulse and the halt behind it are a cycle each.
  if (was_reset_ && cycle_ == reset_at_ + 1) sequencer_.halt();
  if (end_cycle_ < 0 && sequencer_.ended()) end_cycle_ = cycle_;
  if (end_cycle_ < 0 && !was_reset_) return false;
  if (!was_reset_ && sequencer_.error() == RunError::none) return true;
  const Signals& now = fabric_.copies[static_cast<std::size_t>(cycle_ & 1)];
  // In the first cycle in which memory is left alone a layer may still be done.
  const bool at_rest = at_rest_;
  at_rest_ = now.sequencer.halt && !now.memory_busy();
  return (at_rest && at_rest_) || memory_.contents().hangs();
}

// One clock period a nanosecond, as long as the list runs. An event costs half of an sc_clock, whose falling edges
// nobody needs.
void Accelerator::clock() {
  if (finished()) {
    sc_core::sc_pause();
  } else {
    fabric_.edge.notify();
    ++cycle_;
  }
  next_trigger(period_);
}

void Accelerator::run(const MemoryBehaviour& behaviour, std::span<std::uint8_t> memory, std::uint32_t list_address,
                      std::uint32_t watchdog, std::uint32_t limit,
                      std::function<void(const model::Events&)> layer_done) {
  events_.layer_done = std::move(layer_done);
  memory_.attach(architecture_, behaviour, memory);
  memory_.reset();
  axi_read_.reset();
  axi_write_.reset();
  sequencer_.reset();
  loader_.reset();
  walker_.reset();
  feeder_.reset();
  streamer_.reset();
  array_.reset();
  post_.reset();
  store_.reset();
  events_.reset();
  sequencer_.run(list_address, behaviour.base, watchdog, limit);
  cycle_ = 0;
  end_cycle_ = -1;
  reset_at_ = behaviour.reset_at;
  was_reset_ = at_rest_ = false;
  sc_core::sc_start();
}

}  // namespace bitstrata::sim::systemc
