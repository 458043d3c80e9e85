// SPDX-License-Identifier: Apache-2.0
// A layer as descriptors: the way to run it that costs the fewest cycles, its pieces, and where their weights and
// parameters lie. Needs shapes and widths only; numbers are put in by `put_numbers`.
#pragma once

#include <functional>
#include <vector>

#include "rtl/generate/describe.h"
#include "rtl/generate/image.h"

namespace bitstrata::generate {

struct LayerProgram {
  std::vector<Descriptor> descriptors;
  std::vector<Piece> pieces;  // one a descriptor
  Mapping mapping;
  std::int64_t weight_bytes = 0, parameter_bytes = 0;  // room from their bases
};

// Cycles of a list of descriptors; chooses among tilings. A list of `limit` cycles or more is no better than one
// already known: the answer is then any number that is not below `limit`.
using Judge = std::function<std::int64_t(const std::vector<Descriptor>&, std::int64_t limit)>;

// First bytes of the tensors, of all weights and of all parameters: each on a page. Cycles do not depend on which.
using Bases = Addresses;

// Throws std::invalid_argument, naming layer, limit and value, when the layer does not fit the architecture's buffers,
// uses a width or a unit it does not have, or could overflow its accumulators (without weights: in the worst case).
// Without a judge the first tiling is taken.
LayerProgram program_layer(const model::Architecture& architecture, const model::IntegerNetwork& network,
                           const model::IntegerLayer& layer, const Bases& bases, const Judge& judge);
// The same layer at other addresses.
void move(LayerProgram& program, const Bases& from, const Bases& to);
// Writes parameters and weights where the descriptors look for them.
void put_numbers(Image& image, const model::Architecture& architecture, const model::IntegerNetwork& network,
                 const model::IntegerLayer& layer, const LayerProgram& program);

}  // namespace bitstrata::generate
