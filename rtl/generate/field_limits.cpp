// SPDX-License-Identifier: Apache-2.0
#include "rtl/generate/field_limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "rtl/generate/describe.h"
#include "rtl/generate/image.h"
#include "rtl/generate/strips.h"

namespace bitstrata::generate {

namespace {

struct Counted {
  const char* what;
  std::int64_t value;
  Field field;
};

// Fields of `count_bits` bits, and places in a row, which have four more (and a sign).
constexpr std::array counted = {F_IN_HEIGHT,    F_IN_SLOTS,       F_RUN_LENGTH,    F_RUN_COUNT_X,   F_RUN_COUNT_Y,
                                F_RUN_STEP_Y,   F_PIXEL_STEP_Y,   F_PIXEL_START_Y, F_OUT_WIDTH,     F_OUT_HEIGHT,
                                F_BLOCK_ROWS,   F_BLOCKS,         F_BLOCK_STEP_Y,  F_BLOCK_SPAN,    F_ROWS_NEEDED,
                                F_K_TILES,      F_N_TILES,        F_OUT_STEP,      F_LANES,         F_ROWS_LAST,
                                F_OUT_RUN,      F_OUT_JUMP,       F_OUT_TILE_STEP, F_OUT_ROW_LINES, F_SEGMENT_CHANNELS,
                                F_SEGMENT_NEXT, F_IN_ROW_BITS,    F_RUN_STEP_X,    F_PIXEL_STEP_X,  F_PIXEL_START_X,
                                F_TILE_STEP_X,  F_SECOND_START_X, F_SECOND_STEP_X, F_SEGMENT_STEP_X};
// Values of a row that are read, of the lines from `first` on; of a tensor in strips those of a strip.
std::int64_t row_values(const model::Architecture& a, const model::TensorFormat& format, int first, int lines) {
  if (const int strip = strip_of(a, format); strip > 0) return std::int64_t{format.shape.width} * strip;
  const std::int64_t row = std::int64_t{format.shape.width} * format.shape.channels;
  return std::min(row - std::int64_t{first} * a.data_bits, std::int64_t{lines} * a.data_bits);
}

constexpr std::array beats = {F_IN_ROW_BEATS, F_PARAM_BEATS, F_OUT_ROW_BEATS, F_SECOND_ROW_BEATS};

}  // namespace

std::int64_t address_space(const model::Architecture& a) { return std::int64_t{1} << std::min(32, a.address_width); }

std::int64_t longest_count(const model::Architecture& a) { return most_held(a, F_OUT_HEIGHT); }

std::int64_t most_held(const model::Architecture& a, Field field) {
  const std::int64_t most = info(field).most();
  if (std::ranges::find(counted, field) != counted.end()) return most >> (16 - a.count_bits);
  if (std::ranges::find(beats, field) != beats.end()) return std::min(most, address_space(a) / (a.data_bits / 8) - 1);
  if (info(field).rule == Rule::beat) return std::min(most, address_space(a) - 1);
  return most;
}

std::string field_misfit(const model::Architecture& a, const model::IntegerNetwork& network,
                         const model::IntegerLayer& layer, const Mapping& m, const Piece& piece, const Room& room,
                         std::int64_t output_tiles, std::int64_t parameter_bytes) {
  const model::TensorFormat& in = network.tensors[static_cast<std::size_t>(layer.input)];
  const model::TensorFormat& out = network.tensors[static_cast<std::size_t>(layer.output)];
  const model::Window& w = layer.window;
  const int strip = strip_of(a, in);
  const std::int64_t channels = strip > 0 ? strip : in.shape.channels, outputs = piece.n1 - piece.n0;
  const bool single = m.convolution && m.whole_row;
  const std::int64_t k_tiles =
      m.convolution ? (kernel_values(layer, m, piece) + a.rows - 1) / a.rows
                    : std::int64_t{piece.ky1 - piece.ky0} * (has_window(layer.kind) ? w.kernel_width : 2);
  const model::TensorFormat* const second =
      layer.second < 0 ? nullptr : &network.tensors[static_cast<std::size_t>(layer.second)];
  const std::int64_t run =
      piece.run1 > 0 ? piece.run1 - piece.run0 : std::int64_t{m.slice} * (single ? w.kernel_width : 1);
  const Counted all[] = {
      {"output tiles", output_tiles, F_N_TILES},
      {"row tiles", k_tiles, F_K_TILES},
      {"output rows", piece.y1 - piece.y0, F_OUT_HEIGHT},
      {"pixels of an output row", piece.x1 - piece.x0, F_OUT_WIDTH},
      {"input rows", room.rows, F_ROWS_NEEDED},
      {"output channels of a segment", std::min<std::int64_t>(m.segment, outputs), F_SEGMENT_CHANNELS},
      {"output channels of a later segment", outputs > m.segment ? m.segment_next : 1, F_SEGMENT_NEXT},
      {"kernel rows", piece.ky1 - piece.ky0, F_RUN_COUNT_Y},
      {"kernel columns", single ? 1 : w.kernel_width, F_RUN_COUNT_X},
      {"input rows from output row to output row", w.stride_height / piece.row_step, F_PIXEL_STEP_Y},
      {"input rows that a window reaches over", std::int64_t{piece.ky1 - piece.ky0 - 1} * w.dilation_height + 1,
       F_BLOCK_SPAN},
      {"input values of padding before a row", std::int64_t{w.pad_left} * channels, F_PIXEL_START_X},
      {"input values from pixel to pixel", piece.x1 - piece.x0 > 1 ? w.stride_width * channels : 0, F_PIXEL_STEP_X},
      {"input values from tap to tap", single || w.kernel_width == 1 ? 0 : w.dilation_width * channels, F_RUN_STEP_X},
      {"input values from tile to tile",
       std::max<std::int64_t>(m.tile_step, std::int64_t{m.segment_step} * (strip > 0 ? in.shape.width : 1)),
       F_TILE_STEP_X},
      {"input values of a run", run, F_RUN_LENGTH},
      {"values of an input row", row_values(a, in, room.first_line, room.lines), F_IN_ROW_BITS},
      {"values of a row of the second input",
       second == nullptr ? 0 : row_values(a, *second, room.second_first_line, room.second_lines), F_IN_ROW_BITS},
      // Post-processing counts them in as many bits.
      {"values of an output row", room.computed_values, F_IN_ROW_BITS},
      {"beats of an input row", std::int64_t{room.lines} * in.bits, F_IN_ROW_BEATS},
      {"beats of a row of the second input", second == nullptr ? 0 : std::int64_t{room.second_lines} * second->bits,
       F_SECOND_ROW_BEATS},
      {"beats of an output row", std::int64_t{room.out_lines} * out.bits, F_OUT_ROW_BEATS},
      {"beats of parameters", parameter_bytes / (a.data_bits / 8), F_PARAM_BEATS},
  };
  for (const Counted& counted : all)
    if (counted.value > most_held(a, counted.field))
      return fmt::format("{} {}; a descriptor counts {}", counted.value, counted.what, most_held(a, counted.field));
  return "";
}

std::int64_t least_bytes(const model::Architecture& a, const model::IntegerNetwork& network,
                         const model::IntegerLayer& layer) {
  std::int64_t bytes = 0;
  for (const int tensor : {layer.input, layer.second, layer.output}) {
    if (tensor >= 0) bytes += tensor_bytes(a, network.tensors[static_cast<std::size_t>(tensor)]);
  }
  if (!has_weights(layer.kind)) return bytes;
  const std::int64_t inputs = network.tensors[static_cast<std::size_t>(layer.input)].shape.channels / layer.groups;
  const std::int64_t outputs = network.tensors[static_cast<std::size_t>(layer.output)].shape.channels;
  // The product of three factors of 24 bits each may not fit 64 bits.
  const std::int64_t per_output = std::int64_t{layer.window.kernel_height} * layer.window.kernel_width;
  if (per_output > 8 * address_space(a) / inputs / outputs) return address_space(a) + 1;
  return bytes + per_output * inputs * outputs * layer.weight_bits / 8;
}

}  // namespace bitstrata::generate
