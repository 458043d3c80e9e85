// SPDX-License-Identifier: Apache-2.0
// Files of many samples, as they are stored.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "model/network.h"
#include "model/npy_file.h"

namespace bitstrata::model {

// What one file holds, or several one after another.
struct StoredSamples {
  Shape shape;  // of a sample
  StoredType type = StoredType::uint8;
  std::vector<std::uint8_t> bytes;
  std::vector<int> labels;

  std::size_t bytes_each() const { return static_cast<std::size_t>(shape.elements()) * width_of(type); }
  std::size_t count() const { return bytes.size() / bytes_each(); }
};

// CIFAR-10 (`hundred`: CIFAR-100) as its authors distribute it in binary: records of a label, or of a coarse and a fine
// one, of which the fine one is kept, and 1,024 bytes each of red, green and blue, row by row
// (https://www.cs.toronto.edu/~kriz/cifar.html). Throws std::runtime_error naming the file that is no whole number of
// records, or holds coarse labels that there are not. Fine labels are as they stand.
StoredSamples read_cifar(const std::filesystem::path& file, bool hundred);

// Samples without labels from an array of [n][values], [n][height][width] or [n][height][width][channels]
// (`channels_first`: [n][channels][height][width]). Throws std::runtime_error naming the file and what is wrong.
StoredSamples read_npy_samples(const std::filesystem::path& file, bool channels_first);

// Throws std::runtime_error naming the file, and the first of its samples, that holds what is no number or beyond
// 32-bit floats.
void check_values(const std::filesystem::path& file, const StoredSamples& samples);

}  // namespace bitstrata::model
