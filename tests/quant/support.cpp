// SPDX-License-Identifier: Apache-2.0
#include "tests/quant/support.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace bitstrata::test {

namespace {

model::Images head(const model::Images& images, int count) {
  model::Images result;
  result.shape = images.shape;
  result.pixels.assign(images.pixels.begin(), images.pixels.begin() + count * images.shape.elements());
  result.labels.assign(images.labels.begin(), images.labels.begin() + count);
  return result;
}

model::Window square(int kernel, int stride, int pad) {
  return {kernel, kernel, stride, stride, pad, pad, pad, pad, 1, 1};
}

}  // namespace

const quant::TrainingData& small_dataset() {
  static const quant::TrainingData small = [] {
    const model::Dataset full = model::load_dataset("fashion-mnist");
    return quant::training_data(
        {full.name, full.classes, head(full.train, 1024), head(full.validation, 256), head(full.test, 256)});
  }();
  return small;
}

model::Network tiny_network() {
  model::Network network("tiny");
  int at = network.add_input({28, 28, 1});
  at = network.add_convolution(at, "first", 6, square(3, 2, 1));
  at = network.add_batch_norm(at, "first_norm");
  at = network.add_relu(at, "first_relu");
  at = network.add_pool(at, "max", model::Op::max_pool, square(2, 2, 0));
  at = network.add_convolution(at, "second", 8, square(3, 1, 1));
  at = network.add_batch_norm(at, "second_norm");
  at = network.add_relu(at, "second_relu");
  at = network.add_convolution(at, "third", 8, square(3, 1, 1));
  at = network.add_relu(at, "third_relu");
  at = network.add_pool(at, "mean", model::Op::average_pool, square(3, 2, 0));
  network.add_linear(at, "last", 10);
  return network;
}

model::Network signed_network() {
  model::Network network("signed");
  int at = network.add_input({28, 28, 1});
  at = network.add_convolution(at, "first", 6, square(3, 2, 1));
  at = network.add_batch_norm(at, "first_norm");
  at = network.add_convolution(at, "second", 8, {3, 3, 1, 1, 1, 0, 0, 2, 1, 1});  // uneven padding
  at = network.add_relu(at, "second_relu");
  at = network.add_convolution(at, "third", 8, {3, 3, 2, 2, 2, 2, 2, 2, 2, 2}, 2);  // dilated, in two groups
  at = network.add_batch_norm(at, "third_norm");
  network.add_linear(at, "last", 10);
  return network;
}

namespace {

// A convolution with batch norm and, where there is one, an activation.
int block(model::Network& network, int at, const std::string& name, int channels, model::Window window, int groups = 1,
          model::Op activation = model::Op::relu, double limit = 0) {
  at = network.add_convolution(at, name, channels, window, groups, false);
  at = network.add_batch_norm(at, name + "_norm");
  if (activation == model::Op::input) return at;  // none
  if (activation == model::Op::relu) return network.add_relu(at, name + "_relu", limit);
  return network.add_activation(at, name + "_act", activation);
}

}  // namespace

model::Network residual_network() {
  using model::Op;
  model::Network network("residual");
  int at = block(network, network.add_input({28, 28, 1}), "stem", 6, square(3, 2, 1));
  int way = block(network, at, "a1", 5, square(3, 1, 1));
  way = block(network, way, "a2", 6, square(3, 1, 1), 1, Op::input);
  at = network.add_relu(network.add_elementwise(way, at, "a_sum", Op::add), "a_relu");
  way = block(network, at, "b1", 8, square(3, 2, 1));
  way = block(network, way, "b2", 10, square(3, 1, 1), 1, Op::input);
  const int shortcut = block(network, at, "b_shortcut", 10, square(1, 2, 0), 1, Op::input);
  at = network.add_relu(network.add_elementwise(way, shortcut, "b_sum", Op::add), "b_relu");
  at = network.add_global_average_pool(at, "mean");
  network.add_linear(at, "last", 10);
  return network;
}

model::Network mobile_network() {
  using model::Op;
  model::Network network("mobile");
  int at = block(network, network.add_input({28, 28, 1}), "stem", 6, square(3, 2, 1), 1, Op::hard_swish);
  at = block(network, at, "expand", 12, square(1, 1, 0), 1, Op::relu, 6);
  const int image = block(network, at, "depthwise", 12, square(3, 2, 1), 12, Op::hard_swish);
  int squeeze = network.add_global_average_pool(image, "squeeze");
  squeeze = network.add_relu(network.add_convolution(squeeze, "reduce", 4, {}), "reduce_relu");
  squeeze = network.add_activation(network.add_convolution(squeeze, "excite", 12, {}), "excite_act", Op::hard_sigmoid);
  at = network.add_elementwise(image, squeeze, "scale", Op::multiply);
  at = block(network, at, "project", 8, square(1, 1, 0), 1, Op::input);
  const int way = block(network, at, "depthwise2", 8, square(3, 1, 1), 8, Op::input);
  at = network.add_elementwise(at, way, "sum", Op::add);
  at = network.add_global_average_pool(at, "mean");
  network.add_linear(at, "last", 10);
  return network;
}

model::Network branching_network() {
  using model::Op;
  model::Network network("branching");
  const int at = block(network, network.add_input({28, 28, 1}), "stem", 6, square(3, 2, 1), 1, Op::silu);
  const int small = block(network, at, "small", 4, square(3, 2, 1), 1, Op::silu);
  const int large = network.add_upsample(small, "enlarge", 2);
  const int gate = block(network, at, "gate", 4, square(1, 1, 0), 1, Op::sigmoid);
  const int product = network.add_elementwise(large, gate, "product", Op::multiply);
  const int joined = network.add_concatenate({at, product}, "two");
  const int leaky =
      network.add_leaky_relu(network.add_convolution(joined, "mix", 6, square(1, 1, 0)), "mix_leaky", 0.125);
  const int pooled = network.add_pool(joined, "pool", Op::max_pool, square(3, 1, 1));
  const int deep = block(network, small, "deep", 12, square(1, 1, 0), 1, Op::input);
  const int wide = network.add_depth_to_space(deep, "blocks", {2, 2});
  const int all = network.add_concatenate({leaky, pooled, large, wide}, "four");
  int end = block(network, all, "merge", 8, square(1, 1, 0));
  end = block(network, end, "grouped", 8, square(3, 2, 1), 4);
  end = network.add_pool(end, "mean", Op::average_pool, square(2, 2, 0));
  network.add_linear(end, "last", 10);
  return network;
}

model::Network functions_network() {
  using model::Op;
  model::Network network("functions");
  const int at = block(network, network.add_input({28, 28, 1}), "stem", 4, square(3, 4, 1), 1, Op::input);
  std::vector<int> parts;
  for (int kind = static_cast<int>(Op::sigmoid); kind <= static_cast<int>(Op::thresholded_relu); ++kind) {
    const Op op = static_cast<Op>(kind);
    const int mixed = block(network, at, std::string("c_") + to_string(op), 2, square(1, 1, 0), 1, Op::input);
    const double alpha = op == Op::thresholded_relu ? 0.5 : 1.25;
    parts.push_back(network.add_activation(mixed, to_string(op), op, alpha, 1.05));
  }
  network.add_linear(network.add_concatenate(parts, "all"), "last", 10);
  return network;
}

std::filesystem::path scratch_folder() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  const std::filesystem::path folder = std::filesystem::temp_directory_path() /
                                       ("bitstrata-" + std::to_string(getpid())) /
                                       (std::string(test->test_suite_name()) + "." + test->name());
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

}  // namespace bitstrata::test
