// SPDX-License-Identifier: Apache-2.0
// The fast engine: exact cycles and structural events from the schedule's recurrences, without data and without a
// loop over cycles. Exact for the deterministic memory of Architecture::memory.
#pragma once

#include "model/cost.h"
#include "rtl/generate/program.h"

namespace bitstrata::sim {

// Events of one layer, all members of model::Events.
model::Events predict(const generate::Descriptor& layer, const model::Architecture& architecture);

}  // namespace bitstrata::sim
