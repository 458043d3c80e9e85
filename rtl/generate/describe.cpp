// SPDX-License-Identifier: Apache-2.0
#include "rtl/generate/describe.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <stdexcept>

#include "rtl/generate/field_limits.h"
#include "rtl/generate/image.h"
#include "rtl/generate/rtl_files.h"
#include "rtl/generate/strips.h"

namespace bitstrata::generate {

namespace {

using model::Accumulation;
using model::Activation;
using model::Architecture;
using model::Coding;
using model::IntegerLayer;
using model::Operands;
using model::TensorFormat;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

Opcode opcode_of(Accumulation accumulation) {
  switch (accumulation) {
    case Accumulation::weighted_sum:
      return OP_CONVOLUTION;
    case Accumulation::maximum:
      return OP_MAX_POOL;
    case Accumulation::sum:
      return OP_AVERAGE_POOL;
    case Accumulation::scaled_sum:
      return OP_ADD;
    case Accumulation::product:
      return OP_MULTIPLY;
    case Accumulation::copy:
      return OP_COPY;
  }
  return OP_COPY;
}

// Endings are written as they are numbered.
#define X(name, value, meaning) constexpr int ending_##name = value;
BITSTRATA_ACTIVATIONS(X)
#undef X
static_assert(ending_CLIP == static_cast<int>(Activation::clip) &&
              ending_LEAKY == static_cast<int>(Activation::leaky) &&
              ending_SWISH == static_cast<int>(Activation::hard_swish) &&
              ending_TABLE == static_cast<int>(Activation::table));

// Fills the words of one piece, part by part.
class Writer {
 public:
  Writer(const Architecture& a, const model::IntegerNetwork& network, const IntegerLayer& layer, const Tiling& tiling,
         const Piece& piece, const Addresses& addresses)
      : a_(a),
        layer_(layer),
        m_(tiling.mapping),
        piece_(piece),
        addresses_(addresses),
        in_(network.tensors[static_cast<std::size_t>(layer.input)]),
        out_(network.tensors[static_cast<std::size_t>(layer.output)]),
        second_(layer.second < 0 ? nullptr : &network.tensors[static_cast<std::size_t>(layer.second)]),
        in_strip_(strip_of(a, in_)),
        out_strip_(strip_of(a, out_)),
        room_(room_of(a, network, layer, tiling.mapping, piece)),
        tiles_(tiles_of(tiling.mapping, piece.n0, piece.n1)),
        block_rows_(block_rows_of(a, network, layer, tiling.mapping, piece, tiling.overlap)) {}

  Descriptor write() {
    control();
    input();
    if (second_ != nullptr) second();
    walk();
    output();
    post();
    return d_;
  }

 private:
  // What the registers of this architecture do not hold is refused, as what a field does not hold.
  void set(Field field, std::int64_t value) {
    if (const std::int64_t most = most_held(a_, field); value > most || (value < 0 && value < -most - 1))
      throw std::invalid_argument(
          fmt::format("layer {}: field {} is {}; architecture '{}' (count_bits {}, address_width {}) "
                      "holds {}",
                      layer_.name, info(field).name, value, a_.name, a_.count_bits, a_.address_width, most));
    d_.set(field, value);
  }
  std::int64_t line_bytes() const { return a_.data_bits / 8; }
  std::int64_t ring_steps(std::int64_t rows) const {
    const std::int64_t size = room_.ring, step = rows * room_.slot % size;
    return step < 0 ? step + size : step;
  }
  bool broadcast() const { return combines_codes(layer_.kind) && second_->shape != in_.shape; }

  void control() {
    const bool resident = m_.convolution && weight_words(a_, layer_, m_, piece_) <= a_.weight_words();
    set(F_MAGIC, descriptor_magic);
    set(F_CONFIGURATION, configuration_of(a_));
    set(F_OPCODE, opcode_of(accumulation(layer_.kind)));
    set(F_RESIDENT, resident);
    set(F_SIGNED, in_.coding == Coding::twos_complement);
    set(F_CARRY_IN, piece_.carry_in);
    set(F_CARRY_OUT, piece_.carry_out);
    set(F_WEIGHT_BITS, m_.weight_bits);
    set(F_ACTIVATION_BITS, in_.bits);
    set(F_OUTPUT_BITS, out_.bits);
    set(F_WEIGHT_ADDRESS, addresses_.weights);
    set(F_PARAM_ADDRESS, addresses_.parameters);
  }

  void input() {
    const std::int64_t stride = row_lines(a_, in_) * std::int64_t{in_.bits} * line_bytes();
    set(F_IN_ADDRESS,
        addresses_.input + room_.first_row * stride + std::int64_t{room_.first_line} * in_.bits * line_bytes());
    set(F_IN_ROW_STRIDE, stride * piece_.row_step);
    set(F_IN_ROW_BEATS, std::int64_t{room_.lines} * in_.bits);
    // Rows that the piece does not read need not be counted.
    set(F_IN_HEIGHT, std::min(ceil_div(in_.shape.height - room_.first_row, piece_.row_step), longest_count(a_)));
    const std::int64_t row_bits = std::int64_t{in_.shape.width} * in_.shape.channels;
    set(F_IN_STRIPS, in_strip_ > 0);
    set(F_IN_ROW_BITS, in_strip_ > 0 ? std::int64_t{in_.shape.width} * in_strip_
                                     : std::min<std::int64_t>(row_bits - std::int64_t{room_.first_line} * a_.data_bits,
                                                              std::int64_t{room_.lines} * a_.data_bits));
    set(F_IN_SLOT, room_.slot);
    set(F_IN_RING, room_.ring);
    set(F_IN_SLOTS, room_.slots);
    set(F_ROWS_NEEDED, room_.rows);
    // Max pooling leaves padding out: it feeds the lowest code.
    const std::int64_t lowest = in_.coding == Coding::twos_complement ? -(std::int64_t{1} << (in_.bits - 1)) : 0;
    set(F_ZERO_POINT,
        (accumulation(layer_.kind) == Accumulation::maximum ? lowest : in_.zero_point) & ((1 << in_.bits) - 1));
  }

  void second() {
    set(F_SECOND, 1);
    set(F_BROADCAST, broadcast());
    set(F_SECOND_BITS, second_->bits);
    set(F_SECOND_SIGNED, second_->coding == Coding::twos_complement);
    const std::int64_t stride = row_lines(a_, *second_) * std::int64_t{second_->bits} * line_bytes();
    const std::int64_t first_row = broadcast() ? 0 : room_.first_row;
    set(F_SECOND_ADDRESS,
        addresses_.second + first_row * stride + std::int64_t{room_.second_first_line} * second_->bits * line_bytes());
    set(F_SECOND_ROW_STRIDE, stride);
    set(F_SECOND_ROW_BEATS, std::int64_t{room_.second_lines} * second_->bits);
    // Behind the first tensor's row, or behind the ring.
    set(F_SECOND_SLOT, broadcast() ? room_.ring : ceil_div(room_.lines, 2) * in_.bits);
    const std::int64_t channels = second_->shape.channels;
    set(F_SECOND_STEP_X, broadcast() ? 0 : channels);
    set(F_SECOND_START_X,
        (broadcast() ? 0 : piece_.x0 * channels) + piece_.n0 - std::int64_t{room_.second_first_line} * a_.data_bits);
  }

  // Runs of a vector, pixels, row tiles, output tiles.
  void walk() {
    const model::Window& w = layer_.window;
    const std::int64_t channels = in_strip_ > 0 ? in_strip_ : in_.shape.channels;
    const bool part = piece_.run1 > 0, single = m_.convolution && m_.whole_row;
    const std::int64_t run = part     ? piece_.run1 - piece_.run0
                             : single ? w.kernel_width * std::int64_t{m_.slice}
                                      : m_.slice;
    set(F_RUN_LENGTH, run);
    set(F_RUN_COUNT_X, single ? 1 : piece_.taps(w.kernel_width));
    // Steps that are never taken may be longer than their fields.
    set(F_RUN_STEP_X, single || w.kernel_width == 1 ? 0 : w.dilation_width * channels);
    set(F_RUN_COUNT_Y, piece_.ky1 - piece_.ky0);
    // The second operand's vector is a run of its own, in the same row.
    const int run_step = has_window(layer_.kind) && piece_.ky1 - piece_.ky0 > 1 ? w.dilation_height : 0;
    set(F_RUN_STEP_Y, run_step);
    set(F_RUN_STEP_RING, ring_steps(run_step));
    set(F_PIXEL_STEP_X, piece_.x1 - piece_.x0 > 1 ? w.stride_width * channels : 0);
    // Outputs of operators on whole codes begin at their own channel of the input, those of a row of depth to space's
    // blocks at that row's.
    const std::int64_t row_of_block =
        operands(layer_.kind) == Operands::spread ? std::int64_t{piece_.phase} * m_.segment : 0;
    const std::int64_t first_channel = m_.convolution ? 0 : piece_.n0 + row_of_block;
    const std::int64_t first_tap =
        std::int64_t{piece_.x0} * w.stride_width - w.pad_left + piece_.kx0 * w.dilation_width;
    const std::int64_t x = first_tap * channels + first_channel;
    set(F_PIXEL_START_X, (part ? piece_.run0 : x) - std::int64_t{room_.first_line} * a_.data_bits);
    const std::int64_t y = std::int64_t{piece_.y0} * w.stride_height - w.pad_top +
                           std::int64_t{piece_.ky0} * w.dilation_height - room_.first_row;
    const int row_step = w.stride_height / piece_.row_step;  // in rows that are loaded
    set(F_PIXEL_STEP_Y, row_step);
    set(F_PIXEL_STEP_RING, ring_steps(row_step));
    set(F_PIXEL_START_Y, y);
    set(F_PIXEL_START_RING, ring_steps(y));
    const int height = piece_.y1 - piece_.y0;
    set(F_BLOCK_ROWS, block_rows_);
    set(F_BLOCKS, ceil_div(height, block_rows_));
    set(F_BLOCK_STEP_Y, std::int64_t{block_rows_} * row_step);
    set(F_BLOCK_SPAN,
        std::int64_t{block_rows_ - 1} * row_step + std::int64_t{piece_.ky1 - piece_.ky0 - 1} * w.dilation_height + 1);
    const std::int64_t k = kernel_values(layer_, m_, piece_);
    const std::int64_t k_tiles = m_.convolution ? ceil_div(k, a_.rows)
                                 : combines_codes(layer_.kind)
                                     ? 2
                                     : (piece_.ky1 - piece_.ky0) * piece_.taps(w.kernel_width);
    set(F_K_TILES, k_tiles);
    const int fold = m_.convolution ? fold_of(a_, layer_, m_, piece_) : 0;
    set(F_FOLD, fold);
    set(F_ROWS_LAST, fold > 0 ? a_.rows : m_.convolution ? k - (k_tiles - 1) * a_.rows : 1);
    set(F_N_TILES, static_cast<std::int64_t>(tiles_.size()));
    set(F_LANES, m_.lanes);
    set(F_TILE_STEP_X, m_.tile_step);
    const std::int64_t all = piece_.n1 - piece_.n0;
    set(F_SEGMENT_CHANNELS, std::min<std::int64_t>(m_.segment, all));
    // Nothing follows the only segment.
    set(F_SEGMENT_NEXT, std::min<std::int64_t>(m_.segment_next, longest_count(a_)));
    set(F_SEGMENT_STEP_X, std::int64_t{m_.segment_step} * (in_strip_ > 0 ? in_.shape.width : 1));
    // Least distance of two vectors' last planes.
    const int group = std::min<int>(a_.vectors, block_rows_ * (piece_.x1 - piece_.x0));
    // Whole codes go to the lanes; two cycles apart, a pixel's partial sum is back before it is read again.
    set(F_VECTOR_INTERVAL, m_.convolution ? a_.rules().sum_cycles(group) : 2);
    if (piece_.carry_in || piece_.carry_out) set(F_PSUM_STEP, std::int64_t{piece_.x1 - piece_.x0} * height);
  }

  void output() {
    const std::int64_t stride = row_lines(a_, out_) * std::int64_t{out_.bits} * line_bytes();
    // A row of W pixels of f*C values is a row of f*W pixels of C channels.
    const int columns = operands(layer_.kind) == Operands::spread ? layer_.factor[1] : m_.repeats * m_.pixels;
    const std::int64_t pixel = std::int64_t{columns} * out_.shape.channels;  // values from pixel to pixel
    const std::int64_t first_line = (piece_.x0 * pixel + piece_.n0) / a_.data_bits;
    set(F_OUT_ADDRESS, addresses_.output + (std::int64_t{piece_.y0} * m_.phases + piece_.phase) * stride +
                           first_line * out_.bits * line_bytes());
    set(F_OUT_ROW_STRIDE, stride * m_.phases);
    set(F_OUT_WIDTH, piece_.x1 - piece_.x0);
    set(F_OUT_HEIGHT, piece_.y1 - piece_.y0);
    const std::int64_t written = piece_.n1 - piece_.n0;
    set(F_OUT_STEP, out_strip_ > 0 ? out_strip_ : written);
    if (out_strip_ > 0) {
      set(F_OUT_RUN, out_strip_);
      set(F_OUT_JUMP, std::int64_t{out_.shape.width - 1} * out_strip_);
      set(F_OUT_TILE_STEP, std::min(std::int64_t{m_.capacity()} * out_.shape.width, longest_count(a_)));
    } else if (m_.pixels > 1) {
      set(F_OUT_RUN, in_strip_);
      set(F_OUT_JUMP, in_.shape.channels - in_strip_);
      set(F_OUT_TILE_STEP, in_strip_);
      set(F_SHARED_RECORDS, 1);
    }
    set(F_OUT_ROW_LINES, room_.out_lines);
    set(F_OUT_ROW_BEATS, std::int64_t{room_.out_lines} * out_.bits);
    set(F_OUT_ROW_BITS, room_.out_values);
    set(F_OUT_SLOT, room_.out_slot);
  }

  void post() {
    set(F_PARAM_BEATS, ceil_div(parameter_bytes(a_, layer_, m_, piece_), line_bytes()));
    set(F_CLIP_LOW, layer_.clip_low);
    set(F_CLIP_HIGH, layer_.clip_high);
    set(F_ACTIVATION, static_cast<int>(layer_.activation));
    set(F_ACC_SHIFT, layer_.acc_shift);
    set(F_SWISH_SHIFT, layer_.swish_shift);
    set(F_SWISH_THREE, layer_.swish_three);
    set(F_SWISH_SIX, layer_.swish_six);
    set(F_SWISH_OFFSET, layer_.swish_offset);
    if (!enlarges(layer_.kind)) {
      set(F_FACTOR_0, layer_.factor[0]);
      set(F_FACTOR_1, layer_.factor[1]);
    }
  }

  const Architecture& a_;
  const IntegerLayer& layer_;
  const Mapping& m_;
  const Piece& piece_;
  const Addresses& addresses_;
  const TensorFormat& in_;
  const TensorFormat& out_;
  const TensorFormat* second_;
  int in_strip_, out_strip_;  // channels; 0: pixel after pixel
  Room room_;
  std::vector<Tile> tiles_;
  int block_rows_;
  Descriptor d_;
};

}  // namespace

int row_lines(const Architecture& a, const TensorFormat& format) {
  return static_cast<int>(ceil_div(std::int64_t{format.shape.width} * format.shape.channels, a.data_bits));
}

std::int64_t tensor_bytes(const Architecture& a, const TensorFormat& format) {
  return std::int64_t{format.shape.height} * row_lines(a, format) * format.bits * (a.data_bits / 8);
}

void shift(Descriptor& d, const Addresses& by) {
  d.advance(F_IN_ADDRESS, by.input);
  if (d.get<F_SECOND>()) d.advance(F_SECOND_ADDRESS, by.second);
  d.advance(F_OUT_ADDRESS, by.output);
  d.advance(F_WEIGHT_ADDRESS, by.weights);
  d.advance(F_PARAM_ADDRESS, by.parameters);
}

Descriptor describe(const Architecture& a, const model::IntegerNetwork& network, const IntegerLayer& layer,
                    const Tiling& tiling, const Piece& piece, const Addresses& addresses) {
  return Writer(a, network, layer, tiling, piece, addresses).write();
}

}  // namespace bitstrata::generate
