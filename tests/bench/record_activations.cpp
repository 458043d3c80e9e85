// SPDX-License-Identifier: Apache-2.0
// Records what enters the convolutions of a trained network, for bitstrata characterize: a piece of each map, the codes
// of a few test images, as a data set whose labels are the layers.
//   record_activations RUN_FOLDER OUT_FOLDER
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "model/dataset.h"
#include "model/golden.h"

namespace bitstrata {
namespace {

constexpr int images = 8, first_layer = 2, layers = 4, side = 12, channels = 16;

void write_npy(const std::filesystem::path& file, const char* type, const std::string& shape,
               const std::string& bytes) {
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, shape);
  header.resize(128 - 10 - 1, ' ');  // magic, version and length before it
  std::ofstream out(file, std::ios::binary);
  out << "\x93NUMPY\x01" << '\0' << static_cast<char>(header.size() + 1) << '\0' << header << '\n' << bytes;
}

// Maps smaller than a piece go on with those of the next images.
void record(const std::filesystem::path& folder, const std::filesystem::path& out) {
  const model::IntegerNetwork network = model::load_integer_network(folder / "integer.safetensors");
  std::vector<std::vector<model::Codes>> tensors;
  const model::Dataset data = model::load_dataset("fashion-mnist");
  for (int i = 0; i < images; ++i)
    tensors.push_back(model::run_all(network, model::encode_image(network.tensors[0], data.test.image(i))));
  std::string codes, labels;
  int convolution = 0;
  for (const model::IntegerLayer& layer : network.layers) {
    if (layer.kind != model::LayerKind::convolution || layer.window.kernel_height != 3) continue;
    if (convolution++ < first_layer || convolution > first_layer + layers) continue;
    const model::Shape map = network.tensors[static_cast<std::size_t>(layer.input)].shape;
    for (int i = 0; i < images; ++i) {
      labels.push_back(static_cast<char>(convolution));
      for (int y = 0; y < side; ++y) {
        for (int x = 0; x < side; ++x) {
          for (int c = 0; c < channels; ++c) {
            const int image = (i + y / map.height + x / map.width) % images;
            const int at = (y % map.height * map.width + x % map.width) * map.channels + c % map.channels;
            const auto code =
                static_cast<unsigned>(tensors[static_cast<std::size_t>(image)][static_cast<std::size_t>(layer.input)]
                                             [static_cast<std::size_t>(at)]);
            codes.push_back(static_cast<char>(code & 0xff));
            codes.push_back(static_cast<char>(code >> 8 & 0xff));
          }
        }
      }
    }
  }
  write_npy(out / "activations.npy", "<u2", fmt::format("{}, {}, {}, {}", labels.size(), side, side, channels), codes);
  write_npy(out / "layers.npy", "|u1", fmt::format("{},", labels.size()), labels);
}

}  // namespace
}  // namespace bitstrata

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: record_activations RUN_FOLDER OUT_FOLDER\n");
    return 2;
  }
  bitstrata::record(argv[1], argv[2]);
}
