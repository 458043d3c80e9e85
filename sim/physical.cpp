// SPDX-License-Identifier: Apache-2.0
#include "sim/physical.h"

#include "sim/gate_energy.h"

namespace bitstrata::sim {

Clock clock_of(const model::Architecture& architecture, const model::GateLevel& gates) {
  Clock clock{.asked_mhz = architecture.clock_mhz, .reached_mhz = std::nullopt};
  if (const double period = gates.clock_period.of(architecture); period > 0) clock.reached_mhz = 1e-6 / period;
  return clock;
}

Clock clock_of(const model::Architecture& architecture, const model::Technology& technology) {
  const bool gates = technology.kind == model::TechnologyKind::gate_level;
  return clock_of(architecture, gates ? technology.gates : model::GateLevel{});
}

std::optional<Area> area_of(const model::Architecture& architecture, const model::Technology& technology) {
  if (technology.kind != model::TechnologyKind::gate_level) return std::nullopt;
  constexpr double mm2 = 1e6;  // in a m2
  const model::GateLevel& gates = technology.gates;
  Area area{.gates_mm2 = mm2 * gates.area.of(architecture)};
  for (const BufferAccess& buffer : buffer_accesses(architecture, {}))
    area.memories_mm2 +=
        mm2 * (buffer.banks() * gates.memory_block + static_cast<double>(buffer.bits) * gates.memory_area);
  return area;
}

std::optional<double> power_mw(const std::optional<double>& energy_pj, double latency_us) {
  if (!energy_pj) return std::nullopt;
  return 1e-3 * *energy_pj / latency_us;
}

double tops(std::int64_t macs, double latency_us) { return 2e-6 * static_cast<double>(macs) / latency_us; }

std::optional<double> tops_per_w(std::int64_t macs, const std::optional<double>& energy_pj) {
  if (!energy_pj || !(*energy_pj > 0)) return std::nullopt;
  return 2 * static_cast<double>(macs) / *energy_pj;
}

}  // namespace bitstrata::sim
