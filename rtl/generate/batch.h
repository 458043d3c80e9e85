// SPDX-License-Identifier: Apache-2.0
// A layer over the images of a batch: all at once as one tall image, or in turns.
#pragma once

#include <optional>
#include <vector>

#include "rtl/generate/describe.h"
#include "rtl/generate/tiling.h"

namespace bitstrata::generate {

// A layer whose tensors are `batch` times as high as its network's.
struct TallLayer {
  model::IntegerNetwork tensors;  // without layers
  model::IntegerLayer layer;
};

// The layer with all images of a batch as one: rows of the images follow each other in memory (TensorPlacement).
// Nothing where that is another layer (a window would reach over an image's edge, or meet a second tensor of one
// pixel), where rows could no longer be counted, and for a batch of one.
std::optional<TallLayer> tall_layer(const model::IntegerNetwork& network, const model::IntegerLayer& layer, int batch);

// What `tilings` gives, but empty where none fits: an image alone may still.
std::vector<Tiling> fitting_tilings(const model::Architecture& architecture, const TallLayer& tall);

// A piece of the tiling run for an image of the batch.
struct Turn {
  std::size_t piece = 0;
  int image = 0;
};

// Pieces for images in the order that needs other weights the least often: those that follow each other with the same
// weights are run for all images before the next ones. The pieces of a carried sum stay together.
std::vector<Turn> turns_of(const std::vector<Piece>& pieces, int images);

// Bytes from an image's operands to those of the next one.
Addresses step_of_image(const model::Architecture& architecture, const model::IntegerNetwork& network,
                        const model::IntegerLayer& layer);
Addresses times(const Addresses& step, int images);

}  // namespace bitstrata::generate
