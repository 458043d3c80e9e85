// SPDX-License-Identifier: Apache-2.0
// The quantized network as integers: what hardware executes and what model/golden defines.
// One IntegerLayer is one descriptor of the accelerator.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "model/network.h"
#include "model/weights.h"

namespace bitstrata::model {

enum class Coding {
  unsigned_code,    // codes 0 .. 2^bits-1
  twos_complement,  // codes -2^(bits-1) .. 2^(bits-1)-1, bits >= 2
  bipolar,          // 1 bit; code 0 stands for -1, code 1 for +1
};

const char* to_string(Coding coding);

// What the graph tells of a tensor that a dense convolution writes and one depthwise convolution alone reads: an
// accelerator may lay its rows out in strips of channels (rtl/generate/strips.h). All 0 for other tensors.
struct DepthwiseReader {
  int rows = 0;                    // input rows that an output row of its and the step to the next one reach over
  int kernel_values = 0;           // taps of its window
  int writer_rows = 0;             // input rows that an output row of the writer reaches over
  std::int64_t writer_values = 0;  // values of each
};

// A tensor of codes. real value = scale * (code - zero_point); bipolar: scale * (2*code - 1).
struct TensorFormat {
  Shape shape;
  int bits = 8;
  Coding coding = Coding::unsigned_code;
  int zero_point = 0;  // a code; padding feeds it. Zero for bipolar, whose padding feeds code 0.
  double scale = 1.0;
  DepthwiseReader depthwise = {};  // as mark_depthwise leaves it
};

// The codes a tensor of this coding and width can hold.
struct CodeRange {
  std::int32_t low = 0;
  std::int32_t high = 0;
};
CodeRange code_range(Coding coding, int bits);

// Convolution (a linear layer is a convolution whose kernel is the whole input), pooling, or one of the operators on
// single values (their window is 1 x 1).
//
//   acc[n] = convolution:  sum over taps and channels of w * c   (c: input CODES, padding = zero-point code)
//                          w in two's complement; weight_bits == 1: w is -1 or +1
//            average pool: sum of codes; max pool: max of codes (padding taps left out)
//            add:          factor[0] * c0 + factor[1] * c1       (c0, c1: codes of input and second)
//            multiply:     c0 * c1 + factor[0] * c0 + factor[1] * c1
//                          (second may be 1 x 1 x channels: its one pixel meets all of the input's)
//            concatenate:  the code of `input` for its channels, then that of `second`
//            upsample:     the code at (y / factor[0], x / factor[0])
//            depth_to_space: the code at (y / factor[0], x / factor[1]) of channel
//                          (y % factor[0] * factor[1] + x % factor[1]) * channels of the output + n
//   v      = (acc << acc_shift) + bias[n]       (bias has fraction bits; bipolar inputs of convolutions take one of
//                                                them: their values are 2c - 1)
//   r      = round_half_up(v * m / 2^shift[n])  (m: multiplier[n]; leaky: negative_multiplier[n] where v < 0)
//   code   = clip, leaky: clip(r, clip_low, clip_high)
//            hard_swish:  with p = clip(r, -2^15, 2^15 - 1), g = clip(p + swish_three, 0, swish_six):
//                         clip(round_half_up(p * g / 2^swish_shift) + swish_offset, clip_low, clip_high)
//            table:       table[clip(r, -128, 127) + 128]
//
// round_half_up(x / 2^s) = (x + 2^(s-1)) >> s, arithmetic shift (s = 0: x). Zero points, -1/+1 codes and
// biases of the float network are all folded into bias.
struct IntegerLayer {
  std::string name;
  LayerKind kind = LayerKind::convolution;
  int input = 0;    // index into IntegerNetwork::tensors
  int second = -1;  // another one: add, multiply, concatenate
  int output = 0;   // index into IntegerNetwork::tensors
  Window window;
  int groups = 1;
  int weight_bits = 0;                          // 1..16; 0 for other kinds
  Weights weights;                              // [out][ky][kx][in/groups]; weight_bits == 1: values -1 or +1
  std::vector<std::int64_t> bias;               // [out channels]
  std::vector<std::uint16_t> multiplier;        // [out channels]; all 1 for power-of-two requantization
  std::vector<std::uint8_t> shift;              // [out channels]; 0..63
  int acc_shift = 0;                            // 0..7; convolutions of bipolar inputs: 1..7
  std::array<std::int32_t, 2> factor = {0, 0};  // add, multiply: -65535..65535; upsample: the factor;
                                                // depth_to_space: rows and columns of a block
  Activation activation = Activation::clip;
  std::vector<std::uint16_t> negative_multiplier;  // leaky: [out channels]
  std::int32_t swish_three = 0, swish_six = 0;     // hard_swish: 3 and 6 in units of p; 0..65535
  int swish_shift = 0;                             // 0..31
  std::int32_t swish_offset = 0;                   // the output's zero point
  std::vector<std::int16_t> table;                 // 256 codes of an output of at most 8 bits
  std::int32_t clip_low = 0;
  std::int32_t clip_high = 0;
  std::int64_t macs = 0;  // multiply-accumulates of the layer (0 for other kinds)
  int out_channels() const { return static_cast<int>(bias.size()); }
};

// The layer that a node becomes, as far as the graph tells: name, kind (an activation alone is an average over single
// pixels), window, groups, sides of blocks and MACs; it has no tensors, widths or numbers yet.
IntegerLayer layer_of(const Network& network, int node);

inline constexpr int most_acc_shift = 7;

// tensors[0] is the network's input; layers run in order; the last layer's output is the network's output.
struct IntegerNetwork {
  std::string name;
  std::vector<TensorFormat> tensors;
  std::vector<IntegerLayer> layers;
  std::size_t output() const { return static_cast<std::size_t>(layers.back().output); }  // tensor
};

// Sets `depthwise` of all tensors of a network whose layers read and write tensors it has. Whoever makes a network
// calls it last; networks that were not asked run all the same.
void mark_depthwise(IntegerNetwork& network);

// Throws std::invalid_argument naming the layer when shapes, widths, codes or vector sizes contradict each other.
void validate(const IntegerNetwork& network);

// The largest |v| any input can produce in `layer`: sum over w of |w| times the largest |code|, shifted, plus |bias|.
// (The worst channel counts.) Fits in int64 for all legal layers.
std::int64_t accumulator_bound(const IntegerNetwork& network, const IntegerLayer& layer);

// One file: safetensors (readable from PyTorch), the layer list as JSON in its metadata.
// `load` throws std::runtime_error naming file and what is damaged; the weights of a large network (see Weights) stay
// in the file, which is kept open.
void save(const IntegerNetwork& network, const std::filesystem::path& file);
IntegerNetwork load_integer_network(const std::filesystem::path& file);

}  // namespace bitstrata::model
