// SPDX-License-Identifier: Apache-2.0
// Liberty files of standard cells.
#include "sim/gates/liberty.h"

#include "tests/fuzz/reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bitstrata;
  const auto file = testing::file_of("cells.lib", data, size);
  testing::must_read_or_refuse([&] { sim::gates::read_liberty(file); });
  return 0;
}
