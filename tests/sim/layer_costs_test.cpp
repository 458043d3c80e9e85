// SPDX-License-Identifier: Apache-2.0
// Remembered layers: one that differs in anything its events depend on is predicted anew.
#include "sim/layer_costs.h"

#include <gtest/gtest.h>

#include <functional>

#include "model/events.h"

namespace bitstrata::sim {
namespace {

using model::IntegerLayer;
using model::IntegerNetwork;
using model::LayerKind;

// 3 x 3 convolution of 13 x 13 x 8 that keeps the size; or the sum of two tensors of 12 x 10 x 40.
IntegerNetwork convolution() {
  IntegerNetwork net{.name = "net", .tensors = {{.shape = {13, 13, 8}, .bits = 6}, {.shape = {13, 13, 8}, .bits = 5}}};
  IntegerLayer layer;
  layer.name = "conv";
  layer.output = 1;
  layer.window = {.kernel_height = 3, .kernel_width = 3, .pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
  layer.weight_bits = 4;
  layer.bias.assign(8, 0);
  net.layers = {layer};
  return net;
}

IntegerNetwork sum() {
  IntegerNetwork net{
      .name = "net",
      .tensors = {
          {.shape = {12, 10, 40}, .bits = 6}, {.shape = {12, 10, 40}, .bits = 7}, {.shape = {12, 10, 40}, .bits = 5}}};
  IntegerLayer layer;
  layer.name = "sum";
  layer.kind = LayerKind::add;
  layer.second = 1;
  layer.output = 2;
  layer.bias.assign(40, 0);
  net.layers = {layer};
  return net;
}

// Sets the output's size to what the window gives.
void fit_output(IntegerNetwork& net) {
  const model::Window& w = net.layers[0].window;
  const model::Shape& in = net.tensors[0].shape;
  const auto size = [](int all, int kernel, int dilation, int stride) {
    return (all - dilation * (kernel - 1) - 1) / stride + 1;
  };
  net.tensors[1].shape.height =
      size(in.height + w.pad_top + w.pad_bottom, w.kernel_height, w.dilation_height, w.stride_height);
  net.tensors[1].shape.width =
      size(in.width + w.pad_left + w.pad_right, w.kernel_width, w.dilation_width, w.stride_width);
}

void expect_told_apart(const char* what, const IntegerNetwork& base, const IntegerNetwork& other) {
  const model::Architecture a = model::load_architecture("pim-64x64");
  LayerCosts alone(a), after(a);
  const model::Events expected = alone.events(other, other.layers[0]);
  const model::Events before = after.events(base, base.layers[0]);
  EXPECT_NE(before, expected) << what << " changes nothing";
  EXPECT_EQ(after.events(other, other.layers[0]), expected) << what;
  EXPECT_EQ(after.events(base, base.layers[0]), before) << what;
  EXPECT_EQ(after.predicted(), 2) << what;
}

TEST(LayerCosts, TellApartWhatDiffersInOneProperty) {
  const std::pair<const char*, std::function<void(IntegerNetwork&)>> of_convolutions[] = {
      {"groups", [](auto& n) { n.layers[0].groups = 2; }},
      {"weight bits", [](auto& n) { n.layers[0].weight_bits = 5; }},
      {"a table", [](auto& n) { n.layers[0].activation = model::Activation::table; }},
      {"input bits", [](auto& n) { n.tensors[0].bits = 7; }},
      {"output bits", [](auto& n) { n.tensors[1].bits = 8; }},
      {"input height", [](auto& n) { n.tensors[0].shape.height = 14; }},
      {"input width", [](auto& n) { n.tensors[0].shape.width = 14; }},
      {"input channels", [](auto& n) { n.tensors[0].shape.channels = 6; }},
      {"output channels", [](auto& n) { n.tensors[1].shape.channels = 32, n.layers[0].bias.resize(32); }},
      {"kernel height", [](auto& n) { n.layers[0].window.kernel_height = 2; }},
      {"kernel width", [](auto& n) { n.layers[0].window.kernel_width = 2; }},
      {"stride of rows", [](auto& n) { n.layers[0].window.stride_height = 2; }},
      {"stride of columns", [](auto& n) { n.layers[0].window.stride_width = 2; }},
      {"padding above", [](auto& n) { n.layers[0].window.pad_top = 0; }},
      {"padding below", [](auto& n) { n.layers[0].window.pad_bottom = 0; }},
      {"padding on the left", [](auto& n) { n.layers[0].window.pad_left = 0; }},
      {"padding on the right", [](auto& n) { n.layers[0].window.pad_right = 0; }},
      {"dilation of rows", [](auto& n) { n.layers[0].window.dilation_height = 2; }},
      {"dilation of columns", [](auto& n) { n.layers[0].window.dilation_width = 2; }},
      {"rows that the dilation reaches over", [](auto& n) {
         n.layers[0].window.dilation_height = 2, n.layers[0].window.pad_top = n.layers[0].window.pad_bottom = 2;
       }}};
  const std::pair<const char*, std::function<void(IntegerNetwork&)>> of_sums[] = {
      {"second bits", [](auto& n) { n.tensors[1].bits = 3; }},
      {"second shape", [](auto& n) { n.layers[0].kind = LayerKind::multiply, n.tensors[1].shape = {.channels = 40}; }},
      {"concatenation", [](auto& n) {
         n.layers[0].kind = LayerKind::concatenate, n.tensors[2].shape.channels = 80, n.layers[0].bias.resize(80);
       }}};
  for (const auto& [what, change] : of_convolutions) {
    IntegerNetwork other = convolution();
    change(other);
    fit_output(other);
    expect_told_apart(what, convolution(), other);
  }
  for (const auto& [what, change] : of_sums) {
    IntegerNetwork other = sum();
    change(other);
    expect_told_apart(what, sum(), other);
  }
}

// Strides leave rows and columns over, so a window's dilation, stride and padding may change while all sizes stay.
TEST(LayerCosts, TellApartLayersOfOneSize) {
  struct Axis {
    const char* name;
    int model::Shape::*size;
    int model::Window::*kernel, model::Window::*stride, model::Window::*dilation, model::Window::*before;
  };
  using model::Shape;
  using model::Window;
  for (const Axis& axis : {Axis{"rows", &Shape::height, &Window::kernel_height, &Window::stride_height,
                                &Window::dilation_height, &Window::pad_top},
                           Axis{"columns", &Shape::width, &Window::kernel_width, &Window::stride_width,
                                &Window::dilation_width, &Window::pad_left}}) {
    SCOPED_TRACE(axis.name);
    const auto compare = [&](const char* what, int size, int kernel, int stride, int Window::*changed, int value) {
      IntegerNetwork base = convolution();
      base.tensors[0].shape.*axis.size = size;
      base.layers[0].window.*axis.kernel = kernel;
      base.layers[0].window.*axis.stride = stride;
      IntegerNetwork other = base;
      other.layers[0].window.*changed = value;
      fit_output(base);
      fit_output(other);
      ASSERT_EQ(base.tensors[1].shape, other.tensors[1].shape) << what;
      expect_told_apart(what, base, other);
    };
    compare("dilation", 13, 2, 3, axis.dilation, 2);
    compare("stride", 13, 4, 4, axis.stride, 5);
    compare("padding", 14, 3, 2, axis.before, 0);
  }
}

}  // namespace
}  // namespace bitstrata::sim
