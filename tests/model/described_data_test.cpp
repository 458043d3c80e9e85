// SPDX-License-Identifier: Apache-2.0
// Parts of a dataset.yaml that hold several files, classes, and folders of images.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "model/samples.h"
#include "tests/model/picture_files.h"
#include "tests/model/sample_files.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class DescribedData : public ::testing::Test {
 protected:
  SampleSet load(const std::string& text, int train = all_samples, int test = all_samples) const {
    return load_samples(folder_.write("d.yaml", "format: bitstrata-dataset-1\n" + text).string(), train, test);
  }
  std::string refusal(const std::string& text) const {
    return message_of<std::runtime_error>([&] { load(text); });
  }
  // A grey PNG image whose pixels all are `value`.
  void image(const std::string& name, int value, int width = 2, int height = 2) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    folder_.write(name,
                  png_file({.width = width,
                            .height = height,
                            .colour = 0,
                            .rows = std::string(static_cast<std::size_t>(width * height), static_cast<char>(value)),
                            .palette = {},
                            .extra = {}}));
  }
  // Two classes: `cat` with images of 1, 2 and 3, `ant` with 10.
  void animals(const std::string& part) const {
    for (const int value : {2, 1, 3}) image(part + "/cat/" + std::to_string(value) + ".png", value);
    image(part + "/ant/one.png", 10);
  }
  static std::vector<float> firsts(const Samples& samples) {
    std::vector<float> values;
    for (int i = 0; i < samples.count(); ++i) values.push_back(samples.values(i)[0]);
    return values;
  }
  static std::vector<int> labels(const Samples& samples) {
    std::vector<int> result;
    for (int i = 0; i < samples.count(); ++i) result.push_back(samples.label(i));
    return result;
  }

  TemporaryFolder folder_;
};

TEST_F(DescribedData, ClassesOfAFolderTakeTurns) {
  animals("train");
  animals("test");
  folder_.write("train/.hidden", "");
  const SampleSet set = load("kind: folder\ntrain: {images: train}\ntest: {images: test}\n");
  EXPECT_EQ(set.classes, 2);
  EXPECT_EQ(set.train->shape(), (Shape{2, 2, 3}));
  EXPECT_THAT(firsts(*set.train), ElementsAre(10, 1, 2, 3));
  EXPECT_THAT(labels(*set.train), ElementsAre(0, 1, 1, 1));
  const SampleSet named =
      load("kind: folder\nclasses: [cat, ant]\nchannels: 1\nscale: 2\ntest: {images: test, first: 1, count: 2}\n");
  EXPECT_EQ(named.test->shape(), (Shape{2, 2, 1}));
  EXPECT_THAT(firsts(*named.test), ElementsAre(20, 4));
  EXPECT_THAT(labels(*named.test), ElementsAre(1, 0));
}

TEST_F(DescribedData, ImagesThatAreNotWantedAreNotOpened) {
  animals("train");
  animals("test");
  folder_.write("train/cat/2.png", "damaged");
  folder_.write("test/cat/2.png", "damaged");
  const std::string text = "kind: folder\ntrain: {images: train}\ntest: {images: test}\n";
  const SampleSet set = load(text, 2, 1);
  EXPECT_THAT(firsts(*set.train), ElementsAre(10, 1));
  EXPECT_THAT(firsts(*set.test), ElementsAre(10));
  EXPECT_FALSE(load(text, 0, 2).train);
  EXPECT_THAT(refusal(text), EndsWith("test/cat/2.png: is neither a PNG nor a JPEG file"));
}

TEST_F(DescribedData, ImagesOfOtherSizesAreRefusedOrResized) {
  animals("test");
  image("test/cat/2.png", 2, 3, 2);
  EXPECT_THAT(refusal("kind: folder\ntest: {images: test}\n"),
              AllOf(HasSubstr("test/cat/2.png: is 2x3 (height, width), but "), HasSubstr("test/ant/one.png is 2x2"),
                    HasSubstr("'resize: [height, width]'")));
  const SampleSet set = load("kind: folder\nresize: [4, 5]\nmean: 1\ntest: {images: test}\n");
  EXPECT_EQ(set.test->shape(), (Shape{4, 5, 3}));
  EXPECT_EQ(set.test->count(), 4);
  EXPECT_THAT(set.test->values(2), Each(1));
}

// Resized when it is read or sample by sample, a value is the same.
TEST_F(DescribedData, FoldersAreResizedAsArraysAre) {
  std::filesystem::create_directories(folder_ / "test/only");
  const std::string pixels("\x0a\x14\x1e\x28\x32\x3c", 6);
  folder_.write("test/only/x.png",
                png_file({.width = 3, .height = 2, .colour = 0, .rows = pixels, .palette = {}, .extra = {}}));
  folder_.write("x.npy", npy_file("|u1", "(1, 2, 3, 1)", pixels));
  const std::string rules = "resize: [3, 7]\nscale: 0.5\nstd: 3\n";
  EXPECT_EQ(load("kind: folder\nchannels: 1\n" + rules + "test: {images: test}\n").test->values(0),
            load("kind: npy\n" + rules + "test: {images: x.npy}\n").test->values(0));
}

TEST_F(DescribedData, FoldersThatContradictThemselves) {
  animals("train");
  animals("test");
  const std::string both = "kind: folder\ntrain: {images: train}\ntest: {images: test}\n";
  image("test/dog/x.png", 1);
  EXPECT_THAT(refusal(both), EndsWith("test/dog: is none of the 2 classes, which begin with 'ant'"));
  std::filesystem::remove_all(folder_ / "test/dog");
  std::filesystem::remove_all(folder_ / "test/cat");
  EXPECT_THAT(refusal(both), EndsWith("test: has no subfolder for the class 'cat'"));
  std::filesystem::create_directory(folder_ / "test/cat");
  EXPECT_THAT(refusal(both), EndsWith("test/cat: holds no image of its class"));
  std::filesystem::create_directory(folder_ / "test/cat/deeper");
  EXPECT_THAT(refusal(both), EndsWith("test/cat/deeper: is no file; a class holds images only"));
  folder_.write("train/list.txt", "");
  EXPECT_THAT(refusal(both), HasSubstr("train/list.txt: is no folder"));
  std::filesystem::remove_all(folder_ / "test");
  animals("test");
  EXPECT_THAT(refusal("kind: folder\ntest: {images: nothing}\n"),
              HasSubstr("nothing: is no readable folder of images"));
  EXPECT_THAT(refusal("kind: folder\ntest: {images: test, labels: y}\n"), HasSubstr("names of subfolders"));
  EXPECT_THAT(refusal("kind: folder\nchannels: 2\ntest: {images: test}\n"), HasSubstr("'channels' must be 1 (grey)"));
  EXPECT_THAT(refusal("kind: folder\nclasses: [a, b, a]\ntest: {images: test}\n"),
              HasSubstr("names the class 'a' twice"));
  EXPECT_THAT(refusal("kind: folder\nclasses: [a, ../b]\ntest: {images: test}\n"), HasSubstr("'../b' is no name"));
}

TEST_F(DescribedData, CifarFilesOneAfterAnother) {
  folder_.write("a.bin", cifar_record({3}, 10) + cifar_record({9}, 20));
  folder_.write("b.bin", cifar_record({0}, 30));
  const SampleSet set = load("kind: cifar10\ntrain: {images: [a.bin, b.bin], first: 1}\ntest: {images: b.bin}\n");
  EXPECT_EQ(set.classes, 10);
  EXPECT_THAT(labels(*set.train), ElementsAre(9, 0));
  EXPECT_THAT(firsts(*set.train), ElementsAre(20, 30));
  folder_.write("hundred.bin", cifar_record({19, 99}, 1) + cifar_record({0, 7}, 2));
  const SampleSet hundred = load("kind: cifar100\ntest: {images: hundred.bin}\n");
  EXPECT_EQ(hundred.classes, 100);
  EXPECT_THAT(labels(*hundred.test), ElementsAre(99, 7));
  EXPECT_THAT(firsts(*hundred.test), ElementsAre(1, 2));
}

TEST_F(DescribedData, DamagedCifarFilesAreNamed) {
  folder_.write("good.bin", cifar_record({3}, 10));
  const auto damaged = [&](const std::string& kind, const std::string& bytes) {
    folder_.write("x.bin", bytes);
    return refusal("kind: " + kind + "\ntest: {images: [x.bin]}\n");
  };
  EXPECT_THAT(damaged("cifar10", cifar_record({1}, 1).substr(1)),
              EndsWith("x.bin: its 3072 bytes are no whole number of records of 3073"));
  EXPECT_THAT(damaged("cifar10", ""), HasSubstr("x.bin"));
  EXPECT_THAT(damaged("cifar10", cifar_record({9}, 1) + cifar_record({10}, 1)),
              EndsWith("x.bin: the label of sample 1 (counted from 0) is 10; the 10 classes are 0..9"));
  EXPECT_THAT(damaged("cifar100", cifar_record({3, 100}, 1)), EndsWith("is 100; the 100 classes are 0..99"));
  EXPECT_THAT(damaged("cifar100", cifar_record({20, 1}, 1)),
              EndsWith("the coarse label of record 0 (counted from 0) is 20; CIFAR-100 has 0..19"));
  EXPECT_THAT(refusal("kind: cifar10\nclasses: 9\ntest: {images: good.bin}\n"), HasSubstr("10 classes of its own"));
  EXPECT_THAT(refusal("kind: cifar10\ntest: {images: []}\n"), HasSubstr("'images' names no file"));
}

TEST_F(DescribedData, ValuesThatAreNoNumbersAreNamed) {
  const auto bytes = [](auto... values) {
    std::string text;
    (text.append(reinterpret_cast<const char*>(&values), sizeof values), ...);
    return text;
  };
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  folder_.write("a.npy", npy_file("<f4", "(2, 1, 1)", bytes(1.0F, 2.0F)));
  folder_.write("nan.npy", npy_file("<f4", "(2, 1, 2)", bytes(1.0F, 2.0F, 3.0F, nan)));
  folder_.write("inf.npy", npy_file("<f4", "(1, 1, 1)", bytes(infinity)));
  folder_.write("big.npy", npy_file("<f8", "(2, 1, 1)", bytes(1e30, 1e300)));
  folder_.write("nan.bin", bytes(1.0F, nan));
  EXPECT_EQ(load("kind: npy\ntest: {images: a.npy}\n").test->count(), 2);
  EXPECT_THAT(refusal("kind: npy\ntest: {images: nan.npy}\n"),
              EndsWith("nan.npy: sample 1 (counted from 0) holds nan, which is no number"));
  EXPECT_THAT(refusal("kind: npy\ntrain: {images: [a.npy, inf.npy]}\n"),
              HasSubstr("inf.npy: sample 0 (counted from 0) holds inf"));
  EXPECT_THAT(refusal("kind: npy\ntest: {images: big.npy}\n"),
              HasSubstr("sample 1 (counted from 0) holds 1e+300, which is beyond"));
  EXPECT_THAT(refusal("kind: raw\ntype: float32\nshape: [1, 1, 1]\ntest: {images: nan.bin}\n"),
              HasSubstr("nan.bin: sample 1 (counted from 0) holds nan"));
  folder_.write("below.npy", npy_file("|u1", "(-2, 1, 1)", "\x01\x02"));
  EXPECT_THAT(refusal("kind: npy\ntest: {images: below.npy}\n"), HasSubstr("below.npy: its shape cannot be"));
}

TEST_F(DescribedData, ArraysAndTheirLabelsInSeveralFiles) {
  folder_.write("a.npy", npy_file("|u1", "(2, 1, 1)", "\x01\x02"));
  folder_.write("b.npy", npy_file("|u1", "(1, 1, 1)", "\x03"));
  folder_.write("wide.npy", npy_file("|u1", "(1, 1, 2)", "\x03\x04"));
  folder_.write("la.npy", npy_file("|u1", "(2,)", std::string("\x00\x04", 2)));
  folder_.write("lb", "\x02");
  const std::string labelled = "test: {images: [a.npy, b.npy], labels: [la.npy, lb]}\n";
  const SampleSet set = load("kind: npy\n" + labelled);
  EXPECT_EQ(set.classes, 5);
  EXPECT_THAT(firsts(*set.test), ElementsAre(1, 2, 3));
  EXPECT_THAT(labels(*set.test), ElementsAre(0, 4, 2));
  EXPECT_EQ(load("kind: npy\nclasses: 7\n" + labelled).classes, 7);
  EXPECT_EQ(load("kind: npy\ntest: {images: a.npy}\n").classes, 0);
  EXPECT_THAT(refusal("kind: npy\nclasses: 4\n" + labelled),
              EndsWith("la.npy: the label of sample 1 (counted from 0) is 4; the 4 classes are 0..3"));
  EXPECT_THAT(refusal("kind: npy\ntest: {images: [a.npy, wide.npy]}\n"),
              HasSubstr("wide.npy: its samples are of another size"));
  EXPECT_THAT(refusal("kind: npy\ntest: {images: [a.npy, b.npy], labels: la.npy}\n"),
              HasSubstr("names 2 files of images and 1 of labels"));
  EXPECT_THAT(refusal("kind: npy\ntest: {images: b.npy, labels: la.npy}\n"),
              EndsWith("la.npy: 2 labels for 1 samples"));
  EXPECT_THAT(refusal("kind: npy\nclasses: 0\n" + labelled), HasSubstr("'classes' is 0"));
  folder_.write("short.npy", npy_file("<f4", "(2, 1, 1)", "1234567"));
  EXPECT_THAT(refusal("kind: npy\nscale: 0\n" + labelled), HasSubstr("'scale' is 0"));
  EXPECT_THAT(refusal("kind: npy\nstd: []\n" + labelled), HasSubstr("'std' holds no number"));
  EXPECT_THAT(refusal("kind: npy\ntest: {images: a.npy, count: 0}\n"), HasSubstr("'count' must be at least 1"));
  EXPECT_THAT(refusal("kind: npy\ntest: {images: short.npy}\n"),
              HasSubstr("short.npy: holds 7 bytes of data, not the 8"));
}

TEST_F(DescribedData, BytesStayBytesWhereNothingIsPrepared) {
  folder_.write("x.npy", npy_file("|u1", "(1, 2, 1, 2)", "\x0a\x14\x1e\x28"));  // channels first: 10, 20 and 30, 40
  const auto read = [&](const std::string& more) {
    return *load("kind: npy\nlayout: nchw\n" + more + "test: {images: x.npy}\n").test;
  };
  const Samples plain = read("scale: 0.0039215686\n");
  ASSERT_TRUE(plain.byte_pixels());
  EXPECT_THAT(plain.pixels(0), ElementsAre(10, 30, 20, 40));
  EXPECT_THAT(read("scale: 0.0039215686\nchannel_order: bgr\n").pixels(0), ElementsAre(30, 10, 40, 20));
  for (const char* other : {"", "scale: 0.0039216\n", "scale: 0.0039215686\nmean: [0, 0.1]\n",
                            "scale: 0.0039215686\nstd: 2\n", "scale: 0.0039215686\nresize: [4, 4]\n"}) {
    EXPECT_FALSE(read(other).byte_pixels()) << other;
  }
  EXPECT_THAT(read("scale: 0.5\nmean: [1, 4]\nstd: [1, 2]\n").zero(), ElementsAre(-1, -2));
}

}  // namespace
}  // namespace bitstrata::testing
