// SPDX-License-Identifier: Apache-2.0
// Random small integer networks and inputs for the co-simulation tests.
#pragma once

#include <algorithm>
#include <random>

#include "model/architecture.h"
#include "model/golden.h"
#include "model/integer_network.h"

namespace bitstrata::test {

using Random = std::mt19937_64;

inline int pick(Random& random, int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); }

inline model::TensorFormat random_format(Random& random, model::Shape shape, int max_bits) {
  model::TensorFormat format;
  format.shape = shape;
  format.bits = pick(random, 1, max_bits);
  const int coding = pick(random, 0, 3);
  if (format.bits == 1 && coding == 1) {
    format.coding = model::Coding::bipolar;
  } else if (format.bits > 1 && coding == 2) {
    format.coding = model::Coding::twos_complement;
    if (pick(random, 0, 1)) format.zero_point = pick(random, -(1 << (format.bits - 1)), (1 << (format.bits - 1)) - 1);
  } else if (coding == 3) {
    format.zero_point = pick(random, 0, (1 << format.bits) - 1);
  }
  return format;
}

// Requantization that spreads accumulators of up to `bound` over the output's codes.
inline void random_requantization(Random& random, model::IntegerLayer& layer, int channels,
                                  const model::TensorFormat& in, const model::TensorFormat& out, double bound) {
  layer.acc_shift = in.coding == model::Coding::bipolar ? 1 : 0;
  const bool power_of_two = pick(random, 0, 3) == 0;
  for (int c = 0; c < channels; ++c) {
    layer.bias.push_back(static_cast<std::int64_t>((pick(random, -1000, 1000) / 4000.0) * bound));
    layer.multiplier.push_back(static_cast<std::uint16_t>(power_of_two ? 1 : pick(random, 1 << 15, (1 << 16) - 1)));
    int shift = 0;
    while (shift < 63 && bound * layer.multiplier.back() / std::pow(2.0, shift) > std::pow(2.0, out.bits)) ++shift;
    // Now and then any shift at all, past the width of every product too.
    const bool any = pick(random, 0, 15) == 0;
    layer.shift.push_back(
        static_cast<std::uint8_t>(any ? pick(random, 0, 63) : std::clamp(shift - pick(random, 0, 2), 0, 63)));
  }
  const bool is_signed = out.coding == model::Coding::twos_complement;
  layer.clip_low = is_signed && pick(random, 0, 1) ? -(1 << (out.bits - 1)) : 0;
  layer.clip_high = (1 << (is_signed ? out.bits - 1 : out.bits)) - 1;
}

// One random layer appended to `network`, reading its last tensor. Shapes and widths fit small architectures.
inline void add_random_layer(Random& random, model::IntegerNetwork& network, int max_weight_bits,
                             int max_activation_bits, int max_channels) {
  using namespace model;
  const TensorFormat in = network.tensors.back();
  IntegerLayer layer;
  layer.name = "layer" + std::to_string(network.layers.size());
  layer.input = static_cast<int>(network.tensors.size()) - 1;
  layer.output = layer.input + 1;
  const int kind = pick(random, 0, 9);
  layer.kind = kind < 7 ? LayerKind::convolution : kind < 9 ? LayerKind::max_pool : LayerKind::average_pool;
  Window& w = layer.window;
  const bool full = layer.kind == LayerKind::convolution && pick(random, 0, 5) == 0;  // fully connected
  w.kernel_height = full ? in.shape.height : std::min(in.shape.height, pick(random, 1, 4));
  w.kernel_width = full ? in.shape.width : std::min(in.shape.width, pick(random, 1, 4));
  if (!full) {
    w.stride_height = pick(random, 1, 3);
    w.stride_width = pick(random, 1, 3);
    if (layer.kind == LayerKind::convolution && pick(random, 0, 3) == 0) {
      w.dilation_height = pick(random, 1, 2);
      w.dilation_width = pick(random, 1, 2);
    }
    if (layer.kind != LayerKind::average_pool) {
      w.pad_top = pick(random, 0, w.kernel_height - 1);
      w.pad_bottom = pick(random, 0, w.kernel_height - 1);
      w.pad_left = pick(random, 0, w.kernel_width - 1);
      w.pad_right = pick(random, 0, w.kernel_width - 1);
    }
    if (in.shape.height + w.pad_top + w.pad_bottom < (w.kernel_height - 1) * w.dilation_height + 1)
      w.dilation_height = 1;
    if (in.shape.width + w.pad_left + w.pad_right < (w.kernel_width - 1) * w.dilation_width + 1) w.dilation_width = 1;
  }
  Shape shape;
  shape.height =
      (in.shape.height + w.pad_top + w.pad_bottom - (w.kernel_height - 1) * w.dilation_height - 1) / w.stride_height +
      1;
  shape.width =
      (in.shape.width + w.pad_left + w.pad_right - (w.kernel_width - 1) * w.dilation_width - 1) / w.stride_width + 1;
  shape.channels = layer.kind == LayerKind::convolution ? pick(random, 1, max_channels) : in.shape.channels;
  TensorFormat out = random_format(random, shape, max_activation_bits);
  double bound = 0;
  if (layer.kind == LayerKind::convolution) {
    layer.weight_bits = pick(random, 1, max_weight_bits);
    const int k = w.kernel_height * w.kernel_width * in.shape.channels;
    const int half = 1 << (layer.weight_bits - 1);
    for (int i = 0; i < k * shape.channels; ++i) {
      layer.weights.push_back(static_cast<std::int16_t>(layer.weight_bits == 1 ? 2 * pick(random, 0, 1) - 1
                                                                               : pick(random, -half, half - 1)));
    }
    bound = std::sqrt(static_cast<double>(k)) * half * (1 << in.bits) * 0.7;
    layer.macs = std::int64_t{k} * shape.elements();
    random_requantization(random, layer, shape.channels, in, out, bound);
  } else if (layer.kind == LayerKind::max_pool) {
    out = in;
    out.shape = shape;
    layer.bias.assign(static_cast<std::size_t>(shape.channels), 0);
    layer.multiplier.assign(static_cast<std::size_t>(shape.channels), 1);
    layer.shift.assign(static_cast<std::size_t>(shape.channels), 0);
    const bool is_signed = in.coding == Coding::twos_complement;
    layer.clip_low = is_signed ? -(1 << (in.bits - 1)) : 0;
    layer.clip_high = (1 << (is_signed ? in.bits - 1 : in.bits)) - 1;
  } else {
    random_requantization(random, layer, shape.channels, in, out,
                          w.kernel_height * w.kernel_width * static_cast<double>(1 << in.bits));
  }
  network.tensors.push_back(out);
  network.layers.push_back(layer);
}

inline model::Codes random_codes(Random& random, const model::TensorFormat& format) {
  const bool is_signed = format.coding == model::Coding::twos_complement;
  const int low = is_signed ? -(1 << (format.bits - 1)) : 0;
  const int high = (1 << (is_signed ? format.bits - 1 : format.bits)) - 1;
  const int zeros = pick(random, 0, 90);  // percent
  model::Codes codes(static_cast<std::size_t>(format.shape.elements()));
  for (auto& code : codes) code = pick(random, 0, 99) < zeros ? std::clamp(0, low, high) : pick(random, low, high);
  return codes;
}

// 1 to 3 layers over an input of up to max_side x max_side x max_channels.
inline model::IntegerNetwork random_network(Random& random, const model::Architecture& a, int max_side = 12,
                                            int max_channels = 24) {
  model::IntegerNetwork network;
  network.name = "random";
  const model::Shape shape{pick(random, 1, max_side), pick(random, 1, max_side), pick(random, 1, max_channels)};
  network.tensors.push_back(random_format(random, shape, a.max_activation_bits));
  const int layers = pick(random, 1, 3);
  for (int i = 0; i < layers; ++i) {
    add_random_layer(random, network, a.max_weight_bits, a.max_activation_bits, max_channels);
  }
  return network;
}

}  // namespace bitstrata::test
