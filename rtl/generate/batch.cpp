// SPDX-License-Identifier: Apache-2.0
#include "rtl/generate/batch.h"

#include <algorithm>
#include <stdexcept>

namespace bitstrata::generate {

namespace {

using model::IntegerLayer;
using model::IntegerNetwork;
using model::Shape;

constexpr std::int64_t most_rows = 32767;  // rows are counted in 16 bits

const Shape& shape_of(const IntegerNetwork& network, int tensor) {
  return network.tensors[static_cast<std::size_t>(tensor)].shape;
}

// Input rows from an output row's windows to the next one's, such that images follow each other; 0: there is no such
// step.
int row_step(const IntegerLayer& layer, const Shape& in, const Shape& out) {
  const model::Window& w = layer.window;
  if (w.pad_top != 0 || w.pad_bottom != 0) return 0;
  // The windows of an output of one row lie one to an image, whatever the stride.
  const int step = out.height == 1 ? in.height : w.stride_height;
  const int span = (w.kernel_height - 1) * w.dilation_height + 1;
  return step * out.height == in.height && span <= step ? step : 0;
}

}  // namespace

std::optional<TallLayer> tall_layer(const IntegerNetwork& network, const IntegerLayer& layer, int batch) {
  if (batch == 1) return std::nullopt;
  const Shape &in = shape_of(network, layer.input), &out = shape_of(network, layer.output);
  const bool windows = has_window(layer.kind);
  const int step = windows ? row_step(layer, in, out) : layer.window.stride_height;
  const bool one_pixel = combines_codes(layer.kind) && shape_of(network, layer.second) != in;
  if (step == 0 || one_pixel || std::int64_t{batch} * std::max(in.height, out.height) > most_rows) return std::nullopt;
  TallLayer tall{.tensors = {.name = network.name, .tensors = network.tensors, .layers = {}}, .layer = layer};
  for (model::TensorFormat& format : tall.tensors.tensors) format.shape.height *= batch;
  tall.layer.window.stride_height = step;
  return tall;
}

std::vector<Tiling> fitting_tilings(const model::Architecture& architecture, const TallLayer& tall) {
  try {
    return tilings(architecture, tall.tensors, tall.layer);
  } catch (const std::invalid_argument&) {
    return {};
  }
}

std::vector<Turn> turns_of(const std::vector<Piece>& pieces, int images) {
  std::vector<Turn> turns;
  turns.reserve(pieces.size() * static_cast<std::size_t>(images));
  for (std::size_t begin = 0, end = 0; begin < pieces.size(); begin = end) {
    const Piece& first = pieces[begin];
    const auto belongs = [&](const Piece& piece) {
      if (first.carry_out || piece.carry_out) return piece.carry_in;
      return same_weights(first, piece);
    };
    for (end = begin + 1; end < pieces.size() && belongs(pieces[end]);) ++end;
    for (int image = 0; image < images; ++image)
      for (std::size_t piece = begin; piece < end; ++piece) turns.push_back({piece, image});
  }
  return turns;
}

Addresses step_of_image(const model::Architecture& a, const IntegerNetwork& network, const IntegerLayer& layer) {
  const auto bytes = [&](int tensor) {
    return static_cast<std::uint32_t>(tensor_bytes(a, network.tensors[static_cast<std::size_t>(tensor)]));
  };
  return {
      .input = bytes(layer.input), .second = layer.second < 0 ? 0 : bytes(layer.second), .output = bytes(layer.output)};
}

Addresses times(const Addresses& step, int images) {
  const auto n = static_cast<std::uint32_t>(images);
  return {.input = n * step.input,
          .second = n * step.second,
          .output = n * step.output,
          .weights = n * step.weights,
          .parameters = n * step.parameters};
}

}  // namespace bitstrata::generate
