// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/post.h"

#include <algorithm>

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
  pipeline_ = {};
}

void Post::start(const Descriptor& descriptor) {
  d_ = descriptor;
  out_bits_ = d_.output_bits();
  lanes_full_ = word(D_LANES);
  macros_ = d_.opcode() == OP_CONVOLUTION ? tiles_ : 1;
  n_tiles_ = word(D_N_TILES);
  out_channels_ = word(D_OUT_CHANNELS);
  acc_shift_ = d_.control(C_ACC_SHIFT) ? 1 : 0;
  clip_low_ = signed_field(d_[D_CLIP_LOW], code_bits_ + 2);
  clip_high_ = signed_field(d_[D_CLIP_HIGH], code_bits_ + 2);
  block_ = n_ = out_row_ = 0;
  channels_left_ = out_channels_;
  tile_bit_ = 0;
  parameter_tile_ = 0;
}

bool Post::pixels_last() const {
  const int rows_here = std::min(word(D_OUT_HEIGHT) - out_row_, word(D_BLOCK_ROWS));
  return column_ + 1 == word(D_OUT_WIDTH) && row_ + 1 == rows_here;
}

void Post::start_tile() {
  running_ = true;
  row_ = column_ = tile_ = lane_ = 0;
  pixel_ = row_slot_ = 0;
  pixel_left_ = tile_channels();
  pixel_bit_ = macro_bit_ = 0;
  parameter_ = parameter_tile_;
}

void Post::next_group() {
  const bool ends = tile_end(), pixel_ends = macro_last();
  parameter_ = (parameter_ + 1) & parameter_mask_;
  if (!group_last()) {
    lane_ += post_lanes_;
    return;
  }
  lane_ = 0;
  ++tile_;
  pixel_left_ -= lanes_full_;
  macro_bit_ += lanes_full_;
  if (!pixel_ends) return;
  const std::uint32_t after_tile = parameter_;
  next_pixel();
  if (!ends) return;
  running_ = false;
  half_ = !half_;
  if (++n_ != n_tiles_) {
    const int placed = tile_channels();
    channels_left_ -= placed;
    tile_bit_ += placed;
    parameter_tile_ = after_tile;
    return;
  }
  n_ = tile_bit_ = 0;
  channels_left_ = out_channels_;
  parameter_tile_ = 0;
  out_half_ = !out_half_;
  out_row_ += word(D_BLOCK_ROWS);
  if (++block_ == word(D_BLOCKS)) left_ = false;
}

void Post::next_pixel() {
  tile_ = macro_bit_ = 0;
  pixel_left_ = tile_channels();
  parameter_ = parameter_tile_;
  pixel_ = (pixel_ + 1) & pixel_mask_;
  if (++column_ != word(D_OUT_WIDTH)) {
    pixel_bit_ += out_channels_;
    return;
  }
  column_ = pixel_bit_ = 0;
  ++row_;
  row_slot_ += static_cast<std::uint32_t>(word(D_OUT_SLOT));
}

void Post::enter(const Signals& now, Group& group) const {
  group.valid = now.post.group;
  group.block_end = false;
  if (!group.valid) return;
  group.block_end = block_end();
  group.half = out_half_;
  group.outputs = now.post.outputs;
  group.first_bit = pixel_bit_ + tile_bit_ + macro_bit_ + lane_;
  group.row_slot = row_slot_;
}

// clip((((acc << acc_shift) + bias) * multiplier + 2^(shift-1)) >> shift)
void Post::requantize(const Signals& now, Group& group) const {
  __extension__ using Wide = __int128;
  for (int l = 0; l < group.outputs; ++l) {
    const auto lane = static_cast<std::size_t>(l);
    const ParameterRecord& record = now.loader.parameters[lane];
    const int unused = unused_accumulator_bits_;
    const Word sum = (static_cast<Word>(now.array.sums[lane]) << acc_shift_) + static_cast<Word>(record.bias);
    const std::int64_t value = static_cast<std::int64_t>(sum << unused) >> unused;
    const Wide half = record.shift == 0 ? 0 : Wide{1} << (record.shift - 1);
    const Wide rounded = (Wide{value} * record.multiplier + half) >> record.shift;
    const std::int64_t code = rounded < clip_low_    ? clip_low_
                              : rounded > clip_high_ ? clip_high_
                                                     : static_cast<std::int64_t>(rounded);
    group.codes[lane] = static_cast<std::uint32_t>(code) & ((1u << code_bits_) - 1);
  }
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
  Group& reading = pipeline_[(entered_ - 1) & 7];
  if (reading.valid) requantize(now, reading);
  Group& leaving = pipeline_[(entered_ - latency) & 7];
  if (leaving.valid) write(leaving);
  enter(now, pipeline_[entered_ & 7]);
  ++entered_;

  const bool starts_tile = left_ && !running_ && tiles_ready_ != 0 && (n_ != 0 || out_halves_used_ != 2);
  const bool starts_block = starts_tile && n_ == 0;
  tiles_ready_ += static_cast<int>(now.array.tile_done) - static_cast<int>(starts_tile);
  out_halves_used_ += static_cast<int>(starts_block) - static_cast<int>(now.store.read_last);
  if (starts_tile) {
    start_tile();
  } else if (running_) {
    next_group();
  }
  if (now.sequencer.start) {
    start(now.sequencer.descriptor);
    left_ = true;
  }

  next.block_done = pipeline_[(entered_ - latency) & 7].block_end;
  next.group = running_;
  if (!running_) {
    next.tile_end = false;
    return;
  }
  next.tile_end = tile_end();
  next.half = half_;
  next.tile = static_cast<std::uint16_t>(tile_);
  next.lane = static_cast<std::uint16_t>(lane_);
  next.pixel = pixel_;
  next.parameter = parameter_;
  next.outputs = static_cast<std::uint8_t>(std::min(lanes_here(), post_lanes_));
}

}  // namespace bitstrata::sim::systemc
