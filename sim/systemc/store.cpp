// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/store.h"

#include <algorithm>

namespace bitstrata::sim::systemc {

using namespace generate;

Store::Store(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture)
    : Unit(name, fabric, &Signals::store),
      half_lines_(static_cast<std::uint32_t>(architecture.plane_banks() * architecture.output_depth)),
      data_bits_(architecture.data_bits) {}

void Store::reset_state(StoreSignals& shown) {
  shown = {};
  d_ = {};
  reading_ = half_ = arriving_ = false;
  blocks_ready_ = block_ = 0;
  queue_in_ = queue_out_ = queue_count_ = 0;
}

void Store::start(const Descriptor& descriptor) {
  d_ = descriptor;
  half_ = false;
  block_ = out_row_ = row_ = line_ = plane_ = 0;
  row_slot_ = pair_ = 0;
  address_ = d_.get<F_OUT_ADDRESS>();
}

int Store::rows_here() const { return std::min(d_.get<F_OUT_HEIGHT>() - out_row_, d_.get<F_BLOCK_ROWS>()); }

bool Store::row_read_last() const { return plane_ + 1 == d_.output_bits() && line_ + 1 == d_.get<F_OUT_ROW_LINES>(); }

// A line comes out of the buffer; bits past the end of a row are sent as zeros.
void Store::arrive(const AxiData& line) {
  AxiData& to = queue_[queue_in_++ & 3];
  to = line;
  const int tail = static_cast<int>(d_.get<F_OUT_ROW_BITS>() & static_cast<std::uint32_t>(data_bits_ - 1));
  if (!arriving_tail_ || tail == 0) return;
  for (int i = 0; i < 4; ++i) to[static_cast<std::size_t>(i)] &= mask_word(0, tail, i);
}

void Store::next_line() {
  if (++plane_ != d_.output_bits()) return;
  plane_ = 0;
  if (line_ & 1) pair_ += static_cast<std::uint32_t>(d_.output_bits());
  if (++line_ != d_.get<F_OUT_ROW_LINES>()) return;
  line_ = 0;
  pair_ = 0;
  row_slot_ += static_cast<std::uint32_t>(d_.get<F_OUT_SLOT>());
  if (++row_ != rows_here()) return;
  row_ = 0;
  row_slot_ = 0;
  ++block_;
  out_row_ += d_.get<F_BLOCK_ROWS>();
}

void Store::clock_edge(const Signals& now, StoreSignals& next) {
  const bool take = now.write_command_taken(), read = now.store.read;
  const bool pop = now.write_beat() && !now.write.fill, arrives = arriving_;
  if (arrives) arrive(now.post.line);
  arriving_ = read;
  if (take) {
    address_ += d_.get<F_OUT_ROW_STRIDE>();
    reading_ = true;
  }
  if (read) {
    arriving_tail_ = line_ + 1 == d_.get<F_OUT_ROW_LINES>();
    if (row_read_last()) reading_ = false;
    if (now.store.read_last) half_ = !half_;
    next_line();
  }
  blocks_ready_ += static_cast<int>(now.post.block_done) - static_cast<int>(now.store.read_last);
  if (pop) ++queue_out_;
  queue_count_ += static_cast<unsigned>(arrives) - static_cast<unsigned>(pop);
  if (now.sequencer.start) start(now.sequencer.descriptor);

  next.block_left = blocks_ready_ != 0;
  next.all_read = block_ == d_.get<F_BLOCKS>();
  next.command = blocks_ready_ != 0 && !reading_;
  next.address = address_;
  next.beats = d_.get<F_OUT_ROW_BEATS>();
  next.read = reading_ && queue_count_ + static_cast<unsigned>(arriving_) < 4;
  next.read_last = next.read && row_read_last() && row_ + 1 == rows_here();
  next.read_odd = (line_ & 1) != 0;
  next.read_address =
      (half_ ? half_lines_ : 0) + ((row_slot_ + pair_ + static_cast<std::uint32_t>(plane_)) & (half_lines_ - 1));
  next.data_valid = queue_count_ != 0;
  if (next.data_valid) next.data = queue_[queue_out_ & 3];
}

}  // namespace bitstrata::sim::systemc
