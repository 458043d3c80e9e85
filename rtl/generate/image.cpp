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
  bytes_ = ceil_div(at + bytes, alignment) * alignment;
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
                    const Mapping& mapping, const Piece& piece) {
  const std::uint64_t bias_mask = (std::uint64_t{1} << 48) - 1;
  const int channels = layer.out_channels();  // repeated where the layer enlarges
  for_each_group(a, mapping, piece, [&](int first, int count) {
    for (int i = 0; i < a.post_lanes; ++i, address += record_bytes(a)) {
      if (i >= count) continue;
      const auto c = static_cast<std::size_t>((first + i) % channels);
      const std::uint64_t negative = layer.negative_multiplier.empty() ? 0 : layer.negative_multiplier[c];
      image.put64(address,
                  (static_cast<std::uint64_t>(layer.bias[c]) & bias_mask) | (std::uint64_t{layer.multiplier[c]} << 48));
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

std::int64_t weight_words(const Architecture& a, const IntegerLayer& layer, const Mapping& mapping, const Piece& piece) {
  const std::int64_t values = kernel_values(layer, mapping, piece), whole = values / a.rows, rest = values % a.rows;
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

// Where a row of the weight buffer is a value's: bit j*w + b is bit b of output j's weight (1-bit weights: 1 for +1).
// Where it is a plane's: one plane after the other of each output, bit r is that of the row tile's value r.
void put_weights(MemoryImage& image, std::uint32_t address, const Architecture& a, const IntegerLayer& layer,
                 int in_channels, const Mapping& m, const Piece& piece) {
  const int inputs = in_channels / layer.groups, outputs = layer.out_channels() / layer.groups;
  const int kernel_width = layer.window.kernel_width;
  const std::int64_t per_output = std::int64_t{layer.window.kernel_height} * kernel_width * inputs;
  const std::int64_t k = kernel_values(layer, m, piece);
  // Values of a kernel row in a vector, and where they begin.
  const std::int64_t row_values = piece.run1 > 0 ? piece.run1 - piece.run0 : std::int64_t{kernel_width} * m.slice;
  const auto word_bytes = static_cast<std::uint32_t>(weight_word_bytes(a));
  const int at_once = a.rows_at_once(), row_bits = a.rules().weight_row_bits(a.rows, a.columns);
  // Bit `bit` of row `row` of a row tile, whose rows are words' parts.
  const auto word_of = [&](int row) { return address + static_cast<std::uint32_t>(row / at_once) * word_bytes; };
  const auto in_word = [&](int row, int bit) { return row % at_once * row_bits + bit; };
  const unsigned mask = (1u << m.weight_bits) - 1;
  const bool rows_are_values = a.rules().row_is_a_value;
  const std::vector<Tile> tiles = tiles_of(m, piece.n0, piece.n1);
  for (std::size_t t = 0; t < tiles.size(); ++t) {
    const int first_channel = first_input(m, tiles, t);
    const model::WeightBlock weights = layer.weights.block(static_cast<std::size_t>(tiles[t].first * per_output),
                                                           static_cast<std::size_t>(tiles[t].count * per_output));
    for (std::int64_t row_tile = 0; row_tile < k; row_tile += a.rows) {
      for (int macro = 0; macro < tiles[t].count; macro += m.lanes) {
        const int lanes = std::min(m.lanes, tiles[t].count - macro);
        const std::int64_t rows = std::min<std::int64_t>(a.rows, k - row_tile);
        for (std::int64_t row = row_tile; row < row_tile + rows; ++row) {
          const std::int64_t ky = piece.ky0 + row / row_values, at = piece.run0 + row % row_values;
          const int kx = static_cast<int>(at / m.slice), channel = first_channel + static_cast<int>(at % m.slice);
          for (int j = 0; j < lanes; ++j) {
            const int output = tiles[t].first + macro + j;
            if (channel >= in_channels || channel / inputs != output / outputs) continue;  // another group: 0
            const int weight = weights[static_cast<std::size_t>((macro + j) * per_output +
                                                                (ky * kernel_width + kx) * inputs + channel % inputs)];
            const unsigned code = m.weight_bits == 1 ? (weight > 0 ? 1u : 0u) : static_cast<unsigned>(weight) & mask;
            const int place = j * m.weight_bits, in_tile = static_cast<int>(row - row_tile);
            if (rows_are_values) {
              image.put_bits(word_of(in_tile), in_word(in_tile, place), code);
              continue;
            }
            for (int b = 0; b < m.weight_bits; ++b) {
              if ((code >> b & 1u) != 0)
                image.set_bit(word_of(place + b), in_word(place + b, in_tile));
            }
          }
        }
        address += static_cast<std::uint32_t>(a.words_of_weights(lanes, m.weight_bits, rows)) * word_bytes;
      }
    }
  }
}

}  // namespace bitstrata::generate
