// SPDX-License-Identifier: Apache-2.0
// PNG and JPEG files made on the spot: every kind of pixel, and every kind of damage.
#include "model/image_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/model/picture_files.h"
#include "tests/model/temporary.h"

namespace bitstrata::testing {
namespace {

using namespace model;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

Image read(const std::string& bytes, int channels = 3) {
  const TemporaryFolder folder;
  return read_image(folder.write("x", bytes), channels);
}

std::string refusal(const std::string& bytes, int channels = 3) {
  return message_of<std::runtime_error>([&] { read(bytes, channels); });
}

TEST(Png, PixelsOfEveryKind) {
  const Image colour =
      read(png_file({.width = 2, .height = 1, .rows = "\x01\x02\x03\xfe\xff\x10", .palette = {}, .extra = {}}));
  EXPECT_EQ(colour.shape, (Shape{1, 2, 3}));
  EXPECT_THAT(colour.pixels, ElementsAre(1, 2, 3, 254, 255, 16));
  const auto grey = [](int depth, int width, const std::string& rows, int channels) {
    return read(png_file({.width = width,
                          .height = 1,
                          .depth = depth,
                          .colour = 0,
                          .rows = rows,
                          .palette = {},
                          .extra = {}}),
                channels)
        .pixels;
  };
  EXPECT_THAT(grey(1, 3, "\xa0", 1), ElementsAre(255, 0, 255));
  EXPECT_THAT(grey(2, 4, "\x1b", 1), ElementsAre(0, 85, 170, 255));
  EXPECT_THAT(grey(4, 2, "\x3e", 1), ElementsAre(51, 238));
  EXPECT_THAT(grey(8, 2, "\x07\x80", 1), ElementsAre(7, 128));
  EXPECT_THAT(grey(8, 2, "\x07\x80", 3), ElementsAre(7, 7, 7, 128, 128, 128));
  const Png looked_up{
      .width = 3, .height = 1, .depth = 2, .colour = 3, .rows = "\x18", .palette = "abcdefghi", .extra = {}};
  EXPECT_THAT(read(png_file(looked_up)).pixels, ElementsAre('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'));
  const Png opaque{.width = 2,
                   .height = 1,
                   .colour = 6,
                   .rows =
                       "abc\xff"
                       "def\xff",
                   .palette = {},
                   .extra = {}};
  EXPECT_THAT(read(png_file(opaque)).pixels, ElementsAre('a', 'b', 'c', 'd', 'e', 'f'));
  const Png grey_opaque{.width = 1,
                        .height = 2,
                        .colour = 4,
                        .rows =
                            "a\xff"
                            "b\xff",
                        .palette = {},
                        .extra = {}};
  EXPECT_THAT(read(png_file(grey_opaque), 1).pixels, ElementsAre('a', 'b'));
}

// Adam7 takes a 2x2 image in three passes: pixel (0,0), then (1,0), then the row below.
TEST(Png, InterlacedPixelsComeInTheirPlaces) {
  const std::string rows("\0a\0b\0cd", 7);
  const Image image = read(
      png_file({.width = 2, .height = 2, .colour = 0, .rows = rows, .palette = {}, .extra = {}, .interlaced = true}),
      1);
  EXPECT_THAT(image.pixels, ElementsAre('a', 'b', 'c', 'd'));
}

TEST(Png, GammaIsLeftAside) {
  const std::string gamma = chunk("gAMA", std::string("\0\x01\x86\xa0", 4));  // 1.0: linear
  EXPECT_THAT(read(png_file({.rows = "\x20\x40\x60", .palette = {}, .extra = gamma})).pixels, ElementsAre(32, 64, 96));
}

TEST(Png, RefusesWhatItWouldHaveToChange) {
  EXPECT_THAT(refusal(png_file({.depth = 16, .rows = "abcdef", .palette = {}, .extra = {}})),
              EndsWith("x: has 16 bits a channel; PNG files of 8 are read"));
  EXPECT_THAT(refusal(png_file({.colour = 6, .rows = "abc\xfe", .palette = {}, .extra = {}})),
              EndsWith("has transparent pixels; save it without an alpha channel"));
  const Png keyed{.rows = "abc", .palette = {}, .extra = chunk("tRNS", std::string("\0a\0b\0c", 6))};
  EXPECT_THAT(refusal(png_file(keyed)), HasSubstr("transparent"));
  EXPECT_THAT(refusal(png_file({.rows = "abc", .palette = {}, .extra = {}}), 1),
              EndsWith("is a colour image; 'channels: 1' reads grey ones"));
}

TEST(Png, EveryCutAndEveryChangedByteOfPixelsIsNoticed) {
  const std::string whole = png_file({.width = 2, .height = 2, .rows = "abcdefghijkl", .palette = {}, .extra = {}});
  for (std::size_t size = 8; size < whole.size(); ++size)
    EXPECT_THAT(refusal(whole.substr(0, size)), EndsWith("x: damaged PNG data (the file ends too early)")) << size;
  const std::size_t data = whole.find("IDAT"), end = whole.find("IEND") - 4;
  for (std::size_t i = data + 4; i < end; ++i) {
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    EXPECT_THAT(refusal(changed), HasSubstr("damaged PNG data (")) << i;
  }
}

TEST(Png, RefusesAHeadThatWouldFillTheMemory) {
  const Png huge{.width = 65536, .height = 65536, .rows = {}, .palette = {}, .extra = {}, .interlaced = true};
  EXPECT_THAT(refusal(png_file(huge)), EndsWith("is 65536x65536; images of at most 67108864 pixels are read"));
}

// Quality 100 keeps slow changes within three steps; a swapped channel, row or column would be far off.
TEST(Jpeg, PixelsAreNearWhatWasStored) {
  const int width = 19, height = 11;
  std::vector<std::uint8_t> pixels, grey;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (const int value : {10 + 12 * x, 240 - 20 * y, 5 + 6 * x + 9 * y})
        pixels.push_back(static_cast<std::uint8_t>(value));
      grey.push_back(static_cast<std::uint8_t>(20 + 11 * x + 2 * y));
    }
  }
  const auto expect_near = [](const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_LE(std::abs(a[i] - b[i]), 3) << i;
  };
  const Image colour = read(jpeg_file(width, height, 3, pixels));
  EXPECT_EQ(colour.shape, (Shape{height, width, 3}));
  expect_near(colour.pixels, pixels);
  const Image one = read(jpeg_file(width, height, 1, grey), 1);
  EXPECT_EQ(one.shape, (Shape{height, width, 1}));
  expect_near(one.pixels, grey);
  const Image three = read(jpeg_file(width, height, 1, grey), 3);
  for (std::size_t i = 0; i < grey.size(); ++i)
    for (std::size_t c = 0; c < 3; ++c) EXPECT_EQ(three.pixels[3 * i + c], one.pixels[i]);
}

TEST(Jpeg, RefusesOtherColoursAndDamage) {
  const std::vector<std::uint8_t> pixels(32 * 32 * 4, 77);
  EXPECT_THAT(refusal(jpeg_file(32, 32, 4, pixels)), EndsWith("x: has CMYK colours; save it in RGB"));
  EXPECT_THAT(refusal(jpeg_file(32, 32, 3, pixels), 1), EndsWith("is a colour image; 'channels: 1' reads grey ones"));
  const std::string whole = jpeg_file(32, 32, 3, pixels);
  for (std::size_t size = 2; size < whole.size(); ++size)
    EXPECT_THAT(refusal(whole.substr(0, size)), HasSubstr("x: damaged JPEG data (")) << size << " of " << whole.size();
}

TEST(Images, OtherFilesAreNamed) {
  EXPECT_THAT(refusal("GIF89a--"), EndsWith("x: is neither a PNG nor a JPEG file"));
  EXPECT_THAT(refusal(""), AnyOf(HasSubstr("missing, empty"), EndsWith("neither a PNG nor a JPEG file")));
  EXPECT_THAT(message_of<std::runtime_error>([] { read_image("/nothing/x.png", 3); }), HasSubstr("/nothing/x.png"));
}

}  // namespace
}  // namespace bitstrata::testing
