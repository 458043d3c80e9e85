// SPDX-License-Identifier: Apache-2.0
// The result store: what is written is there again, for the right version only; claims hold against other processes
// and end with them; files that are no stores are refused.
#include "sim/store.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/store_sqlite.h"
#include "tests/model/temporary.h"

namespace bitstrata::sim {
namespace {

using bitstrata::testing::message_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

StoreContext context(const std::string& version = "1.0") {
  return {.version = version,
          .commit = "abc",
          .command = "test",
          .engine = "fast",
          .technologies = "t:1 u:2",
          .technology_names = {"t", "u"}};
}

class StoreTest : public ::testing::Test {
 protected:
  std::filesystem::path file() const { return folder_ / "points.sqlite"; }
  StoredPoint point(PointStore& store, int rows, int cycles) {
    model::Architecture a;
    a.name = fmt::format("a{}", rows);
    a.rows = rows;
    StoredPoint p;
    p.identity = {store.architecture(a), store.network("net", "net"), store.plan("w8a8", "w8a8")};
    p.cycles = cycles;
    p.latency_us = cycles / 200.0;
    p.macs = 7;
    p.energies = {{"t", "cited", 2.5, "", cycles / 100.0 + 1, 100, Area{1.5, 0.25}},
                  {"u", "recalled", std::nullopt, "too wide", p.latency_us, std::nullopt, std::nullopt}};
    return p;
  }
  bitstrata::testing::TemporaryFolder folder_;
};

TEST_F(StoreTest, KeepsPointsAcrossOpenings) {
  std::int64_t network = 0, architecture = 0;
  {
    PointStore store(file(), context());
    StoredPoint refused = point(store, 48, 0);
    refused.refused = true;
    refused.reason = "layer 'x': too large";
    refused.energies.clear();
    store.add({point(store, 32, 1000), refused});
    store.add({point(store, 32, 2000)});  // the first measurement stays
    network = store.network("net", "net");
    architecture = point(store, 32, 0).identity.architecture;
  }
  PointStore store(file(), context());
  EXPECT_EQ(store.network("net", "net"), network);
  EXPECT_NE(store.network("net", "net with other layers"), network);
  EXPECT_THAT(store.finished_plans(architecture, network), ElementsAre(store.plan("w8a8", "w8a8")));
  const std::vector<StoredPoint> points = store.points(network);
  ASSERT_THAT(points, SizeIs(2));
  EXPECT_EQ(points[0].cycles, 1000);
  EXPECT_DOUBLE_EQ(points[0].latency_us, 5);
  ASSERT_THAT(points[0].energies, SizeIs(2));
  EXPECT_EQ(points[0].energies[0].energy_pj, 2.5);
  ASSERT_TRUE(points[0].energies[0].area);
  EXPECT_EQ(points[0].energies[0].area->gates_mm2, 1.5);
  EXPECT_EQ(points[0].energies[0].area->memories_mm2, 0.25);
  EXPECT_FALSE(points[0].energies[1].area);
  EXPECT_EQ(points[0].energies[0].latency_us, 11);
  EXPECT_EQ(points[0].energies[0].clock_reached_mhz, 100);
  EXPECT_FALSE(points[0].energies[1].clock_reached_mhz);
  EXPECT_FALSE(points[0].energies[1].energy_pj);
  EXPECT_EQ(points[0].energies[1].note, "too wide");
  EXPECT_TRUE(points[1].refused);
  EXPECT_EQ(points[1].reason, "layer 'x': too large");
}

TEST_F(StoreTest, OtherVersionsHaveTheirOwnPoints) {
  {
    PointStore store(file(), context("1.0"));
    store.add({point(store, 32, 1000)});
    EXPECT_EQ(store.foreign_points(), 0);
  }
  PointStore store(file(), context("1.1"));
  const StoredPoint p = point(store, 32, 900);
  EXPECT_THAT(store.finished_plans(p.identity.architecture, p.identity.network), IsEmpty());
  EXPECT_EQ(store.foreign_points(), 1);
  store.add({p});
  ASSERT_THAT(store.points(p.identity.network), SizeIs(1));
  EXPECT_EQ(store.points(p.identity.network)[0].cycles, 900);
}

TEST_F(StoreTest, TheViewJoinsEverything) {
  {
    PointStore store(file(), context());
    store.add({point(store, 32, 1000)});
    store.confirm(store.points(store.network("net", "net"))[0].id, {"systemc", 1000, 10, 0, 24, 0, ""});
  }
  Database database(file());
  Statement read(database,
                 "SELECT network, rows, clock_mhz, cycles, energy_pj, area_mm2, latency_us, "
                 "clock_reached_mhz FROM result WHERE technology = 't'");
  ASSERT_TRUE(read.step());
  EXPECT_EQ(read.text(0), "net");
  EXPECT_EQ(read.integer(1), 32);
  EXPECT_EQ(read.real(2), 200);
  EXPECT_EQ(read.integer(3), 1000);
  EXPECT_EQ(read.real(4), 2.5);
  EXPECT_EQ(read.real(5), 1.75);
  EXPECT_EQ(read.real(6), 11) << "that under the technology";
  EXPECT_EQ(read.real(7), 100);
  EXPECT_FALSE(read.step());
  EXPECT_EQ(Statement(database, "SELECT count(*) FROM confirmation WHERE engine = 'systemc'").number(), 1);
}

// A process that holds a unit keeps others from it, and a kill ends that at once.
TEST_F(StoreTest, ClaimsEndWithTheirProcess) {
  { PointStore store(file(), context()); }
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    PointStore store(file(), context());
    const char good = store.claim("unit") ? '+' : '-';
    if (write(ready[1], &good, 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, '+');
  PointStore store(file(), context());
  EXPECT_FALSE(store.claim("unit"));
  EXPECT_TRUE(store.claim("another"));
  EXPECT_TRUE(store.claim("another")) << "one's own claim is no obstacle";
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(store.claim("unit"));
  store.release("unit");
  close(ready[0]);
  close(ready[1]);
}

TEST_F(StoreTest, RefusesOtherFiles) {
  const auto text = folder_.write("text.sqlite", std::string(5000, 'x'));
  EXPECT_THAT(message_of<std::runtime_error>([&] { PointStore(text, context()); }), HasSubstr("text.sqlite"));
  {
    Database other(folder_ / "other.sqlite");
    other.execute("CREATE TABLE recipes(name TEXT); CREATE TABLE meta(author TEXT)");
  }
  const std::string before = bitstrata::testing::read_text(folder_ / "other.sqlite");
  const auto files = [&] { return std::distance(std::filesystem::directory_iterator(folder_.path()), {}); };
  const auto files_before = files();
  EXPECT_THAT(message_of<std::runtime_error>([&] { PointStore(folder_ / "other.sqlite", context()); }),
              HasSubstr("is a database, but no store of format bitstrata-store-2"));
  EXPECT_EQ(bitstrata::testing::read_text(folder_ / "other.sqlite"), before) << "not even its journal mode changes";
  EXPECT_EQ(files(), files_before);
  EXPECT_THAT(message_of<std::runtime_error>([&] { PointStore(folder_ / "no/such/folder.sqlite", context()); }),
              HasSubstr("cannot open the store"));
}

// Names that a URI would take for something else lead to the file all the same.
TEST_F(StoreTest, OpensFilesOfAnyName) {
  for (const char* name : {"with space.sqlite", "a'b.sqlite", "50%?x#y.sqlite"}) {
    { PointStore store(folder_ / name, context()); }
    PointStore again(folder_ / name, context());
    EXPECT_TRUE(std::filesystem::exists(folder_ / name)) << name;
  }
}

// Builds of SQLite read such names as URIs, of which this one is a database in memory.
TEST_F(StoreTest, TakesNoNameForAUri) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder_.path());
  { PointStore("file:x?mode=memory", context()).add({}); }
  EXPECT_TRUE(std::filesystem::is_regular_file("file:x?mode=memory"));
  std::filesystem::current_path(before);
}

// A number that cannot be is told, with its point, and never returned.
TEST_F(StoreTest, RefusesRowsThatCannotBe) {
  std::int64_t network = 0;
  {
    PointStore store(file(), context());
    StoredPoint refused = point(store, 48, 0);
    refused.refused = true;
    refused.reason = "too large";
    refused.energies.clear();
    store.add({point(store, 32, 1000), refused});
    network = store.network("net", "net");
  }
  const std::string sound = bitstrata::testing::read_text(file());
  const std::vector<std::pair<const char*, const char*>> changes = {
      {"point SET cycles = NULL", "point 1 has cycles missing, no whole number from 1 on"},
      {"point SET cycles = 'abc'", "point 1 has cycles 'abc', no whole number"},
      {"point SET cycles = 10.5", "point 1 has cycles '10.5', no whole number"},
      {"point SET cycles = 0", "point 1 has cycles '0', no whole number"},
      {"point SET macs = -1", "point 1 has macs '-1', no whole number from 0 on"},
      {"point SET latency_us = x'0102'", "point 1 has latency_us a blob, no finite number"},
      {"point SET latency_us = -5.0", "point 1 has latency_us -5, which is not above 0"},
      {"point SET latency_us = 9e999", "point 1 has latency_us 'Inf', no finite number"},
      {"energy SET gates_mm2 = 0.0 WHERE technology = 't'", "point 1 has gates_mm2 0, which is not above 0"},
      {"energy SET latency_us = 0.0 WHERE technology = 't'", "point 1 has latency_us of an energy 0, which is not"},
      {"energy SET clock_reached_mhz = -1.0 WHERE technology = 't'", "point 1 has clock_reached_mhz -1, which is not"},
      {"energy SET memories_mm2 = NULL WHERE technology = 't'", "point 1 has memories_mm2 missing, no finite number"},
      {"point SET reason = 'x'", "point 1 is done and has a reason"},
      {"point SET state = 'lost'", "point 1 is 'lost', neither done nor refused"},
      {"point SET state = 'refused', reason = 'x'", "point 1 is refused and has numbers"},
      {"point SET state = 'refused', reason = 'x', cycles = NULL, latency_us = NULL, macs = NULL",
       "point 1 is refused and has an energy"},
      {"energy SET energy_pj = 9e999 WHERE technology = 't'", "point 1 has energy_pj 'Inf', no finite number"},
      {"energy SET energy_pj = -2.5 WHERE technology = 't'", "point 1 has energy_pj -2.5, which is below 0"},
      {"energy SET energy_pj = NULL WHERE technology = 't'", "point 1 has no energy, and no note why"},
      {"energy SET technology = 'v' WHERE technology = 't'", "point 1 has an energy under 'v'"},
      {"point SET reason = NULL WHERE id = 2", "point 2 has no reason"}};
  const auto refusal = [&](const std::string& change) {
    folder_.write("points.sqlite", sound);
    {
      Database changed(file());
      changed.execute("PRAGMA ignore_check_constraints = ON; " + change);
    }
    PointStore store(file(), context());
    return message_of<std::runtime_error>([&] { store.points(network); });
  };
  for (const auto& [change, expected] : changes) {
    std::string sql = std::string("UPDATE ") + change;
    if (sql.starts_with("UPDATE point") && sql.find("WHERE") == std::string::npos) sql += " WHERE id = 1";
    const std::string message = refusal(sql);
    EXPECT_THAT(message, HasSubstr(expected)) << change;
    EXPECT_THAT(message, HasSubstr("points.sqlite' is damaged: ")) << change;
    EXPECT_THAT(message, ::testing::EndsWith("; move it away and measure again")) << change;
  }
  EXPECT_THAT(refusal("DELETE FROM energy WHERE technology = 'u'"), HasSubstr("point 1 has 1 of 2 rows of energy"));
  EXPECT_EQ(refusal("SELECT 1"), "(no exception)");
  // A reason of several lines is read as one.
  folder_.write("points.sqlite", sound);
  { Database(file()).execute("UPDATE point SET reason = 'two' || char(10) || 'lines' WHERE id = 2"); }
  EXPECT_EQ(PointStore(file(), context()).points(network)[1].reason, "two?lines");
  // A table that is gone.
  { Database(file()).execute("DROP TABLE energy"); }
  EXPECT_THAT(message_of<std::runtime_error>([&] { PointStore(file(), context()); }),
              HasSubstr("is damaged: its tables are not those of a store (no such table: energy)"));
}

TEST_F(StoreTest, RefusesWhatKeepsNothing) {
  EXPECT_THAT(message_of<std::invalid_argument>([&] { PointStore("/dev/null", context()); }),
              HasSubstr("'/dev/null' is a device or a pipe, which keeps nothing"));
  for (const char* name : {"", ":memory:"}) {
    EXPECT_THAT(message_of<std::invalid_argument>([&] { PointStore(name, context()); }), HasSubstr("keeps nothing"));
  }
}

// A process that is killed while SQLite writes the log back into the file leaves a file that the log alone makes whole:
// here its first page is there, which says that the file is longer than it is.
TEST_F(StoreTest, OpensWhatAKillInTheMiddleOfACheckpointLeft) {
  {
    PointStore store(file(), context());
    store.add({point(store, 32, 1000)});
  }
  const auto torn = folder_ / "torn.sqlite";
  {
    Database database(file());
    database.execute("PRAGMA wal_autocheckpoint = 0; INSERT INTO network VALUES (77, 'x', hex(randomblob(20000)))");
    const std::string log = bitstrata::testing::read_text(file().string() + "-wal");
    std::string whole = bitstrata::testing::read_text(file());
    const auto number = [&](std::size_t at) {
      std::size_t value = 0;
      for (std::size_t i = at; i < at + 4; ++i) value = value << 8 | static_cast<unsigned char>(log[i]);
      return value;
    };
    // The file format's frames: a header of 32 bytes, then 24 bytes that begin with the page's number, and the page.
    const std::size_t size = number(8);
    std::size_t first_pages = 0;
    for (std::size_t at = 32; at + 24 + size <= log.size(); at += 24 + size) {
      if (number(at) != 1) continue;
      whole.replace(0, size, log, at + 24, size);
      ++first_pages;
    }
    ASSERT_GT(first_pages, 0U);
    folder_.write("torn.sqlite", whole);
    folder_.write("torn.sqlite-wal", log);
  }
  PointStore store(torn, context());
  EXPECT_THAT(store.points(store.network("net", "net")), SizeIs(1));
  Database database(torn);
  EXPECT_EQ(Statement(database, "SELECT count(*) FROM network WHERE id = 77").number(), 1);
}

// Nor is anything in somebody else's file changed where it has a log beside it.
TEST_F(StoreTest, RefusesOtherFilesThatAreInUse) {
  std::string whole, log;
  {
    Database other(folder_ / "in_use.sqlite");
    other.execute("PRAGMA journal_mode = WAL; CREATE TABLE recipes(name TEXT)");
    whole = bitstrata::testing::read_text(folder_ / "in_use.sqlite");
    log = bitstrata::testing::read_text(folder_ / "in_use.sqlite-wal");
  }
  folder_.write("other.sqlite", whole);
  folder_.write("other.sqlite-wal", log);
  EXPECT_THAT(message_of<std::runtime_error>([&] { PointStore(folder_ / "other.sqlite", context()); }),
              HasSubstr("is a database, but no store of format bitstrata-store-2"));
  EXPECT_EQ(bitstrata::testing::read_text(folder_ / "other.sqlite"), whole);
  EXPECT_EQ(bitstrata::testing::read_text(folder_ / "other.sqlite-wal"), log);
}

TEST_F(StoreTest, SaysInItsOwnWordsWhatSqliteReports) {
  const auto text = folder_.write("text.sqlite", std::string(5000, 'x'));
  EXPECT_THAT(message_of<std::runtime_error>([&] { PointStore(text, context()); }),
              HasSubstr("it is no SQLite database; name another file"));
  { PointStore store(file(), context()); }
  const std::string whole = bitstrata::testing::read_text(file());
  folder_.write("points.sqlite", whole.substr(0, 4096) + std::string(whole.size() - 4096, '\xff'));
  EXPECT_THAT(message_of<std::runtime_error>([&] { PointStore(file(), context()); }),
              HasSubstr("it is damaged; move it away and measure again"));
}

TEST_F(StoreTest, SaysInOneLineWhatSomebodyChanged) {
  { PointStore store(file(), context()); }
  {
    Database changed(file());
    changed.execute("CREATE TRIGGER forget AFTER INSERT ON context BEGIN DELETE FROM context; END");
  }
  EXPECT_THAT(message_of<std::runtime_error>([&] { PointStore(file(), context("2.0")); }),
              HasSubstr("its table 'context' does not keep what is written into it; move it away and measure again"));
  {
    Database changed(file());
    changed.execute("UPDATE meta SET value = 'two' || char(10) || 'lines'");
  }
  EXPECT_THAT(message_of<std::runtime_error>([&] { PointStore(file(), context()); }),
              HasSubstr("it says two?lines; name"));
  {
    Database changed(file());
    changed.execute(
        "UPDATE meta SET value = 'bitstrata-store-2'; DROP TRIGGER forget; DROP VIEW result;"
        "ALTER TABLE plan RENAME COLUMN label TO \"two\nlines\"");
  }
  EXPECT_THAT(message_of<std::runtime_error>([&] { PointStore(file(), context()); }), ::testing::Not(HasSubstr("\n")));
}

}  // namespace
}  // namespace bitstrata::sim
