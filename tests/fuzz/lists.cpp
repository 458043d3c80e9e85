// SPDX-License-Identifier: Apache-2.0
// Layer lists, and what they cost on a small array where that is soon known.
#include "model/layer_lists.h"
#include "sim/cost_model.h"
#include "tests/fuzz/reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bitstrata;
  static const model::Architecture architecture = model::load_architecture("pim-16x16");
  const auto file = testing::file_of("layers.csv", data, size);
  testing::must_read_or_refuse([&] {
    const model::LayerList list = model::load_layer_list(file);
    const model::IntegerNetwork shapes = model::integer_shapes(list, model::uniform_plan(list, 4, 4));
    if (list.total_macs() < 10000000) sim::FastCostModel(architecture).measure(shapes);
  });
  return 0;
}
