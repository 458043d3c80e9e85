// SPDX-License-Identifier: Apache-2.0
// Pareto fronts of a sweep's points, as tables, JSON, CSV and the input of scripts/plot_sweep.py.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "cli/table.h"
#include "model/fpga_parts.h"
#include "sim/store.h"
#include "sim/sweep.h"

namespace bitstrata::cli {

// What --network and a sweep's `networks` may name: a built-in network, a layer list, or an ONNX file, of which only
// the graph up to `outputs` (empty: its first output) is taken.
sim::SweepNetwork load_shapes(const std::string& name, const std::vector<std::string>& outputs = {});

// A finished point, as the sweep's file speaks of it.
struct SweepPoint {
  sim::StoredPoint stored;
  std::int64_t architecture = 0;  // index in the sweep
  std::size_t network = 0, plan = 0;
  std::int64_t number = 0;          // among the points of the fronts, one front after the other, from 1; 0: on none
  sim::Clock clock;                 // under the technology that counts
  double latency_us = 0;            // at that clock
  double size = 0;                  // LUTs under an FPGA family, else area in mm2 where known, else bits on chip
  std::optional<sim::Area> area;    // under the technology that counts
  double block_rams = 0;            // under an FPGA family
  std::optional<double> energy_pj;  // of the technology that counts
  std::string energy_note;          // why it has none, or what it was not calibrated for
};

struct Front {
  std::string title;
  std::vector<std::size_t> candidates, points;  // indices into Fronts::points; `points` by rising latency
  std::vector<std::string> objectives, same;    // columns: what decides, and what would but is the same for all
  std::size_t unpriced = 0;                     // candidates without an energy: on no front where others have one
};

struct Fronts {
  std::vector<SweepPoint> points;     // measured ones
  std::vector<std::string> refusals;  // reasons, each once
  std::string technology;
  std::map<std::string, std::int64_t> energy_notes, unpriced;  // SweepPoint::energy_note -> points with, without energy
  bool area_known = false;                                     // by the technology
  bool clock_known = false;                                    // likewise
  std::int64_t clock_missed = 0;                               // points whose clock asked for the gates do not reach
  std::optional<model::FpgaFamily> fpga;
  std::optional<model::FpgaPart> part;                         // of that family
  std::unordered_map<std::int64_t, model::FpgaUse> fpga_uses;  // by architecture
  std::int64_t left_out = 0;  // points that the condition does not hold for; they are not among `points`
  std::vector<Front> fronts;
  const SweepPoint* numbered(std::int64_t number) const;  // null: there is none
  std::int64_t last_number() const;
  // What SweepPoint::size is: "luts", "area_mm2" or "bits_on_chip".
  const char* size_name() const { return fpga ? "luts" : area_known ? "area_mm2" : "bits_on_chip"; }
};

// Among which points a front is sought. Plans differ in accuracy, of which a sweep knows nothing, so by default every
// plan has a front of its own.
enum class FrontScope { plan, network };

struct FrontOptions {
  std::string technology;  // whose energy, clock and area count; may be empty
  std::optional<model::FpgaFamily> fpga;
  std::optional<model::FpgaPart> part;  // of that family
  FrontScope scope = FrontScope::plan;
  std::string where;  // a condition (condition.h); empty: all points
};

// Throws std::invalid_argument where the condition is not understood, before anything is measured.
void check_condition(const sim::Sweep& sweep, const FrontOptions& options);
// Throws std::runtime_error where a point of the store cannot be what was measured, std::invalid_argument where the
// condition compares what cannot be compared.
Fronts find_fronts(const sim::Sweep& sweep, sim::PointStore& store, const FrontOptions& options);

// One row a point; the first columns are the parameters that the sweep varies.
Table front_table(const sim::Sweep& sweep, const Fronts& fronts, const std::vector<std::size_t>& points);
nlohmann::json to_json(const sim::Sweep& sweep, const Fronts& fronts);
// What the script reads: all points, and which are on a front.
nlohmann::json picture_data(const sim::Sweep& sweep, const Fronts& fronts);

}  // namespace bitstrata::cli
