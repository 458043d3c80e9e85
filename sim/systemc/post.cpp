// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/post.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "sim/systemc/walker.h"

namespace bitstrata::sim::systemc {

using namespace generate;

Post::Post(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture)
    : Unit(name, fabric, &Signals::post),
      tiles_(architecture.tiles),
      post_lanes_(architecture.post_lanes),
      data_bits_(architecture.data_bits),
      line_words_((architecture.data_bits + 63) / 64),
      unused_accumulator_bits_(64 - architecture.accumulator_bits),
      code_bits_(architecture.max_activation_bits),
      code_width_(code_width(architecture)),
      interval_(architecture.post_interval()),
      latency_(static_cast<unsigned>(architecture.post_latency())),
      ring_mask_(std::bit_ceil(latency_) - 1),
      buffer_lines_(static_cast<std::uint32_t>(architecture.plane_banks() * architecture.output_depth * 2)),
      pixel_mask_(static_cast<std::uint32_t>(architecture.psum_depth) - 1),
      parameter_mask_(static_cast<std::uint32_t>(architecture.parameter_depth) - 1) {
  for (auto& half : buffer_) half.resize(std::size_t{buffer_lines_} * static_cast<std::size_t>(line_words_));
}

void Post::reset_state(PostSignals& shown) {
  shown = {};
  d_ = {};
  running_ = left_ = half_ = out_half_ = false;
  tiles_ready_ = out_halves_used_ = 0;
  pipeline_.assign(ring_mask_ + 1, {});
  groups_ = wait_ = 0;
}

void Post::start(const Descriptor& descriptor) {
  d_ = descriptor;
  out_bits_ = d_.output_bits();
  lanes_full_ = d_.get<F_LANES>();
  macros_ = d_.whole_codes() ? 1 : tiles_;
  n_tiles_ = d_.get<F_N_TILES>();
  out_step_ = d_.get<F_OUT_STEP>();
  out_run_ = d_.get<F_OUT_RUN>();
  out_jump_ = d_.get<F_OUT_JUMP>();
  out_tile_step_ = d_.get<F_OUT_TILE_STEP>();
  shared_records_ = d_.get<F_SHARED_RECORDS>();
  acc_shift_ = d_.get<F_ACC_SHIFT>();
  clip_low_ = d_.get<F_CLIP_LOW>();
  clip_high_ = d_.get<F_CLIP_HIGH>();
  carry_out_ = d_.get<F_CARRY_OUT>();
  multiply_ = d_.opcode() == OP_MULTIPLY;
  // Sums too narrow for two operands are taken as they are.
  two_inputs_ = takes_two_inputs(d_) && 64 - unused_accumulator_bits_ >= 2 * code_width_;
  factor_0_ = d_.get<F_FACTOR_0>();
  factor_1_ = d_.get<F_FACTOR_1>();
  activation_ = static_cast<model::Activation>(d_.get<F_ACTIVATION>());
  swish_three_ = d_.get<F_SWISH_THREE>();
  swish_six_ = d_.get<F_SWISH_SIX>();
  swish_shift_ = d_.get<F_SWISH_SHIFT>();
  swish_offset_ = d_.get<F_SWISH_OFFSET>();
  table_entry_ = 0;
  half_ = out_half_ = false;
  block_ = n_ = out_row_ = 0;
  segment_left_ = d_.get<F_SEGMENT_CHANNELS>();
  base_ = 0;
  tile_bit_ = 0;
  parameter_tile_ = 0;
}

bool Post::pixels_last() const {
  const int rows_here = std::min(d_.get<F_OUT_HEIGHT>() - out_row_, d_.get<F_BLOCK_ROWS>());
  return column_ + 1 == d_.get<F_OUT_WIDTH>() && row_ + 1 == rows_here;
}

void Post::start_tile() {
  // Partial sums that stay need no reading: their tile ends as it starts.
  if (carry_out_) {
    next_tile(0);
    return;
  }
  running_ = true;
  row_ = column_ = tile_ = lane_ = 0;
  pixel_ = row_slot_ = 0;
  pixel_left_ = tile_channels();
  pixel_bit_ = place_ = run_ = 0;
  parameter_ = parameter_tile_;
}

void Post::next_group() {
  const bool ends = tile_end(), pixel_ends = macro_last();
  // A run ends with a group: its outputs are a multiple of the lanes of post-processing.
  const int outputs = std::min(lanes_here(), post_lanes_);
  const bool run_ends = out_run_ != 0 && run_ + outputs >= out_run_;
  place_ += outputs + (run_ends ? out_jump_ : 0);
  run_ = run_ends ? 0 : run_ + outputs;
  const std::uint32_t behind = (parameter_ + 1) & parameter_mask_;
  parameter_ = run_ends && shared_records_ ? parameter_tile_ : behind;
  if (!group_last()) {
    lane_ += post_lanes_;
    return;
  }
  lane_ = 0;
  ++tile_;
  pixel_left_ -= lanes_full_;
  if (!pixel_ends) return;
  next_pixel();
  if (!ends) return;
  running_ = false;
  next_tile(behind);
}

// `after`: the parameters behind this tile's.
void Post::next_tile(std::uint32_t after) {
  // Tiles whose partial sums stay take turns in the halves, one step further every two tiles.
  if (half_) base_ = (base_ + d_.get<F_PSUM_STEP>()) & pixel_mask_;
  half_ = !half_;
  if (++n_ != n_tiles_) {
    const int placed = tile_channels();
    segment_left_ -= placed;
    if (segment_left_ == 0) segment_left_ = d_.get<F_SEGMENT_NEXT>();
    tile_bit_ += out_tile_step_ != 0 ? out_tile_step_ : placed;
    parameter_tile_ = after;
    return;
  }
  n_ = tile_bit_ = 0;
  segment_left_ = d_.get<F_SEGMENT_CHANNELS>();
  base_ = 0;
  parameter_tile_ = 0;
  out_half_ = !out_half_;
  out_row_ += d_.get<F_BLOCK_ROWS>();
  if (++block_ == d_.get<F_BLOCKS>()) left_ = false;
}

void Post::next_pixel() {
  tile_ = place_ = run_ = 0;
  pixel_left_ = tile_channels();
  parameter_ = parameter_tile_;
  pixel_ = (pixel_ + 1) & pixel_mask_;
  if (++column_ != d_.get<F_OUT_WIDTH>()) {
    pixel_bit_ += out_step_;
    return;
  }
  column_ = pixel_bit_ = 0;
  ++row_;
  row_slot_ += static_cast<std::uint32_t>(d_.get<F_OUT_SLOT>());
}

void Post::enter(const Signals& now, Group& group) const {
  group.valid = now.post.group;
  group.block_end = false;
  if (!group.valid) return;
  group.block_end = block_end();
  group.half = out_half_;
  group.outputs = now.post.outputs;
  group.first_bit = pixel_bit_ + tile_bit_ + place_;
  group.row_slot = row_slot_;
}

// A partial sum of two operands: the first one's code in the low bits, the second one's above it, less what the first
// one borrowed where it is negative.
std::int64_t Post::combine(std::int64_t sum) const {
  const int unused = 64 - code_width_;
  const std::int64_t a = static_cast<std::int64_t>(static_cast<Word>(sum) << unused) >> unused;
  const std::int64_t b = static_cast<std::int64_t>(static_cast<Word>(sum - a) << (unused - code_width_)) >> unused;
  return factor_0_ * a + factor_1_ * b + (multiply_ ? a * b : 0);
}

// round_half_up((((acc << acc_shift) + bias) * multiplier) / 2^shift), clipped to what the activation takes
std::int64_t Post::requantize(std::int64_t sum, const ParameterRecord& record) const {
  __extension__ using Wide = __int128;
  const int unused = unused_accumulator_bits_;
  if (two_inputs_) sum = combine(sum);
  const Word biased = (static_cast<Word>(sum) << acc_shift_) + static_cast<Word>(record.bias);
  const std::int64_t value = static_cast<std::int64_t>(biased << unused) >> unused;
  const bool leaks = activation_ == model::Activation::leaky && value < 0;
  const Wide half = record.shift == 0 ? 0 : Wide{1} << (record.shift - 1);
  const Wide product = Wide{value} * (leaks ? record.negative_multiplier : record.multiplier);
  const Wide rounded = (product + half) >> record.shift;
  const std::int64_t low = activation_ == model::Activation::hard_swish ? -32768
                           : activation_ == model::Activation::table    ? -128
                                                                        : clip_low_;
  const std::int64_t high = activation_ == model::Activation::hard_swish ? 32767
                            : activation_ == model::Activation::table    ? 127
                                                                         : clip_high_;
  return rounded < low ? low : rounded > high ? high : static_cast<std::int64_t>(rounded);
}

std::int64_t Post::hard_swish(std::int64_t value) const {
  const std::int64_t opened = value + swish_three_;
  const std::int64_t gated = value * (opened < 0 ? 0 : std::min(opened, swish_six_));
  const std::int64_t half = swish_shift_ == 0 ? 0 : std::int64_t{1} << (swish_shift_ - 1);
  const std::int64_t code = ((gated + half) >> swish_shift_) + swish_offset_;
  return code < clip_low_ ? clip_low_ : std::min(code, clip_high_);
}

void Post::requantize(const Signals& now, Group& group) {
  for (int l = 0; l < group.outputs; ++l) {
    const auto lane = static_cast<std::size_t>(l);
    if (watched_) watch(lane, now.array.sums[lane], now.loader.parameters[lane]);
    std::int64_t code = requantize(now.array.sums[lane], now.loader.parameters[lane]);
    if (activation_ == model::Activation::hard_swish) code = hard_swish(code);
    if (activation_ == model::Activation::table) code = table_[static_cast<std::size_t>(code + 128)];
    group.codes[lane] = static_cast<std::uint32_t>(code) & ((1u << code_bits_) - 1);
  }
}

void Post::watch(std::size_t lane, std::int64_t sum, const ParameterRecord& record) {
  toggles_.sum_toggles += watched_->sums.change(lane, sum);
  toggles_.parameter_toggles += watched_->biases.change(lane, record.bias);
  const std::int64_t scale = std::int64_t{record.negative_multiplier} << 22 | record.shift << 16 | record.multiplier;
  toggles_.parameter_toggles += watched_->scales.change(lane, scale);
}

// Bit p of the codes goes to plane p of the line they lie in, and of the next line where they spill over.
void Post::write(const Group& group) {
  const std::uint32_t half = group.half ? buffer_lines_ / 2 : 0;
  for (int done = 0; done < group.outputs;) {
    const int bit = group.first_bit + done, line = bit / data_bits_, offset = bit % data_bits_;
    const int here = std::min(group.outputs - done, data_bits_ - offset);
    const std::uint32_t pair = group.row_slot + static_cast<std::uint32_t>((line >> 1) * out_bits_);
    auto& lines = buffer_[static_cast<std::size_t>(line & 1)];
    const int word = offset >> 6, shift = offset & 63;
    const Word mask = (Word{1} << here) - 1;
    for (int p = 0; p < out_bits_; ++p) {
      Word bits = 0;
      for (int l = 0; l < here; ++l) bits |= Word{group.codes[static_cast<std::size_t>(done + l)] >> p & 1} << l;
      const std::uint32_t address = half + ((pair + static_cast<std::uint32_t>(p)) & (buffer_lines_ / 2 - 1));
      Word* const to = &lines[std::size_t{address} * static_cast<std::size_t>(line_words_)] + word;
      to[0] = (to[0] & ~(mask << shift)) | bits << shift;
      // Lines of several words: the group may lie across two of them.
      if (shift + here > 64) to[1] = (to[1] & ~(mask >> (64 - shift))) | bits >> (64 - shift);
    }
    done += here;
  }
}

void Post::clock_edge(const Signals& now, PostSignals& next) {
  // The store unit's read sees the buffer before this cycle's write.
  if (now.store.read) {
    const auto words = static_cast<std::size_t>(line_words_);
    std::copy_n(&buffer_[now.store.read_odd][now.store.read_address * words], words, next.line.begin());
  }
  Group& reading = pipeline_[(entered_ - 1) & ring_mask_];
  if (reading.valid) requantize(now, reading);
  Group& leaving = pipeline_[(entered_ - latency_) & ring_mask_];
  if (leaving.valid) write(leaving);
  groups_ += static_cast<int>(now.post.group) - static_cast<int>(leaving.valid);
  enter(now, pipeline_[entered_ & ring_mask_]);
  ++entered_;

  if (now.beat_for(ReadTarget::table)) {
    const auto entries = static_cast<std::size_t>(data_bits_ / 8);
    std::memcpy(&table_[table_entry_], now.memory.rdata.data(), entries);
    table_entry_ = (table_entry_ + entries) & 255;
  }

  const bool starts = starts_tile(), starts_block = starts && n_ == 0 && !carry_out_;
  tiles_ready_ += static_cast<int>(now.array.tile_done) - static_cast<int>(starts);
  out_halves_used_ += static_cast<int>(starts_block) - static_cast<int>(now.store.read_last);
  if (starts) {
    start_tile();
  } else if (now.post.group) {
    next_group();
  }
  if (now.sequencer.start) {
    start(now.sequencer.descriptor);
    left_ = true;
  }

  next.block_done = pipeline_[(entered_ - latency_) & ring_mask_].block_end;
  next.carried = carry_out_ && !left_;
  wait_ = now.post.group ? interval_ - 1 : std::max(0, wait_ - 1);
  next.group = running_ && wait_ == 0;
  if (!next.group) {
    next.tile_end = carry_out_ && starts_tile();
    return;
  }
  next.tile_end = tile_end();
  next.half = half_;
  next.tile = static_cast<std::uint16_t>(tile_);
  next.lane = static_cast<std::uint16_t>(lane_);
  next.pixel = (base_ + pixel_) & pixel_mask_;
  next.parameter = parameter_;
  next.outputs = static_cast<std::uint8_t>(std::min(lanes_here(), post_lanes_));
}

}  // namespace bitstrata::sim::systemc
