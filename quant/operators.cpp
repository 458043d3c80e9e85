// SPDX-License-Identifier: Apache-2.0
#include "quant/operators.h"

#include <limits>
#include <stdexcept>

#include "quant/rounding.h"

namespace bitstrata::quant {

namespace {

using model::Node;
using model::Op;
using torch::Tensor;

Tensor pool_max(const Tensor& input, const model::Window& w) {
  Tensor x = input;
  if (w.pad_top || w.pad_bottom || w.pad_left || w.pad_right)  // taps outside the image never win
    x = torch::constant_pad_nd(x, {w.pad_left, w.pad_right, w.pad_top, w.pad_bottom},
                               -std::numeric_limits<double>::infinity());
  return torch::max_pool2d(x, {w.kernel_height, w.kernel_width}, {w.stride_height, w.stride_width}, {0, 0},
                           {w.dilation_height, w.dilation_width});
}

Tensor pool_average(const Tensor& input, const model::Window& w) {
  // A mean over the whole image is much faster as a reduction than as a pooling.
  if (input.size(2) == w.kernel_height && input.size(3) == w.kernel_width) return input.mean({2, 3}, true);
  return torch::avg_pool2d(input, {w.kernel_height, w.kernel_width}, {w.stride_height, w.stride_width});
}

}  // namespace

Tensor convolve(const Tensor& input, const Tensor& weight, const Node& node, double padding) {
  model::Window w = node.window;
  if (node.op == Op::linear) w = {static_cast<int>(weight.size(2)), static_cast<int>(weight.size(3))};
  const bool even = w.pad_top == w.pad_bottom && w.pad_left == w.pad_right;
  Tensor x = input;
  std::vector<std::int64_t> pad{w.pad_top, w.pad_left};
  if (!even || (padding != 0.0 && (w.pad_top > 0 || w.pad_left > 0))) {
    x = torch::constant_pad_nd(x, {w.pad_left, w.pad_right, w.pad_top, w.pad_bottom}, padding);
    pad = {0, 0};
  }
  const int groups = node.op == Op::linear ? 1 : node.groups;
  // The order of the weights decides that of the results. Channels last saves LibTorch's copies into and out of the
  // convolutions' own order, half of a search's time. Strides of one channel could mean either order, hence the clone.
  // Where gradients are asked for, channels stay first: in the backward pass of residual networks of 6 to 10 channels
  // LibTorch 1.13 damaged its heap.
  Tensor ordered = weight;
  if (!torch::GradMode::is_enabled())
    ordered = weight.permute({0, 2, 3, 1}).clone(torch::MemoryFormat::Contiguous).permute({0, 3, 1, 2});
  return torch::conv2d(x, ordered, {}, {w.stride_height, w.stride_width}, pad, {w.dilation_height, w.dilation_width},
                       groups);
}

Tensor dense(const Tensor& x) { return x.is_non_overlapping_and_dense() ? x : x.contiguous(); }

Tensor channel_means(const Tensor& x) {
  const Tensor pixels = x.detach().permute({0, 2, 3, 1});
  if (!pixels.is_contiguous() || x.numel() == 0) return x.detach().mean({0, 2, 3});
  const std::int64_t channels = x.size(1), count = x.numel() / channels;
  Tensor sums = torch::empty({channels}, torch::kFloat64);
  channel_sums(pixels.data_ptr<float>(), count, channels, sums.data_ptr<double>());
  return sums.div_(static_cast<double>(count)).to(torch::kFloat32);
}

Tensor add_to_channels(const Tensor& x, const Tensor& each) {
  const Tensor pixels = x.detach().permute({0, 2, 3, 1});
  if (torch::GradMode::is_enabled() || !pixels.is_contiguous() || x.numel() == 0) return x + each.view({1, -1, 1, 1});
  const Tensor numbers = each.contiguous();
  add_to_channels(pixels.data_ptr<float>(), x.numel() / x.size(1), x.size(1), numbers.data_ptr<float>());
  return x;
}

Tensor run_operator(const Node& node, const std::vector<Tensor>& inputs) {
  const Tensor& x = inputs.front();
  switch (node.op) {
    case Op::max_pool:
      return pool_max(x, node.window);
    case Op::average_pool:
      return pool_average(x, node.window);
    case Op::add:
      return x + inputs.at(1);
    case Op::multiply:
      return x * inputs.at(1);
    case Op::concatenate:
      return torch::cat(inputs, 1);
    case Op::upsample:
      return x.repeat_interleave(node.factor, 2).repeat_interleave(node.factor, 3);
    case Op::depth_to_space: {
      const std::int64_t n = x.size(0), height = x.size(2), width = x.size(3), by = node.block[0], bx = node.block[1];
      return x.view({n, by, bx, x.size(1) / (by * bx), height, width})
          .permute({0, 3, 4, 1, 5, 2})
          .reshape({n, -1, height * by, width * bx});
    }
    case Op::relu:
      return node.limit > 0 ? torch::hardtanh(x, 0, node.limit) : torch::relu(x);
    case Op::leaky_relu:
      return torch::leaky_relu(x, node.slope);
    case Op::hard_sigmoid:
      return torch::hardsigmoid(x);
    case Op::hard_swish:
      return torch::hardswish(x);
    case Op::sigmoid:
      return torch::sigmoid(x);
    case Op::silu:
      return torch::silu(x);
    case Op::tanh:
      return torch::tanh(x);
    case Op::erf:
      return torch::erf(x);
    case Op::elu:
      return torch::elu(x, node.alpha);
    case Op::selu:
      return torch::elu(x, node.alpha, node.gamma);
    case Op::celu:
      return torch::celu(x, node.alpha);
    case Op::softplus:
      return torch::softplus(x);
    case Op::softsign:
      return x / (1 + x.abs());
    case Op::mish:
      return torch::mish(x);
    case Op::gelu:
      return torch::gelu(x, "none");
    case Op::gelu_tanh:
      return torch::gelu(x, "tanh");
    case Op::thresholded_relu:
      return x * x.gt(node.alpha);
    case Op::input:
    case Op::linear:
    case Op::batch_norm:
    case Op::convolution:
      break;
  }
  throw std::logic_error(std::string(to_string(node.op)) + " '" + node.name + "' is no operator without weights");
}

}  // namespace bitstrata::quant
