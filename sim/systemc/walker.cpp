// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/walker.h"

namespace bitstrata::sim::systemc {

using namespace generate;

Walker::Walker(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture)
    : Unit(name, fabric, &Signals::walker),
      tiles_(architecture.tiles),
      rows_(architecture.rows),
      data_bits_(architecture.data_bits) {}

void Walker::reset_state(WalkerSignals& shown) {
  shown = {};
  active_ = false;
  rows_freed_ = rows_kept_ = 0;
  d_ = {};
}

void Walker::start(const Descriptor& descriptor) {
  d_ = descriptor;
  active_ = true;
  whole_codes_ = d_.whole_codes();
  two_inputs_ = takes_two_inputs(d_);
  second_ = d_.get<F_SECOND>();
  broadcast_ = d_.get<F_BROADCAST>();
  strips_ = d_.get<F_IN_STRIPS>();
  // Operators on whole codes use the first macro only.
  capacity_ = whole_codes_ ? d_.get<F_LANES>() : tiles_ * d_.get<F_LANES>();
  block_ = n_ = k_ = out_row_ = row_ = column_ = 0;
  block_y_ = pixel_y_ = d_.get<F_PIXEL_START_Y>();
  block_ring_ = pixel_ring_ = d_.get<F_PIXEL_START_RING>();
  pixel_x_ = d_.get<F_PIXEL_START_X>();
  second_x_ = d_.get<F_SECOND_START_X>();
  fill_ = 0;
  first_segment();
  at_ = tile_at_ = {};
  rows_freed_ = 0;
}

int Walker::ring_add(int a, int b) const {
  const int sum = a + b, size = d_.get<F_IN_RING>();
  return sum >= size ? sum - size : sum;
}

int Walker::run_length() const {
  if (whole_codes_) return std::min(segment_left_, capacity_);
  return d_.get<F_RUN_LENGTH>();
}

// Bits of the window: one access, to the end of the run, to the end of the vector.
int Walker::length() const { return std::min({data_bits_, run_length() - at_.position, rows_ - fill_}); }

bool Walker::vector_ends() const {
  const bool full = rows_ - fill_ == length();
  const bool run_ends = run_length() - at_.position == length();
  const bool last_run = at_.run_x + 1 == d_.get<F_RUN_COUNT_X>() && at_.run_y + 1 == d_.get<F_RUN_COUNT_Y>();
  return full || (run_ends && (last_run || whole_codes_));
}

Walker::RunPosition Walker::after_window() const {
  RunPosition next = at_;
  next.position += length();
  if (next.position != run_length()) return next;
  next.position = 0;
  if (++next.run_x != d_.get<F_RUN_COUNT_X>()) {
    next.offset_x += d_.get<F_RUN_STEP_X>();
    return next;
  }
  next.run_x = next.offset_x = 0;
  ++next.run_y;
  next.offset_y += d_.get<F_RUN_STEP_Y>();
  next.offset_ring = ring_add(next.offset_ring, d_.get<F_RUN_STEP_RING>());
  return next;
}

void Walker::advance() {
  const RunPosition after = after_window();
  if (!vector_ends()) {
    fill_ += length();
    at_ = after;
    return;
  }
  fill_ = 0;
  if (pixels_end()) {
    next_tile(after);
  } else {
    next_pixel();
  }
}

// Same row tile.
void Walker::next_pixel() {
  at_ = tile_at_;
  if (++column_ != d_.get<F_OUT_WIDTH>()) {
    pixel_x_ += d_.get<F_PIXEL_STEP_X>();
    second_x_ += d_.get<F_SECOND_STEP_X>();
    return;
  }
  column_ = 0;
  pixel_x_ = d_.get<F_PIXEL_START_X>();
  second_x_ = d_.get<F_SECOND_START_X>();
  ++row_;
  pixel_y_ += d_.get<F_PIXEL_STEP_Y>();
  pixel_ring_ = ring_add(pixel_ring_, d_.get<F_PIXEL_STEP_RING>());
}

void Walker::first_segment() {
  n_x_ = segment_x_ = 0;
  segment_left_ = d_.get<F_SEGMENT_CHANNELS>();
  later_segment_ = false;
}

void Walker::next_output_tile() {
  if (!segment_ends()) {
    segment_left_ -= capacity_;
    n_x_ = (n_x_ + d_.get<F_TILE_STEP_X>()) & 0xfffff;
    return;
  }
  segment_left_ = d_.get<F_SEGMENT_NEXT>();
  later_segment_ = true;
  segment_x_ = (segment_x_ + d_.get<F_SEGMENT_STEP_X>()) & 0xfffff;
  n_x_ = segment_x_;
}

// Next row tile, or the first one of the next output tile or block; the block's first pixel.
void Walker::next_tile(const RunPosition& after) {
  column_ = row_ = 0;
  pixel_x_ = d_.get<F_PIXEL_START_X>();
  second_x_ = d_.get<F_SECOND_START_X>();
  if (++k_ != d_.get<F_K_TILES>()) {
    at_ = tile_at_ = after;
    pixel_y_ = block_y_;
    pixel_ring_ = block_ring_;
    return;
  }
  k_ = 0;
  at_ = tile_at_ = {};
  if (++n_ != d_.get<F_N_TILES>()) {
    next_output_tile();
    pixel_y_ = block_y_;
    pixel_ring_ = block_ring_;
    return;
  }
  n_ = 0;
  first_segment();
  out_row_ += d_.get<F_BLOCK_ROWS>();
  block_y_ += d_.get<F_BLOCK_STEP_Y>();
  pixel_y_ = block_y_;
  // The next block's first row lies one pixel step after this block's last one.
  block_ring_ = pixel_ring_ = ring_add(pixel_ring_, d_.get<F_PIXEL_STEP_RING>());
  rows_kept_ = rows_freed_;
  rows_freed_ = static_cast<std::uint16_t>(std::max(block_y_, 0));
  if (++block_ == d_.get<F_BLOCKS>()) active_ = false;
}

void Walker::show(WalkerSignals& next) const {
  const int y = pixel_y_ + at_.offset_y;
  next.rows_needed = rows_needed(d_, block_y_);
  const bool is_second = second();
  next.second = is_second;
  next.x = (is_second ? second_x_ : pixel_x_) + n_x_ + at_.offset_x + at_.position;
  next.row_begin = strips_ ? segment_x_ : 0;
  next.row_valid = y >= 0 && y < d_.get<F_IN_HEIGHT>();
  next.slot = is_second && broadcast_ ? 0 : static_cast<std::uint32_t>(ring_add(pixel_ring_, at_.offset_ring));
  if (is_second) next.slot += static_cast<std::uint32_t>(d_.get<F_SECOND_SLOT>());
  next.length = static_cast<std::uint16_t>(length());
  next.fill = static_cast<std::uint16_t>(fill_);
  next.last = vector_ends();
  next.tile_last = pixels_end();
  next.block_last = next.last && next.tile_last && k_ + 1 == d_.get<F_K_TILES>() && n_ + 1 == d_.get<F_N_TILES>();
}

void Walker::clock_edge(const Signals& now, WalkerSignals& next) {
  if (now.sequencer.start) {
    start(now.sequencer.descriptor);
  } else if (now.window_take()) {
    advance();
  }
  next.active = active_;
  next.rows_freed = rows_freed_;
  next.rows_kept = rows_kept_;
  if (active_) show(next);
}

}  // namespace bitstrata::sim::systemc
