// SPDX-License-Identifier: Apache-2.0
// What an accelerator is under a technology besides its energy: the clock it runs at, its area, and what follows of
// power and throughput. These are the only places that say how.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "model/architecture.h"
#include "model/technology.h"

namespace bitstrata::sim {

// The clock that is asked for, and what the technology's gates reach. An accelerator runs at the slower of the two:
// every latency, leakage and power under a technology is at that clock.
struct Clock {
  double asked_mhz = 0;
  std::optional<double> reached_mhz;  // nothing under a technology that tells no clock
  double mhz() const { return std::min(asked_mhz, reached_mhz.value_or(asked_mhz)); }
  bool met() const { return !reached_mhz || asked_mhz <= *reached_mhz; }
  // What a run of `cycles` takes.
  double latency_us(std::int64_t cycles) const { return static_cast<double>(cycles) / mhz(); }
};
Clock clock_of(const model::Architecture& architecture, const model::GateLevel& gates);
Clock clock_of(const model::Architecture& architecture, const model::Technology& technology);

// mm2 of the gates, and of the memories, by their banks and bits. What buffer_accesses lists are
// the memories: those whose energy counts, too.
struct Area {
  double gates_mm2 = 0, memories_mm2 = 0;
  double mm2() const { return gates_mm2 + memories_mm2; }
};

// Nothing under a published technology, which tells energies alone. Where the architecture is not the hardware that the
// gates were fitted to, `differences` (gate_energy.h) says so, for area and energy alike.
std::optional<Area> area_of(const model::Architecture& architecture, const model::Technology& technology);

// Mean power over an image, or a run, and 10^12 operations a second and a second and watt, where a
// multiply-accumulate is two operations. Nothing where the energy is not known (or 0, of no layer that is priced).
std::optional<double> power_mw(const std::optional<double>& energy_pj, double latency_us);
double tops(std::int64_t macs, double latency_us);
std::optional<double> tops_per_w(std::int64_t macs, const std::optional<double>& energy_pj);

}  // namespace bitstrata::sim
