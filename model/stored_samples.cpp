// SPDX-License-Identifier: Apache-2.0
#include "model/stored_samples.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <stdexcept>

#include "model/yaml_reader.h"

namespace bitstrata::model {
namespace {

constexpr std::int64_t longest_side = 1 << 20;  // of a sample

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& why) {
  throw std::runtime_error(in_one_line(fmt::format("{}: {}", file.string(), why)));
}

}  // namespace

StoredSamples read_cifar(const std::filesystem::path& file, bool hundred) {
  const std::vector<std::uint8_t> bytes = read_bytes(file);
  const std::size_t label_bytes = hundred ? 2 : 1, record = 3072 + label_bytes;
  if (bytes.empty() || bytes.size() % record != 0)
    refuse(file, fmt::format("its {} bytes are no whole number of records of {}", bytes.size(), record));
  StoredSamples content{.shape = {32, 32, 3}, .bytes = {}, .labels = {}};
  content.bytes.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size(); i += record) {
    if (hundred && bytes[i] >= 20)
      refuse(file, fmt::format("the coarse label of record {} (counted from 0) is {}; CIFAR-100 has 0..19", i / record,
                               bytes[i]));
    content.labels.push_back(bytes[i + label_bytes - 1]);
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(i + label_bytes);
    content.bytes.insert(content.bytes.end(), begin, begin + 3072);
  }
  return content;
}

StoredSamples read_npy_samples(const std::filesystem::path& file, bool channels_first) {
  NumberArray array = read_npy(file);
  const auto side = [&](std::size_t i) {
    if (array.dims[i] > longest_side)
      refuse(file, fmt::format("has samples of {} values a side; at most {} are read", array.dims[i], longest_side));
    return static_cast<int>(array.dims[i]);
  };
  StoredSamples content{.shape = {}, .type = array.type, .bytes = {}, .labels = {}};
  switch (array.dims.size()) {
    case 2:
      content.shape = {1, 1, side(1)};
      break;
    case 3:
      content.shape = {side(1), side(2), 1};
      break;
    case 4:
      content.shape = channels_first ? Shape{side(2), side(3), side(1)} : Shape{side(1), side(2), side(3)};
      break;
    default:
      refuse(file, fmt::format("has {} dimensions; 2 (samples, values), 3 (samples, height, width) or 4 are read",
                               array.dims.size()));
  }
  content.bytes = std::move(array.bytes);
  return content;
}

void check_values(const std::filesystem::path& file, const StoredSamples& samples) {
  const auto check = [&]<typename T>(T value) {
    const std::size_t each = static_cast<std::size_t>(samples.shape.elements());
    for (std::size_t i = 0; i < samples.bytes.size() / sizeof(T); ++i) {
      std::memcpy(&value, samples.bytes.data() + i * sizeof(T), sizeof(T));
      if (std::isfinite(static_cast<float>(value))) continue;
      refuse(file, fmt::format("sample {} (counted from 0) holds {}, {}", i / each, value,
                               std::isfinite(value) ? "which is beyond 32-bit floats" : "which is no number"));
    }
  };
  if (samples.type == StoredType::float32) check(float{});
  if (samples.type == StoredType::float64) check(double{});
}

}  // namespace bitstrata::model
