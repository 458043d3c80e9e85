// SPDX-License-Identifier: Apache-2.0
// Integer networks, as run folders hold them (safetensors).
#include "model/integer_network.h"
#include "tests/fuzz/reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bitstrata;
  const auto file = testing::file_of("network.safetensors", data, size);
  testing::must_read_or_refuse([&] { model::load_integer_network(file); });
  return 0;
}
