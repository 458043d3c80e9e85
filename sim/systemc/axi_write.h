// SPDX-License-Identifier: Apache-2.0
// AXI4 write master: rtl/bs_axi_write.sv.
#pragma once

#include "sim/systemc/unit.h"

namespace bitstrata::sim::systemc {

class AxiWrite final : public Unit<WriteSignals> {
 public:
  AxiWrite(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture);

 private:
  void reset_state(WriteSignals& shown) override;
  void clock_edge(const Signals& now, WriteSignals& next) override;

  const std::uint32_t beat_bytes_, burst_beats_;
  const int outstanding_;
  bool active_ = false, in_burst_ = false;
  std::uint32_t address_ = 0, beats_ = 0;    // next burst, and what is left to address
  std::array<std::uint32_t, 16> lengths_{};  // of the bursts addressed and not begun, a queue
  unsigned length_in_ = 0, length_out_ = 0;
  std::uint32_t burst_left_ = 0;  // beats left in the data burst
  int in_flight_ = 0;             // bursts addressed, not answered
  int to_send_ = 0;               // bursts addressed, data not started
};

}  // namespace bitstrata::sim::systemc
