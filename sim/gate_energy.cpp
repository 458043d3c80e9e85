// SPDX-License-Identifier: Apache-2.0
#include "sim/gate_energy.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace bitstrata::sim {

using namespace model;

namespace {

// Counts of an event, a derived one, or, where there are toggles, a toggle; else 0.
double count_of(const std::string& name, const Events& events, const Toggles* toggles) {
  if (const auto at = std::ranges::find(event_names, name); at != event_names.end())
    return static_cast<double>(events.*event_members[static_cast<std::size_t>(at - event_names.begin())]);
  using Derived = std::int64_t (*)(const Events&);
#define X(name, value, meaning) +[](const Events& e) -> std::int64_t { return value; },
  static constexpr std::array<Derived, derived_event_names.size()> derived = {BITSTRATA_DERIVED_EVENTS(X)};
#undef X
  if (const auto at = std::ranges::find(derived_event_names, name); at != derived_event_names.end())
    return static_cast<double>(derived[static_cast<std::size_t>(at - derived_event_names.begin())](events));
  if (toggles == nullptr) return 0;
  const auto toggle = std::ranges::find(toggle_names, name) - toggle_names.begin();
  return static_cast<double>(toggles->*toggle_members.at(static_cast<std::size_t>(toggle)));
}

}  // namespace

double energy_of(const std::vector<EnergyTerm>& terms, const Events& events, const Toggles* toggles,
                 const Architecture& architecture) {
  double joules = 0;
  for (const EnergyTerm& term : terms)
    joules += count_of(term.event, events, toggles) * term.per.of(architecture) * term.joules;
  return joules;
}

std::vector<BufferAccess> buffer_accesses(const Architecture& a, const Events& e) {
  const auto line = static_cast<double>(a.data_bits);
  const auto real = [](std::int64_t count) { return static_cast<double>(count); };
  // Words of the weight buffer lie in banks beside each other; post lanes share a word of partial sums, and a line of a
  // plane of the output buffer.
  const double word_banks = (a.weight_word_bits() + a.data_bits - 1) / a.data_bits;
  const double lanes = a.post_lanes;
  const double activation_lines = real(e.activation_lines_read + e.activation_lines_written);
  const double sums = real(e.accumulator_reads + e.accumulator_writes + e.post_outputs);
  std::vector<BufferAccess> all = {
      {"activations", a.activation_depth * line, a.activation_buffer_bits(), activation_lines, activation_lines * line},
      {"weights", a.weight_words() * line, a.weight_buffer_bits(),
       real(e.weight_rows_read) * word_banks + real(e.weight_lines_written),
       real(e.weight_rows_read) * a.weight_word_bits() + real(e.weight_lines_written) * line},
      {"outputs", 2 * a.output_depth * line, a.output_buffer_bits(),
       real(e.output_bits_written) / lanes + real(e.output_lines_read),
       real(e.output_bits_written) + real(e.output_lines_read) * line},
      {"partial sums", static_cast<double>(a.psum_depth) * a.post_lanes * a.accumulator_bits, a.partial_sum_bits(),
       sums / lanes, sums * a.accumulator_bits},
      {"parameters", a.parameter_depth * 128.0, std::int64_t{a.parameter_depth} * a.post_lanes * 128,
       real(e.post_outputs), real(e.post_outputs) * 128}};
  if (const int planes = a.rules().planes_held(a.max_weight_bits); planes > 1) {
    const double bits = static_cast<double>(a.rows) * planes, reads = real(e.plane_steps) * a.columns;
    const double written = real(e.weight_cells_written);
    all.push_back({"weight planes", bits, static_cast<std::int64_t>(bits) * a.columns, reads + written / a.rows,
                   reads * a.rows + written});
  }
  return all;
}

std::map<std::string, std::string> calibrated_keys(const Architecture& architecture) {
  std::map<std::string, std::string> keys;
  const nlohmann::json all = parameters_of(architecture);
  for (const auto& [key, value] : all.items()) {
    static const std::vector<std::string> free = {"name",           "tiles",          "columns",      "clock_mhz",
                                                  "supported_bits", "event_counters", "popcount_tree"};
    if (key.starts_with("memory.") || std::ranges::find(free, key) != free.end()) continue;
    keys[key] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  return keys;
}

namespace {

// Does a technology's text of a key, "64", "16..128" or "false|true", take the value?
bool covers(const std::string& calibrated, const std::string& value) {
  if (const std::size_t dots = calibrated.find(".."); dots != std::string::npos) {
    const long number = std::stol(value);
    return std::stol(calibrated.substr(0, dots)) <= number && number <= std::stol(calibrated.substr(dots + 2));
  }
  for (std::size_t begin = 0; begin <= calibrated.size();) {
    const std::size_t end = std::min(calibrated.find('|', begin), calibrated.size());
    if (calibrated.compare(begin, end - begin, value) == 0) return true;
    begin = end + 1;
  }
  return false;
}

}  // namespace

std::vector<std::string> differences(const GateLevel& technology, const Architecture& architecture) {
  // What all hardware had before a file could say it.
  static const std::map<std::string, std::string> before = {
      {"address_width", "32"}, {"count_bits", "16"}, {"serial_requantizer", "false"}};
  std::vector<std::string> result;
  for (const auto& [key, value] : calibrated_keys(architecture)) {
    const auto said = technology.hardware.find(key), known = before.find(key);
    const std::string calibrated = said != technology.hardware.end() ? said->second
                                   : known != before.end()           ? known->second
                                                                     : "none";
    if (covers(calibrated, value)) continue;
    result.push_back(fmt::format("{} {}, calibrated for {}", key, value, calibrated));
  }
  return result;
}

}  // namespace bitstrata::sim
