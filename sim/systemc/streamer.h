// SPDX-License-Identifier: Apache-2.0
// Array control, weight rows and planes: rtl/bs_streamer.sv.
#pragma once

#include <algorithm>

#include "sim/systemc/unit.h"

namespace bitstrata::sim::systemc {

class Streamer final : public Unit<StreamerSignals> {
 public:
  Streamer(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture);

  bool active(const Signals& now) const {
    return now.plane() || rest_ != 0 || now.load_row() || now.streamer.weight_write || now.codes() ||
           now.sequencer.start || now.post.tile_end || (state_ == State::tile && halves_used_ != 2) ||
           (state_ == State::drain && !now.array.busy);
  }

 private:
  enum class State { idle, tile, load, drain, stream };

  void reset_state(StreamerSignals& shown) override;
  void clock_edge(const Signals& now, StreamerSignals& next) override;
  void start(const generate::Descriptor& descriptor);
  State step(const Signals& now, bool load_last, bool tile_end) const;
  // True when the row is the tile's last one in its last macro.
  bool load_row();
  // After a vector's last plane. True at the end of a row tile.
  bool next_vector(const Signals& now);
  // What follows the plane, or pair of planes, of this cycle.
  void next_step(const Signals& now, PlaneStep& next);
  void show(StreamerSignals& next) const;
  bool k_last() const { return k_ + 1 == d_.get<generate::F_K_TILES>(); }
  bool n_last() const { return n_ + 1 == d_.get<generate::F_N_TILES>(); }
  int tile_rows() const { return k_last() ? d_.get<generate::F_ROWS_LAST>() : rows_; }
  // Rows of the weight buffer for a row tile.
  int load_rows() const {
    return static_cast<int>(
        architecture_.words_of_weights(std::min(segment_left_, lanes_), d_.weight_bits(), tile_rows()));
  }

  const model::Architecture architecture_;
  const PlaneOrder order_;
  const int tiles_, rows_;
  const std::uint32_t weight_mask_, pixel_mask_;
  generate::Descriptor d_;
  State state_ = State::idle;
  bool whole_codes_ = false, two_inputs_ = false, resident_ = false, keeps_weights_ = false, signed_ = false;
  bool carry_in_ = false;
  int lanes_ = 0, macros_ = 1;  // outputs of a full macro; macros in use: operators on whole codes have but the first
  int block_ = 0, n_ = 0, k_ = 0;
  int segment_left_ = 0;  // outputs from this tile to the end of its segment
  int tile_channels_ = 0;
  int weight_row_ = 0, weight_tile_ = 0;
  bool in_vector_ = false;  // the step that is shown comes next
  int top_ = 0;             // first activation plane of the vector
  int rest_ = 0;            // cycles before the next last plane may come
  int halves_used_ = 0;
  bool half_ = false;
  std::uint32_t pixel_ = 0, base_ = 0;  // within the tile, and where its partial sums begin
  std::uint32_t rows_taken_ = 0, row_address_ = 0;
};

}  // namespace bitstrata::sim::systemc
