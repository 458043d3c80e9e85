// SPDX-License-Identifier: Apache-2.0
// MLPerf Tiny's networks for sound (github.com/mlcommons/tiny); those for images are resnet8 and mobilenetv1_vww.
#include <fmt/format.h>

#include "model/networks/builders.h"
#include "model/networks/chain.h"

namespace bitstrata::model::networks {

// Keyword spotting: a depthwise-separable network over 49 frames of 10 coefficients. The reference pools over 24 of
// the 25 rows that are left (half of 49, rounded down), and so does this.
Network dscnn() {
  Chain chain("dscnn", {49, 10, 1});
  chain.convolve("conv1", 64, keras_same(chain.shape(), 10, 4, 2), relu, {.bias = true});
  for (int i = 1; i <= 4; ++i) {
    chain.depthwise(fmt::format("depthwise{}", i), keras_same(chain.shape(), 3, 3, 1), relu, true);
    chain.convolve(fmt::format("pointwise{}", i), 64, {}, relu, {.bias = true});
  }
  chain.pool("pool", Op::average_pool,
             {.kernel_height = 24, .kernel_width = 5, .stride_height = 24, .stride_width = 5});
  return chain.fully_connect("fc", 12).finish();
}

// Anomaly detection: five frames of 128 frequency bands in, the same out, through eight numbers.
Network autoencoder() {
  Chain chain("autoencoder", {1, 1, 640});
  const int features[] = {128, 128, 128, 128, 8, 128, 128, 128, 128};
  int index = 0;
  for (const int count : features) {
    const std::string name = fmt::format("fc{}", ++index);
    chain.fully_connect(name, count).normalize(name).activate(name, relu);
  }
  return chain.fully_connect("fc10", 640).finish();
}

}  // namespace bitstrata::model::networks
