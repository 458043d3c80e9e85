// SPDX-License-Identifier: Apache-2.0
// A network graph with float parameters, and, where a file or a calibration prescribes them, the codes of its tensors
// and weights. It can be executed as it is (`run`); quant/calibration makes integers of it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/integer_network.h"
#include "model/network.h"

namespace bitstrata::model {

// How a value between two codes is rounded.
enum class Rounding {
  half_up,         // to the nearest code, halves up: what the accelerator does
  half_even,       // to the nearest code, halves to the even code: QONNX's ROUND, which adds the zero point first
  half_even_step,  // the same of value / scale, before the zero point is added: ONNX's QuantizeLinear
  half_away,       // to the nearest code, halves away from zero, behind the zero point: QONNX's HALF_UP
  floor,           // down
};

// Codes of one tensor: value = scale * (code - zero_point); bipolar: scale * (2 * code - 1).
struct Grid {
  int bits = 8;
  Coding coding = Coding::unsigned_code;
  int zero_point = 0;
  double scale = 1.0;
  int cut_low = 0, cut_high = 0;  // so many of the lowest and highest codes of the width are not used
  Rounding rounding = Rounding::half_up;
  bool operator==(const Grid&) const = default;
  CodeRange range() const;
  double value(std::int32_t code) const;
  // By `rounding`; in float32, as ONNX and QONNX do. Throws std::invalid_argument where that is no number.
  std::int32_t code(float value) const;
  bool floor() const { return rounding == Rounding::floor; }
};

// How a file adds the products of a layer whose operands have codes.
enum class Sums {
  values,       // of values, in 32-bit floats
  codes,        // of codes, exactly, scaled and biased in 32-bit floats (ConvInteger and what follows it)
  requantized,  // of codes and a bias in their unit, exactly, and one factor to the result's codes (QLinearConv); also
                // of an average pooling over the whole image (QLinearGlobalAveragePool)
};

// A transposed convolution that is written as a convolution whose outputs are the pixels of blocks, block after block
// of `channels`. ONNX Runtime adds each tap's products over the channels of its group, then tap after tap in the order
// of its own kernel, which is the reverse of the convolution's.
struct Transposed {
  int channels = 0;  // of a pixel of its output
  int groups = 1;    // of channels; weights between different groups are 0
};

// An operator of the file on single values, in 32-bit floats.
struct ValueStep {
  enum class Kind {
    add,
    multiply,
    divide,
    clip,                // to low..high
    recode,              // multiples of `low` become as many of `high`: codes that are read with a scale of their own
    leak,                // negative values times the number
    multiply_by_source,  // by the value that the first step reads
  };
  Kind kind = Kind::add;
  std::vector<float> numbers = {};  // of add, multiply and divide: one, or one a channel; of leak: one
  float low = 0, high = 0;
  bool operator==(const ValueStep&) const = default;
};

// An average over windows, or linear enlarging, as one operator of the file. The layers that stand for it have other
// roundings; the run as the file says takes it from the values of `source` in the order of ONNX Runtime's kernel. None
// in a calibrated network, whose layers are run one by one.
struct Mean {
  enum class Order {
    rows,     // value after value, row by row
    columns,  // the columns of a window first
    lanes,    // of a whole image: every fourth value into one of four sums
  };
  int source = 0;     // node
  double factor = 1;  // the file's values are so many times the source's
  Window window;      // of an average
  int counted_top = 0, counted_bottom = 0, counted_left = 0, counted_right = 0;  // padding that counts as values of 0
  Order order = Order::rows;
  int enlarged = 1;                   // above 1: enlarging by so much
  bool centred = false;               // half_pixel coordinates, else asymmetric ones
  std::vector<ValueStep> steps = {};  // of the file, that make the factor; empty where they are not known
  double unit = 1;                    // the file's values are so many times the node's
  double scale = 0;                   // of the file's quantizer behind it; 0: none
};

// A product of two tensors whose constant factors went into the scale of the quantizer behind it. The run as the file
// says multiplies each tensor by its own first, since that decides some codes. None in a calibrated network.
struct Product {
  std::array<double, 2> factors = {1, 1};
  double scale = 0;  // of the file's quantizer; 0: none
};

// What the file does one operator after another where layers stand for all of them together, or where factors went into
// the scale of the quantizer behind: each operator rounds, which decides some codes. The run as the file says takes the
// node's values from those of `source`. None in a calibrated network.
struct Written {
  int source = -1;  // node; -1: the node's own values
  std::vector<ValueStep> steps;
  double scale = 0;  // of the file's quantizer behind it; 0: that of the node's grid
};

// What a convolution or linear node multiplies by and adds; empty for others.
struct Parameters {
  std::vector<float> weights;  // [out][ky][kx][in / groups]; linear: [out][NHWC]
  std::vector<float> bias;     // [out]
  int weight_bits = 0;         // 0: not quantized
  std::vector<double> scales;  // [out] where quantized: weight = scale * code; 1 bit: -scale or +scale
  bool of_importer = false;    // its codes are exact and not the file's: the layer moves or counts values
  Sums sums = Sums::values;
  std::optional<Transposed> transposed;
  std::optional<Mean> mean;        // of any node
  std::optional<Product> product;  // of a multiplication
  std::optional<Written> written;  // of any node
};

// Where the channels of a sample stand: in front of rows and columns, or behind them.
enum class ChannelOrder { any, first, last };

struct FloatNetwork {
  Network graph;
  std::vector<Parameters> parameters;             // one entry a node
  std::vector<std::optional<Grid>> grids;         // one entry a node: what its values are rounded to
  std::vector<double> input_scale, input_offset;  // [channel]: the host feeds scale * x + offset; empty: x itself
  ChannelOrder input_order = ChannelOrder::any;  // of the file's input; any: it is a vector, or of one channel or pixel
  std::vector<std::string> notes;                // what was left to the host, or done differently from the file
  bool quantized() const;                        // the file has codes somewhere
};

// Values of one image, [y][x][channel].
using Reals = std::vector<float>;

struct RunOptions {
  bool round = true;  // to the grids of the nodes that have one
};

// The values of all nodes, indexed as the graph's nodes. `input` is what the network is given, before input_scale.
// A quantized network's sums are made as ONNX Runtime makes them: exactly of codes where the file adds codes, else in
// 32-bit floats in its order. Its means are taken as its kernels take them.
// Throws std::invalid_argument when its size is not that of the network's input.
std::vector<Reals> run_all(const FloatNetwork& network, std::span<const float> input, RunOptions options = {});

// The last node's values.
Reals run(const FloatNetwork& network, std::span<const float> input, RunOptions options = {});

// `input` after input_scale and input_offset: the values of the input node, before rounding.
Reals prepare_input(const FloatNetwork& network, std::span<const float> input);

// Codes of the values.
std::vector<std::int32_t> encode(const Grid& grid, std::span<const float> values);

}  // namespace bitstrata::model
