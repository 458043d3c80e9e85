// SPDX-License-Identifier: Apache-2.0
// The built-in networks: one builder each, one row of the table each.
#include <fmt/format.h>

#include <stdexcept>
#include <utility>

#include "model/network.h"
#include "model/yaml_reader.h"

namespace bitstrata::model {
namespace {

Window square(int kernel, int stride = 1, int pad = 0) {
  return {.kernel_height = kernel,
          .kernel_width = kernel,
          .stride_height = stride,
          .stride_width = stride,
          .pad_top = pad,
          .pad_bottom = pad,
          .pad_left = pad,
          .pad_right = pad};
}

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

struct Builder {
  const char* name;
  Network (*build)();
};

constexpr Builder builders[] = {{"lenet5", lenet5}, {"vgg_small", vgg_small}};

}  // namespace

std::vector<std::string> network_names() {
  std::vector<std::string> names;
  for (const Builder& builder : builders) names.emplace_back(builder.name);
  return names;
}

Network build_network(const std::string& name) {
  for (const Builder& builder : builders) {
    if (name == builder.name) return builder.build();
  }
  const std::vector<std::string> names = network_names();
  throw std::invalid_argument(
      fmt::format("unknown network '{}'; known: {}{}", name, fmt::join(names, ", "), did_you_mean(name, names)));
}

}  // namespace bitstrata::model
