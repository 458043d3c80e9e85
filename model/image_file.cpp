// SPDX-License-Identifier: Apache-2.0
#include "model/image_file.h"

#include <fmt/format.h>
#include <png.h>
#include <turbojpeg.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>

#include "model/npy_file.h"
#include "model/yaml_reader.h"

namespace bitstrata::model {
namespace {

constexpr std::int64_t most_pixels = std::int64_t{1} << 26;

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& why) {
  throw std::runtime_error(in_one_line(fmt::format("{}: {}", file.string(), why)));
}

void check_size(const std::filesystem::path& file, std::int64_t width, std::int64_t height) {
  if (width < 1 || height < 1 || width > most_pixels / height) {
    refuse(file, fmt::format("is {}x{}; images of at most {} pixels are read", height, width, most_pixels));
  }
}

// Everything that libpng's calls touch. Errors of libpng leave by longjmp, past destructors, so the functions that
// call it keep their objects here, outside of the frames that are left.
struct PngReading {
  explicit PngReading(std::span<const std::uint8_t> file_bytes) : bytes(file_bytes) {}
  ~PngReading() { png_destroy_read_struct(&png, &info, nullptr); }
  PngReading(const PngReading&) = delete;
  PngReading& operator=(const PngReading&) = delete;

  std::span<const std::uint8_t> bytes;  // what is left of the file
  png_structp png = nullptr;
  png_infop info = nullptr;
  char message[160] = "";
  png_uint_32 width = 0, height = 0;
  int depth = 0, channels = 0;
  std::vector<std::uint8_t> pixels;
  std::vector<png_bytep> rows;
};

void on_png_error(png_structp png, png_const_charp message) {
  auto& reading = *static_cast<PngReading*>(png_get_error_ptr(png));
  std::snprintf(reading.message, sizeof(reading.message), "%s", message);
  png_longjmp(png, 1);
}

// What libpng warns of (profiles, checksums of notes) does not touch pixels.
void on_png_warning(png_structp, png_const_charp) {}

void give_png_bytes(png_structp png, png_bytep target, std::size_t count) {
  auto& reading = *static_cast<PngReading*>(png_get_io_ptr(png));
  if (count > reading.bytes.size()) png_error(png, "the file ends too early");
  std::memcpy(target, reading.bytes.data(), count);
  reading.bytes = reading.bytes.subspan(count);
}

// Size and depth. False: `message` says why not.
bool read_png_head(PngReading& reading) {
  reading.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reading, on_png_error, on_png_warning);
  if (reading.png == nullptr) throw std::bad_alloc();
  reading.info = png_create_info_struct(reading.png);
  if (reading.info == nullptr) throw std::bad_alloc();
  if (setjmp(png_jmpbuf(reading.png)) != 0) return false;
  png_set_read_fn(reading.png, &reading, give_png_bytes);
  png_read_info(reading.png, reading.info);
  reading.width = png_get_image_width(reading.png, reading.info);
  reading.height = png_get_image_height(reading.png, reading.info);
  reading.depth = png_get_bit_depth(reading.png, reading.info);
  return true;
}

// Pixels of 8 bits with as many channels as the file has, transparency among them.
bool read_png_pixels(PngReading& reading) {
  if (setjmp(png_jmpbuf(reading.png)) != 0) return false;
  png_set_expand(reading.png);
  png_set_interlace_handling(reading.png);
  png_read_update_info(reading.png, reading.info);
  reading.channels = png_get_channels(reading.png, reading.info);
  const std::size_t row = png_get_rowbytes(reading.png, reading.info);
  reading.pixels.resize(row * reading.height);
  reading.rows.resize(reading.height);
  for (std::size_t y = 0; y < reading.rows.size(); ++y) reading.rows[y] = reading.pixels.data() + y * row;
  png_read_image(reading.png, reading.rows.data());
  png_read_end(reading.png, nullptr);
  return true;
}

Image read_png(const std::filesystem::path& file, std::span<const std::uint8_t> bytes, int channels) {
  PngReading reading(bytes);
  if (!read_png_head(reading)) refuse(file, fmt::format("damaged PNG data ({})", reading.message));
  check_size(file, reading.width, reading.height);
  if (reading.depth > 8) refuse(file, fmt::format("has {} bits a channel; PNG files of 8 are read", reading.depth));
  if (!read_png_pixels(reading)) refuse(file, fmt::format("damaged PNG data ({})", reading.message));
  const bool alpha = reading.channels % 2 == 0;
  const int colours = reading.channels - (alpha ? 1 : 0);
  if (colours > channels) refuse(file, "is a colour image; 'channels: 1' reads grey ones");
  Image image{{static_cast<int>(reading.height), static_cast<int>(reading.width), channels}, {}};
  image.pixels.reserve(static_cast<std::size_t>(image.shape.elements()));
  for (std::size_t i = 0; i < reading.pixels.size(); i += static_cast<std::size_t>(reading.channels)) {
    const std::uint8_t* pixel = reading.pixels.data() + i;
    if (alpha && pixel[colours] != 255) refuse(file, "has transparent pixels; save it without an alpha channel");
    for (int c = 0; c < channels; ++c) image.pixels.push_back(pixel[std::min(c, colours - 1)]);
  }
  return image;
}

Image read_jpeg(const std::filesystem::path& file, std::span<const std::uint8_t> bytes, int channels) {
  const std::unique_ptr<void, int (*)(tjhandle)> decoder(tjInitDecompress(), tjDestroy);
  if (!decoder) throw std::bad_alloc();
  const auto size = static_cast<unsigned long>(bytes.size());
  int width = 0, height = 0, sampling = 0, colours = 0;
  if (tjDecompressHeader3(decoder.get(), bytes.data(), size, &width, &height, &sampling, &colours) != 0)
    refuse(file, fmt::format("damaged JPEG data ({})", tjGetErrorStr2(decoder.get())));
  if (width == 0 || height == 0) refuse(file, "damaged JPEG data (no image in it)");  // tables alone are a valid file
  check_size(file, width, height);
  if (colours == TJCS_CMYK || colours == TJCS_YCCK) refuse(file, "has CMYK colours; save it in RGB");
  if (colours != TJCS_GRAY && channels == 1) refuse(file, "is a colour image; 'channels: 1' reads grey ones");
  Image image{{height, width, channels}, {}};
  image.pixels.resize(static_cast<std::size_t>(image.shape.elements()));
  // Warnings are damage, too: what is missing would be filled with grey. Scans without end are a known attack.
  constexpr int flags = TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS;
  if (tjDecompress2(decoder.get(), bytes.data(), size, image.pixels.data(), width, 0, height,
                    channels == 1 ? TJPF_GRAY : TJPF_RGB, flags) != 0)
    refuse(file, fmt::format("damaged JPEG data ({})", tjGetErrorStr2(decoder.get())));
  return image;
}

}  // namespace

Image read_image(const std::filesystem::path& file, int channels) {
  if (channels != 1 && channels != 3) throw std::invalid_argument(fmt::format("{} channels, not 1 or 3", channels));
  const std::vector<std::uint8_t> bytes = read_bytes(file);
  if (bytes.size() >= 8 && png_sig_cmp(bytes.data(), 0, 8) == 0) return read_png(file, bytes, channels);
  if (bytes.size() >= 2 && bytes[0] == 0xff && bytes[1] == 0xd8) return read_jpeg(file, bytes, channels);
  refuse(file, "is neither a PNG nor a JPEG file");
}

}  // namespace bitstrata::model
