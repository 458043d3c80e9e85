// SPDX-License-Identifier: Apache-2.0
#include "rtl/generate/mapping.h"

#include <algorithm>
#include <bit>

#include "rtl/generate/strips.h"

namespace bitstrata::generate {

namespace {

using model::Architecture;
using model::IntegerLayer;
using model::Operands;

// Operators on whole codes: up to `lanes` neighbouring channels a vector.
Mapping of_whole_codes(const Architecture& a, const IntegerLayer& layer, int first_channels, int second_channels) {
  Mapping m;
  m.convolution = false;
  m.lanes = std::min({a.rows, a.columns, a.data_bits, std::max(first_channels, second_channels)});
  m.slice = m.tile_step = m.lanes;
  m.segment = m.segment_next = first_channels;
  if (joins_channels(layer.kind)) m.segment_next = second_channels;
  if (enlarges(layer.kind)) m.phases = layer.factor[0];
  if (operands(layer.kind) == Operands::enlarged) m.repeats = layer.factor[0];
  return m;
}

// `strip`: of the output; a tile holds whole ones.
Mapping dense(const Architecture& a, const IntegerLayer& layer, int in_channels, int out_channels, int strip = 0) {
  Mapping m;
  m.weight_bits = layer.weight_bits;
  m.macros = a.tiles;
  m.lanes = a.outputs_per_macro(layer.weight_bits);
  if (strip > 1) m.lanes = m.lanes / strip * strip;
  m.slice = in_channels;
  m.whole_row = layer.window.dilation_width == 1;
  m.segment = m.segment_next = out_channels;
  return m;
}

// A StripLayer: one strip at a time, whose pixels' outputs are a tile where there are several.
Mapping of_strips(const Architecture& a, const IntegerLayer& layer, int strip, int outputs) {
  Mapping m = dense(a, layer, strip, outputs);
  m.groups = layer.groups;
  m.pixels = outputs / strip;
  m.segment_step = strip;
  if (m.pixels > 1) m.lanes = m.lanes / strip * strip;
  m.lanes = std::min(m.lanes, outputs);
  return m;
}

std::vector<Mapping> unfolded_mappings(const Architecture& a, const model::IntegerNetwork& network,
                                       const IntegerLayer& layer) {
  const model::TensorFormat& in = network.tensors[static_cast<std::size_t>(layer.input)];
  const int in_channels = in.shape.channels;
  if (!has_weights(layer.kind)) {
    const int second =
        joins_channels(layer.kind) ? network.tensors[static_cast<std::size_t>(layer.second)].shape.channels : 0;
    // Depth to space copies the channels of one row of its blocks at a time.
    const int rows = operands(layer.kind) == Operands::spread ? layer.factor[0] : 1;
    return {of_whole_codes(a, layer, in_channels / rows, second)};
  }
  const model::TensorFormat& out = network.tensors[static_cast<std::size_t>(layer.output)];
  const int out_channels = out.shape.channels;
  if (const int strip = strip_of(a, in); strip > 0)
    return {of_strips(a, layer, strip, layer.out_channels() / layer.groups)};
  if (layer.groups == 1) return {dense(a, layer, in_channels, out_channels, strip_of(a, out))};

  const int inputs = in_channels / layer.groups, outputs = out_channels / layer.groups;
  std::vector<Mapping> all;
  // One group at a time.
  Mapping alone = dense(a, layer, inputs, outputs);
  alone.groups = layer.groups;
  alone.whole_row = false;
  alone.segment = alone.segment_next = outputs;
  alone.segment_step = inputs;
  alone.lanes = std::min(alone.lanes, outputs);
  all.push_back(alone);
  // Several, parted by zero weights. Their outputs fill the tile's macros evenly.
  const int bits = std::max(2, layer.weight_bits);
  if (bits > a.max_weight_bits) return all;
  const std::int64_t taps = std::int64_t{layer.window.kernel_height} * layer.window.kernel_width;
  for (int packed = 2; packed <= layer.groups && std::int64_t{packed} * outputs <= a.tiles * a.outputs_per_macro(bits);
       ++packed) {
    if (packed * outputs % a.tiles != 0) continue;
    Mapping m = alone;
    m.weight_bits = bits;
    m.packed = packed;
    m.lanes = packed * outputs / a.tiles;
    m.slice = m.tile_step = packed * inputs;
    m.segment = m.segment_next = out_channels;
    m.segment_step = 0;
    // Worth comparing: the most groups for each number of row tiles.
    const auto row_tiles = [&](std::int64_t slice) { return (taps * slice + a.rows - 1) / a.rows; };
    if (all.size() > 1 && row_tiles(all.back().slice) == row_tiles(m.slice)) all.pop_back();
    all.push_back(m);
  }
  return all;
}

// Beside each mapping whose last row tile is short, the same one with several planes at once: more rows of weights,
// fewer cycles a vector.
std::vector<Mapping> with_folds(const Architecture& a, const model::TensorFormat& in, const IntegerLayer& layer,
                                std::vector<Mapping> all) {
  const std::size_t count = all.size();
  for (std::size_t i = 0; i < count; ++i) {
    Mapping m = all[i];
    m.most_fold = std::min(std::bit_width(static_cast<unsigned>(a.planes_at_once())),
                           std::bit_width(static_cast<unsigned>(in.bits))) -
                  1;
    m.sign_plane = in.coding == model::Coding::twos_complement ? in.bits - 1 : -1;
    const std::int64_t values = std::int64_t{layer.window.kernel_height} * layer.window.kernel_width * m.slice;
    if (m.most_fold > 0 && m.weight_bits > 1 && (values - 1) % a.rows < a.rows / 2) all.push_back(m);
  }
  return all;
}

}  // namespace

std::vector<Mapping> mappings(const Architecture& a, const model::IntegerNetwork& network, const IntegerLayer& layer) {
  if (!has_weights(layer.kind)) return unfolded_mappings(a, network, layer);
  return with_folds(a, network.tensors[static_cast<std::size_t>(layer.input)], layer,
                    unfolded_mappings(a, network, layer));
}

std::vector<Tile> tiles_of(const Mapping& m, int first, int end) {
  std::vector<Tile> tiles;
  int left = m.segment;
  for (int channel = first; channel < end;) {
    const int count = std::min({m.capacity(), left, end - channel});
    tiles.push_back({channel, count});
    channel += count;
    left -= count;
    if (left == 0) left = m.segment_next;
  }
  return tiles;
}

int first_input(const Mapping& m, const std::vector<Tile>& tiles, std::size_t tile) {
  int segment_base = 0, base = 0, left = m.segment;
  for (std::size_t t = 0; t < tile; ++t) {
    left -= tiles[t].count;
    if (left == 0) {
      left = m.segment_next;
      segment_base += m.segment_step;
      base = segment_base;
    } else {
      base += m.tile_step;
    }
  }
  return base;
}

}  // namespace bitstrata::generate
