// SPDX-License-Identifier: Apache-2.0
// The files that people write by hand; the first byte says which of them.
#include "model/architecture.h"
#include "model/plan.h"
#include "model/samples.h"
#include "model/technology.h"
#include "sim/sweep.h"
#include "tests/fuzz/reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bitstrata;
  if (size == 0) return 0;
  const auto file = testing::file_of("file.yaml", data + 1, size - 1);
  testing::must_read_or_refuse([&] {
    switch (data[0]) {
      case 'a':
        model::validate(model::load_architecture(file.string()));
        break;
      case 't':
        model::load_technology(file.string());
        break;
      case 'p':
        model::load_plan(file);
        break;
      case 'd':
        model::load_samples(file.string());
        break;
      default:
        sim::load_sweep(file);
        break;
    }
  });
  return 0;
}
