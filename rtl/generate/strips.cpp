// SPDX-License-Identifier: Apache-2.0
#include "rtl/generate/strips.h"

#include <algorithm>

#include "rtl/generate/field_limits.h"

namespace bitstrata::generate {

namespace {

using model::Architecture;
using model::IntegerLayer;
using model::IntegerNetwork;
using model::Shape;
using model::TensorFormat;

constexpr int narrowest = 4;                  // channels; fewer make more strips than their weights are worth
constexpr std::int64_t longest_ring = 65535;  // addresses, in 16 bits

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Addresses that `values` of a row take in a plane buffer, line pairs times planes.
std::int64_t slot_of(const Architecture& a, std::int64_t values, int bits) {
  return ceil_div(ceil_div(values, a.data_bits), 2) * bits;
}

std::size_t at(int tensor) { return static_cast<std::size_t>(tensor); }

StripLayer shapes_of(const Architecture& a, const IntegerNetwork& network, const IntegerLayer& layer, int pixels) {
  const TensorFormat& in = network.tensors[at(layer.input)];
  const TensorFormat& out = network.tensors[at(layer.output)];
  StripLayer strips{
      .pixels = pixels, .tensors = {.name = network.name, .tensors = {in, out}, .layers = {}}, .layer = {}};
  IntegerLayer& l = strips.layer;
  l.name = layer.name;
  l.input = 0;
  l.output = 1;
  l.window = layer.window;
  l.window.kernel_width += (pixels - 1) * layer.window.stride_width;
  l.window.stride_width *= pixels;
  l.groups = in.shape.channels / strip_of(a, in);
  // Zeros between weights of -1 and +1 take a second bit.
  l.weight_bits = std::max(2, layer.weight_bits);
  l.acc_shift = layer.acc_shift;
  l.activation = layer.activation;
  l.swish_three = layer.swish_three;
  l.swish_six = layer.swish_six;
  l.swish_shift = layer.swish_shift;
  l.swish_offset = layer.swish_offset;
  l.table = layer.table;
  l.clip_low = layer.clip_low;
  l.clip_high = layer.clip_high;
  // Tiles are cut by the count of outputs, which stands in the biases.
  l.bias.assign(at(out.shape.channels * pixels), 0);
  return strips;
}

}  // namespace

int strip_of(const Architecture& a, const TensorFormat& format) {
  const model::DepthwiseReader& reader = format.depthwise;
  if (!a.strips || reader.rows == 0) return 0;
  const int strip = std::max(narrowest, a.post_lanes);
  const Shape& s = format.shape;
  const std::int64_t row = std::int64_t{s.width} * s.channels;
  if (s.channels % strip != 0 || row > longest_count(a)) return 0;
  // The writer's tiles hold whole strips, whatever the width of its weights; those of its reader take two bits at
  // least.
  if (a.max_weight_bits < 2 || a.outputs_per_macro(a.max_weight_bits) < strip) return 0;
  // Rows are written and read as a whole.
  const std::int64_t in_room = std::int64_t{a.plane_banks()} * a.activation_depth;
  const std::int64_t out_room = std::int64_t{a.plane_banks()} * a.output_depth;
  const bool fits = s.width <= a.psum_depth && slot_of(a, row, format.bits) <= out_room &&
                    reader.rows * slot_of(a, row, format.bits) <= std::min(in_room, longest_ring) &&
                    reader.writer_rows * slot_of(a, reader.writer_values, a.max_activation_bits) <= in_room &&
                    slot_of(a, s.channels, a.max_activation_bits) <= out_room &&
                    s.channels / a.post_lanes <= a.parameter_depth &&
                    std::int64_t{reader.kernel_values} * strip <= a.weight_depth;
  return fits ? strip : 0;
}

std::vector<StripLayer> strip_layers(const Architecture& a, const IntegerNetwork& network, const IntegerLayer& layer) {
  const TensorFormat& in = network.tensors[at(layer.input)];
  const int strip = strip_of(a, in), width = network.tensors[at(layer.output)].shape.width;
  const int lanes = a.outputs_per_macro(std::max(2, layer.weight_bits)) / strip * strip;
  // Worth comparing: the fewest pixels for each number of vectors in a row. More take fewer cycles to compute and more
  // rows and columns of weights, zeros most of them, to load.
  std::vector<int> best = {1};
  for (int pixels = 2; pixels <= width && pixels * strip <= a.tiles * lanes; ++pixels) {
    if (std::int64_t{pixels} * in.shape.channels > longest_count(a)) break;
    if (ceil_div(width, pixels) < ceil_div(width, best.back())) best.push_back(pixels);
  }
  std::vector<StripLayer> all;
  for (const int pixels : best) all.push_back(shapes_of(a, network, layer, pixels));
  return all;
}

StripLayer strip_layer(const Architecture& a, const IntegerNetwork& network, const IntegerLayer& layer, int pixels) {
  StripLayer strips = shapes_of(a, network, layer, pixels);
  IntegerLayer& l = strips.layer;
  const int strip = strip_of(a, network.tensors[at(layer.input)]), channels = layer.out_channels();
  const int kernel_height = layer.window.kernel_height, kernel_width = layer.window.kernel_width;
  const std::size_t taps = at(kernel_height * kernel_width), outputs = at(channels * pixels);
  l.multiplier.resize(outputs);
  l.shift.resize(outputs);
  if (!layer.negative_multiplier.empty()) l.negative_multiplier.resize(outputs);
  std::vector<std::int16_t> weights(outputs * at(kernel_height * l.window.kernel_width * strip), 0);
  const model::WeightBlock known = layer.weights.block(0, at(channels) * taps);
  for (int s = 0, output = 0; s < channels / strip; ++s) {
    for (int pixel = 0; pixel < pixels; ++pixel) {
      for (int c = 0; c < strip; ++c, ++output) {
        const std::size_t channel = at(s * strip + c), to = at(output);
        l.bias[to] = layer.bias[channel];
        l.multiplier[to] = layer.multiplier[channel];
        l.shift[to] = layer.shift[channel];
        if (!l.negative_multiplier.empty()) l.negative_multiplier[to] = layer.negative_multiplier[channel];
        for (int ky = 0; ky < kernel_height; ++ky) {
          for (int kx = 0; kx < kernel_width; ++kx) {
            const int x = kx + pixel * layer.window.stride_width;
            weights[at(((output * kernel_height + ky) * l.window.kernel_width + x) * strip + c)] =
                static_cast<std::int16_t>(known[channel * taps + at(ky * kernel_width + kx)]);
          }
        }
      }
    }
  }
  l.weights = std::move(weights);
  return strips;
}

}  // namespace bitstrata::generate
