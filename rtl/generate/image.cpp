// SPDX-License-Identifier: Apache-2.0
#include "rtl/generate/image.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace bitstrata::generate {

namespace {

using model::Architecture;
using model::IntegerLayer;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

std::uint32_t record_bytes(const Architecture& a) { return static_cast<std::uint32_t>(std::max(16, a.data_bits / 8)); }

// Calls visit(first channel, channels) for every group of outputs in the order of post-processing.
template <typename Visit>
void for_each_group(const Architecture& a, const Mapping& mapping, const Piece& piece, Visit visit) {
  for (const Tile& tile : tiles_of(mapping, piece.n0, piece.n1)) {
    if (mapping.pixels > 1) {  // those of the first pixel serve all
      const int channels = tile.count / mapping.pixels;
      for (int first = 0; first < channels; first += a.post_lanes)
        visit(tile.first + first, std::min(a.post_lanes, channels - first));
      continue;
    }
    for (int lane = 0; lane < tile.count; lane += mapping.lanes) {
      const int end = std::min(tile.count, lane + mapping.lanes);
      for (int first = lane; first < end; first += a.post_lanes)
        visit(tile.first + first, std::min(a.post_lanes, end - first));
    }
  }
}

}  // namespace

std::uint32_t MemoryLayout::reserve(std::int64_t bytes) {
  const std::int64_t at = bytes_;
  if (at + bytes > std::numeric_limits<std::int32_t>::max()) {
    throw std::invalid_argument("the network's memory image exceeds 2 GiB");
  }
  bytes_ = ceil_div(at + bytes, alignment_) * alignment_;
  return static_cast<std::uint32_t>(at);
}

void MemoryImage::put32(std::uint32_t address, std::uint32_t value) {
  for (int i = 0; i < 4; ++i)
    bytes_[address + static_cast<std::uint32_t>(i)] = static_cast<std::uint8_t>(value >> (8 * i));
}

void MemoryImage::put64(std::uint32_t address, std::uint64_t value) {
  put32(address, static_cast<std::uint32_t>(value));
  put32(address + 4, static_cast<std::uint32_t>(value >> 32));
}

void MemoryImage::put(std::uint32_t address, const Descriptor& descriptor) {
  for (std::uint32_t word = 0; word < descriptor.words.size(); ++word)
    put32(address + word * 4, descriptor.words[static_cast<std::size_t>(word)]);
}

int parameter_groups(const Architecture& a, const Mapping& mapping, const Piece& piece) {
  int groups = 0;
  for_each_group(a, mapping, piece, [&](int, int) { ++groups; });
  return groups;
}

std::int64_t parameter_bytes(const Architecture& a, const IntegerLayer& layer, const Mapping& mapping,
                             const Piece& piece) {
  return std::int64_t{parameter_groups(a, mapping, piece)} * a.post_lanes * record_bytes(a) +
         (layer.activation == model::Activation::table ? 256 : 0);
}

void put_parameters(MemoryImage& image, std::uint32_t address, const Architecture& a, const IntegerLayer& layer,
                    const Mapping& mapping, const Piece& piece, std::span<const std::int64_t> turned) {
  const std::uint64_t bias_mask = (std::uint64_t{1} << 48) - 1;
  const int channels = layer.out_channels();  // repeated where the layer enlarges
  const auto bias_of = [&](std::size_t c) { return layer.bias[c] - (turned.empty() ? 0 : turned[c]); };
  for_each_group(a, mapping, piece, [&](int first, int count) {
    for (int i = 0; i < a.post_lanes; ++i, address += record_bytes(a)) {
      if (i >= count) continue;
      const auto c = static_cast<std::size_t>((first + i) % channels);
      const std::uint64_t negative = layer.negative_multiplier.empty() ? 0 : layer.negative_multiplier[c];
      image.put64(address,
                  (static_cast<std::uint64_t>(bias_of(c)) & bias_mask) | (std::uint64_t{layer.multiplier[c]} << 48));
      image.put64(address + 8, layer.shift[c] | (negative << 16));
    }
  });
  for (std::size_t i = 0; i + 4 <= layer.table.size(); i += 4, address += 4) {
    std::uint32_t word = 0;
    for (std::size_t b = 0; b < 4; ++b) word |= (static_cast<std::uint32_t>(layer.table[i + b]) & 0xff) << (8 * b);
    image.put32(address, word);
  }
}

std::int64_t kernel_values(const IntegerLayer& layer, const Mapping& mapping, const Piece& piece) {
  const std::int64_t rows = piece.ky1 - piece.ky0;
  return piece.run1 > 0 ? rows * (piece.run1 - piece.run0) : rows * layer.window.kernel_width * mapping.slice;
}

int fold_of(const Architecture& a, const IntegerLayer& layer, const Mapping& mapping, const Piece& piece) {
  // What turning sign planes over adds stands in the biases, which the parts of a carried sum share.
  if (mapping.most_fold == 0 || (mapping.sign_plane >= 0 && (piece.carry_in || piece.carry_out))) return 0;
  // Pixels that share records have their weights in different rows, which are all in one row tile then.
  if (mapping.sign_plane >= 0 && mapping.pixels > 1 && kernel_values(layer, mapping, piece) > a.rows) return 0;
  const std::int64_t last = (kernel_values(layer, mapping, piece) - 1) % a.rows + 1;
  int fold = mapping.most_fold;
  while (fold > 0 && last > a.rows >> fold) --fold;
  return fold;
}

std::int64_t weight_words(const Architecture& a, const IntegerLayer& layer, const Mapping& mapping,
                          const Piece& piece) {
  const std::int64_t values = kernel_values(layer, mapping, piece);
  const bool folds = fold_of(a, layer, mapping, piece) > 0;  // its weights stand in all parts of the rows
  const std::int64_t whole = folds ? (values + a.rows - 1) / a.rows : values / a.rows,
                     rest = folds ? 0 : values % a.rows;
  std::int64_t words = 0;
  const auto add_macros = [&](std::int64_t macros, int outputs) {
    words += macros * whole * a.words_of_weights(outputs, mapping.weight_bits, a.rows);
    if (rest > 0) words += macros * a.words_of_weights(outputs, mapping.weight_bits, rest);
  };
  for (const Tile& tile : tiles_of(mapping, piece.n0, piece.n1)) {
    add_macros(tile.count / mapping.lanes, mapping.lanes);
    if (tile.count % mapping.lanes > 0) add_macros(1, tile.count % mapping.lanes);
  }
  return words;
}

std::int64_t weight_word_bytes(const Architecture& a) {
  return ceil_div(a.weight_word_bits(), a.data_bits) * a.data_bits / 8;
}

namespace {

// Calls begin(tile, rows, last) for every row tile of every output tile, then visit(output, row, weight) for its
// weights but those that are 0 because they lie between groups; `output` is counted in the tile, `row` in the row tile.
template <typename Begin, typename Visit>
void for_each_weight(const Architecture& a, const IntegerLayer& layer, int in_channels, const Mapping& m,
                     const Piece& piece, Begin begin, Visit visit) {
  const int inputs = in_channels / layer.groups, outputs = layer.out_channels() / layer.groups;
  const int kernel_width = layer.window.kernel_width;
  const std::int64_t per_output = std::int64_t{layer.window.kernel_height} * kernel_width * inputs;
  const std::int64_t k = kernel_values(layer, m, piece);
  // Values of a kernel row in a vector, and where they begin.
  const std::int64_t row_values = piece.run1 > 0 ? piece.run1 - piece.run0 : std::int64_t{kernel_width} * m.slice;
  const std::vector<Tile> tiles = tiles_of(m, piece.n0, piece.n1);
  for (std::size_t t = 0; t < tiles.size(); ++t) {
    const int first_channel = first_input(m, tiles, t);
    const model::WeightBlock weights = layer.weights.block(static_cast<std::size_t>(tiles[t].first * per_output),
                                                           static_cast<std::size_t>(tiles[t].count * per_output));
    for (std::int64_t row_tile = 0; row_tile < k; row_tile += a.rows) {
      const std::int64_t rows = std::min<std::int64_t>(a.rows, k - row_tile);
      begin(tiles[t], rows, row_tile + a.rows >= k);
      for (std::int64_t row = row_tile; row < row_tile + rows; ++row) {
        const std::int64_t ky = piece.ky0 + row / row_values, at = piece.run0 + row % row_values;
        const int kx = static_cast<int>(at / m.slice), channel = first_channel + static_cast<int>(at % m.slice);
        for (int n = 0; n < tiles[t].count; ++n) {
          if (channel >= in_channels || channel / inputs != (tiles[t].first + n) / outputs) continue;
          visit(
              n, static_cast<int>(row - row_tile),
              weights[static_cast<std::size_t>(n * per_output + (ky * kernel_width + kx) * inputs + channel % inputs)]);
        }
      }
    }
  }
}

}  // namespace

// Where a row of the weight buffer is a value's: bit j*w + b is bit b of output j's weight (1-bit weights: 1 for +1).
// Where it is a plane's: one plane after the other of each output, bit r is that of the row tile's value r.
void put_weights(MemoryImage& image, std::uint32_t address, const Architecture& a, const IntegerLayer& layer,
                 int in_channels, const Mapping& m, const Piece& piece) {
  const auto word_bytes = static_cast<std::uint32_t>(weight_word_bytes(a));
  const int at_once = a.rows_at_once(), row_bits = a.rules().weight_row_bits(a.rows, a.columns);
  const int last_fold = fold_of(a, layer, m, piece);
  const unsigned mask = (1u << m.weight_bits) - 1;
  const bool rows_are_values = a.rules().row_is_a_value;
  std::vector<std::uint32_t> of_macro;  // first words of the macros' parts of the row tile
  int fold = 0;
  const auto begin = [&](const Tile& tile, std::int64_t rows, bool last) {
    fold = last ? last_fold : 0;
    of_macro.clear();
    for (int macro = 0; macro < tile.count; macro += m.lanes) {
      of_macro.push_back(address);
      const int lanes = std::min(m.lanes, tile.count - macro);
      address +=
          static_cast<std::uint32_t>(a.words_of_weights(lanes, m.weight_bits, fold > 0 ? a.rows : rows)) * word_bytes;
    }
  };
  const auto put = [&](int output, int row, int weight) {
    const unsigned code = m.weight_bits == 1 ? (weight > 0 ? 1u : 0u) : static_cast<unsigned>(weight) & mask;
    const std::uint32_t first = of_macro[static_cast<std::size_t>(output / m.lanes)];
    const int place = output % m.lanes * m.weight_bits;
    const auto word_of = [&](int of_buffer) {
      return first + static_cast<std::uint32_t>(of_buffer / at_once) * word_bytes;
    };
    if (!rows_are_values) {
      for (int b = 0; b < m.weight_bits; ++b)
        if ((code >> b & 1u) != 0) image.set_bit(word_of(place + b), row);
      return;
    }
    // Every part of the rows has the weights.
    for (int to = row; to < a.rows; to += a.rows >> fold) {
      image.put_bits(word_of(to), to % at_once * row_bits + place, code);
      if (fold == 0) break;
    }
  };
  for_each_weight(a, layer, in_channels, m, piece, begin, put);
}

std::vector<std::int64_t> turned_sums(const Architecture& a, const IntegerLayer& layer, int in_channels,
                                      const Mapping& m, const Piece& piece) {
  if (m.sign_plane < 0 || fold_of(a, layer, m, piece) == 0) return {};
  std::vector<std::int64_t> sums(static_cast<std::size_t>(layer.out_channels()), 0);
  int first = 0;
  bool counts = false;
  for_each_weight(
      a, layer, in_channels, m, piece,
      [&](const Tile& tile, std::int64_t, bool last) { first = tile.first, counts = last; },
      [&](int output, int, int weight) {
        if (counts) sums[static_cast<std::size_t>(first + output)] += weight;
      });
  for (std::int64_t& sum : sums) sum *= std::int64_t{1} << (m.sign_plane + layer.acc_shift);
  return sums;
}

}  // namespace bitstrata::generate
