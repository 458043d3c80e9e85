// SPDX-License-Identifier: Apache-2.0
// Samples of a data set in front of ONNX files: the values meet the file's input in the file's own order, or are
// refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "model/onnx/onnx.h"
#include "model/samples.h"
#include "tests/model/onnx_builder.h"
#include "tests/model/sample_files.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Dims = std::vector<std::int64_t>;

class OnnxSamples : public ::testing::Test {
 protected:
  FloatNetwork imported(const OnnxBuilder& m) const { return import_onnx(m.save(folder_ / "m.onnx")); }
  // One sample whose values are stored as the file's input has them.
  Samples stored(const Array& input, const std::string& rules) const {
    std::string shape, bytes;
    for (const std::int64_t side : input.dims) shape += std::to_string(side) + ", ";
    for (const double value : input.values) {
      const auto real = static_cast<float>(value);
      bytes.append(reinterpret_cast<const char*>(&real), sizeof(real));
    }
    folder_.write("x.npy", npy_file("<f4", "(" + shape + ")", bytes));
    return *load_samples(
                folder_.write("d.yaml", "format: bitstrata-dataset-1\nkind: npy\n" + rules + "test: {images: x.npy}\n")
                    .string())
                .test;
  }
  TemporaryFolder folder_;
};

// An input of 4x4x4 whose channels stand where the first layer wants them.
OnnxBuilder cube(int form) {
  OnnxBuilder m({1, 4, 4, 4});
  switch (form) {
    case 0:
      m.node("Conv", {"x", m.random({3, 4, 2, 2})});
      break;
    case 1:  // nothing tells: channels come first then
      m.node("Gemm", {m.node("Flatten", {"x"}), m.random({64, 5})});
      break;
    case 2:
      m.node("Mul", {"x", m.constant({1, 4, 1, 1}, {0.5, -1, 2, 3})});
      break;
    case 3:
      m.node("Conv", {m.node("Transpose", {"x"}, {{"perm", Dims{0, 3, 1, 2}}}), m.random({3, 4, 2, 2})});
      break;
    case 4:
      m.node("MatMul", {"x", m.random({4, 5})});
      break;
    default:
      m.node("Mul", {"x", m.constant({4}, {0.5, -1, 2, 3})});
  }
  return m;
}

TEST_F(OnnxSamples, OfEqualSidesAreReadInTheFilesOrderOrRefused) {
  for (int form = 0; form < 6; ++form) {
    SCOPED_TRACE(form);
    const bool last = form >= 3;
    const OnnxBuilder m = cube(form);
    const FloatNetwork network = imported(m);
    EXPECT_EQ(network.input_order, last ? ChannelOrder::last : ChannelOrder::first);
    const Array input = random_input(m, 7);
    const std::string right = last ? "layout: nhwc\n" : "layout: nchw\n", wrong = last ? "nchw" : "nhwc";
    // The file's own result holds the same values whatever their order is called.
    std::vector<double> wanted = m.run(input).values;
    const Reals result = run(network, fit(stored(input, right), 0, network));
    std::vector<double> got(result.begin(), result.end());
    std::sort(wanted.begin(), wanted.end()), std::sort(got.begin(), got.end());
    ASSERT_EQ(got.size(), wanted.size());
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 1e-5) << i;
    const std::string words =
        message_of<std::invalid_argument>([&] { fit(stored(input, "layout: " + wrong + "\n"), 0, network); });
    EXPECT_EQ(words, std::string("the network's input of 4x4x4 has its channels ") + (last ? "last" : "first") +
                         ", but the data set's 'layout: " + wrong + "' has them " + (last ? "first" : "last") +
                         "; 'layout: " + (last ? "nhwc" : "nchw") + "' feeds the values as they are stored");
    // Other sides told the order before the images were resized.
    EXPECT_NO_THROW(fit(stored({{1, 4, 6, 4}, std::vector<double>(96, 1)},
                               last ? "layout: nchw\nresize: [4, 4]\n" : "layout: nhwc\nresize: [4, 4]\n"),
                        0, network));
    EXPECT_THAT(message_of<std::runtime_error>([&] { stored(input, ""); }),
                HasSubstr("x.npy: has samples of 4x4x4, whose order shows nowhere: "));
  }
}

TEST_F(OnnxSamples, OfOtherSidesAreTurnedRound) {
  OnnxBuilder m({1, 4, 5, 3});  // channels last
  m.node("Conv", {m.node("Transpose", {"x"}, {{"perm", Dims{0, 3, 1, 2}}}), m.random({2, 3, 2, 2})});
  const FloatNetwork network = imported(m);
  EXPECT_EQ(network.input_order, ChannelOrder::last);
  const Samples samples = stored({{1, 3, 4, 5},
                                  [] {
                                    std::vector<double> values;
                                    for (int i = 0; i < 60; ++i) values.push_back(i);
                                    return values;
                                  }()},
                                 "layout: nchw\n");
  const Reals values = fit(samples, 0, network);
  EXPECT_THAT(std::vector<float>(values.begin(), values.begin() + 6), ElementsAre(0, 20, 40, 1, 21, 41));
}

// An array of samples, rows and columns is what other frameworks feed such files.
TEST_F(OnnxSamples, OfRowsAndColumnsMeetTheFilesTwoSides) {
  std::vector<double> values;
  for (int i = 0; i < 12; ++i) values.push_back(i);
  OnnxBuilder rows({1, 3, 4}), signal({1, 3, 4}), square({1, 4, 4});
  rows.node("MatMul", {"x", rows.random({4, 5})});
  signal.node("Conv", {"x", signal.random({2, 3, 2})});
  square.node("MatMul", {"x", square.random({4, 5})});
  const Samples samples = stored({{1, 3, 4}, values}, "");
  EXPECT_THAT(fit(samples, 0, imported(rows)), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  EXPECT_THAT(fit(samples, 0, imported(signal)), ElementsAre(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11));
  EXPECT_THAT(message_of<std::invalid_argument>([&] { fit(samples, 0, imported(square)); }),
              HasSubstr("the samples are 3x4x1, the network reads 1x4x4"));
  const Samples turned = stored({{1, 4, 3}, values}, "");
  EXPECT_THAT(message_of<std::invalid_argument>([&] { fit(turned, 0, imported(rows)); }),
              HasSubstr("the samples are 4x3x1, the network reads 1x3x4"));
}

// A file that takes a vector and makes an image of it.
TEST_F(OnnxSamples, OfAVectorAreTheFilesInputElementByElement) {
  for (const bool last : {false, true}) {
    OnnxBuilder m({1, 24});
    std::string x = m.node("Reshape", {"x", m.ints(last ? Dims{1, 3, 4, 2} : Dims{1, 2, 3, 4})});
    if (last) x = m.node("Transpose", {x}, {{"perm", Dims{0, 3, 1, 2}}});
    m.node("Conv", {x, m.random({5, 2, 2, 2})});
    const Array input = random_input(m, 1), wanted = m.run(input);
    const Reals result = run(imported(m), fit(stored(input, ""), 0, imported(m)));
    const std::vector<float> values = to_nhwc(wanted);
    ASSERT_EQ(result.size(), values.size());
    for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(result[i], values[i], 1e-5) << i;
  }
  OnnxBuilder grey({1, 12});
  grey.node("Conv", {grey.node("Reshape", {"x", grey.ints({1, 1, 3, 4})}), grey.random({2, 1, 2, 2})});
  const Array input = random_input(grey, 2);
  EXPECT_EQ(fit(stored(input, ""), 0, imported(grey)), Reals(input.values.begin(), input.values.end()));
}

TEST_F(OnnxSamples, OfAFlatVectorComeAsTheDataSetSays) {
  OnnxBuilder m({1, 8});
  m.node("Gemm", {"x", m.random({8, 3})});
  const FloatNetwork network = imported(m);
  EXPECT_EQ(network.input_order, ChannelOrder::any);
  const Array pixels{{1, 2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}};  // rows, columns, channels
  struct Case {
    const char* rules;
    bool guessed;
    std::vector<float> wanted;
  };
  for (const Case& c : {Case{"layout: nhwc\n", true, {1, 3, 5, 7, 2, 4, 6, 8}},
                        Case{"layout: nhwc\nflat_order: nchw\n", false, {1, 3, 5, 7, 2, 4, 6, 8}},
                        Case{"layout: nhwc\nflat_order: nhwc\n", false, {1, 2, 3, 4, 5, 6, 7, 8}},
                        Case{"layout: nchw\nflat_order: nchw\n", false, {1, 2, 3, 4, 5, 6, 7, 8}},
                        Case{"layout: nchw\nflat_order: nhwc\n", false, {1, 5, 2, 6, 3, 7, 4, 8}}}) {
    const Samples samples = stored(pixels, c.rules);
    EXPECT_EQ(guesses_flat_order(samples, network), c.guessed) << c.rules;
    EXPECT_EQ(fit(samples, 0, network), c.wanted) << c.rules;
  }
  EXPECT_FALSE(guesses_flat_order(stored({{1, 2, 4, 1}, pixels.values}, ""), network));  // one channel
  EXPECT_THAT(message_of<std::runtime_error>([&] { stored(pixels, "layout: nhwc\nflat_order: nhcw\n"); }),
              HasSubstr("'flat_order' is 'nhcw'; allowed: nhwc, nchw"));
}

}  // namespace
}  // namespace bitstrata::testing
