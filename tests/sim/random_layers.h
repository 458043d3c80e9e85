// SPDX-License-Identifier: Apache-2.0
// Random small integer networks and inputs for the co-simulation tests.
#pragma once

#include <algorithm>
#include <cmath>
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
  // Now and then biases have fraction bits, or all that there may be.
  layer.acc_shift = in.coding == model::Coding::bipolar ? 1 : 0;
  if (pick(random, 0, 2) == 0) layer.acc_shift = pick(random, layer.acc_shift, model::most_acc_shift);
  bound = std::ldexp(bound, layer.acc_shift);
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

// What requantization ends in, where the architecture has it.
inline void random_activation(Random& random, const model::Architecture& a, model::IntegerLayer& layer,
                              const model::TensorFormat& out, double bound) {
  using namespace model;
  bound = std::ldexp(bound, layer.acc_shift);
  const auto spread = [&](int bits) {  // the sums over codes of so many bits
    for (std::size_t c = 0; c < layer.shift.size(); ++c) {
      int shift = 0;
      while (shift < 63 && bound * layer.multiplier[c] / std::pow(2.0, shift) > std::pow(2.0, bits)) ++shift;
      layer.shift[c] = static_cast<std::uint8_t>(shift);
    }
  };
  switch (pick(random, 0, 9)) {
    case 0:
      layer.activation = Activation::leaky;
      for (std::size_t c = 0; c < layer.bias.size(); ++c)
        layer.negative_multiplier.push_back(static_cast<std::uint16_t>(pick(random, 0, 65535)));
      break;
    case 1:
      if (!a.swish_unit) break;
      layer.activation = Activation::hard_swish;
      spread(pick(random, 10, 17));
      layer.swish_three = pick(random, 0, 20000);
      layer.swish_six = pick(random, 0, 65535);
      layer.swish_shift = pick(random, 0, 3) == 0 ? pick(random, 0, 31) : std::clamp(30 - out.bits, 0, 31);
      layer.swish_offset = pick(random, 0, 1) == 0 ? 0 : pick(random, -65535, 65535);
      break;
    case 2:
      if (!a.table_unit || out.bits > 8) break;
      layer.activation = Activation::table;
      spread(8);
      for (int i = 0; i < 256; ++i)
        layer.table.push_back(static_cast<std::int16_t>(pick(random, layer.clip_low, layer.clip_high)));
      break;
    default:
      break;
  }
}

// A layer of one of the operators on single values over `in`; the others of its kind are tensors of the network.
inline model::Shape random_operator(Random& random, const model::Architecture& a, model::IntegerNetwork& network,
                                    model::IntegerLayer& layer) {
  using namespace model;
  const Shape in = network.tensors[static_cast<std::size_t>(layer.input)].shape;
  const auto other = [&](auto fits) {  // a tensor that fits, else the input itself
    std::vector<int> found;
    for (std::size_t t = 0; t < network.tensors.size(); ++t)
      if (fits(network.tensors[t].shape)) found.push_back(static_cast<int>(t));
    return found[static_cast<std::size_t>(pick(random, 0, static_cast<int>(found.size()) - 1))];
  };
  switch (pick(random, a.vector_unit ? 0 : 2, 4)) {
    case 0:
      layer.kind = LayerKind::add;
      layer.second = other([&](Shape s) { return s == in; });
      layer.factor = {pick(random, -65535, 65535), pick(random, -65535, 65535)};
      return in;
    case 1:
      layer.kind = LayerKind::multiply;
      layer.second = other([&](Shape s) { return s == in || s == Shape{.channels = in.channels}; });
      layer.factor = {pick(random, -300, 300), pick(random, -300, 300)};
      return in;
    case 2: {
      layer.kind = LayerKind::concatenate;
      layer.second = other([&](Shape s) { return s.height == in.height && s.width == in.width; });
      const int more = network.tensors[static_cast<std::size_t>(layer.second)].shape.channels;
      return {in.height, in.width, in.channels + more};
    }
    case 3: {
      // Blocks that the channels can be cut into; often no cut at all is left.
      const auto divisor = [&](int channels) {
        int side = pick(random, 1, 4);
        while (channels % side != 0) --side;
        return side;
      };
      layer.kind = LayerKind::depth_to_space;
      layer.factor[0] = divisor(in.channels);
      layer.factor[1] = divisor(in.channels / layer.factor[0]);
      return {in.height * layer.factor[0], in.width * layer.factor[1],
              in.channels / (layer.factor[0] * layer.factor[1])};
    }
    default:
      layer.kind = LayerKind::upsample;
      layer.factor = {pick(random, 1, 3), 0};
      return {in.height * layer.factor[0], in.width * layer.factor[0], in.channels};
  }
}

// One random layer appended to `network`, reading its last tensor or an earlier one. Shapes and widths fit small
// architectures.
inline void add_random_layer(Random& random, model::IntegerNetwork& network, const model::Architecture& a,
                             int max_channels) {
  using namespace model;
  IntegerLayer layer;
  layer.name = "layer" + std::to_string(network.layers.size());
  layer.output = static_cast<int>(network.tensors.size());
  layer.input = pick(random, 0, 3) == 0 ? pick(random, 0, layer.output - 1) : layer.output - 1;
  const TensorFormat in = network.tensors[static_cast<std::size_t>(layer.input)];
  const int kind = pick(random, 0, 13);
  layer.kind = kind < 7 ? LayerKind::convolution : kind < 9 ? LayerKind::max_pool : LayerKind::average_pool;
  Window& w = layer.window;
  Shape shape;
  if (kind >= 10) {
    shape = random_operator(random, a, network, layer);
  } else {
    // Fully connected, or a pooling over everything.
    const bool full = pick(random, 0, 5) == 0;
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
    shape.height =
        (in.shape.height + w.pad_top + w.pad_bottom - (w.kernel_height - 1) * w.dilation_height - 1) / w.stride_height +
        1;
    shape.width =
        (in.shape.width + w.pad_left + w.pad_right - (w.kernel_width - 1) * w.dilation_width - 1) / w.stride_width + 1;
    shape.channels = in.shape.channels;
    if (layer.kind == LayerKind::convolution) {
      shape.channels = pick(random, 1, max_channels);
      if (pick(random, 0, 3) == 0) {  // groups: any divisor of the input channels, often all of them (depthwise)
        layer.groups = pick(random, 0, 1) ? in.shape.channels : pick(random, 1, in.shape.channels);
        while (in.shape.channels % layer.groups != 0) --layer.groups;
        shape.channels = layer.groups * pick(random, 1, std::max(1, std::min(4, max_channels / layer.groups)));
      }
    }
  }
  TensorFormat out = random_format(random, shape, a.max_activation_bits);
  double bound = 1 << in.bits;
  if (layer.kind == LayerKind::convolution) {
    layer.weight_bits = pick(random, 1, a.max_weight_bits);
    const int k = w.kernel_height * w.kernel_width * (in.shape.channels / layer.groups);
    const int half = 1 << (layer.weight_bits - 1);
    for (int i = 0; i < k * shape.channels; ++i) {
      layer.weights.push_back(static_cast<std::int16_t>(layer.weight_bits == 1 ? 2 * pick(random, 0, 1) - 1
                                                                               : pick(random, -half, half - 1)));
    }
    bound = std::sqrt(static_cast<double>(k)) * half * (1 << in.bits) * 0.7;
    layer.macs = std::int64_t{k} * shape.elements();
  } else if (layer.kind == LayerKind::average_pool) {
    bound *= w.kernel_height * w.kernel_width;
  } else if (layer.kind == LayerKind::add || layer.kind == LayerKind::multiply) {
    const double second = 1 << network.tensors[static_cast<std::size_t>(layer.second)].bits;
    bound = std::abs(layer.factor[0]) * bound + std::abs(layer.factor[1]) * second +
            (layer.kind == LayerKind::multiply ? bound * second : 0);
  }
  random_requantization(random, layer, shape.channels, in, out, bound);
  random_activation(random, a, layer, out, bound);
  network.tensors.push_back(out);
  network.layers.push_back(layer);
}

inline model::Codes random_codes(Random& random, const model::TensorFormat& format) {
  const bool is_signed = format.coding == model::Coding::twos_complement;
  const int low = is_signed ? -(1 << (format.bits - 1)) : 0;
  const int high = (1 << (is_signed ? format.bits - 1 : format.bits)) - 1;
  const int zeros = pick(random, 0, 90);  // percent
  model::Codes codes(static_cast<std::size_t>(format.shape.elements()));
  // Stretches of small codes, whose leading planes are empty.
  int small = 0, left = 0;
  for (auto& code : codes) {
    if (left-- == 0) {
      left = pick(random, 1, 200);
      small = pick(random, 0, 1) == 0 ? 0 : pick(random, 0, format.bits);
    }
    code = pick(random, 0, 99) < zeros ? std::clamp(0, low, high) : pick(random, low, high) >> small;
  }
  return codes;
}

// Squeeze and excite: a pooling over everything, then its product with what was pooled.
inline void add_squeeze(Random& random, model::IntegerNetwork& network, const model::Architecture& a) {
  using namespace model;
  const int input = static_cast<int>(network.tensors.size()) - 1;
  const TensorFormat in = network.tensors.back();
  const TensorFormat one = random_format(random, {.channels = in.shape.channels}, a.max_activation_bits);
  const TensorFormat out = random_format(random, in.shape, a.max_activation_bits);
  IntegerLayer pool{.name = "squeeze" + std::to_string(network.layers.size()), .kind = LayerKind::average_pool};
  pool.input = input;
  pool.output = input + 1;
  pool.window.kernel_height = in.shape.height;
  pool.window.kernel_width = in.shape.width;
  random_requantization(random, pool, in.shape.channels, in, one,
                        static_cast<double>(in.shape.height) * in.shape.width * (1 << in.bits));
  IntegerLayer product{.name = "excite" + std::to_string(network.layers.size()), .kind = LayerKind::multiply};
  product.input = input;
  product.second = input + 1;
  product.output = input + 2;
  product.factor = {pick(random, -300, 300), pick(random, -300, 300)};
  const double wide = 1 << in.bits, narrow = 1 << one.bits;
  random_requantization(random, product, in.shape.channels, in, out,
                        std::abs(product.factor[0]) * wide + std::abs(product.factor[1]) * narrow + wide * narrow);
  network.tensors.insert(network.tensors.end(), {one, out});
  network.layers.insert(network.layers.end(), {pool, product});
}

// A convolution and a depthwise one that alone reads it: the tensor between may lie in strips.
inline void add_depthwise(Random& random, model::IntegerNetwork& network, const model::Architecture& a) {
  using namespace model;
  const auto add = [&](int groups, int channels, const Window& w) {
    IntegerLayer layer{.name = "layer" + std::to_string(network.layers.size())};
    layer.input = static_cast<int>(network.tensors.size()) - 1;
    layer.output = layer.input + 1;
    layer.groups = groups;
    layer.window = w;
    layer.weight_bits = pick(random, 1, a.max_weight_bits);
    const TensorFormat in = network.tensors.back();
    const auto side = [](int size, int before, int after, int kernel, int stride, int dilation) {
      return (size + before + after - (kernel - 1) * dilation - 1) / stride + 1;
    };
    const Shape shape = {
        side(in.shape.height, w.pad_top, w.pad_bottom, w.kernel_height, w.stride_height, w.dilation_height),
        side(in.shape.width, w.pad_left, w.pad_right, w.kernel_width, w.stride_width, w.dilation_width), channels};
    const TensorFormat out = random_format(random, shape, a.max_activation_bits);
    const int k = w.kernel_height * w.kernel_width * (in.shape.channels / groups), half = 1 << (layer.weight_bits - 1);
    for (int i = 0; i < k * channels; ++i) {
      layer.weights.push_back(static_cast<std::int16_t>(layer.weight_bits == 1 ? 2 * pick(random, 0, 1) - 1
                                                                               : pick(random, -half, half - 1)));
    }
    layer.macs = std::int64_t{k} * shape.elements();
    const double bound = std::sqrt(static_cast<double>(k)) * half * (1 << in.bits) * 0.7;
    random_requantization(random, layer, channels, in, out, bound);
    random_activation(random, a, layer, out, bound);
    network.tensors.push_back(out);
    network.layers.push_back(layer);
  };
  // Seldom a number of channels that strips do not divide.
  const int channels = pick(random, 0, 4) == 0 ? pick(random, 2, 24) : 8 * pick(random, 1, 4);
  add(1, channels, {});
  const Shape between = network.tensors.back().shape;
  Window w;
  w.kernel_height = std::min(between.height, pick(random, 1, 4));
  w.kernel_width = std::min(between.width, pick(random, 1, 4));
  w.stride_height = pick(random, 1, 3);
  w.stride_width = pick(random, 1, 3);
  w.pad_top = pick(random, 0, w.kernel_height - 1);
  w.pad_bottom = pick(random, 0, w.kernel_height - 1);
  w.pad_left = pick(random, 0, w.kernel_width - 1);
  w.pad_right = pick(random, 0, w.kernel_width - 1);
  if ((w.kernel_height - 1) * 2 < between.height && pick(random, 0, 3) == 0) w.dilation_height = 2;
  add(channels, channels, w);
}

// 1 to 4 layers over an input of up to max_side x max_side x max_channels; now and then over wide rows or deep pixels,
// which small buffers hold in pieces only, or with a squeeze and excite, or a depthwise convolution.
inline model::IntegerNetwork random_network(Random& random, const model::Architecture& a, int max_side = 12,
                                            int max_channels = 24) {
  model::IntegerNetwork network;
  network.name = "random";
  model::Shape shape{pick(random, 1, max_side), pick(random, 1, max_side), pick(random, 1, max_channels)};
  const int form = pick(random, 0, 11);
  if (form == 0) shape = {pick(random, 1, 8), pick(random, 30, 300), pick(random, 1, 5)};
  if (form == 1) shape = {pick(random, 1, 6), pick(random, 1, 6), pick(random, 60, 300)};
  network.tensors.push_back(random_format(random, shape, a.max_activation_bits));
  if (form >= 10) add_squeeze(random, network, a);
  if (form == 7 || form == 8 || form == 9) add_depthwise(random, network, a);
  const int layers = pick(random, 1, form < 2 ? 2 : 4);
  for (int i = 0; i < layers; ++i) add_random_layer(random, network, a, form == 1 ? 40 : max_channels);
  mark_depthwise(network);
  return network;
}

}  // namespace bitstrata::test
