// SPDX-License-Identifier: Apache-2.0
// MobileNets (arXiv 1704.04861, 1801.04381, 1905.02244) and EfficientNet-B0 (1905.11946).
#include <fmt/format.h>

#include <span>

#include "model/networks/builders.h"
#include "model/networks/chain.h"

namespace bitstrata::model::networks {

namespace {

constexpr Activate hard_swish{Op::hard_swish}, hard_sigmoid{Op::hard_sigmoid}, silu{Op::silu}, sigmoid{Op::sigmoid};

// Thirteen pairs of depthwise and pointwise convolutions. `quarter`: a quarter of the channels.
Network version1(const std::string& name, Shape input, bool quarter, Activate activation, bool bias, int classes,
                 int first_stride = 2) {
  struct Pair {
    int channels, stride;
  };
  constexpr Pair pairs[] = {{64, 1},  {128, 2}, {128, 1}, {256, 2}, {256, 1},  {512, 2}, {512, 1},
                            {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}};
  const int divisor = quarter ? 4 : 1;
  const auto same = [](const Chain& chain, int stride) { return keras_same(chain.shape(), 3, 3, stride); };
  Chain chain(name, input);
  chain.convolve("conv1", 32 / divisor, same(chain, first_stride), activation, {.bias = bias});
  int index = 0;
  for (const auto& [channels, stride] : pairs) {
    ++index;
    chain.depthwise(fmt::format("depthwise{}", index), same(chain, stride), activation, bias);
    chain.convolve(fmt::format("pointwise{}", index), channels / divisor, {}, activation, {.bias = bias});
  }
  return chain.pool_globally("pool").fully_connect("fc", classes).finish();
}

// An inverted residual block: expand by a 1x1 convolution, filter each channel, squeeze and excite where `squeezed` is
// not 0, project; add the input where the shape has not changed.
struct Inverted {
  int kernel = 3, expanded = 0, channels = 0, stride = 1;
  int squeezed = 0;
  Activate activation = relu6;
  Activate squeeze_activation = relu, gate = hard_sigmoid;
};

void inverted(Chain& chain, const std::string& name, const Inverted& b) {
  const int input = chain.at(), inputs = chain.channels();
  if (b.expanded != inputs) chain.convolve(name + "_expand", b.expanded, {}, b.activation);
  chain.depthwise(name + "_depthwise", square(b.kernel, b.stride, b.kernel / 2), b.activation);
  if (b.squeezed != 0) chain.squeeze_excite(name + "_se", b.squeezed, b.squeeze_activation, b.gate);
  chain.convolve(name + "_project", b.channels, {}, linear);
  if (b.stride == 1 && inputs == b.channels) chain.add(name + "_add", input);
}

Network version2(const std::string& name, int size) {
  struct Stage {
    int expansion, channels, blocks, stride;
  };
  constexpr Stage stages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                              {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  Chain chain(name, {size, size, 3});
  chain.convolve("conv1", 32, square(3, 2, 1), relu6);
  int index = 0;
  for (const Stage& stage : stages) {
    for (int i = 0; i < stage.blocks; ++i) {
      inverted(chain, fmt::format("block{}", ++index),
               {.expanded = stage.expansion * chain.channels(),
                .channels = stage.channels,
                .stride = i == 0 ? stage.stride : 1});
    }
  }
  chain.convolve("conv2", 1280, {}, relu6);
  return chain.pool_globally("pool").fully_connect("fc", 1000).finish();
}

// A row of the paper's tables 1 and 2.
struct Row {
  int kernel, expanded, channels;
  bool squeeze, swish;
  int stride;
};

Network version3(const std::string& name, std::span<const Row> rows, int last_convolution, int features) {
  Chain chain(name, {224, 224, 3});
  chain.convolve("conv1", 16, square(3, 2, 1), hard_swish);
  int index = 0;
  for (const Row& row : rows) {
    inverted(chain, fmt::format("block{}", ++index),
             {.kernel = row.kernel,
              .expanded = row.expanded,
              .channels = row.channels,
              .stride = row.stride,
              .squeezed = row.squeeze ? multiple_of_eight(row.expanded / 4.0) : 0,
              .activation = row.swish ? hard_swish : relu});
  }
  chain.convolve("conv2", last_convolution, {}, hard_swish).pool_globally("pool");
  return chain.fully_connect("fc1", features).activate("fc1", hard_swish).fully_connect("fc2", 1000).finish();
}

}  // namespace

// ReLU6 and no biases in front of batch norms, as in Keras's applications.
Network mobilenetv1() { return version1("mobilenetv1", {224, 224, 3}, false, relu6, false, 1000); }
// MLPerf Tiny, visual wake words: width 0.25, plain ReLU, biases everywhere.
Network mobilenetv1_vww() { return version1("mobilenetv1_vww", {96, 96, 3}, true, relu, true, 2); }

// A quarter of the channels, and a first convolution that keeps the small image's size.
Network mobilenetv1_cifar() { return version1("mobilenetv1_cifar", {32, 32, 3}, true, relu, false, 10, 1); }

Network mobilenetv2() { return version2("mobilenetv2", 224); }
Network mobilenetv2_96() { return version2("mobilenetv2_96", 96); }

Network mobilenetv3_large() {
  constexpr Row rows[] = {{3, 16, 16, false, false, 1}, {3, 64, 24, false, false, 2}, {3, 72, 24, false, false, 1},
                          {5, 72, 40, true, false, 2},  {5, 120, 40, true, false, 1}, {5, 120, 40, true, false, 1},
                          {3, 240, 80, false, true, 2}, {3, 200, 80, false, true, 1}, {3, 184, 80, false, true, 1},
                          {3, 184, 80, false, true, 1}, {3, 480, 112, true, true, 1}, {3, 672, 112, true, true, 1},
                          {5, 672, 160, true, true, 2}, {5, 960, 160, true, true, 1}, {5, 960, 160, true, true, 1}};
  return version3("mobilenetv3_large", rows, 960, 1280);
}

Network mobilenetv3_small() {
  constexpr Row rows[] = {{3, 16, 16, true, false, 2}, {3, 72, 24, false, false, 2}, {3, 88, 24, false, false, 1},
                          {5, 96, 40, true, true, 2},  {5, 240, 40, true, true, 1},  {5, 240, 40, true, true, 1},
                          {5, 120, 48, true, true, 1}, {5, 144, 48, true, true, 1},  {5, 288, 96, true, true, 2},
                          {5, 576, 96, true, true, 1}, {5, 576, 96, true, true, 1}};
  return version3("mobilenetv3_small", rows, 576, 1024);
}

Network efficientnet_b0() {
  struct Stage {
    int expansion, kernel, stride, channels, blocks;
  };
  constexpr Stage stages[] = {{1, 3, 1, 16, 1},  {6, 3, 2, 24, 2},  {6, 5, 2, 40, 2}, {6, 3, 2, 80, 3},
                              {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1}};
  Chain chain("efficientnet_b0", {224, 224, 3});
  chain.convolve("conv1", 32, square(3, 2, 1), silu);
  int index = 0;
  for (const Stage& stage : stages) {
    for (int i = 0; i < stage.blocks; ++i) {
      inverted(chain, fmt::format("block{}", ++index),
               {.kernel = stage.kernel,
                .expanded = stage.expansion * chain.channels(),
                .channels = stage.channels,
                .stride = i == 0 ? stage.stride : 1,
                .squeezed = chain.channels() / 4,  // of the block's input, not of the expanded channels
                .activation = silu,
                .squeeze_activation = silu,
                .gate = sigmoid});
    }
  }
  chain.convolve("conv2", 1280, {}, silu);
  return chain.pool_globally("pool").fully_connect("fc", 1000).finish();
}

}  // namespace bitstrata::model::networks
