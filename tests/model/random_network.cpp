// SPDX-License-Identifier: Apache-2.0
// Draws shapes first, then numbers: requantization is scaled to the accumulators so that outputs spread over their
// range instead of sitting at the clips.
#include "tests/model/random_network.h"

#include <algorithm>
#include <bit>

namespace bitstrata::testing {
namespace {

using namespace model;

bool chance(Random& random, int percent) { return pick(random, 1, 100) <= percent; }

TensorFormat random_format(Random& random, Shape shape) {
  TensorFormat format{.shape = shape, .bits = pick(random, 1, 16), .scale = 0.125};
  switch (pick(random, 0, 2)) {
    case 0:
      format.zero_point = chance(random, 50) ? pick(random, 0, code_range(Coding::unsigned_code, format.bits).high) : 0;
      break;
    case 1:
      format.coding = Coding::twos_complement;
      format.bits = std::max(2, format.bits);
      break;
    default:
      format.coding = chance(random, 50) ? Coding::bipolar : Coding::unsigned_code;
      format.bits = 1;
      break;
  }
  return format;
}

struct Axis {
  int kernel, stride, before, after, dilation, positions;
};

// A window along an axis of `size` whose every position sees at least one real tap.
Axis random_axis(Random& random, int size, LayerKind kind, bool whole) {
  if (whole) return {size, 1, 0, 0, 1, 1};
  while (true) {
    Axis a{pick(random, 1, 5), pick(random, 1, 3), 0, 0, chance(random, 25) ? pick(random, 2, 3) : 1, 0};
    if (kind != LayerKind::average_pool && chance(random, 60)) {
      a.before = pick(random, 0, a.kernel - 1);
      a.after = pick(random, 0, a.kernel - 1);
    }
    // Pooling over the padding alone has no value; undilated windows with less padding than kernel never do that.
    if (kind == LayerKind::max_pool && (a.before != 0 || a.after != 0)) a.dilation = 1;
    const int room = size + a.before + a.after - (a.dilation * (a.kernel - 1) + 1);
    if (room < 0) continue;
    a.positions = room / a.stride + 1;
    return a;
  }
}

void random_weights(Random& random, IntegerLayer& layer, std::int64_t count) {
  layer.weight_bits = pick(random, 1, 16);
  const int top = layer.weight_bits == 1 ? 1 : (1 << (layer.weight_bits - 1)) - 1;
  for (std::int64_t i = 0; i < count; ++i) {
    int weight = chance(random, 10) ? -top - 1 : pick(random, -top, top);
    if (layer.weight_bits == 1) weight = chance(random, 50) ? 1 : -1;
    layer.weights.push_back(static_cast<std::int16_t>(weight));
  }
}

// Appends a layer that reads the last tensor.
void append_layer(Random& random, IntegerNetwork& network, const RandomOptions& options) {
  const TensorFormat input = network.tensors.back();
  IntegerLayer layer;
  layer.name = "layer" + std::to_string(network.layers.size() + 1);
  layer.input = static_cast<int>(network.tensors.size()) - 1;
  layer.output = layer.input + 1;
  if (options.pooling && chance(random, 30)) {
    layer.kind = chance(random, 50) ? LayerKind::max_pool : LayerKind::average_pool;
  }
  const bool convolution = layer.kind == LayerKind::convolution;
  const bool whole = convolution && chance(random, 15);  // a linear layer
  const Axis y = random_axis(random, input.shape.height, layer.kind, whole);
  const Axis x = random_axis(random, input.shape.width, layer.kind, whole);
  layer.window = {y.kernel, x.kernel, y.stride, x.stride, y.before, y.after, x.before, x.after, y.dilation, x.dilation};

  int channels = input.shape.channels;
  if (convolution) {
    channels = pick(random, 1, options.largest_channels);
    if (!whole && chance(random, 30)) {
      // Groups: any divisor of the input channels, often all of them (depthwise).
      layer.groups = chance(random, 50) ? input.shape.channels : pick(random, 1, input.shape.channels);
      while (input.shape.channels % layer.groups != 0) --layer.groups;
      channels = layer.groups * pick(random, 1, std::max(1, options.largest_channels / layer.groups));
    }
  }
  TensorFormat output = random_format(random, {y.positions, x.positions, channels});
  if (convolution) {
    const std::int64_t taps = std::int64_t{y.kernel} * x.kernel * (input.shape.channels / layer.groups);
    random_weights(random, layer, taps * channels);
    layer.macs = output.shape.elements() * taps;
  }
  layer.acc_shift = input.coding == Coding::bipolar && (convolution || chance(random, 50)) ? 1 : 0;
  if (chance(random, 30)) layer.acc_shift = pick(random, layer.acc_shift, most_acc_shift);

  layer.bias.assign(static_cast<std::size_t>(channels), 0);
  const std::int64_t bound = accumulator_bound({.tensors = {input}}, [&] {
    IntegerLayer probe = layer;
    probe.input = 0;
    return probe;
  }());
  const CodeRange range = code_range(output.coding, output.bits);
  const int headroom = std::bit_width(static_cast<std::uint64_t>(bound)) - output.bits;
  for (auto& bias : layer.bias) {
    const int reach = static_cast<int>(std::min<std::int64_t>(bound / 4 + 2, 1 << 30));
    bias = pick(random, -reach, reach);
    const bool scaled = chance(random, 70);
    layer.multiplier.push_back(static_cast<std::uint16_t>(scaled ? pick(random, 1, 65535) : 1));
    const int shift = headroom - pick(random, 0, 4) + (scaled ? 16 : 0);
    layer.shift.push_back(static_cast<std::uint8_t>(std::clamp(shift, 0, 63)));
  }
  layer.clip_low = chance(random, 30) ? pick(random, range.low, range.high) : range.low;
  layer.clip_high = chance(random, 30) ? pick(random, layer.clip_low, range.high) : range.high;
  network.tensors.push_back(output);
  network.layers.push_back(std::move(layer));
}

}  // namespace

int pick(Random& random, int low, int high) {
  return low + static_cast<int>(random() % static_cast<std::uint64_t>(std::int64_t{high} - low + 1));
}

IntegerNetwork random_chain(Random& random, int layers, const RandomOptions& options) {
  const Shape shape{pick(random, 1, options.largest_side), pick(random, 1, options.largest_side),
                    pick(random, 1, options.largest_channels)};
  IntegerNetwork network{.name = "random", .tensors = {random_format(random, shape)}};
  for (int i = 0; i < layers; ++i) append_layer(random, network, options);
  validate(network);
  return network;
}

IntegerNetwork random_layer(Random& random, const RandomOptions& options) { return random_chain(random, 1, options); }

Codes random_codes(Random& random, const TensorFormat& format) {
  const CodeRange range = code_range(format.coding, format.bits);
  Codes codes;
  for (std::int64_t i = 0; i < format.shape.elements(); ++i) {
    const int kind = pick(random, 0, 9);
    codes.push_back(kind == 0 ? range.low : kind == 1 ? range.high : pick(random, range.low, range.high));
  }
  return codes;
}

}  // namespace bitstrata::testing
