// SPDX-License-Identifier: Apache-2.0
// Labelled images for training, evaluation and verification.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "model/network.h"

namespace bitstrata::model {

// Pixels 0..255 in NHWC.
struct Images {
  Shape shape;
  std::vector<std::uint8_t> pixels;
  std::vector<std::uint8_t> labels;
  int count() const { return static_cast<int>(labels.size()); }
  std::span<const std::uint8_t> image(int index) const;
};

// Indices of a training part, each in one of the two lists, in rising order.
struct Split {
  std::vector<int> train, validation;
};

// One in 12 of `count` is set aside for validation, drawn by the seed, the same on every machine.
Split split(int count, std::uint64_t seed);

// `train` and `validation` are a seeded, fixed split of the data set's training images (Fashion-MNIST: 55,000 / 5,000).
struct Dataset {
  std::string name;
  int classes = 10;
  Images train, validation, test;
};

// `name`: "fashion-mnist" (Debian package dataset-fashion-mnist; or the folder in BITSTRATA_FASHION_MNIST), or a folder
// of IDX files (train-images-idx3-ubyte[.gz] and so on). Throws std::runtime_error naming the file that is missing or
// damaged and how to get it.
Dataset load_dataset(const std::string& name, std::uint64_t split_seed = 1);

// The first `most` test images of such a data set, without its training images.
Images load_test_images(const std::string& name, int most);

// IDX, plain or gzipped, unsigned bytes. Checks magic, dimensions and length. Keeps the first `most` images.
Images read_idx(const std::filesystem::path& images, const std::filesystem::path& labels,
                int most = std::numeric_limits<int>::max());

}  // namespace bitstrata::model
