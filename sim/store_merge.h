// SPDX-License-Identifier: Apache-2.0
// Joins result stores that were filled apart, on other machines say, into one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace bitstrata::sim {

struct MergedStores {
  std::int64_t points = 0;    // in the sources
  std::int64_t added = 0;     // of them, which the target did not have
  std::int64_t total = 0;     // in the target, when all is done
  std::int64_t contexts = 0;  // versions, engines and price lists that the target's points are of; each has its own
};

// Adds what the sources hold to `target`, which is made where it is missing, in one transaction: an error leaves it as
// it was. A source that is the target is passed over. Throws std::runtime_error, with the file's name, where a source
// is missing, no store, damaged, or says other numbers of a point than another.
MergedStores merge_stores(const std::vector<std::filesystem::path>& sources, const std::filesystem::path& target);

}  // namespace bitstrata::sim
