// SPDX-License-Identifier: Apache-2.0
#include "cli/npy.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

namespace bitstrata::cli {

namespace {

static_assert(std::endian::native == std::endian::little, "npy files are written as memory has them");

template <typename T>
std::string npy_bytes(std::span<const T> values, const std::vector<std::size_t>& shape, const char* type) {
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({},), }}", type, fmt::join(shape, ", "));
  // Magic, version and length take ten bytes; the data begin at a multiple of 64.
  header.append(64 - (10 + header.size() + 1) % 64, ' ');
  header.push_back('\n');
  std::string bytes = "\x93NUMPY\x01";
  bytes.push_back('\0');
  bytes.push_back(static_cast<char>(header.size() & 0xff));
  bytes.push_back(static_cast<char>(header.size() >> 8));
  bytes += header;
  const std::size_t begin = bytes.size();
  bytes.resize(begin + values.size_bytes());
  std::memcpy(bytes.data() + begin, values.data(), values.size_bytes());
  return bytes;
}

}  // namespace

std::string npy(std::span<const std::int32_t> values, const std::vector<std::size_t>& shape) {
  return npy_bytes(values, shape, "<i4");
}
std::string npy(std::span<const std::int64_t> values, const std::vector<std::size_t>& shape) {
  return npy_bytes(values, shape, "<i8");
}
std::string npy(std::span<const float> values, const std::vector<std::size_t>& shape) {
  return npy_bytes(values, shape, "<f4");
}
std::string npy(std::span<const double> values, const std::vector<std::size_t>& shape) {
  return npy_bytes(values, shape, "<f8");
}

}  // namespace bitstrata::cli
