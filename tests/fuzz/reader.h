// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets share: bytes become a file, and a reader may refuse it in one line, no more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <typeinfo>

#include "tests/model/temporary.h"

namespace bitstrata::testing {

// Ends the process, as the sanitizers do, where `read` throws anything but std::runtime_error or std::invalid_argument
// with one line of its own words.
template <typename Read>
void must_read_or_refuse(Read read) {
  std::string text, kind;
  try {
    read();
    return;
  } catch (const std::runtime_error& error) {
    text = error.what();
  } catch (const std::invalid_argument& error) {
    text = error.what();
  } catch (const std::exception& error) {
    text = error.what(), kind = typeid(error).name();
  }
  if (kind.empty() && !text.empty() && text.find('\n') == std::string::npos) return;
  std::fprintf(stderr, "a refusal that is not one line of ours: %s %s\n", kind.c_str(), text.c_str());
  std::abort();
}

// Names a file of this process that holds `bytes`.
inline std::filesystem::path file_of(const std::string& name, const std::uint8_t* bytes, std::size_t size) {
  static const TemporaryFolder folder;
  return folder.write(name, std::string(reinterpret_cast<const char*>(bytes), size));
}

}  // namespace bitstrata::testing
