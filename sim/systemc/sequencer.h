// SPDX-License-Identifier: Apache-2.0
// Runs the descriptor list: rtl/bs_sequencer.sv.
#pragma once

#include "sim/systemc/unit.h"

namespace bitstrata::sim::systemc {

class Sequencer final : public Unit<SequencerSignals> {
 public:
  Sequencer(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture);

  // Call after reset: the list starts at the first clock edge.
  void run(std::uint32_t list_address, std::uint64_t base, std::uint32_t watchdog, std::uint32_t limit);
  // From the next clock edge on no new burst begins.
  void halt() { halt_ = true; }
  bool ended() const { return state_ == State::done || state_ == State::error; }
  RunError error() const { return error_; }

  // Within a layer it counts cycles alone, until the layer ends or something is wrong.
  bool active(const Signals& now) const {
    return state_ != State::layer || now.sequencer.start || now.layer_stored() || now.memory_error() || stuck() ||
           halt_ != now.sequencer.halt;
  }
  void rest(const Signals& now) {
    ++run_cycles_;
    idle_cycles_ = now.progress() ? 0 : idle_cycles_ + 1;
  }

 private:
  enum class State { idle, fetch, receive, check, configure, layer, done, error };
  void reset_state(SequencerSignals& shown) override;
  void clock_edge(const Signals& now, SequencerSignals& next) override;
  State step(const Signals& now);
  bool descriptor_good() const;
  // In a cycle in which it waits for others.
  bool stuck() const { return (watchdog_ != 0 && idle_cycles_ == watchdog_) || (limit_ != 0 && run_cycles_ >= limit_); }

  const int max_weight_bits_, max_activation_bits_;
  const bool vector_unit_, swish_unit_, table_unit_;
  const std::size_t beat_bytes_, fetch_beats_;
  const std::uint32_t unaligned_;  // bits that are 0 in the address of a beat
  const std::uint32_t configuration_;
  State state_ = State::idle;
  RunError error_ = RunError::none;
  bool run_ = false, halt_ = false;
  std::uint64_t base_ = 0;
  std::uint32_t address_ = 0, watchdog_ = 0, limit_ = 0, idle_cycles_ = 0, run_cycles_ = 0;
  std::size_t beat_ = 0;
  generate::Descriptor descriptor_;
};

}  // namespace bitstrata::sim::systemc
