// SPDX-License-Identifier: Apache-2.0
// What the builders of networks share: a network under construction and the place where the next layer is added.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "model/network.h"

namespace bitstrata::model::networks {

// A window with one kernel, stride and padding along both axes.
inline Window square(int kernel, int stride = 1, int pad = 0) {
  return {.kernel_height = kernel,
          .kernel_width = kernel,
          .stride_height = stride,
          .stride_width = stride,
          .pad_top = pad,
          .pad_bottom = pad,
          .pad_left = pad,
          .pad_right = pad};
}

// Padding "same" of TensorFlow and Keras: ceil(size / stride) outputs, and where the padding is uneven the odd row and
// column go to the end. PyTorch's symmetric padding is `square`.
inline Window keras_same(Shape input, int kernel_height, int kernel_width, int stride) {
  const auto padding = [&](int size, int kernel) {
    const int outputs = (size + stride - 1) / stride;
    return std::max(0, (outputs - 1) * stride + kernel - size);
  };
  const int rows = padding(input.height, kernel_height), columns = padding(input.width, kernel_width);
  return {.kernel_height = kernel_height,
          .kernel_width = kernel_width,
          .stride_height = stride,
          .stride_width = stride,
          .pad_top = rows / 2,
          .pad_bottom = rows - rows / 2,
          .pad_left = columns / 2,
          .pad_right = columns - columns / 2};
}

// The nearest multiple of eight, at least eight, and never more than a tenth below: the rule by which the MobileNet
// papers' code rounds scaled channel counts.
inline int multiple_of_eight(double channels) {
  const int rounded = std::max(8, static_cast<int>(channels + 4) / 8 * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

// An activation as a builder asks for it.
struct Activate {
  Op op = Op::relu;
  double limit = 0;  // relu
};
inline constexpr Activate relu{};
inline constexpr Activate relu6{Op::relu, 6};
inline constexpr std::optional<Activate> linear = std::nullopt;

class Chain {
 public:
  Chain(std::string name, Shape input) : net_(std::move(name)), at_(net_.add_input(input)) {}

  // The node whose output the next layer reads.
  int at() const { return at_; }
  Chain& go_to(int node) {
    at_ = node;
    return *this;
  }
  Shape shape() const { return net_.node(at_).output; }
  // Channels of the tensor the next layer reads.
  int channels() const { return shape().channels; }

  struct Details {
    int groups = 1;
    bool bias = false;  // published networks leave it out in front of a batch norm; exceptions say so
    bool norm = true;
  };
  // Convolution `name`, batch norm `name`_norm, activation `name`_relu (_silu, ...).
  Chain& convolve(const std::string& name, int channels, Window window, std::optional<Activate> activation,
                  Details details) {
    at_ = net_.add_convolution(at_, name, channels, window, details.groups, details.bias);
    if (details.norm) at_ = net_.add_batch_norm(at_, name + "_norm");
    return activation ? activate(name, *activation) : *this;
  }
  Chain& convolve(const std::string& name, int channels, Window window, std::optional<Activate> activation) {
    return convolve(name, channels, window, activation, Details{});
  }
  Chain& depthwise(const std::string& name, Window window, std::optional<Activate> activation, bool bias = false) {
    return convolve(name, channels(), window, activation, Details{.groups = channels(), .bias = bias});
  }
  Chain& fully_connect(const std::string& name, int features) {
    at_ = net_.add_linear(at_, name, features);
    return *this;
  }
  Chain& normalize(const std::string& name) {
    at_ = net_.add_batch_norm(at_, name + "_norm");
    return *this;
  }
  Chain& activate(const std::string& name, Activate activation) {
    const std::string full = name + "_" + to_string(activation.op);
    at_ = activation.op == Op::relu ? net_.add_relu(at_, full, activation.limit)
                                    : net_.add_activation(at_, full, activation.op);
    return *this;
  }
  Chain& pool(const std::string& name, Op kind, Window window) {
    at_ = net_.add_pool(at_, name, kind, window);
    return *this;
  }
  Chain& pool_globally(const std::string& name) {
    at_ = net_.add_global_average_pool(at_, name);
    return *this;
  }
  Chain& add(const std::string& name, int other) {
    at_ = net_.add_elementwise(at_, other, name, Op::add);
    return *this;
  }
  Chain& multiply(const std::string& name, int other) {
    at_ = net_.add_elementwise(at_, other, name, Op::multiply);
    return *this;
  }

  // Squeeze and excite: scales every channel by a factor computed from the channels' means.
  Chain& squeeze_excite(const std::string& name, int squeezed, Activate inner, Activate gate) {
    const int whole = at_, count = channels();
    const Details plain{.bias = true, .norm = false};
    pool_globally(name + "_pool");
    convolve(name + "_reduce", squeezed, {}, inner, plain);
    convolve(name + "_expand", count, {}, gate, plain);
    return multiply(name + "_scale", whole);
  }

  Network finish() { return std::move(net_); }

 private:
  Network net_;
  int at_;
};

}  // namespace bitstrata::model::networks
