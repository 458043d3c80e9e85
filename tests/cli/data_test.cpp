// SPDX-License-Identifier: Apache-2.0
// Data sets of a dataset.yaml from the command line: trained on, quantized, run, evaluated, and refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/process.h"
#include "tests/model/picture_files.h"
#include "tests/model/sample_files.h"

namespace bitstrata::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr int side = 32;
const std::string head = "format: bitstrata-dataset-1\n";

// Image `i` of 10 classes: its class decides which rows are bright.
std::string pixel_rows(int i) {
  std::string rows;
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < 3 * side; ++x) rows += static_cast<char>(y / 3 == i % 10 ? 200 + i % 50 : 7 * x % 64);
  return rows;
}

class Data : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(std::filesystem::path(BITSTRATA_PROGRAM).parent_path() / "bitstrata-train"))
      GTEST_SKIP() << "this build has no training";
  }

  // Trains for an epoch, quantizes, and runs and evaluates what came out, on the data set that it was trained on.
  void through(const std::string& description, const std::vector<std::string>& options) {
    folder_.write("d.yaml", head + description);
    const std::string yaml = path("d.yaml");
    std::vector<std::string> train = {"train", "--network", "resnet20", "--dataset", yaml};
    train.insert(train.end(), {"--epochs", "1", "--batch", "8", "--threads", "1", "--quiet", "--out", path("float")});
    train.insert(train.end(), options.begin(), options.end());
    succeed(train);
    succeed(
        {"quantize", "--network", path("float"), "--dataset", yaml, "--threads", "1", "--quiet", "--out", path("q")});
    const json evaluated = succeed({"evaluate", "--network", path("q"), "--dataset", yaml});
    succeed({"run", "--network", path("q"), "--engine", "fast", "--images", "4", "--out", path("r")});
    EXPECT_EQ(evaluated.at("images"), 10);
  }

  json succeed(std::vector<std::string> words) {
    words.emplace_back("--json");
    const Finished finished = run_program(words);
    EXPECT_EQ(finished.status, 0) << words[0] << ": " << finished.err;
    return finished.status == 0 ? json::parse(finished.out) : json::object();
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  // Parts of PNG files in a subfolder for each class.
  void write_folder(const std::string& part, int count) const {
    for (int i = 0; i < count; ++i) {
      const std::string name = part + "/class" + std::to_string(i % 10);
      std::filesystem::create_directories(folder_ / name);
      folder_.write(name + "/" + std::to_string(i) + ".png",
                    png_file({.width = side, .height = side, .rows = pixel_rows(i), .palette = {}, .extra = {}}));
    }
  }

  std::string cifar(int count) const {
    std::string records;
    for (int i = 0; i < count; ++i) records += cifar_record({i % 10}, 20 * (i % 10));
    return records;
  }

  TemporaryFolder folder_;
};

TEST_F(Data, CifarFilesAsBytes) {
  folder_.write("train.bin", cifar(40));
  folder_.write("test.bin", cifar(10));
  through("kind: cifar10\nscale: 0.00392156863\ntrain: {images: [train.bin, train.bin]}\ntest: {images: test.bin}\n",
          {"--augment", "flip+crop", "--crop-padding", "2"});
  EXPECT_EQ(json::parse(read_text(path("float/run.json")))["options"]["augment"], "flip+crop in a border of 2");
  EXPECT_EQ(json::parse(read_text(path("r/run.json")))["inputs"]["images"]["source"], "d");
}

TEST_F(Data, FoldersOfImagesAsValues) {
  write_folder("train", 60);
  write_folder("test", 10);
  through(
      "kind: folder\nscale: 0.00392156863\nmean: [0.5, 0.4, 0.3]\nstd: 0.25\ntrain: {images: train}\ntest: {images: "
      "test}\n",
      {});
}

TEST_F(Data, ArraysAsValues) {
  std::string pixels, labels;
  for (int i = 0; i < 60; ++i) pixels += pixel_rows(i), labels += static_cast<char>(i % 10);
  const std::size_t ten = 10 * 3 * side * side;
  folder_.write("x.npy", npy_file("|u1", "(60, 32, 32, 3)", pixels));
  folder_.write("y.npy", npy_file("|u1", "(60,)", labels));
  folder_.write("tx.npy", npy_file("|u1", "(10, 32, 32, 3)", pixels.substr(0, ten)));
  folder_.write("ty.npy", npy_file("|u1", "(10,)", labels.substr(0, 10)));
  through("kind: npy\nscale: 0.01\ntrain: {images: x.npy, labels: y.npy}\ntest: {images: tx.npy, labels: ty.npy}\n",
          {});
}

TEST_F(Data, WhatDoesNotFitEndsWithOneLine) {
  folder_.write("train.bin", cifar(40));
  folder_.write("nine.bin", cifar(9));
  const auto refusal = [&](const std::string& description, const std::vector<std::string>& more) {
    folder_.write("d.yaml", head + description);
    std::vector<std::string> words = {"train",        "--network", "resnet20", "--dataset",
                                      path("d.yaml"), "--out",     path("o")};
    words.insert(words.end(), more.begin(), more.end());
    const Finished finished = run_program(words);
    EXPECT_EQ(finished.status, 2);
    EXPECT_EQ(finished.error_lines(), 1) << finished.err;
    EXPECT_FALSE(std::filesystem::exists(path("o")));
    return finished.err;
  };
  const std::string good = "kind: cifar10\ntrain: {images: train.bin}\ntest: {images: nine.bin}\n";
  EXPECT_THAT(refusal("kind: cifar10\ntrain: {images: [nine.bin, nine.bin]}\ntest: {images: nine.bin}\n", {}),
              HasSubstr("class 9 of 0..9 has no training example"));
  EXPECT_THAT(refusal("kind: cifar10\ntrain: {images: train.bin}\n", {}), HasSubstr("has no 'test' part"));
  EXPECT_THAT(refusal(good, {"--augment", "crop", "--crop-padding", "32"}), HasSubstr("32x32x3 take at most 31"));
  EXPECT_THAT(refusal(good, {"--crop-padding", "3"}), HasSubstr("belongs to --augment crop"));
  EXPECT_THAT(refusal(good, {"--augment", "crop+flip"}), HasSubstr("--augment"));
}

}  // namespace
}  // namespace bitstrata::testing
