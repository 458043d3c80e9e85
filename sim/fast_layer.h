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

  // Widths and kinds. `whole_codes`: as Descriptor says it.
  bool whole_codes, resident, keeps_weights, second, broadcast, carry_in, carry_out, strips;
  int weight_bits, activation_bits, second_bits, output_bits;
  // Array. `vectors`: of a group that enters it together.
  const model::Style& style;
  int vectors;
  int array_rows, macros_built, weight_depth, line_bits, post_lanes, post_interval, post_latency, weight_row_beats;
  // Loops.
  int blocks, k_tiles, n_tiles, out_width, out_height, block_rows, lanes, out_row_beats;
  // Loader.
  int in_slots, rows_needed, row_beats, second_beats, param_beats, fetch_beats;
  int fold;            // log2 of the planes at once in the last row tile
  int vector_cycles;   // in which the planes of a vector, or group (whole codes: at once), enter the array
  int least_interval;  // cycles between the last planes of two vectors

  const generate::Descriptor& descriptor() const { return descriptor_; }
  // Input rows block `block` needs, counted from the first; rows the feeder has given back after it.
  int need(int block) const;
  int freed_after(int block) const;
  // Input rows from block to block. From block `first` on, the block behind the last one that needs exactly so many
  // more than the one before it; `first` where the padding still counts there.
  int block_step() const;
  int steady_until(int first) const;
  int rows_in_block(int block) const;
  int pixels_in_block(int block) const { return rows_in_block(block) * out_width; }
  // Steps of a vector of row tile k through its planes, and the cycles that they take.
  int plane_steps(int k) const {
    return k + 1 == k_tiles ? (activation_bits + (1 << fold) - 1) >> fold : activation_bits;
  }
  int cycles_of(int k) const {
    return whole_codes || fold == 0 || k + 1 != k_tiles ? vector_cycles
                                                        : style.vector_cycles(weight_bits, plane_steps(k));
  }
  int tile_rows(int k) const { return k + 1 == k_tiles ? rows_last_ : array_rows; }
  int all_rows() const { return (k_tiles - 1) * array_rows + rows_last_; }
  int groups_in_block(int block) const { return (pixels_in_block(block) + vectors - 1) / vectors; }
  // Vectors of a row tile's last group.
  int last_group(int block) const { return pixels_in_block(block) - (groups_in_block(block) - 1) * vectors; }
  // Rows of the weight buffer for row tile k of a macro of output tile n, and for all row tiles.
  int load_rows(int n, int k) const {
    const Tile& tile = tiles_[static_cast<std::size_t>(n)];
    return k + 1 == k_tiles ? tile.last_load_rows : tile.load_rows;
  }
  std::int64_t all_load_rows(int n) const {
    return std::int64_t{k_tiles - 1} * load_rows(n, 0) + load_rows(n, k_tiles - 1);
  }
  // Macros that hold outputs of output tile n.
  int macros_used(int n) const { return tiles_[static_cast<std::size_t>(n)].macros; }
  // Groups of post_lanes outputs a pixel of output tile n takes in post-processing.
  int post_groups(int n) const { return tiles_[static_cast<std::size_t>(n)].post_groups; }

  // Ends of the row tiles among the windows of a vector of output tile n: those of row tile k are [k] to [k + 1].
  const int* window_ends(int n) const { return walks_[tiles_[static_cast<std::size_t>(n)].walk].ends.data(); }
  // Window `w` of output tile n, and the bits from the pixel to the tile's first input.
  const GatherWindow& window(int n, int w) const {
    return walks_[tiles_[static_cast<std::size_t>(n)].walk].windows[static_cast<std::size_t>(w)];
  }
  std::int64_t tile_x(int n) const { return tiles_[static_cast<std::size_t>(n)].x; }
  // Where the row that output tile n reads begins: the input row, or a strip of it.
  std::int64_t row_begin(int n) const { return strips ? tile_x(n) : 0; }
  bool same_inputs(int n, int m) const {
    const Tile &a = tiles_[static_cast<std::size_t>(n)], &b = tiles_[static_cast<std::size_t>(m)];
    return a.x == b.x && a.walk == b.walk;
  }
  int outputs(int n) const { return tiles_[static_cast<std::size_t>(n)].outputs; }
  // Output tiles of one shape differ in addresses only.
  bool same_shape(int n, int m) const {
    const Tile &a = tiles_[static_cast<std::size_t>(n)], &b = tiles_[static_cast<std::size_t>(m)];
    return a.outputs == b.outputs && a.walk == b.walk;
  }

  // The members of Events that do not depend on timing.
  void add_counts(model::Events& events) const;
  // Cycles in which the array loads weights or streams vectors: Events::compute_cycles, of which no layer takes fewer.
  // The array's own pace is here and in `vector_cycles`.
  std::int64_t compute_cycles() const;
  std::int64_t compute_cycles_of(int block) const;
  // Lines read from memory, which hands over one a cycle: a bound, too.
  std::int64_t lines_loaded() const;

 private:
  struct Tile {
    int outputs, segment, macros, post_groups;
    int load_rows, last_load_rows;  // of the weight buffer, for a row tile of a macro, and for the last one
    std::int64_t x;                 // bits from the pixel to its first input
    std::size_t walk;               // index into walks_
  };
  struct Walk {
    int run_length;
    std::vector<GatherWindow> windows;  // of all row tiles
    std::vector<int> ends;              // of row tile k: windows ends[k] to ends[k + 1]
  };
  void lay_tiles(const model::Architecture& architecture);
  Walk walk(int run_length) const;
  // The vectors of (n, k) are made of the second tensor.
  bool of_second(int n, int k) const {
    return second && (two_inputs_ ? k != 0 : tiles_[static_cast<std::size_t>(n)].segment != 0);
  }
  std::int64_t lines_read(int n) const;
  std::int64_t rows_at(std::int64_t y) const;
  std::int64_t lines_at(std::int64_t x, std::int64_t step, std::int64_t size, std::int64_t begin,
                        std::int64_t end) const;

  generate::Descriptor descriptor_;
  bool two_inputs_;
  int rows_last_;
  std::int64_t weight_rows_;  // rows of the weight buffer for all tiles
  std::vector<Tile> tiles_;
  std::vector<Walk> walks_;  // one for each length of a run
};

}  // namespace bitstrata::sim
