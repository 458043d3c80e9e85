// SPDX-License-Identifier: Apache-2.0
// Compiled without contraction of a product and a sum into one rounding.
#include "model/float_sums.h"

#include <array>

namespace bitstrata::model {
namespace {

constexpr std::size_t width = 32;  // outputs side by side, in registers

// ONNX Runtime's MLAS begins a new sum after so many products and adds the sums (sgemm.cpp, convolve.cpp: blocks of
// 128 columns by 128 products; where there are fewer columns, longer sums; matrices packed beforehand: 256). A column
// is a pixel.
std::size_t block_of(std::size_t pixels, std::size_t products) {
  std::size_t columns = 128, block = 128;
  if (pixels >= products) return block;
  while (columns > 16 && columns / 2 >= pixels) columns /= 2, block *= 2;
  return block;
}

}  // namespace

void sum_in_order(const Node& node, Shape in, const std::vector<float>& weights, const std::vector<float>& from,
                  std::vector<float>& to) {
  if (is_depthwise(node, in)) {
    sum_depthwise(node, in, weights, from, to);
    return;
  }
  Window window = node.window;
  if (node.op == Op::linear) window = {.kernel_height = in.height, .kernel_width = in.width};
  const int groups = node.op == Op::linear ? 1 : node.groups;
  const auto depth = static_cast<std::size_t>(in.channels / groups);
  const auto outputs = static_cast<std::size_t>(node.out_channels / groups);
  const auto taps = static_cast<std::size_t>(window.kernel_height) * static_cast<std::size_t>(window.kernel_width);
  const std::size_t products = taps * depth, padded = (outputs + width - 1) / width * width;
  const auto pixels = static_cast<std::size_t>(node.output.height) * static_cast<std::size_t>(node.output.width);
  const std::size_t block = node.op == Op::linear ? 256 : block_of(pixels, products);
  std::vector<float> turned(products * padded), patch(products), sums(padded);
  for (int group = 0; group < groups; ++group) {
    const std::size_t first = static_cast<std::size_t>(group) * outputs;
    for (std::size_t n = 0; n < outputs; ++n)
      for (std::size_t t = 0; t < taps; ++t)
        for (std::size_t c = 0; c < depth; ++c)
          turned[(c * taps + t) * padded + n] = weights[((first + n) * taps + t) * depth + c];
    float* target = to.data() + first;
    for (int y = 0; y < node.output.height; ++y) {
      for (int x = 0; x < node.output.width; ++x, target += node.out_channels) {
        for_taps(window, in, y, x, [&](std::int64_t pixel, int tap) {
          const float* values = from.data() + pixel * in.channels + static_cast<std::size_t>(group) * depth;
          for (std::size_t c = 0; c < depth; ++c)
            patch[c * taps + static_cast<std::size_t>(tap)] = pixel < 0 ? 0.0F : values[c];
        });
        for (std::size_t n = 0; n < padded; n += width) {
          for (std::size_t start = 0; start < products; start += block) {
            std::array<float, width> part{};
            for (std::size_t k = start; k < std::min(products, start + block); ++k) {
              const float* row = turned.data() + k * padded + n;
              for (std::size_t i = 0; i < width; ++i) part[i] += patch[k] * row[i];
            }
            for (std::size_t i = 0; i < width; ++i) sums[n + i] = start == 0 ? part[i] : sums[n + i] + part[i];
          }
        }
        std::copy_n(sums.data(), outputs, target);
      }
    }
  }
}

void sum_transposed(const Node& node, Shape in, const Transposed& transposed, const std::vector<float>& weights,
                    const std::vector<float>& from, std::vector<float>& to) {
  const auto channels = static_cast<std::size_t>(in.channels), outputs = static_cast<std::size_t>(node.out_channels);
  const auto groups = static_cast<std::size_t>(transposed.groups);
  const std::size_t depth = channels / groups, each = static_cast<std::size_t>(transposed.channels) / groups;
  const std::size_t taps = weights.size() / (outputs * channels);
  const std::size_t pixels = static_cast<std::size_t>(in.height) * static_cast<std::size_t>(in.width);
  const std::size_t block = block_of(pixels, depth);
  std::vector<float> turned(weights.size());  // [tap][channel][output]
  for (std::size_t n = 0; n < outputs; ++n)
    for (std::size_t k = 0; k < taps * channels; ++k) turned[k * outputs + n] = weights[n * taps * channels + k];
  std::vector<std::int64_t> places(taps);
  std::vector<float> sums(each), part(each);
  float* target = to.data();
  for (int y = 0; y < node.output.height; ++y) {
    for (int x = 0; x < node.output.width; ++x, target += outputs) {
      for_taps(node.window, in, y, x,
               [&](std::int64_t pixel, int tap) { places[static_cast<std::size_t>(tap)] = pixel; });
      std::fill_n(target, outputs, 0.0F);
      for (std::size_t tap = taps; tap-- > 0;) {
        if (places[tap] < 0) continue;
        for (std::size_t first = 0, group = 0; first < outputs; first += each, group = (group + 1) % groups) {
          const float* values = from.data() + static_cast<std::size_t>(places[tap]) * channels + group * depth;
          const float* factors = turned.data() + (tap * channels + group * depth) * outputs + first;
          std::fill(sums.begin(), sums.end(), 0.0F);
          for (std::size_t start = 0; start < depth; start += block) {
            std::fill(part.begin(), part.end(), 0.0F);
            for (std::size_t c = start; c < std::min(depth, start + block); ++c)
              for (std::size_t i = 0; i < each; ++i) part[i] += values[c] * factors[c * outputs + i];
            for (std::size_t i = 0; i < each; ++i) sums[i] += part[i];
          }
          for (std::size_t i = 0; i < each; ++i) target[first + i] += sums[i];
        }
      }
    }
  }
}

}  // namespace bitstrata::model
