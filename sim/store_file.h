// SPDX-License-Identifier: Apache-2.0
// A store as a file: what is somebody else's is refused before anything in it is changed.
#pragma once

#include <filesystem>

#include "sim/store_sqlite.h"

namespace bitstrata::sim {

// `file`, which may not be there yet. Throws std::invalid_argument where it keeps nothing (a device, no name) and
// std::runtime_error where it is no store; its journal mode and the files beside it stay as they are then.
const std::filesystem::path& checked_store(const std::filesystem::path& file);

// Makes the tables of a new file, or checks that an old one is ours.
Database& prepare_store(Database& database, const std::filesystem::path& file);

// Throws std::runtime_error where the database is no store of this version's format.
void check_format(Database& database, const std::filesystem::path& file);

// False of a file that was opened and got nothing yet.
bool has_tables(Database& database);

}  // namespace bitstrata::sim
