// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/post.h"

#include <algorithm>
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
  clip_low_ = signed_field(d_[D_CLIP_LOW], 18);
  clip_high_ = signed_field(d_[D_CLIP_HIGH], 18);
  carry_out_ = d_.control(C_CARRY_OUT);
  two_inputs_ = d_.opcode() == OP_ADD || d_.opcode() == OP_MULTIPLY;
  activation_ = static_cast<model::Activation>(d_[D_OPTIONS] & 3);
  half_ = out_half_ = false;
  base_ = 0;
  block_ = n_ = out_row_ = 0;
  segment_left_ = word(D_SEGMENT_CHANNELS);
  tile_bit_ = 0;
  parameter_tile_ = 0;
}

bool Post::pixels_last() const {
  const int rows_here = std::min(word(D_OUT_HEIGHT) - out_row_, word(D_BLOCK_ROWS));
  return column_ + 1 == word(D_OUT_WIDTH) && row_ + 1 == rows_here;
}

void Post::start_tile() {
  running_ = !carry_out_;
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
  if (ends) end_tile(after_tile);
}

void Post::end_tile(std::uint32_t after_tile) {
  running_ = false;
  // Tiles whose partial sums stay take turns in the halves, one step further every two tiles.
  if (half_) base_ = (base_ + d_[D_PSUM_STEP]) & pixel_mask_;
  half_ = !half_;
  if (++n_ != n_tiles_) {
    const int placed = tile_channels();
    segment_left_ -= placed;
    if (segment_left_ == 0) segment_left_ = word(D_SEGMENT_NEXT);
    tile_bit_ += placed;
    parameter_tile_ = after_tile;
    return;
  }
  n_ = tile_bit_ = 0;
  base_ = 0;
  segment_left_ = word(D_SEGMENT_CHANNELS);
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

// The value the requantizer starts from: the sum, or the combination of the two operands that lie in it.
Word Post::combine(std::int64_t sum) const {
  if (!two_inputs_) return static_cast<Word>(sum);
  const int width = code_bits_ + 1;
  const std::int64_t a = static_cast<std::int64_t>(static_cast<Word>(sum) << (64 - width)) >> (64 - width);
  const std::int64_t b = (sum - a) >> width;
  const std::int64_t product = d_.opcode() == OP_MULTIPLY ? a * b : 0;
  return static_cast<Word>(product + signed_field(d_[D_FACTOR_0], 17) * a + signed_field(d_[D_FACTOR_1], 17) * b);
}

// Bias, scale, rounding and activation as model/integer_network.h defines them.
void Post::requantize(const Signals& now, Group& group) const {
  for (int l = 0; l < group.outputs; ++l) {
    const auto lane = static_cast<std::size_t>(l);
    const ParameterRecord& record = now.loader.parameters[lane];
    const int unused = unused_accumulator_bits_;
    const Word sum = (combine(now.array.sums[lane]) << acc_shift_) + static_cast<Word>(record.bias);
    const std::int64_t value = static_cast<std::int64_t>(sum << unused) >> unused;
    const bool negative = activation_ == model::Activation::leaky && value < 0;
    const Wide half = record.shift == 0 ? 0 : Wide{1} << (record.shift - 1);
    const Wide rounded =
        (Wide{value} * (negative ? record.negative_multiplier : record.multiplier) + half) >> record.shift;
    group.codes[lane] = static_cast<std::uint32_t>(activate(rounded)) & ((1u << code_bits_) - 1);
  }
}

std::int64_t Post::activate(Wide rounded) const {
  const auto clip = [](Wide x, std::int64_t low, std::int64_t high) {
    return x < low ? low : x > high ? high : static_cast<std::int64_t>(x);
  };
  if (activation_ == model::Activation::hard_swish) {
    const std::int64_t p = clip(rounded, -32768, 32767);
    const std::int64_t three = d_[D_SWISH] & 0xffff, six = d_[D_SWISH] >> 16;
    const int shift = static_cast<int>(d_[D_OPTIONS] >> 8 & 31);
    const std::int64_t gated = p * clip(p + three, 0, six);
    const std::int64_t near = shift == 0 ? gated : (gated + (std::int64_t{1} << (shift - 1))) >> shift;
    return clip(near + signed_field(d_[D_SWISH_OFFSET], 18), clip_low_, clip_high_);
  }
  if (activation_ == model::Activation::table) return table_[static_cast<std::size_t>(clip(rounded, -128, 127) + 128)];
  return clip(rounded, clip_low_, clip_high_);
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
  if (now.beat_for(ReadTarget::parameters) && now.loader.table) {
    std::memcpy(&table_[now.loader.table_entry], now.memory.rdata.data(), static_cast<std::size_t>(data_bits_ / 8));
  }
  Group& reading = pipeline_[(entered_ - 1) & 15];
  if (reading.valid) requantize(now, reading);
  Group& leaving = pipeline_[(entered_ - latency) & 15];
  if (leaving.valid) write(leaving);
  enter(now, pipeline_[entered_ & 15]);
  ++entered_;

  const bool starts_tile = left_ && !running_ && tiles_ready_ != 0 && (n_ != 0 || out_halves_used_ != 2);
  const bool starts_block = starts_tile && n_ == 0 && !carry_out_;
  tiles_ready_ += static_cast<int>(now.array.tile_done) - static_cast<int>(starts_tile);
  out_halves_used_ += static_cast<int>(starts_block) - static_cast<int>(now.store.read_last);
  if (starts_tile) {
    start_tile();
    if (carry_out_) end_tile(0);
  } else if (running_) {
    next_group();
  }
  if (now.sequencer.start) {
    start(now.sequencer.descriptor);
    left_ = true;
  }

  next.block_done = pipeline_[(entered_ - latency) & 15].block_end;
  next.carried = carry_out_ && !left_;
  next.group = running_;
  if (!running_) {
    // A tile whose sums stay ends as it starts.
    next.tile_end = carry_out_ && left_ && tiles_ready_ != 0;
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
