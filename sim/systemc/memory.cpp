// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/memory.h"

namespace bitstrata::sim::systemc {

Memory::Memory(const sc_core::sc_module_name& name, Fabric& fabric) : Unit(name, fabric, &Signals::memory) {}

void Memory::reset_state(AxiSlaveSignals& shown) { shown = memory_->signals(); }

void Memory::clock_edge(const Signals& now, AxiSlaveSignals& next) {
  AxiMasterSignals master{.arvalid = now.arvalid(),
                          .awvalid = now.awvalid(),
                          .wvalid = now.wvalid(),
                          .wlast = now.write.wlast,
                          .araddr = now.read.araddr,
                          .awaddr = now.write.awaddr,
                          .arlen = now.read.arlen,
                          .awlen = now.write.awlen};
  if (now.write.fill) {
    master.wstrb = 0;
  } else if (master.wvalid) {
    master.wdata = now.store.data;
  }
  memory_->clock(master);
  next = memory_->signals();
}

}  // namespace bitstrata::sim::systemc
