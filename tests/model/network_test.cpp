// SPDX-License-Identifier: Apache-2.0
// Network graphs: shapes, counts, refusals, and the built-in networks' published numbers.
#include "model/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <iostream>

#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Window square(int kernel, int stride = 1, int pad = 0) { return {kernel, kernel, stride, stride, pad, pad, pad, pad}; }

std::int64_t macs_of(const Network& net, const std::string& name) { return net.macs(net.find(name)); }
std::int64_t parameters_of(const Network& net, const std::string& name) { return net.parameters(net.find(name)); }

TEST(LeNet5, HasThePublishedCounts) {
  const Network net = build_network("lenet5");
  // 28*28*25*6, 10*10*5*5*6*16, 400*120, 120*84, 84*10
  EXPECT_EQ(macs_of(net, "conv1"), 117600);
  EXPECT_EQ(macs_of(net, "conv2"), 240000);
  EXPECT_EQ(macs_of(net, "fc1"), 48000);
  EXPECT_EQ(macs_of(net, "fc2"), 10080);
  EXPECT_EQ(macs_of(net, "fc3"), 840);
  EXPECT_EQ(net.total_macs(), 416520);
  // 156 + 2,416 + 48,120 + 10,164 + 850
  EXPECT_EQ(parameters_of(net, "conv1"), 156);
  EXPECT_EQ(parameters_of(net, "conv2"), 2416);
  EXPECT_EQ(net.total_parameters(), 61706);
  EXPECT_EQ(net.nodes().back().output, (Shape{1, 1, 10}));
}

// MACs, image 28x28, then 14x14, then 7x7; a 3x3 convolution costs pixels * 9 * in * out:
//   conv1 784 * 9 *  1 *  8 =  56,448     conv2 784 * 9 *  8 * 16 = 903,168
//   conv3 196 * 9 * 16 * 16 = 451,584     conv4 196 * 9 * 16 * 32 = 903,168
//   conv5  49 * 9 * 32 * 32 = 451,584     conv6  49 * 9 * 32 * 64 = 903,168     fc 64 * 10 = 640
//   total 3,669,760
// Parameters, 9 * in * out + out and 2 * out for the batch norm:
//   80 + 16,  1,168 + 32,  2,320 + 32,  4,640 + 64,  9,248 + 64,  18,496 + 128,  fc 650
//   total 36,938
TEST(VggSmall, HasTheCountsOfItsComment) {
  const Network net = build_network("vgg_small");
  std::cout << "vgg_small: " << net.total_macs() << " MACs, " << net.total_parameters() << " parameters\n";
  EXPECT_EQ(macs_of(net, "conv1"), 56448);
  EXPECT_EQ(macs_of(net, "conv2"), 903168);
  EXPECT_EQ(macs_of(net, "conv3"), 451584);
  EXPECT_EQ(macs_of(net, "conv4"), 903168);
  EXPECT_EQ(macs_of(net, "conv5"), 451584);
  EXPECT_EQ(macs_of(net, "conv6"), 903168);
  EXPECT_EQ(macs_of(net, "fc"), 640);
  EXPECT_EQ(net.total_macs(), 3669760);
  EXPECT_EQ(net.total_parameters(), 36938);
  EXPECT_LT(100 * macs_of(net, "conv1"), 4 * net.total_macs());
  EXPECT_EQ(net.node(net.find("pool3")).output, (Shape{1, 1, 64}));
}

TEST(Shapes, FollowTheWindow) {
  Network net("shapes");
  const int input = net.add_input({11, 8, 6});
  // height: (11 + 1 + 2 - (2*(3-1)+1)) / 2 + 1 = 5; width: (8 + 0 + 1 - 2) / 3 + 1 = 3
  const int conv = net.add_convolution(input, "conv", 9, {3, 2, 2, 3, 1, 2, 0, 1, 2, 1}, 3);
  EXPECT_EQ(net.node(conv).output, (Shape{5, 3, 9}));
  EXPECT_EQ(net.macs(conv), 5 * 3 * 9 * 3 * 2 * (6 / 3));
  EXPECT_EQ(net.parameters(conv), 9 * (3 * 2 * 2 + 1));
  const int pool = net.add_pool(conv, "pool", Op::max_pool, square(2, 2));
  EXPECT_EQ(net.node(pool).output, (Shape{2, 1, 9}));
  const int fc = net.add_linear(pool, "fc", 4);
  EXPECT_EQ(net.node(fc).output, (Shape{1, 1, 4}));
  EXPECT_EQ(net.macs(fc), 72);
  EXPECT_EQ(net.macs(pool), 0);
  EXPECT_EQ(net.input_shape(fc), (Shape{2, 1, 9}));
  EXPECT_THAT(net.weight_layers(), ElementsAre(conv, fc));
  EXPECT_THAT(net.consumers(conv), ElementsAre(pool));
}

struct Refusal {
  std::string message;
  std::function<void(Network&, int conv, int pool)> call;
};

TEST(Network, RefusesWhatDoesNotFit) {
  const std::vector<Refusal> refusals = {
      {"input 'again': a network has one input",
       [](Network& n, int, int) {
         n.add_input({1, 1, 1}, "again");
       }},
      {"convolution 'conv': the name is taken", [](Network& n, int c, int) { n.add_convolution(c, "conv", 1, {}); }},
      {"relu '': a node needs a name", [](Network& n, int c, int) { n.add_relu(c, ""); }},
      {"relu 'r': reads node 9, which does not exist yet", [](Network& n, int, int) { n.add_relu(9, "r"); }},
      {"convolution 'c': out_channels is 0", [](Network& n, int c, int) { n.add_convolution(c, "c", 0, {}); }},
      {"convolution 'c': 3 groups do not divide 4 input and 6 output channels",
       [](Network& n, int c, int) { n.add_convolution(c, "c", 6, {}, 3); }},
      {"convolution 'c': a kernel reaching over 7 does not fit the padded height of 6",
       [](Network& n, int c, int) { n.add_convolution(c, "c", 6, square(7)); }},
      {"convolution 'c': kernel, stride and dilation must be at least 1",
       [](Network& n, int c, int) { n.add_convolution(c, "c", 6, square(3, 0)); }},
      {"convolution 'c': padding of height is negative",
       [](Network& n, int c, int) { n.add_convolution(c, "c", 6, square(3, 1, -1)); }},
      {"linear 'fc': out_features is -2", [](Network& n, int c, int) { n.add_linear(c, "fc", -2); }},
      {"batch_norm 'bn': must follow a convolution or linear node, not the max_pool 'pool'",
       [](Network& n, int, int p) { n.add_batch_norm(p, "bn"); }},
      {"batch_norm 'bn': a batch norm must be the only reader of 'conv', which 'pool' reads already",
       [](Network& n, int c, int) { n.add_batch_norm(c, "bn"); }},
      {"leaky_relu 'r': the slope is 1; it must lie in 0..1",
       [](Network& n, int, int p) { n.add_leaky_relu(p, "r", 1.0); }},
      {"add 'a': its inputs are 6x6x4 and 3x3x4; they must be equal",
       [](Network& n, int c, int p) { n.add_elementwise(c, p, "a", Op::add); }},
      {"concatenate 'j': joins 6x6x4 and 3x3x4; heights and widths must agree",
       [](Network& n, int c, int p) {
         n.add_concatenate({c, p}, "j");
       }},
      {"concatenate 'j': needs at least two inputs", [](Network& n, int c, int) { n.add_concatenate({c}, "j"); }},
      {"upsample 'u': the factor is 0; it must lie in 1..64",
       [](Network& n, int c, int) { n.add_upsample(c, "u", 0); }},
      {"depth_to_space 'd': the block is 0x2; its sides must lie in 1..64",
       [](Network& n, int c, int) {
         n.add_depth_to_space(c, "d", {0, 2});
       }},
      {"depth_to_space 'd': 4 channels are not a multiple of the 6 pixels of a block of 2x3",
       [](Network& n, int c, int) {
         n.add_depth_to_space(c, "d", {2, 3});
       }},
      {"relu 'p': is not a kind of pooling", [](Network& n, int c, int) { n.add_pool(c, "p", Op::relu, {}); }},
      {"average_pool 'p': average pooling takes no padding",
       [](Network& n, int c, int) { n.add_pool(c, "p", Op::average_pool, square(3, 1, 1)); }},
  };
  for (const Refusal& refusal : refusals) {
    Network net("small");
    const int input = net.add_input({6, 6, 2});
    const int conv = net.add_convolution(input, "conv", 4, square(1));
    const int pool = net.add_pool(conv, "pool", Op::max_pool, square(2, 2));
    const std::size_t before = net.nodes().size();
    EXPECT_THAT(message_of<std::invalid_argument>([&] { refusal.call(net, conv, pool); }), HasSubstr(refusal.message));
    EXPECT_EQ(net.nodes().size(), before);
  }
  Network empty("empty");
  EXPECT_THAT(message_of<std::invalid_argument>([&] { empty.add_linear(0, "fc", 3); }),
              HasSubstr("the first node must be the input"));
  EXPECT_THAT(message_of<std::invalid_argument>([&] { empty.add_input({0, 1, 1}); }), HasSubstr("0x1x1"));
}

TEST(Network, BlocksOfChannelsBecomePixels) {
  Network net("space");
  const int conv = net.add_convolution(net.add_input({2, 3, 1}), "conv", 18, square(1));
  const int spread = net.add_depth_to_space(conv, "spread", {3, 2});
  net.keep_rounding(conv);
  EXPECT_EQ(net.node(spread).output, (Shape{6, 6, 3}));
  EXPECT_EQ(net.macs(spread), 0);
  const Network narrow = net.with_channels({18});
  EXPECT_TRUE(narrow.node(conv).rounded);
  EXPECT_EQ(narrow.node(spread).block, (std::array<int, 2>{3, 2}));
  EXPECT_EQ(narrow.node(spread).output, (Shape{6, 6, 3}));
}

TEST(Network, NothingElseReadsWhatABatchNormFolds) {
  Network net("fold");
  const int conv = net.add_convolution(net.add_input({4, 4, 1}), "conv", 2, square(1));
  net.add_batch_norm(conv, "norm");
  EXPECT_THAT(message_of<std::invalid_argument>([&] { net.add_relu(conv, "relu"); }),
              HasSubstr("a batch norm must be the only reader of 'conv'"));
}

TEST(Find, NamesTheNearest) {
  const Network net = build_network("vgg_small");
  EXPECT_EQ(net.node(net.find("conv4_norm")).op, Op::batch_norm);
  EXPECT_THAT(message_of<std::invalid_argument>([&] { net.find("covn4"); }),
              HasSubstr("has no node 'covn4'; the nearest is 'conv4'"));
}

TEST(WithChannels, RebuildsTheGraph) {
  const Network net = build_network("vgg_small").with_channels({5, 9, 16, 17, 3, 21, 10});
  EXPECT_EQ(net.name(), "vgg_small");
  EXPECT_EQ(net.node(net.find("conv2_relu")).output, (Shape{28, 28, 9}));
  EXPECT_EQ(macs_of(net, "conv2"), 784 * 9 * 5 * 9);
  EXPECT_EQ(macs_of(net, "conv6"), 49 * 9 * 3 * 21);
  EXPECT_EQ(macs_of(net, "fc"), 210);
  EXPECT_EQ(parameters_of(net, "conv4_norm"), 34);
}

TEST(WithChannels, KeepsDepthwiseLayersDepthwise) {
  Network net("separable");
  int at = net.add_convolution(net.add_input({8, 8, 3}), "conv", 12, square(3));
  at = net.add_convolution(at, "depthwise", 12, square(3, 1, 1), 12);
  net.add_convolution(at, "pointwise", 20, square(1));
  const Network pruned = net.with_channels({7, 7, 20});
  EXPECT_EQ(pruned.node(2).groups, 7);
  EXPECT_EQ(pruned.macs(2), 36 * 7 * 9);
  EXPECT_THAT(message_of<std::invalid_argument>([&] {
                net.with_channels({7, 12, 20});
              }),
              HasSubstr("'depthwise': 7 groups do not divide"));
}

TEST(WithChannels, RefusesWrongCounts) {
  const Network net = build_network("lenet5");
  EXPECT_THAT(message_of<std::invalid_argument>([&] {
                net.with_channels({6, 16});
              }),
              HasSubstr("network 'lenet5' has 5 layers with weights, 2 channel counts were given"));
  EXPECT_THAT(message_of<std::invalid_argument>([&] {
                net.with_channels({6, 16, 120, 84, 9});
              }),
              HasSubstr("'fc3': is the last layer and keeps its 10 outputs, not 9"));
  EXPECT_THAT(message_of<std::invalid_argument>([&] {
                net.with_channels({6, 0, 120, 84, 10});
              }),
              HasSubstr("'conv2': out_channels is 0"));
}

}  // namespace
}  // namespace bitstrata::testing
