// SPDX-License-Identifier: Apache-2.0
// Stores joined: what each holds is there once, whatever numbers its rows had; contexts stay apart; a source that is
// damaged, foreign or contradicts another is refused with its name, and the target stays as it was.
#include "sim/store_merge.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/store.h"
#include "sim/store_sqlite.h"
#include "tests/model/temporary.h"

namespace bitstrata::sim {
namespace {

using bitstrata::testing::message_of;
using bitstrata::testing::read_text;
using ::testing::AllOf;
using ::testing::HasSubstr;

StoreContext context(const std::string& version) {
  return {.version = version,
          .commit = "abc",
          .command = "test",
          .engine = "fast",
          .technologies = "t:1",
          .technology_names = {"t"}};
}

class StoreMergeTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  // Points of these array heights; heights above 1000 do not fit.
  void fill(const std::string& name, const std::vector<int>& heights, const std::string& version = "1",
            int cycles = 1000, const std::string& network = "net") {
    StoreContext who = context(version);
    who.command = name;
    PointStore store(path(name), who);
    std::vector<StoredPoint> points;
    for (const int rows : heights) {
      model::Architecture a;
      a.name = fmt::format("a{}", rows);
      a.rows = rows;
      StoredPoint p{.identity = {store.architecture(a), store.network(network, network), store.plan("w8a8", "w8a8")}};
      if (rows > 1000) {
        p.refused = true;
        p.reason = "layer 'x': too large";
      } else {
        p.cycles = cycles + rows;
        p.latency_us = p.cycles / 200.0;
        p.macs = 7;
        p.energies = {{"t", "cited", 0.1 + rows, "", p.latency_us, std::nullopt, std::nullopt}};
      }
      points.push_back(p);
    }
    store.add(points);
  }

  // Points with all that they are about, sorted; `technology` and energy where there is one.
  std::string content(const std::string& name) const {
    Database database(path(name));
    Statement read(database,
                   "SELECT version || ' ' || network || ' ' || plan || ' ' || architecture || ' ' || state || ' ' || "
                   "coalesce(reason, cycles || ' ' || latency_us || ' ' || macs || ' ' || energy_pj || ' ' || "
                   "energy_status) FROM result ORDER BY 1");
    std::string text;
    while (read.step()) text += read.text(0) + "\n";
    return text;
  }
  std::int64_t count(const std::string& name, const std::string& table) const {
    Database database(path(name));
    return Statement(database, "SELECT count(*) FROM " + table).number().value_or(-1);
  }
  std::string refusal(const std::vector<std::filesystem::path>& sources, const std::string& target) {
    return message_of<std::runtime_error>([&] { merge_stores(sources, target); });
  }
  bool is_there(const std::string& name) const { return std::filesystem::exists(path(name)); }

  bitstrata::testing::TemporaryFolder folder_;
};

TEST_F(StoreMergeTest, JoinsWhatStoresHold) {
  // Stores of other orders, shared in part, so that rows of one name have other numbers.
  fill("a.sqlite", {32, 64, 2000});
  fill("b.sqlite", {96, 64, 48});
  fill("b.sqlite", {16}, "1", 1000, "other");
  fill("whole.sqlite", {48, 32, 64, 2000, 96});
  fill("whole.sqlite", {16}, "1", 1000, "other");
  const MergedStores merged = merge_stores({path("a.sqlite"), path("b.sqlite")}, path("all.sqlite"));
  EXPECT_EQ(merged.points, 7);
  EXPECT_EQ(merged.added, 6);
  EXPECT_EQ(merged.total, 6);
  EXPECT_EQ(merged.contexts, 1);
  EXPECT_EQ(content("all.sqlite"), content("whole.sqlite"));
  EXPECT_EQ(count("all.sqlite", "architecture"), 6);
  EXPECT_EQ(count("all.sqlite", "(SELECT DISTINCT command FROM run)"), 2) << "who measured is kept";
  // A sweep goes on with it.
  PointStore store(path("all.sqlite"), context("1"));
  EXPECT_EQ(store.points(store.network("net", "net")).size(), 5U);
  EXPECT_EQ(store.foreign_points(), 0);
}

TEST_F(StoreMergeTest, ChangesNothingTheSecondTime) {
  fill("a.sqlite", {32, 2000});
  fill("b.sqlite", {64});
  {
    PointStore store(path("b.sqlite"), context("1"));
    store.confirm(store.points(store.network("net", "net"))[0].id, {"rtl", 1064, 10, 0, 24, 0, ""});
  }
  merge_stores({path("a.sqlite"), path("b.sqlite")}, path("all.sqlite"));
  EXPECT_EQ(count("all.sqlite", "confirmation"), 1);
  const auto dump = [&] {
    std::string text;
    Database database(path("all.sqlite"));
    for (const char* table : {"architecture", "network", "plan", "context", "run", "point", "energy", "confirmation"}) {
      Statement read(database, fmt::format("SELECT * FROM {}", table));
      while (read.step())
        for (int column = 0; read.type(column) != SQLITE_NULL || column < 3; ++column) text += read.text(column) + "|";
    }
    return text;
  };
  const std::string before = dump();
  // Also where the target is among the sources, as in *.sqlite.
  const MergedStores again =
      merge_stores({path("all.sqlite"), path("a.sqlite"), path("b.sqlite"), path("b.sqlite")}, path("all.sqlite"));
  EXPECT_EQ(again.points, 4);
  EXPECT_EQ(again.added, 0);
  EXPECT_EQ(dump(), before);
}

TEST_F(StoreMergeTest, KeepsContextsApart) {
  fill("a.sqlite", {32, 64}, "1");
  fill("b.sqlite", {32, 64}, "2", 5000);
  const MergedStores merged = merge_stores({path("a.sqlite"), path("b.sqlite")}, path("all.sqlite"));
  EXPECT_EQ(merged.added, 4);
  EXPECT_EQ(merged.contexts, 2);
  for (const auto& [version, cycles] : {std::pair{"1", 1032}, {"2", 5032}}) {
    PointStore store(path("all.sqlite"), context(version));
    ASSERT_EQ(store.points(store.network("net", "net")).size(), 2U);
    EXPECT_EQ(store.points(store.network("net", "net"))[0].cycles, cycles);
    EXPECT_EQ(store.foreign_points(), 2);
  }
}

// A store that is still being filled, by a process that has not closed it: its log counts.
TEST_F(StoreMergeTest, TakesWhatAKilledProcessLeft) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    fill("a.sqlite", {32});
    PointStore open(path("a.sqlite"), context("1"));
    fill("a.sqlite", {64});
    if (!open.claim("unit") || write(ready[1], "+", 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  EXPECT_EQ(merge_stores({path("a.sqlite")}, path("all.sqlite")).total, 2);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(merge_stores({path("a.sqlite")}, path("later.sqlite")).total, 2);
  EXPECT_EQ(count("later.sqlite", "claim"), 0);
  for (const int end : ready) close(end);
}

TEST_F(StoreMergeTest, RefusesOtherNumbersForOnePoint) {
  fill("a.sqlite", {32});
  fill("b.sqlite", {64, 32});
  const auto expect = [&](const char* table) {
    EXPECT_THAT(refusal({path("a.sqlite"), path("b.sqlite")}, path("all.sqlite")),
                AllOf(HasSubstr("b.sqlite' contradicts what is merged already"),
                      HasSubstr(fmt::format("of its table '{}'", table))));
    EXPECT_FALSE(is_there("all.sqlite"));
    EXPECT_FALSE(is_there("all.sqlite-wal"));
  };
  { Database(path("b.sqlite")).execute("UPDATE point SET macs = 8 WHERE id = 2"); }
  expect("point");
  { Database(path("b.sqlite")).execute("UPDATE point SET macs = 7; UPDATE energy SET energy_pj = energy_pj + 1e-9"); }
  expect("energy");
  // A target that was there keeps what it had.
  fill("all.sqlite", {32, 2000});
  const std::string before = content("all.sqlite");
  EXPECT_THAT(refusal({path("b.sqlite")}, path("all.sqlite")), HasSubstr("contradicts"));
  EXPECT_EQ(content("all.sqlite"), before);
  EXPECT_EQ(count("all.sqlite", "architecture"), 2);
}

TEST_F(StoreMergeTest, RefusesWhatIsNoStore) {
  fill("a.sqlite", {32});
  const auto refused = [&](const std::string& name) {
    const std::string message = refusal({path("a.sqlite"), path(name)}, path("all.sqlite"));
    EXPECT_THAT(message, HasSubstr(name));
    EXPECT_EQ(message.find('\n'), std::string::npos);
    EXPECT_FALSE(is_there("all.sqlite")) << name;
    return message;
  };
  EXPECT_THAT(refused("none.sqlite"), HasSubstr("there is no store"));
  EXPECT_FALSE(is_there("none.sqlite"));
  folder_.write("text.sqlite", std::string(5000, 'x'));
  EXPECT_THAT(refused("text.sqlite"), HasSubstr("it is no SQLite database"));
  folder_.write("empty.sqlite", "");
  EXPECT_THAT(refused("empty.sqlite"), HasSubstr("is an empty file, no store yet"));
  { Database(path("other.sqlite")).execute("CREATE TABLE recipes(name TEXT)"); }
  const std::string other = read_text(path("other.sqlite"));
  EXPECT_THAT(refused("other.sqlite"), HasSubstr("is a database, but no store of format"));
  EXPECT_EQ(read_text(path("other.sqlite")), other);
  EXPECT_THAT(message_of<std::invalid_argument>([&] { merge_stores({"/dev/null"}, path("all.sqlite")); }),
              HasSubstr("'/dev/null' is a device"));
  EXPECT_THAT(message_of<std::invalid_argument>([&] { merge_stores({path("a.sqlite")}, ":memory:"); }),
              HasSubstr("keeps nothing"));
}

TEST_F(StoreMergeTest, RefusesDamage) {
  fill("a.sqlite", {32});
  std::vector<int> many;
  for (int rows = 1; rows <= 400; ++rows) many.push_back(rows);
  fill("big.sqlite", many);
  const std::string whole = read_text(path("big.sqlite"));
  const auto refused = [&] {
    const std::string message = refusal({path("a.sqlite"), path("bad.sqlite")}, path("all.sqlite"));
    EXPECT_THAT(message, HasSubstr("bad.sqlite"));
    EXPECT_FALSE(is_there("all.sqlite"));
    return message;
  };
  // Cut in the middle, and overwritten page by page: nothing of it may come through.
  folder_.write("bad.sqlite", whole.substr(0, whole.size() / 2 / 4096 * 4096));
  EXPECT_THAT(refused(), HasSubstr("damaged"));
  int told = 0;
  for (std::size_t page = 1; page < whole.size() / 4096; page += 7) {
    std::string bad = whole;
    bad.replace(page * 4096, 4096, std::string(4096, '\xff'));
    folder_.write("bad.sqlite", bad);
    EXPECT_THAT(refused(), HasSubstr("damaged")) << "page " << page;
    ++told;
  }
  EXPECT_GT(told, 2);
  const auto changed = [&](const std::string& sql) {
    folder_.write("bad.sqlite", whole);
    { Database(path("bad.sqlite")).execute("PRAGMA ignore_check_constraints = ON; " + sql); }
    return refused();
  };
  EXPECT_THAT(changed("UPDATE point SET cycles = -1 WHERE id = 3"), HasSubstr("point 3 has cycles '-1'"));
  EXPECT_THAT(changed("UPDATE point SET state = 'lost' WHERE id = 3"), HasSubstr("CHECK constraint failed in point"));
  EXPECT_THAT(changed("UPDATE point SET architecture = 999 WHERE id = 3"),
              HasSubstr("row 3 of its table 'point' names architecture 999, which is not there"));
  EXPECT_THAT(changed("DELETE FROM energy WHERE point = 3"), HasSubstr("point 3 has 0 of 1 rows of energy"));
  EXPECT_THAT(changed("ALTER TABLE plan ADD COLUMN more TEXT"), HasSubstr("its table 'plan' is not that of a store"));
  EXPECT_THAT(changed("DROP TABLE confirmation"), HasSubstr("its table 'confirmation' is not that of a store"));
  EXPECT_THAT(changed("PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'label TEXT NOT NULL', "
                      "'label TEXT') WHERE name = 'plan'; PRAGMA writable_schema = RESET; UPDATE plan SET label = "
                      "NULL, identity = 'x'"),
              HasSubstr("row 1 of its table 'plan' breaks the rules of the tables"));
}

}  // namespace
}  // namespace bitstrata::sim
