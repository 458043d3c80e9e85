// SPDX-License-Identifier: Apache-2.0
// The built-in networks as integers: every one has shapes at unequal widths, small ones run with random numbers.
#include <gtest/gtest.h>

#include <algorithm>

#include "model/golden.h"
#include "model/network.h"
#include "sim/random_network.h"

namespace bitstrata::sim {
namespace {

TEST(BuiltInNetworks, HaveIntegerShapes) {
  for (const std::string& name : model::network_names()) {
    const model::Network network = model::build_network(name);
    model::Plan plan = model::uniform_plan(network, 3, 6);
    plan.output_bits = 8;
    const model::IntegerNetwork shapes = integer_shapes(network, plan);
    std::int64_t macs = 0;
    for (const model::IntegerLayer& layer : shapes.layers) macs += layer.macs;
    EXPECT_EQ(macs, network.total_macs()) << name;
  }
}

TEST(BuiltInNetworks, SmallOnesRun) {
  for (const char* name : {"lenet5", "resnet8", "resnet20", "mobilenetv1_vww", "dscnn", "autoencoder"}) {
    const model::Network network = model::build_network(name);
    model::Plan plan = model::uniform_plan(network, 4, 6);
    const model::IntegerNetwork integers = random_integer_network(network, plan, 3);
    model::Codes image(static_cast<std::size_t>(integers.tensors[0].shape.elements()));
    for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<std::int32_t>(i * 29 % 61);
    const model::Codes output = model::run(integers, image);
    ASSERT_EQ(static_cast<std::int64_t>(output.size()), network.nodes().back().output.elements()) << name;
    // Random numbers must not saturate or vanish on the way, or nothing would be seen of the layers in between.
    const auto [low, high] = std::minmax_element(output.begin(), output.end());
    EXPECT_LT(*low, *high) << name;
  }
}

// Hard swish, hard sigmoid, sigmoid and SiLU with squeeze and excite: one image each.
TEST(BuiltInNetworks, OnesWithGatesRun) {
  for (const char* name : {"mobilenetv3_small", "efficientnet_b0"}) {
    const model::Network network = model::build_network(name);
    const model::IntegerNetwork integers = random_integer_network(network, model::uniform_plan(network, 8, 8), 5);
    model::Codes image(static_cast<std::size_t>(integers.tensors[0].shape.elements()));
    for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<std::int32_t>(i * 29 % 251);
    const model::Codes output = model::run(integers, image);
    const auto [low, high] = std::minmax_element(output.begin(), output.end());
    EXPECT_LT(*low, *high) << name;
  }
}

}  // namespace
}  // namespace bitstrata::sim
