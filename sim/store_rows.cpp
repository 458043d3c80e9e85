// SPDX-License-Identifier: Apache-2.0
#include "sim/store_rows.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <stdexcept>

#include "model/yaml_reader.h"

namespace bitstrata::sim {

namespace {

// The row that a statement stands at, of one point.
class Row {
 public:
  Row(const Database& database, const Statement& read, std::int64_t point)
      : database_(database), read_(read), point_(point) {}

  [[noreturn]] void fail(const std::string& what) const {
    tell_of_damaged_store(database_.file(), fmt::format("point {} {}", point_, what));
  }
  bool is_null(int column) const { return read_.type(column) == SQLITE_NULL; }

  // A whole number from `least` on.
  std::int64_t count(int column, const char* name, std::int64_t least) const {
    if (read_.type(column) != SQLITE_INTEGER || read_.integer(column) < least)
      fail(fmt::format("has {} {}, no whole number from {} on", name, shown(column), least));
    return read_.integer(column);
  }
  double real(int column, const char* name) const {
    if (read_.type(column) != SQLITE_FLOAT || !std::isfinite(read_.real(column)))
      fail(fmt::format("has {} {}, no finite number", name, shown(column)));
    return read_.real(column);
  }
  double positive(int column, const char* name) const {
    const double value = real(column, name);
    if (!(value > 0)) fail(fmt::format("has {} {:g}, which is not above 0", name, value));
    return value;
  }
  std::string text(int column, const char* name) const {
    if (read_.type(column) != SQLITE_TEXT || read_.text(column).empty()) fail(fmt::format("has no {}", name));
    return model::in_one_line(read_.text(column));
  }

 private:
  std::string shown(int column) const {
    if (is_null(column)) return "missing";
    return read_.type(column) == SQLITE_BLOB ? "a blob" : fmt::format("'{}'", read_.text(column).substr(0, 40));
  }
  const Database& database_;
  const Statement& read_;
  std::int64_t point_;
};

StoredPoint point_of(const Row& row, const Statement& read, std::int64_t network) {
  StoredPoint point{.id = read.integer(0), .identity = {read.integer(1), network, read.integer(2)}};
  const std::string state = row.text(3, "state");
  if (state != "refused" && state != "done") row.fail(fmt::format("is '{}', neither done nor refused", state));
  point.refused = state == "refused";
  if (point.refused) {
    point.reason = row.text(4, "reason for being refused");
    for (int column = 5; column <= 7; ++column)
      if (!row.is_null(column)) row.fail("is refused and has numbers");
    return point;
  }
  if (!row.is_null(4)) row.fail("is done and has a reason for being refused");
  point.cycles = row.count(5, "cycles", 1);
  point.latency_us = row.positive(6, "latency_us");
  point.macs = row.count(7, "macs", 0);
  return point;
}

}  // namespace

void tell_of_damaged_store(const std::string& file, const std::string& what) {
  throw std::runtime_error(
      model::in_one_line(fmt::format("store '{}' is damaged: {}; move it away and measure again", file, what)));
}

std::vector<StoredPoint> read_points(Database& database, std::int64_t context, std::int64_t network,
                                     const std::set<std::string>& technologies) {
  std::vector<StoredPoint> points;
  std::map<std::int64_t, std::size_t> place;
  Statement read(database,
                 "SELECT id, architecture, plan, state, reason, cycles, latency_us, macs FROM point "
                 "WHERE context = ? AND network = ? ORDER BY id");
  read.with(context, network);
  while (read.step()) {
    const Row row(database, read, read.integer(0));
    place[read.integer(0)] = points.size();
    points.push_back(point_of(row, read, network));
  }
  Statement energies(database,
                     "SELECT point, technology, energy_pj, energy.status, note, energy.latency_us, "
                     "clock_reached_mhz, gates_mm2, memories_mm2 FROM energy "
                     "JOIN point ON point.id = point WHERE context = ? AND network = ? ORDER BY point, technology");
  energies.with(context, network);
  while (energies.step()) {
    const Row row(database, energies, energies.integer(0));
    const auto at = place.find(energies.integer(0));
    if (at == place.end()) continue;  // added meanwhile, by another process
    StoredPoint& point = points[at->second];
    if (point.refused) row.fail("is refused and has an energy");
    PointEnergy energy{.technology = row.text(1, "technology of an energy"),
                       .status = row.text(3, "status of an energy"),
                       .energy_pj = std::nullopt,
                       .note = "",
                       .latency_us = row.positive(5, "latency_us of an energy"),
                       .clock_reached_mhz = std::nullopt,
                       .area = std::nullopt};
    if (!technologies.contains(energy.technology))
      row.fail(fmt::format("has an energy under '{}', which was not asked for", energy.technology));
    if (!row.is_null(2)) energy.energy_pj = row.real(2, "energy_pj");
    if (energy.energy_pj && *energy.energy_pj < 0)
      row.fail(fmt::format("has energy_pj {:g}, which is below 0", *energy.energy_pj));
    if (!row.is_null(4) || !energy.energy_pj) energy.note = row.text(4, "energy, and no note why");
    if (!row.is_null(6)) energy.clock_reached_mhz = row.positive(6, "clock_reached_mhz");
    if (!row.is_null(7) || !row.is_null(8))
      energy.area = {row.positive(7, "gates_mm2"), row.positive(8, "memories_mm2")};
    point.energies.push_back(std::move(energy));
  }
  for (const StoredPoint& point : points) {
    if (!point.refused && point.energies.size() != technologies.size())
      tell_of_damaged_store(database.file(), fmt::format("point {} has {} of {} rows of energy", point.id,
                                                         point.energies.size(), technologies.size()));
  }
  return points;
}

}  // namespace bitstrata::sim
