// SPDX-License-Identifier: Apache-2.0
// The array of macros with its weight buffer, activation-sum unit and control tokens: rtl/bs_array.sv.
#pragma once

#include <algorithm>

#include "sim/systemc/dots.h"
#include "sim/systemc/macro.h"
#include "sim/systemc/unit.h"

namespace bitstrata::sim::systemc {

class Array final : public Unit<ArraySignals> {
 public:
  Array(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture);

  bool active(const Signals& now) const {
    return now.plane() || counting_.valid || adding_up_.valid || summing_.valid || joining_ || adding_ || lane_valid_ ||
           added_ || now.codes() || now.post.group || now.load_row() || now.streamer.weight_write ||
           now.beat_for(ReadTarget::weights) || now.sequencer.start || toggles_ != nullptr ||
           tile_channels_ != static_cast<int>(now.streamer.tile_channels);
  }

  // From now on toggles are counted; `layers` gets those of each descriptor.
  void watch(const model::Architecture& architecture, std::vector<model::Toggles>& layers, const model::Toggles& feeder,
             const model::Toggles& post);

 private:
  // Travels with a vector.
  struct Token {
    std::uint32_t pixel = 0;
    bool half = false, first = false, tile_last = false;
    int vectors = 1;  // of the group; their pixels follow one another
  };
  // A plane in the pipeline.
  struct Stage {
    bool valid = false, first = false, last = false, negative = false, shift = false;
    int weight_plane = 0, fold = 0;
    Token token;
  };

  void reset_state(ArraySignals& shown) override;
  void clock_edge(const Signals& now, ArraySignals& next) override;
  void weights(const Signals& now);
  void settle(const Signals& now);
  void end_layer();
  void post_read(const PostSignals& post, ArraySignals& next) const;
  void accumulate(const Signals& now);
  void count_and_add(const Word* plane);
  void count_and_add_pairs(const Word* planes);
  // Outputs of a tile of `channels` outputs in macro t.
  int lanes_of(int t, int channels) const { return std::clamp(channels - t * lanes_full_, 0, lanes_full_); }

  // Sums of the activations themselves, which outputs of 1-bit weights need.
  struct SumUnit {
    std::int64_t count = 0, acc = 0, sum = 0;
  };
  void sum_activations(const Word* planes);

  const bool overlay_;
  const int tiles_, columns_, row_words_, weight_words_, data_words_, data_bits_, post_lanes_;
  std::vector<Macro> macros_;  // overlay: one, for its lanes
  Dots dots_;
  const std::uint32_t pixel_mask_;
  std::vector<Word> weight_buffer_;  // a row at address a begins at a * weight_words_
  std::vector<Word> weight_row_;     // output register of the weight buffer
  // Layer.
  int weight_bits_ = 0, lanes_full_ = 0;
  bool maximum_ = false;
  int tile_channels_ = 0;  // outputs of the tile as the columns' enables know them
  // Pipeline: plane on the columns, counts on the joiner's first half (overlay: the accumulators), the joiner's second
  // half with the accumulators, lanes.
  Stage counting_, adding_up_, summing_;
  bool joining_ = false, adding_ = false, lane_valid_ = false, added_ = false, added_last_ = false;
  int vector_ = 0;  // of the group whose sums reach the lanes
  Token join_token_, add_token_, lane_token_;
  bool lane_codes_ = false;         // the lanes' values are the feeder's codes
  int lane_channels_ = 0;           // outputs of the tile when the lanes took their values
  std::vector<SumUnit> sum_units_;  // one a vector
  std::vector<model::Toggles>* toggles_ = nullptr;
  std::array<const model::Toggles*, 2> others_{};  // the feeder's and post-processing's, so far
  model::Toggles before_;                          // the layer
};

}  // namespace bitstrata::sim::systemc
