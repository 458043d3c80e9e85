// SPDX-License-Identifier: Apache-2.0
#include "tests/model/picture_files.h"

#include <turbojpeg.h>
#include <zlib.h>

#include <memory>
#include <stdexcept>

namespace bitstrata::testing {
namespace {

std::string big_endian_word(std::uint32_t word) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>((word >> shift) & 0xff);
  return bytes;
}

const Bytef* bytes_of(const std::string& text) { return reinterpret_cast<const Bytef*>(text.data()); }

}  // namespace

std::string chunk(const std::string& name, const std::string& data) {
  const std::string content = name + data;
  const auto sum = crc32(0, bytes_of(content), static_cast<uInt>(content.size()));
  return big_endian_word(static_cast<std::uint32_t>(data.size())) + content +
         big_endian_word(static_cast<std::uint32_t>(sum));
}

std::string png_file(const Png& png) {
  const int channels = png.colour == 2 ? 3 : png.colour == 4 ? 2 : png.colour == 6 ? 4 : 1;
  const auto row = static_cast<std::size_t>((png.width * channels * png.depth + 7) / 8);
  std::string filtered;
  if (png.interlaced)
    filtered = png.rows;
  else
    for (std::size_t y = 0; y < static_cast<std::size_t>(png.height); ++y)
      filtered += '\0' + png.rows.substr(y * row, row);
  std::string packed(compressBound(static_cast<uLong>(filtered.size())), '\0');
  uLongf size = packed.size();
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, bytes_of(filtered), static_cast<uLong>(filtered.size()));
  packed.resize(size);
  std::string head =
      big_endian_word(static_cast<std::uint32_t>(png.width)) + big_endian_word(static_cast<std::uint32_t>(png.height));
  for (const int value : {png.depth, png.colour, 0, 0, png.interlaced ? 1 : 0}) head += static_cast<char>(value);
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", head) + png.extra +
         (png.palette.empty() ? "" : chunk("PLTE", png.palette)) + chunk("IDAT", packed) + chunk("IEND", "");
}

std::string jpeg_file(int width, int height, int channels, const std::vector<std::uint8_t>& pixels) {
  const std::unique_ptr<void, int (*)(tjhandle)> coder(tjInitCompress(), tjDestroy);
  unsigned char* data = nullptr;
  unsigned long size = 0;
  const int failed = tjCompress2(coder.get(), pixels.data(), width, 0, height,
                                 channels == 1   ? TJPF_GRAY
                                 : channels == 3 ? TJPF_RGB
                                                 : TJPF_CMYK,
                                 &data, &size, channels == 1 ? TJSAMP_GRAY : TJSAMP_444, 100, TJFLAG_ACCURATEDCT);
  if (failed != 0) throw std::runtime_error(tjGetErrorStr2(coder.get()));
  std::string file(reinterpret_cast<const char*>(data), size);
  tjFree(data);
  return file;
}

}  // namespace bitstrata::testing
