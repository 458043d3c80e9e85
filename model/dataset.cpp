// SPDX-License-Identifier: Apache-2.0
// IDX files (the format of MNIST and Fashion-MNIST), plain or gzipped, and the split of the training images.
#include "model/dataset.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>

#include "model/input_file.h"
#include "model/yaml_reader.h"

namespace bitstrata::model {
namespace {

constexpr std::uint32_t image_magic = 0x00000803;  // unsigned bytes, 3 dimensions
constexpr std::uint32_t label_magic = 0x00000801;  // unsigned bytes, 1 dimension
constexpr int validation_share = 12;               // one training image in 12: 5,000 of 60,000
constexpr const char* fashion_mnist_folder = "/usr/share/datasets/fashion-mnist";

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& why) {
  throw std::runtime_error(fmt::format("{}: {}", file.string(), why));
}

// An open file; zlib hands uncompressed files through unchanged.
class ByteFile {
 public:
  explicit ByteFile(const std::filesystem::path& path) : path_(path) {
    refuse_device(path);
    file_.reset(gzopen(path.c_str(), "rb"));
    if (!file_ || std::filesystem::is_directory(path)) refuse(path, "missing or not readable");
    gzbuffer(file_.get(), 1U << 17);
  }

  // Big endian, as IDX has it.
  std::uint32_t word(const char* what) {
    std::uint8_t bytes[4];
    read(bytes, sizeof(bytes), what);
    return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
  }

  // Refuses a header that promises `count` bytes where the file is too short, or that would fill the memory.
  void expect(std::uint64_t count) const {
    constexpr std::uint64_t most = std::uint64_t{1} << 32, most_of_gzip = 1032;  // deflate makes no byte more of one
    std::error_code unknown;
    const std::uintmax_t size = std::filesystem::file_size(path_, unknown);
    if (count > most)
      refuse(path_, fmt::format("the header says {} bytes of pixels; at most {} are read", count, most));
    if (!unknown && count / most_of_gzip > size) {
      refuse(path_,
             fmt::format("the header says {} bytes of pixels, which a file of {} bytes cannot hold", count, size));
    }
  }

  std::vector<std::uint8_t> bytes(std::size_t count, const char* what) {
    // Grows as data arrive: a damaged header must not ask for the whole memory.
    constexpr std::size_t least = std::size_t{1} << 16;
    std::vector<std::uint8_t> result;
    while (result.size() < count) {
      const std::size_t done = result.size();
      result.resize(std::min(count, done + std::max(least, done)));
      read(result.data() + done, result.size() - done, what);
    }
    return result;
  }

  // Reads on without keeping anything.
  void skip(std::size_t count, const char* what) {
    std::vector<std::uint8_t> ignored(std::size_t{1} << 17);
    for (std::size_t step = 0; count > 0; count -= step) {
      step = std::min(count, ignored.size());
      read(ignored.data(), step, what);
    }
  }

  void expect_end() {
    std::uint8_t extra = 0;
    const int got = gzread(file_.get(), &extra, 1);
    if (got > 0) refuse(path_, "longer than its header says");
    if (got < 0) refuse(path_, error_text());
    // A gzip file cut inside its trailing checksum shows only here.
    int code = Z_OK;
    gzerror(file_.get(), &code);
    if (code != Z_OK && code != Z_STREAM_END) refuse(path_, error_text());
  }

 private:
  void read(std::uint8_t* target, std::size_t count, const char* what) {
    std::size_t done = 0;
    while (done < count) {
      const auto step = static_cast<unsigned>(std::min<std::size_t>(count - done, 1U << 30));
      const int got = gzread(file_.get(), target + done, step);
      if (got <= 0) {
        int code = Z_OK;
        gzerror(file_.get(), &code);
        refuse(path_, code == Z_OK || code == Z_BUF_ERROR ? fmt::format("truncated within {}", what) : error_text());
      }
      done += static_cast<std::size_t>(got);
    }
  }

  std::string error_text() {
    int code = Z_OK;
    const char* text = gzerror(file_.get(), &code);
    return fmt::format("damaged gzip data ({})", code == Z_BUF_ERROR ? "truncated" : text);
  }

  struct Closer {
    void operator()(gzFile_s* file) const { gzclose(file); }
  };
  std::filesystem::path path_;
  std::unique_ptr<gzFile_s, Closer> file_;
};

// `stem` with or without .gz in `folder`; fails with `hint` when neither is there.
std::filesystem::path find_file(const std::filesystem::path& folder, const std::string& stem, const std::string& hint) {
  const std::filesystem::path plain = folder / stem;
  const std::filesystem::path zipped = folder / (stem + ".gz");
  if (std::filesystem::exists(plain)) return plain;
  if (!std::filesystem::exists(zipped)) refuse(zipped, fmt::format("missing{}", hint));
  return zipped;
}

Images subset(const Images& all, const std::vector<int>& indices) {
  Images part{.shape = all.shape, .pixels = {}, .labels = {}};
  part.pixels.reserve(indices.size() * static_cast<std::size_t>(all.shape.elements()));
  for (int index : indices) {
    const auto image = all.image(index);
    part.pixels.insert(part.pixels.end(), image.begin(), image.end());
    part.labels.push_back(all.labels[static_cast<std::size_t>(index)]);
  }
  return part;
}

}  // namespace

Split split(int count, std::uint64_t seed) {
  std::vector<int> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  // The standard library leaves the algorithm of std::shuffle open; this one gives the same split everywhere.
  std::mt19937_64 random(seed);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
  const auto cut = static_cast<std::ptrdiff_t>(order.size() / validation_share);
  Split result{{order.begin() + cut, order.end()}, {order.begin(), order.begin() + cut}};
  std::sort(result.validation.begin(), result.validation.end());
  std::sort(result.train.begin(), result.train.end());
  return result;
}

std::span<const std::uint8_t> Images::image(int index) const {
  const auto size = static_cast<std::size_t>(shape.elements());
  if (index < 0 || index >= count()) throw std::out_of_range(fmt::format("image {} of {}", index, count()));
  return std::span(pixels).subspan(static_cast<std::size_t>(index) * size, size);
}

Images read_idx(const std::filesystem::path& images, const std::filesystem::path& labels, int most) {
  ByteFile image_file(images);
  const std::uint32_t magic = image_file.word("the header");
  if (magic != image_magic) {
    refuse(images, fmt::format("wrong magic {:#010x}; IDX images of bytes begin with {:#010x}", magic, image_magic));
  }
  const std::uint32_t count = image_file.word("the header");
  const std::uint32_t height = image_file.word("the header");
  const std::uint32_t width = image_file.word("the header");
  if (count < 1 || count > 100'000'000 || height < 1 || height > 4096 || width < 1 || width > 4096) {
    refuse(images, fmt::format("the header says {} images of {}x{}, which cannot be", count, height, width));
  }
  Images result;
  result.shape = {.height = static_cast<int>(height), .width = static_cast<int>(width), .channels = 1};
  image_file.expect(std::uint64_t{count} * height * width);
  const std::size_t kept = std::min<std::size_t>(count, static_cast<std::size_t>(std::max(0, most)));
  result.pixels = image_file.bytes(kept * height * width, "the pixels");
  image_file.skip((count - kept) * height * width, "the pixels");
  image_file.expect_end();

  ByteFile label_file(labels);
  const std::uint32_t kind = label_file.word("the header");
  if (kind != label_magic) {
    refuse(labels, fmt::format("wrong magic {:#010x}; IDX labels of bytes begin with {:#010x}", kind, label_magic));
  }
  const std::uint32_t label_count = label_file.word("the header");
  if (label_count != count) {
    refuse(labels, fmt::format("{} labels, but {} holds {} images", label_count, images.string(), count));
  }
  result.labels = label_file.bytes(kept, "the labels");
  label_file.skip(label_count - kept, "the labels");
  label_file.expect_end();
  return result;
}

namespace {

// The files of a data set, found by its name.
class Folder {
 public:
  explicit Folder(const std::string& name) : path_(name) {
    if (name == "fashion-mnist") {
      const char* chosen = std::getenv("BITSTRATA_FASHION_MNIST");
      path_ = chosen != nullptr && *chosen != '\0' ? chosen : fashion_mnist_folder;
      hint_ = "; install with: apt-get install dataset-fashion-mnist, or set BITSTRATA_FASHION_MNIST to its folder";
    } else if (!std::filesystem::is_directory(path_)) {
      throw std::runtime_error(fmt::format("no dataset '{}': neither a folder of IDX files nor one of fashion-mnist{}",
                                           name, did_you_mean(name, {"fashion-mnist"})));
    }
  }

  const std::filesystem::path& path() const { return path_; }
  Images read(const char* part, int most = std::numeric_limits<int>::max()) const {
    return read_idx(find_file(path_, fmt::format("{}-images-idx3-ubyte", part), hint_),
                    find_file(path_, fmt::format("{}-labels-idx1-ubyte", part), hint_), most);
  }

 private:
  std::filesystem::path path_;
  std::string hint_;
};

}  // namespace

Images load_test_images(const std::string& name, int most) { return Folder(name).read("t10k", most); }

Dataset load_dataset(const std::string& name, std::uint64_t split_seed) {
  const Folder folder(name);
  Dataset dataset{.name = name, .classes = 0, .train = {}, .validation = {}, .test = folder.read("t10k")};
  Images train = folder.read("train");
  if (train.shape != dataset.test.shape) {
    throw std::runtime_error(fmt::format("{}: training and test images differ in size", folder.path().string()));
  }
  for (const Images* part : {&train, &dataset.test}) {
    dataset.classes = std::max(dataset.classes, 1 + *std::max_element(part->labels.begin(), part->labels.end()));
  }
  const Split parts = split(train.count(), split_seed);
  dataset.validation = subset(train, parts.validation);
  dataset.train = subset(train, parts.train);
  return dataset;
}

}  // namespace bitstrata::model
