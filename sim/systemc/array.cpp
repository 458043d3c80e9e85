// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/array.h"

#include <bit>

namespace bitstrata::sim::systemc {

using namespace generate;

Array::Array(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture)
    : Unit(name, fabric, &Signals::array),
      tiles_(architecture.tiles),
      columns_(architecture.columns),
      row_words_((architecture.rows + 63) / 64),
      // Pieces of data_bits make up a row; 32-bit ones fill words in pairs.
      weight_words_(
          ((architecture.columns + architecture.data_bits - 1) / architecture.data_bits * architecture.data_bits + 63) /
          64),
      data_words_((architecture.data_bits + 63) / 64),
      data_bits_(architecture.data_bits),
      post_lanes_(architecture.post_lanes),
      macros_(static_cast<std::size_t>(architecture.tiles), Macro(architecture)) {
  weight_buffer_.resize(static_cast<std::size_t>(architecture.weight_depth) * static_cast<std::size_t>(weight_words_));
  weight_row_.resize(static_cast<std::size_t>(weight_words_));
}

void Array::reset_state(ArraySignals& shown) {
  shown = {};
  for (Macro& macro : macros_) macro.reset();
  counting_ = adding_up_ = {};
  joining_ = adding_ = lane_valid_ = added_ = added_last_ = false;
  tile_channels_ = 0;
}

// A row read in the last cycle goes into its macro; the buffer is read, then written.
void Array::weights(const Signals& now) {
  if (now.streamer.weight_write) {
    macros_[now.streamer.weight_tile].write_row(now.streamer.weight_row, weight_row_.data());
  }
  const auto words = static_cast<std::size_t>(weight_words_);
  if (now.load_row()) std::copy_n(&weight_buffer_[now.streamer.row_address * words], words, weight_row_.begin());
  if (now.beat_for(ReadTarget::weights)) {
    Word* const row = &weight_buffer_[now.loader.weight_row * words];
    const std::uint32_t piece = now.loader.weight_piece;
    if (data_bits_ == 32) {
      const int shift = static_cast<int>(piece & 1) * 32;
      Word& word = row[piece >> 1];
      word = (word & ~(Word{0xffffffff} << shift)) | (now.memory.rdata[0] & 0xffffffff) << shift;
    } else {
      std::copy_n(now.memory.rdata.begin(), data_words_, row + piece * static_cast<std::uint32_t>(data_words_));
    }
  }
}

void Array::post_read(const PostSignals& post, ArraySignals& next) const {
  for (int p = 0; p < post_lanes_; ++p) {
    next.sums[static_cast<std::size_t>(p)] = macros_[post.tile].sum(post.half, post.pixel, post.lane + p);
  }
}

// Lanes: the sums read in the last cycle are written with the values registered then, while this cycle's are read;
// reading sees the word before the write.
void Array::accumulate(const Signals& now) {
  const bool codes = now.codes(), valid = now.accumulate();
  const Token token =
      codes ? Token{now.streamer.pixel, now.streamer.half, now.streamer.first, now.streamer.tile_last} : add_token_;
  const int channels = static_cast<int>(now.streamer.tile_channels);
  for (int t = 0; t < tiles_; ++t) {
    Macro& macro = macros_[static_cast<std::size_t>(t)];
    const int lanes = lanes_of(t, channels), write_lanes = lanes_of(t, lane_channels_);
    if (valid && !token.first) macro.read_sums(lanes, token.half, token.pixel);
    if (lane_valid_) {
      const std::int64_t* const values = lane_codes_ ? now.feeder.codes.data() : macro.values();
      macro.write_sums(write_lanes, values, lane_token_.first, maximum_, lane_token_.half, lane_token_.pixel);
    }
    if (!valid) continue;
    macro.keep_sums();
    if (!codes) macro.take_joined(lanes, sum_);
  }
  lane_codes_ = codes;
  lane_valid_ = added_ = valid;
  lane_token_ = token;
  lane_channels_ = channels;
  added_last_ = valid && token.tile_last;
}

// Joiner, accumulators and popcounts, each from what the stage before held in this cycle.
void Array::count_and_add(const Word* plane) {
  for (int t = 0; t < tiles_; ++t) {
    const int columns = lanes_of(t, tile_channels_) * weight_bits_;
    if (columns == 0) break;
    Macro& macro = macros_[static_cast<std::size_t>(t)];
    if (joining_) macro.join(columns, step_);
    if (adding_up_.valid) macro.accumulate(columns, adding_up_.first, adding_up_.negative);
    if (counting_.valid) macro.count(columns, plane);
  }
  if (weight_bits_ != 1) return;
  if (joining_ && step_ == 0) sum_ = sum_acc_;
  if (adding_up_.valid) {
    sum_acc_ = (adding_up_.first ? 0 : sum_acc_ * 2) + (adding_up_.negative ? -sum_count_ : sum_count_);
  }
  if (counting_.valid) {
    sum_count_ = 0;
    for (int w = 0; w < row_words_; ++w) sum_count_ += std::popcount(plane[w]);
  }
}

void Array::clock_edge(const Signals& now, ArraySignals& next) {
  if (now.post.group) post_read(now.post, next);
  if (lane_valid_ || now.accumulate()) {
    accumulate(now);
  } else {
    added_ = false;
  }
  if (joining_ || adding_up_.valid || counting_.valid) count_and_add(now.feeder.plane.data());

  const bool joined = joining_ && step_ == last_step_;
  if (joining_) add_token_ = join_token_;
  if (adding_up_.valid && adding_up_.last) {
    join_token_ = adding_up_.token;
    joining_ = true;
    step_ = 0;
  } else {
    joining_ = joining_ && !joined;
    ++step_;
  }
  adding_ = joined;
  adding_up_ = counting_;
  counting_.valid = now.plane();
  if (counting_.valid) {
    const StreamerSignals& s = now.streamer;
    counting_ = {true, !s.in_vector, s.plane_last, s.plane_negative, {s.pixel, s.half, s.first, s.tile_last}};
  }
  tile_channels_ = static_cast<int>(now.streamer.tile_channels);
  weights(now);
  if (now.sequencer.start) {
    const Descriptor& d = now.sequencer.descriptor;
    weight_bits_ = d.opcode() == OP_CONVOLUTION ? d.weight_bits() : 0;
    last_step_ = weight_bits_ > 8 ? 3 : weight_bits_ > 4 ? 2 : weight_bits_ > 2 ? 1 : 0;
    lanes_full_ = static_cast<int>(d[D_LANES] & 0xffff);
    maximum_ = d.opcode() == OP_MAX_POOL;
    for (Macro& macro : macros_) macro.configure(weight_bits_);
  }
  next.busy = counting_.valid || adding_up_.valid || joining_ || adding_ || added_;
  next.adding = adding_;
  next.adding_first = add_token_.first;
  next.tile_done = added_ && added_last_;
}

}  // namespace bitstrata::sim::systemc
