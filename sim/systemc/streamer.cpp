// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/streamer.h"

#include <algorithm>

namespace bitstrata::sim::systemc {

using namespace generate;

Streamer::Streamer(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture)
    : Unit(name, fabric, &Signals::streamer),
      architecture_(architecture),
      order_(architecture.rules()),
      tiles_(architecture.tiles),
      rows_(architecture.rows),
      weight_mask_(static_cast<std::uint32_t>(architecture.weight_words()) - 1),
      pixel_mask_(static_cast<std::uint32_t>(architecture.psum_depth) - 1) {}

void Streamer::reset_state(StreamerSignals& shown) {
  shown = {};
  d_ = {};
  state_ = State::idle;
  rest_ = halves_used_ = 0;
  in_vector_ = false;
  half_ = false;
}

void Streamer::start(const Descriptor& descriptor) {
  d_ = descriptor;
  whole_codes_ = d_.whole_codes();
  macros_ = whole_codes_ ? 1 : tiles_;
  two_inputs_ = takes_two_inputs(d_);
  resident_ = d_.get<F_RESIDENT>();
  keeps_weights_ = d_.get<F_KEEP_WEIGHTS>();
  carry_in_ = d_.get<F_CARRY_IN>();
  signed_ = d_.get<F_SIGNED>();
  lanes_ = d_.get<F_LANES>();
  block_ = n_ = k_ = 0;
  pixel_ = base_ = rows_taken_ = row_address_ = 0;
  half_ = false;
  weight_row_ = weight_tile_ = 0;
  segment_left_ = d_.get<F_SEGMENT_CHANNELS>();
}

bool Streamer::load_row() {
  row_address_ = (row_address_ + 1) & weight_mask_;
  rows_taken_ = (rows_taken_ + 1) & 0xffffff;
  if (++weight_row_ != load_rows()) return false;
  weight_row_ = 0;
  ++weight_tile_;
  if (weight_tile_ < tiles_ && segment_left_ > weight_tile_ * lanes_) return false;
  weight_tile_ = 0;
  return true;
}

void Streamer::next_step(const Signals& now, PlaneStep& next) {
  const PlaneStep step = now.plane_step();
  if (now.vector_start()) top_ = step.activation;
  in_vector_ = !step.last;
  if (in_vector_) order_.next(step, top_, d_.weight_bits(), signed_, next);
}

bool Streamer::next_vector(const Signals& now) {
  const bool tile_end = now.row_tile_end();
  pixel_ = (pixel_ + now.feeder.group_size) & pixel_mask_;
  if (!tile_end) return false;
  pixel_ = 0;
  const bool last_row_tile = k_last(), last_tile = n_last();
  k_ = last_row_tile ? 0 : k_ + 1;
  if (!last_row_tile) return true;
  // Tiles whose partial sums stay take turns in the halves, one step further every two tiles.
  if (half_) base_ = (base_ + d_.get<F_PSUM_STEP>()) & pixel_mask_;
  half_ = !half_;
  n_ = last_tile ? 0 : n_ + 1;
  segment_left_ -= macros_ * lanes_;
  if (segment_left_ <= 0) segment_left_ = d_.get<F_SEGMENT_NEXT>();
  if (!last_tile) return true;
  segment_left_ = d_.get<F_SEGMENT_CHANNELS>();
  base_ = 0;
  ++block_;
  if (resident_) row_address_ = 0;
  return true;
}

// `load_last` and `tile_end` are events of this cycle; the counters are still those of the cycle.
Streamer::State Streamer::step(const Signals& now, bool load_last, bool tile_end) const {
  switch (state_) {
    case State::idle:
      return now.sequencer.start ? State::tile : State::idle;
    case State::tile:
      if (halves_used_ == 2) return State::tile;
      return whole_codes_ ? State::drain : State::load;
    case State::load:
      if (!load_last) return State::load;
      return k_ == 0 ? State::drain : State::stream;
    case State::drain:
      return now.array.busy ? State::drain : State::stream;
    case State::stream:
      if (!tile_end) return State::stream;
      if (!k_last()) return whole_codes_ ? State::stream : State::load;
      return n_last() && block_ + 1 == d_.get<F_BLOCKS>() ? State::idle : State::tile;
  }
  return State::idle;
}

void Streamer::clock_edge(const Signals& now, StreamerSignals& next) {
  const bool row = now.load_row(), vector_end = now.release();
  if (now.plane() && !vector_end) {  // inside a vector, nothing else moves
    halves_used_ -= static_cast<int>(now.post.tile_end);
    next_step(now, next.step);
    if (rest_ != 0) --rest_;
    next.weight_write = next.starting = false;
    next.in_vector = true;
    next.rest = rest_;
    return;
  }
  const State before = state_;
  const bool leaves_tile = before == State::tile && halves_used_ != 2;
  next.weight_write = row;
  next.weight_tile = static_cast<std::uint16_t>(weight_tile_);
  next.weight_row = static_cast<std::uint16_t>(weight_row_);

  const bool load_last = row && load_row();
  state_ = step(now, load_last, vector_end && now.row_tile_end());
  halves_used_ += static_cast<int>(leaves_tile) - static_cast<int>(now.post.tile_end);
  if (before == State::drain && !now.array.busy) tile_channels_ = std::min(segment_left_, macros_ * lanes_);
  if (vector_end) next_vector(now);
  if (now.plane()) next_step(now, next.step);
  if (vector_end) {
    rest_ = d_.get<F_VECTOR_INTERVAL>() - 1;
  } else if (rest_ != 0) {
    --rest_;
  }
  if (now.sequencer.start) start(now.sequencer.descriptor);
  show(next);
}

void Streamer::show(StreamerSignals& next) const {
  next.active = state_ != State::idle;
  next.loading = state_ == State::load;
  next.rows_known = weight_row_ != 0 || (resident_ && (block_ != 0 || keeps_weights_));
  next.resident = resident_;
  next.rows_taken = rows_taken_;
  next.row_address = row_address_;
  next.tile_rows = static_cast<std::uint16_t>(tile_rows());
  next.load_rows = static_cast<std::uint16_t>(load_rows());
  next.fold = static_cast<std::uint8_t>(k_last() ? d_.get<F_FOLD>() : 0);
  next.rows_loaded = static_cast<std::uint8_t>(
      std::min(architecture_.rows_at_once(), std::max(1, tile_rows() - weight_row_ * architecture_.rows_at_once())));
  next.load_lanes = static_cast<std::uint16_t>(std::clamp(segment_left_ - weight_tile_ * lanes_, 0, lanes_));
  next.in_vector = state_ == State::stream && in_vector_;
  next.starting = state_ == State::stream && !in_vector_;
  next.rest = rest_;
  next.whole_codes = whole_codes_;
  next.codes_high = two_inputs_ && k_ != 0;
  next.signed_codes = signed_;
  next.weight_bits = static_cast<std::uint8_t>(d_.weight_bits());
  next.first = k_ == 0 && !carry_in_;
  next.row_tile_last = k_last();
  next.half = half_;
  next.pixel = (base_ + pixel_) & pixel_mask_;
  next.tile_channels = static_cast<std::uint32_t>(tile_channels_);
}

}  // namespace bitstrata::sim::systemc
