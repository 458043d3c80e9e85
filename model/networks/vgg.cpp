// SPDX-License-Identifier: Apache-2.0
// VGG19 (Simonyan and Zisserman, arXiv 1409.1556, configuration E).
#include <fmt/format.h>

#include "model/networks/builders.h"
#include "model/networks/chain.h"

namespace bitstrata::model::networks {

namespace {

// Sixteen 3x3 convolutions in five stages, each ending in a 2x2 max pooling. All convolutions have a bias, as in the
// paper and in the usual code of the batch-normed variant.
// One channel in `share` is there.
Chain stages(const std::string& name, Shape input, bool norm, int share = 1) {
  struct Stage {
    int convolutions, channels;
  };
  constexpr Stage configuration_e[] = {{2, 64}, {2, 128}, {4, 256}, {4, 512}, {4, 512}};
  Chain chain(name, input);
  int stage = 0;
  for (const auto& [convolutions, channels] : configuration_e) {
    ++stage;
    for (int i = 1; i <= convolutions; ++i) {
      chain.convolve(fmt::format("conv{}_{}", stage, i), channels / share, square(3, 1, 1), relu,
                     {.bias = true, .norm = norm});
    }
    chain.pool(fmt::format("pool{}", stage), Op::max_pool, square(2, 2));
  }
  return chain;
}

}  // namespace

// Without batch norm and with the three wide fully connected layers, as published.
Network vgg19() {
  Chain chain = stages("vgg19", {224, 224, 3}, false);
  chain.fully_connect("fc1", 4096).activate("fc1", relu);
  chain.fully_connect("fc2", 4096).activate("fc2", relu);
  return chain.fully_connect("fc3", 1000).finish();
}

// The form in which pruning and quantization papers use it for CIFAR: batch norm, one fully connected layer.
Network vgg19_cifar() { return stages("vgg19_cifar", {32, 32, 3}, true).fully_connect("fc", 10).finish(); }
// A quarter of its channels, which trains on a processor in minutes an epoch.
Network vgg19_cifar_025() { return stages("vgg19_cifar_025", {32, 32, 3}, true, 4).fully_connect("fc", 10).finish(); }

}  // namespace bitstrata::model::networks
