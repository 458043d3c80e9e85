// SPDX-License-Identifier: Apache-2.0
// Sums of products of a convolution or linear layer, without bias, in a stated order (internal to model/float_network).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "model/float_network.h"

namespace bitstrata::model {

// Calls visit(offset of the input pixel in pixels, or -1 in the padding, index of the tap) for one output pixel.
template <typename Visit>
void for_taps(const Window& w, Shape in, int y, int x, Visit visit) {
  int tap = 0;
  for (int ky = 0; ky < w.kernel_height; ++ky) {
    const int in_y = y * w.stride_height - w.pad_top + ky * w.dilation_height;
    for (int kx = 0; kx < w.kernel_width; ++kx, ++tap) {
      const int in_x = x * w.stride_width - w.pad_left + kx * w.dilation_width;
      const bool inside = in_y >= 0 && in_y < in.height && in_x >= 0 && in_x < in.width;
      visit(inside ? std::int64_t{in_y} * in.width + in_x : std::int64_t{-1}, tap);
    }
  }
}

inline bool is_depthwise(const Node& node, Shape in) {
  return node.op == Op::convolution && node.groups > 1 && node.groups == in.channels &&
         node.out_channels == in.channels;
}

// One output a channel: no matrix product, all channels side by side, tap after tap.
template <typename T>
void sum_depthwise(const Node& node, Shape in, const std::vector<T>& weights, const std::vector<T>& from,
                   std::vector<T>& to) {
  const auto channels = static_cast<std::size_t>(in.channels), count = weights.size() / channels;
  std::vector<T> turned(weights.size());  // [tap][channel]
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t t = 0; t < count; ++t) turned[t * channels + c] = weights[c * count + t];
  T* target = to.data();
  for (int y = 0; y < node.output.height; ++y) {
    for (int x = 0; x < node.output.width; ++x, target += channels) {
      std::fill_n(target, channels, T{0});
      for_taps(node.window, in, y, x, [&](std::int64_t pixel, int tap) {
        if (pixel < 0) return;
        const T* values = from.data() + pixel * in.channels;
        const T* factors = turned.data() + tap * in.channels;
        for (std::size_t c = 0; c < channels; ++c) target[c] += factors[c] * values[c];
      });
    }
  }
}

// In 32-bit floats, product after product in the order of ONNX's dimensions (channel, row, column), every product and
// every sum rounded, in the blocks of ONNX Runtime's matrix product: values between two codes then fall on the side
// where that runtime puts them. `weights` and `from` as FloatNetwork has them; `to` has the size of the output.
void sum_in_order(const Node& node, Shape in, const std::vector<float>& weights, const std::vector<float>& from,
                  std::vector<float>& to);

// Sums of the transposed convolution that `node` stands for, in the order of its own file.
void sum_transposed(const Node& node, Shape in, const Transposed& transposed, const std::vector<float>& weights,
                    const std::vector<float>& from, std::vector<float>& to);

}  // namespace bitstrata::model
