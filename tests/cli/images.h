// SPDX-License-Identifier: Apache-2.0
// A data set of a few images made on the spot, as IDX files.
#pragma once

#include <cstdint>
#include <string>

#include "tests/model/temporary.h"

namespace bitstrata::testing {

inline std::string big_endian(std::uint32_t word) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>((word >> shift) & 0xff);
  return bytes;
}

// `count` images of 28x28 with a pattern in them, and their labels; `part`: "train" or "t10k", after the folder's name
// and a slash where it is not the test's own. Where it is `striped`, bright rows tell the label, which can be learned.
inline void write_images(const TemporaryFolder& folder, const std::string& part, int count, bool striped = false) {
  std::string images =
      big_endian(0x803) + big_endian(static_cast<std::uint32_t>(count)) + big_endian(28) + big_endian(28);
  std::string labels = big_endian(0x801) + big_endian(static_cast<std::uint32_t>(count));
  for (int i = 0; i < count; ++i) {
    for (int pixel = 0; pixel < 28 * 28; ++pixel) {
      const int noise = (pixel * (i + 3) * 7) & 0xff, row = pixel / 28;
      const bool bright = row >= 2 * (i % 10) + 2 && row < 2 * (i % 10) + 6;
      images += static_cast<char>(striped ? noise / 4 + (bright ? 190 : 0) : noise);
    }
    labels += static_cast<char>(i % 10);
  }
  folder.write(part + "-images-idx3-ubyte", images);
  folder.write(part + "-labels-idx1-ubyte", labels);
}

}  // namespace bitstrata::testing
