// SPDX-License-Identifier: Apache-2.0
// Residual networks (He et al., arXiv 1512.03385).
#include <fmt/format.h>

#include "model/networks/builders.h"
#include "model/networks/chain.h"

namespace bitstrata::model::networks {

namespace {

// How blocks differ between the families.
struct Style {
  bool bottleneck = false;     // 1x1, 3x3, 1x1 to four times the channels; else two 3x3
  bool keras = false;          // padding "same" of Keras, a bias in every convolution
  bool bare_shortcut = false;  // no batch norm after the 1x1 convolution of a shortcut
};

// One block: two or three convolutions, added to the input or to its 1x1 convolution where the shape changes.
void block(Chain& chain, const std::string& name, int channels, int stride, Style style) {
  const int input = chain.at();
  const int outputs = style.bottleneck ? 4 * channels : channels;
  const Chain::Details details{.bias = style.keras};
  const auto window = [&](int kernel, int step) {
    return style.keras ? keras_same(chain.shape(), kernel, kernel, step) : square(kernel, step, kernel / 2);
  };
  int shortcut = input;
  if (stride != 1 || chain.channels() != outputs) {
    chain.convolve(name + "_shortcut", outputs, window(1, stride), linear,
                   {.bias = style.keras, .norm = !style.bare_shortcut});
    shortcut = chain.at();
    chain.go_to(input);
  }
  if (style.bottleneck) {
    // The stride is in the 3x3 convolution, as torchvision has it ("version 1.5").
    chain.convolve(name + "_conv1", channels, window(1, 1), relu, details);
    chain.convolve(name + "_conv2", channels, window(3, stride), relu, details);
    chain.convolve(name + "_conv3", outputs, window(1, 1), linear, details);
  } else {
    chain.convolve(name + "_conv1", channels, window(3, stride), relu, details);
    chain.convolve(name + "_conv2", channels, window(3, 1), linear, details);
  }
  chain.add(name + "_add", shortcut).activate(name + "_add", relu);
}

// Stages of `blocks` blocks each; channels double and sizes halve from stage to stage.
void stages(Chain& chain, std::initializer_list<int> blocks, int channels, Style style) {
  int stage = 0;
  for (const int count : blocks) {
    ++stage;
    for (int b = 1; b <= count; ++b) {
      block(chain, fmt::format("stage{}_{}", stage, b), channels, stage > 1 && b == 1 ? 2 : 1, style);
    }
    channels *= 2;
  }
}

Network imagenet(const std::string& name, std::initializer_list<int> blocks, Style style) {
  Chain chain(name, {224, 224, 3});
  chain.convolve("conv1", 64, square(7, 2, 3), relu);
  chain.pool("pool1", Op::max_pool, square(3, 2, 1));
  stages(chain, blocks, 64, style);
  return chain.pool_globally("pool2").fully_connect("fc", 1000).finish();
}

Network cifar(const std::string& name, std::initializer_list<int> blocks, int channels) {
  Chain chain(name, {32, 32, 3});
  chain.convolve("conv1", channels, square(3, 1, 1), relu);
  stages(chain, blocks, channels, {});
  return chain.pool_globally("pool").fully_connect("fc", 10).finish();
}

}  // namespace

Network resnet18() { return imagenet("resnet18", {2, 2, 2, 2}, {}); }
Network resnet50() { return imagenet("resnet50", {3, 4, 6, 3}, {.bottleneck = true}); }
// ResNet-18 with a 3x3 first convolution and without the first pooling.
Network resnet18_cifar() { return cifar("resnet18_cifar", {2, 2, 2, 2}, 64); }
Network resnet18_cifar_025() { return cifar("resnet18_cifar_025", {2, 2, 2, 2}, 16); }
// The paper's network of 20 layers for CIFAR, with 1x1 convolutions as shortcuts where the shape changes (option B):
// 2,752 parameters more than with shortcuts padded with zero channels (option A).
Network resnet20() { return cifar("resnet20", {3, 3, 3}, 16); }

// Three blocks for 28x28 images, of half as many channels as MLPerf Tiny's.
Network resnet8_small() {
  Chain chain("resnet8_small", {28, 28, 1});
  chain.convolve("conv1", 8, square(3, 1, 1), relu);
  stages(chain, {1, 1, 1}, 8, {});
  return chain.pool_globally("pool").fully_connect("fc", 10).finish();
}

// MLPerf Tiny, image classification: three blocks, Keras's padding and biases.
Network resnet8() {
  Chain chain("resnet8", {32, 32, 3});
  chain.convolve("conv1", 16, keras_same(chain.shape(), 3, 3, 1), relu, {.bias = true});
  stages(chain, {1, 1, 1}, 16, {.keras = true, .bare_shortcut = true});
  return chain.pool_globally("pool").fully_connect("fc", 10).finish();
}

}  // namespace bitstrata::model::networks
