// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/axi_read.h"

namespace bitstrata::sim::systemc {

AxiRead::AxiRead(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture)
    : Unit(name, fabric, &Signals::read),
      beat_bytes_(static_cast<std::uint32_t>(architecture.data_bits) / 8),
      burst_beats_(static_cast<std::uint32_t>(architecture.burst_beats)),
      outstanding_(architecture.outstanding) {}

void AxiRead::reset_state(ReadSignals& shown) {
  shown = {};
  active_ = false;
  in_flight_ = 0;
}

void AxiRead::clock_edge(const Signals& now, ReadSignals& next) {
  const bool answered = now.memory.rvalid && now.memory.rlast, shows = now.arvalid();
  const bool addressed = shows && now.memory.arready;
  if (answered) --in_flight_;
  if (now.read_command_taken()) {
    active_ = true;
    address_ = now.sequencer.base + now.loader.address;
    beats_ = now.loader.beats;
  } else if (addressed) {
    const std::uint32_t burst = now.read.arlen + 1u;
    ++in_flight_;
    active_ = beats_ != burst;
    address_ += burst * beat_bytes_;
    beats_ -= burst;
  }
  next.active = active_;
  next.wants = active_ && in_flight_ < outstanding_;
  next.shown = shows && !addressed;
  next.in_flight = in_flight_ != 0;
  next.araddr = address_;
  next.arlen = static_cast<std::uint8_t>(burst_length(address_, beats_, burst_beats_, beat_bytes_) - 1);
}

}  // namespace bitstrata::sim::systemc
