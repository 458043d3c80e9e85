// SPDX-License-Identifier: Apache-2.0
// dataset.yaml and the files it names.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>
#include <stdexcept>

#include "model/dataset.h"
#include "model/samples.h"
#include "model/yaml_reader.h"

namespace bitstrata::model {
namespace {

namespace fs = std::filesystem;

constexpr const char* format_name = "bitstrata-dataset-1";
constexpr std::int64_t most_values = std::int64_t{1} << 28;  // of a resized sample: 1 GB

[[noreturn]] void refuse(const fs::path& file, const std::string& why) {
  throw std::runtime_error(in_one_line(fmt::format("{}: {}", file.string(), why)));
}

std::vector<std::uint8_t> read_bytes(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (!stream || fs::is_directory(file) || !(text << stream.rdbuf()))
    refuse(file, "missing, empty or not a readable file");
  const std::string bytes = text.str();
  return {bytes.begin(), bytes.end()};
}

struct Array {
  StoredType type;
  std::vector<std::int64_t> dims;
  std::vector<std::uint8_t> bytes;
};

StoredType type_of_npy(const fs::path& file, const std::string& name) {
  const std::vector<std::pair<const char*, StoredType>> known = {
      {"|u1", StoredType::uint8},   {"|i1", StoredType::int8},   {"<i2", StoredType::int16},
      {"<u2", StoredType::uint16},  {"<i4", StoredType::int32},  {"<i8", StoredType::int64},
      {"<f4", StoredType::float32}, {"<f8", StoredType::float64}};
  for (const auto& [text, type] : known)
    if (name == text) return type;
  refuse(file, fmt::format("holds numbers of type '{}', which is not read", name));
}

// NumPy's file: magic, version, length, a header like {'descr': '<f4', 'fortran_order': False, 'shape': (10, 3), }.
Array read_npy(const fs::path& file) {
  std::vector<std::uint8_t> bytes = read_bytes(file);
  const std::string magic = "\x93NUMPY";
  if (bytes.size() < 12 || !std::equal(magic.begin(), magic.end(), bytes.begin(),
                                       [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; })) {
    refuse(file, "is no .npy file");
  }
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
  Array array{.type = type_of_npy(file, descr.substr(open + 1, close - open - 1)), .dims = {}, .bytes = {}};
  const std::string order = after("fortran_order");
  if (order.find("False") > order.find(',')) refuse(file, "is in Fortran order; save it in C order");
  const std::string shape = after("shape");
  std::size_t from = shape.find('('), to = shape.find(')');
  if (from == std::string::npos || to == std::string::npos) refuse(file, "its header has no shape");
  std::int64_t count = 1;
  while (++from < to) {
    if (shape[from] < '0' || shape[from] > '9') continue;
    std::int64_t side = 0;
    const auto end = std::from_chars(shape.data() + from, shape.data() + to, side);
    from = static_cast<std::size_t>(end.ptr - shape.data());
    if (end.ec != std::errc() || side > 1'000'000'000 || __builtin_mul_overflow(count, side, &count))
      refuse(file, "its shape cannot be");
    array.dims.push_back(side);
  }
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(start + length));
  array.bytes = std::move(bytes);
  return array;
}

class Description {
 public:
  explicit Description(const fs::path& file) : file_(file), top_(YamlReader::from_file(file)) {
    top_.check_keys({"format", "name", "kind", "type", "shape", "layout", "channel_order", "resize", "scale", "mean",
                     "std", "test", "train"});
    top_.check_format(format_name);
    kind_ = word("kind", {"raw", "npy", "cifar10", "cifar100", "idx"}, "");
    for (const char* key : {"type", "shape"}) {
      if (top_.has(key) != (kind_ == "raw"))
        top_.fail(fmt::format("kind {} {} the key '{}'", kind_, kind_ == "raw" ? "needs" : "takes no", key));
    }
    if (top_.has("layout") && kind_ != "raw" && kind_ != "npy")
      top_.at("layout").fail(fmt::format("kind {} has a layout of its own", kind_));
    const bool cifar = kind_ == "cifar10" || kind_ == "cifar100";
    preparation_.channels_first = word("layout", {"nhwc", "nchw"}, "nhwc") == "nchw" || cifar;
    preparation_.reverse_channels = word("channel_order", {"rgb", "bgr"}, "rgb") == "bgr";
    top_.read("scale", preparation_.scale);
    preparation_.mean = numbers("mean");
    preparation_.deviation = numbers("std");
    for (const double value : preparation_.deviation)
      if (!(value > 0)) top_.at("std").fail("'std' must be above 0");
    if (top_.has("resize")) {
      std::vector<int> sides;
      top_.read("resize", sides);
      if (sides.size() != 2 || sides[0] < 1 || sides[1] < 1 || sides[0] > 4096 || sides[1] > 4096)
        top_.at("resize").fail("'resize' must be [height, width], each 1..4096");
      preparation_.resize_height = sides[0], preparation_.resize_width = sides[1];
    }
  }

  SampleSet read() const {
    SampleSet set{.name = file_.stem().string(), .train = {}, .test = {}};
    top_.read("name", set.name);
    if (!top_.has("test") && !top_.has("train")) top_.fail("names no samples: 'test' or 'train' is missing");
    if (top_.has("test")) set.test = part(top_.at("test"));
    if (top_.has("train")) set.train = part(top_.at("train"));
    return set;
  }

 private:
  std::string word(const char* key, const std::vector<std::string>& known, const std::string& otherwise) const {
    if (!top_.has(key) && !otherwise.empty()) return otherwise;
    const YamlReader value = top_.at(key);
    const std::string text = value.as_string();
    for (const std::string& one : known)
      if (text == one) return text;
    value.fail(
        fmt::format("'{}' is '{}'; allowed: {}{}", key, text, fmt::join(known, ", "), did_you_mean(text, known)));
  }

  std::vector<double> numbers(const char* key) const {
    std::vector<double> values;
    if (!top_.has(key)) return values;
    const YamlReader value = top_.at(key);
    try {
      values.push_back(value.as_double());
    } catch (const std::runtime_error&) {
      for (const YamlReader& item : value.items()) values.push_back(item.as_double());
    }
    return values;
  }

  Samples part(const YamlReader& reader) const {
    reader.check_keys({"images", "labels", "first", "count"});
    const fs::path images = file_.parent_path() / reader.at("images").as_string();
    const fs::path labels = reader.has("labels") ? file_.parent_path() / reader.at("labels").as_string() : fs::path();
    int first = 0, count = 0;
    reader.read("first", first);
    reader.read("count", count);
    Array array;
    Shape shape;
    std::vector<int> answers;
    read_images(reader, images, labels, array, shape, answers);
    if (!labels.empty() && kind_ != "idx") answers = read_labels(labels);
    const std::size_t each = bytes_each(array.type, shape);
    if (each == 0 || array.bytes.size() % each != 0)
      refuse(images, fmt::format("its {} bytes are no whole number of samples of {} bytes", array.bytes.size(), each));
    const std::int64_t resized = std::int64_t{preparation_.resize_height} * preparation_.resize_width * shape.channels;
    if (resized > most_values) {
      top_.at("resize").fail(fmt::format("'resize' makes {} values of a sample of {} channels; at most {} are read",
                                         resized, shape.channels, most_values));
    }
    const std::size_t all = array.bytes.size() / each, begin = static_cast<std::size_t>(std::max(0, first));
    const std::size_t wanted = count > 0 ? static_cast<std::size_t>(count) : all - std::min(all, begin);
    if (first < 0 || count < 0 || begin + wanted > all || wanted == 0)
      reader.fail(fmt::format("wants samples {}..{} of {}", first, begin + wanted, all));
    if (!answers.empty() && answers.size() != all)
      refuse(labels.empty() ? images : labels, fmt::format("{} labels for {} samples", answers.size(), all));
    const auto cut = [&](auto& values, std::size_t size) {
      values.erase(values.begin() + static_cast<std::ptrdiff_t>((begin + wanted) * size), values.end());
      values.erase(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(begin * size));
    };
    cut(array.bytes, each);
    if (!answers.empty()) cut(answers, 1);
    try {
      return Samples(shape, array.type, std::move(array.bytes), std::move(answers), preparation_);
    } catch (const std::invalid_argument& error) {
      refuse(images, error.what());
    }
  }

  static std::size_t bytes_each(StoredType type, Shape shape) {
    const std::size_t width = type == StoredType::uint8 || type == StoredType::int8      ? 1
                              : type == StoredType::int16 || type == StoredType::uint16  ? 2
                              : type == StoredType::int32 || type == StoredType::float32 ? 4
                                                                                         : 8;
    return static_cast<std::size_t>(shape.elements()) * width;
  }

  void read_images(const YamlReader& reader, const fs::path& images, const fs::path& labels, Array& array, Shape& shape,
                   std::vector<int>& answers) const {
    if (kind_ == "raw") {
      const std::string type = word("type", {"uint8", "int8", "float32"}, "");
      array.type = type == "uint8" ? StoredType::uint8 : type == "int8" ? StoredType::int8 : StoredType::float32;
      std::vector<int> sides;
      top_.read("shape", sides);
      if (sides.size() != 3 || sides[0] < 1 || sides[1] < 1 || sides[2] < 1 || sides[0] > 65536 || sides[1] > 65536 ||
          sides[2] > 65536) {
        top_.at("shape").fail("'shape' must be [height, width, channels], each at least 1");
      }
      shape = {sides[0], sides[1], sides[2]};
      array.bytes = read_bytes(images);
    } else if (kind_ == "npy") {
      array = read_npy(images);
      const auto side = [&](std::size_t i) { return static_cast<int>(std::min<std::int64_t>(array.dims[i], 1 << 20)); };
      switch (array.dims.size()) {
        case 2:
          shape = {1, 1, side(1)};
          break;
        case 3:
          shape = {side(1), side(2), 1};
          break;
        case 4:
          shape = preparation_.channels_first ? Shape{side(2), side(3), side(1)} : Shape{side(1), side(2), side(3)};
          break;
        default:
          refuse(images, fmt::format("has {} dimensions; 2 (samples, values), 3 (samples, height, width) or 4 are read",
                                     array.dims.size()));
      }
      if (array.bytes.size() != static_cast<std::size_t>(array.dims[0]) * bytes_each(array.type, shape))
        refuse(images, "its data do not have the size its header tells");
    } else if (kind_ == "idx") {
      if (labels.empty()) reader.fail("kind idx needs 'labels' beside 'images'");
      Images read = read_idx(images, labels);
      shape = read.shape;
      array.type = StoredType::uint8;
      array.bytes = std::move(read.pixels);
      answers.assign(read.labels.begin(), read.labels.end());
    } else {
      if (!labels.empty()) reader.fail(fmt::format("kind {} has its labels in the file of the images", kind_));
      const std::vector<std::uint8_t> bytes = read_bytes(images);
      const std::size_t label_bytes = kind_ == "cifar10" ? 1 : 2, record = 3072 + label_bytes;
      if (bytes.empty() || bytes.size() % record != 0)
        refuse(images, fmt::format("its {} bytes are no whole number of records of {}", bytes.size(), record));
      shape = {32, 32, 3};
      array.type = StoredType::uint8;
      for (std::size_t i = 0; i < bytes.size(); i += record) {
        answers.push_back(bytes[i + label_bytes - 1]);
        const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(i + label_bytes);
        array.bytes.insert(array.bytes.end(), begin, begin + 3072);
      }
    }
  }

  static double number(const Array& array, std::size_t index) {
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

  static std::vector<int> read_labels(const fs::path& file) {
    if (file.extension() != ".npy") {
      const std::vector<std::uint8_t> bytes = read_bytes(file);
      return {bytes.begin(), bytes.end()};
    }
    Array array = read_npy(file);
    const std::size_t width = bytes_each(array.type, {});
    std::int64_t count = 1;
    for (const std::int64_t side : array.dims) count *= side;
    if (array.bytes.empty() || array.bytes.size() != static_cast<std::size_t>(count) * width)
      refuse(file, "its data do not have the size its header tells");
    if (array.dims.size() != 1 && !(array.dims.size() == 2 && array.dims[1] == 1)) {
      refuse(file, fmt::format("labels are one whole number a sample; the file holds an array of {}",
                               fmt::join(array.dims, "x")));
    }
    std::vector<int> labels;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const double label = number(array, i);
      if (!(label >= 0 && label <= std::numeric_limits<int>::max()) || label != std::floor(label)) {
        refuse(file, fmt::format("the label of sample {} (counted from 0) is {}; classes are whole numbers from 0 on",
                                 i, label));
      }
      labels.push_back(static_cast<int>(label));
    }
    return labels;
  }

  fs::path file_;
  YamlReader top_;
  std::string kind_;
  Preparation preparation_;
};

}  // namespace

SampleSet load_samples(const std::string& name) {
  const fs::path path = name;
  if (fs::is_regular_file(path)) return Description(path).read();
  if (path.extension() == ".yaml" || path.extension() == ".yml") refuse(path, "missing");
  Dataset dataset = load_dataset(name);
  const Preparation preparation{.scale = 1.0 / 255, .mean = {}, .deviation = {}};
  SampleSet set{.name = dataset.name, .train = {}, .test = {}};
  const auto samples = [&](Images& images) {
    return Samples(images.shape, StoredType::uint8, std::move(images.pixels),
                   {images.labels.begin(), images.labels.end()}, preparation);
  };
  set.train = samples(dataset.train);
  set.test = samples(dataset.test);
  return set;
}

}  // namespace bitstrata::model
