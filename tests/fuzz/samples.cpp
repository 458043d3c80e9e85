// SPDX-License-Identifier: Apache-2.0
// Files of a data set: .npy, PNG or JPEG where the bytes begin as such a file does, else IDX.
#include "model/samples.h"

#include "model/dataset.h"
#include "model/image_file.h"
#include "tests/fuzz/reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bitstrata;
  const bool npy = size > 0 && data[0] == 0x93;
  const bool image = size > 0 && (data[0] == 0x89 || data[0] == 0xff);
  const auto file = testing::file_of(npy ? "x.npy" : "x-idx3-ubyte", data, size);
  testing::must_read_or_refuse([&] {
    if (image) {
      model::read_image(file, 3);
      return;
    }
    if (!npy) {
      model::read_idx(file, file, 16);
      return;
    }
    const std::string text = "format: bitstrata-dataset-1\nkind: npy\ntest: {images: x.npy}\n";
    const auto description =
        testing::file_of("dataset.yaml", reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    const model::SampleSet set = model::load_samples(description.string());
    if (set.test && set.test->count() > 0) set.test->values(0);
  });
  return 0;
}
