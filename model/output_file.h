// SPDX-License-Identifier: Apache-2.0
// Files that people asked for: written whole or not at all, and tried before the work whose result they are to hold.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <string_view>

#include "model/interrupt.h"

namespace bitstrata::model {

// A file that has all of its content but not yet its name: for several files that belong together.
class OutputFile {
 public:
  // Writes the parts, one behind the other, beside `file`. Devices and pipes are written straight.
  OutputFile(const std::filesystem::path& file, std::initializer_list<std::string_view> parts);
  ~OutputFile();  // without publish() nothing is left, nor when the program is interrupted
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  void publish();

 private:
  std::filesystem::path file_, target_, partial_;  // the latter empty where nothing is to be renamed
  WhenInterrupted interrupted_;
};

// Replaces `file` by `text`; a file that is there stays as it is until all of the new one is on the disk. Devices and
// pipes are written straight. Throws std::runtime_error with the file's name and the system's reason.
void write_whole(const std::filesystem::path& file, std::string_view text);
// The file is the parts, one behind the other.
void write_whole(const std::filesystem::path& file, std::initializer_list<std::string_view> parts);

// Throws std::runtime_error where `write_whole` would fail for want of a folder, of permission or of space for a byte:
// nothing is left behind, except missing folders above the file, which are made.
void check_writable(const std::filesystem::path& file);

}  // namespace bitstrata::model
