// SPDX-License-Identifier: Apache-2.0
#include "rtl/generate/tiling.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "rtl/generate/field_limits.h"
#include "rtl/generate/image.h"
#include "rtl/generate/strips.h"

namespace bitstrata::generate {

namespace {

using model::Architecture;
using model::IntegerLayer;
using model::IntegerNetwork;
using model::Operands;
using model::Shape;
using model::TensorFormat;
using model::Window;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

constexpr std::int64_t longest_address = 65535;  // buffer addresses have 16 bits
constexpr std::size_t enough_widths = 4;         // tile widths worth comparing
constexpr std::int64_t worth_comparing = 4096;   // pieces of a tiling where there is another one

// The layer with what every question about it needs.
class Cutter {
 public:
  Cutter(const Architecture& a, const IntegerNetwork& network, const IntegerLayer& layer, const Mapping& mapping)
      : a_(a),
        network_(network),
        layer_(layer),
        m_(mapping),
        in_(network.tensors[static_cast<std::size_t>(layer.input)]),
        out_(network.tensors[static_cast<std::size_t>(layer.output)]) {
    in_strips_ = strip_of(a, in_) > 0;
    out_strips_ = strip_of(a, out_) > 0;
    // Upsampling and depth to space walk over their input; each piece writes one row of the enlarged pixels.
    const bool spreads = operands(layer.kind) == Operands::spread;
    grid_ = enlarges(layer.kind) ? in_.shape : out_.shape;
    grid_.width = static_cast<int>(ceil_div(grid_.width, m_.pixels));
    pixel_channels_ = spreads
                          ? in_.shape.channels / m_.phases
                          : m_.repeats * m_.pixels * (enlarges(layer.kind) ? in_.shape.channels : out_.shape.channels);
  }

  // Adds tilings to `all` and the reason why the last one tried does not fit to `reason`.
  void cut(std::vector<Tiling>& all, std::string& reason) const {
    const std::size_t before = all.size();
    for (const int width : widths()) {
      try_grid(width, tallest(), {}, 1, all, reason);
      if (all.size() >= before + enough_widths) return;
    }
    // Columns of single pixels, of which some channels are computed at a time, where each begins on a line.
    if (all.size() == before && grid_.width > 1 && pixel_channels_ % a_.data_bits == 0 && !in_strips_ && !out_strips_)
      try_grid(1, tallest(), {}, 1, all, reason);
    if (linear() && grid_.height > 1) cut_images(all, reason);
    if (all.size() == before && !in_strips_ && !out_strips_) split_kernel(all, reason);
  }

  // Empty where the piece fits.
  std::string misfit(const Piece& piece) const {
    const Room room = room_of(a_, network_, layer_, m_, piece);
    const std::int64_t in_capacity = std::int64_t{a_.plane_banks()} * a_.activation_depth;
    const std::int64_t out_capacity = std::int64_t{a_.plane_banks()} * a_.output_depth;
    const int width = piece.x1 - piece.x0, height = piece.y1 - piece.y0;
    // The tiles of millions of channels are not laid out one by one.
    if (const std::int64_t least = ceil_div(piece.n1 - piece.n0, m_.capacity()); least > longest_count(a_))
      return fmt::format("{} output tiles; a descriptor counts {}", least, longest_count(a_));
    const Channels& channels = channels_of(piece);
    const int groups = channels.groups;
    if (groups > a_.parameter_depth) {
      return fmt::format(
          "{} channels need {} groups of {} parameter records; architecture '{}' holds "
          "parameter_depth = {}",
          piece.n1 - piece.n0, groups, a_.post_lanes, a_.name, a_.parameter_depth);
    }
    const std::int64_t tile_rows = a_.words_of_weights(
        static_cast<int>(channels.largest), m_.weight_bits,
        fold_of(a_, layer_, m_, piece) > 0 ? a_.rows
                                           : std::min<std::int64_t>(a_.rows, kernel_values(layer_, m_, piece)));
    if (m_.convolution && tile_rows > a_.weight_words()) {
      return fmt::format("a weight tile of {} rows does not fit weight_depth = {} of architecture '{}'",
                         tile_rows * a_.rows_at_once(), a_.weight_depth, a_.name);
    }
    const bool carries = piece.carry_in || piece.carry_out;
    const std::int64_t pixels = std::int64_t{width} * (carries ? height : 1);
    const std::int64_t turns = carries ? ceil_div(channels.tiles, 2) : 1;
    if (pixels * turns > a_.psum_depth) {
      return fmt::format(
          "{} pixels of an output row are computed at once (pieces begin on a line of {} bits){}: they do "
          "not fit psum_depth = {} of architecture '{}'",
          pixels, a_.data_bits, turns > 1 ? fmt::format(", {} times over", turns) : "", a_.psum_depth, a_.name);
    }
    if (!piece.carry_out && std::int64_t{room.out_slot} * (carries ? height : 1) > out_capacity) {
      return fmt::format(
          "an output row takes {} lines a parity, the output buffer half holds {} (output_depth = {} x "
          "{} banks) in architecture '{}'",
          room.out_slot, out_capacity, a_.output_depth, a_.plane_banks(), a_.name);
    }
    if (room.slots < 1) {
      return fmt::format(
          "an input row of {} bits a plane takes {} lines a parity at {} bits, the activation buffer "
          "holds {} (activation_depth = {} x {} banks) in architecture '{}'",
          room.lines * a_.data_bits, room.slot, in_.bits, in_capacity, a_.activation_depth, a_.plane_banks(), a_.name);
    }
    const std::int64_t needed = carries ? room.rows : std::min<std::int64_t>(room.rows, span(piece, 1));
    if (needed > room.slots) {
      return fmt::format(
          "{} input rows must be held at once, the activation buffer holds {} (rows of {} x {} channels "
          "at {} bits; activation_depth = {}) in architecture '{}'",
          needed, room.slots, in_.shape.width, in_.shape.channels, in_.bits, a_.activation_depth, a_.name);
    }
    if (std::int64_t{room.lines} * a_.data_bits >= (1 << 19) || std::int64_t{width} * pixel_channels_ >= (1 << 19) ||
        run_length(piece) > 65535) {
      return "a row of the input or output exceeds 524287 values, or a run of it 65535: too long to address";
    }
    return field_misfit(a_, network_, layer_, m_, piece, room, channels.tiles, channels.parameter_bytes);
  }

  // Loaded input rows that `rows` output rows reach over.
  std::int64_t span(const Piece& piece, int rows) const {
    const Window& w = layer_.window;
    return std::int64_t{rows - 1} * (w.stride_height / piece.row_step) +
           std::int64_t{piece.ky1 - piece.ky0 - 1} * w.dilation_height + 1;
  }

 private:
  // Pieces one pixel wide, `height` rows and `step` channels each, which are computed in parts of the kernel.
  struct Grid {
    int height, rows, step;
    std::int64_t count;
    std::vector<Piece> parts;
  };
  // What holds of output channels [n0, n1), which most pieces that are tried one after the other share.
  struct Channels {
    int n0 = 0, n1 = 0;
    std::int64_t tiles = 0;
    int largest = 0;  // outputs of a tile
    int groups = 0;   // of parameter records
    std::int64_t parameter_bytes = 0;
  };
  const Channels& channels_of(const Piece& piece) const {
    if (channels_.n0 == piece.n0 && channels_.n1 == piece.n1) return channels_;
    const std::vector<Tile> tiles = tiles_of(m_, piece.n0, piece.n1);
    channels_ = {.n0 = piece.n0,
                 .n1 = piece.n1,
                 .tiles = static_cast<std::int64_t>(tiles.size()),
                 .groups = parameter_groups(a_, m_, piece),
                 .parameter_bytes = parameter_bytes(a_, layer_, m_, piece)};
    for (const Tile& tile : tiles) channels_.largest = std::max(channels_.largest, tile.count);
    return channels_;
  }
  std::int64_t run_length(const Piece& piece) const {
    if (piece.run1 > 0) return piece.run1 - piece.run0;
    return m_.whole_row ? std::int64_t{layer_.window.kernel_width} * m_.slice : m_.slice;
  }
  Piece whole() const {
    return {.y1 = grid_.height,
            .x1 = grid_.width,
            .n1 = pixel_channels_,
            .ky1 = has_window(layer_.kind) ? layer_.window.kernel_height : 1};
  }

  // Output rows of a piece that descriptors count, with the input rows that they read.
  int tallest() const {
    const std::int64_t left = longest_count(a_) - span(whole(), 1);
    const std::int64_t rows = left < 0 ? 1 : left / std::max(1, layer_.window.stride_height) + 1;
    return static_cast<int>(std::min<std::int64_t>(grid_.height, rows));
  }

  // Tile widths that begin on a line of the output, widest first.
  std::vector<int> widths() const {
    // Strips are written whole.
    if (out_strips_) return {grid_.width};
    const int unit = a_.data_bits / std::gcd(a_.data_bits, pixel_channels_);
    std::vector<int> all;
    for (int tiles = 1; tiles <= grid_.width; tiles += std::max(1, tiles / 4)) {
      const int width =
          std::min<int>(grid_.width, static_cast<int>(ceil_div(ceil_div(grid_.width, tiles), unit) * unit));
      if (all.empty() || width < all.back()) all.push_back(width);
    }
    return all;
  }

  // Whether an output pixel reads the whole input; of several rows, each one image of a batch's.
  bool linear() const {
    const Window& w = layer_.window;
    if (!m_.convolution || !m_.whole_row || in_strips_ || out_strips_ || grid_.width != 1 ||
        w.kernel_width != in_.shape.width || w.pad_left != 0)
      return false;
    if (grid_.height == 1) return w.kernel_height == in_.shape.height;
    return w.kernel_height == w.stride_height && w.dilation_height == 1 && w.pad_top == 0 &&
           w.kernel_height * grid_.height == in_.shape.height;
  }

  // Pieces of all channels, or of so many that the output buffer holds `rows` rows of them. Parts of the kernel each
  // continue the sums of the one before.
  std::vector<Piece> grid(int width, int height, const std::vector<Piece>& parts, int rows = 1) const {
    std::vector<Piece> pieces;
    for (int n0 = 0, step = channel_step(width, !parts.empty(), rows); n0 < pixel_channels_; n0 += step) {
      for (int phase = 0; phase < m_.phases; ++phase) {
        for (int y = 0; y < grid_.height; y += height) {
          for (int x = 0; x < grid_.width; x += width) {
            const Piece place = piece_at(x, y, width, height, n0, step, phase);
            if (parts.empty()) pieces.push_back(place);
            for (std::size_t p = 0; p < parts.size(); ++p) pieces.push_back(part_of(place, parts, p));
          }
        }
      }
    }
    return pieces;
  }
  Piece piece_at(int x, int y, int width, int height, int n0, int step, int phase) const {
    Piece piece = whole();
    piece.y0 = y, piece.y1 = std::min(grid_.height, y + height);
    piece.x0 = x, piece.x1 = std::min(grid_.width, x + width);
    piece.n0 = n0, piece.n1 = std::min(pixel_channels_, n0 + step);
    piece.phase = phase;
    return piece;
  }
  static Piece part_of(Piece piece, const std::vector<Piece>& parts, std::size_t p) {
    piece.ky0 = parts[p].ky0, piece.ky1 = parts[p].ky1;
    piece.run0 = parts[p].run0, piece.run1 = parts[p].run1;
    piece.kx0 = parts[p].kx0, piece.kx1 = parts[p].kx1;
    piece.row_step = parts[p].row_step;
    piece.carry_in = p > 0;
    piece.carry_out = p + 1 < parts.size();
    return piece;
  }

  // The first piece and the count of a grid tell of most that do not fit, before all are made.
  void try_grid(int width, int height, const std::vector<Piece>& parts, int rows, std::vector<Tiling>& all,
                std::string& reason) const {
    const int step = channel_step(width, !parts.empty(), rows);
    const Piece first = piece_at(0, 0, width, height, 0, step, 0);
    reason = misfit(parts.empty() ? first : part_of(first, parts, 0));
    if (!reason.empty()) return;
    const std::int64_t count = ceil_div(pixel_channels_, step) * m_.phases * ceil_div(grid_.height, height) *
                               ceil_div(grid_.width, width) *
                               std::max<std::int64_t>(1, static_cast<std::int64_t>(parts.size()));
    if (count > most_descriptors) {
      reason = fmt::format("takes {} descriptors; a list of them holds {}", count, most_descriptors);
    } else if (all.empty() || count <= worth_comparing) {
      try_pieces(grid(width, height, parts, rows), all, reason);
    } else {
      left_.push_back({height, rows, step, count, parts});
    }
  }

  // Output channels of a piece. Only pieces of one pixel a row can be cut, where their channels are whole lines.
  int channel_step(int width, bool carries, int rows) const {
    const bool lines = grid_.width == 1 || (m_.convolution && pixel_channels_ % a_.data_bits == 0);
    if (width != 1 || !lines || m_.groups > 1 || m_.phases > 1 || joins_channels(layer_.kind)) return pixel_channels_;
    const std::int64_t groups = m_.macros * ceil_div(m_.lanes, a_.post_lanes);
    std::int64_t tiles = a_.parameter_depth / groups;
    if (carries) tiles = std::min<std::int64_t>(tiles, 2 * (a_.psum_depth / rows));
    std::int64_t step = std::min(tiles * m_.capacity(), longest_count(a_)) / a_.data_bits * a_.data_bits;
    if (rows > 1) {
      const std::int64_t pairs = std::int64_t{a_.plane_banks()} * a_.output_depth / (std::int64_t{rows} * out_.bits);
      step = std::min(step, 2 * pairs * a_.data_bits);
    }
    return step <= 0 || step >= pixel_channels_ ? pixel_channels_ : static_cast<int>(step);
  }

  void try_pieces(std::vector<Piece> pieces, std::vector<Tiling>& all, std::string& reason) const {
    for (const Piece& piece : pieces) {
      reason = misfit(piece);
      if (!reason.empty()) return;
    }
    all.push_back({m_, true, std::move(pieces)});
  }

  void split_kernel(std::vector<Tiling>& all, std::string& reason) const {
    if (!has_window(layer_.kind)) return;
    const int kernel_rows = layer_.window.kernel_height;
    const std::size_t before = all.size();
    for (int rows = kernel_rows - 1; rows >= 1 && all.size() == before; --rows) {
      std::vector<Piece> parts;
      for (int ky = 0; ky < kernel_rows; ky += rows)
        parts.push_back({.ky0 = ky, .ky1 = std::min(kernel_rows, ky + rows)});
      try_parts(parts, all, reason);
    }
    if (all.size() == before && linear() && grid_.height == 1) split_rows(1, all, reason);
    if (all.size() == before && !m_.convolution) split_taps(all, reason);
  }

  // The first rectangle of outputs, widest and highest first, whose sums over all parts of the kernel fit.
  void try_parts(const std::vector<Piece>& parts, std::vector<Tiling>& all, std::string& reason) const {
    const std::size_t before = all.size();
    for (const int width : widths()) {
      for (int height = tallest(); height >= 1 && all.size() == before; height /= 2)
        try_grid(width, height, parts, 1, all, reason);
    }
  }

  // A pooling whose window reaches over more of a row than the buffer holds goes over a part of each kernel row at a
  // time: as few parts as fit.
  void split_taps(std::vector<Tiling>& all, std::string& reason) const {
    const int kernel_width = layer_.window.kernel_width;
    const std::size_t before = all.size();
    for (int count = 2, last = 0; count <= kernel_width && all.size() == before; ++count) {
      const int taps = static_cast<int>(ceil_div(kernel_width, count));
      if (taps == last) continue;
      last = taps;
      std::vector<Piece> parts;
      for (int ky = 0; ky < layer_.window.kernel_height; ++ky) {
        for (int kx = 0; kx < kernel_width; kx += taps)
          parts.push_back({.ky0 = ky, .ky1 = ky + 1, .kx0 = kx, .kx1 = std::min(kernel_width, kx + taps)});
      }
      try_parts(parts, all, reason);
    }
  }

  // A linear layer over a batch has one pixel an image. Its weights are loaded once for the images whose outputs are
  // computed at once: more of them where only some channels are written, or a part of each image is read.
  void cut_images(std::vector<Tiling>& all, std::string& reason) const {
    left_.clear();
    try_grid(1, grid_.height, {}, grid_.height, all, reason);
    for (int images = grid_.height; images > 1; images = (images + 1) / 2) split_rows(images, all, reason);
    // Very many images make very many pieces, but weights that are loaded for few images at a time can cost several
    // times as much: one of those ways is worth its time.
    const Grid* chosen = nullptr;
    double least = std::numeric_limits<double>::infinity();
    for (const Grid& g : left_) least = std::min(least, traffic(g));
    for (const Grid& g : left_)
      if (traffic(g) <= 1.25 * least && (chosen == nullptr || g.count < chosen->count)) chosen = &g;
    if (chosen != nullptr) try_pieces(grid(1, chosen->height, chosen->parts, chosen->rows), all, reason);
  }

  // Bits of weights and input that a grid of pieces one pixel wide loads: weights once for each of its rows of pieces,
  // the input once for each piece of channels.
  double traffic(const Grid& g) const {
    const double weights = static_cast<double>(pixel_channels_) * static_cast<double>(in_.shape.elements()) /
                           grid_.height * m_.weight_bits;
    const double input = static_cast<double>(in_.shape.elements()) * in_.bits;
    return static_cast<double>(ceil_div(grid_.height, g.height)) * weights +
           static_cast<double>(ceil_div(pixel_channels_, g.step)) * input;
  }

  // A linear layer may read a part of a row: as many parts as pieces of `images` images need to fit. Rows of the other
  // parts are not loaded.
  void split_rows(int images, std::vector<Tiling>& all, std::string& reason) const {
    const int kernel_rows = layer_.window.kernel_height, row = in_.shape.width * in_.shape.channels;
    const std::size_t before = all.size(), left = left_.size();
    const auto length_of = [&](int count) {
      return static_cast<int>(ceil_div(ceil_div(row, count), a_.data_bits) * a_.data_bits);
    };
    for (int count = kernel_rows == 1 ? 2 : 1; all.size() == before; ++count) {
      const int length = length_of(count);
      // Runs that a descriptor counts; and parts of one length are tried once.
      if (length <= longest_count(a_) && (count <= 2 || length != length_of(count - 1))) {
        std::vector<Piece> parts;
        for (int ky = 0; ky < kernel_rows; ++ky) {
          for (int run = 0; run < row; run += length) {
            parts.push_back({.ky0 = ky, .ky1 = ky + 1, .run0 = run, .run1 = std::min(row, run + length)});
            if (grid_.height > 1) parts.back().row_step = layer_.window.stride_height;
          }
        }
        if (parts.size() > 1) try_grid(1, images, parts, images, all, reason);
        if (left_.size() > left) return;  // more parts are no fewer pieces
      }
      if (length <= a_.data_bits) return;
    }
  }

  const Architecture& a_;
  const IntegerNetwork& network_;
  const IntegerLayer& layer_;
  const Mapping& m_;
  const TensorFormat& in_;
  const TensorFormat& out_;
  Shape grid_;  // pixels to cut
  bool in_strips_ = false, out_strips_ = false;
  int pixel_channels_ = 0;          // values a pixel of it writes
  mutable std::vector<Grid> left_;  // fit, of more pieces than are compared while there is another way
  mutable Channels channels_;
};

}  // namespace

Room room_of(const Architecture& a, const IntegerNetwork& network, const IntegerLayer& layer, const Mapping& mapping,
             const Piece& piece) {
  const TensorFormat& in = network.tensors[static_cast<std::size_t>(layer.input)];
  const TensorFormat& out = network.tensors[static_cast<std::size_t>(layer.output)];
  const Window& w = layer.window;
  const int line = a.data_bits, channels = in.shape.channels;
  Room room;
  // Pixels of an input row that are read, as values of the row.
  const int first_tap = piece.kx0 * w.dilation_width;
  const int last_tap = first_tap + (piece.taps(w.kernel_width) - 1) * w.dilation_width;
  const int left = std::max(0, piece.x0 * w.stride_width - w.pad_left + first_tap);
  const int right = std::min(in.shape.width - 1, (piece.x1 - 1) * w.stride_width - w.pad_left + last_tap);
  std::int64_t first = std::int64_t{left} * channels, end = std::int64_t{right + 1} * channels;
  if (piece.run1 > 0) first = piece.run0, end = piece.run1;
  // A strip's pixels are all over the row.
  if (strip_of(a, in) > 0) first = 0, end = std::int64_t{in.shape.width} * channels;
  if (end <= first) end = first + 1;  // padding alone: a line is loaded all the same
  first = std::min(first, std::int64_t{in.shape.width} * channels - 1);
  end = std::max(first + 1, std::min(end, std::int64_t{in.shape.width} * channels));
  room.first_line = static_cast<int>(first / line);
  room.lines = static_cast<int>((end - 1) / line) - room.first_line + 1;
  const int top = piece.y0 * w.stride_height - w.pad_top + piece.ky0 * w.dilation_height;
  const int bottom =
      std::min(in.shape.height - 1, (piece.y1 - 1) * w.stride_height - w.pad_top + (piece.ky1 - 1) * w.dilation_height);
  room.first_row = std::clamp(top, 0, in.shape.height - 1);
  room.rows = std::max(0, (bottom - room.first_row) / piece.row_step + 1);

  std::int64_t slot = ceil_div(room.lines, 2) * in.bits, beside = 0;
  if (layer.second >= 0) {
    const TensorFormat& second = network.tensors[static_cast<std::size_t>(layer.second)];
    const bool one_pixel = combines_codes(layer.kind) && second.shape != in.shape;
    const std::int64_t begin = one_pixel ? 0 : std::int64_t{piece.x0} * second.shape.channels;
    const std::int64_t stop = (one_pixel ? 1 : std::int64_t{piece.x1}) * second.shape.channels;
    room.second_first_line = static_cast<int>(begin / line);
    room.second_lines = static_cast<int>((stop - 1) / line) - room.second_first_line + 1;
    const std::int64_t size = ceil_div(room.second_lines, 2) * second.bits;
    (one_pixel ? beside : slot) += size;
  }
  const std::int64_t capacity = std::min(std::int64_t{a.plane_banks()} * a.activation_depth, longest_address) - beside;
  room.slot = static_cast<int>(std::min<std::int64_t>(slot, longest_address + 1));
  room.slots = static_cast<int>(std::min<std::int64_t>(capacity <= 0 ? 0 : capacity / slot, std::max(1, room.rows)));
  room.ring = room.slots * room.slot;

  const int pixel_channels = piece.n1 - piece.n0;
  // Several pixels at once may reach beyond the row; what they compute there is not stored.
  const std::int64_t computed = std::int64_t{piece.x1 - piece.x0} * pixel_channels;
  const std::int64_t beyond =
      std::max(0, piece.x1 * mapping.pixels - out.shape.width) * std::int64_t{out.shape.channels};
  room.out_values = mapping.pixels > 1 ? computed - beyond : computed;
  room.computed_values = computed;
  room.out_lines = static_cast<int>(ceil_div(room.out_values, line));
  room.out_slot = static_cast<int>(ceil_div(ceil_div(computed, line), 2)) * out.bits;
  return room;
}

int block_rows_of(const Architecture& a, const IntegerNetwork& network, const IntegerLayer& layer,
                  const Mapping& mapping, const Piece& piece, bool overlap) {
  const int height = piece.y1 - piece.y0;
  if (piece.carry_in || piece.carry_out) return height;
  const Room room = room_of(a, network, layer, mapping, piece);
  const Cutter cutter(a, network, layer, mapping);
  const int out_rows = a.plane_banks() * a.output_depth / std::max(1, room.out_slot);
  const int limit = std::min({height, a.psum_depth / (piece.x1 - piece.x0), out_rows});
  int fits = 1, overlaps = 0;
  for (int rows = 1; rows <= limit; ++rows) {
    const std::int64_t span = cutter.span(piece, rows);
    const std::int64_t next = std::int64_t{rows} * (layer.window.stride_height / piece.row_step);
    if (rows > 1 && (span > longest_count(a) || next > longest_count(a))) break;
    if (std::min<std::int64_t>(room.rows, span) <= room.slots) fits = rows;
    if (std::min<std::int64_t>(room.rows, span + next) <= room.slots) overlaps = rows;
  }
  return overlap && overlaps > 0 ? overlaps : fits;
}

std::vector<Tiling> tilings(const Architecture& a, const IntegerNetwork& network, const IntegerLayer& layer) {
  std::vector<Tiling> all;
  std::string reason;
  for (const Mapping& mapping : mappings(a, network, layer)) Cutter(a, network, layer, mapping).cut(all, reason);
  if (all.empty()) throw std::invalid_argument(fmt::format("layer '{}': {}", layer.name, reason));
  // Each with the next block's rows loaded meanwhile, and with blocks as large as fit, where that is another size.
  const std::size_t count = all.size();
  for (std::size_t i = 0; i < count; ++i) {
    Tiling& tiling = all[i];
    const auto rows = [&](bool overlap) {
      return block_rows_of(a, network, layer, tiling.mapping, tiling.pieces.front(), overlap);
    };
    const int overlapped = rows(true), fitting = rows(false);
    if (overlapped == fitting) continue;
    tiling.overlap = 2 * overlapped >= fitting;
    Tiling other = tiling;
    other.overlap = !tiling.overlap;
    all.push_back(std::move(other));
  }
  return all;
}

}  // namespace bitstrata::generate
