// SPDX-License-Identifier: Apache-2.0
// Inputs of a user's own network with their labels, as a dataset.yaml describes them:
//
//   format: bitstrata-dataset-1
//   name: keywords
//   kind: raw                 # raw, npy, cifar10, cifar100 (their binary files), idx (MNIST's files)
//   type: int8                # raw: uint8, int8 or float32
//   shape: [49, 10, 1]        # raw: height, width, channels
//   layout: nhwc              # raw, npy: how the file orders them: nhwc or nchw
//   channel_order: rgb        # as the network wants them; bgr turns them round
//   resize: [96, 96]          # bilinear, to this height and width
//   scale: 0.0039215686       # value = (scale * stored - mean) / std; one number or one a channel
//   mean: [0.485, 0.456, 0.406]
//   std: [0.229, 0.224, 0.225]
//   test: {images: test.bin, labels: labels.bin}   # relative to this file; idx and cifar: one or two names
//   train: {images: train.bin, labels: trainlabels.bin, first: 0, count: 1000}   # for calibration
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "model/float_network.h"

namespace bitstrata::model {

// Elements as they are stored; values are made one sample at a time.
enum class StoredType { uint8, int8, int16, uint16, int32, int64, float32, float64 };

struct Preparation {
  bool channels_first = false;
  bool reverse_channels = false;
  int resize_height = 0, resize_width = 0;  // 0: as stored
  double scale = 1;
  std::vector<double> mean, deviation;  // one entry, or one a channel
};

class Samples {
 public:
  Samples(Shape stored, StoredType type, std::vector<std::uint8_t> bytes, std::vector<int> labels,
          Preparation preparation);

  Shape shape() const;  // of a prepared sample
  int count() const { return count_; }
  bool labelled() const { return !labels_.empty(); }
  int label(int index) const { return labels_.at(static_cast<std::size_t>(index)); }
  Reals values(int index) const;  // prepared, NHWC
  std::span<const std::uint8_t> bytes(int first, int count) const;

 private:
  Shape stored_;
  StoredType type_;
  std::vector<std::uint8_t> bytes_;
  std::vector<int> labels_;
  Preparation preparation_;
  int count_ = 0;
};

struct SampleSet {
  std::string name;
  std::optional<Samples> train, test;
};

// `name`: a dataset.yaml; or "fashion-mnist" or a folder of IDX files, whose pixels become pixel / 255. Throws
// std::runtime_error naming the file that is missing, damaged or contradicts its description.
SampleSet load_samples(const std::string& name);

// The sample as `input` reads it: as it is where the shapes agree; where the network reads a flat vector of as many
// elements, in the order channel, row, column that exporters flatten in. Throws std::invalid_argument otherwise.
Reals fit(const Samples& samples, int index, Shape input);

}  // namespace bitstrata::model
