// SPDX-License-Identifier: Apache-2.0
#include "cli/sweep_front.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>

#include "cli/imported.h"
#include "cli/run_folder.h"
#include "model/json_text.h"
#include "model/onnx/onnx.h"
#include "sim/gate_energy.h"

namespace bitstrata::cli {

using nlohmann::json;

namespace {

// Smaller is better in all of them. Energy counts where every candidate has one.
std::vector<double> objectives(const SweepPoint& point, bool energy) {
  std::vector<double> values = {point.stored.latency_us, point.size, point.block_rams};
  if (energy) values.push_back(point.energy_pj.value());
  return values;
}

void choose(const Fronts& fronts, Front& front) {
  const bool energy = std::all_of(front.candidates.begin(), front.candidates.end(),
                                  [&](std::size_t i) { return fronts.points[i].energy_pj.has_value(); });
  std::vector<std::vector<double>> values;
  for (const std::size_t i : front.candidates) values.push_back(objectives(fronts.points[i], energy));
  for (const std::size_t i : sim::pareto_front(values)) front.points.push_back(front.candidates[i]);
}

// Keys whose values differ somewhere in the sweep.
std::vector<std::string> varied(const sim::Sweep& sweep) {
  std::vector<std::string> keys;
  for (const auto& [key, values] : sweep.axes) keys.push_back(key);
  return keys;
}

std::string base_name(const sim::Sweep& sweep, std::int64_t architecture) {
  const std::int64_t combinations = sweep.architectures() / static_cast<std::int64_t>(sweep.bases.size());
  return sweep.bases[static_cast<std::size_t>(architecture / combinations)].name;
}

// Numbers that follow from others must be those that the store has.
void check(const sim::StoredPoint& stored, double clock_mhz, const sim::SweepNetwork& network,
           const sim::PointStore& store) {
  const double latency_us = static_cast<double>(stored.cycles) / clock_mhz;
  if (std::abs(stored.latency_us - latency_us) > 1e-9 * latency_us) {
    sim::tell_of_damaged_store(store.file(), fmt::format("point {} has latency_us {:g}, not the {:g} of its {} cycles",
                                                         stored.id, stored.latency_us, latency_us, stored.cycles));
  }
  if (stored.macs != network.macs()) {
    sim::tell_of_damaged_store(store.file(), fmt::format("point {} has {} macs, not the {} of network '{}'", stored.id,
                                                         stored.macs, network.macs(), network.name()));
  }
}

std::string plain(const json& value) { return value.is_string() ? value.get<std::string>() : model::json_text(value); }

}  // namespace

sim::SweepNetwork load_shapes(const std::string& name, const std::vector<std::string>& outputs) {
  if (!is_onnx(name)) return sim::SweepNetwork::load(name);
  const model::FloatNetwork network = model::import_onnx(name, {{}, outputs});
  std::string identity = network.graph.name() + " " + hash_of(std::filesystem::path(name));
  if (!network.quantized()) return {network.graph, std::move(identity)};
  // What its file leaves open is calibrated, as run does it without samples.
  const quant::CalibrationInputs inputs = random_inputs(network, most_random_inputs, 1);
  return {network.graph, quant::assemble(quant::calibrate(network, quant::plan_of(network), inputs)),
          std::move(identity)};
}

Fronts find_fronts(const sim::Sweep& sweep, sim::PointStore& store, const std::string& technology,
                   const std::optional<model::FpgaFamily>& fpga, FrontScope scope) {
  Fronts result{.technology = technology, .fpga = fpga};
  std::unordered_map<std::int64_t, std::int64_t> architectures;  // row of the store -> index in the sweep
  std::unordered_map<std::int64_t, double> bits, clocks;
  for (std::int64_t i = 0; i < sweep.architectures(); ++i) {
    const model::Architecture a = sweep.architecture(i);
    const std::int64_t row = store.architecture(a);
    architectures[row] = i;
    bits[row] = static_cast<double>(sim::bits_on_chip(a));
    clocks[row] = a.clock_mhz;
  }
  std::set<std::string> reasons;
  std::map<std::pair<std::size_t, std::size_t>, Front> fronts;
  for (std::size_t n = 0; n < sweep.networks.size(); ++n) {
    const sim::SweepNetwork& network = sweep.networks[n];
    std::unordered_map<std::int64_t, std::size_t> plans;
    for (std::size_t p = 0; p < sweep.plans.size(); ++p) {
      if (sweep.plans[p].fits(network)) plans[store.plan(sweep.plans[p].label, sweep.plans[p].identity())] = p;
    }
    // The store may hold points of other sweeps as well.
    for (sim::StoredPoint& stored : store.points(store.network(network.name(), network.identity()))) {
      const auto architecture = architectures.find(stored.identity.architecture);
      const auto plan = plans.find(stored.identity.plan);
      if (architecture == architectures.end() || plan == plans.end()) continue;
      if (stored.refused) {
        reasons.insert(stored.reason);
        continue;
      }
      check(stored, clocks[stored.identity.architecture], network, store);
      SweepPoint point{.architecture = architecture->second, .network = n, .plan = plan->second};
      result.area_known = result.area_known || stored.area_mm2.has_value();
      point.size = stored.area_mm2.value_or(bits[stored.identity.architecture]);
      if (fpga) {
        auto [use, added] = result.fpga_uses.try_emplace(point.architecture);
        if (added) use->second = model::predict_fpga(*fpga, sweep.architecture(point.architecture));
        point.size = use->second.luts;
        point.block_rams = use->second.resources[model::fpga_bram];
      }
      for (const sim::PointEnergy& energy : stored.energies) {
        if (energy.technology != technology) continue;
        point.energy_pj = energy.energy_pj;
        if (energy.energy_pj && !energy.note.starts_with(sim::outside_calibration)) continue;
        point.energy_note = energy.note;
        ++result.energy_notes[energy.note];
      }
      point.stored = std::move(stored);
      Front& front = fronts[{n, scope == FrontScope::plan ? plan->second : 0}];
      front.title = scope == FrontScope::plan ? fmt::format("{} {}", network.name(), sweep.plans[plan->second].label)
                                              : network.name();
      front.candidates.push_back(result.points.size());
      result.points.push_back(std::move(point));
    }
  }
  result.refusals.assign(reasons.begin(), reasons.end());
  for (auto& [key, front] : fronts) {
    choose(result, front);
    result.fronts.push_back(std::move(front));
  }
  return result;
}

Table front_table(const sim::Sweep& sweep, const Fronts& fronts, const std::vector<std::size_t>& points) {
  const std::vector<std::string> keys = varied(sweep);
  std::vector<std::string> header = {"architecture"};
  header.insert(header.end(), keys.begin(), keys.end());
  for (const char* name : {"network", "plan", "cycles", "latency_us", "energy_pj"}) header.emplace_back(name);
  header.emplace_back(fronts.size_name());
  if (fronts.fpga) {
    header.insert(header.end(), model::fpga_resource_names.begin(), model::fpga_resource_names.end());
    header.emplace_back("outside");
  }
  if (!fronts.energy_notes.empty()) header.emplace_back("energy_note");
  Table table(header);
  for (const std::size_t i : points) {
    const SweepPoint& point = fronts.points[i];
    const json parameters = model::parameters_of(sweep.architecture(point.architecture));
    std::vector<std::string> row = {base_name(sweep, point.architecture)};
    for (const std::string& key : keys) row.push_back(plain(parameters.at(key)));
    row.push_back(sweep.networks[point.network].name());
    row.push_back(sweep.plans[point.plan].label);
    row.push_back(fmt::format("{}", point.stored.cycles));
    row.push_back(fmt::format("{:.6g}", point.stored.latency_us));
    row.push_back(point.energy_pj ? fmt::format("{:.6g}", *point.energy_pj) : "");
    row.push_back(fmt::format("{:.10g}", point.size));
    if (fronts.fpga) {
      const model::FpgaUse& use = fronts.fpga_uses.at(point.architecture);
      for (const double count : use.resources) row.push_back(fmt::format("{:.0f}", count));
      row.push_back(fmt::format("{}", fmt::join(use.outside, " ")));
    }
    // In a word; the whole notes stand below the fronts and in summary.json.
    if (!fronts.energy_notes.empty())
      row.emplace_back(point.energy_note.empty() ? "" : point.energy_pj ? "outside" : "unknown");
    table.add(row);
  }
  return table;
}

json to_json(const sim::Sweep& sweep, const Fronts& fronts) {
  json list = json::array();
  for (const Front& front : fronts.fronts) {
    json entry = {{"front", front.title}, {"candidates", front.candidates.size()}, {"points", json::array()}};
    for (const std::size_t i : front.points) {
      const SweepPoint& point = fronts.points[i];
      json row = {{"network", sweep.networks[point.network].name()},
                  {"plan", sweep.plans[point.plan].label},
                  {"architecture", base_name(sweep, point.architecture)},
                  {"parameters", json::object()},
                  {"cycles", point.stored.cycles},
                  {"latency_us", point.stored.latency_us},
                  {fronts.size_name(), point.size}};
      if (point.energy_pj) row["energy_pj"] = *point.energy_pj;
      if (!point.energy_note.empty()) row["energy_note"] = point.energy_note;
      if (fronts.fpga) {
        const model::FpgaUse& use = fronts.fpga_uses.at(point.architecture);
        for (std::size_t r = 0; r < use.resources.size(); ++r) row[model::fpga_resource_names[r]] = use.resources[r];
        row["outside"] = use.outside;
      }
      const json parameters = model::parameters_of(sweep.architecture(point.architecture));
      for (const std::string& key : varied(sweep)) row["parameters"][key] = parameters.at(key);
      entry["points"].push_back(row);
    }
    list.push_back(entry);
  }
  return list;
}

json picture_data(const sim::Sweep& sweep, const Fronts& fronts) {
  json data = {{"technology", fronts.technology},
               {"size", fronts.fpga         ? fmt::format("LUTs of {}, predicted", fronts.fpga->name)
                        : fronts.area_known ? "area (mm2)"
                                            : "bits on chip (array, buffers, partial sums)"},
               {"fronts", json::array()}};
  for (const Front& front : fronts.fronts) {
    const std::set<std::size_t> chosen(front.points.begin(), front.points.end());
    json entry = {{"title", front.title}, {"network", ""}, {"points", json::array()}};
    for (const std::size_t i : front.candidates) {
      const SweepPoint& point = fronts.points[i];
      entry["network"] = sweep.networks[point.network].name();
      entry["points"].push_back({point.stored.latency_us, point.size,
                                 point.energy_pj ? json(*point.energy_pj) : json(nullptr), chosen.contains(i)});
    }
    data["fronts"].push_back(entry);
  }
  return data;
}

}  // namespace bitstrata::cli
