// SPDX-License-Identifier: Apache-2.0
// The SQLite store of sweeps.
#include "sim/store.h"

#include "tests/fuzz/reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bitstrata;
  const auto file = testing::file_of("points.sqlite", data, size);
  // What an input before left beside the file belongs to that one.
  for (const char* end : {"-wal", "-shm", "-journal"}) std::filesystem::remove(file.string() + end);
  testing::must_read_or_refuse([&] {
    sim::PointStore store(file, {.version = "1", .commit = "1", .command = "fuzz", .technology_names = {"t", "u"}});
    store.points(1);
    store.foreign_points();
  });
  return 0;
}
