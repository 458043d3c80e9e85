// SPDX-License-Identifier: Apache-2.0
// The arrays that the co-simulation tests compile: few, since each costs a Verilator build, and shared by the tests.
// Odd and even sizes, every bus width, one and several macros, small buffers (several blocks, streamed weights) and
// large ones, narrow accumulators and planes, short and long bursts.
#pragma once

#include <vector>

#include "model/architecture.h"

namespace bitstrata::test {

namespace detail {

inline model::Architecture array(const char* name, int tiles, int rows, int columns, int data_bits, int post_lanes) {
  model::Architecture a;
  a.name = name;
  a.tiles = tiles;
  a.rows = rows;
  a.columns = columns;
  a.data_bits = data_bits;
  a.post_lanes = post_lanes;
  return a;
}

}  // namespace detail

// 16 x 16, 8-bit, small buffers, up to four planes at once through trees of adders.
inline model::Architecture narrow_array() {
  model::Architecture a = detail::array("1x16x16", 1, 16, 16, 32, 2);
  a.fold = 4;
  a.popcount_tree = true;
  a.max_weight_bits = 8;
  a.max_activation_bits = 8;
  a.activation_depth = 32;
  a.output_depth = 8;
  a.weight_depth = 32;
  a.psum_depth = 16;
  a.burst_beats = 4;
  a.outstanding = 2;
  return a;
}

// Two macros of 32 x 24.
inline model::Architecture paired_array() {
  model::Architecture a = detail::array("2x32x24", 2, 32, 24, 64, 4);
  a.max_weight_bits = 6;
  a.load_rows = 8;
  a.activation_depth = 32;
  a.output_depth = 8;
  a.weight_depth = 64;
  a.psum_depth = 64;
  a.skip_planes = true;
  a.clock_gating = true;
  return a;
}

// Three macros, one burst in flight, odd burst length, addresses of 64 bits.
inline model::Architecture triple_array() {
  model::Architecture a = detail::array("3x20x17", 3, 20, 17, 64, 1);
  a.activation_depth = 16;
  a.output_depth = 4;
  a.weight_depth = 128;
  a.psum_depth = 16;
  a.burst_beats = 7;
  a.address_width = 64;
  a.outstanding = 1;
  return a;
}

// Odd sizes, 5-bit activations.
inline model::Architecture odd_array() {
  model::Architecture a = detail::array("1x13x19", 1, 13, 19, 64, 4);
  a.max_activation_bits = 5;
  a.accumulator_bits = 40;
  a.skip_planes = true;
  a.popcount_tree = true;
  return a;
}

// Rows and columns of more than one word; weight rows of more than one beat.
inline model::Architecture wide_array() {
  model::Architecture a = detail::array("1x70x66", 1, 70, 66, 64, 8);
  a.max_weight_bits = 8;
  a.load_rows = 2;
  return a;
}

// Lines wider than a row of columns; 3-bit activations, up to four planes at once over rows of two words.
inline model::Architecture widest_array() {
  model::Architecture a = detail::array("2x128x24", 2, 128, 24, 256, 4);
  a.fold = 4;
  a.max_activation_bits = 3;
  a.psum_depth = 64;
  return a;
}

// Narrow accumulators: refuses much, and what it takes must still be exact. Up to two planes at once.
inline model::Architecture tiny_array() {
  model::Architecture a = detail::array("1x32x8", 1, 32, 8, 128, 2);
  a.fold = 2;
  a.max_weight_bits = 4;
  a.max_activation_bits = 4;
  a.accumulator_bits = 24;
  a.psum_depth = 64;
  a.burst_beats = 2;
  a.outstanding = 2;
  return a;
}

// Style overlay: 4 vectors of 32 values meet 6 outputs, 8-bit, small buffers.
inline model::Architecture overlay_array() {
  model::Architecture a = detail::array("overlay-4x32x6", 1, 32, 6, 32, 2);
  a.style = "overlay";
  a.vectors = 4;
  a.max_weight_bits = 8;
  a.max_activation_bits = 8;
  a.activation_depth = 32;
  a.output_depth = 8;
  a.weight_depth = 64;
  a.psum_depth = 32;
  a.burst_beats = 4;
  return a;
}

// Odd sizes, rows of more than one word and beat, 16-bit.
inline model::Architecture wide_overlay_array() {
  model::Architecture a = detail::array("overlay-3x70x9", 1, 70, 9, 64, 4);
  a.style = "overlay";
  a.vectors = 3;
  a.skip_planes = true;
  return a;
}

// One vector at a time, so that a group is never waited for; fewer bits of activations than of weights.
inline model::Architecture single_overlay_array() {
  model::Architecture a = detail::array("overlay-1x24x20", 1, 24, 20, 128, 4);
  a.style = "overlay";
  a.max_activation_bits = 3;
  a.max_weight_bits = 5;
  a.clock_gating = a.popcount_tree = true;
  a.weight_depth = 128;
  a.psum_depth = 64;
  a.skip_planes = true;
  return a;
}

// The corners: more vectors than pixels at once, fewer outputs than post-processing lanes, 1-bit weights.
inline model::Architecture corner_overlay_array() {
  model::Architecture a = detail::array("overlay-12x16x3", 1, 16, 3, 64, 8);
  a.style = "overlay";
  a.vectors = 12;
  a.max_weight_bits = 1;
  a.max_activation_bits = 2;
  a.psum_depth = 8;
  a.skip_planes = true;
  return a;
}

// Everything as small as a small FPGA wants it: short lines, narrow counts and addresses, no units.
inline model::Architecture least_array() {
  model::Architecture a = detail::array("1x6x5", 1, 6, 5, 16, 1);
  a.max_weight_bits = a.max_activation_bits = 3;
  a.accumulator_bits = 18;
  a.address_width = 18;
  a.count_bits = 9;
  a.activation_depth = 32;
  a.output_depth = 16;
  a.weight_depth = 64;
  a.psum_depth = 32;
  a.parameter_depth = 64;
  a.outstanding = 1;
  a.vector_unit = a.swish_unit = a.table_unit = false;
  a.serial_requantizer = true;
  return a;
}

inline std::vector<model::Architecture> all_arrays() {
  return {narrow_array(),       paired_array(),         triple_array(),         odd_array(),
          wide_array(),         widest_array(),         tiny_array(),           overlay_array(),
          wide_overlay_array(), single_overlay_array(), corner_overlay_array(), least_array()};
}

}  // namespace bitstrata::test
