// SPDX-License-Identifier: Apache-2.0
#include "sim/axi_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

namespace bitstrata::sim {

namespace {

// Data that a memory takes without their address; it must hold the longest burst.
constexpr std::size_t most_early_beats = 256;

std::string address_text(std::uint64_t address, int beats_minus_1) {
  return fmt::format("{} beats at {:#x}", beats_minus_1 + 1, address);
}

std::string beat_text(const AxiMasterSignals& m) {
  return fmt::format("data {:016x}{:016x}{:016x}{:016x} strobes {:08x} last {}", m.wdata[3], m.wdata[2], m.wdata[1],
                     m.wdata[0], m.wstrb, m.wlast ? 1 : 0);
}

[[noreturn]] void fail_changed(const char* channel, std::int64_t cycle, bool valid, const std::string& old_payload,
                               const std::string& new_payload) {
  if (!valid)
    throw std::logic_error(fmt::format("AXI channel {}, cycle {}: VALID falls before READY, which {} wait for", channel,
                                       cycle, old_payload));
  throw std::logic_error(fmt::format("AXI channel {}, cycle {}: the payload changes before READY, from {} to {}",
                                     channel, cycle, old_payload, new_payload));
}

}  // namespace

AxiMemory::AxiMemory(const model::Architecture& architecture, const MemoryBehaviour& behaviour,
                     std::span<std::uint8_t> bytes)
    : timing_(architecture.memory),
      behaviour_(behaviour),
      bytes_(bytes),
      beat_bytes_(architecture.data_bits / 8),
      random_(behaviour.stall_seed) {
  drive();
}

bool AxiMemory::takes_address() const {
  switch (behaviour_.write_order) {
    case WriteOrder::data_first:
      return early_bursts_ != 0;
    case WriteOrder::address_after_data:
      return writes_.empty() && waiting_.wvalid;
    default:
      return true;
  }
}

bool AxiMemory::takes_data() const {
  switch (behaviour_.write_order) {
    case WriteOrder::either:
      return early_.size() < most_early_beats;
    case WriteOrder::data_first:
      return early_bursts_ == 0;
    default:
      return !writes_.empty();
  }
}

// Signals of cycle_, from the state left by the last clock edge. The five draws come in a fixed order every cycle, so
// that equal masters meet equal stalls.
void AxiMemory::drive() {
  const bool stall_ar = stall(), stall_r = stall(), stall_aw = stall(), stall_w = stall(), stall_b = stall();
  signals_ = {};
  if (behaviour_.hang_read_at >= 0 && read_beats_ >= behaviour_.hang_read_at) return;
  signals_.arready = !stall_ar && (!behaviour_.ar_after_valid || waiting_.arvalid);
  signals_.awready = !stall_aw && (!behaviour_.aw_after_valid || waiting_.awvalid) && takes_address();
  if (!reads_.empty() && !stall_r && cycle_ >= std::max(reads_.front().ready, next_read_)) {
    const ReadBurst& burst = reads_.front();
    signals_.rvalid = true;
    signals_.rlast = burst.beats == 1;
    if (inside(burst.address)) {
      std::memcpy(signals_.rdata.data(), bytes_.data() + burst.address, static_cast<std::size_t>(beat_bytes_));
    } else {
      signals_.rresp = 3;  // DECERR
    }
    if (read_beats_ == behaviour_.fail_read_at) signals_.rresp = behaviour_.fail_response;
  }
  signals_.wready = !stall_w && cycle_ >= next_write_ && (!behaviour_.w_after_valid || waiting_.wvalid) && takes_data();
  if (!answers_.empty() && !stall_b && cycle_ >= answers_.front().ready) {
    signals_.bvalid = true;
    signals_.bresp = responses_ == behaviour_.fail_write_at ? behaviour_.fail_response : answers_.front().response;
  }
}

// A master that broke the protocol would still be served here, and not by a real memory.
void AxiMemory::check_stable(const AxiMasterSignals& master) const {
  const AxiMasterSignals& old = waiting_;
  if (old.arvalid && !(master.arvalid && master.araddr == old.araddr && master.arlen == old.arlen))
    fail_changed("AR", cycle_, master.arvalid, address_text(old.araddr, old.arlen),
                 address_text(master.araddr, master.arlen));
  if (old.awvalid && !(master.awvalid && master.awaddr == old.awaddr && master.awlen == old.awlen))
    fail_changed("AW", cycle_, master.awvalid, address_text(old.awaddr, old.awlen),
                 address_text(master.awaddr, master.awlen));
  if (old.wvalid &&
      !(master.wvalid && master.wdata == old.wdata && master.wstrb == old.wstrb && master.wlast == old.wlast))
    fail_changed("W", cycle_, master.wvalid, beat_text(old), beat_text(master));
}

std::uint64_t AxiMemory::place_of(std::uint64_t address, int beats) const {
  constexpr int page = 4096;
  const auto wrong = [&](const char* what) {
    throw std::logic_error(
        fmt::format("cycle {}: the AXI master's burst of {} {}", cycle_, address_text(address, beats - 1), what));
  };
  if (address % static_cast<std::uint64_t>(beat_bytes_) != 0) wrong("is not aligned to its beats");
  if (static_cast<int>(address % page) + beats * beat_bytes_ > page) wrong("crosses a 4 KiB page");
  return address - behaviour_.base;
}

// A beat meets its address.
void AxiMemory::write_beat(const AxiData& data, std::uint32_t strobes, bool last) {
  WriteBurst& burst = writes_.front();
  if (last != (burst.beats == 1))
    throw std::logic_error(fmt::format("cycle {}: the AXI master's WLAST is at the wrong beat", cycle_));
  const std::uint32_t all = beat_bytes_ == 32 ? ~std::uint32_t{0} : (std::uint32_t{1} << beat_bytes_) - 1;
  const auto* from = reinterpret_cast<const std::uint8_t*>(data.data());
  if (!inside(burst.address)) {
    burst.response = 3;  // DECERR
  } else if ((strobes & all) == all) {
    std::memcpy(bytes_.data() + burst.address, from, static_cast<std::size_t>(beat_bytes_));
  } else {
    masked_beats_ += (strobes & all) == 0;
    for (int i = 0; i < beat_bytes_; ++i)
      if ((strobes >> i & 1) != 0) bytes_[burst.address + static_cast<std::uint64_t>(i)] = from[i];
  }
  burst.begun = true;
  burst.address += static_cast<std::uint64_t>(beat_bytes_);
  if (--burst.beats != 0) return;
  answers_.push_back({burst.response, cycle_ + timing_.write_latency});
  writes_.pop_front();
}

void AxiMemory::clock(const AxiMasterSignals& master) {
  if (waiting_.arvalid || waiting_.awvalid || waiting_.wvalid) check_stable(master);
  const bool ar = master.arvalid && signals_.arready, aw = master.awvalid && signals_.awready,
             w = master.wvalid && signals_.wready;
  if (ar != master.arvalid || aw != master.awvalid || w != master.wvalid) waiting_ = master;
  waiting_.arvalid = master.arvalid && !ar;
  waiting_.awvalid = master.awvalid && !aw;
  waiting_.wvalid = master.wvalid && !w;
  if (ar || aw || w || signals_.rvalid || signals_.bvalid) last_transfer_ = cycle_;
  if (signals_.rvalid) {
    ReadBurst& burst = reads_.front();
    burst.address += static_cast<std::uint64_t>(beat_bytes_);
    ++read_beats_;
    next_read_ = cycle_ + timing_.beat_interval;
    if (--burst.beats == 0) reads_.pop_front();
  }
  if (ar) {
    last_read_ = place_of(master.araddr, master.arlen + 1);
    reads_.push_back({last_read_, master.arlen + 1, cycle_ + timing_.read_latency});
  }
  if (signals_.bvalid) {
    answers_.pop_front();
    ++responses_;
  }
  if (w) {
    if (!writes_.empty()) {
      write_beat(master.wdata, master.wstrb, master.wlast);
    } else {
      early_.push_back({master.wdata, master.wstrb, master.wlast});
      early_bursts_ += master.wlast;
    }
    next_write_ = cycle_ + timing_.beat_interval;
  }
  if (aw) {
    writes_.push_back({place_of(master.awaddr, master.awlen + 1), master.awlen + 1, false, 0});
  }
  while (!early_.empty() && !writes_.empty()) {
    const Beat beat = early_.front();
    early_.pop_front();
    early_bursts_ -= beat.last;
    write_beat(beat.data, beat.strobes, beat.last);
  }
  ++cycle_;
  drive();
  // Nothing is owed, no READY depends on a VALID that waits, and none comes by itself: neither by the time that data
  // keep from each other nor by chance.
  at_rest_ = cycle_ >= next_write_ && behaviour_.stall_probability <= 0 && quiet() && !waiting_.arvalid &&
             !waiting_.awvalid && !waiting_.wvalid;
}

BusState AxiMemory::state() const {
  BusState state{.read_address_waits = waiting_.arvalid, .write_address_waits = waiting_.awvalid};
  state.reads = static_cast<int>(reads_.size());
  for (const WriteBurst& burst : writes_) ++(burst.begun ? state.in_burst : state.data_not_begun);
  state.unanswered = static_cast<int>(answers_.size());
  state.last_read = last_read_;
  return state;
}

}  // namespace bitstrata::sim
