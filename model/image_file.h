// SPDX-License-Identifier: Apache-2.0
// PNG and JPEG files as pixels.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "model/network.h"

namespace bitstrata::model {

struct Image {
  Shape shape;
  std::vector<std::uint8_t> pixels;  // [y][x][channel]
};

// The image with 1 channel (grey) or 3 (red, green, blue); what the file begins with decides its format. Pixels are
// those that the file stores:
//   PNG   of up to 8 bits; grey of 1, 2 and 4 bits is spread over 0..255, palettes are looked up, colour profiles and
//         gamma are left aside;
//   JPEG  as libjpeg-turbo decodes it with its accurate integer transform and smooth upsampling of chroma, as libjpeg
//         and the tools on top of it do; a stored orientation is left aside.
// Nothing is mixed: three channels of a grey file are equal, and one channel of a colour file is refused.
// Throws std::runtime_error naming the file: where it is damaged or cut off, has 16 bits, transparent pixels, CMYK
// colours or more than 2^26 pixels.
Image read_image(const std::filesystem::path& file, int channels);

}  // namespace bitstrata::model
