// SPDX-License-Identifier: Apache-2.0
#include "model/input_file.h"

#include <fmt/format.h>

#include <stdexcept>

namespace bitstrata::model {

namespace fs = std::filesystem;

void refuse_device(const fs::path& file) {
  std::error_code missing;
  const fs::file_status status = fs::status(file, missing);
  if (!fs::is_character_file(status) && !fs::is_block_file(status)) return;
  throw std::runtime_error(fmt::format("cannot read {}: it is a device; name a file or a pipe", file.string()));
}

}  // namespace bitstrata::model
