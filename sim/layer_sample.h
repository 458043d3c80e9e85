// SPDX-License-Identifier: Apache-2.0
// A layer of a network cut out, with the codes that images give it, so that an engine runs it alone.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "model/golden.h"
#include "model/integer_network.h"

namespace bitstrata::sim {

// Which part of a layer runs: its whole output, or a band of rows (at other heights in every image, so that together
// they are spread over the layer), and of a convolution without groups all outputs or some, evenly spread.
struct SamplePart {
  int rows = 0;         // of the output; 0: all
  int channels = 0;     // of the output; 0: all
  int weight_bits = 2;  // of what stands in front of a layer of two inputs; at least 2
};

struct LayerSample {
  model::IntegerNetwork network;     // the layer is the last one
  std::vector<model::Codes> inputs;  // an image each
};

// Layer `index` of `network` on `images` ([image][tensor of the network], at the widths of its inputs). Rows of padding
// become rows of codes. A layer of two inputs has two convolutions in front, which take them out of one tensor; a
// product with one pixel becomes a product with as many as the sample has. Outputs are those of the whole layer, except
// behind an average pooling of padding.
LayerSample sample_layer(const model::IntegerNetwork& network, std::size_t index,
                         std::span<const std::vector<model::Codes>> images, const SamplePart& part = {});

}  // namespace bitstrata::sim
