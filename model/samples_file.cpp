// SPDX-License-Identifier: Apache-2.0
// dataset.yaml and the files it names.
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "model/dataset.h"
#include "model/image_file.h"
#include "model/image_folder.h"
#include "model/samples.h"
#include "model/stored_samples.h"
#include "model/yaml_reader.h"

namespace bitstrata::model {
namespace {

namespace fs = std::filesystem;

constexpr const char* format_name = "bitstrata-dataset-1";
constexpr std::int64_t most_values = std::int64_t{1} << 28;  // of a resized sample: 1 GB
constexpr int most_classes = 1'000'000;

[[noreturn]] void refuse(const fs::path& file, const std::string& why) {
  throw std::runtime_error(in_one_line(fmt::format("{}: {}", file.string(), why)));
}

class Description {
 public:
  explicit Description(const fs::path& file) : file_(file), top_(YamlReader::from_file(file)) {
    top_.check_keys({"format", "name", "kind", "type", "shape", "classes", "channels", "layout", "flat_order",
                     "channel_order", "resize", "scale", "mean", "std", "test", "train"});
    top_.check_format(format_name);
    kind_ = word("kind", {"raw", "npy", "cifar10", "cifar100", "idx", "folder"}, "");
    for (const char* key : {"type", "shape"}) {
      if (top_.has(key) != (kind_ == "raw"))
        top_.fail(fmt::format("kind {} {} the key '{}'", kind_, kind_ == "raw" ? "needs" : "does not have", key));
    }
    if (top_.has("layout") && kind_ != "raw" && kind_ != "npy")
      top_.at("layout").fail(fmt::format("kind {} has a layout of its own", kind_));
    read_classes();
    preparation_.channels_first = word("layout", {"nhwc", "nchw"}, "nhwc") == "nchw" || cifar();
    preparation_.told = kind_ == "raw" || kind_ == "npy";
    if (top_.has("flat_order"))
      preparation_.flat_order =
          word("flat_order", {"nhwc", "nchw"}, "") == "nchw" ? ChannelOrder::first : ChannelOrder::last;
    preparation_.reverse_channels = word("channel_order", {"rgb", "bgr"}, "rgb") == "bgr";
    top_.read("scale", preparation_.scale);
    if (preparation_.scale == 0) top_.at("scale").fail("'scale' is 0, which leaves nothing of the samples");
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

  SampleSet read(int most_train, int most_test) {
    SampleSet set{.name = file_.stem().string(), .train = {}, .test = {}};
    top_.read("name", set.name);
    if (!top_.has("test") && !top_.has("train")) top_.fail("names no samples: 'test' or 'train' is missing");
    if (kind_ == "folder" && names_.empty()) {
      // Both parts have the classes of the first.
      const YamlReader first = top_.at(top_.has("train") ? "train" : "test");
      names_ = list_image_folder(file_.parent_path() / first.at("images").as_string(), {}).classes;
    }
    if (kind_ == "folder") classes_ = static_cast<int>(names_.size());
    if (top_.has("test") && most_test > 0) set.test = part(top_.at("test"), most_test);
    if (!top_.has("test")) most_train = all_samples;
    if (top_.has("train") && most_train > 0) set.train = part(top_.at("train"), most_train);
    set.classes = classes_;
    set.classes_told = classes_ > 0;
    for (const std::optional<Samples>* samples : {&set.test, &set.train})
      for (int i = 0; classes_ == 0 && *samples && (*samples)->labelled() && i < (*samples)->count(); ++i)
        set.classes = std::max(set.classes, (*samples)->label(i) + 1);
    return set;
  }

 private:
  bool cifar() const { return kind_ == "cifar10" || kind_ == "cifar100"; }

  void read_classes() {
    if (top_.has("channels")) {
      if (kind_ != "folder") top_.at("channels").fail(fmt::format("kind {} does not have the key 'channels'", kind_));
      top_.read("channels", channels_);
      if (channels_ != 1 && channels_ != 3) top_.at("channels").fail("'channels' must be 1 (grey) or 3 (colour)");
    }
    if (cifar()) classes_ = kind_ == "cifar10" ? 10 : 100;
    if (!top_.has("classes")) return;
    const YamlReader classes = top_.at("classes");
    if (cifar()) classes.fail(fmt::format("kind {} has {} classes of its own", kind_, classes_));
    if (kind_ == "folder") {
      top_.read("classes", names_);
      for (std::size_t i = 0; i < names_.size(); ++i) {
        if (names_[i].empty() || names_[i][0] == '.' || names_[i].find('/') != std::string::npos)
          classes.fail(fmt::format("the class '{}' is no name of a subfolder", names_[i]));
        if (std::find(names_.begin(), names_.begin() + static_cast<std::ptrdiff_t>(i), names_[i]) !=
            names_.begin() + static_cast<std::ptrdiff_t>(i))
          classes.fail(fmt::format("names the class '{}' twice", names_[i]));
      }
      if (names_.empty()) classes.fail("'classes' names no class");
      return;
    }
    classes_ = classes.as_int();
    if (classes_ < 1 || classes_ > most_classes)
      classes.fail(fmt::format("'classes' is {}; it must be 1..{}", classes_, most_classes));
  }

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
      if (values.empty())
        value.fail(fmt::format("'{}' holds no number; leave the key out, or give one a channel", key));
    }
    return values;
  }

  // Paths of a part's files: one name or a list of them.
  std::vector<fs::path> files(const YamlReader& reader, const char* key) const {
    std::vector<fs::path> result;
    if (!reader.has(key)) return result;
    std::vector<std::string> names;
    if (reader.at(key).is_list())
      reader.read(key, names);
    else
      names = {reader.at(key).as_string()};
    if (names.empty()) reader.at(key).fail(fmt::format("'{}' names no file", key));
    for (const std::string& name : names) result.push_back(file_.parent_path() / name);
    return result;
  }

  // Which samples of `all` are asked for, of these the first `most`.
  struct Selection {
    std::size_t begin = 0, count = 0;
  };
  static Selection selection(const YamlReader& reader, std::size_t all, int most) {
    int first = 0, count = 0;
    reader.read("first", first);
    reader.read("count", count);
    if (reader.has("count") && count < 1)
      reader.at("count").fail("'count' must be at least 1; without it all are read");
    const std::size_t begin = static_cast<std::size_t>(std::max(0, first));
    const std::size_t wanted = count > 0 ? static_cast<std::size_t>(count) : all - std::min(all, begin);
    if (first < 0 || begin + wanted > all || wanted == 0)
      reader.fail(fmt::format("wants samples {}..{} of {}", first, begin + wanted, all));
    return {begin, std::min(wanted, static_cast<std::size_t>(most))};
  }

  Samples part(const YamlReader& reader, int most) const {
    reader.check_keys({"images", "labels", "first", "count"});
    if (kind_ == "folder") return folder(reader, most);
    const std::vector<fs::path> images = files(reader, "images"), labels = files(reader, "labels");
    if (images.empty()) reader.at("images");
    if (cifar() && !labels.empty()) reader.fail(fmt::format("kind {} has its labels in the file of the images", kind_));
    if (kind_ == "idx" && labels.empty()) reader.fail("kind idx needs 'labels' beside 'images'");
    if (!labels.empty() && labels.size() != images.size()) {
      reader.fail(fmt::format("names {} files of images and {} of labels; each has one of its own", images.size(),
                              labels.size()));
    }
    StoredSamples all;
    for (std::size_t i = 0; i < images.size(); ++i) {
      StoredSamples one = read_file(images[i], labels.empty() ? fs::path() : labels[i]);
      if (i == 0) {
        all = std::move(one);
        continue;
      }
      if (one.shape != all.shape || one.type != all.type)
        refuse(images[i], fmt::format("its samples are of another size or type than those of {}", images[0].string()));
      all.bytes.insert(all.bytes.end(), one.bytes.begin(), one.bytes.end());
      all.labels.insert(all.labels.end(), one.labels.begin(), one.labels.end());
    }
    if (preparation_.told && !top_.has("layout") && all.shape.channels > 1 && all.shape.height == all.shape.width &&
        all.shape.width == all.shape.channels) {
      refuse(images[0],
             fmt::format("has samples of {0}x{0}x{0}, whose order shows nowhere: {1} must say 'layout: nhwc' "
                         "or 'layout: nchw'",
                         all.shape.height, file_.string()));
    }
    const std::int64_t size = std::int64_t{preparation_.resize_height} * preparation_.resize_width * all.shape.channels;
    if (size > most_values) {
      top_.at("resize").fail(fmt::format("'resize' makes {} values of a sample of {} channels; at most {} are read",
                                         size, all.shape.channels, most_values));
    }
    const Selection kept = selection(reader, all.count(), most);
    const auto cut = [&](auto& values, std::size_t each) {
      values.erase(values.begin() + static_cast<std::ptrdiff_t>((kept.begin + kept.count) * each), values.end());
      values.erase(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(kept.begin * each));
    };
    cut(all.bytes, all.bytes_each());
    if (!all.labels.empty()) cut(all.labels, 1);
    return samples(images[0], std::move(all), preparation_);
  }

  static Samples samples(const fs::path& file, StoredSamples content, const Preparation& preparation) {
    try {
      return Samples(content.shape, content.type, std::move(content.bytes), std::move(content.labels), preparation);
    } catch (const std::invalid_argument& error) {
      refuse(file, error.what());
    }
  }

  StoredSamples read_file(const fs::path& images, const fs::path& labels) const {
    StoredSamples content;
    if (kind_ == "idx") {
      Images read = read_idx(images, labels);
      content = {read.shape, StoredType::uint8, std::move(read.pixels), {read.labels.begin(), read.labels.end()}};
    } else if (cifar()) {
      content = read_cifar(images, kind_ == "cifar100");
    } else {
      content = kind_ == "npy" ? read_npy_samples(images, preparation_.channels_first) : read_raw(images);
      if (labels.extension() == ".npy") {
        content.labels = read_npy_labels(labels);
      } else if (!labels.empty()) {
        const std::vector<std::uint8_t> bytes = read_bytes(labels);
        content.labels.assign(bytes.begin(), bytes.end());
      }
    }
    if (content.bytes_each() == 0 || content.bytes.size() % content.bytes_each() != 0) {
      refuse(images, fmt::format("its {} bytes are no whole number of samples of {} bytes", content.bytes.size(),
                                 content.bytes_each()));
    }
    check_values(images, content);
    const fs::path& answers = labels.empty() ? images : labels;
    if ((!labels.empty() || !content.labels.empty()) && content.labels.size() != content.count())
      refuse(answers, fmt::format("{} labels for {} samples", content.labels.size(), content.count()));
    for (std::size_t i = 0; classes_ > 0 && i < content.labels.size(); ++i) {
      if (content.labels[i] < classes_) continue;
      refuse(answers, fmt::format("the label of sample {} (counted from 0) is {}; the {} classes are 0..{}", i,
                                  content.labels[i], classes_, classes_ - 1));
    }
    return content;
  }

  StoredSamples read_raw(const fs::path& file) const {
    const std::string type = word("type", {"uint8", "int8", "float32"}, "");
    std::vector<int> sides;
    top_.read("shape", sides);
    if (sides.size() != 3 || sides[0] < 1 || sides[1] < 1 || sides[2] < 1 || sides[0] > 65536 || sides[1] > 65536 ||
        sides[2] > 65536) {
      top_.at("shape").fail("'shape' must be [height, width, channels], each at least 1");
    }
    return {.shape = {sides[0], sides[1], sides[2]},
            .type = type == "uint8"  ? StoredType::uint8
                    : type == "int8" ? StoredType::int8
                                     : StoredType::float32,
            .bytes = read_bytes(file),
            .labels = {}};
  }

  // Images that are resized may have any size, so they are kept as the values that resizing makes.
  Samples folder(const YamlReader& reader, int most) const {
    if (reader.has("labels")) reader.at("labels").fail("kind folder has its labels in the names of subfolders");
    const fs::path path = file_.parent_path() / reader.at("images").as_string();
    const ImageFolder list = list_image_folder(path, names_);
    const Selection kept = selection(reader, list.files.size(), most);
    const auto first = list.labels.begin() + static_cast<std::ptrdiff_t>(kept.begin);
    StoredSamples content{.bytes = {}, .labels = {first, first + static_cast<std::ptrdiff_t>(kept.count)}};
    Preparation preparation = preparation_;
    preparation.resize_height = preparation.resize_width = 0;
    for (std::size_t i = kept.begin; i < kept.begin + kept.count; ++i) {
      const Image image = read_image(list.files[i], channels_);
      if (preparation_.resize_height > 0) {
        const Reals values = resized({image.pixels.begin(), image.pixels.end()}, image.shape,
                                     preparation_.resize_height, preparation_.resize_width);
        content.type = StoredType::float32;
        content.shape = {preparation_.resize_height, preparation_.resize_width, channels_};
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(values.data());
        content.bytes.insert(content.bytes.end(), bytes, bytes + values.size() * sizeof(float));
        continue;
      }
      if (i == kept.begin) content.shape = image.shape;
      if (image.shape != content.shape) {
        refuse(
            list.files[i],
            fmt::format("is {}x{} (height, width), but {} is {}x{}; 'resize: [height, width]' in {} gives all images "
                        "one size",
                        image.shape.height, image.shape.width, list.files[kept.begin].string(), content.shape.height,
                        content.shape.width, file_.string()));
      }
      content.bytes.insert(content.bytes.end(), image.pixels.begin(), image.pixels.end());
    }
    return samples(path, std::move(content), preparation);
  }

  fs::path file_;
  YamlReader top_;
  std::string kind_;
  int classes_ = 0;                 // 0: as many as the labels tell
  std::vector<std::string> names_;  // of the classes of kind folder
  int channels_ = 3;                // of kind folder
  Preparation preparation_;
};

}  // namespace

bool names_description(const std::string& name) {
  const fs::path path = name;
  return fs::is_regular_file(path) || path.extension() == ".yaml" || path.extension() == ".yml";
}

SampleSet load_samples(const std::string& name, int most_train, int most_test) {
  if (names_description(name)) {
    if (!fs::is_regular_file(name)) refuse(name, "missing");
    return Description(name).read(most_train, most_test);
  }
  const Preparation preparation{.scale = 1.0 / 255, .mean = {}, .deviation = {}};
  SampleSet set{.name = name, .train = {}, .test = {}};
  const auto samples = [&](Images images, int most) {
    const auto count = static_cast<std::size_t>(std::min(most, images.count()));
    images.pixels.resize(count * static_cast<std::size_t>(images.shape.elements()));
    images.labels.resize(count);
    return Samples(images.shape, StoredType::uint8, std::move(images.pixels),
                   {images.labels.begin(), images.labels.end()}, preparation);
  };
  Dataset dataset = load_dataset(name);
  set.classes = dataset.classes;
  if (most_train > 0) set.train = samples(std::move(dataset.train), most_train);
  if (most_test > 0) set.test = samples(std::move(dataset.test), most_test);
  return set;
}

}  // namespace bitstrata::model
