// SPDX-License-Identifier: Apache-2.0
// Labelled inputs to train and judge on: bytes of images, or values as a network's input node has them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/dataset.h"
#include "model/golden.h"
#include "model/samples.h"

namespace bitstrata::quant {

struct Examples {
  model::Shape shape;
  std::vector<std::uint8_t> bytes;  // [n][y][x][channel], worth byte / 255; or
  std::vector<float> values;        // the same as they are, where `bytes` is empty
  std::vector<int> labels;          // [n], 0 .. classes - 1
  std::vector<float> border = {};   // [channel] where there are values: what a black image has, for padded crops
  int count() const { return static_cast<int>(labels.size()); }
};

// `validation` steers training and searches; `test` is read once, when a run ends.
struct TrainingData {
  std::string name;
  int classes = 10;
  Examples train, validation, test;
};

Examples examples(const model::Images& images);
TrainingData training_data(const model::Dataset& dataset);

// `train` is split by the seed as a Dataset's training images are; `test` stays apart. Throws std::invalid_argument
// where a part or its labels are missing, the parts' samples differ in shape or type, or a value is not finite.
TrainingData training_data(const model::SampleSet& samples, std::uint64_t split_seed = 1);

// Throws std::invalid_argument naming the first class that has no training example: a network would never answer it.
void check_classes(const TrainingData& data);

// Example `index` as codes of the network's input tensor, as a host encodes it.
model::Codes encode(const model::TensorFormat& input, const Examples& examples, int index);

}  // namespace bitstrata::quant
