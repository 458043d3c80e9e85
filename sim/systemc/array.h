// SPDX-License-Identifier: Apache-2.0
// The array of macros with its weight buffer, activation-sum unit and control tokens: rtl/bs_array.sv.
#pragma once

#include <memory>

#include "sim/systemc/array_body.h"
#include "sim/systemc/unit.h"

namespace bitstrata::sim::systemc {

class Array final : public Unit<ArraySignals> {
 public:
  Array(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture);

  bool active(const Signals& now) const {
    return now.plane() || stages_.any() || adding_ || lane_valid_ || added_ || now.codes() || now.post.group ||
           now.load_row() || now.streamer.weight_write || now.beat_for(ReadTarget::weights) || now.sequencer.start ||
           toggles_ != nullptr || tile_channels_ != static_cast<int>(now.streamer.tile_channels);
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
  void reset_state(ArraySignals& shown) override;
  void clock_edge(const Signals& now, ArraySignals& next) override;
  void weights(const Signals& now);
  void end_layer();
  void post_read(const PostSignals& post, ArraySignals& next) const;
  void accumulate(const Signals& now);

  // Sums of the activations themselves, which outputs of 1-bit weights need.
  struct SumUnit {
    std::int64_t count = 0, acc = 0, sum = 0;
  };
  void sum_activations(const Word* planes);

  const int row_words_, weight_words_, data_words_, data_bits_, post_lanes_;
  const std::unique_ptr<ArrayBody> body_;
  const std::uint32_t pixel_mask_;
  std::vector<Word> weight_buffer_;  // a row at address a begins at a * weight_words_
  std::vector<Word> weight_row_;     // output register of the weight buffer
  // Layer.
  int weight_bits_ = 0, lanes_full_ = 0;
  bool maximum_ = false;
  int tile_channels_ = 0;  // outputs of the tile as the columns' enables know them
  // Pipeline: the style's stages, with the tokens of the planes in its first two; lanes.
  PlaneStages stages_;
  Token counting_token_, adding_up_token_;
  bool adding_ = false, lane_valid_ = false, added_ = false, added_last_ = false;
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
