// SPDX-License-Identifier: Apache-2.0
// What operators there are: a row for each kind of layer, each function of single values and each ending of
// requantization. Names (of files, tables and messages), readers of names, and what other code asks about an operator
// come from these rows. What it computes stands where it is computed: docs/architecture.md, section 6, has the list.
#pragma once

#include <array>
#include <optional>

namespace bitstrata::model {

// What the accumulator of an output holds (IntegerLayer has the formulas): an operation of the accelerator each.
enum class Accumulation {
  weighted_sum,  // of a window's codes, by weights
  maximum,       // of a window's codes
  sum,           // of a window's codes
  scaled_sum,    // of two codes, each by its factor
  product,       // of two codes, and each by its factor
  copy,          // a code as it is
};

// Which codes an output is made of, and so the shape of the output.
enum class Operands {
  window,         // a sliding window's
  pair,           // those in its place in two tensors of one shape
  pair_or_pixel,  // the same, or the second tensor is one pixel, which meets all of the first
  joined,         // the first tensor's channels, behind them the second's
  enlarged,       // the one that it lies in when pixels grow by a whole factor
  spread,         // a channel of the one that it lies in when pixels grow to blocks, which share its channels
};

// Parts of the accelerator that an architecture may be built without (keys vector_unit, swish_unit, table_unit).
enum class OptionalUnit { none, vector, swish, table };

// X(name, what accumulates, which codes): the kinds of integer layers. Each is an operator of the graph, too; those of
// them that have weights are convolutions, also where the graph says linear.
#define BITSTRATA_LAYER_KINDS(X)       \
  X(convolution, weighted_sum, window) \
  X(max_pool, maximum, window)         \
  X(average_pool, sum, window)         \
  X(add, scaled_sum, pair)             \
  X(multiply, product, pair_or_pixel)  \
  X(concatenate, copy, joined)         \
  X(upsample, copy, enlarged)          \
  X(depth_to_space, copy, spread)

// X(name, unit that it needs, fewest and most bits of its output): what requantization ends in, as values of the
// descriptor's field ACTIVATION. A slope about code 0 needs a sign; a table's entries are bytes.
#define BITSTRATA_ENDINGS(X)  \
  X(clip, none, 1, 16)        \
  X(leaky, none, 2, 16)       \
  X(hard_swish, swish, 1, 16) \
  X(table, table, 1, 8)

// X(name, ending): functions of single values f(x); model/activations.cpp has their formulas.
#define BITSTRATA_FUNCTIONS(X) \
  X(relu, clip)                \
  X(leaky_relu, leaky)         \
  X(hard_sigmoid, clip)        \
  X(hard_swish, hard_swish)    \
  X(sigmoid, table)            \
  X(silu, table)               \
  X(tanh, table)               \
  X(erf, table)                \
  X(elu, table)                \
  X(selu, table)               \
  X(celu, table)               \
  X(softplus, table)           \
  X(softsign, table)           \
  X(mish, table)               \
  X(gelu, table)               \
  X(gelu_tanh, table)          \
  X(thresholded_relu, table)

#define X(name, ...) name,
enum class LayerKind { BITSTRATA_LAYER_KINDS(X) };

// What requantization ends in; see IntegerLayer.
enum class Activation { BITSTRATA_ENDINGS(X) };

// Operators of the graph.
enum class Op {
  input,
  linear,      // fully connected over the whole input tensor, flattened in NHWC order
  batch_norm,  // follows a convolution or linear; folded before quantization
  BITSTRATA_LAYER_KINDS(X) BITSTRATA_FUNCTIONS(X)
};
#undef X

// All of them, in order.
#define X(name, ...) LayerKind::name,
inline constexpr std::array all_layer_kinds = {BITSTRATA_LAYER_KINDS(X)};
#undef X
#define X(name, ...) Activation::name,
inline constexpr std::array all_activations = {BITSTRATA_ENDINGS(X)};
#undef X
#define X(name, ...) Op::name,
inline constexpr std::array all_ops = {Op::input, Op::linear, Op::batch_norm,
                                       BITSTRATA_LAYER_KINDS(X) BITSTRATA_FUNCTIONS(X)};
#undef X

struct LayerKindInfo {
  const char* name;
  Accumulation accumulation;
  Operands operands;
};

struct ActivationInfo {
  const char* name;
  OptionalUnit unit;
  int least_bits, most_bits;  // of the output
};

struct OpInfo {
  const char* name;
  std::optional<LayerKind> kind;     // of its layer, where it always has one
  std::optional<Activation> ending;  // of a function
};

constexpr LayerKindInfo info(LayerKind kind) {
  constexpr std::array rows = {
#define X(name, accumulation, operands) LayerKindInfo{#name, Accumulation::accumulation, Operands::operands},
      BITSTRATA_LAYER_KINDS(X)
#undef X
  };
  return rows[static_cast<std::size_t>(kind)];
}

constexpr ActivationInfo info(Activation activation) {
  constexpr std::array rows = {
#define X(name, unit, least, most) ActivationInfo{#name, OptionalUnit::unit, least, most},
      BITSTRATA_ENDINGS(X)
#undef X
  };
  return rows[static_cast<std::size_t>(activation)];
}

constexpr OpInfo info(Op op) {
  constexpr std::array rows = {OpInfo{"input", {}, {}}, OpInfo{"linear", LayerKind::convolution, {}},
                               OpInfo{"batch_norm", {}, {}},
#define X(name, ...) OpInfo{#name, LayerKind::name, {}},
                               BITSTRATA_LAYER_KINDS(X)
#undef X
#define X(name, ending) OpInfo{#name, {}, Activation::ending},
                                   BITSTRATA_FUNCTIONS(X)
#undef X
  };
  return rows[static_cast<std::size_t>(op)];
}

constexpr const char* to_string(LayerKind kind) { return info(kind).name; }
constexpr const char* to_string(Activation activation) { return info(activation).name; }
constexpr const char* to_string(Op op) { return info(op).name; }

constexpr Accumulation accumulation(LayerKind kind) { return info(kind).accumulation; }
constexpr Operands operands(LayerKind kind) { return info(kind).operands; }

// All kinds without weights work on whole codes.
constexpr bool has_weights(LayerKind kind) { return accumulation(kind) == Accumulation::weighted_sum; }
constexpr bool has_window(LayerKind kind) { return operands(kind) == Operands::window; }
// Do the codes of two tensors meet in an accumulator? Its factors are then IntegerLayer::factor.
constexpr bool combines_codes(LayerKind kind) {
  return operands(kind) == Operands::pair || operands(kind) == Operands::pair_or_pixel;
}
constexpr bool joins_channels(LayerKind kind) { return operands(kind) == Operands::joined; }
constexpr bool has_two_inputs(LayerKind kind) { return combines_codes(kind) || joins_channels(kind); }
// Do pixels of the input become blocks of pixels? Their sides are then in IntegerLayer::factor.
constexpr bool enlarges(LayerKind kind) {
  return operands(kind) == Operands::enlarged || operands(kind) == Operands::spread;
}
// Is every code of the output one of the input's?
constexpr bool keeps_codes(LayerKind kind) {
  return accumulation(kind) == Accumulation::copy || accumulation(kind) == Accumulation::maximum;
}
constexpr OptionalUnit unit_of(LayerKind kind) {
  return combines_codes(kind) ? OptionalUnit::vector : OptionalUnit::none;
}
constexpr OptionalUnit unit_of(Activation activation) { return info(activation).unit; }

constexpr bool is_activation(Op op) { return info(op).ending.has_value(); }
// How requantization ends for a function of single values.
constexpr Activation ending_of(Op op) { return info(op).ending.value(); }
constexpr bool needs_table(Op op) { return info(op).ending == Activation::table; }

// The questions above, of the layer that an operator of the graph always has.
constexpr bool has_weights(Op op) { return info(op).kind && has_weights(*info(op).kind); }
constexpr bool combines_codes(Op op) { return info(op).kind && combines_codes(*info(op).kind); }
constexpr bool joins_channels(Op op) { return info(op).kind && joins_channels(*info(op).kind); }
constexpr bool keeps_codes(Op op) { return info(op).kind && keeps_codes(*info(op).kind); }
constexpr bool is_pooling(Op op) { return info(op).kind && has_window(*info(op).kind) && !has_weights(op); }
// Does it go over one tensor without weights: a pooling or an enlargement?
constexpr bool moves_values(Op op) {
  return info(op).kind && !has_weights(*info(op).kind) && !has_two_inputs(*info(op).kind);
}

}  // namespace bitstrata::model
