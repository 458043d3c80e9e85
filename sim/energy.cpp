// SPDX-License-Identifier: Apache-2.0
#include "sim/energy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>

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

LayerEnergy price(const LayerMeasurement& layer, const LayerGeometry& geometry, const Technology& technology) {
  LayerEnergy energy{.layer = layer.layer, .parts = {}, .note = ""};
  if (layer.kind != LayerKind::convolution) {
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
  }
  return energy;
}

Energy price(const Measurement& measurement, const std::vector<LayerGeometry>& geometries,
             const Technology& technology) {
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
  for (std::size_t i = 0; i < geometries.size(); ++i) {
    energy.layers.push_back(price(measurement.layers[i], geometries[i], technology));
    energy.total += energy.layers.back().parts;
    if (energy.layers.back().parts.any()) ++energy.priced_layers;
  }
  return energy;
}

Energy price(const Measurement& measurement, const IntegerNetwork& network, const Technology& technology) {
  std::vector<LayerGeometry> geometries;
  for (const IntegerLayer& layer : network.layers) geometries.push_back(geometry_of(network, layer));
  return price(measurement, geometries, technology);
}

}  // namespace bitstrata::sim
