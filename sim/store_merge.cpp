// SPDX-License-Identifier: Apache-2.0
#include "sim/store_merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <string>

#include "model/interrupt.h"
#include "model/yaml_reader.h"
#include "sim/store_file.h"
#include "sim/store_rows.h"
#include "sim/store_sqlite.h"

namespace bitstrata::sim {

namespace fs = std::filesystem;

namespace {

// What a row that is there already must have in common with the one that comes.
enum class Known { key, all };

// Claims are of processes and stay where they are. A column that has the name of a table holds the `id` of a row there,
// so tables come behind those that they speak of.
struct TableRule {
  const char* name;
  std::vector<std::string> key;  // equal in two rows that are about one thing; empty: all columns but `aside`
  Known known = Known::key;
  std::vector<std::string> aside;  // columns that say nothing about the thing
};

const std::vector<TableRule>& table_rules() {
  static const std::vector<TableRule> rules = {
      {"architecture", {"parameters"}, Known::key, {}},
      {"network", {"identity"}, Known::key, {}},
      {"plan", {"identity"}, Known::key, {}},
      {"context", {"version", "engine", "technologies"}, Known::key, {}},
      {"run", {}, Known::key, {"seen"}},
      {"point", {"context", "network", "architecture", "plan"}, Known::all, {"run"}},
      {"energy", {"point", "technology"}, Known::all, {}},
      {"confirmation", {"point", "engine"}, Known::all, {}},
  };
  return rules;
}

bool is_table(const std::string& name) {
  return std::ranges::any_of(table_rules(), [&](const TableRule& rule) { return rule.name == name; });
}

bool holds(const std::vector<std::string>& list, const std::string& word) {
  return std::ranges::find(list, word) != list.end();
}

std::vector<std::string> columns_of(Database& database, const std::string& table) {
  std::vector<std::string> columns;
  Statement read(database, "SELECT name FROM pragma_table_info(?)");
  read.with(table);
  while (read.step()) columns.push_back(read.text(0));
  return columns;
}

std::string quoted(const std::string& name) { return fmt::format("\"{}\"", name); }

std::string conditions(const std::vector<std::string>& columns) {
  std::string text;
  for (const std::string& column : columns)
    text += fmt::format("{}{} IS ?", text.empty() ? " WHERE " : " AND ", quoted(column));
  return text;
}

// Rows of one store on their way into another.
class Copier {
 public:
  Copier(Database& from, Database& to) : from_(from), to_(to) {}

  // Returns how many rows came and how many of them are new.
  std::pair<std::int64_t, std::int64_t> copy(const TableRule& rule) {
    const std::vector<std::string> columns = columns_of(from_, rule.name);
    if (columns != columns_of(to_, rule.name))
      tell_of_damaged_store(from_.file(), fmt::format("its table '{}' is not that of a store", rule.name));
    const auto chosen = [&](auto&& wanted) {
      std::vector<std::string> list;
      std::ranges::copy_if(columns, std::back_inserter(list), wanted);
      return list;
    };
    const std::vector<std::string> written = chosen([](const std::string& c) { return c != "id"; });
    const std::vector<std::string> all =
        chosen([&](const std::string& c) { return c != "id" && !holds(rule.aside, c); });
    const std::vector<std::string> key =
        rule.key.empty() ? all : chosen([&](const std::string& c) { return holds(rule.key, c); });
    const bool has_id = holds(columns, "id");

    std::string list;
    for (const std::string& column : columns) list += (list.empty() ? "" : ", ") + quoted(column);
    std::string names, marks;
    for (const std::string& column : written) {
      names += (names.empty() ? "" : ", ") + quoted(column);
      marks += marks.empty() ? "?" : ", ?";
    }
    Statement read(from_, fmt::format("SELECT {} FROM {} ORDER BY 1, 2", list, rule.name));
    Statement find(to_, fmt::format("SELECT {} FROM {}{}", has_id ? "id" : "1", rule.name, conditions(key)));
    Statement same(to_, fmt::format("SELECT 1 FROM {}{}", rule.name, conditions(all)));
    Statement insert(to_, fmt::format("INSERT INTO {}({}) VALUES ({})", rule.name, names, marks));
    const auto bind = [&](Statement& statement, const std::vector<std::string>& those) -> Statement& {
      statement.reset();
      for (std::size_t i = 0; i < those.size(); ++i) {
        const auto column = static_cast<int>(std::ranges::find(columns, those[i]) - columns.begin());
        if (is_table(those[i])) {
          statement.take(static_cast<int>(i) + 1, counterpart(rule, those[i], read, column));
        } else {
          statement.take(static_cast<int>(i) + 1, read, column);
        }
      }
      return statement;
    };

    std::int64_t rows = 0, added = 0;
    while (read.step()) {
      ++rows;
      std::optional<std::int64_t> there = bind(find, key).number();
      if (!there) {
        put(bind(insert, written), rule, read);
        ++added;
        there = to_.last_row();
      } else if (rule.known == Known::all && !bind(same, all).number()) {
        throw std::runtime_error(model::in_one_line(
            fmt::format("store '{}' contradicts what is merged already: row {} of its table '{}' has other numbers for "
                        "the same point of the same build; move one of the stores away and measure again",
                        from_.file(), read.text(0), rule.name)));
      }
      if (has_id) rows_[rule.name][read.integer(0)] = *there;
    }
    return {rows, added};
  }

 private:
  // The row in the target that a reference of the row being read becomes.
  std::int64_t counterpart(const TableRule& rule, const std::string& table, const Statement& read, int column) const {
    const auto& known = rows_.at(table);
    const auto row = known.find(read.integer(column));
    if (row == known.end()) {
      tell_of_damaged_store(from_.file(), fmt::format("row {} of its table '{}' names {} {}, which is not there",
                                                      read.text(0), rule.name, table, read.text(column)));
    }
    return row->second;
  }

  void put(Statement& insert, const TableRule& rule, const Statement& read) const {
    try {
      insert.run();
    } catch (const std::runtime_error&) {
      // What the target's tables do not take cannot have been written into the source's by us.
      if ((sqlite3_errcode(to_.handle()) & 0xff) != SQLITE_CONSTRAINT) throw;
      tell_of_damaged_store(from_.file(), fmt::format("row {} of its table '{}' breaks the rules of the tables",
                                                      read.text(0), rule.name));
    }
  }

  Database& from_;
  Database& to_;
  std::map<std::string, std::map<std::int64_t, std::int64_t>> rows_;  // by table: there -> here
};

// Every number is read with the distrust of one that is to be used.
void check_points(Database& database) {
  Statement contexts(database, "SELECT DISTINCT context, network FROM point ORDER BY 1, 2");
  while (contexts.step()) {
    std::set<std::string> technologies;
    Statement names(database,
                    "SELECT DISTINCT technology FROM energy JOIN point ON point.id = point WHERE context = ?");
    names.with(contexts.integer(0));
    while (names.step()) technologies.insert(names.text(0));
    read_points(database, contexts.integer(0), contexts.integer(1), technologies);
  }
}

void merge_one(const fs::path& source, Database& to, MergedStores& merged) {
  Database from(source);
  if (!has_tables(from)) {
    throw std::runtime_error(model::in_one_line(
        fmt::format("'{}' is an empty file, no store yet: its sweep was stopped before it began", source.string())));
  }
  check_format(from, source);
  from.execute("BEGIN");  // one state of the file, also while its sweep goes on
  {
    Statement check(from, "PRAGMA integrity_check(1)");
    if (!check.step() || check.text(0) != "ok") tell_of_damaged_store(from.file(), check.text(0));
  }
  check_points(from);
  Copier copier(from, to);
  for (const TableRule& rule : table_rules()) {
    const auto [rows, added] = copier.copy(rule);
    if (std::string_view(rule.name) != "point") continue;
    merged.points += rows;
    merged.added += added;
  }
}

void remove_files(const fs::path& store) {
  std::error_code none;
  for (const char* end : {"", "-wal", "-shm"}) fs::remove(store.string() + end, none);
}

}  // namespace

MergedStores merge_stores(const std::vector<fs::path>& sources, const fs::path& target) {
  for (const fs::path& source : sources) {
    std::error_code none;
    if (!fs::exists(source, none))
      throw std::runtime_error(model::in_one_line(fmt::format("there is no store '{}' to merge", source.string())));
    checked_store(source);
  }
  std::error_code none;
  const bool made = !fs::exists(checked_store(target), none);
  const auto take_away = [&] {
    if (made) remove_files(target);
  };
  const model::WhenInterrupted interrupted(take_away);
  try {
    MergedStores merged;
    Database to(target);
    prepare_store(to, target);
    Transaction transaction(to);
    for (const fs::path& source : sources)
      if (!fs::equivalent(source, target, none)) merge_one(source, to, merged);
    merged.total = Statement(to, "SELECT count(*) FROM point").number().value_or(0);
    merged.contexts = Statement(to, "SELECT count(DISTINCT context) FROM point").number().value_or(0);
    transaction.commit();
    return merged;
  } catch (...) {
    take_away();
    throw;
  }
}

}  // namespace bitstrata::sim
