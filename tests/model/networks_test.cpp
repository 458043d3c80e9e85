// SPDX-License-Identifier: Apache-2.0
// The built-in networks against the counts their authors and the usual frameworks publish, and through what comes
// after: laying out, plans, and (in tests/sim/networks_test.cpp) integer arithmetic.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "model/network.h"
#include "model/plan.h"
#include "model/stages.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

// Our count of parameters is what frameworks call trainable ones: weights, biases where the network has them, scale
// and shift of batch norms. Keras's "total" adds a mean and a variance a channel of every batch norm.
std::int64_t keras_total(const Network& net) {
  std::int64_t sum = net.total_parameters();
  for (std::size_t i = 0; i < net.nodes().size(); ++i) {
    const int index = static_cast<int>(i);
    if (net.node(index).op == Op::batch_norm) sum += net.parameters(index);
  }
  return sum;
}

struct Published {
  const char* name;
  std::int64_t parameters;    // trainable
  std::int64_t macs;          // of convolutions and fully connected layers, one image
  double rounded_macs, unit;  // as printed by a second source, and the last digit it prints
};

// torchvision: num_params of the weights' documentation (pytorch.org/vision/stable/models), which is exact, and its
// GFLOPS, which are multiply-accumulates and printed to two digits. The exact MACs of VGG19, ResNet-18 and -50,
// MobileNet-V2 and -V3 large are those that fvcore and thop print for them; those of the other two follow from the
// shapes that give the exact parameters.
constexpr Published torchvision[] = {
    {"vgg19", 143667240, 19632062464, 19.63e9, 1e7},        {"resnet18", 11689512, 1814073344, 1.81e9, 1e7},
    {"resnet50", 25557032, 4089184256, 4.09e9, 1e7},        {"mobilenetv2", 3504872, 300774272, 0.30e9, 1e7},
    {"mobilenetv3_large", 5483032, 216589760, 0.22e9, 1e7}, {"mobilenetv3_small", 2542856, 56510400, 0.06e9, 1e7},
    {"efficientnet_b0", 5288548, 385814752, 0.39e9, 1e7},
};

// MobileNet-V1: 569 million (arXiv 1704.04861, table 8). MobileNet-V2 at 96x96: 56 million, 3.47 million parameters
// (README of tensorflow/models, slim/nets/mobilenet). CIFAR: ResNet-20 has 0.27 million parameters (arXiv 1512.03385,
// table 6) and 0.041 G (41 million) MACs; ResNet-18 0.56 G and 11.17 M, VGG19 0.4 G and 20.04 M (kuangliu/pytorch-cifar
// counted by thop). MLPerf Tiny: arXiv 2106.07597 and the papers that count its networks (12.5, 7.5, 2.7, 0.26
// million).
constexpr Published others[] = {
    {"mobilenetv1", 4231976, 568740352, 569e6, 1e6},
    {"mobilenetv2_96", 3504872, 56289152, 56e6, 1e6},
    {"resnet20", 272474, 40813184, 41e6, 1e6},
    {"resnet18_cifar", 11173962, 555422720, 0.56e9, 1e7},
    {"vgg19_cifar", 20040522, 398136320, 0.40e9, 1e7},
    {"resnet8", 78186, 12501632, 12.5e6, 1e5},
    {"mobilenetv1_vww", 216322, 7489664, 7.49e6, 1e4},
    {"dscnn", 23756, 2656768, 2.657e6, 1e3},
    {"autoencoder", 267928, 264192, 0.264e6, 1e3},
    {"lenet5", 61706, 416520, 416520, 1},
    {"vgg_small", 36938, 3669760, 3669760, 1},
    // Ours: counted by hand, layer by layer.
    {"cnn_4kb", 5306, 86656, 86656, 1},
    {"resnet8_small", 19810, 2364864, 2364864, 1},
    {"mobilenetv1_cifar", 215642, 3331072, 3331072, 1},
    {"vgg19_cifar_025", 1256922, 25216256, 25216256, 1},
    {"resnet18_cifar_025", 701466, 35046656, 35046656, 1},
};

void expect_counts(const Published& published) {
  const Network net = build_network(published.name);
  EXPECT_EQ(net.total_parameters(), published.parameters) << published.name;
  EXPECT_EQ(net.total_macs(), published.macs) << published.name;
  EXPECT_LE(std::abs(static_cast<double>(net.total_macs()) - published.rounded_macs), 0.51 * published.unit)
      << published.name;
}

TEST(BuiltInNetworks, HaveThePublishedCounts) {
  for (const Published& published : torchvision) expect_counts(published);
  for (const Published& published : others) expect_counts(published);
  EXPECT_EQ(std::size(torchvision) + std::size(others), network_names().size()) << "a network without its counts";
}

// Totals that Keras prints for the reference models: keras.io/api/applications (MobileNet: 4,253,864) and the models
// of github.com/mlcommons/tiny.
TEST(BuiltInNetworks, HaveKerasTotals) {
  EXPECT_EQ(keras_total(build_network("mobilenetv1")), 4253864);
  EXPECT_EQ(keras_total(build_network("resnet8")), 78666);
  EXPECT_EQ(keras_total(build_network("mobilenetv1_vww")), 221794);
  EXPECT_EQ(keras_total(build_network("dscnn")), 24908);
  EXPECT_EQ(keras_total(build_network("autoencoder")), 269992);
}

TEST(BuiltInNetworks, EndInTheirClasses) {
  const auto outputs = [](const char* name) { return build_network(name).nodes().back().output; };
  EXPECT_EQ(outputs("resnet50"), (Shape{1, 1, 1000}));
  EXPECT_EQ(outputs("mobilenetv1_vww"), (Shape{1, 1, 2}));
  EXPECT_EQ(outputs("dscnn"), (Shape{1, 1, 12}));
  EXPECT_EQ(outputs("autoencoder"), (Shape{1, 1, 640}));
  // Keras pads a stride of 2 over an even size at the end alone: 96 -> 48 with no row on top.
  const Network vww = build_network("mobilenetv1_vww");
  EXPECT_EQ(vww.node(vww.find("conv1")).window.pad_top, 0);
  EXPECT_EQ(vww.node(vww.find("conv1")).window.pad_bottom, 1);
  EXPECT_EQ(vww.node(vww.find("pool")).window.kernel_height, 3);
}

TEST(BuiltInNetworks, LayOutAndTakeUniformPlans) {
  for (const std::string& name : network_names()) {
    const Network net = build_network(name);
    EXPECT_EQ(net.name(), name);
    const Layout layout = lay_out(net);
    EXPECT_EQ(layout.stages.size(), net.weight_layers().size()) << name;
    for (const Stage& stage : layout.stages) {
      const bool norm = net.node(stage.last()).op == Op::batch_norm || stage.batch_norm >= 0;
      EXPECT_TRUE(norm || net.node(stage.weight).bias) << stage.name << ": neither a bias nor a batch norm";
    }
    const Plan plan = uniform_plan(net, 4, 5);
    for (const int bits : tensor_bits(layout, plan)) EXPECT_TRUE(bits == 5 || bits == plan.output_bits) << name;
    // A plan leaves the graph as it is, biases included.
    EXPECT_EQ(planned_network(net, plan).total_parameters(), net.total_parameters()) << name;
  }
}

TEST(BuiltInNetworks, OtherNamesAreRefused) {
  EXPECT_THAT(network_names(), Contains("lenet5"));
  EXPECT_THAT(
      message_of<std::invalid_argument>([] { build_network("resnet19"); }),
      AllOf(HasSubstr("unknown network 'resnet19'; known: lenet5, vgg_small"), HasSubstr("did you mean 'resnet1")));
}

}  // namespace
}  // namespace bitstrata::testing
