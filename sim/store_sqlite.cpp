// SPDX-License-Identifier: Apache-2.0
#include "sim/store_sqlite.h"

#include <fmt/format.h>

#include <stdexcept>

#include "model/yaml_reader.h"
#include "sim/store.h"

namespace bitstrata::sim {

namespace {
constexpr int patience_ms = 60000;  // for another process that writes

// SQLite's own texts speak of images and statements; these say what to do.
std::string reason_of(int code) {
  switch (code & 0xff) {
    case SQLITE_NOTADB:
      return "it is no SQLite database; name another file";
    case SQLITE_CORRUPT:
      return "it is damaged; move it away and measure again";
    case SQLITE_FULL:
      return "the disk is full; finished points are kept, the same command goes on";
    case SQLITE_IOERR:
      return "the disk reports an error; finished points are kept, the same command goes on";
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return "it may not be written; it needs a file and a folder with write permission";
    case SQLITE_CANTOPEN:
      return "the folder is missing or may not be written, or a folder has that name";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fmt::format("another program has been writing into it for {} s", patience_ms / 1000);
    default:
      return sqlite3_errstr(code);
  }
}

std::string immutable_uri(const std::filesystem::path& file) {
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(file).string()) {
    const bool special = c == '%' || c == '?' || c == '#';  // a URI's own
    uri += special ? fmt::format("%{:02x}", c) : std::string(1, c);
  }
  return uri + "?immutable=1";
}
}  // namespace

Database::Database(const std::filesystem::path& file, Access access) : file_(file.string()) {
  // An immutable database is read without locks, log and shared memory: nothing appears beside it.
  const bool inspect = access == Access::inspect;
  const int flags = inspect                  ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX
                    : access == Access::read ? SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX
                                             : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  // Builds of SQLite may take any relative name that begins with "file:" for a URI, which may say to keep nothing.
  const std::string name = inspect ? immutable_uri(file) : std::filesystem::absolute(file).string();
  if (sqlite3_open_v2(name.c_str(), &handle_, flags, nullptr) != SQLITE_OK) {
    const int code = handle_ != nullptr ? sqlite3_errcode(handle_) : SQLITE_NOMEM;
    sqlite3_close(handle_);
    throw std::runtime_error(fmt::format("cannot open the store '{}': {}", file_, reason_of(code)));
  }
  sqlite3_busy_timeout(handle_, patience_ms);
}

Database::~Database() { sqlite3_close(handle_); }

void Database::fail() const {
  const int code = sqlite3_errcode(handle_);
  // The statements are right for the tables as they were made.
  const bool changed = (code & 0xff) == SQLITE_ERROR || (code & 0xff) == SQLITE_CONSTRAINT;
  if (changed)
    tell_of_damaged_store(file_, fmt::format("its tables are not those of a store ({})", sqlite3_errmsg(handle_)));
  throw std::runtime_error(model::in_one_line(fmt::format("store '{}': {}", file_, reason_of(code))));
}

void Database::execute(const std::string& statements) {
  if (sqlite3_exec(handle_, statements.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail();
}

Statement::Statement(Database& database, const std::string& text) : database_(database) {
  if (sqlite3_prepare_v2(database.handle(), text.c_str(), -1, &handle_, nullptr) != SQLITE_OK) database.fail();
}

bool Statement::step() {
  const int result = sqlite3_step(handle_);
  if (result == SQLITE_ROW) return true;
  if (result != SQLITE_DONE) {
    sqlite3_reset(handle_);
    database_.fail();
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
