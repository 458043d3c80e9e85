// SPDX-License-Identifier: Apache-2.0
#include "sim/fast_planes.h"

#include <algorithm>
#include <bit>
#include <stdexcept>

#include "rtl/generate/strips.h"
#include "sim/fast_layer.h"

namespace bitstrata::sim {

using namespace generate;

namespace {

// The codes a descriptor sees: a part of a tensor whose rows begin at a line.
class Input {
 public:
  Input(const Program& program, const Descriptor& d, std::size_t tensor, const model::Codes& codes)
      : codes_(codes), values_(program.formats[tensor].shape.width * program.formats[tensor].shape.channels) {
    const int bits = program.formats[tensor].bits, line_bits = program.architecture.data_bits;
    const std::uint32_t offset = d.get<F_IN_ADDRESS>() - program.tensors[tensor].address;
    const std::uint32_t row_bytes =
        program.tensors[tensor].bytes / static_cast<std::uint32_t>(program.formats[tensor].shape.height);
    first_row_ = offset / row_bytes;
    row_step_ = d.get<F_IN_ROW_STRIDE>() / row_bytes;
    first_value_ = std::int64_t{offset % row_bytes} / (std::int64_t{bits} * line_bits / 8) * line_bits;
    rows_ = d.get<F_IN_HEIGHT>();
    width_ = d.get<F_IN_ROW_BITS>();
    strip_ = strip_of(program.architecture, program.formats[tensor]);
    channels_ = program.formats[tensor].shape.channels;
    signed_ = d.get<F_SIGNED>();
    const std::int32_t zero = static_cast<std::int32_t>(d.get<F_ZERO_POINT>() & ((1u << bits) - 1));
    padding_ = differences(signed_ && (zero >> (bits - 1)) != 0 ? zero - (1 << bits) : zero);
  }

  bool is_signed() const { return signed_; }
  // Planes in which one of the values [x, x + size) of row y differs from its sign (unsigned codes: from zero), where
  // the row, or strip, begins at `from`.
  std::uint32_t planes(std::int64_t x, std::int64_t y, std::int64_t size, std::int64_t from) const {
    if (y < 0 || y >= rows_) return padding_;
    const std::int64_t begin = std::clamp<std::int64_t>(x, from, from + width_);
    const std::int64_t end = std::clamp<std::int64_t>(x + size, begin, from + width_);
    std::uint32_t result = end - begin < size ? padding_ : 0;
    const std::int32_t* const row = codes_.data() + (first_row_ + y * row_step_) * values_ + first_value_;
    for (std::int64_t i = begin; i < end; ++i) result |= differences(row[strip_ == 0 ? i : value_at(i)]);
    return result;
  }

 private:
  // The value, pixel after pixel, that lies at `place` of a row in strips.
  std::int64_t value_at(std::int64_t place) const {
    const std::int64_t strip = place / width_, in_strip = place % width_;
    return in_strip / strip_ * channels_ + strip * strip_ + in_strip % strip_;
  }
  static std::uint32_t differences(std::int32_t code) { return static_cast<std::uint32_t>(code ^ (code >> 31)); }

  const model::Codes& codes_;
  std::int64_t values_, strip_, channels_, first_row_, row_step_, first_value_, rows_, width_;
  bool signed_;
  std::uint32_t padding_;
};

}  // namespace

std::size_t input_tensor(const Program& program, std::size_t index) {
  const std::uint32_t address = program.descriptors[index].get<F_IN_ADDRESS>();
  for (std::size_t t = 0; t < program.tensors.size(); ++t) {
    const TensorPlacement& place = program.tensors[t];
    const std::int64_t bytes = std::int64_t{place.bytes} * program.batch;
    if (address >= place.address && address - place.address < bytes) return t;
  }
  throw std::logic_error("a descriptor reads no tensor");
}

std::vector<model::Codes> codes_of_batch(std::span<const std::vector<model::Codes>> images) {
  std::vector<model::Codes> all = images.front();
  for (const auto& image : images.subspan(1))
    for (std::size_t t = 0; t < all.size(); ++t) all[t].insert(all[t].end(), image.at(t).begin(), image[t].end());
  return all;
}

PlaneCounts count_planes(const Program& program, std::size_t index, const model::Codes& codes) {
  const Descriptor& d = program.descriptors[index];
  if (d.whole_codes()) return {};
  const FastLayer layer(d, program.architecture);
  const Input input(program, d, input_tensor(program, index), codes);
  const std::int64_t start_x = d.get<F_PIXEL_START_X>(), start_y = d.get<F_PIXEL_START_Y>();
  const std::int64_t step_x = d.get<F_PIXEL_STEP_X>(), step_y = d.get<F_PIXEL_STEP_Y>();
  PlaneCounts counts;
  for (int block = 0; block < layer.blocks; ++block) {
    const std::int64_t block_y = start_y + block * std::int64_t{d.get<F_BLOCK_STEP_Y>()};
    std::size_t tile_begin = counts.size();
    for (int n = 0; n < layer.n_tiles; ++n) {
      const std::size_t begin = counts.size();
      if (n > 0 && layer.same_inputs(n, n - 1)) {
        counts.reserve(2 * begin - tile_begin);
        std::copy(counts.begin() + static_cast<std::ptrdiff_t>(tile_begin),
                  counts.begin() + static_cast<std::ptrdiff_t>(begin), std::back_inserter(counts));
        tile_begin = begin;
        continue;
      }
      tile_begin = begin;
      const int* const ends = layer.window_ends(n);
      for (int k = 0; k < layer.k_tiles; ++k) {
        std::uint32_t planes = 0;
        for (int pixel = 0, last = layer.pixels_in_block(block) - 1; pixel <= last; ++pixel) {
          const std::int64_t x = start_x + pixel % layer.out_width * step_x + layer.tile_x(n);
          const std::int64_t y = block_y + pixel / layer.out_width * step_y;
          for (int w = ends[k]; w < ends[k + 1]; ++w) {
            const GatherWindow& window = layer.window(n, w);
            planes |= input.planes(x + window.x, y + window.y, window.size, layer.row_begin(n));
          }
          if (pixel != last && (pixel + 1) % layer.vectors != 0) continue;
          // Signed values need a plane of signs above those that differ from it.
          const int needed = std::bit_width(planes) + (input.is_signed() ? 1 : 0);
          counts.push_back(static_cast<std::uint8_t>(std::max(1, needed)));
          planes = 0;
        }
      }
    }
  }
  return counts;
}

}  // namespace bitstrata::sim
