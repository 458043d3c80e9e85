// SPDX-License-Identifier: Apache-2.0
#include "model/npy_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>
#include <stdexcept>

#include "model/input_file.h"
#include "model/yaml_reader.h"

namespace bitstrata::model {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const fs::path& file, const std::string& why) {
  throw std::runtime_error(in_one_line(fmt::format("{}: {}", file.string(), why)));
}

StoredType type_of_npy(const fs::path& file, const std::string& name) {
  const std::vector<std::pair<const char*, StoredType>> known = {
      {"|u1", StoredType::uint8},   {"|i1", StoredType::int8},   {"<i2", StoredType::int16},
      {"<u2", StoredType::uint16},  {"<i4", StoredType::int32},  {"<i8", StoredType::int64},
      {"<f4", StoredType::float32}, {"<f8", StoredType::float64}};
  for (const auto& [text, type] : known)
    if (name == text) return type;
  refuse(file,
         fmt::format("holds numbers of type '{}'; read are whole numbers of 8 to 64 bits (signed; unsigned ones of 8 "
                     "and 16) and floats of 32 and 64, the lowest byte first: save it as one of them",
                     name));
}

}  // namespace

double number(const NumberArray& array, std::size_t index) {
  const auto read = [&]<typename T>(T value) {
    std::memcpy(&value, array.bytes.data() + index * sizeof(T), sizeof(T));
    return static_cast<double>(value);
  };
  switch (array.type) {
    case StoredType::uint8:
      return read(std::uint8_t{});
    case StoredType::int8:
      return read(std::int8_t{});
    case StoredType::uint16:
      return read(std::uint16_t{});
    case StoredType::int16:
      return read(std::int16_t{});
    case StoredType::int32:
      return read(std::int32_t{});
    case StoredType::float32:
      return read(float{});
    case StoredType::float64:
      return read(double{});
    default:
      return read(std::int64_t{});
  }
}

std::size_t width_of(StoredType type) {
  switch (type) {
    case StoredType::uint8:
    case StoredType::int8:
      return 1;
    case StoredType::int16:
    case StoredType::uint16:
      return 2;
    case StoredType::int32:
    case StoredType::float32:
      return 4;
    default:
      return 8;
  }
}

std::vector<std::uint8_t> read_bytes(const fs::path& file) {
  refuse_device(file);
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (!stream || fs::is_directory(file) || !(text << stream.rdbuf()))
    refuse(file, "missing, empty or not a readable file");
  const std::string bytes = text.str();
  return {bytes.begin(), bytes.end()};
}

// Magic, version, length, a header like {'descr': '<f4', 'fortran_order': False, 'shape': (10, 3), }, and the data.
NumberArray read_npy(const fs::path& file) {
  std::vector<std::uint8_t> bytes = read_bytes(file);
  const std::string magic = "\x93NUMPY";
  if (bytes.size() < 12 || !std::equal(magic.begin(), magic.end(), bytes.begin(),
                                       [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; })) {
    refuse(file, "is no .npy file");
  }
  if (bytes[6] < 1 || bytes[6] > 3)
    refuse(file, fmt::format("is of version {}.{} of .npy; read are 1, 2 and 3", bytes[6], bytes[7]));
  const bool wide = bytes[6] >= 2;
  std::size_t length = bytes[8] | std::size_t{bytes[9]} << 8;
  if (wide) length |= std::size_t{bytes[10]} << 16 | std::size_t{bytes[11]} << 24;
  const std::size_t start = wide ? 12 : 10;
  if (length > bytes.size() - start) refuse(file, "is truncated in its header");
  const std::string header(bytes.begin() + static_cast<std::ptrdiff_t>(start),
                           bytes.begin() + static_cast<std::ptrdiff_t>(start + length));
  const auto after = [&](const std::string& key) {
    const std::size_t found = header.find("'" + key + "':");
    if (found == std::string::npos) refuse(file, fmt::format("its header has no '{}'", key));
    return header.substr(found + key.size() + 3);
  };
  const std::string descr = after("descr");
  const std::size_t open = descr.find('\''), close = descr.find('\'', open + 1);
  if (open == std::string::npos || close == std::string::npos) refuse(file, "its header names no type");
  NumberArray array{.type = type_of_npy(file, descr.substr(open + 1, close - open - 1)), .dims = {}, .bytes = {}};
  const std::string order = after("fortran_order");
  if (order.find("False") > order.find(',')) refuse(file, "is in Fortran order; save it in C order");
  const std::string shape = after("shape");
  std::size_t from = shape.find('('), to = shape.find(')');
  if (from == std::string::npos || to == std::string::npos) refuse(file, "its header has no shape");
  std::int64_t size = static_cast<std::int64_t>(width_of(array.type));
  while (++from < to) {
    if (shape[from] == ' ' || shape[from] == ',' || shape[from] == 'L') continue;  // 10L: of Python 2
    if (shape[from] < '0' || shape[from] > '9') refuse(file, "its shape cannot be");
    std::int64_t side = 0;
    const auto end = std::from_chars(shape.data() + from, shape.data() + to, side);
    from = static_cast<std::size_t>(end.ptr - shape.data());
    if (end.ec != std::errc() || side > 1'000'000'000 || __builtin_mul_overflow(size, side, &size))
      refuse(file, "its shape cannot be");
    array.dims.push_back(side);
  }
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(start + length));
  if (bytes.size() != static_cast<std::size_t>(size)) {
    refuse(file, fmt::format("holds {} bytes of data, not the {} whose size its header tells", bytes.size(), size));
  }
  array.bytes = std::move(bytes);
  return array;
}

std::vector<int> read_npy_labels(const fs::path& file) {
  const NumberArray array = read_npy(file);
  if (array.dims.size() != 1 && !(array.dims.size() == 2 && array.dims[1] == 1)) {
    refuse(file, fmt::format("labels are one whole number a sample; the file holds {}",
                             array.dims.empty() ? "a single number"
                                                : fmt::format("an array of {}", fmt::join(array.dims, "x"))));
  }
  std::vector<int> labels;
  for (std::size_t i = 0; i < array.bytes.size() / width_of(array.type); ++i) {
    const double label = number(array, i);
    if (!(label >= 0 && label <= std::numeric_limits<int>::max()) || label != std::floor(label)) {
      refuse(file, fmt::format(
                       "the label of sample {} (counted from 0) is {}; classes are whole numbers from 0 to 2147483647",
                       i, label));
    }
    labels.push_back(static_cast<int>(label));
  }
  return labels;
}

}  // namespace bitstrata::model
