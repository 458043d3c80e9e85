// SPDX-License-Identifier: Apache-2.0
// PNG and JPEG files made in the tests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bitstrata::testing {

// What a PNG file holds; written without libpng, with no filter.
struct Png {
  int width = 1, height = 1;
  int depth = 8;
  int colour = 2;           // 0: grey, 2: RGB, 3: palette, 4: grey and alpha, 6: RGBA
  std::string rows;         // packed, row after row, each from a byte on
  std::string palette;      // RGB each, colour 3
  std::string extra;        // further chunks before the data, as `chunk` makes them
  bool interlaced = false;  // `rows` then are those of Adam7's passes
};

std::string chunk(const std::string& name, const std::string& data);
std::string png_file(const Png& png);

// A JPEG file of `pixels` ([y][x][channel], 1 or 3 channels; 4: CMYK), quality 100, chroma as fine as luma.
std::string jpeg_file(int width, int height, int channels, const std::vector<std::uint8_t>& pixels);

}  // namespace bitstrata::testing
