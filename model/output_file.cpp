// SPDX-License-Identifier: Apache-2.0
#include "model/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

#include "model/interrupt.h"

namespace bitstrata::model {

namespace fs = std::filesystem;

namespace {

using Parts = std::initializer_list<std::string_view>;

// 0, or the errno of what failed.
int write_to(const fs::path& file, Parts parts, int flags) {
  const int descriptor = open(file.c_str(), O_WRONLY | O_CLOEXEC | flags, 0666);
  if (descriptor < 0) return errno;
  int failed = 0;
  for (std::string_view part : parts) {
    while (!part.empty() && failed == 0) {
      const ssize_t written = write(descriptor, part.data(), part.size());
      if (written >= 0) {
        part.remove_prefix(static_cast<std::size_t>(written));
      } else if (errno != EINTR) {
        failed = errno;
      }
    }
  }
  if (close(descriptor) != 0 && failed == 0) failed = errno;  // network drives tell of a full disk here
  return failed;
}

bool is_device(const fs::path& file) {
  std::error_code none;
  const fs::file_status status = fs::status(file, none);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

// A link stays a link: what it points at is replaced.
fs::path behind_links(const fs::path& file) {
  std::error_code none;
  const fs::path target = fs::is_symlink(file, none) ? fs::canonical(file, none) : fs::path();
  return target.empty() ? file : target;
}

fs::path beside(const fs::path& file) {
  return file.parent_path() / fmt::format(".{}.{}", file.filename().string(), getpid());
}

[[noreturn]] void fail(const fs::path& file, int reason) {
  throw std::runtime_error(fmt::format("cannot write {}: {}", file.string(), std::strerror(reason)));
}

// 0, or the errno of why `target` cannot be replaced: renaming would not ask for the permission to write it.
int why_not_replaced(const fs::path& target) {
  if (fs::is_directory(target)) return EISDIR;
  return access(target.c_str(), W_OK) != 0 && errno != ENOENT ? errno : 0;
}

void keep_permissions(const fs::path& from, const fs::path& to) {
  std::error_code ignored;
  if (const fs::file_status status = fs::status(from, ignored); fs::is_regular_file(status))
    fs::permissions(to, status.permissions(), ignored);
}

}  // namespace

OutputFile::OutputFile(const fs::path& file, Parts parts)
    : file_(file),
      target_(is_device(file) ? fs::path() : behind_links(file)),
      partial_(target_.empty() ? fs::path() : beside(target_)),
      interrupted_([partial = partial_] { unlink(partial.c_str()); }) {
  if (target_.empty()) {
    if (const int failed = write_to(file, parts, 0)) fail(file, failed);
    return;
  }
  if (const int failed = why_not_replaced(target_)) fail(file, failed);
  if (const int failed = write_to(partial_, parts, O_CREAT | O_TRUNC)) {
    unlink(partial_.c_str());
    fail(file, failed);
  }
  keep_permissions(target_, partial_);
}

OutputFile::~OutputFile() {
  if (!partial_.empty()) unlink(partial_.c_str());
}

void OutputFile::publish() {
  if (partial_.empty()) return;
  if (rename(partial_.c_str(), target_.c_str()) != 0) fail(file_, errno);
  partial_.clear();
}

void write_whole(const fs::path& file, std::string_view text) { write_whole(file, {text}); }
void write_whole(const fs::path& file, Parts parts) { OutputFile(file, parts).publish(); }

void check_writable(const fs::path& file) {
  if (is_device(file)) {
    if (access(file.c_str(), W_OK) != 0) fail(file, errno);
    return;
  }
  std::error_code failed;
  if (file.has_parent_path()) fs::create_directories(file.parent_path(), failed);
  if (failed) fail(file, failed.value());
  const fs::path target = behind_links(file), partial = beside(target);
  if (const int reason = why_not_replaced(target)) fail(file, reason);
  const int reason = write_to(partial, {"x"}, O_CREAT | O_TRUNC);
  unlink(partial.c_str());
  if (reason != 0) fail(file, reason);
}

}  // namespace bitstrata::model
