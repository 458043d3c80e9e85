// SPDX-License-Identifier: Apache-2.0
// Inputs of a network with their labels, as a dataset.yaml describes them:
//
// clang-format off
//   format: bitstrata-dataset-1
//   name: keywords
//   kind: raw                 # raw, npy, cifar10, cifar100 (their binary files), idx (MNIST's files), folder (of images)
//   type: int8                # raw: uint8, int8 or float32
//   shape: [49, 10, 1]        # raw: height, width, channels
//   classes: 12               # raw, npy, idx: labels are below it; default: the largest label + 1
//   layout: nhwc              # raw, npy: how the file orders them: nhwc or nchw. Default: nhwc, unless all sides are equal
//   flat_order: nchw          # how a network that reads a flat vector gets a sample; default: nchw, which a note tells
//   channel_order: rgb        # as the network wants them; bgr turns them round
//   resize: [96, 96]          # bilinear, to this height and width
//   scale: 0.0039215686       # value = (scale * stored - mean) / std; one number or one a channel
//   mean: [0.485, 0.456, 0.406]
//   std: [0.229, 0.224, 0.225]
//   test: {images: test.bin, labels: labels.bin}   # relative to this file; labels: bytes, or .npy of any type
//   train: {images: [one.bin, two.bin], labels: [l1.bin, l2.bin], first: 0, count: 1000}   # a list is read in order
//
// Kind folder reads PNG and JPEG files (model/image_file.h) in a subfolder for each class (model/image_folder.h):
//
//   kind: folder
//   classes: [cat, dog]       # subfolders in the order of their labels; default: all, in the byte order of their names
//   channels: 3               # 3, or 1 for grey images; default: 3
//   train: {images: train}
//   test: {images: test}
// clang-format on
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/float_network.h"
#include "model/npy_file.h"

namespace bitstrata::model {

struct Preparation {
  bool channels_first = false;
  bool told = false;                            // the data set's description says so; else the kind of file does
  ChannelOrder flat_order = ChannelOrder::any;  // any: not said
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
  Reals values(int index) const;      // prepared, NHWC
  ChannelOrder stored_order() const;  // any: the kind of file orders them, or they were resized
  ChannelOrder flat_order() const { return preparation_.flat_order; }
  Reals zero() const;  // [channel]: what a stored 0 becomes; the border of a black image
  // Are the values pixel / 255 of stored bytes, as those of Images are? Then `pixels` has the bytes, NHWC.
  bool byte_pixels() const;
  std::vector<std::uint8_t> pixels(int index) const;
  std::span<const std::uint8_t> bytes(int first, int count) const;

 private:
  std::size_t place(std::size_t index) const;  // where value `index` of an NHWC sample is stored
  void check_index(int index) const;

  Shape stored_;
  StoredType type_;
  std::vector<std::uint8_t> bytes_;
  std::vector<int> labels_;
  Preparation preparation_;
  int count_ = 0;
};

struct SampleSet {
  std::string name;
  int classes = 0;            // labels are 0 .. classes - 1; 0: there are none
  bool classes_told = false;  // by the kind, the key 'classes' or subfolders, and not by the labels that were read
  std::optional<Samples> train, test;
};

constexpr int all_samples = std::numeric_limits<int>::max();

// `name`: a dataset.yaml; or "fashion-mnist" or a folder of IDX files, whose pixels become pixel / 255. Keeps the first
// `most_train` and `most_test` samples (0: none of the part; images of kind folder that are not kept are not opened);
// all training samples where there are no test samples. Throws std::runtime_error naming the file that is missing,
// damaged or contradicts its description.
SampleSet load_samples(const std::string& name, int most_train = all_samples, int most_test = all_samples);

// Does `name` mean a dataset.yaml (which need not exist)?
bool names_description(const std::string& name);

// Bilinear, pixel centres on pixel centres, [y][x][channel].
Reals resized(const Reals& from, Shape old, int height, int width);

// The sample as the network's input reads it: as it is where the shapes agree; where the network reads a flat vector of
// as many elements, in `flat_order`, or else in the order channel, row, column that exporters flatten in; where it
// reads one row or column of pixels, a sample of one channel whose two sides are those of the file's input. Throws
// std::invalid_argument otherwise, and where all sides are equal but the file's input has its channels elsewhere than
// the data set says: nothing but the order tells them apart then.
Reals fit(const Samples& samples, int index, const FloatNetwork& network);
// Does fit() choose an order that nobody has told?
bool guesses_flat_order(const Samples& samples, const FloatNetwork& network);

}  // namespace bitstrata::model
