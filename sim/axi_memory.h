// SPDX-License-Identifier: Apache-2.0
// The memory behind the accelerator's AXI4 port, stepped cycle by cycle; one model for RTL and SystemC, so that both
// see the same cycles. Its outputs depend on its state only (no combinational path from the master).
//
// Timing (model::MemoryTiming): a read address accepted in cycle t gives its first beat no earlier than
// t + read_latency and no earlier than beat_interval after the previous beat; bursts are served in order. A write
// data beat is accepted beat_interval cycles after the previous one; the response comes write_latency after the last
// beat and the address. MemoryBehaviour says what comes first and how READY depends on VALID.
//
// Every master that is stepped here is held to the protocol: what VALID shows stays until READY, bursts are aligned and
// inside a page, WLAST marks their last beat.
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
  bool operator==(const AxiSlaveSignals&) const = default;
};

struct AxiMasterSignals {
  bool arvalid = false, awvalid = false, wvalid = false, wlast = false;  // rready and bready are always high
  std::uint64_t araddr = 0, awaddr = 0;
  std::uint8_t arlen = 0, awlen = 0;
  AxiData wdata{};
  std::uint32_t wstrb = ~std::uint32_t{0};  // a bit a byte; those beyond the bus are ignored
};

class AxiMemory {
 public:
  // `bytes` is the memory itself, from behaviour.base on, read and written in place; accesses outside it get error
  // responses.
  AxiMemory(const model::Architecture& architecture, const MemoryBehaviour& behaviour, std::span<std::uint8_t> bytes);

  // Signals of the current cycle.
  const AxiSlaveSignals& signals() const { return signals_; }
  // The clock edge that ends the cycle: `master` are the master's signals of this cycle. Throws std::logic_error where
  // the master breaks the protocol, with channel, cycle, and old and new payload where one changed.
  void clock(const AxiMasterSignals& master);
  // Whether a clock edge without any VALID of the master would do no more than pass().
  bool at_rest() const { return at_rest_; }
  void pass() { ++cycle_; }

  // The current cycle, and the last one with a transfer (-1: none yet).
  std::int64_t cycle() const { return cycle_; }
  std::int64_t last_transfer() const { return last_transfer_; }
  // Write beats without any strobe so far.
  std::int64_t masked_beats() const { return masked_beats_; }
  // Nothing is owed: every burst that was addressed is answered, and all data have an address.
  bool quiet() const { return reads_.empty() && writes_.empty() && early_.empty() && answers_.empty(); }
  // Cycles without a transfer after which a master need not wait for this memory any more: it hangs.
  std::int64_t patience() const { return 1000 + timing_.read_latency + timing_.write_latency; }
  bool hangs() const { return cycle_ - last_transfer_ > patience(); }
  BusState state() const;

 private:
  struct ReadBurst {
    std::uint64_t address;  // counted from the base
    int beats;
    std::int64_t ready;  // first cycle data may come
  };
  struct WriteBurst {
    std::uint64_t address;  // counted from the base
    int beats;
    bool begun;
    std::uint8_t response;
  };
  struct Answer {
    std::uint8_t response;
    std::int64_t ready;  // first cycle it may come
  };
  struct Beat {
    AxiData data;
    std::uint32_t strobes;
    bool last;
  };
  void drive();
  void check_stable(const AxiMasterSignals& master) const;
  // Where a burst lies, counted from the base; what lies before it is far behind the end.
  std::uint64_t place_of(std::uint64_t address, int beats) const;
  bool inside(std::uint64_t place) const {
    return place < bytes_.size() && bytes_.size() - place >= static_cast<std::size_t>(beat_bytes_);
  }
  bool takes_address() const;
  bool takes_data() const;
  void write_beat(const AxiData& data, std::uint32_t strobes, bool last);
  bool stall() { return behaviour_.stall_probability > 0 && uniform_(random_) < behaviour_.stall_probability; }

  model::MemoryTiming timing_;
  MemoryBehaviour behaviour_;
  std::span<std::uint8_t> bytes_;
  int beat_bytes_;
  std::mt19937_64 random_;
  std::uniform_real_distribution<double> uniform_{0.0, 1.0};
  std::int64_t cycle_ = 0, next_read_ = 0, next_write_ = 0, read_beats_ = 0, responses_ = 0, last_transfer_ = -1,
               masked_beats_ = 0;
  std::deque<ReadBurst> reads_;
  std::deque<WriteBurst> writes_;  // addressed, data not all there
  std::deque<Beat> early_;         // data without an address
  int early_bursts_ = 0;           // ... whose last beat is there
  std::deque<Answer> answers_;
  std::uint64_t last_read_ = 0;
  AxiMasterSignals waiting_;  // the last cycle's, VALID where READY was missing
  AxiSlaveSignals signals_;
  bool at_rest_ = false;
};

}  // namespace bitstrata::sim
