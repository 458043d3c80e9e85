// SPDX-License-Identifier: Apache-2.0
#include "rtl/generate/layer_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>

#include "rtl/generate/batch.h"
#include "rtl/generate/field_limits.h"
#include "rtl/generate/strips.h"

namespace bitstrata::generate {

namespace {

using model::Architecture;
using model::IntegerLayer;
using model::IntegerNetwork;
using model::TensorFormat;

[[noreturn]] void refuse(const IntegerLayer& layer, const std::string& what) {
  throw std::invalid_argument(fmt::format("layer '{}': {}", layer.name, what));
}

std::int64_t whole_regions(const Architecture& a, std::int64_t bytes) {
  const std::int64_t alignment = MemoryLayout::alignment_of(a);
  return (bytes + alignment - 1) / alignment * alignment;
}

void check_widths(const Architecture& a, const IntegerLayer& layer, const TensorFormat& in, const TensorFormat& out,
                  const TensorFormat* second) {
  const auto supported = [&](int bits) {
    return a.supported_bits.empty() || std::ranges::find(a.supported_bits, bits) != a.supported_bits.end();
  };
  const auto known = [&](int most) {
    return a.supported_bits.empty() ? fmt::format("1 to {}", most)
                                    : fmt::format("{}", fmt::join(a.supported_bits, ", "));
  };
  if (has_weights(layer.kind) && (layer.weight_bits > a.max_weight_bits || !supported(layer.weight_bits)))
    refuse(layer, fmt::format("{}-bit weights; architecture '{}' supports {}", layer.weight_bits, a.name,
                              known(a.max_weight_bits)));
  for (const auto* format : {&in, &out, second}) {
    if (format == nullptr) continue;
    if (format->bits > a.max_activation_bits || (format != &out && !supported(format->bits)))
      refuse(layer, fmt::format("{}-bit {} activations; architecture '{}' supports {}", format->bits,
                                format == &out ? "output" : "input", a.name, known(a.max_activation_bits)));
  }
}

void check_unit(const Architecture& a, const IntegerLayer& layer, model::OptionalUnit unit) {
  const auto need = [&](bool there, const char* what, const char* key) {
    if (there) return;
    refuse(layer, fmt::format("needs {}, which architecture '{}' is built without ({}: false)", what, a.name, key));
  };
  switch (unit) {
    case model::OptionalUnit::none:
      return;
    case model::OptionalUnit::vector:
      return need(a.vector_unit, "the vector unit", "vector_unit");
    case model::OptionalUnit::swish:
      return need(a.swish_unit, "hard swish", "swish_unit");
    case model::OptionalUnit::table:
      return need(a.table_unit, "activation tables", "table_unit");
  }
}

void check_units(const Architecture& a, const IntegerLayer& layer) {
  check_unit(a, layer, unit_of(layer.kind));
  if (combines_codes(layer.kind)) {
    if (a.accumulator_bits < 2 * (a.max_activation_bits + 1))
      refuse(layer, fmt::format("two operands lie side by side in an accumulator of at least {} bits; architecture "
                                "'{}' has accumulator_bits = {}",
                                2 * (a.max_activation_bits + 1), a.name, a.accumulator_bits));
  }
  check_unit(a, layer, unit_of(layer.activation));
}

// The largest accumulator of a layer whose weights are not known.
std::int64_t worst_bound(const IntegerNetwork& network, const IntegerLayer& layer) {
  const TensorFormat& in = network.tensors[static_cast<std::size_t>(layer.input)];
  const model::CodeRange range = model::code_range(in.coding, in.bits);
  const std::int64_t code = std::max(std::abs(range.low), std::abs(range.high));
  const std::int64_t taps =
      std::int64_t{layer.window.kernel_height} * layer.window.kernel_width * (in.shape.channels / layer.groups);
  return (taps * (std::int64_t{1} << std::max(0, layer.weight_bits - 1)) * code) << layer.acc_shift;
}

[[noreturn]] void refuse_bytes(const Architecture& a, const IntegerLayer& layer, const std::string& bytes) {
  refuse(layer, fmt::format("its tensors, weights and parameters take {} bytes; addresses of {} bits reach {}", bytes,
                            std::min(32, a.address_width), address_space(a)));
}

void check_size(const Architecture& a, const IntegerNetwork& network, const IntegerLayer& layer) {
  constexpr std::int64_t longest_row = std::int64_t{1} << 30;
  for (const int index : {layer.input, layer.output}) {
    const model::Shape& shape = network.tensors[static_cast<std::size_t>(index)].shape;
    const std::int64_t row = std::int64_t{shape.width} * shape.channels;
    if (row > longest_row)
      refuse(layer, fmt::format("a row of {} x {} channels has {} values; at most {} are laid out", shape.width,
                                shape.channels, row, longest_row));
  }
  const std::int64_t bytes = least_bytes(a, network, layer);
  if (bytes > address_space(a)) refuse_bytes(a, layer, fmt::format("more than {}", address_space(a)));
}

void check(const Architecture& a, const IntegerNetwork& network, const IntegerLayer& layer) {
  check_size(a, network, layer);
  const auto tensor = [&](int index) { return &network.tensors[static_cast<std::size_t>(index)]; };
  check_widths(a, layer, *tensor(layer.input), *tensor(layer.output),
               layer.second < 0 ? nullptr : tensor(layer.second));
  check_units(a, layer);
  const bool unknown = has_weights(layer.kind) && layer.weights.empty();
  const std::int64_t bound = unknown ? worst_bound(network, layer) : accumulator_bound(network, layer);
  if (bound >= std::int64_t{1} << (a.accumulator_bits - 1))
    refuse(layer,
           fmt::format("accumulators can reach {}, which needs {} bits; architecture '{}' has "
                       "accumulator_bits = {}",
                       bound, std::bit_width(static_cast<std::uint64_t>(bound)) + 1, a.name, a.accumulator_bits));
}

// The pieces of one image as descriptors, with their weights and parameters side by side; none keeps weights.
LayerProgram describe_pieces(const Architecture& a, const IntegerNetwork& network, const IntegerLayer& layer,
                             const Tiling& tiling, const Bases& bases) {
  LayerProgram program{.descriptors = {}, .pieces = tiling.pieces, .mapping = tiling.mapping};
  program.descriptors.reserve(tiling.pieces.size());
  // Pieces that read the same weights or parameters share them.
  std::map<std::array<int, 6>, std::uint32_t> weights;
  std::map<std::array<int, 2>, std::uint32_t> parameters;
  for (const Piece& piece : tiling.pieces) {
    Addresses at = bases;
    const auto [weight, first_weights] =
        weights.try_emplace({piece.n0, piece.n1, piece.ky0, piece.ky1, piece.run0, piece.run1},
                            bases.weights + static_cast<std::uint32_t>(program.weight_bytes));
    const auto [parameter, first_parameters] = parameters.try_emplace(
        {piece.n0, piece.n1}, bases.parameters + static_cast<std::uint32_t>(program.parameter_bytes));
    at.weights = weight->second;
    at.parameters = parameter->second;
    if (first_weights && tiling.mapping.convolution)
      program.weight_bytes += whole_regions(a, weight_words(a, layer, tiling.mapping, piece) * weight_word_bytes(a));
    if (first_parameters) program.parameter_bytes += whole_regions(a, parameter_bytes(a, layer, tiling.mapping, piece));
    program.descriptors.push_back(describe(a, network, layer, tiling, piece, at));
  }
  return program;
}

// One way to run the layer for `images` images.
struct Way {
  const IntegerNetwork& network;  // its tensors
  const IntegerLayer& layer;
  Tiling tiling;
  int images;
};

LayerProgram assemble(const Architecture& a, const Way& way, const Bases& bases) {
  LayerProgram one = describe_pieces(a, way.network, way.layer, way.tiling, bases);
  const std::vector<Turn> turns = turns_of(way.tiling.pieces, way.images);
  LayerProgram program{.descriptors = {},
                       .pieces = {},
                       .mapping = one.mapping,
                       .weight_bytes = one.weight_bytes,
                       .parameter_bytes = one.parameter_bytes};
  program.descriptors.reserve(turns.size());
  program.pieces.reserve(turns.size());
  const Addresses step = step_of_image(a, way.network, way.layer);
  for (const Turn& turn : turns) {
    const Piece& piece = one.pieces[turn.piece];
    Descriptor d = one.descriptors[turn.piece];
    shift(d, times(step, turn.image));
    const bool keeps = !program.pieces.empty() && d.get<F_RESIDENT>() && same_weights(program.pieces.back(), piece);
    if (keeps) d.set(F_KEEP_WEIGHTS, 1);
    program.descriptors.push_back(d);
    program.pieces.push_back(piece);
  }
  return program;
}

}  // namespace

LayerProgram program_layer(const Architecture& a, const IntegerNetwork& network, const IntegerLayer& layer,
                           const Bases& bases, const Judge& judge, int batch) {
  check(a, network, layer);
  std::vector<Way> ways;
  std::optional<TallLayer> tall;
  std::vector<StripLayer> strips;
  if (strip_of(a, network.tensors[static_cast<std::size_t>(layer.input)]) > 0) {
    strips = strip_layers(a, network, layer);
    for (const StripLayer& way : strips) {
      try {
        for (Tiling& tiling : tilings(a, way.tensors, way.layer))
          ways.push_back({way.tensors, way.layer, std::move(tiling), batch});
      } catch (const std::invalid_argument&) {
        if (&way == &strips.back() && ways.empty()) throw;  // what the last one lacks is as good a reason as any
      }
    }
  } else {
    tall = tall_layer(network, layer, batch);
    if (tall) {
      for (Tiling& tiling : fitting_tilings(a, *tall))
        ways.push_back({tall->tensors, tall->layer, std::move(tiling), 1});
    }
    for (Tiling& tiling : tilings(a, network, layer)) ways.push_back({network, layer, std::move(tiling), batch});
  }
  const auto checked = [&](LayerProgram program) {
    std::int64_t bytes = program.weight_bytes + program.parameter_bytes;
    for (const int tensor : {layer.input, layer.second, layer.output}) {
      if (tensor >= 0) bytes += batch * tensor_bytes(a, network.tensors[static_cast<std::size_t>(tensor)]);
    }
    if (bytes > address_space(a)) refuse_bytes(a, layer, fmt::format("{}", bytes));
    return program;
  };
  LayerProgram best = assemble(a, ways.front(), bases);
  if (!judge || ways.size() == 1) return checked(std::move(best));
  std::int64_t cycles = judge(best.descriptors, std::numeric_limits<std::int64_t>::max());
  for (std::size_t i = 1; i < ways.size(); ++i) {
    LayerProgram other = assemble(a, ways[i], bases);
    const std::int64_t other_cycles = judge(other.descriptors, cycles);
    if (other_cycles >= cycles) continue;
    cycles = other_cycles;
    best = std::move(other);
  }
  return checked(std::move(best));
}

void move(LayerProgram& program, const Bases& from, const Bases& to) {
  const Addresses by{.input = to.input - from.input,
                     .second = to.second - from.second,
                     .output = to.output - from.output,
                     .weights = to.weights - from.weights,
                     .parameters = to.parameters - from.parameters};
  for (Descriptor& d : program.descriptors) shift(d, by);
}

void put_numbers(MemoryImage& image, const Architecture& a, const IntegerNetwork& network, const IntegerLayer& layer,
                 std::span<const Descriptor> descriptors, const Mapping& mapping, std::span<const Piece> pieces) {
  const int channels = network.tensors[static_cast<std::size_t>(layer.input)].shape.channels;
  std::optional<StripLayer> strips;
  if (strip_of(a, network.tensors[static_cast<std::size_t>(layer.input)]) > 0)
    strips = strip_layer(a, network, layer, mapping.pixels);
  const IntegerLayer& run = strips ? strips->layer : layer;
  std::set<std::uint32_t> weights, parameters;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const Descriptor& d = descriptors[i];
    if (parameters.insert(d.get<F_PARAM_ADDRESS>()).second)
      put_parameters(image, d.get<F_PARAM_ADDRESS>(), a, run, mapping, pieces[i],
                     turned_sums(a, run, channels, mapping, pieces[i]));
    if (mapping.convolution && weights.insert(d.get<F_WEIGHT_ADDRESS>()).second)
      put_weights(image, d.get<F_WEIGHT_ADDRESS>(), a, run, channels, mapping, pieces[i]);
  }
}

}  // namespace bitstrata::generate
