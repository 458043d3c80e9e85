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

const model::Dataset& small_dataset() {
  static const model::Dataset small = [] {
    const model::Dataset full = model::load_dataset("fashion-mnist");
    return model::Dataset{full.name, full.classes, head(full.train, 1024), head(full.validation, 256),
                          head(full.test, 256)};
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
