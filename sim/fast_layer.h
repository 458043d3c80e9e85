// SPDX-License-Identifier: Apache-2.0
// A descriptor read the way the units read it: loop bounds, tile shapes and window structure of one layer.
#pragma once

#include <cstdint>
#include <vector>

#include "model/architecture.h"
#include "model/events.h"
#include "rtl/generate/descriptor.h"

namespace bitstrata::sim {

// One buffer access of the feeder for a vector (bs_walker): offsets from the pixel's first tap.
struct GatherWindow {
  std::int64_t x;     // bits along the input row
  std::int64_t y;     // rows
  std::int64_t size;  // bits
};

class FastLayer {
 public:
  FastLayer(const generate::Descriptor& descriptor, const model::Architecture& architecture);

  // Widths and kinds. `values`: no convolution, but pooling or an operator on single values.
  bool values, resident, keeps_weights, second, broadcast, carry_in, carry_out;
  int weight_bits, activation_bits, second_bits, output_bits;
  // Array.
  int array_rows, macros_built, weight_depth, line_bits, post_lanes, weight_row_beats;
  // Loops.
  int blocks, k_tiles, n_tiles, out_width, out_height, block_rows, lanes, out_row_beats;
  // Loader.
  int in_slots, rows_needed, row_beats, second_beats, param_beats, fetch_beats;
  // Streamer: cycles between vector starts; cycles from a vector's issue of the last plane to its array result.
  int vector_interval, join_steps;

  const generate::Descriptor& descriptor() const { return descriptor_; }
  // Input rows block `block` needs, counted from the first; rows the feeder has given back after it.
  int need(int block) const;
  int freed_after(int block) const;
  int rows_in_block(int block) const;
  int pixels_in_block(int block) const { return rows_in_block(block) * out_width; }
  int tile_rows(int k) const { return k + 1 == k_tiles ? rows_last_ : array_rows; }
  // Outputs of output tile n, in all macros; macros that hold any; outputs of one of them.
  int tile_outputs(int n) const { return tiles_[static_cast<std::size_t>(n)].outputs; }
  int macros_used(int n) const;
  int macro_outputs(int n, int macro) const;
  // Groups of post_lanes outputs a pixel of output tile n takes in post-processing.
  int post_groups(int n) const;

  // Windows of one vector of (n, k).
  const std::vector<GatherWindow>& windows(int n, int k) const {
    return walks_[tiles_[static_cast<std::size_t>(n)].walk].row_tiles[static_cast<std::size_t>(k)];
  }
  // The vectors of (n, k) are made of the second tensor.
  bool of_second(int n, int k) const {
    return second && (two_inputs_ ? k != 0 : tiles_[static_cast<std::size_t>(n)].segment != 0);
  }

  // The members of Events that do not depend on timing.
  void add_counts(model::Events& events) const;

 private:
  struct Tile {
    int outputs, segment;
    std::int64_t x;    // bits from the pixel to its first input
    std::size_t walk;  // index into walks_
  };
  struct Walk {
    int run_length;
    std::vector<std::vector<GatherWindow>> row_tiles;
  };
  void lay_tiles();
  std::vector<std::vector<GatherWindow>> walk(int run_length) const;
  std::int64_t bits_read(int n) const;

  generate::Descriptor descriptor_;
  bool two_inputs_;
  int rows_last_;
  std::vector<Tile> tiles_;
  std::vector<Walk> walks_;  // one for each length of a run
};

}  // namespace bitstrata::sim
