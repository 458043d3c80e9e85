// SPDX-License-Identifier: Apache-2.0
// Post-processing and the output buffer: rtl/bs_post.sv, bs_requant.sv and the two masked bs_plane_buffer.
#pragma once

#include <optional>
#include <vector>

#include "sim/systemc/lines.h"
#include "sim/systemc/toggles.h"
#include "sim/systemc/unit.h"

namespace bitstrata::sim::systemc {

class Post final : public Unit<PostSignals> {
 public:
  Post(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture);

  bool active(const Signals& now) const {
    return running_ || groups_ != 0 || now.store.read || now.array.tile_done || now.store.read_last || starts_tile() ||
           now.beat_for(ReadTarget::table) || now.sequencer.start || now.post.tile_end;
  }

  // Starts to count toggles of sums and parameters; the counts so far, kept up to date.
  const model::Toggles& watch_from_now() {
    const auto lanes = static_cast<std::size_t>(post_lanes_);
    const int width = 64 - unused_accumulator_bits_;
    watched_.emplace(WatchedLanes{{lanes, width}, {lanes, width}, {lanes, 38}});
    return toggles_;
  }

 private:
  // A group of outputs on its way through the pipeline.
  struct Group {
    bool valid = false, block_end = false, half = false;
    int outputs = 0, first_bit = 0;
    std::uint32_t row_slot = 0;
    std::array<std::uint32_t, most_post_lanes> codes{};
  };

  void reset_state(PostSignals& shown) override;
  void clock_edge(const Signals& now, PostSignals& next) override;
  void start(const generate::Descriptor& descriptor);
  void start_tile();
  void next_group();
  void next_tile(std::uint32_t after);
  void next_pixel();
  std::int64_t combine(std::int64_t sum) const;
  std::int64_t requantize(std::int64_t sum, const ParameterRecord& record) const;
  std::int64_t hard_swish(std::int64_t value) const;
  void requantize(const Signals& now, Group& group);
  void write(const Group& group);
  void enter(const Signals& now, Group& group) const;

  int tile_channels() const { return std::min(segment_left_, macros_ * lanes_full_); }
  // Outputs of the pixel's macro; what is left of them from the group on.
  int macro_lanes() const { return std::min(pixel_left_, lanes_full_); }
  int lanes_here() const { return macro_lanes() - lane_; }
  bool group_last() const { return lanes_here() <= post_lanes_; }
  bool macro_last() const { return tile_ + 1 == macros_ || pixel_left_ <= lanes_full_; }
  bool pixels_last() const;
  // A tile whose sums are whole may be read out, the first one of a block if an output half is free.
  bool starts_tile() const { return left_ && !running_ && tiles_ready_ != 0 && (n_ != 0 || out_halves_used_ != 2); }
  bool tile_end() const { return running_ && group_last() && macro_last() && pixels_last(); }
  bool block_end() const { return tile_end() && n_ + 1 == n_tiles_; }

  struct WatchedLanes {
    Watched sums, biases, scales;
  };
  void watch(std::size_t lane, std::int64_t sum, const ParameterRecord& record);

  std::optional<WatchedLanes> watched_;
  model::Toggles toggles_;
  const int tiles_, post_lanes_, data_bits_, line_words_, unused_accumulator_bits_, code_bits_, code_width_;
  const int interval_;                  // cycles from group to group
  const unsigned latency_, ring_mask_;  // cycles from a group's entry to the write of its bits; pipeline_ is a ring
  const std::uint32_t buffer_lines_;    // of each parity, both halves
  const std::uint32_t pixel_mask_, parameter_mask_;
  std::array<std::vector<Word>, 2> buffer_;  // even and odd lines
  std::array<std::uint8_t, 256> table_{};    // of the activation
  std::size_t table_entry_ = 0;              // where its next beat goes
  // Layer.
  generate::Descriptor d_;
  int macros_ = 1;  // in use: operators on whole codes have but the first
  bool carry_out_ = false, two_inputs_ = false, multiply_ = false;
  std::int64_t factor_0_ = 0, factor_1_ = 0;
  model::Activation activation_ = model::Activation::clip;
  std::int64_t swish_three_ = 0, swish_six_ = 0, swish_offset_ = 0;
  int swish_shift_ = 0;
  int out_bits_ = 0, lanes_full_ = 0, n_tiles_ = 0, acc_shift_ = 0;
  int out_step_ = 0, out_run_ = 0, out_jump_ = 0, out_tile_step_ = 0;  // where outputs go in their row
  bool shared_records_ = false;
  std::int64_t clip_low_ = 0, clip_high_ = 0;
  // Loops: block, output tile, pixel, macro, group.
  bool running_ = false, left_ = false, half_ = false, out_half_ = false;
  int tiles_ready_ = 0, out_halves_used_ = 0;
  int block_ = 0, n_ = 0, out_row_ = 0, row_ = 0, column_ = 0, tile_ = 0, lane_ = 0;
  int segment_left_ = 0;                          // channels from this tile to the end of its segment
  int pixel_left_ = 0;                            // of this tile from this macro on
  int pixel_bit_ = 0, tile_bit_ = 0, place_ = 0;  // first bits of pixel in row, tile in pixel, group in tile
  int run_ = 0;                                   // outputs of the group's run before it
  std::uint32_t row_slot_ = 0, pixel_ = 0, base_ = 0, parameter_tile_ = 0, parameter_ = 0;
  // pipeline_[(entered_ - k) & ring_mask_] entered k edges ago.
  std::vector<Group> pipeline_;
  unsigned entered_ = 0;
  int groups_ = 0;  // valid ones in the pipeline
  int wait_ = 0;    // cycles until the next one may enter
};

}  // namespace bitstrata::sim::systemc
