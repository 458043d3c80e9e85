// SPDX-License-Identifier: Apache-2.0
// Precision plans: checks against the network, the file, and what a slip in it is answered.
#include "model/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "model/stages.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::EndsWith;
using ::testing::HasSubstr;

TEST(UniformPlan, NamesEveryWeightLayerAndKeepsAllChannels) {
  const Plan plan = uniform_plan(build_network("vgg_small"), 4, 6);
  ASSERT_EQ(plan.layers.size(), 7U);
  EXPECT_EQ(plan.network, "vgg_small");
  EXPECT_EQ(plan.layers[3].layer, "conv4");
  EXPECT_EQ(plan.layers[3].weight_bits, 4);
  EXPECT_EQ(plan.layers[3].activation_bits, 6);
  EXPECT_EQ(plan.layers[3].channels, 32);
  EXPECT_EQ(plan.output_bits, 16);
}

// conv -> 1x1 head of many channels, ReLU -> mean over everything.
int add_pooled_head(Network& network) {
  const int body = network.add_convolution(network.add_input({6, 6, 3}), "body", 5, {.kernel_height = 3});
  const int head = network.add_convolution(body, "head", 40, {});
  return network.add_global_average_pool(network.add_relu(head, "relu"), "mean");
}

TEST(TensorBits, OfTheOutputDoNotReachBackThroughAMean) {
  Network network("pooled");
  add_pooled_head(network);
  Plan plan = uniform_plan(network, 4, 5);
  plan.layers[1].activation_bits = 6;
  // input, body, head, mean: the head's result is as wide as what the head reads.
  EXPECT_EQ(tensor_bits(lay_out(network), plan), (std::vector<int>{5, 6, 6, 16}));
  EXPECT_EQ(lay_out(network).tensors[3].source, 3);

  network.add_upsample(static_cast<int>(network.nodes().size()) - 1, "enlarged", 2);
  EXPECT_EQ(tensor_bits(lay_out(network), plan), (std::vector<int>{5, 6, 6, 16, 16}));
}

TEST(TensorBits, OfAMeanThatALayerReadsAreThoseOfWhatItIsMadeOf) {
  Network network("classified");
  network.add_linear(add_pooled_head(network), "classes", 10);
  Plan plan = uniform_plan(network, 4, 5);
  plan.layers[2].activation_bits = 7;
  EXPECT_EQ(tensor_bits(lay_out(network), plan), (std::vector<int>{5, 5, 7, 7, 16}));
  EXPECT_EQ(lay_out(network).tensors[3].source, 2);
}

// What activation density counts: values behind the function, which a residual block has behind its sum.
TEST(Layout, TellsWhereALayersFunctionEnds) {
  const Network net = build_network("resnet8_small");
  const Layout layout = lay_out(net);
  int behind_sums = 0;
  for (const Step& step : layout.steps) {
    if (step.stage < 0) continue;
    const bool last = step.stage + 1 == static_cast<int>(layout.stages.size());
    EXPECT_EQ(layout.tensors[step.activated].rectified, !last) << layout.stages[step.stage].name;
    behind_sums += step.activated != step.output ? 1 : 0;
  }
  // Three blocks, two of which have a convolution on their shortcut.
  EXPECT_EQ(behind_sums, 5);
  // No function follows the sums of MobileNetV2.
  const Network mobile = build_network("mobilenetv2");
  for (const Step& step : lay_out(mobile).steps) EXPECT_EQ(step.activated, step.output);
}

TEST(Plan, SurvivesItsFile) {
  const TemporaryFolder folder;
  Plan plan = uniform_plan(build_network("lenet5"), 4, 6);
  plan.layers[1] = {"conv2", 1, 16, 11};
  plan.layers[2].channels = 0;
  plan.output_bits = 12;
  save(plan, folder / "plan.yaml");
  const Plan again = load_plan(folder / "plan.yaml");
  EXPECT_EQ(again.network, "lenet5");
  EXPECT_EQ(again.output_bits, 12);
  ASSERT_EQ(again.layers.size(), plan.layers.size());
  for (std::size_t i = 0; i < plan.layers.size(); ++i) {
    EXPECT_EQ(again.layers[i].layer, plan.layers[i].layer);
    EXPECT_EQ(again.layers[i].weight_bits, plan.layers[i].weight_bits);
    EXPECT_EQ(again.layers[i].activation_bits, plan.layers[i].activation_bits);
    EXPECT_EQ(again.layers[i].channels, plan.layers[i].channels);
  }
  validate(again, build_network("lenet5"));
  // One line a layer, so that people can edit it.
  EXPECT_THAT(read_text(folder / "plan.yaml"),
              HasSubstr("- {layer: conv2, weight_bits: 1, activation_bits: 16, channels: 11}\n"));
}

TEST(Plan, NamesWithSpecialCharactersSurvive) {
  const TemporaryFolder folder;
  Plan plan{.network = "a: b", .layers = {{.layer = "/layers/0, {conv}: #1"}}};
  save(plan, folder / "plan.yaml");
  EXPECT_EQ(load_plan(folder / "plan.yaml").layers.at(0).layer, "/layers/0, {conv}: #1");
  EXPECT_EQ(load_plan(folder / "plan.yaml").network, "a: b");
}

TEST(PlannedNetwork, KeepsThePlansChannels) {
  const Network net = build_network("lenet5");
  Plan plan = uniform_plan(net, 8, 8);
  plan.layers[0].channels = 4;
  plan.layers[1].channels = 0;
  const Network pruned = planned_network(net, plan);
  EXPECT_EQ(pruned.node(pruned.find("conv1")).out_channels, 4);
  EXPECT_EQ(pruned.node(pruned.find("conv2")).out_channels, 16);
  EXPECT_EQ(pruned.macs(pruned.find("conv2")), 100 * 25 * 4 * 16);
}

TEST(Validate, NamesLayerValueAndRange) {
  const Network net = build_network("lenet5");
  const auto message = [&](const std::function<void(Plan&)>& change) {
    Plan plan = uniform_plan(net, 8, 8);
    change(plan);
    return message_of<std::invalid_argument>([&] { validate(plan, net); });
  };
  EXPECT_EQ(message([](Plan& p) { p.layers[1].weight_bits = 17; }),
            "layer 'conv2': weight_bits is 17; allowed is 1..16");
  EXPECT_EQ(message([](Plan& p) { p.layers[2].activation_bits = 0; }),
            "layer 'fc1': activation_bits is 0; allowed is 1..16");
  EXPECT_EQ(message([](Plan& p) { p.layers[0].channels = 7; }),
            "layer 'conv1': channels is 7; allowed is 1..6 (0 or none: all)");
  EXPECT_EQ(message([](Plan& p) { p.layers[4].channels = 9; }),
            "layer 'fc3': the last layer keeps its 10 channels, not 9");
  EXPECT_EQ(message([](Plan& p) { p.layers.pop_back(); }), "the plan lacks layer 'fc3'");
  EXPECT_EQ(message([](Plan& p) { p.layers[1].layer = "conv3"; }),
            "the plan lacks layer 'conv2'; the network does not have the plan's layer 'conv3'");
  EXPECT_EQ(message([](Plan& p) { p.layers.push_back(p.layers[1]), p.layers.push_back(p.layers[1]); }),
            "the plan has layer 'conv2' 3 times");
  EXPECT_EQ(message([](Plan& p) { std::swap(p.layers[2], p.layers[3]); }),
            "layer 3 of the plan is 'fc2'; in network 'lenet5' it is 'fc1'; "
            "layer 4 of the plan is 'fc1'; in network 'lenet5' it is 'fc2'");
  EXPECT_EQ(message([](Plan& p) { p.network = "vgg_small"; }), "the plan is for network 'vgg_small', not for 'lenet5'");
  EXPECT_EQ(message([](Plan& p) { p.output_bits = 1; }), "output_bits is 1; allowed is 2..16 (two's complement)");
  EXPECT_THAT(message_of<std::invalid_argument>([&] { uniform_plan(net, 0, 8); }),
              HasSubstr("layer 'conv1': weight_bits is 0; allowed is 1..16"));
}

TEST(Validate, TellsAllContradictionsAtOnce) {
  const Network net = build_network("lenet5");
  Plan plan = uniform_plan(net, 8, 8);
  plan.output_bits = 17;
  plan.layers[0].weight_bits = 0;
  plan.layers[1].activation_bits = 20;
  plan.layers[1].channels = -1;
  EXPECT_EQ(
      message_of<std::invalid_argument>([&] { validate(plan, net); }),
      "output_bits is 17; allowed is 2..16 (two's complement); layer 'conv1': weight_bits is 0; allowed is 1..16; "
      "layer 'conv2': activation_bits is 20; allowed is 1..16; layer 'conv2': channels is -1; allowed is 1..16 (0 "
      "or none: all)");
  // A plan of another network is told by that alone.
  plan = uniform_plan(net, 8, 8);
  plan.network = "other";
  plan.layers.pop_back();
  EXPECT_EQ(message_of<std::invalid_argument>([&] { validate(plan, net); }),
            "the plan is for network 'other', not for 'lenet5'");
}

TEST(Validate, TiesReadersOfOneTensor) {
  Network net("fork");
  const int relu = net.add_relu(net.add_convolution(net.add_input({4, 4, 2}), "stem", 4, {}), "relu");
  const int left = net.add_convolution(net.add_pool(relu, "pool", Op::max_pool, {}), "left", 3, {});
  net.add_concatenate({left, net.add_convolution(relu, "right", 3, {})}, "joined");
  Plan plan = uniform_plan(net, 8, 8);
  plan.layers[2].activation_bits = 5;
  EXPECT_EQ(message_of<std::invalid_argument>([&] { validate(plan, net); }),
            "layer 'right': activation_bits is 5, but 'left' reads the same tensor with 8; they must be equal");
}

TEST(LoadPlan, AnswersSlipsWithFileAndLine) {
  const TemporaryFolder folder;
  const std::string head = "format: bitstrata-plan-1\nnetwork: lenet5\nlayers:\n";
  const auto message = [&](const std::string& text) {
    const auto file = folder.write("plan.yaml", text);
    return message_of<std::runtime_error>([&] { load_plan(file); });
  };
  EXPECT_THAT(message(head + "  - {layer: conv1, weight_bits: 8, activation_bits: 8}\n" +
                      "  - layer: conv2\n    activation_bits: 8\n    weigth_bits: 8\n"),
              ::testing::AllOf(HasSubstr("unknown key 'weigth_bits' in "),
                               EndsWith("plan.yaml:7; did you mean 'weight_bits'?")));
  EXPECT_THAT(message(head + "  - {layer: conv1, weight_bits: 17, activation_bits: 8}\n"),
              EndsWith("plan.yaml:4: layer 'conv1': weight_bits is 17; allowed is 1..16"));
  EXPECT_THAT(message(head + "  - {layer: conv1, weight_bits: eight, activation_bits: 8}\n"),
              EndsWith("plan.yaml:4: 'weight_bits' must be a whole number, is 'eight'"));
  EXPECT_THAT(message(head + "  - {layer: conv1, weight_bits: 8}\n"),
              EndsWith("plan.yaml:4: missing key 'activation_bits'"));
  EXPECT_THAT(message(head + "  - {layer: c, weight_bits: 8, activation_bits: 8, channels: -1}\n"),
              EndsWith("plan.yaml:4: layer 'c': channels is -1"));
  EXPECT_THAT(message(head + "  conv1\n"), EndsWith("plan.yaml:3: 'layers' must be a list"));
  EXPECT_THAT(message("network: lenet5\nlayers: []\n"), HasSubstr("missing key 'format'"));
  EXPECT_THAT(message("format: bitstrata-architecture-1\nnetwork: lenet5\nlayers: []\n"),
              EndsWith("plan.yaml:1: format is 'bitstrata-architecture-1', expected 'bitstrata-plan-1'"));
  EXPECT_THAT(message(head + "  - {layer: conv1, weight_bits: 8"), HasSubstr("not valid YAML"));
  EXPECT_THAT(message_of<std::runtime_error>([&] { load_plan(folder / "none.yaml"); }), HasSubstr("cannot read"));
}

}  // namespace
}  // namespace bitstrata::testing
