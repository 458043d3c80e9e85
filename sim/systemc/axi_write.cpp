// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/axi_write.h"

#include "sim/systemc/axi_read.h"

namespace bitstrata::sim::systemc {

AxiWrite::AxiWrite(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture)
    : Unit(name, fabric, &Signals::write),
      beat_bytes_(static_cast<std::uint32_t>(architecture.data_bits) / 8),
      burst_beats_(static_cast<std::uint32_t>(architecture.burst_beats)),
      outstanding_(architecture.outstanding) {}

void AxiWrite::reset_state(WriteSignals& shown) {
  shown = {};
  active_ = in_burst_ = false;
  beats_ = data_beats_ = burst_left_ = 0;
  in_flight_ = to_send_ = 0;
}

void AxiWrite::clock_edge(const Signals& now, WriteSignals& next) {
  if (!active_ && !now.store.command) {
    next = now.write;  // nothing happens
    return;
  }
  const bool addressed = now.write.awvalid && now.memory.awready;
  if (now.write_command_taken()) {
    active_ = true;
    address_ = data_address_ = now.store.address;
    beats_ = data_beats_ = now.store.beats;
  } else {
    // The last answer frees the master; with an address going out in the same cycle it is not the last.
    if (now.memory.bvalid && in_flight_ == 1 && beats_ == 0 && !addressed) active_ = false;
    if (now.write_beat()) {
      if (!in_burst_) {
        burst_left_ = burst_length(data_address_, data_beats_, burst_beats_, beat_bytes_);
        --to_send_;
      }
      in_burst_ = --burst_left_ != 0;
      data_address_ += beat_bytes_;
      --data_beats_;
    }
    if (addressed) {
      const std::uint32_t burst = now.write.awlen + 1u;
      address_ += burst * beat_bytes_;
      beats_ -= burst;
      ++in_flight_;
      ++to_send_;
    }
  }
  if (now.memory.bvalid) --in_flight_;

  next.active = active_;
  next.awvalid = active_ && beats_ != 0 && in_flight_ < outstanding_;
  next.awaddr = address_;
  next.awlen = static_cast<std::uint8_t>(burst_length(address_, beats_, burst_beats_, beat_bytes_) - 1);
  next.may_send = in_burst_ || to_send_ != 0;
  next.wlast = in_burst_ ? burst_left_ == 1 : burst_length(data_address_, data_beats_, burst_beats_, beat_bytes_) == 1;
}

}  // namespace bitstrata::sim::systemc
