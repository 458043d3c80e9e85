// SPDX-License-Identifier: Apache-2.0
// Address generation, window by window: rtl/bs_walker.sv.
#pragma once

#include "sim/systemc/unit.h"

namespace bitstrata::sim::systemc {

class Walker final : public Unit<WalkerSignals> {
 public:
  Walker(const sc_core::sc_module_name& name, Fabric& fabric, const model::Architecture& architecture);

  bool active(const Signals& now) const { return now.window_take() || now.sequencer.start; }

 private:
  // Where a window begins inside the layer's runs.
  struct RunPosition {
    int run_x = 0, run_y = 0, position = 0;
    int offset_x = 0, offset_y = 0, offset_ring = 0;
  };

  void reset_state(WalkerSignals& shown) override;
  void clock_edge(const Signals& now, WalkerSignals& next) override;
  void start(const generate::Descriptor& descriptor);
  void advance();
  void next_pixel();
  void next_tile(const RunPosition& after);
  void first_segment();
  void next_output_tile();
  RunPosition after_window() const;
  int ring_add(int a, int b) const;
  int run_length() const;
  bool segment_ends() const { return segment_left_ <= capacity_; }                     // with the output tile
  bool second() const { return second_ && (two_inputs_ ? k_ != 0 : later_segment_); }  // the window's tensor
  int length() const;
  bool vector_ends() const;
  bool pixels_end() const {  // the pixel is the row tile's last one
    const int rows_here = std::min(d_.get<generate::F_OUT_HEIGHT>() - out_row_, d_.get<generate::F_BLOCK_ROWS>());
    return column_ + 1 == d_.get<generate::F_OUT_WIDTH>() && row_ + 1 == rows_here;
  }
  void show(WalkerSignals& next) const;

  const int tiles_, rows_, data_bits_;
  generate::Descriptor d_;
  bool active_ = false;
  bool whole_codes_ = false, two_inputs_ = false, second_ = false, broadcast_ = false, strips_ = false;
  int capacity_ = 0;  // outputs of a full tile
  int block_ = 0, n_ = 0, k_ = 0, out_row_ = 0, row_ = 0, column_ = 0;
  int block_y_ = 0, pixel_y_ = 0, block_ring_ = 0, pixel_ring_ = 0, pixel_x_ = 0, second_x_ = 0;
  int n_x_ = 0, segment_x_ = 0;  // of the output tile and its segment, from the pixel
  int segment_left_ = 0;         // outputs from this tile to the end of its segment
  bool later_segment_ = false;
  int fill_ = 0;
  RunPosition at_, tile_at_;  // of the window, and of the row tile's first window
  std::uint16_t rows_freed_ = 0, rows_kept_ = 0;
};

// Input rows a block needs whose window starts at row `y` (0 is the first row of the tensor).
inline std::uint16_t rows_needed(const generate::Descriptor& descriptor, int y) {
  const int span = descriptor.get<generate::F_BLOCK_SPAN>();
  const int all = descriptor.get<generate::F_ROWS_NEEDED>();
  return static_cast<std::uint16_t>(std::clamp(y + span, 0, all));
}

}  // namespace bitstrata::sim::systemc
