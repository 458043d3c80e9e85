// SPDX-License-Identifier: Apache-2.0
#include "model/block_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <utility>

namespace bitstrata::model {

BlockFile::BlockFile(const std::filesystem::path& file)
    : path_(file), descriptor_(open(file.c_str(), O_RDONLY | O_CLOEXEC)) {
  struct stat state {};
  if (descriptor_ < 0 || fstat(descriptor_, &state) != 0 || !S_ISREG(state.st_mode)) {
    if (descriptor_ >= 0) close(descriptor_);
    throw std::runtime_error(fmt::format("cannot read {}: missing or not a readable file", file.string()));
  }
  size_ = static_cast<std::uint64_t>(state.st_size);
}

BlockFile::~BlockFile() { close(descriptor_); }

void BlockFile::read(std::uint64_t offset, std::span<std::uint8_t> bytes) const {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t got = pread(descriptor_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw std::runtime_error(fmt::format("cannot read {}: it changed meanwhile", path_.string()));
    done += static_cast<std::size_t>(got);
  }
}

Weights::Source weights_in(std::shared_ptr<const BlockFile> file, std::uint64_t offset) {
  return [file = std::move(file), offset](std::size_t first, std::span<std::int16_t> block) {
    file->read(offset + first * sizeof(std::int16_t),
               {reinterpret_cast<std::uint8_t*>(block.data()), block.size_bytes()});
  };
}

}  // namespace bitstrata::model
