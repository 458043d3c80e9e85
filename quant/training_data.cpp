// SPDX-License-Identifier: Apache-2.0
#include "quant/training_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace bitstrata::quant {

namespace {

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
  throw std::invalid_argument(fmt::format("data set '{}': {}", name, why));
}

Examples examples(const std::string& name, const char* part, const model::Samples& samples,
                  const std::vector<int>& indices) {
  Examples result{samples.shape(), {}, {}, {}};
  const std::size_t size = indices.size() * static_cast<std::size_t>(result.shape.elements());
  const bool bytes = samples.byte_pixels();
  if (bytes)
    result.bytes.reserve(size);
  else
    result.values.reserve(size), result.border = samples.zero();
  for (const int index : indices) {
    result.labels.push_back(samples.label(index));
    if (bytes) {
      const std::vector<std::uint8_t> pixels = samples.pixels(index);
      result.bytes.insert(result.bytes.end(), pixels.begin(), pixels.end());
      continue;
    }
    const model::Reals values = samples.values(index);
    if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); }))
      refuse(name, fmt::format("{} sample {} (counted from 0) has a value that is no finite number", part, index));
    result.values.insert(result.values.end(), values.begin(), values.end());
  }
  return result;
}

}  // namespace

Examples examples(const model::Images& images) {
  return {images.shape, images.pixels, {}, {images.labels.begin(), images.labels.end()}};
}

TrainingData training_data(const model::Dataset& dataset) {
  return {dataset.name, dataset.classes, examples(dataset.train), examples(dataset.validation), examples(dataset.test)};
}

TrainingData training_data(const model::SampleSet& samples, std::uint64_t split_seed) {
  if (!samples.train) refuse(samples.name, "has no 'train' part; training needs one, and 'test' beside it");
  if (!samples.test) refuse(samples.name, "has no 'test' part, whose samples a trained network answers at the end");
  const model::Samples &train = *samples.train, &test = *samples.test;
  for (const model::Samples* part : {&train, &test})
    if (!part->labelled())
      refuse(samples.name, fmt::format("the {} samples have no labels", part == &train ? "training" : "test"));
  if (train.shape() != test.shape()) refuse(samples.name, "training and test samples differ in size");
  if (train.byte_pixels() != test.byte_pixels())
    refuse(samples.name, "training and test samples are stored as numbers of different types");
  const model::Split parts = model::split(train.count(), split_seed);
  std::vector<int> all(static_cast<std::size_t>(test.count()));
  std::iota(all.begin(), all.end(), 0);
  return {samples.name, samples.classes, examples(samples.name, "training", train, parts.train),
          examples(samples.name, "training", train, parts.validation), examples(samples.name, "test", test, all)};
}

void check_classes(const TrainingData& data) {
  std::vector<int> seen = data.train.labels;
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  int missing = 0;
  for (const int label : seen)
    if (label == missing) ++missing;
  if (missing < data.classes) {
    refuse(data.name, fmt::format("class {} of 0..{} has no training example ({} in all, {} more set aside for "
                                  "validation)",
                                  missing, data.classes - 1, data.train.count(), data.validation.count()));
  }
}

model::Codes encode(const model::TensorFormat& input, const Examples& examples, int index) {
  const auto each = static_cast<std::size_t>(examples.shape.elements());
  const std::size_t first = static_cast<std::size_t>(index) * each;
  if (examples.bytes.empty()) return model::encode_values(input, std::span(examples.values).subspan(first, each));
  const auto pixels = std::span(examples.bytes).subspan(first, each);
  if (model::takes_pixels(input)) return model::encode_image(input, pixels);
  std::vector<float> values;
  for (const std::uint8_t pixel : pixels) values.push_back(static_cast<float>(pixel) / 255);
  return model::encode_values(input, values);
}

}  // namespace bitstrata::quant
