// SPDX-License-Identifier: Apache-2.0
// The result store of sweeps: an SQLite file that keeps every finished point, whatever happens to the program, and that
// several processes may fill at once. sim/store.md describes its tables for those who query it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/architecture.h"
#include "sim/physical.h"

namespace bitstrata::sim {

// What a point is about, as rows of the store's own tables.
struct PointIdentity {
  std::int64_t architecture = 0, network = 0, plan = 0;
  bool operator==(const PointIdentity&) const = default;
};

struct PointEnergy {
  std::string technology, status;           // status: the weakest of the coefficients used
  std::optional<double> energy_pj;          // absent where the technology cannot price the point
  std::string note;                         // also of layers that the technology does not cover
  double latency_us = 0;                    // at the clock under the technology (sim/physical.h)
  std::optional<double> clock_reached_mhz;  // where the technology knows it, like the area
  std::optional<Area> area;
};

struct StoredPoint {
  std::int64_t id = 0;
  PointIdentity identity;
  bool refused = false;  // does not fit the architecture; `reason` says why and no number is known
  std::string reason;
  std::int64_t cycles = 0, macs = 0;
  double latency_us = 0;  // at the clock asked for
  std::vector<PointEnergy> energies;
};

// A point executed with data.
struct Confirmation {
  std::string engine;
  std::int64_t cycles = 0;  // of the execution
  std::int64_t values_compared = 0, values_different = 0;
  std::int64_t events_compared = 0, events_different = 0;  // layer by layer with the fast engine
  std::string error;                                       // empty where it ran to the end
};

// Who fills the store: points of other versions, engines or price lists are others, also where all else is equal.
struct StoreContext {
  std::string version;  // of what computes: a build of other code must not take these points for its own
  std::string commit, command;
  std::string engine = "fast";
  std::string technologies;                // names and digests of their files
  std::set<std::string> technology_names;  // each point that is done has an energy, or a note, under each of them
};

// Throws std::runtime_error: the store is damaged, `what` says where and how, and what to do about it.
[[noreturn]] void tell_of_damaged_store(const std::string& file, const std::string& what);

// One object a process; its calls may come from several threads. Every change is a transaction of its own.
class PointStore {
 public:
  // Creates the file where there is none. Throws std::runtime_error when it cannot, or when the file is something else.
  PointStore(const std::filesystem::path& file, StoreContext context);
  ~PointStore();
  const std::string& file() const;

  // Row of this architecture, network or plan, made on first sight. `identity` tells equal names apart: whatever
  // measurements depend on.
  std::int64_t architecture(const model::Architecture& architecture);
  std::int64_t network(const std::string& name, const std::string& identity);
  std::int64_t plan(const std::string& label, const std::string& identity);

  // Plans of the points that this context has finished for an architecture and network.
  std::vector<std::int64_t> finished_plans(std::int64_t architecture, std::int64_t network);
  // Committed when this returns; a point that is there already stays as it is. `id` is ignored.
  void add(const std::vector<StoredPoint>& points);
  // All finished points of this context for a network. Throws std::runtime_error where one of them cannot be what was
  // written: somebody changed the file.
  std::vector<StoredPoint> points(std::int64_t network);

  // The right to work on `unit`, a word of the caller's choice: true when no living process holds it. Processes that
  // are gone (this machine: at once; others: after a minute without a sign of life) hold nothing.
  bool claim(const std::string& unit);
  void release(const std::string& unit);
  // To be called every few seconds while units are held.
  void show_life();

  void confirm(std::int64_t point, const Confirmation& confirmation);

  // Finished points of other versions or commits, for a warning.
  std::int64_t foreign_points();

 private:
  struct Prepared;
  std::mutex mutex_;
  StoreContext context_;
  std::unique_ptr<Prepared> prepared_;
};

}  // namespace bitstrata::sim
