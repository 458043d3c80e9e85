// SPDX-License-Identifier: Apache-2.0
#include "sim/store_sqlite.h"

#include <fmt/format.h>

#include <stdexcept>

namespace bitstrata::sim {

namespace {
constexpr int patience_ms = 60000;  // for another process that writes
}

Database::Database(const std::filesystem::path& file) : file_(file.string()) {
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(file_.c_str(), &handle_, flags, nullptr) != SQLITE_OK) {
    const std::string reason = handle_ != nullptr ? sqlite3_errmsg(handle_) : "no memory";
    sqlite3_close(handle_);
    throw std::runtime_error(fmt::format("cannot open the store '{}': {}", file_, reason));
  }
  sqlite3_busy_timeout(handle_, patience_ms);
}

Database::~Database() { sqlite3_close(handle_); }

void Database::fail(const std::string& what) const {
  throw std::runtime_error(fmt::format("store '{}': {}: {}", file_, what, sqlite3_errmsg(handle_)));
}

void Database::execute(const std::string& statements) {
  if (sqlite3_exec(handle_, statements.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    fail(statements.size() > 60 ? statements.substr(0, 60) + "..." : statements);
  }
}

Statement::Statement(Database& database, const std::string& text) : database_(database) {
  if (sqlite3_prepare_v2(database.handle(), text.c_str(), -1, &handle_, nullptr) != SQLITE_OK) database.fail(text);
}

bool Statement::step() {
  const int result = sqlite3_step(handle_);
  if (result == SQLITE_ROW) return true;
  if (result != SQLITE_DONE) {
    sqlite3_reset(handle_);
    database_.fail("a statement failed");
  }
  sqlite3_reset(handle_);
  return false;
}

void Statement::run() {
  while (step()) {
  }
}

std::optional<std::int64_t> Statement::number() {
  if (!step()) return std::nullopt;
  const std::int64_t value = integer(0);
  reset();
  return value;
}

std::string Statement::text(int column) const {
  const auto* bytes = sqlite3_column_text(handle_, column);
  return bytes == nullptr ? std::string{} : std::string(reinterpret_cast<const char*>(bytes));
}

void Statement::bind(int place, std::int64_t value) { sqlite3_bind_int64(handle_, place, value); }
void Statement::bind(int place, double value) { sqlite3_bind_double(handle_, place, value); }
void Statement::bind(int place, const std::string& value) {
  sqlite3_bind_text(handle_, place, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT);
}

Transaction::~Transaction() {
  if (open_) sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace bitstrata::sim
