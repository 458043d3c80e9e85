// SPDX-License-Identifier: Apache-2.0
#include "sim/axi_memory.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

namespace bitstrata::sim {

AxiMemory::AxiMemory(const model::Architecture& architecture, const MemoryBehaviour& behaviour,
                     std::span<std::uint8_t> bytes)
    : timing_(architecture.memory),
      behaviour_(behaviour),
      bytes_(bytes),
      beat_bytes_(architecture.data_bits / 8),
      random_(behaviour.stall_seed) {
  drive();
}

// Signals of cycle_, from the state left by the last clock edge. The five draws come in a fixed order every cycle, so
// that equal masters meet equal stalls.
void AxiMemory::drive() {
  const bool stall_ar = stall(), stall_r = stall(), stall_aw = stall(), stall_w = stall(), stall_b = stall();
  signals_ = {};
  const bool hang = behaviour_.hang_read_at >= 0 && read_beats_ >= behaviour_.hang_read_at;
  signals_.arready = !stall_ar && !hang;
  signals_.awready = !stall_aw && !hang;
  if (!reads_.empty() && !stall_r && !hang && cycle_ >= std::max(reads_.front().ready, next_read_)) {
    const Burst& burst = reads_.front();
    signals_.rvalid = true;
    signals_.rlast = burst.beats == 1;
    if (std::size_t{burst.address} + static_cast<std::size_t>(beat_bytes_) <= bytes_.size()) {
      std::memcpy(signals_.rdata.data(), bytes_.data() + burst.address, static_cast<std::size_t>(beat_bytes_));
    } else {
      signals_.rresp = 3;  // DECERR
    }
    if (read_beats_ == behaviour_.fail_read_at) signals_.rresp = 2;  // SLVERR
  }
  signals_.wready = !stall_w && !hang && cycle_ >= next_write_;
  if (!answers_.empty() && !stall_b && !hang && cycle_ >= answers_.front().ready) {
    signals_.bvalid = true;
    signals_.bresp = static_cast<std::uint8_t>(responses_ == behaviour_.fail_write_at ? 2 : answers_.front().beats);
  }
}

// A master that broke the protocol would still be served here, and not by a real memory.
void AxiMemory::check_burst(std::uint32_t address, int beats) const {
  constexpr int page = 4096;
  if (static_cast<int>(address % page) + beats * beat_bytes_ > page) {
    throw std::logic_error("the AXI master's burst of " + std::to_string(beats) + " beats at " +
                           std::to_string(address) + " crosses a 4 KiB page");
  }
}

void AxiMemory::clock(const AxiMasterSignals& master) {
  if (signals_.rvalid) {
    Burst& burst = reads_.front();
    burst.address += static_cast<std::uint32_t>(beat_bytes_);
    ++read_beats_;
    next_read_ = cycle_ + timing_.beat_interval;
    if (--burst.beats == 0) reads_.pop_front();
  }
  if (master.arvalid && signals_.arready) {
    check_burst(master.araddr, master.arlen + 1);
    reads_.push_back({master.araddr, master.arlen + 1, cycle_ + timing_.read_latency});
  }
  if (master.wvalid && signals_.wready && !writes_.empty()) {
    Burst& burst = writes_.front();
    if (master.wlast != (burst.beats == 1)) throw std::logic_error("the AXI master's WLAST is at the wrong beat");
    const bool inside = std::size_t{burst.address} + static_cast<std::size_t>(beat_bytes_) <= bytes_.size();
    if (inside) {
      std::memcpy(bytes_.data() + burst.address, master.wdata.data(), static_cast<std::size_t>(beat_bytes_));
    } else {
      burst.ready = 3;  // answered with DECERR
    }
    burst.address += static_cast<std::uint32_t>(beat_bytes_);
    next_write_ = cycle_ + timing_.beat_interval;
    if (--burst.beats == 0) {
      answers_.push_back({0, static_cast<int>(burst.ready), cycle_ + timing_.write_latency});
      writes_.pop_front();
    }
  }
  if (signals_.bvalid) {
    answers_.pop_front();
    ++responses_;
  }
  if (master.awvalid && signals_.awready) {
    check_burst(master.awaddr, master.awlen + 1);
    writes_.push_back({master.awaddr, master.awlen + 1, 0});
  }
  ++cycle_;
  drive();
}

}  // namespace bitstrata::sim
