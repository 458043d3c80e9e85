// SPDX-License-Identifier: Apache-2.0
// Samples as training data: bytes or values, the split, what is refused, and codes as hosts make them.
#include "quant/training_data.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "tests/quant/support.h"

namespace bitstrata::quant {
namespace {

using model::Samples;
using model::StoredType;

// `count` samples of 1x2x1 whose first byte is their number; labels take turns.
Samples bytes_samples(int count, int classes, const model::Preparation& preparation, int first = 0) {
  std::vector<std::uint8_t> bytes;
  std::vector<int> labels;
  for (int i = 0; i < count; ++i) {
    bytes.push_back(static_cast<std::uint8_t>(first + i));
    bytes.push_back(255);
    if (classes > 0) labels.push_back(i % classes);
  }
  return Samples({1, 2, 1}, StoredType::uint8, bytes, labels, preparation);
}

model::SampleSet some(const model::Preparation& preparation, int classes = 3) {
  return {.name = "some",
          .classes = classes,
          .train = bytes_samples(36, classes, preparation),
          .test = bytes_samples(6, classes, preparation, 100)};
}

const model::Preparation plain{.scale = 1.0 / 255, .mean = {}, .deviation = {}};

template <typename Action>
std::string refusal(const Action& action) {
  try {
    action();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(TrainingDataOfSamples, SplitsTheTrainingPartAlone) {
  const TrainingData data = training_data(some(plain));
  EXPECT_EQ(data.name, "some");
  EXPECT_EQ(data.classes, 3);
  EXPECT_EQ(data.train.count(), 33);
  EXPECT_EQ(data.validation.count(), 3);
  EXPECT_EQ(data.test.count(), 6);
  std::vector<bool> seen(36);
  for (const Examples* part : {&data.train, &data.validation}) {
    ASSERT_EQ(part->bytes.size(), 2U * part->labels.size());
    EXPECT_TRUE(part->values.empty());
    for (int i = 0; i < part->count(); ++i) {
      const auto number = part->bytes[2U * static_cast<std::size_t>(i)];
      EXPECT_FALSE(seen.at(number));
      seen.at(number) = true;
      EXPECT_EQ(part->labels[static_cast<std::size_t>(i)], number % 3);
    }
  }
  for (int i = 0; i < 6; ++i) EXPECT_EQ(data.test.bytes[2U * static_cast<std::size_t>(i)], 100 + i);
  EXPECT_EQ(training_data(some(plain)).validation.bytes, data.validation.bytes);
  EXPECT_NE(training_data(some(plain), 2).validation.bytes, data.validation.bytes);
}

TEST(TrainingDataOfSamples, PreparedSamplesAreValues) {
  const model::Preparation prepared{.scale = 0.5, .mean = {1}, .deviation = {2}};
  const TrainingData data = training_data(some(prepared));
  EXPECT_TRUE(data.train.bytes.empty());
  EXPECT_EQ(data.test.values[0], 24.5F);   // (100 / 2 - 1) / 2
  EXPECT_EQ(data.test.values[1], 63.25F);  // (255 / 2 - 1) / 2
  EXPECT_EQ(data.train.border, std::vector<float>{-0.5F});
}

TEST(TrainingDataOfSamples, RefusesWhatCannotBeTrainedOn) {
  const auto of = [](model::SampleSet set) { return refusal([&] { training_data(set); }); };
  model::SampleSet set = some(plain);
  set.train.reset();
  EXPECT_NE(of(set).find("'some': has no 'train' part"), std::string::npos);
  set = some(plain);
  set.test.reset();
  EXPECT_NE(of(set).find("has no 'test' part"), std::string::npos);
  set = some(plain);
  set.test = bytes_samples(6, 0, plain);
  EXPECT_NE(of(set).find("the test samples have no labels"), std::string::npos);
  set = some(plain);
  set.test = bytes_samples(6, 3, {.scale = 1, .mean = {}, .deviation = {}});
  EXPECT_NE(of(set).find("different types"), std::string::npos);
  set.test = Samples({2, 1, 1}, StoredType::uint8, {1, 2}, {0}, plain);
  EXPECT_NE(of(set).find("differ in size"), std::string::npos);
  std::vector<std::uint8_t> bytes(24 * sizeof(float));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(bytes.data() + 5 * sizeof(float), &nan, sizeof(float));
  set.train = Samples({1, 1, 1}, StoredType::float32, bytes, std::vector<int>(24), {.mean = {}, .deviation = {}});
  set.test = set.train;
  EXPECT_NE(of(set).find("training sample 5 (counted from 0) has a value that is no finite number"), std::string::npos);
}

TEST(TrainingDataOfSamples, AClassWithoutTrainingExamplesIsRefused) {
  EXPECT_EQ(refusal([] { check_classes(training_data(some(plain))); }), "accepted");
  TrainingData data = training_data(some(plain));
  data.classes = 4;
  EXPECT_EQ(refusal([&] { check_classes(data); }),
            "data set 'some': class 3 of 0..3 has no training example (33 in all, 3 more set aside for validation)");
  for (int& label : data.train.labels)
    if (label == 1) label = 3;
  EXPECT_NE(refusal([&] { check_classes(data); }).find("class 1 of 0..3"), std::string::npos);
}

// A network that was trained on other values sees pixels as the values they are, not as their bytes.
TEST(TrainingDataOfSamples, CodesFollowTheInputOfTheNetwork) {
  const TrainingData data = training_data(some(plain));
  model::TensorFormat input;
  input.shape = {1, 2, 1};
  input.bits = 8;
  input.scale = 1.0 / 255;
  EXPECT_TRUE(model::takes_pixels(input));
  EXPECT_EQ(encode(input, data.test, 0), (model::Codes{100, 255}));
  input.scale = 4.0 / 255;
  EXPECT_FALSE(model::takes_pixels(input));
  EXPECT_EQ(encode(input, data.test, 1), (model::Codes{25, 64}));  // 25.25 and 63.75
  input.zero_point = 10;
  EXPECT_EQ(encode(input, data.test, 0), (model::Codes{35, 74}));
}

}  // namespace
}  // namespace bitstrata::quant
