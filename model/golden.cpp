// SPDX-License-Identifier: Apache-2.0
// The definition of integer inference: slow, plain, and the judge of everything else.
#include "model/golden.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "model/float_network.h"
#include "model/golden_check.h"

namespace bitstrata::model {
namespace {

// The accumulator of one output of a sliding window: see IntegerLayer.
std::int64_t accumulate_window(const IntegerLayer& layer, const WeightBlock& weights, const TensorFormat& input,
                               const Codes& codes, int y, int x, int n) {
  const Window& w = layer.window;
  const Shape& shape = input.shape;
  const bool convolution = has_weights(layer.kind);
  const int depth = convolution ? shape.channels / layer.groups : 1;
  const int first = convolution ? n / (layer.out_channels() / layer.groups) * depth : n;
  std::int64_t sum = 0;
  bool any = false;  // a real tap was seen (max pooling)
  for (int ky = 0; ky < w.kernel_height; ++ky) {
    for (int kx = 0; kx < w.kernel_width; ++kx) {
      const int in_y = y * w.stride_height - w.pad_top + ky * w.dilation_height;
      const int in_x = x * w.stride_width - w.pad_left + kx * w.dilation_width;
      const bool inside = in_y >= 0 && in_y < shape.height && in_x >= 0 && in_x < shape.width;
      for (int c = 0; c < depth; ++c) {
        const std::size_t at = (static_cast<std::size_t>(in_y) * shape.width + in_x) * shape.channels + first + c;
        const std::int64_t code = inside ? codes[at] : input.zero_point;
        if (convolution) {
          const std::size_t weight =
              ((static_cast<std::size_t>(n) * w.kernel_height + ky) * w.kernel_width + kx) * depth + c;
          sum += weights[weight] * code;
        } else if (accumulation(layer.kind) == Accumulation::sum) {
          sum += code;
        } else if (inside) {
          sum = any ? std::max(sum, code) : code;
          any = true;
        }
      }
    }
  }
  return sum;
}

// The accumulator of an operator on single values. `second` is the shape of the other input.
std::int64_t combine(const IntegerLayer& layer, Shape from, Shape second, const Codes& first, const Codes& other, int y,
                     int x, int n) {
  const auto code = [](const Codes& codes, Shape shape, int row, int column, int channel) {
    return std::int64_t{codes[(static_cast<std::size_t>(row) * shape.width + column) * shape.channels +
                              static_cast<std::size_t>(channel)]};
  };
  const Operands which = operands(layer.kind);
  if (which == Operands::enlarged) return code(first, from, y / layer.factor[0], x / layer.factor[0], n);
  if (which == Operands::spread) {
    const auto [rows, columns] = layer.factor;
    const int place = y % rows * columns + x % columns;
    return code(first, from, y / rows, x / columns, place * layer.out_channels() + n);
  }
  if (which == Operands::joined) {
    return n < from.channels ? code(first, from, y, x, n) : code(other, second, y, x, n - from.channels);
  }
  const bool one_pixel = second != from;
  const std::int64_t a = code(first, from, y, x, n);
  const std::int64_t b = one_pixel ? other[static_cast<std::size_t>(n)] : code(other, second, y, x, n);
  return (accumulation(layer.kind) == Accumulation::product ? a * b : 0) + layer.factor[0] * a + layer.factor[1] * b;
}

}  // namespace

void check_inputs(const IntegerNetwork& network, const IntegerLayer& layer, const Codes& input, const Codes& second) {
  const std::string reader = fmt::format("layer '{}'", layer.name);
  check_codes(network.tensors.at(static_cast<std::size_t>(layer.input)), input, reader);
  if (layer.second >= 0) check_codes(network.tensors.at(static_cast<std::size_t>(layer.second)), second, reader);
}

void check_codes(const TensorFormat& format, const Codes& codes, const std::string& reader) {
  if (static_cast<std::int64_t>(codes.size()) != format.shape.elements()) {
    throw std::invalid_argument(
        fmt::format("{}: got {} codes, its input has {}", reader, codes.size(), format.shape.elements()));
  }
  const CodeRange range = code_range(format.coding, format.bits);
  const auto [low, high] = std::minmax_element(codes.begin(), codes.end());
  if (*low < range.low || *high > range.high) {
    throw std::invalid_argument(
        fmt::format("{}: got codes {}..{}, its input holds {}..{}", reader, *low, *high, range.low, range.high));
  }
}

std::int32_t requantize(const IntegerLayer& layer, int channel, std::int64_t accumulator) {
  // 62 bits of value times 16 bits of multiplier need more than int64.
  __extension__ using Wide = __int128;
  const auto n = static_cast<std::size_t>(channel);
  const int shift = layer.shift.at(n);
  Wide value = (static_cast<Wide>(accumulator) << layer.acc_shift) + layer.bias.at(n);
  const bool negative = layer.activation == Activation::leaky && value < 0;
  value *= negative ? layer.negative_multiplier.at(n) : layer.multiplier.at(n);
  if (shift > 0) value = (value + (static_cast<Wide>(1) << (shift - 1))) >> shift;
  switch (layer.activation) {
    case Activation::clip:
    case Activation::leaky:
      break;
    case Activation::hard_swish: {
      const auto p = static_cast<std::int64_t>(std::clamp<Wide>(value, -32768, 32767));
      const std::int64_t gate = std::clamp<std::int64_t>(p + layer.swish_three, 0, layer.swish_six);
      const std::int64_t half = layer.swish_shift > 0 ? std::int64_t{1} << (layer.swish_shift - 1) : 0;
      value = ((p * gate + half) >> layer.swish_shift) + layer.swish_offset;
      break;
    }
    case Activation::table:
      value = layer.table.at(static_cast<std::size_t>(std::clamp<Wide>(value, -128, 127) + 128));
      break;
  }
  return static_cast<std::int32_t>(std::clamp<Wide>(value, layer.clip_low, layer.clip_high));
}

Codes run_layer_reference(const IntegerNetwork& network, const IntegerLayer& layer, const Codes& input,
                          const Codes& second) {
  const TensorFormat& from = network.tensors.at(static_cast<std::size_t>(layer.input));
  const Shape other = layer.second < 0 ? Shape{} : network.tensors.at(static_cast<std::size_t>(layer.second)).shape;
  const Shape to = network.tensors.at(static_cast<std::size_t>(layer.output)).shape;
  check_inputs(network, layer, input, second);
  const WeightBlock weights = layer.weights.all();
  Codes output;
  output.reserve(static_cast<std::size_t>(to.elements()));
  for (int y = 0; y < to.height; ++y) {
    for (int x = 0; x < to.width; ++x) {
      for (int n = 0; n < to.channels; ++n) {
        const std::int64_t sum = has_window(layer.kind) ? accumulate_window(layer, weights, from, input, y, x, n)
                                                        : combine(layer, from.shape, other, input, second, y, x, n);
        output.push_back(requantize(layer, n, sum));
      }
    }
  }
  return output;
}

int argmax(const Codes& output) {
  if (output.empty()) throw std::invalid_argument("argmax of no codes");
  return static_cast<int>(std::max_element(output.begin(), output.end()) - output.begin());
}

Codes encode_image(const TensorFormat& input, std::span<const std::uint8_t> pixels) {
  if (input.coding != Coding::unsigned_code || input.zero_point != 0) {
    throw std::invalid_argument(fmt::format("images are encoded as unsigned codes of zero_point 0, not {} of {}",
                                            to_string(input.coding), input.zero_point));
  }
  if (static_cast<std::int64_t>(pixels.size()) != input.shape.elements()) {
    throw std::invalid_argument(fmt::format("got {} pixels, the input has {}", pixels.size(), input.shape.elements()));
  }
  const std::int32_t top = code_range(input.coding, input.bits).high;
  Codes codes;
  codes.reserve(pixels.size());
  for (std::int32_t pixel : pixels) codes.push_back((2 * pixel * top + 255) / 510);  // + 1/2, rounded down
  return codes;
}

bool takes_pixels(const TensorFormat& input) {
  if (input.coding != Coding::unsigned_code || input.zero_point != 0) return false;
  const double top = code_range(input.coding, input.bits).high;
  // Where scales are powers of two, the one next to 1 / top stands for it.
  return std::abs(input.scale * top - 1) < 1e-6 || input.scale * (top + 1) == 1;
}

Codes encode_values(const TensorFormat& input, std::span<const float> values) {
  if (static_cast<std::int64_t>(values.size()) != input.shape.elements()) {
    throw std::invalid_argument(fmt::format("got {} values, the input has {}", values.size(), input.shape.elements()));
  }
  return encode({.bits = input.bits,
                 .coding = input.coding,
                 .zero_point = input.zero_point,
                 .scale = input.scale,
                 .rounding = Rounding::half_even_step},
                values);
}

}  // namespace bitstrata::model
