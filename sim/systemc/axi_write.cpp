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
  length_in_ = length_out_ = 0;
  in_flight_ = 0;
}

void AxiWrite::clock_edge(const Signals& now, WriteSignals& next) {
  const bool shows = now.awvalid(), addressed = shows && now.memory.awready;
  const bool waits = now.wvalid() && !now.memory.wready;
  if (now.write_beat()) {
    const unsigned left = in_burst_ ? burst_left_ : lengths_[length_out_++ & 15];
    in_burst_ = left != 0;
    burst_left_ = left - 1;
  }
  if (shows && !now.write.shown) lengths_[length_in_++ & 15] = now.write.awlen;
  if (now.write_command_taken()) {
    active_ = true;
    address_ = now.sequencer.base + now.store.address;
    beats_ = now.store.beats;
  } else if (addressed) {
    const std::uint32_t burst = now.write.awlen + 1u;
    active_ = beats_ != burst;
    address_ += burst * beat_bytes_;
    beats_ -= burst;
  }
  in_flight_ += static_cast<int>(addressed) - static_cast<int>(now.memory.bvalid);

  next.active = active_;
  next.idle = !active_ && in_flight_ == 0;
  next.wants = active_ && in_flight_ < outstanding_;
  next.shown = shows && !addressed;
  next.in_flight = in_flight_ != 0;
  next.awaddr = address_;
  next.awlen = static_cast<std::uint8_t>(burst_length(address_, beats_, burst_beats_, beat_bytes_) - 1);
  next.fill = now.write.fill || (now.sequencer.halt && !waits);  // a beat that waits is not changed
  next.may_send = in_burst_ || length_in_ != length_out_;
  next.wlast = (in_burst_ ? burst_left_ : lengths_[length_out_ & 15]) == 0;
}

}  // namespace bitstrata::sim::systemc
