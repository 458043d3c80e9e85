// SPDX-License-Identifier: Apache-2.0
// AXI4 write master: rtl/bs_axi_write.sv.
#pragma once

#include "sim/systemc/unit.h"

namespace bitstrata::sim::systemc {

class AxiWrite final : public Unit<WriteSignals> {
 public:
  AxiWrite(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture);

  bool active(const Signals& now) const {
    return !now.write.idle || now.store.command || (now.sequencer.halt && !now.write.fill);
  }

 private:
  void reset_state(WriteSignals& shown) override;
  void clock_edge(const Signals& now, WriteSignals& next) override;

  const std::uint32_t beat_bytes_, burst_beats_;
  const int outstanding_;
  bool active_ = false, in_burst_ = false;
  std::uint64_t address_ = 0;               // next burst's
  std::uint32_t beats_ = 0;                 // what is left of the command to address
  std::array<std::uint8_t, 16> lengths_{};  // of the bursts shown and not begun, minus 1
  unsigned length_in_ = 0, length_out_ = 0;
  unsigned burst_left_ = 0;  // beats left in the data burst, minus 1
  int in_flight_ = 0;        // bursts addressed, not answered
};

}  // namespace bitstrata::sim::systemc
