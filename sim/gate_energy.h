// SPDX-License-Identifier: Apache-2.0
// Energy of events and toggles under a gate-level technology.
#pragma once

#include <string>
#include <vector>

#include "model/architecture.h"
#include "model/events.h"
#include "model/gate_level.h"

namespace bitstrata::sim {

// J; 0 for toggles where there are none.
double energy_of(const std::vector<model::EnergyTerm>& terms, const model::Events& events,
                 const model::Toggles* toggles, const model::Architecture& architecture);

// A buffer of the accelerator: banks of `bank_bits`, and what a run reads and writes of it.
struct BufferAccess {
  std::string name;
  double bank_bits = 0;
  std::int64_t bits = 0;  // in all
  double accesses = 0;    // of a bank
  double accessed = 0;    // bits, of all accesses
  double banks() const { return static_cast<double>(bits) / bank_bits; }
};
std::vector<BufferAccess> buffer_accesses(const model::Architecture& architecture, const model::Events& events);

// Keys in which `architecture` is not the calibrated hardware: "rows 32, calibrated for 64". Columns, macros and clock
// may be others.
std::vector<std::string> differences(const model::GateLevel& technology, const model::Architecture& architecture);
// Begins the note of an energy that is taken for hardware with such differences.
inline constexpr const char* outside_calibration = "outside the calibrated range";
// The keys that matter, with their values.
std::map<std::string, std::string> calibrated_keys(const model::Architecture& architecture);

}  // namespace bitstrata::sim
