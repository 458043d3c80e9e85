// SPDX-License-Identifier: Apache-2.0
#include "sim/energy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "sim/gate_energy.h"
#include "sim/physical.h"

namespace bitstrata::sim {

namespace {

using namespace model;

constexpr std::array part_members = {&EnergyParts::array_pj,   &EnergyParts::shift_add_pj, &EnergyParts::postprocess_pj,
                                     &EnergyParts::buffer_pj,  &EnergyParts::memory_pj,    &EnergyParts::dram_pj,
                                     &EnergyParts::control_pj, &EnergyParts::clock_pj,     &EnergyParts::leakage_pj};

// Picojoules in one unit of the coefficient ("fJ/MAC", "pJ/bit", "pJ").
double in_pj(const Coefficient& coefficient) {
  if (coefficient.unit.starts_with("fJ")) return coefficient.value * 1e-3;
  if (coefficient.unit.starts_with("pJ")) return coefficient.value;
  throw std::invalid_argument(fmt::format("energy unit '{}'; known: fJ and pJ", coefficient.unit));
}

double coefficient_pj(const Technology& technology, const std::string& name) {
  const auto found = technology.coefficients.find(name);
  if (found == technology.coefficients.end()) {
    throw std::invalid_argument(fmt::format("technology '{}' has no coefficient '{}'", technology.name, name));
  }
  return in_pj(found->second);
}

// Energy of the whole run, in pJ.
EnergyParts gate_level_parts(const Events& events, const Toggles* toggles, const GateLevel& gates,
                             const Architecture& a) {
  EnergyParts parts;
  const EnergyTerms& terms = toggles != nullptr ? gates.with_toggles : gates.structural;
  const auto part = [&](const char* name) {
    const auto found = terms.find(name);
    return found == terms.end() ? 0.0 : energy_of(found->second, events, toggles, a) * 1e12;
  };
  parts.array_pj = part("array");
  parts.shift_add_pj = part("shift_add");
  parts.postprocess_pj = part("postprocess");
  parts.control_pj = part("control");
  parts.clock_pj = part("clock");
  double buffers = part("buffer"), memory_bits = 0;
  for (const BufferAccess& buffer : buffer_accesses(a, events)) {
    buffers +=
        (buffer.accesses * gates.memory_cycle + buffer.accessed * gates.memory_access * std::sqrt(buffer.bank_bits)) *
        1e12;
    memory_bits += static_cast<double>(buffer.bits);
  }
  parts.buffer_pj = buffers;
  parts.dram_pj = static_cast<double>(events.memory_lines_read + events.memory_lines_written) * a.data_bits *
                  gates.dram_access * 1e12;
  const double seconds = 1e-6 * clock_of(a, gates).latency_us(events.cycles);
  parts.leakage_pj = (gates.leakage.of(a) + memory_bits * gates.memory_leakage) * seconds * 1e12;
  return parts;
}

// Where the technology is used beyond what it was calibrated for, and how wrong it is within.
std::vector<std::string> rules_for(const Measurement& measurement, const GateLevel& gates, const Architecture& a) {
  std::vector<std::string> rules;
  const bool toggles = !measurement.layers.empty() && measurement.layers[0].toggles.has_value();
  const FitError& error = toggles ? gates.toggles_error : gates.structural_error;
  rules.push_back(
      fmt::format("{}: energy per cycle of gates is {:.1f} % off on average, {:.1f} % at worst, in {} runs "
                  "that were not fitted{}.",
                  toggles ? "From events and toggles" : "From events alone, without toggles", 100 * error.mean,
                  100 * error.worst, error.points,
                  gates.family.architectures > 0
                      ? fmt::format(", of {} architectures by fits without them", gates.family.architectures)
                      : ""));
  if (gates.family.architectures > 0)
    rules.push_back(
        fmt::format("Of an architecture left out, area is {:.1f} % off on average ({:.1f} at worst), leakage "
                    "{:.1f} % ({:.1f}), the clock {:.1f} % ({:.1f}).",
                    100 * gates.family.area.mean, 100 * gates.family.area.worst, 100 * gates.family.leakage.mean,
                    100 * gates.family.leakage.worst, 100 * gates.family.clock.mean, 100 * gates.family.clock.worst));
  const std::vector<std::string> others = differences(gates, a);
  if (!others.empty()) rules.push_back(fmt::format("OUTSIDE THE CALIBRATED RANGE: {}.", fmt::join(others, "; ")));
  std::vector<std::string> sparse;
  for (const LayerMeasurement& layer : measurement.layers) {
    if (has_weights(layer.kind) && layer.activation_density.value_or(1) < gates.least_density)
      sparse.push_back(fmt::format("{} ({:.3f})", layer.layer, *layer.activation_density));
  }
  if (!sparse.empty()) {
    rules.push_back(fmt::format("OUTSIDE THE CALIBRATED RANGE: activation density below {:g} in {}.",
                                gates.least_density, fmt::join(sparse, ", ")));
  }
  if (const Clock clock = clock_of(a, gates); !clock.met()) {
    rules.push_back(fmt::format("The clock of {} MHz is not met: the gates reach {:.1f} MHz, which latency is at.",
                                a.clock_mhz, *clock.reached_mhz));
  }
  return rules;
}

}  // namespace

bool EnergyParts::any() const {
  return std::any_of(part_members.begin(), part_members.end(), [&](auto m) { return (this->*m).has_value(); });
}

double EnergyParts::total_pj() const {
  double total = 0;
  for (auto member : part_members) total += (this->*member).value_or(0);
  return total;
}

EnergyParts& EnergyParts::operator+=(const EnergyParts& other) {
  for (auto member : part_members) {
    if (other.*member) this->*member = (this->*member).value_or(0) + *(other.*member);
  }
  return *this;
}

LayerGeometry geometry_of(const IntegerNetwork& network, const IntegerLayer& layer) {
  return {network.tensors.at(static_cast<std::size_t>(layer.input)).shape,
          network.tensors.at(static_cast<std::size_t>(layer.output)).shape, layer.window, layer.groups};
}

LayerEnergy price(const LayerMeasurement& layer, const LayerGeometry& geometry, const Technology& technology,
                  const RunContext& run) {
  LayerEnergy energy{.layer = layer.layer, .parts = {}, .note = ""};
  if (technology.kind == TechnologyKind::gate_level) {
    if (run.architecture == nullptr) {
      throw std::invalid_argument(fmt::format("technology '{}' prices runs of an architecture", technology.name));
    }
    energy.parts =
        gate_level_parts(layer.events, layer.toggles ? &*layer.toggles : nullptr, technology.gates, *run.architecture);
    for (auto member : part_members) {
      if (energy.parts.*member) *(energy.parts.*member) /= run.batch;
    }
    if (!layer.toggles) energy.note = "from events alone, without toggles";
    return energy;
  }
  if (!has_weights(layer.kind)) {
    energy.note = "no MACs; the technology prices nothing else of it";
    return energy;
  }
  const int k = std::max(layer.weight_bits, layer.activation_bits);
  const auto macs = static_cast<double>(layer.macs);
  switch (technology.kind) {
    case TechnologyKind::mac_table: {
      const auto& [bits, mac] = technology.mac_price(layer.layer, layer.weight_bits, layer.activation_bits);
      energy.parts.array_pj = macs * in_pj(mac);
      if (bits != layer.weight_bits || bits != layer.activation_bits) {
        energy.note = fmt::format("{}/{} bits priced as {}", layer.weight_bits, layer.activation_bits, bits);
      }
      break;
    }
    case TechnologyKind::mac_memory: {
      const double mac_pj = coefficient_pj(technology, "mac_slope") * k + coefficient_pj(technology, "mac_offset");
      const double access_pj = coefficient_pj(technology, "access_slope") * k;
      const std::int64_t taps = std::int64_t{geometry.window.kernel_height} * geometry.window.kernel_width;
      const std::int64_t weights =
          taps * (geometry.input.channels / std::max(1, geometry.groups)) * geometry.output.channels;
      energy.parts.array_pj = macs * mac_pj;
      energy.parts.memory_pj = static_cast<double>(geometry.input.elements() + weights) * access_pj;
      if (layer.weight_bits != layer.activation_bits) {
        energy.note = fmt::format("{}/{} bits priced as {}", layer.weight_bits, layer.activation_bits, k);
      }
      break;
    }
    case TechnologyKind::gate_level:
      break;
  }
  return energy;
}

Energy price(const Measurement& measurement, const std::vector<LayerGeometry>& geometries, const Technology& technology,
             const Architecture& architecture) {
  if (geometries.size() != measurement.layers.size()) {
    throw std::invalid_argument(
        fmt::format("{} geometries for {} layers", geometries.size(), measurement.layers.size()));
  }
  Energy energy{.technology = technology.name,
                .status = technology.status(),
                .rules = technology.rules,
                .layers = {},
                .total = {},
                .priced_layers = 0};
  if (technology.kind == TechnologyKind::gate_level) {
    for (std::string& rule : rules_for(measurement, technology.gates, architecture)) energy.rules.push_back(rule);
  }
  const RunContext run{&architecture, measurement.batch};
  for (std::size_t i = 0; i < geometries.size(); ++i) {
    energy.layers.push_back(price(measurement.layers[i], geometries[i], technology, run));
    energy.total += energy.layers.back().parts;
    if (energy.layers.back().parts.any()) ++energy.priced_layers;
  }
  return energy;
}

Energy price(const Measurement& measurement, const IntegerNetwork& network, const Technology& technology,
             const Architecture& architecture) {
  std::vector<LayerGeometry> geometries;
  for (const IntegerLayer& layer : network.layers) geometries.push_back(geometry_of(network, layer));
  return price(measurement, geometries, technology, architecture);
}

}  // namespace bitstrata::sim
