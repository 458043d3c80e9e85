// SPDX-License-Identifier: Apache-2.0
// Store unit: rtl/bs_store.sv.
#pragma once

#include "sim/systemc/lines.h"
#include "sim/systemc/unit.h"

namespace bitstrata::sim::systemc {

class Store final : public Unit<StoreSignals> {
 public:
  Store(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture);

  bool active(const Signals& now) const {
    return blocks_ready_ != 0 || arriving_ || queue_count_ != 0 || now.post.block_done || now.sequencer.start;
  }

 private:
  void reset_state(StoreSignals& shown) override;
  void clock_edge(const Signals& now, StoreSignals& next) override;
  void start(const generate::Descriptor& descriptor);
  void arrive(const AxiData& line);
  void next_line();
  int rows_here() const;
  bool row_read_last() const;

  const std::uint32_t half_lines_;
  const int data_bits_;
  generate::Descriptor d_;
  // Blocks.
  bool reading_ = false, half_ = false;  // a row is read
  int blocks_ready_ = 0, block_ = 0, out_row_ = 0, row_ = 0, line_ = 0, plane_ = 0;
  std::uint32_t row_slot_ = 0, pair_ = 0, address_ = 0;
  // Lines read, on their way to the write master.
  bool arriving_ = false, arriving_tail_ = false;
  std::array<AxiData, 4> queue_{};
  unsigned queue_in_ = 0, queue_out_ = 0, queue_count_ = 0;
};

}  // namespace bitstrata::sim::systemc
