// SPDX-License-Identifier: Apache-2.0
#include "sim/store.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "model/yaml_reader.h"
#include "sim/store_file.h"
#include "sim/store_rows.h"
#include "sim/store_sqlite.h"

namespace bitstrata::sim {

namespace {

constexpr const char* format_name = "bitstrata-store-2";
constexpr std::int64_t silence_s = 60;  // after which a process on another machine counts as gone

// sim/store.md explains the tables; change both.
constexpr const char* schema = R"sql(
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE architecture(id INTEGER PRIMARY KEY, name TEXT NOT NULL, parameters TEXT NOT NULL UNIQUE);
CREATE TABLE network(id INTEGER PRIMARY KEY, name TEXT NOT NULL, identity TEXT NOT NULL UNIQUE);
CREATE TABLE plan(id INTEGER PRIMARY KEY, label TEXT NOT NULL, identity TEXT NOT NULL UNIQUE);
CREATE TABLE context(id INTEGER PRIMARY KEY, version TEXT NOT NULL, engine TEXT NOT NULL, technologies TEXT NOT NULL,
  UNIQUE(version, engine, technologies));
CREATE TABLE run(id INTEGER PRIMARY KEY, context INTEGER NOT NULL REFERENCES context(id), program_commit TEXT NOT NULL,
  command TEXT NOT NULL, started INTEGER NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL, pid_started TEXT NOT NULL,
  seen INTEGER NOT NULL);
CREATE TABLE point(id INTEGER PRIMARY KEY, context INTEGER NOT NULL REFERENCES context(id),
  network INTEGER NOT NULL REFERENCES network(id), architecture INTEGER NOT NULL REFERENCES architecture(id),
  plan INTEGER NOT NULL REFERENCES plan(id), run INTEGER NOT NULL REFERENCES run(id),
  state TEXT NOT NULL CHECK(state IN ('done', 'refused')), reason TEXT, cycles INTEGER, latency_us REAL, macs INTEGER,
  UNIQUE(context, network, architecture, plan));
CREATE TABLE energy(point INTEGER NOT NULL REFERENCES point(id), technology TEXT NOT NULL, energy_pj REAL,
  status TEXT NOT NULL, note TEXT, latency_us REAL NOT NULL, clock_reached_mhz REAL,
  gates_mm2 REAL, memories_mm2 REAL, PRIMARY KEY(point, technology)) WITHOUT ROWID;
CREATE TABLE claim(unit TEXT PRIMARY KEY, run INTEGER NOT NULL REFERENCES run(id)) WITHOUT ROWID;
CREATE TABLE confirmation(point INTEGER NOT NULL REFERENCES point(id), engine TEXT NOT NULL, cycles INTEGER,
  values_compared INTEGER NOT NULL, values_different INTEGER NOT NULL, events_compared INTEGER NOT NULL,
  events_different INTEGER NOT NULL, error TEXT, PRIMARY KEY(point, engine)) WITHOUT ROWID;
CREATE VIEW result AS SELECT point.id AS point, network.name AS network, plan.label AS plan,
  architecture.name AS architecture, json_extract(parameters, '$.style') AS style,
  json_extract(parameters, '$.tiles') AS tiles, json_extract(parameters, '$.vectors') AS vectors,
  json_extract(parameters, '$.rows') AS rows,
  json_extract(parameters, '$.columns') AS columns, json_extract(parameters, '$.data_bits') AS data_bits,
  json_extract(parameters, '$.clock_mhz') AS clock_mhz, state, reason, cycles, macs, technology,
  coalesce(energy.latency_us, point.latency_us) AS latency_us, clock_reached_mhz,
  energy_pj, gates_mm2 + memories_mm2 AS area_mm2, gates_mm2, memories_mm2,
  1e-3 * energy_pj / energy.latency_us AS power_mw, 2e-6 * macs / coalesce(energy.latency_us, point.latency_us) AS tops,
  CASE WHEN energy_pj > 0 THEN 2 * macs / energy_pj END AS tops_per_w, energy.status AS energy_status, version, program_commit, engine, parameters
  FROM point JOIN network ON network.id = point.network JOIN plan ON plan.id = point.plan
  JOIN architecture ON architecture.id = point.architecture JOIN context ON context.id = point.context
  JOIN run ON run.id = point.run LEFT JOIN energy ON energy.point = point.id;
)sql";

std::string host_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

// When a process of this machine began, in the kernel's ticks: tells it from a later one with the same number. Empty
// when there is none.
std::string start_of(pid_t pid) {
  std::ifstream stream(fmt::format("/proc/{}/stat", pid));
  const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  const std::size_t name_end = text.rfind(')');  // the name in brackets may hold anything
  if (name_end == std::string::npos) return {};
  std::size_t at = name_end;
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = text.find(' ', at + 1);
  return at == std::string::npos ? std::string{} : text.substr(at + 1, text.find(' ', at + 1) - at - 1);
}

}  // namespace

void check_format(Database& database, const std::filesystem::path& file) {
  std::string format;
  if (Statement(database, "SELECT count(*) FROM pragma_table_info('meta') WHERE name IN ('key', 'value')").number() ==
      2) {
    Statement read(database, "SELECT value FROM meta WHERE key = 'format'");
    if (read.step()) format = read.text(0);
  }
  if (format == format_name) return;
  throw std::runtime_error(
      model::in_one_line(fmt::format("'{}' is a database, but no store of format {}{}; name another file",
                                     file.string(), format_name, format.empty() ? "" : ": it says " + format)));
}

bool has_tables(Database& database) { return Statement(database, "SELECT 1 FROM sqlite_master").number().has_value(); }

const std::filesystem::path& checked_store(const std::filesystem::path& file) {
  if (file.empty() || file == ":memory:") {
    throw std::invalid_argument(
        fmt::format("the store is '{}', which keeps nothing; it must be a file, e.g. points.sqlite", file.string()));
  }
  std::error_code none;
  const std::filesystem::file_status status = std::filesystem::status(file, none);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status) &&
      !std::filesystem::is_directory(status)) {
    throw std::invalid_argument(
        fmt::format("the store '{}' is a device or a pipe, which keeps nothing; it must be a file, e.g. points.sqlite",
                    file.string()));
  }
  if (std::filesystem::is_regular_file(status) && std::filesystem::file_size(file, none) > 0 && !none) {
    // A process that was killed while its log was being written back leaves a file that only the log makes whole.
    std::filesystem::path log = file;
    log += "-wal";
    Database untouched(file, std::filesystem::exists(log, none) ? Access::read : Access::inspect);
    // What a store that was killed young has in its log alone is looked at after opening.
    if (has_tables(untouched)) check_format(untouched, file);
  }
  return file;
}

Database& prepare_store(Database& database, const std::filesystem::path& file) {
  // Readers and the writer do not block each other, and a commit is one append: a killed process loses nothing that
  // was committed, a power failure at most the last moments. SQLite does not wait by itself for another process that
  // opens a new store at the same moment.
  for (int attempt = 0;; ++attempt) {
    try {
      database.execute("PRAGMA journal_mode = WAL");
      break;
    } catch (const std::runtime_error&) {
      if ((sqlite3_errcode(database.handle()) & 0xff) != SQLITE_BUSY || attempt == 1000) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  database.execute("PRAGMA synchronous = NORMAL");
  Transaction transaction(database);
  if (!has_tables(database)) {
    database.execute(schema);
    Statement(database, "INSERT INTO meta VALUES ('format', ?)").with(format_name).run();
  } else {
    check_format(database, file);
  }
  transaction.commit();
  return database;
}

struct PointStore::Prepared {
  explicit Prepared(const std::filesystem::path& file)
      : database(checked_store(file)), ready(prepare_store(database, file)) {}

  // What was just written. Throws std::runtime_error where a table that somebody changed does not keep it.
  std::int64_t written(Statement& find, const char* table) {
    if (const auto row = find.number()) return *row;
    throw std::runtime_error(
        fmt::format("store '{}': its table '{}' does not keep what is written into it; move it "
                    "away and measure again",
                    database.file(), table));
  }

  // Row with these two texts in `table`, made where there is none.
  std::int64_t intern(Statement& find, Statement& insert, const char* table, const std::string& name,
                      const std::string& identity) {
    if (const auto row = find.with(identity).number()) return *row;
    insert.with(name, identity).run();
    return written(find.with(identity), table);  // this row or, where it was faster, another process's
  }

  Database database;
  Database& ready;
  std::int64_t context = 0, run = 0;
  Statement find_architecture{ready, "SELECT id FROM architecture WHERE parameters = ?"};
  Statement insert_architecture{ready, "INSERT OR IGNORE INTO architecture(name, parameters) VALUES (?, ?)"};
  Statement find_network{ready, "SELECT id FROM network WHERE identity = ?"};
  Statement insert_network{ready, "INSERT OR IGNORE INTO network(name, identity) VALUES (?, ?)"};
  Statement find_plan{ready, "SELECT id FROM plan WHERE identity = ?"};
  Statement insert_plan{ready, "INSERT OR IGNORE INTO plan(label, identity) VALUES (?, ?)"};
  Statement finished{ready, "SELECT plan FROM point WHERE context = ? AND network = ? AND architecture = ?"};
  Statement insert_point{ready,
                         "INSERT OR IGNORE INTO point(context, network, architecture, plan, run, state, reason, "
                         "cycles, latency_us, macs) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"};
  Statement insert_energy{ready, "INSERT INTO energy VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"};
  Statement find_claim{ready,
                       "SELECT host, pid, pid_started, seen, run FROM claim JOIN run ON run.id = run WHERE unit = ?"};
  Statement insert_claim{ready, "INSERT OR REPLACE INTO claim VALUES (?, ?)"};
  Statement drop_claim{ready, "DELETE FROM claim WHERE unit = ? AND run = ?"};
  Statement see{ready, "UPDATE run SET seen = ? WHERE id = ?"};
  std::string host = host_name();
};

PointStore::PointStore(const std::filesystem::path& file, StoreContext context) : context_(std::move(context)) {
  prepared_ = std::make_unique<Prepared>(file);
  Prepared& p = *prepared_;
  Transaction transaction(p.database);
  Statement(p.database, "INSERT OR IGNORE INTO context(version, engine, technologies) VALUES (?, ?, ?)")
      .with(context_.version, context_.engine, context_.technologies)
      .run();
  Statement find(p.database, "SELECT id FROM context WHERE version = ? AND engine = ? AND technologies = ?");
  p.context = p.written(find.with(context_.version, context_.engine, context_.technologies), "context");
  const auto now = static_cast<std::int64_t>(std::time(nullptr));
  Statement(p.database,
            "INSERT INTO run(context, program_commit, command, started, host, pid, pid_started, seen) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
      .with(p.context, context_.commit, context_.command, now, p.host, static_cast<int>(getpid()), start_of(getpid()),
            now)
      .run();
  p.run = p.database.last_row();
  transaction.commit();
}

PointStore::~PointStore() {
  try {
    Statement(prepared_->database, "DELETE FROM claim WHERE run = ?").with(prepared_->run).run();
  } catch (const std::exception&) {
    // A claim that stays is of a process that is gone: nobody waits for it.
  }
}

const std::string& PointStore::file() const { return prepared_->database.file(); }

std::int64_t PointStore::architecture(const model::Architecture& architecture) {
  const std::string parameters = model::parameters_of(architecture).dump();
  const std::lock_guard lock(mutex_);
  return prepared_->intern(prepared_->find_architecture, prepared_->insert_architecture, "architecture",
                           architecture.name, parameters);
}

std::int64_t PointStore::network(const std::string& name, const std::string& identity) {
  const std::lock_guard lock(mutex_);
  return prepared_->intern(prepared_->find_network, prepared_->insert_network, "network", name, identity);
}

std::int64_t PointStore::plan(const std::string& label, const std::string& identity) {
  const std::lock_guard lock(mutex_);
  return prepared_->intern(prepared_->find_plan, prepared_->insert_plan, "plan", label, identity);
}

std::vector<std::int64_t> PointStore::finished_plans(std::int64_t architecture, std::int64_t network) {
  const std::lock_guard lock(mutex_);
  std::vector<std::int64_t> plans;
  prepared_->finished.with(prepared_->context, network, architecture);
  while (prepared_->finished.step()) plans.push_back(prepared_->finished.integer(0));
  return plans;
}

void PointStore::add(const std::vector<StoredPoint>& points) {
  const std::lock_guard lock(mutex_);
  Prepared& p = *prepared_;
  Transaction transaction(p.database);
  for (const StoredPoint& point : points) {
    const auto known = [&](auto value) { return point.refused ? std::nullopt : std::optional(value); };
    p.insert_point
        .with(p.context, point.identity.network, point.identity.architecture, point.identity.plan, p.run,
              point.refused ? "refused" : "done", point.refused ? std::optional(point.reason) : std::nullopt,
              known(point.cycles), known(point.latency_us), known(point.macs))
        .run();
    if (p.database.changes() == 0) continue;
    const std::int64_t row = p.database.last_row();
    for (const PointEnergy& energy : point.energies) {
      p.insert_energy
          .with(row, energy.technology, energy.energy_pj, energy.status,
                energy.note.empty() ? std::nullopt : std::optional(energy.note), energy.latency_us,
                energy.clock_reached_mhz, energy.area ? std::optional(energy.area->gates_mm2) : std::nullopt,
                energy.area ? std::optional(energy.area->memories_mm2) : std::nullopt)
          .run();
    }
  }
  transaction.commit();
}

std::vector<StoredPoint> PointStore::points(std::int64_t network) {
  const std::lock_guard lock(mutex_);
  return read_points(prepared_->database, prepared_->context, network, context_.technology_names);
}

bool PointStore::claim(const std::string& unit) {
  const std::lock_guard lock(mutex_);
  Prepared& p = *prepared_;
  const auto now = static_cast<std::int64_t>(std::time(nullptr));
  Transaction transaction(p.database);
  if (p.find_claim.with(unit).step()) {
    const std::string host = p.find_claim.text(0);
    const auto pid = static_cast<pid_t>(p.find_claim.integer(1));
    const bool here = host == p.host;
    const bool lives = here ? start_of(pid) == p.find_claim.text(2) && !p.find_claim.text(2).empty()
                            : now - p.find_claim.integer(3) < silence_s;
    const bool mine = p.find_claim.integer(4) == p.run;
    p.find_claim.reset();
    if (lives && !mine) return false;
  }
  p.insert_claim.with(unit, p.run).run();
  transaction.commit();
  return true;
}

void PointStore::release(const std::string& unit) {
  const std::lock_guard lock(mutex_);
  prepared_->drop_claim.with(unit, prepared_->run).run();
}

void PointStore::show_life() {
  const std::lock_guard lock(mutex_);
  prepared_->see.with(static_cast<std::int64_t>(std::time(nullptr)), prepared_->run).run();
}

void PointStore::confirm(std::int64_t point, const Confirmation& c) {
  const std::lock_guard lock(mutex_);
  Statement(prepared_->database, "INSERT OR REPLACE INTO confirmation VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
      .with(point, c.engine, c.cycles, c.values_compared, c.values_different, c.events_compared, c.events_different,
            c.error.empty() ? std::nullopt : std::optional(c.error))
      .run();
}

std::int64_t PointStore::foreign_points() {
  const std::lock_guard lock(mutex_);
  Statement count(prepared_->database, "SELECT count(*) FROM point WHERE context <> ?");
  return count.with(prepared_->context).number().value_or(0);
}

}  // namespace bitstrata::sim
