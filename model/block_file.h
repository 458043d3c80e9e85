// SPDX-License-Identifier: Apache-2.0
// A file that is read block by block wherever its reader likes, from several threads at once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "model/weights.h"

namespace bitstrata::model {

class BlockFile {
 public:
  // Throws std::runtime_error where it cannot be read or is no file.
  explicit BlockFile(const std::filesystem::path& file);
  ~BlockFile();
  BlockFile(const BlockFile&) = delete;
  BlockFile& operator=(const BlockFile&) = delete;

  std::uint64_t size() const { return size_; }
  // Throws std::runtime_error past the end, which moves where somebody cuts the file meanwhile.
  void read(std::uint64_t offset, std::span<std::uint8_t> bytes) const;

 private:
  std::filesystem::path path_;
  int descriptor_;
  std::uint64_t size_ = 0;
};

// `count` weights of two bytes each from `offset` on. The file stays open, so that another one of its name is no harm.
Weights::Source weights_in(std::shared_ptr<const BlockFile> file, std::uint64_t offset);

}  // namespace bitstrata::model
