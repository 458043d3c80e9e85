// SPDX-License-Identifier: Apache-2.0
// Files that somebody names: read to their end, so they must have one.
#pragma once

#include <filesystem>

namespace bitstrata::model {

// Throws std::runtime_error where `file` is a device: /dev/zero has no end. Pipes may be read, and what is missing is
// for whoever opens it to tell.
void refuse_device(const std::filesystem::path& file);

}  // namespace bitstrata::model
