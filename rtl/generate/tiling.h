// SPDX-License-Identifier: Apache-2.0
// Cuts layers that the buffers do not hold into pieces, one descriptor each.
#pragma once

#include <cstdint>
#include <vector>

#include "rtl/generate/mapping.h"

namespace bitstrata::generate {

// A rectangle of the output, computed from a part of the kernel. Half-open ranges.
struct Piece {
  int y0 = 0, y1 = 0, x0 = 0, x1 = 0;        // output pixels
  int n0 = 0, n1 = 0;                        // output channels; all of them unless the output is one pixel
  int ky0 = 0, ky1 = 0;                      // kernel rows
  int run0 = 0, run1 = 0;                    // part of a kernel row in input values, where `whole_row`; else 0, 0
  int kx0 = 0, kx1 = 0;                      // part of a pooling's kernel row in taps; else 0, 0
  bool carry_in = false, carry_out = false;  // partial sums go on from the piece before, and into the next one
  int phase = 0;                             // upsampling, depth to space: row of the enlarged pixel
  int row_step =
      1;  // input rows from one that is loaded to the next; more than 1 divides the stride, of one kernel row

  // Taps of a kernel row of `width`.
  int taps(int width) const { return kx1 > 0 ? kx1 - kx0 : width; }

  bool operator==(const Piece&) const = default;
};

// Whether they write the same output channels, and so have the same parameters; whether their weights are the same.
inline bool same_channels(const Piece& a, const Piece& b) { return a.n0 == b.n0 && a.n1 == b.n1; }
inline bool same_weights(const Piece& a, const Piece& b) {
  return same_channels(a, b) && a.ky0 == b.ky0 && a.ky1 == b.ky1 && a.run0 == b.run0 && a.run1 == b.run1;
}

// One way to run a layer.
struct Tiling {
  Mapping mapping;
  bool overlap = true;  // blocks leave room for the next one's input rows
  std::vector<Piece> pieces;
};

// Ways to run layer `layer` that fit the buffers, the likely best first. Throws std::invalid_argument, naming layer,
// buffer and what would be needed, when there is none.
std::vector<Tiling> tilings(const model::Architecture& architecture, const model::IntegerNetwork& network,
                            const model::IntegerLayer& layer);

// Room of a piece in the buffers, in lines of one parity.
struct Room {
  int first_line = 0, lines = 0;                // of an input row
  int second_first_line = 0, second_lines = 0;  // of a row of the second tensor
  int slot = 0;                                 // an input row with the second tensor's row beside it
  int ring = 0, slots = 0;                      // input rows held
  int first_row = 0, rows = 0;                  // input rows the piece reads: loaded from the first one on
  int out_lines = 0, out_slot = 0;              // an output row, and what it takes while it is computed
  std::int64_t out_values = 0;                  // of the row, stored
  std::int64_t computed_values = 0;             // with those of pixels beyond it
};
Room room_of(const model::Architecture& architecture, const model::IntegerNetwork& network,
             const model::IntegerLayer& layer, const Mapping& mapping, const Piece& piece);

// Output rows of the piece computed before the buffers turn over.
int block_rows_of(const model::Architecture& architecture, const model::IntegerNetwork& network,
                  const model::IntegerLayer& layer, const Mapping& mapping, const Piece& piece, bool overlap);

}  // namespace bitstrata::generate
