// SPDX-License-Identifier: Apache-2.0
#include "quant/training_data.h"

#include "model/float_network.h"

namespace bitstrata::quant {

Examples examples(const model::Images& images) {
  return {images.shape, images.pixels, {}, {images.labels.begin(), images.labels.end()}};
}

TrainingData training_data(const model::Dataset& dataset) {
  return {dataset.name, dataset.classes, examples(dataset.train), examples(dataset.validation), examples(dataset.test)};
}

model::Codes encode(const model::TensorFormat& input, const Examples& examples, int index) {
  const auto each = static_cast<std::size_t>(examples.shape.elements());
  const std::size_t first = static_cast<std::size_t>(index) * each;
  if (!examples.bytes.empty()) return model::encode_image(input, std::span(examples.bytes).subspan(first, each));
  const model::Grid grid{.bits = input.bits,
                         .coding = input.coding,
                         .zero_point = input.zero_point,
                         .scale = input.scale,
                         .rounding = model::Rounding::half_even_step};
  return model::encode(grid, std::span(examples.values).subspan(first, each));
}

}  // namespace bitstrata::quant
