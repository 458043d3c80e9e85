// SPDX-License-Identifier: Apache-2.0
// The little of SQLite that the result store needs: a connection, prepared statements, transactions.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace bitstrata::sim {

// read: nothing in it is changed. inspect: nothing beside it is changed either, for a file without a log beside it,
// whose pages are not looked at.
enum class Access { write, read, inspect };

// Errors are std::runtime_error with the file's name and what to do.
class Database {
 public:
  // Opened or created. Another process that writes is waited for.
  explicit Database(const std::filesystem::path& file, Access access = Access::write);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void execute(const std::string& statements);
  std::int64_t last_row() const { return sqlite3_last_insert_rowid(handle_); }
  // Rows changed by the last statement.
  int changes() const { return sqlite3_changes(handle_); }
  [[noreturn]] void fail() const;
  sqlite3* handle() const { return handle_; }
  const std::string& file() const { return file_; }

 private:
  std::string file_;
  sqlite3* handle_ = nullptr;
};

// Prepared once, used again and again: bind what its question marks stand for, step, read the row.
class Statement {
 public:
  Statement(Database& database, const std::string& text);
  ~Statement() { sqlite3_finalize(handle_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Starts over with these values.
  template <typename... Values>
  Statement& with(const Values&... values) {
    sqlite3_reset(handle_);
    [[maybe_unused]] int place = 0;
    (bind(++place, values), ...);
    return *this;
  }
  // Binds what a column of another statement's row holds, as it is, to a question mark; they count from 1.
  void take(int place, const Statement& row, int column) {
    sqlite3_bind_value(handle_, place, sqlite3_column_value(row.handle_, column));
  }
  void take(int place, std::int64_t value) { bind(place, value); }
  // False at the end.
  bool step();
  // For statements that give no rows.
  void run();
  // The first number of the first row.
  std::optional<std::int64_t> number();
  // Lets go of what was read. A statement left in the middle of its rows holds an old state of the file, in which
  // nothing can be written.
  void reset() { sqlite3_reset(handle_); }

  std::int64_t integer(int column) const { return sqlite3_column_int64(handle_, column); }
  double real(int column) const { return sqlite3_column_double(handle_, column); }
  std::string text(int column) const;
  // SQLITE_INTEGER, SQLITE_FLOAT, SQLITE_TEXT, SQLITE_BLOB or SQLITE_NULL: of the value, whatever the column was made
  // for.
  int type(int column) const { return sqlite3_column_type(handle_, column); }

 private:
  void bind(int place, std::int64_t value);
  void bind(int place, int value) { bind(place, std::int64_t{value}); }
  void bind(int place, double value);
  void bind(int place, const std::string& value);
  void bind(int place, const char* value) { bind(place, std::string(value)); }
  template <typename T>
  void bind(int place, const std::optional<T>& value) {
    if (value) {
      bind(place, *value);
    } else {
      sqlite3_bind_null(handle_, place);
    }
  }
  Database& database_;
  sqlite3_stmt* handle_ = nullptr;
};

// All or nothing; rolled back unless committed. Takes the right to write at once, so that what it reads stays true
// until it has written.
class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) { database_.execute("BEGIN IMMEDIATE"); }
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace bitstrata::sim
