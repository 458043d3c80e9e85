// SPDX-License-Identifier: Apache-2.0
// The memory behind the accelerator's AXI4 port, stepped cycle by cycle; one model for RTL and SystemC, so that both
// see the same cycles. Its outputs depend on its state only (no combinational path from the master).
//
// Timing (model::MemoryTiming): a read address accepted in cycle t gives its first beat no earlier than
// t + read_latency and no earlier than beat_interval after the previous beat; bursts are served in order. A write
// data beat is accepted beat_interval cycles after the previous one; the response comes write_latency after the last.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <random>
#include <span>

#include "model/architecture.h"
#include "sim/engine.h"

namespace bitstrata::sim {

// Widest data bus supported: 256 bits.
using AxiData = std::array<std::uint64_t, 4>;

struct AxiSlaveSignals {
  bool arready = false, rvalid = false, rlast = false, awready = false, wready = false, bvalid = false;
  std::uint8_t rresp = 0, bresp = 0;
  AxiData rdata{};
};

struct AxiMasterSignals {
  bool arvalid = false, awvalid = false, wvalid = false, wlast = false;  // rready and bready are always high
  std::uint32_t araddr = 0, awaddr = 0;
  std::uint8_t arlen = 0, awlen = 0;
  AxiData wdata{};
};

class AxiMemory {
 public:
  // `bytes` is the memory itself, read and written in place; accesses outside it get error responses.
  AxiMemory(const model::Architecture& architecture, const MemoryBehaviour& behaviour, std::span<std::uint8_t> bytes);

  // Signals of the current cycle.
  const AxiSlaveSignals& signals() const { return signals_; }
  // The clock edge that ends the cycle: `master` are the master's signals of this cycle. Throws std::logic_error where
  // a burst crosses a 4 KiB page or WLAST does not mark its last beat.
  void clock(const AxiMasterSignals& master);

 private:
  struct Burst {
    std::uint32_t address;
    int beats;
    std::int64_t ready;  // first cycle data may come (reads) / response may come (writes)
  };
  void drive();
  void check_burst(std::uint32_t address, int beats) const;
  bool stall() { return behaviour_.stall_probability > 0 && uniform_(random_) < behaviour_.stall_probability; }

  model::MemoryTiming timing_;
  MemoryBehaviour behaviour_;
  std::span<std::uint8_t> bytes_;
  int beat_bytes_;
  std::mt19937_64 random_;
  std::uniform_real_distribution<double> uniform_{0.0, 1.0};
  std::int64_t cycle_ = 0, next_read_ = 0, next_write_ = 0, read_beats_ = 0, responses_ = 0;
  std::deque<Burst> reads_, writes_, answers_;
  AxiSlaveSignals signals_;
};

}  // namespace bitstrata::sim
