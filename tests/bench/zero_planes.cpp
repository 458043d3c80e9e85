// SPDX-License-Identifier: Apache-2.0
// How many planes of real activations are empty, by granularity: what decided how planes are skipped
// (docs/architecture.md). Test images of Fashion-MNIST through the golden arithmetic; values in the order of the array,
// row tiles of 64.
//   zero_planes IMAGES RUN_FOLDER ...     CSV on stdout
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "model/dataset.h"
#include "model/golden.h"

namespace bitstrata {
namespace {

constexpr int rows = 64;
constexpr std::array granularities = {8, 16, 32, 64};

struct Shares {
  double planes = 0, leading = 0;
  std::array<double, granularities.size()> empty{};
};

// One layer of one image: bits of every value of a window's row tiles.
void add(const model::IntegerNetwork& network, const model::IntegerLayer& layer, const model::Codes& input,
         Shares& shares) {
  const auto format = [&](int tensor) { return network.tensors[static_cast<std::size_t>(tensor)]; };
  const model::TensorFormat in = format(layer.input);
  const model::Shape out = format(layer.output).shape;
  const model::Window& w = layer.window;
  std::vector<unsigned> values;
  for (int pixel = 0; pixel < out.height * out.width; ++pixel) {
    values.clear();
    const int y0 = pixel / out.width * w.stride_height - w.pad_top;
    const int x0 = pixel % out.width * w.stride_width - w.pad_left;
    for (int tap = 0; tap < w.kernel_height * w.kernel_width; ++tap) {
      const int y = y0 + tap / w.kernel_width * w.dilation_height, x = x0 + tap % w.kernel_width * w.dilation_width;
      const bool inside = y >= 0 && x >= 0 && y < in.shape.height && x < in.shape.width;
      for (int c = 0; c < in.shape.channels; ++c) {
        const int at = (y * in.shape.width + x) * in.shape.channels + c;
        values.push_back(static_cast<unsigned>(inside ? input[static_cast<std::size_t>(at)] : in.zero_point));
      }
    }
    values.resize((values.size() + rows - 1) / rows * rows);  // a tile's unused rows are zero
    for (std::size_t tile = 0; tile < values.size(); tile += rows) {
      shares.planes += in.bits;
      for (std::size_t g = 0; g < granularities.size(); ++g) {
        for (int part = 0; part < rows; part += granularities[g]) {
          unsigned any = 0;
          for (int r = 0; r < granularities[g]; ++r) any |= values[tile + static_cast<std::size_t>(part + r)];
          shares.empty[g] += static_cast<double>((in.bits - std::popcount(any)) * granularities[g]) / rows;
          // One plane of an empty tile is streamed.
          if (granularities[g] == rows) shares.leading += in.bits - std::max(1, static_cast<int>(std::bit_width(any)));
        }
      }
    }
  }
}

void report(const std::filesystem::path& folder, int images, const model::Dataset& data) {
  const model::IntegerNetwork network = model::load_integer_network(folder / "integer.safetensors");
  std::vector<Shares> shares(network.layers.size());
  for (int i = 0; i < images; ++i) {
    const model::Codes input = model::encode_image(network.tensors[0], data.test.image(i));
    const std::vector<model::Codes> tensors = model::run_all(network, input);
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      const model::IntegerLayer& layer = network.layers[l];
      if (layer.kind == model::LayerKind::convolution && layer.groups == 1)
        add(network, layer, tensors[static_cast<std::size_t>(layer.input)], shares[l]);
    }
  }
  for (std::size_t l = 0; l < shares.size(); ++l) {
    const Shares& s = shares[l];
    if (s.planes == 0) continue;
    fmt::print("{},{},{}", folder.filename().string(), network.layers[l].name,
               network.tensors[static_cast<std::size_t>(network.layers[l].input)].bits);
    for (const double empty : s.empty) fmt::print(",{:.4f}", empty / s.planes);
    fmt::print(",{:.4f}\n", s.leading / s.planes);
  }
}

}  // namespace
}  // namespace bitstrata

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: zero_planes IMAGES RUN_FOLDER ...\n");
    return 2;
  }
  const auto data = bitstrata::model::load_dataset("fashion-mnist");
  fmt::print("network,layer,activation_bits,empty_8_rows,empty_16_rows,empty_32_rows,empty_64_rows,leading_64_rows\n");
  for (int i = 2; i < argc; ++i) bitstrata::report(argv[i], std::atoi(argv[1]), data);
}
