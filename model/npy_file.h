// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy files (versions 1 to 3), in C order and little endian.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace bitstrata::model {

// Elements as they are stored.
enum class StoredType { uint8, int8, int16, uint16, int32, int64, float32, float64 };

std::size_t width_of(StoredType type);  // bytes of an element

struct NumberArray {
  StoredType type = StoredType::uint8;
  std::vector<std::int64_t> dims;
  std::vector<std::uint8_t> bytes;  // of all elements, the last dimension fastest
};

// Throws std::runtime_error naming the file and what is wrong: no such file, a type or order that is not read, or data
// that are shorter or longer than the header says.
NumberArray read_npy(const std::filesystem::path& file);

double number(const NumberArray& array, std::size_t index);

// Labels from an array of [n] or [n][1] of any type. Throws std::runtime_error naming the first that is no whole number
// from 0 on.
std::vector<int> read_npy_labels(const std::filesystem::path& file);

// A whole file. Throws std::runtime_error where it cannot be read.
std::vector<std::uint8_t> read_bytes(const std::filesystem::path& file);

}  // namespace bitstrata::model
