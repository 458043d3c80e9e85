// SPDX-License-Identifier: Apache-2.0
// dataset.yaml: every kind of file, preparation of values, and misuse.
#include "model/samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/model/sample_files.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string head = "format: bitstrata-dataset-1\n";

TEST(Samples, RawValuesAreScaledAndShifted) {
  const TemporaryFolder folder;
  folder.write("x.bin", std::string("\xff\x01\x02\x03", 4));
  folder.write("y.bin", std::string("\x01\x00", 2));
  const auto file = folder.write("d.yaml", head +
                                               "kind: raw\ntype: int8\nshape: [1, 2, 1]\nscale: 0.5\nmean: 1\nstd: 2\n"
                                               "test: {images: x.bin, labels: y.bin}\n");
  const SampleSet set = load_samples(file.string());
  ASSERT_TRUE(set.test);
  EXPECT_EQ(set.test->count(), 2);
  EXPECT_EQ(set.test->label(0), 1);
  EXPECT_THAT(set.test->values(0), ElementsAre(-0.75F, -0.25F));
  EXPECT_THAT(set.test->values(1), ElementsAre(0.0F, 0.25F));
}

TEST(Samples, ResizedSamplesFitIntoMemory) {
  const TemporaryFolder folder;
  folder.write("x.bin", std::string(65536, '\1'));
  const auto refusal = [&](const std::string& shape, const std::string& resize) {
    const auto file = folder.write("d.yaml", head + "kind: raw\ntype: uint8\nshape: " + shape + "\nresize: " + resize +
                                                 "\ntest: {images: x.bin}\n");
    return message_of<std::runtime_error>([&] { load_samples(file.string()); });
  };
  EXPECT_THAT(
      refusal("[1, 1, 65536]", "[4096, 4096]"),
      HasSubstr("d.yaml:5: 'resize' makes 1099511627776 values of a sample of 65536 channels; at most 268435456 "
                "are read"));
  EXPECT_EQ(refusal("[1, 1, 65536]", "[64, 64]"), "(no exception)");
  EXPECT_EQ(refusal("[1, 4096, 16]", "[4096, 4096]"), "(no exception)");
}

TEST(Samples, LabelsOfNumpyFilesAreWholeNumbersOnePerSample) {
  const TemporaryFolder folder;
  folder.write("x.bin", std::string("\x01\x02", 2));
  const std::string file =
      folder.write("d.yaml", head + "kind: raw\ntype: uint8\nshape: [1, 1, 1]\ntest: {images: x.bin, labels: y.npy}\n")
          .string();
  const auto read = [&](const std::string& type, const std::string& shape, const auto& values) {
    folder.write("y.npy", npy_file(type, shape,
                                   std::string(reinterpret_cast<const char*>(values.data()),
                                               values.size() * sizeof(values[0]))));
    return load_samples(file);
  };
  const auto refusal = [&](const std::string& type, const std::string& shape, const auto& values) {
    return message_of<std::runtime_error>([&] { read(type, shape, values); });
  };
  // Floats of 32 bits do not hold this one.
  EXPECT_EQ(read("<i8", "(2,)", std::vector<std::int64_t>{16777217, 3}).test->label(0), 16777217);
  EXPECT_EQ(read("<i2", "(2, 1)", std::vector<std::int16_t>{5, 3}).test->label(0), 5);
  EXPECT_EQ(read("<f8", "(2,)", std::vector<double>{1, 3}).test->label(1), 3);
  EXPECT_THAT(refusal("<f4", "(2,)", std::vector<float>{1, 2.5F}),
              HasSubstr("label of sample 1 (counted from 0) is 2.5"));
  EXPECT_THAT(refusal("<i4", "(2,)", std::vector<std::int32_t>{-1, 0}),
              HasSubstr("label of sample 0 (counted from 0) is -1"));
  EXPECT_THAT(refusal("<i8", "(2,)", std::vector<std::int64_t>{0, std::int64_t{1} << 32}), HasSubstr("is 4294967296"));
  EXPECT_THAT(refusal("<i4", "(1, 2)", std::vector<std::int32_t>{1, 0}), HasSubstr("an array of 1x2"));
  EXPECT_THAT(refusal("<i4", "(2,)", std::vector<std::int32_t>{1, 0, 2}),
              HasSubstr("holds 12 bytes of data, not the 8 whose size its header tells"));
  EXPECT_THAT(refusal("<i4", "(3,)", std::vector<std::int32_t>{1, 0, 2}), HasSubstr("3 labels for 2 samples"));
}

TEST(Samples, ChannelsFirstAndReversedAndResized) {
  const TemporaryFolder folder;
  // One image of 1x2 with 2 channels, channels first: channel 0 is 10, 20 and channel 1 is 30, 40.
  folder.write("x.npy", npy_file("|u1", "(1, 2, 1, 2)", std::string("\x0a\x14\x1e\x28", 4)));
  const auto read = [&](const std::string& more) {
    const SampleSet set = load_samples(
        folder.write("d.yaml", head + "kind: npy\nlayout: nchw\n" + more + "test: {images: x.npy}\n").string());
    return set.test->values(0);
  };
  EXPECT_THAT(read(""), ElementsAre(10, 30, 20, 40));
  EXPECT_THAT(read("channel_order: bgr\n"), ElementsAre(30, 10, 40, 20));
  EXPECT_THAT(read("resize: [1, 4]\n"), ElementsAre(10, 30, 12.5F, 32.5F, 17.5F, 37.5F, 20, 40));
  EXPECT_THAT(read("mean: [10, 30]\nstd: [1, 10]\n"), ElementsAre(0, 0, 10, 1));
}

TEST(Samples, CifarRecords) {
  const TemporaryFolder folder;
  std::string records;
  for (int i = 0; i < 3; ++i)
    records += static_cast<char>(i) + std::string(1024, static_cast<char>(10 + i)) + std::string(1024, 20) +
               std::string(1024, 30);
  folder.write("c.bin", records);
  const SampleSet set = load_samples(
      folder.write("d.yaml", head + "kind: cifar10\ntest: {images: c.bin, first: 1, count: 2}\n").string());
  EXPECT_EQ(set.test->count(), 2);
  EXPECT_EQ(set.test->label(0), 1);
  EXPECT_EQ(set.test->shape(), (Shape{32, 32, 3}));
  const Reals values = set.test->values(0);
  EXPECT_THAT(std::vector<float>(values.begin(), values.begin() + 3), ElementsAre(11, 20, 30));
  const auto reads = [](Shape input) {
    FloatNetwork network;
    network.graph.add_input(input, "input");
    return network;
  };
  EXPECT_EQ(fit(*set.test, 0, reads({1, 1, 3072}))[1], 11);  // flattened channel by channel
  EXPECT_THAT(message_of<std::invalid_argument>([&] { fit(*set.test, 0, reads({16, 16, 3})); }), HasSubstr("32x32x3"));
}

TEST(Samples, MisuseIsNamed) {
  const TemporaryFolder folder;
  folder.write("x.bin", "12345");
  folder.write("x.npy", "\x93NUMPY");
  const auto refusal = [&](const std::string& text) {
    return message_of<std::runtime_error>([&] { load_samples(folder.write("d.yaml", text).string()); });
  };
  EXPECT_THAT(refusal(head + "kindd: raw\n"), HasSubstr("did you mean 'kind'"));
  EXPECT_THAT(refusal(head + "kind: row\n"), HasSubstr("did you mean 'raw'"));
  EXPECT_THAT(refusal(head + "kind: raw\n"), HasSubstr("needs the key 'type'"));
  EXPECT_THAT(refusal(head + "kind: cifar10\n"), HasSubstr("'test' or 'train' is missing"));
  EXPECT_THAT(refusal(head + "kind: raw\ntype: int8\nshape: [1, 2, 1]\ntest: {images: x.bin}\n"),
              HasSubstr("whole number of samples"));
  EXPECT_THAT(refusal(head + "kind: raw\ntype: int8\nshape: [1, 5, 1]\ntest: {images: x.bin, first: 1}\n"),
              HasSubstr("of 1"));
  EXPECT_THAT(refusal(head + "kind: raw\ntype: int8\nshape: [1, 5, 1]\nmean: [1, 2]\ntest: {images: x.bin}\n"),
              HasSubstr("2 entries"));
  EXPECT_THAT(refusal(head + "kind: npy\ntest: {images: x.npy}\n"), HasSubstr("no .npy file"));
  folder.write("x.npy", npy_file("<\nf", "(1, 2, 1, 2)", "1234"));  // the message stays one line
  EXPECT_THAT(refusal(head + "kind: npy\ntest: {images: x.npy}\n"), HasSubstr("holds numbers of type '<?f'"));
  EXPECT_THAT(refusal(head + "kind: raw\ntype: int8\nshape: [1, 5, 1]\ntest: {images: no.bin}\n"), HasSubstr("no.bin"));
}

}  // namespace
}  // namespace bitstrata::testing
