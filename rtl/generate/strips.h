// SPDX-License-Identifier: Apache-2.0
// Tensors in strips, for depthwise convolutions.
//
// A vector of a depthwise convolution needs few channels of many pixels, which lie far apart where all channels of a
// pixel are neighbours: one buffer access a tap. In a row laid out in strips, strip s holds channels s*g .. s*g + g-1
// of all pixels of the row, pixel after pixel; value (x, c) of a row of W pixels is the one at (c / g * W + x) * g + c
// mod g. A kernel row of a strip is then one run. And since the pixels of a strip's row are neighbours as channels are,
// a convolution whose "pixels" are p neighbouring ones computes p outputs of each channel from one vector: its kernel
// is (p - 1) * stride wider, its stride p times as long, and its weights are those of the depthwise convolution,
// shifted from pixel to pixel, with zeros between. So a strip is a dense convolution of g channels to p*g, and each is
// a segment.
#pragma once

#include <cstdint>
#include <vector>

#include "model/architecture.h"
#include "model/integer_network.h"

namespace bitstrata::generate {

// Channels of a strip of the tensor; 0: it lies pixel after pixel. Follows from the tensor's shape, width and readers
// and from the architecture alone, so that writer, reader and host agree.
int strip_of(const model::Architecture& architecture, const model::TensorFormat& format);

// Where value (x, channel) of a row of the tensor lies in the row.
inline std::int64_t place_in_row(const model::TensorFormat& format, int strip, int x, int channel) {
  if (strip == 0) return std::int64_t{x} * format.shape.channels + channel;
  return (std::int64_t{channel / strip} * format.shape.width + x) * strip + channel % strip;
}

// A depthwise convolution that computes `pixels` neighbouring outputs at once, as the convolution in groups of strips
// that it is. Its output is the layer's; what a row's last pixels compute beyond it is left in the output buffer.
struct StripLayer {
  int pixels = 1;
  model::IntegerNetwork tensors;  // input and output, without layers
  model::IntegerLayer layer;
};

// Ways to run `layer`, whose input lies in strips, that are worth comparing; without weights and parameters.
std::vector<StripLayer> strip_layers(const model::Architecture& architecture, const model::IntegerNetwork& network,
                                     const model::IntegerLayer& layer);
// The way of strip_layers that computes `pixels` at once, with its weights and parameters.
StripLayer strip_layer(const model::Architecture& architecture, const model::IntegerNetwork& network,
                       const model::IntegerLayer& layer, int pixels);

}  // namespace bitstrata::generate
