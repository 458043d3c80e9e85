// SPDX-License-Identifier: Apache-2.0
// A layer as descriptors: the way to run it that costs the fewest cycles, its pieces, and where their weights and
// parameters lie. Needs shapes and widths only; numbers are put in by `put_numbers`.
//
// The images of a batch are run in one of two ways. Where no window reaches over an image's edge (linear layers, 1 x 1
// convolutions, operators on single values, poolings that divide the height), the batch is one tall image, and weights
// are loaded as for one. Otherwise every piece is described once an image, and weights that the buffer holds whole stay
// in it from image to image.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "rtl/generate/describe.h"
#include "rtl/generate/image.h"

namespace bitstrata::generate {

struct LayerProgram {
  std::vector<Descriptor> descriptors;
  std::vector<Piece> pieces;  // one a descriptor; of the tall image where the batch is one
  Mapping mapping;
  std::int64_t weight_bytes = 0, parameter_bytes = 0;  // room from their bases
};

// Cycles of a list of descriptors (a layer's, of all images); chooses among tilings. A list of `limit` cycles or more
// is no better than one already known: the answer is then any number that is not below `limit`.
using Judge = std::function<std::int64_t(const std::vector<Descriptor>&, std::int64_t limit)>;

// First bytes of the tensors, of all weights and of all parameters: each on a page. Cycles do not depend on which.
using Bases = Addresses;

// Throws std::invalid_argument, naming layer, limit and value, when the layer does not fit the architecture's buffers,
// uses a width or a unit it does not have, or could overflow its accumulators (without weights: in the worst case).
// Without a judge the first tiling is taken, of a tall image where there is one.
LayerProgram program_layer(const model::Architecture& architecture, const model::IntegerNetwork& network,
                           const model::IntegerLayer& layer, const Bases& bases, const Judge& judge, int batch = 1);
// Takes the layer to other addresses.
void move(LayerProgram& program, const Bases& from, const Bases& to);
// Writes parameters and weights where the layer's descriptors, which run one piece each, look for them.
void put_numbers(MemoryImage& image, const model::Architecture& architecture, const model::IntegerNetwork& network,
                 const model::IntegerLayer& layer, std::span<const Descriptor> descriptors, const Mapping& mapping,
                 std::span<const Piece> pieces);

}  // namespace bitstrata::generate
