// SPDX-License-Identifier: Apache-2.0
// The memory behind the AXI4 port as a module: steps sim::AxiMemory with the clock.
#pragma once

#include <optional>

#include "sim/systemc/unit.h"

namespace bitstrata::sim::systemc {

class Memory final : public Unit<AxiSlaveSignals> {
 public:
  Memory(const sc_core::sc_module_name& name, Fabric& fabric);

  // Call before reset.
  void attach(const model::Architecture& architecture, const MemoryBehaviour& behaviour,
              std::span<std::uint8_t> bytes) {
    memory_.emplace(architecture, behaviour, bytes);
  }
  const AxiMemory& contents() const { return *memory_; }

  bool active(const Signals& now) const {
    return !memory_->at_rest() || now.arvalid() || now.awvalid() || now.wvalid();
  }
  void rest(const Signals&) { memory_->pass(); }

 private:
  void reset_state(AxiSlaveSignals& shown) override;
  void clock_edge(const Signals& now, AxiSlaveSignals& next) override;

  std::optional<AxiMemory> memory_;
};

}  // namespace bitstrata::sim::systemc
