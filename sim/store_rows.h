// SPDX-License-Identifier: Apache-2.0
// Rows of the result store, read with distrust: the file is anybody's to change, and a number that cannot be must not
// reach a table.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "sim/store.h"
#include "sim/store_sqlite.h"

namespace bitstrata::sim {

// The finished points of a context for a network, in the order in which they were added; those that are done have a row
// of energy under each of `technologies` and no other. Throws std::runtime_error that names the first point that cannot
// be what was written.
std::vector<StoredPoint> read_points(Database& database, std::int64_t context, std::int64_t network,
                                     const std::set<std::string>& technologies);

}  // namespace bitstrata::sim
