// SPDX-License-Identifier: Apache-2.0
// Depth to space and transposed convolutions of files against the plain execution of the same files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "model/onnx/onnx.h"
#include "tests/model/onnx_space_cases.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::HasSubstr;
using Dims = std::vector<std::int64_t>;

// Compares the output of one input; returns how many values.
std::size_t expect_same(const OnnxBuilder& builder, const FloatNetwork& network, std::uint64_t seed, bool image) {
  const Array input = random_input(builder, seed), expected = builder.run(input);
  const std::vector<float> wanted =
      image ? to_nhwc(expected) : std::vector<float>(expected.values.begin(), expected.values.end());
  const Reals result = run(network, to_nhwc(input));
  EXPECT_EQ(result.size(), wanted.size());
  double largest = 0;
  for (std::size_t i = 0; i < std::min(result.size(), wanted.size()); ++i)
    largest = std::max(largest, std::abs(double{result[i]} - wanted[i]));
  EXPECT_LT(largest, 2e-5);
  return wanted.size();
}

TEST(OnnxSpace, ImagesOfChannelsForEveryReader) {
  const TemporaryFolder folder;
  for (const OnnxCase& tested : onnx_space_cases()) {
    SCOPED_TRACE(tested.name);
    const FloatNetwork network = import_onnx(tested.model.save(folder / "model.onnx"));
    if (tested.nodes != 0) {
      EXPECT_EQ(network.graph.nodes().size(), static_cast<std::size_t>(tested.nodes));
    }
    EXPECT_FALSE(network.quantized()) << "layers of the importer count as the file's";
    expect_same(tested.model, network, 1, tested.image);
  }
}

TEST(OnnxSpace, RandomTransposedConvolutions) {
  const TemporaryFolder folder;
  std::size_t values = 0, cut = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    const OnnxCase tested = random_transposed_convolution(seed);
    const FloatNetwork network = import_onnx(tested.model.save(folder / "model.onnx"));
    values += expect_same(tested.model, network, seed, true);
    cut += network.graph.nodes().back().name.ends_with("_cut") ? 1 : 0;
  }
  EXPECT_GT(values, 20000U);
  EXPECT_GT(cut, 20U);
  EXPECT_LT(cut, 180U);
}

// ONNX Runtime takes the products of other pixels there, and reads beyond them.
TEST(OnnxSpace, OutputsFarBeyondTheLastWindowFollowTheStandard) {
  struct Far {
    Dims strides, dilations, more, shape;
    const char* automatic;
    const char* reason;  // empty: no output is that far
  };
  const std::vector<Far> cases = {
      {{2, 1}, {3, 2}, {2, 1}, {}, "NOTSET", "as its output_padding says"},
      {{2, 1}, {3, 2}, {1, 1}, {}, "VALID", "as its output_padding says"},
      {{2, 2}, {3, 1}, {2, 0}, {}, "SAME_UPPER", "as its output_padding says"},
      {{2, 2}, {3, 1}, {2, 0}, {12, 10}, "SAME_LOWER", "as its output_shape says"},
      {{2, 3}, {1, 1}, {0, 0}, {13, 18}, "NOTSET", "as its output_shape says"},
      {{2, 3}, {1, 1}, {0, 0}, {12, 17}, "NOTSET", ""},
      {{3, 2}, {1, 2}, {2, 1}, {}, "NOTSET", ""},
  };
  const TemporaryFolder folder;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    const Far& far = cases[i];
    OnnxBuilder m({1, 3, 5, 5});
    Attrs attributes = {{"strides", far.strides},
                        {"dilations", far.dilations},
                        {"output_padding", far.more},
                        {"auto_pad", far.automatic}};
    if (!far.shape.empty()) attributes.emplace("output_shape", far.shape);
    m.node("ConvTranspose", {"x", m.random({3, 2, 3, 3}), m.random({2})}, attributes);
    const FloatNetwork network = import_onnx(m.save(folder / "model.onnx"));
    expect_same(m, network, 1, true);
    ASSERT_EQ(network.notes.size(), far.reason[0] == '\0' ? 0U : 1U);
    for (const std::string& note : network.notes) {
      EXPECT_THAT(note, HasSubstr(far.reason));
      EXPECT_THAT(note, HasSubstr("ONNX Runtime then takes products of other pixels for 75 to 100 % of its values"));
    }
  }
}

TEST(OnnxSpace, UNet) {
  const TemporaryFolder folder;
  const OnnxBuilder m = unet();
  const FloatNetwork network = import_onnx(m.save(folder / "unet.onnx"));
  expect_same(m, network, 1, true);
  // A tap of a stride's own kernel meets one pixel: no weight is 0.
  const int up = network.graph.weight_layers()[3];
  EXPECT_EQ(network.graph.node(up).window, Window{});
  EXPECT_EQ(network.graph.node(up).out_channels, 4 * 6);
}

TEST(OnnxSpace, RefusesWithOperatorAndNode) {
  const TemporaryFolder folder;
  struct Bad {
    const char* words;
    std::function<void(OnnxBuilder&)> make;
  };
  const auto transposed = [](Attrs attributes) {
    return [attributes](OnnxBuilder& m) { m.node("ConvTranspose", {"x", m.random({6, 2, 3, 3})}, attributes); };
  };
  const std::vector<Bad> cases = {
      {"6 channels are no multiple of the 4 pixels of a block",
       [](OnnxBuilder& m) {
         m.node("DepthToSpace", {"x"}, {{"blocksize", 2}});
       }},
      {"its blocksize is 0; 1 to 64 is supported",
       [](OnnxBuilder& m) {
         m.node("DepthToSpace", {"x"}, {{"blocksize", 0}});
       }},
      {"mode 'RCD' is not known; DCR and CRD are",
       [](OnnxBuilder& m) {
         m.node("DepthToSpace", {"x"}, {{"blocksize", 1}, {"mode", "RCD"}});
       }},
      {"5x5 pixels are no whole blocks of 2x2",
       [](OnnxBuilder& m) {
         m.node("SpaceToDepth", {"x"}, {{"blocksize", 2}});
       }},
      {"its stride is 65; 1 to 64 is supported", transposed({{"strides", Dims{65, 1}}})},
      {"one of its pads is -1", transposed({{"pads", Dims{-1, 0, 0, 0}}})},
      {"its strides has 3 entries, not 2", transposed({{"strides", Dims{1, 1, 1}}})},
      {"its kernel_shape is not that of its weights, 3", transposed({{"kernel_shape", Dims{2, 2}}})},
      {"its weights of 6x2x3x3 in 4 group(s) do not fit 6 channels", transposed({{"group", 4}})},
      {"an output side would be -1", transposed({{"pads", Dims{4, 0, 4, 0}}})},
      {"an output side would be 0", transposed({{"output_shape", Dims{std::numeric_limits<std::int64_t>::min(), 5}}})},
      {"its output_padding is 2; less than its stride, 2, or its dilation, 1, is right",
       transposed({{"strides", Dims{3, 2}}, {"output_padding", Dims{2, 2}}})},
      {"its output_padding is 2; less than its stride, 1, or its dilation, 2, is right",
       transposed({{"dilations", Dims{2, 3}}, {"output_padding", Dims{2, 2}}})},
      {"its output_padding is 1; less than its stride, 1, or its dilation, 1, is right",
       transposed({{"output_padding", Dims{1, 0}}, {"output_shape", Dims{5, 5}}})},
      {"auto_pad 'UPPER' is not known", transposed({{"auto_pad", "UPPER"}})},
      {"has 3 biases for 2 outputs",
       [](OnnxBuilder& m) {
         m.node("ConvTranspose", {"x", m.random({6, 2, 3, 3}), m.random({3})});
       }},
      {"has weights of 6x2x3x3x3; 1 or 2 spatial dimensions are supported",
       [](OnnxBuilder& m) {
         m.node("ConvTranspose", {"x", m.random({6, 2, 3, 3, 3})});
       }},
  };
  for (const Bad& bad : cases) {
    OnnxBuilder m({1, 6, 5, 5});
    bad.make(m);
    const auto file = m.save(folder / "bad.onnx");
    EXPECT_THAT(message_of<std::runtime_error>([&] { import_onnx(file); }), HasSubstr(bad.words));
  }
}

}  // namespace
}  // namespace bitstrata::testing
