// SPDX-License-Identifier: Apache-2.0
// Small networks for 28x28 images.
#include <fmt/format.h>

#include <vector>

#include "model/networks/builders.h"
#include "model/networks/chain.h"

namespace bitstrata::model::networks {

// LeNet-5 as it is usually built today (ReLU, max pooling, dense second convolution) for 28x28 images:
// 61,706 parameters.
Network lenet5() {
  Network net("lenet5");
  int at = net.add_input({.height = 28, .width = 28, .channels = 1});
  at = net.add_convolution(at, "conv1", 6, square(5, 1, 2));
  at = net.add_relu(at, "conv1_relu");
  at = net.add_pool(at, "pool1", Op::max_pool, square(2, 2));
  at = net.add_convolution(at, "conv2", 16, square(5));
  at = net.add_relu(at, "conv2_relu");
  at = net.add_pool(at, "pool2", Op::max_pool, square(2, 2));
  at = net.add_linear(at, "fc1", 120);
  at = net.add_relu(at, "fc1_relu");
  at = net.add_linear(at, "fc2", 84);
  at = net.add_relu(at, "fc2_relu");
  net.add_linear(at, "fc3", 10);
  return net;
}

// The demonstration network: six 3x3 convolutions in three VGG-like stages, batch norm after each, 3.7 M MACs an
// image. Each stage widens in its second convolution, which keeps the stages' work equal and the first layer's small.
Network vgg_small() {
  Network net("vgg_small");
  int at = net.add_input({.height = 28, .width = 28, .channels = 1});
  const std::vector<int> channels = {8, 16, 16, 32, 32, 64};
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const std::string name = fmt::format("conv{}", i + 1);
    at = net.add_convolution(at, name, channels[i], square(3, 1, 1));
    at = net.add_batch_norm(at, name + "_norm");
    at = net.add_relu(at, name + "_relu");
    if (i == 1 || i == 3) at = net.add_pool(at, fmt::format("pool{}", i / 2 + 1), Op::max_pool, square(2, 2));
  }
  at = net.add_pool(at, "pool3", Op::average_pool, square(7, 7));
  net.add_linear(at, "fc", 10);
  return net;
}

// A network for small FPGAs: at 2 bits the weights, parameters, descriptors and all tensors of a 28x28 image fit into
// the 4 kB of on-chip memory behind bs_serial_top.
Network cnn_4kb() {
  Chain chain("cnn_4kb", {28, 28, 1});
  const int channels[] = {8, 12, 16};
  int index = 0;
  for (const int count : channels) {
    const std::string name = fmt::format("conv{}", ++index);
    chain.convolve(name, count, square(3, 2, 1), relu);
  }
  return chain.fully_connect("fc", 10).finish();
}

}  // namespace bitstrata::model::networks
