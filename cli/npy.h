// SPDX-License-Identifier: Apache-2.0
// Arrays in NumPy's file format (version 1.0, little endian, C order).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bitstrata::cli {

// The file's bytes: a header and the values, of which there are as many as the product of `shape`.
std::string npy(std::span<const std::int32_t> values, const std::vector<std::size_t>& shape);
std::string npy(std::span<const std::int64_t> values, const std::vector<std::size_t>& shape);
std::string npy(std::span<const float> values, const std::vector<std::size_t>& shape);
std::string npy(std::span<const double> values, const std::vector<std::size_t>& shape);

}  // namespace bitstrata::cli
