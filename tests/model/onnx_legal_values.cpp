// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>

#include "tests/model/onnx_variants.h"

namespace bitstrata::testing {
namespace {

using Dims = std::vector<std::int64_t>;
using Values = std::vector<Attr>;

Values orders() {
  Values result;
  for (int rank = 2; rank <= 4; ++rank) {
    Dims order(static_cast<std::size_t>(rank));
    std::iota(order.begin(), order.end(), 0);
    do result.emplace_back(order);
    while (std::ranges::next_permutation(order).found);
  }
  for (const Dims& order : {Dims{0, 1, 2, 3, 4}, {0, 2, 1, 4, 3}, {0, 1, 2, 4, 3}, {0, 3, 1, 2, 4}, {0, 2, 1, 3, 4}})
    result.emplace_back(order);
  return result;
}

}  // namespace

const std::vector<LegalValues>& legal_values() {
  static const Values flag = {0, 1}, axis = {-4, -3, -2, -1, 0, 1, 2, 3, 4};
  static const Values reals = {-0.25, 0.0, 0.01, 0.5, 1.0, 1.5};
  static const Values padding = {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"};
  static const Values steps = {Dims{1},    Dims{2},    Dims{3},    Dims{1, 1}, Dims{1, 2},
                               Dims{2, 1}, Dims{2, 2}, Dims{3, 2}, Dims{2, 3}};
  static const Values kernels = {Dims{2},    Dims{3},    Dims{1, 1}, Dims{2, 2}, Dims{3, 3},
                                 Dims{3, 2}, Dims{1, 3}, Dims{4, 1}, Dims{5, 4}};
  static const Values pads = {Dims{1, 0},       Dims{0, 2},       Dims{1, 1},       Dims{0, 0, 0, 0},
                              Dims{1, 0, 0, 0}, Dims{0, 1, 0, 0}, Dims{0, 0, 1, 0}, Dims{0, 0, 0, 1},
                              Dims{1, 1, 1, 1}, Dims{0, 1, 1, 0}, Dims{2, 1, 0, 1}, Dims{1, 0, 2, 0}};
  static const Values border = {Dims{0, 0, 1, 0, 0, 0, 0, 0},  Dims{0, 0, 0, 1, 0, 0, 0, 0},
                                Dims{0, 0, 0, 0, 0, 0, 1, 2},  Dims{0, 1, 0, 0, 0, 2, 0, 0},
                                Dims{0, 0, -1, 0, 0, 0, 0, 0}, Dims{0, 0, 1, 0, 0, 0, -1, 1}};
  static const Values axes = {Dims{1},    Dims{2},     Dims{3},      Dims{-1},      Dims{-2},         Dims{0},
                              Dims{2, 3}, Dims{3, 2},  Dims{-1, -2}, Dims{-2, -1},  Dims{1, 2},       Dims{0, 1},
                              Dims{1, 3}, Dims{-1, 1}, Dims{2, -1},  Dims{1, 2, 3}, Dims{-1, -3, -2}, Dims{0, 2, 3},
                              Dims{0, 2}, Dims{0, 3},  Dims{0, -1},  Dims{-3},      Dims{0, 1, 2, 3}};
  static const std::vector<LegalValues> table = {
      {"Conv", "auto_pad", padding},
      {"Conv", "dilations", steps},
      {"Conv", "strides", steps},
      {"Conv", "pads", pads},
      {"ConvTranspose", "auto_pad", padding},
      {"ConvTranspose", "dilations", steps},
      {"ConvTranspose", "strides", steps},
      {"ConvTranspose", "pads", pads},
      {"ConvTranspose", "output_padding", {Dims{0, 0}, Dims{1, 0}, Dims{0, 1}, Dims{1, 1}, Dims{2, 1}}},
      {"ConvTranspose",
       "output_shape",
       {Dims{9, 7}, Dims{10, 8}, Dims{11, 9}, Dims{10, 9}, Dims{12, 8}, Dims{8, 6}, Dims{7, 10}}},
      {"MaxPool", "auto_pad", padding},
      {"MaxPool", "ceil_mode", flag},
      {"MaxPool", "dilations", steps},
      {"MaxPool", "strides", steps},
      {"MaxPool", "pads", pads},
      {"MaxPool", "kernel_shape", kernels},
      {"MaxPool", "storage_order", flag},
      {"AveragePool", "auto_pad", padding},
      {"AveragePool", "ceil_mode", flag},
      {"AveragePool", "count_include_pad", flag},
      {"AveragePool", "dilations", steps},
      {"AveragePool", "strides", steps},
      {"AveragePool", "pads", pads},
      {"AveragePool", "kernel_shape", kernels},
      {"Gemm", "alpha", {-1.0, 0.0, 0.5, 2.0}},
      {"Gemm", "beta", {-1.0, 0.0, 0.5, 2.0}},
      {"BatchNormalization", "epsilon", {0.0, 1e-5, 1e-3, 0.5}},
      {"BatchNormalization", "momentum", {0.0, 0.5, 0.99}},
      {"BatchNormalization", "training_mode", flag},
      {"BatchNormalization", "spatial", flag},
      {"Concat", "axis", axis},
      {"Split", "axis", axis},
      {"Split", "split", {Dims{2, 4}, Dims{3, 3}, Dims{1, 5}, Dims{4, 2}, Dims{5, 1}}},
      {"Split", "num_outputs", {1, 2, 3}},
      {"Flatten", "axis", axis},
      {"Gather", "axis", axis},
      {"Softmax", "axis", axis},
      {"LogSoftmax", "axis", axis},
      {"ArgMax", "axis", axis},
      {"ArgMax", "keepdims", flag},
      {"ArgMax", "select_last_index", flag},
      {"TopK", "axis", axis},
      {"TopK", "largest", flag},
      {"TopK", "sorted", flag},
      {"Transpose", "perm", orders()},
      {"LeakyRelu", "alpha", reals},
      {"Elu", "alpha", reals},
      {"Selu", "alpha", reals},
      {"Selu", "gamma", reals},
      {"Celu", "alpha", {-0.25, 0.25, 0.5, 1.5}},
      {"ThresholdedRelu", "alpha", reals},
      {"HardSigmoid", "alpha", reals},
      {"HardSigmoid", "beta", reals},
      {"Gelu", "approximate", {"none", "tanh"}},
      {"Clip", "min", reals},
      {"Clip", "max", reals},
      {"DepthToSpace", "mode", {"DCR", "CRD"}},
      {"DepthToSpace", "blocksize", {1, 2, 3, 4}},
      {"SpaceToDepth", "blocksize", {1, 2, 4}},
      {"Upsample", "mode", {"nearest", "linear"}},
      {"Resize", "mode", {"nearest", "linear", "cubic"}},
      {"Resize",
       "coordinate_transformation_mode",
       {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
        "tf_half_pixel_for_nn", "tf_crop_and_resize"}},
      {"Resize", "nearest_mode", {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}},
      {"Resize", "exclude_outside", flag},
      {"Resize", "cubic_coeff_a", {-0.5, -0.75}},
      {"Resize", "extrapolation_value", {0.0, 1.0}},
      {"Resize", "antialias", flag},
      {"Resize", "keep_aspect_ratio_policy", {"stretch", "not_larger", "not_smaller"}},
      {"Resize", "axes", {Dims{2, 3}, Dims{3, 2}, Dims{-2, -1}, Dims{-1, -2}, Dims{2}, Dims{1, 2}}},
      {"Pad", "mode", {"constant", "reflect", "edge", "wrap"}},
      {"Pad", "pads", border},
      {"Pad", "value", reals},
      {"ReduceMean", "keepdims", flag},
      {"ReduceMean", "axes", axes},
      {"ReduceMean", "noop_with_empty_axes", flag},
      {"ReduceMax", "keepdims", flag},
      {"ReduceMax", "axes", axes},
      {"ReduceMax", "noop_with_empty_axes", flag},
      {"Squeeze", "axes", axes},
      {"Unsqueeze", "axes", axes},
      {"Reshape", "allowzero", flag},
      {"Slice", "axes", {Dims{0}, Dims{1}, Dims{2}, Dims{3}, Dims{-1}, Dims{-2}, Dims{-3}}},
      {"Slice", "starts", {Dims{0}, Dims{1}, Dims{2}, Dims{-1}, Dims{-3}, Dims{-9}}},
      {"Slice", "ends", {Dims{1}, Dims{2}, Dims{3}, Dims{-1}, Dims{-2}, Dims{9}, Dims{1 << 30}}},
      {"Cast", "to", {1, 6, 7, 10, 11}},
      {"Shape", "start", {-4, -3, -2, -1, 0, 1, 2, 3}},
      {"Shape", "end", {-3, -2, -1, 1, 2, 3, 4}},
      {"Dropout", "ratio", {0.0, 0.25, 0.9}},
      {"Dropout", "seed", {0, 7}}};
  return table;
}

}  // namespace bitstrata::testing
