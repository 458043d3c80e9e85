// SPDX-License-Identifier: Apache-2.0
// The fast engine: exact cycles and structural events from the schedule's recurrences, without data and without a
// loop over cycles. Exact for the deterministic memory of Architecture::memory.
#pragma once

#include "model/cost.h"
#include "rtl/generate/program.h"

namespace bitstrata::sim {

// Events of one layer, all members of model::Events, equal to the differences of the RTL's counters over the layer.
// They depend on the descriptor (its four addresses modulo 4096 only, where bursts are split) and the architecture,
// not on the layers before it: every layer begins with all units idle. Throws std::invalid_argument for a descriptor
// that would never finish (buffers too small for a tile or a block).
model::Events predict(const generate::Descriptor& layer, const model::Architecture& architecture);

}  // namespace bitstrata::sim
