// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/accelerator.h"

#include <fmt/format.h>

#include <functional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace bitstrata::sim::systemc {

Accelerator::Accelerator(const sc_core::sc_module_name& name, const model::Architecture& architecture, bool checked)
    : sc_module(name),
      architecture_(architecture),
      checked_(checked),
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
  cycles.bind(*this);
  fabric_.signals.style = &architecture.rules();
  fabric_.signals.order = PlaneOrder(architecture.rules());
  SC_HAS_PROCESS(Accelerator);
  SC_METHOD(clock);
  sensitive << run_begins_;
  dont_initialize();
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
  const Signals& now = fabric_.signals;
  // In the first cycle in which memory is left alone a layer may still be done.
  const bool at_rest = at_rest_;
  at_rest_ = now.sequencer.halt && !now.memory_busy();
  return (at_rest && at_rest_) || memory_.contents().hangs();
}

// The modules one after the other, then what they show: unit.h says why any order will do. None is at rest at the
// first edge, as what they show after a reset need not follow from their state.
template <bool first>
void Accelerator::edge() {
  const Signals& now = fabric_.signals;
  const auto seen = [&now](auto& unit) __attribute__((always_inline)) {
    const bool active = first || unit.active(now);
    if (active) {
      unit.evaluate();
    } else {
      unit.rest(now);
    }
    return active;
  };
  with_units([&](auto&... units) __attribute__((always_inline)) {
    const bool changed[] = {seen(units)...};
    const bool* next = changed;
    ((*next++ ? units.update() : void()), ...);
  });
  fabric_.signals.settle();
  ++cycle_;
}

void Accelerator::checked_edge() {
  const Signals& now = fabric_.signals;
  std::vector<std::function<void()>> seen, updates;
  with_units([&](auto&... units) {
    const auto add = [&](auto& unit) {
      const bool active = cycle_ == 0 || unit.active(now);
      seen.push_back([&unit] { unit.evaluate(); });
      updates.push_back([this, active, &unit] {
        if (!active && !unit.unchanged()) {
          throw std::logic_error(
              fmt::format("cycle {}: {} is said to be at rest and shows something else", cycle_, unit.name()));
        }
        unit.update();
      });
    };
    (add(units), ...);
  });
  const std::size_t first = static_cast<std::size_t>(cycle_) % seen.size();
  for (std::size_t i = 0; i < seen.size(); ++i) seen[(first + i) % seen.size()]();
  for (const auto& update : updates) update();
  fabric_.signals.settle();
  ++cycle_;
}

// Woken when the cycles have passed that it began. A clock period is a nanosecond. Where nobody looks on, many cycles
// are done at once and SystemC's time follows: its kernel takes as long to come back here as a cycle takes.
void Accelerator::clock() {
  if (over_) {
    sc_core::sc_pause();
    return;
  }
  const int most = looked_on_ || checked_ ? 1 : cycles_a_step;
  int begun = 0;
  do {
    if (!at_start_) checked_ ? checked_edge() : next_edge();
    at_start_ = false;
    ++begun;
    over_ = finished();
  } while (begun != most && !over_);
  if (looked_on_) cycle_begins_.notify();
  next_trigger(begun * period_);
}

void Accelerator::run(const MemoryBehaviour& behaviour, std::span<std::uint8_t> memory, std::uint32_t list_address,
                      std::uint32_t watchdog, std::uint32_t limit,
                      std::function<void(const model::Events&)> layer_done) {
  events_.layer_done = std::move(layer_done);
  memory_.attach(architecture_, behaviour, memory);
  with_units([](auto&... units) { (units.reset(), ...); });
  fabric_.signals.settle();
  sequencer_.run(list_address, behaviour.base, watchdog, limit);
  cycle_ = 0;
  end_cycle_ = -1;
  reset_at_ = behaviour.reset_at;
  at_start_ = true;
  over_ = was_reset_ = at_rest_ = false;
  run_begins_.notify(sc_core::SC_ZERO_TIME);
  sc_core::sc_start();
}

}  // namespace bitstrata::sim::systemc
