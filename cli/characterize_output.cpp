// SPDX-License-Identifier: Apache-2.0
#include "cli/characterize_output.h"

#include <fmt/format.h>

#include <map>

#include "sim/gate_energy.h"

namespace bitstrata::cli {

namespace {

// Energies by the parts that results have: the clock of columns belongs to the clock.
std::map<std::string, double> parts_of(const sim::gates::CalibrationPoint& point) {
  std::map<std::string, double> parts;
  for (const auto& [part, joules] : point.energy) parts[part == "clock_of_columns" ? "clock" : part] += joules;
  return parts;
}

}  // namespace

model::Technology technology_of(const TechnologyText& text, const model::GateLevel& gates) {
  model::Technology t;
  t.kind = model::TechnologyKind::gate_level;
  t.gates = gates;
  t.name = text.name;
  t.title = text.title;
  t.rules = {fmt::format(
      "Gates: {}; switching, cell-internal, clock and leakage energy, {} glitches; {:g} fF of wire a fan-out, "
      "no clock tree, no placement.",
      text.gates, text.glitches ? "with" : "without", gates.wire * 1e15)};
  t.rules.insert(t.rules.end(), text.fit.begin(), text.fit.end());
  t.rules.push_back(
      "Memories are not gates: an access has an energy, and a bit one that goes with the root of the memory's bits; "
      "off-chip memory has an energy a bit.");
  t.rules.push_back("Coefficients are a set: events go together, and their weights trade against each other.");
  const std::string makers = "OpenRAM macros in sky130 (github.com/VLSIDA/sky130_sram_macros)";
  const std::string energies =
      fmt::format("130 nm and 1.8 V, 1 to 4 KB, scaled to {:g} nm and {:g} V", text.feature_nm, gates.voltage);
  const std::string areas = fmt::format("130 nm, 1 to 8 KB, scaled to {:g} nm", text.feature_nm);
  using model::Status;
  t.coefficients["memory_cycle"] = {0, "", makers + ", four Liberty files", energies, Status::cited};
  t.coefficients["memory_access"] = t.coefficients["memory_cycle"];
  t.coefficients["memory_block"] = {0, "", makers + ", LEF files, and ISCAS 2023, table I", areas, Status::cited};
  t.coefficients["memory_area"] = t.coefficients["memory_block"];
  t.coefficients["memory_leakage"] = {0, "", makers + ", median of four Liberty files",
                                      "130 nm and 1.8 V, not scaled: how it goes with them is not known",
                                      Status::cited};
  const std::map<std::string, const char*> drams = {
      {"lpddr4",
       "Ha, Understanding and improving the energy efficiency of DRAM, Stanford 2018 (32 Gb, 3.2 Gb/s a pin)"},
      {"ddr4", "Vogelsang, Understanding the energy consumption of DRAM, MICRO 2010 (8 Gb DDR4, IDD7, without I/O)"},
      {"hbm2", "O'Connor et al., Fine-Grained DRAM, MICRO 2017 (access, with activation and I/O)"}};
  t.coefficients["dram_access"] = {0, "", drams.at(gates.dram), "reads and writes alike; no standby",
                                   model::Status::cited};
  return t;
}

std::string runs_csv(const sim::gates::Characterization& c) {
  const model::Architecture& a = c.measured.architecture;
  std::string text =
      "run,held_out,streams,cycles,energy_pj_per_cycle,predicted_pj_per_cycle,error_percent,structural_error_percent";
  for (const auto& [part, value] : parts_of(c.measured.points.front()))
    text += fmt::format(",{0}_pj_per_cycle,predicted_{0}_pj_per_cycle", part);
  for (const std::string_view name : model::event_names) text += fmt::format(",{}", name);
  for (const std::string_view name : model::toggle_names) text += fmt::format(",{}", name);
  text += "\n";
  const auto predicted = [&](const model::EnergyTerms& terms, const sim::gates::CalibrationPoint& p) {
    double sum = 0;
    for (const auto& [part, list] : terms) sum += sim::energy_of(list, p.events, &p.toggles, a);
    return sum;
  };
  for (const auto& p : c.measured.points) {
    const double cycles = static_cast<double>(p.events.cycles), scale = 1e12 / cycles;
    const double fitted = predicted(c.technology.with_toggles, p), plain = predicted(c.technology.structural, p);
    text += fmt::format("\"{}\",{},{},{},{:.3f},{:.3f},{:.3f},{:.3f}", p.name, p.held_out ? 1 : 0, p.streams,
                        p.events.cycles, p.total() * scale, fitted * scale, 100 * (fitted / p.total() - 1),
                        100 * (plain / p.total() - 1));
    for (const auto& [part, value] : parts_of(p)) {
      const auto terms = c.technology.with_toggles.find(part);
      const double of_part =
          terms == c.technology.with_toggles.end() ? 0 : sim::energy_of(terms->second, p.events, &p.toggles, a);
      text += fmt::format(",{:.3f},{:.3f}", value * scale, of_part * scale);
    }
    for (const auto member : model::event_members) text += fmt::format(",{}", p.events.*member);
    for (const auto member : model::toggle_members) text += fmt::format(",{}", p.toggles.*member);
    text += "\n";
  }
  return text;
}

}  // namespace bitstrata::cli
