// SPDX-License-Identifier: Apache-2.0
// The fast engine: exact cycles and structural events from the schedule's recurrences, without data and without a
// loop over cycles. Exact for the deterministic memory of Architecture::memory.
#pragma once

#include <functional>

#include "model/cost.h"
#include "rtl/generate/program.h"
#include "sim/fast_planes.h"
#include "sim/fast_ports.h"

namespace bitstrata::sim {

// Events of one descriptor, all members of model::Events, equal to the differences of the RTL's counters over it.
// They depend on the descriptor (its addresses modulo 4096 only, where bursts are split) and the architecture, not on
// the descriptors before it: every one begins with all units idle. Throws std::invalid_argument for a descriptor
// that would never finish (buffers too small for a tile or a block).
model::Events predict(const generate::Descriptor& descriptor, const model::Architecture& architecture,
                      Pace pace = Pace::leaping);

// Events of a convolution on an accelerator with skip_planes, given what it streams: exact, where the others count all
// planes and so give the most it can take.
model::Events predict(const generate::Descriptor& descriptor, const model::Architecture& architecture,
                      const PlaneCounts& planes);

// Events of every descriptor of the list or program; with skip_planes the most there can be.
std::vector<model::Events> predict(const std::vector<generate::Descriptor>& descriptors,
                                   const model::Architecture& architecture);
std::vector<model::Events> predict(const generate::Program& program);
// Exact with skip_planes too: `tensors` are the codes of all tensors (model::run_all), of a batch as
// codes_of_batch gives them.
std::vector<model::Events> predict(const generate::Program& program, const std::vector<model::Codes>& tensors);

// The same, layer by layer: `input_of` is called once for each layer in their order and gives the codes that it reads
// (of its two inputs the first), of a batch those of the images one behind the other.
std::vector<model::Events> predict(const generate::Program& program,
                                   const std::function<model::Codes(std::size_t layer)>& input_of);

// generate::lower with this engine as the judge of tilings.
generate::Program lower(const model::IntegerNetwork& network, const model::Architecture& architecture, int batch = 1);
generate::Judge judge_of(const model::Architecture& architecture);

}  // namespace bitstrata::sim
