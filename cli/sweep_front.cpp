// SPDX-License-Identifier: Apache-2.0
#include "cli/sweep_front.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>

#include "cli/condition.h"
#include "cli/imported.h"
#include "cli/run_folder.h"
#include "cli/sweep_columns.h"
#include "model/onnx/onnx.h"
#include "sim/gate_energy.h"

namespace bitstrata::cli {

using nlohmann::json;

namespace {

// Smaller is better in all of them.
struct Objective {
  std::string name;
  double (*of)(const SweepPoint&);
};

std::vector<Objective> objectives_of(const Fronts& fronts, bool energy) {
  std::vector<Objective> objectives = {{"latency_us", [](const SweepPoint& p) { return p.latency_us; }},
                                       {fronts.size_name(), [](const SweepPoint& p) { return p.size; }}};
  if (fronts.fpga)
    objectives.push_back(
        {model::fpga_resource_names[model::fpga_bram], [](const SweepPoint& p) { return p.block_rams; }});
  if (energy) objectives.push_back({"energy_pj", [](const SweepPoint& p) { return p.energy_pj.value(); }});
  return objectives;
}

// A point without a price cannot be compared with those that have one. What is the same for all decides nothing.
void choose(const Fronts& fronts, Front& front) {
  std::vector<std::size_t> compared;
  for (const std::size_t i : front.candidates)
    if (fronts.points[i].energy_pj) compared.push_back(i);
  front.unpriced = front.candidates.size() - compared.size();
  const bool energy = !compared.empty();
  if (!energy) compared = front.candidates;
  std::vector<std::vector<double>> values(compared.size());
  for (const Objective& objective : objectives_of(fronts, energy)) {
    std::set<double> seen;
    for (const std::size_t i : compared) seen.insert(objective.of(fronts.points[i]));
    const bool same = seen.size() == 1 && compared.size() > 1;
    (same ? front.same : front.objectives).push_back(objective.name);
    for (std::size_t k = 0; k < compared.size() && !same; ++k)
      values[k].push_back(objective.of(fronts.points[compared[k]]));
  }
  for (const std::size_t k : sim::pareto_front(values)) front.points.push_back(compared[k]);
}

// What an architecture is under the technology that counts.
struct Silicon {
  sim::Clock clock;
  std::optional<sim::Area> area;
};

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

// So must what an architecture is under a technology.
void check(const sim::PointEnergy& stored, const Silicon& silicon, const sim::StoredPoint& point,
           const sim::PointStore& store) {
  const auto text = [](double latency_us, const std::optional<double>& reached, const std::optional<sim::Area>& area) {
    const auto number = [](const std::optional<double>& value) {
      return value ? fmt::format("{:.9g}", *value) : "none";
    };
    return fmt::format("latency_us {:.9g}, clock_reached_mhz {}, gates_mm2 {} and memories_mm2 {}", latency_us,
                       number(reached), number(area ? std::optional(area->gates_mm2) : std::nullopt),
                       number(area ? std::optional(area->memories_mm2) : std::nullopt));
  };
  const std::string has = text(stored.latency_us, stored.clock_reached_mhz, stored.area);
  const std::string wanted = text(silicon.clock.latency_us(point.cycles), silicon.clock.reached_mhz, silicon.area);
  if (has != wanted)
    sim::tell_of_damaged_store(
        store.file(), fmt::format("point {} has {} under '{}', not {}", point.id, has, stored.technology, wanted));
}

Fronts without_points(const sim::Sweep& sweep, const FrontOptions& options) {
  Fronts fronts{.technology = options.technology, .fpga = options.fpga, .part = options.part};
  const auto chosen = std::ranges::find(sweep.technologies, options.technology, &model::Technology::name);
  const bool gates =
      chosen != sweep.technologies.end() && chosen->kind == model::TechnologyKind::gate_level;  // see sim/physical.h
  fronts.area_known = fronts.clock_known = gates;
  return fronts;
}

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

const SweepPoint* Fronts::numbered(std::int64_t number) const {
  const auto found = std::ranges::find(points, number, &SweepPoint::number);
  return number > 0 && found != points.end() ? &*found : nullptr;
}

std::int64_t Fronts::last_number() const {
  std::int64_t last = 0;
  for (const Front& front : fronts) last += static_cast<std::int64_t>(front.points.size());
  return last;
}

void check_condition(const sim::Sweep& sweep, const FrontOptions& options) {
  const Fronts none = without_points(sweep, options);
  if (!options.where.empty()) Condition(options.where, all_columns(sweep, none));
}

Fronts find_fronts(const sim::Sweep& sweep, sim::PointStore& store, const FrontOptions& options) {
  const auto& [technology, fpga, part, scope, where] = options;
  Fronts result = without_points(sweep, options);
  const auto chosen = std::ranges::find(sweep.technologies, technology, &model::Technology::name);
  std::unordered_map<std::int64_t, std::int64_t> architectures;  // row of the store -> index in the sweep
  std::unordered_map<std::int64_t, double> bits;
  std::unordered_map<std::int64_t, Silicon> silicon;
  for (std::int64_t i = 0; i < sweep.architectures(); ++i) {
    const model::Architecture a = sweep.architecture(i);
    const std::int64_t row = store.architecture(a);
    architectures[row] = i;
    bits[row] = static_cast<double>(sim::bits_on_chip(a));
    silicon[row] = chosen != sweep.technologies.end()
                       ? Silicon{sim::clock_of(a, *chosen), sim::area_of(a, *chosen)}
                       : Silicon{{.asked_mhz = a.clock_mhz, .reached_mhz = std::nullopt}, std::nullopt};
  }
  std::optional<Condition> condition;
  if (!where.empty()) condition.emplace(where, all_columns(sweep, result));
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
      const Silicon& made = silicon.at(stored.identity.architecture);
      check(stored, made.clock.asked_mhz, network, store);
      SweepPoint point{.architecture = architecture->second, .network = n, .plan = plan->second};
      point.clock = made.clock;
      point.latency_us = made.clock.latency_us(stored.cycles);
      point.area = made.area;
      point.size = point.area ? point.area->mm2() : bits[stored.identity.architecture];
      if (fpga) {
        auto [use, added] = result.fpga_uses.try_emplace(point.architecture);
        if (added) use->second = model::predict_fpga(*fpga, sweep.architecture(point.architecture));
        point.size = use->second.luts;
        point.block_rams = use->second.resources[model::fpga_bram];
      }
      for (const sim::PointEnergy& energy : stored.energies) {
        if (energy.technology != technology) continue;
        check(energy, made, stored, store);
        point.energy_pj = energy.energy_pj;
        if (energy.energy_pj && !energy.note.starts_with(sim::outside_calibration)) continue;
        point.energy_note = energy.note;
      }
      point.stored = std::move(stored);
      if (condition && !condition->holds(point)) {
        ++result.left_out;
        continue;
      }
      if (!made.clock.met()) ++result.clock_missed;
      if (!point.energy_note.empty()) ++(point.energy_pj ? result.energy_notes : result.unpriced)[point.energy_note];
      Front& front = fronts[{n, scope == FrontScope::plan ? plan->second : 0}];
      front.title = scope == FrontScope::plan ? fmt::format("{} {}", network.name(), sweep.plans[plan->second].label)
                                              : network.name();
      front.candidates.push_back(result.points.size());
      result.points.push_back(std::move(point));
    }
  }
  result.refusals.assign(reasons.begin(), reasons.end());
  std::int64_t number = 0;
  for (auto& [key, front] : fronts) {
    choose(result, front);
    for (const std::size_t i : front.points) result.points[i].number = ++number;
    result.fronts.push_back(std::move(front));
  }
  return result;
}

Table front_table(const sim::Sweep& sweep, const Fronts& fronts, const std::vector<std::size_t>& points) {
  const std::vector<Column> columns = shown_columns(sweep, fronts);
  std::vector<std::string> header;
  for (const Column& column : columns) header.push_back(column.name);
  Table table(header, 2);
  for (const std::size_t i : points) {
    std::vector<std::string> row;
    for (const Column& column : columns) row.push_back(text_of(column.of(fronts.points[i])));
    table.add(row);
  }
  return table;
}

json to_json(const sim::Sweep& sweep, const Fronts& fronts) {
  const std::vector<Column> columns = shown_columns(sweep, fronts);
  const std::vector<std::string> parameters = varied(sweep);
  json list = json::array();
  for (const Front& front : fronts.fronts) {
    json entry = {{"front", front.title},           {"candidates", front.candidates.size()},
                  {"objectives", front.objectives}, {"same_for_all", front.same},
                  {"unpriced", front.unpriced},     {"points", json::array()}};
    for (const std::size_t i : front.points) {
      const SweepPoint& point = fronts.points[i];
      json row = {{"parameters", json::object()}};
      for (const Column& column : columns) {
        json value = json_of(column.of(point));
        if (value.is_null()) continue;
        const bool parameter = std::ranges::find(parameters, column.name) != parameters.end();
        (parameter ? row["parameters"] : row)[column.name] = std::move(value);
      }
      // Whole, where the tables have a word.
      row.erase("energy_note");
      if (!point.energy_note.empty()) row["energy_note"] = point.energy_note;
      if (fronts.fpga) row["outside"] = fronts.fpga_uses.at(point.architecture).outside;
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
      entry["points"].push_back(
          {point.latency_us, point.size, point.energy_pj ? json(*point.energy_pj) : json(nullptr), chosen.contains(i)});
    }
    data["fronts"].push_back(entry);
  }
  return data;
}

}  // namespace bitstrata::cli
