// SPDX-License-Identifier: Apache-2.0
// IDX files written by the test: good ones, every kind of damage, the split; and Fashion-MNIST itself.
#include "model/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <array>
#include <cstdlib>
#include <set>

#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

std::string word(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

// Image i has pixels i, i+1, ...; label i % 10.
std::string image_file(std::uint32_t count, std::uint32_t height = 2, std::uint32_t width = 3) {
  std::string text = word(0x803) + word(count) + word(height) + word(width);
  for (std::uint32_t i = 0; i < count; ++i) {
    for (std::uint32_t p = 0; p < height * width; ++p) text += static_cast<char>(i + p);
  }
  return text;
}

std::string label_file(std::uint32_t count) {
  std::string text = word(0x801) + word(count);
  for (std::uint32_t i = 0; i < count; ++i) text += static_cast<char>(i % 10);
  return text;
}

std::filesystem::path write_gzip(const TemporaryFolder& folder, const std::string& name, const std::string& text) {
  const std::filesystem::path path = folder / name;
  gzFile file = gzopen(path.c_str(), "wb");
  EXPECT_EQ(gzwrite(file, text.data(), static_cast<unsigned>(text.size())), static_cast<int>(text.size()));
  gzclose(file);
  return path;
}

TEST(ReadIdx, ReadsPlainAndGzippedFiles) {
  const TemporaryFolder folder;
  const auto labels = folder.write("labels", label_file(3));
  for (const auto& images : {folder.write("images", image_file(3)), write_gzip(folder, "images.gz", image_file(3))}) {
    const Images read = read_idx(images, labels);
    EXPECT_EQ(read.count(), 3);
    EXPECT_EQ(read.shape, (Shape{2, 3, 1}));
    EXPECT_THAT(read.image(1), ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_THAT(read.labels, ElementsAre(0, 1, 2));
    EXPECT_THROW(read.image(3), std::out_of_range);
  }
}

TEST(ReadIdx, NamesTheDamagedFileAndTheDamage) {
  const TemporaryFolder folder;
  const auto good_images = folder.write("good-images", image_file(4));
  const auto good_labels = folder.write("good-labels", label_file(4));
  const auto with_images = [&](const std::string& text) {
    const auto file = folder.write("images", text);
    return message_of<std::runtime_error>([&] { read_idx(file, good_labels); });
  };
  const auto with_labels = [&](const std::string& text) {
    const auto file = folder.write("labels", text);
    return message_of<std::runtime_error>([&] { read_idx(good_images, file); });
  };
  EXPECT_THAT(with_images(label_file(4)),
              EndsWith("images: wrong magic 0x00000801; IDX images of bytes begin with 0x00000803"));
  EXPECT_THAT(with_labels(image_file(4)),
              EndsWith("labels: wrong magic 0x00000803; IDX labels of bytes begin with 0x00000801"));
  EXPECT_THAT(with_images(""), EndsWith("images: truncated within the header"));
  EXPECT_THAT(with_images(image_file(4).substr(0, 10)), EndsWith("images: truncated within the header"));
  EXPECT_THAT(with_images(image_file(4).substr(0, 30)), EndsWith("images: truncated within the pixels"));
  EXPECT_THAT(with_images(image_file(4) + "x"), EndsWith("images: longer than its header says"));
  EXPECT_THAT(with_labels(label_file(4).substr(0, 11)), EndsWith("labels: truncated within the labels"));
  EXPECT_THAT(with_labels(label_file(4) + "x"), EndsWith("labels: longer than its header says"));
  EXPECT_THAT(with_labels(label_file(5)),
              AllOf(HasSubstr("labels: 5 labels, but "), EndsWith("images holds 4 images")));
  EXPECT_THAT(with_images(image_file(0)), HasSubstr("the header says 0 images of 2x3, which cannot be"));
  EXPECT_THAT(message_of<std::runtime_error>([&] { read_idx(folder / "none", good_labels); }),
              EndsWith("none: missing or not readable"));
  EXPECT_THAT(message_of<std::runtime_error>([&] { read_idx(folder.path(), good_labels); }),
              EndsWith("missing or not readable"));
}

// What a header promises is compared with the file before anything is read of it.
TEST(ReadIdx, RefusesHeadersOfMoreThanTheFileCanHold) {
  const TemporaryFolder folder;
  const std::string head = word(0x00000803) + word(100'000'000) + word(100) + word(100);
  folder.write("huge", head);
  folder.write("labels", "");
  EXPECT_THAT(message_of<std::runtime_error>([&] { read_idx(folder / "huge", folder / "labels"); }),
              HasSubstr("huge: the header says 1000000000000 bytes of pixels; at most 4294967296 are read"));
  // Nor does one take the memory that it promises.
  folder.write("short.gz", word(0x00000803) + word(1'000'000) + word(28) + word(28));
  EXPECT_THAT(message_of<std::runtime_error>([&] { read_idx(folder / "short.gz", folder / "labels"); }),
              HasSubstr("short.gz: the header says 784000000 bytes of pixels, which a file of 16 bytes cannot hold"));
}

TEST(ReadIdx, DetectsEveryTruncationAndEveryFlippedByteOfAGzipFile) {
  const TemporaryFolder folder;
  const auto labels = folder.write("labels", label_file(4));
  const std::string whole = read_text(write_gzip(folder, "images.gz", image_file(4)));
  const Images expected = read_idx(folder / "images.gz", labels);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto file = folder.write("cut.gz", whole.substr(0, length));
    EXPECT_THROW(read_idx(file, labels), std::runtime_error) << length << " of " << whole.size();
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string text = whole;
    text[at] = static_cast<char>(text[at] ^ 0x10);
    const auto file = folder.write("flipped.gz", text);
    try {
      // Time and system of the gzip header carry nothing.
      EXPECT_EQ(read_idx(file, labels).pixels, expected.pixels) << "byte " << at;
    } catch (const std::runtime_error& error) {
      EXPECT_THAT(error.what(), HasSubstr("flipped.gz"));
    }
  }
  EXPECT_THAT(message_of<std::runtime_error>(
                  [&] { read_idx(folder.write("cut.gz", whole.substr(0, whole.size() - 12)), labels); }),
              HasSubstr("truncated"));
}

void write_folder(const TemporaryFolder& folder, std::uint32_t train, std::uint32_t test) {
  folder.write("train-images-idx3-ubyte", image_file(train));
  folder.write("train-labels-idx1-ubyte", label_file(train));
  write_gzip(folder, "t10k-images-idx3-ubyte.gz", image_file(test));
  write_gzip(folder, "t10k-labels-idx1-ubyte.gz", label_file(test));
}

TEST(LoadDataset, SplitsAFolderBySeed) {
  const TemporaryFolder folder;
  write_folder(folder, 120, 7);
  const Dataset a = load_dataset(folder.path().string());
  EXPECT_EQ(a.train.count(), 110);
  EXPECT_EQ(a.validation.count(), 10);
  EXPECT_EQ(a.test.count(), 7);
  EXPECT_EQ(a.classes, 10);
  // Every training image is in exactly one part, beside its own label (label = first pixel % 10).
  std::set<int> seen;
  for (const Images* part : {&a.train, &a.validation}) {
    for (int i = 0; i < part->count(); ++i) {
      seen.insert(part->image(i)[0]);
      EXPECT_EQ(part->image(i)[0] % 10, part->labels[static_cast<std::size_t>(i)]);
    }
  }
  EXPECT_EQ(seen.size(), 120U);
  const Dataset again = load_dataset(folder.path().string());
  EXPECT_EQ(again.validation.pixels, a.validation.pixels);
  const Dataset other = load_dataset(folder.path().string(), 2);
  EXPECT_NE(other.validation.pixels, a.validation.pixels);
  EXPECT_EQ(other.test.pixels, a.test.pixels);
}

TEST(LoadDataset, SaysHowToGetWhatIsMissing) {
  const TemporaryFolder folder;
  setenv("BITSTRATA_FASHION_MNIST", folder.path().c_str(), 1);
  const std::string message = message_of<std::runtime_error>([] { load_dataset("fashion-mnist"); });
  unsetenv("BITSTRATA_FASHION_MNIST");
  EXPECT_THAT(message,
              AllOf(HasSubstr(folder.path().string()), HasSubstr("ubyte.gz: missing"),
                    HasSubstr("apt-get install dataset-fashion-mnist"), HasSubstr("or set BITSTRATA_FASHION_MNIST")));
  EXPECT_THAT(message_of<std::runtime_error>([] { load_dataset("fashion-minst"); }),
              EndsWith("did you mean 'fashion-mnist'?"));
  EXPECT_THAT(message_of<std::runtime_error>([&] { load_dataset(folder.path().string()); }),
              EndsWith("ubyte.gz: missing"));
}

TEST(LoadDataset, RefusesTestImagesOfAnotherSize) {
  const TemporaryFolder folder;
  write_folder(folder, 24, 5);
  folder.write("train-images-idx3-ubyte", image_file(24, 3, 2));
  EXPECT_THAT(message_of<std::runtime_error>([&] { load_dataset(folder.path().string()); }),
              EndsWith("training and test images differ in size"));
}

TEST(FashionMnist, HasItsKnownSizesAndAFixedSplit) {
  if (!std::filesystem::exists("/usr/share/datasets/fashion-mnist") &&
      std::getenv("BITSTRATA_FASHION_MNIST") == nullptr) {
    GTEST_SKIP() << "dataset-fashion-mnist is not installed";
  }
  const Dataset data = load_dataset("fashion-mnist");
  EXPECT_EQ(data.train.count(), 55000);
  EXPECT_EQ(data.validation.count(), 5000);
  EXPECT_EQ(data.test.count(), 10000);
  EXPECT_EQ(data.classes, 10);
  EXPECT_EQ(data.train.shape, (Shape{28, 28, 1}));
  EXPECT_EQ(data.train.pixels.size(), 55000U * 784);
  std::array<int, 10> test_counts{}, validation_counts{};
  for (int label : data.test.labels) ++test_counts.at(static_cast<std::size_t>(label));
  for (int label : data.validation.labels) ++validation_counts.at(static_cast<std::size_t>(label));
  for (int count : test_counts) EXPECT_EQ(count, 1000);
  for (int count : validation_counts) EXPECT_NEAR(count, 500, 100);  // about five standard deviations
  // The split of seed 1, pinned: results of different runs stay comparable only while it stands.
  EXPECT_EQ(crc32_z(0, data.validation.pixels.data(), data.validation.pixels.size()), 3673324899U);
}

}  // namespace
}  // namespace bitstrata::testing
