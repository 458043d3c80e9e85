// SPDX-License-Identifier: Apache-2.0
#include "rtl/generate/field_limits.h"

#include <fmt/format.h>

#include <algorithm>

#include "rtl/generate/describe.h"
#include "rtl/generate/image.h"

namespace bitstrata::generate {

namespace {

struct Field {
  const char* what;
  std::int64_t value;
  int bits;
};

}  // namespace

std::string field_misfit(const model::Architecture& a, const model::IntegerNetwork& network,
                         const model::IntegerLayer& layer, const Mapping& m, const Piece& piece, const Room& room,
                         std::int64_t output_tiles, std::int64_t parameter_bytes) {
  const model::TensorFormat& in = network.tensors[static_cast<std::size_t>(layer.input)];
  const model::TensorFormat& out = network.tensors[static_cast<std::size_t>(layer.output)];
  const model::Window& w = layer.window;
  const std::int64_t channels = in.shape.channels, outputs = piece.n1 - piece.n0;
  const bool single = m.convolution && m.whole_row;
  const std::int64_t k_tiles = m.convolution ? (kernel_values(layer, m, piece) + a.rows - 1) / a.rows
                                             : std::int64_t{piece.ky1 - piece.ky0} *
                                                   (layer.kind <= model::LayerKind::average_pool ? w.kernel_width : 2);
  const std::int64_t second_bits = layer.second < 0 ? 0 : network.tensors[static_cast<std::size_t>(layer.second)].bits;
  const Field fields[] = {
      {"output tiles", output_tiles, 16},
      {"row tiles", k_tiles, 16},
      {"output rows", piece.y1 - piece.y0, 16},
      {"pixels of an output row", piece.x1 - piece.x0, 16},
      {"input rows", room.rows, 16},
      {"output channels of a segment", std::min<std::int64_t>(m.segment, outputs), 16},
      {"output channels of a later segment", outputs > m.segment ? m.segment_next : 1, 16},
      {"kernel rows", piece.ky1 - piece.ky0, 16},
      {"kernel columns", single ? 1 : w.kernel_width, 16},
      {"input rows from output row to output row", w.stride_height / piece.row_step, 16},
      {"input rows that a window reaches over", std::int64_t{piece.ky1 - piece.ky0 - 1} * w.dilation_height + 1, 16},
      {"input values from pixel to pixel", piece.x1 - piece.x0 > 1 ? w.stride_width * channels : 0, 20},
      {"input values from tap to tap", single || w.kernel_width == 1 ? 0 : w.dilation_width * channels, 20},
      {"input values from tile to tile", std::max(m.tile_step, m.segment_step), 20},
      {"beats of an input row", std::int64_t{room.lines} * in.bits, 24},
      {"beats of a row of the second input", room.second_lines * second_bits, 24},
      {"beats of an output row", std::int64_t{room.out_lines} * out.bits, 24},
      {"beats of parameters", parameter_bytes / (a.data_bits / 8), 24},
  };
  for (const Field& field : fields) {
    const std::int64_t most = (std::int64_t{1} << field.bits) - 1;
    if (field.value > most) return fmt::format("{} {}; a descriptor counts {}", field.value, field.what, most);
  }
  return "";
}

std::int64_t least_bytes(const model::Architecture& a, const model::IntegerNetwork& network,
                         const model::IntegerLayer& layer) {
  std::int64_t bytes = 0;
  for (const int tensor : {layer.input, layer.second, layer.output}) {
    if (tensor >= 0) bytes += tensor_bytes(a, network.tensors[static_cast<std::size_t>(tensor)]);
  }
  if (layer.kind != model::LayerKind::convolution) return bytes;
  const std::int64_t inputs = network.tensors[static_cast<std::size_t>(layer.input)].shape.channels / layer.groups;
  const std::int64_t outputs = network.tensors[static_cast<std::size_t>(layer.output)].shape.channels;
  // The product of three factors of 24 bits each may not fit 64 bits.
  const std::int64_t per_output = std::int64_t{layer.window.kernel_height} * layer.window.kernel_width;
  if (per_output > 8 * address_space / inputs / outputs) return address_space + 1;
  return bytes + per_output * inputs * outputs * layer.weight_bits / 8;
}

}  // namespace bitstrata::generate
