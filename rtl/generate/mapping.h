// SPDX-License-Identifier: Apache-2.0
// How a layer lies on the array: which input values meet in a vector, which outputs share an output tile.
#pragma once

#include <cstdint>
#include <vector>

#include "model/architecture.h"
#include "model/integer_network.h"

namespace bitstrata::generate {

// The outputs of one output tile.
struct Tile {
  int first = 0;  // output channel
  int count = 0;
};

struct Mapping {
  bool convolution = true;  // false: an operator on whole codes, which uses the first macro only
  int weight_bits = 0;  // columns a weight takes; 2 for packed groups of -1/+1 weights, which need a zero beside them
  int macros = 1;
  int lanes = 1;          // outputs of a macro in a full tile
  int groups = 1;         // of the convolution
  int packed = 1;         // groups whose outputs share a tile: their inputs share the vectors, zero weights part them
  int slice = 0;          // input channels of one tap of a vector
  bool whole_row = true;  // a kernel row is one run of neighbouring bits
  // Channels of the first and of all further segments, which tiles do not cross, and their step in input channels.
  int segment = 0, segment_next = 0, segment_step = 0;
  int tile_step = 0;  // input channels from tile to tile in a segment
  // The last row tile, where it is short enough: log2 of the planes at once, at most. Then two's complement codes enter
  // as unsigned ones, their sign plane turned over; its place (-1: codes are unsigned).
  int most_fold = 0, sign_plane = -1;
  int repeats = 1;  // upsampling: the pixel's channels are written so often side by side
  int pixels = 1;   // in strips: neighbouring pixels of a tile, each of which has the records of the first
  int phases = 1;   // upsampling, depth to space: rows of the output that a row of the input becomes

  int capacity() const { return macros * lanes; }
};

// All ways to lay out the layer that are worth comparing: more than one for grouped convolutions, where fewer groups a
// tile mean fewer rows and more tiles.
std::vector<Mapping> mappings(const model::Architecture& architecture, const model::IntegerNetwork& network,
                              const model::IntegerLayer& layer);

// Output tiles of channels [first, end) in their order. Upsampling counts the repeated channels apart.
std::vector<Tile> tiles_of(const Mapping& mapping, int first, int end);

// First input channel (of the layer's input, before any slice's end) that tile `tile` of `tiles_of` reads.
int first_input(const Mapping& mapping, const std::vector<Tile>& tiles, std::size_t tile);

}  // namespace bitstrata::generate
