// SPDX-License-Identifier: Apache-2.0
#include "sim/cached_file.h"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include "model/digest.h"
#include "model/output_file.h"

namespace bitstrata::sim {

namespace fs = std::filesystem;

namespace {

fs::path digest_file(const fs::path& file) { return file.string() + ".sha1"; }

std::string content_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

}  // namespace

void keep_in_cache(const fs::path& made, const fs::path& file) {
  const std::string content = content_of(made);
  if (content.empty()) throw std::runtime_error(fmt::format("cannot read {}", made.string()));
  // The digest first: a file whose digest is missing is made again, which two processes may do at the same time.
  model::write_whole(digest_file(file), model::digest_of(content));
  model::write_whole(file, content);
}

bool is_cached(const fs::path& file) {
  std::error_code missing;
  if (!fs::exists(file, missing)) return false;
  try {
    if (model::digest_of_file(file) == content_of(digest_file(file))) return true;
  } catch (const std::runtime_error&) {  // it cannot be read, which making it again may mend
  }
  return false;
}

void tell_of_damage(const fs::path& file) {
  std::error_code missing;
  if (!fs::exists(file, missing)) return;
  std::fputs(fmt::format("{} in the cache is damaged or incomplete: it is made again\n", file.string()).c_str(),
             stderr);
}

}  // namespace bitstrata::sim
