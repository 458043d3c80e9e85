// SPDX-License-Identifier: Apache-2.0
// AXI4 read master: rtl/bs_axi_read.sv.
#pragma once

#include "sim/systemc/unit.h"

namespace bitstrata::sim::systemc {

class AxiRead final : public Unit<ReadSignals> {
 public:
  AxiRead(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture);

  bool active(const Signals& now) const {
    return (now.memory.rvalid && now.memory.rlast) || now.read_command_taken() || now.arvalid();
  }

 private:
  void reset_state(ReadSignals& shown) override;
  void clock_edge(const Signals& now, ReadSignals& next) override;

  const std::uint32_t beat_bytes_, burst_beats_;
  const int outstanding_;
  bool active_ = false;
  std::uint64_t address_ = 0;
  std::uint32_t beats_ = 0;
  int in_flight_ = 0;
};

// Beats of the next burst: no longer than `longest`, nor than what is left, nor over a 4 KiB boundary.
inline std::uint32_t burst_length(std::uint64_t address, std::uint32_t beats, std::uint32_t longest,
                                  std::uint32_t beat_bytes) {
  const std::uint32_t page_left = (4096 - static_cast<std::uint32_t>(address % 4096)) / beat_bytes;
  return std::min({longest, beats, page_left});
}

}  // namespace bitstrata::sim::systemc
