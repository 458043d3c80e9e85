// SPDX-License-Identifier: Apache-2.0
// Files of the cache that took minutes to make: kept with the digest of their content, so that one which a full disk, a
// crash or another program damaged is made again instead of failing at every start.
#pragma once

#include <filesystem>

namespace bitstrata::sim {

// Moves `made` to `file`, also from another file system, with its digest beside it. Throws std::runtime_error.
void keep_in_cache(const std::filesystem::path& made, const std::filesystem::path& file);

// Whether `file` is there and as it was kept.
bool is_cached(const std::filesystem::path& file);
// One line on stderr where a file is there that `is_cached` is false for, as making it again takes time.
void tell_of_damage(const std::filesystem::path& file);

}  // namespace bitstrata::sim
