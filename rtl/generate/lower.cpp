// SPDX-License-Identifier: Apache-2.0
// Turns integer layers into descriptors and lays weights and parameters out in the order the loader fetches them.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>

#include "rtl/generate/program.h"

namespace bitstrata::generate {

namespace {

using model::Architecture;
using model::Coding;
using model::IntegerLayer;
using model::IntegerNetwork;
using model::LayerKind;
using model::TensorFormat;

// Every region starts on a page of AXI's burst rule, so that the bursts of a layer do not depend on its neighbours.
constexpr std::int64_t alignment = 4096;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

[[noreturn]] void refuse(const IntegerLayer& layer, const std::string& what) {
  throw std::invalid_argument(fmt::format("layer '{}': {}", layer.name, what));
}

void check_widths(const Architecture& a, const IntegerLayer& layer, const TensorFormat& in, const TensorFormat& out) {
  const auto supported = [&](int bits) {
    return a.supported_bits.empty() || std::ranges::find(a.supported_bits, bits) != a.supported_bits.end();
  };
  if (layer.kind == LayerKind::convolution) {
    if (layer.weight_bits > a.max_weight_bits || !supported(layer.weight_bits)) {
      refuse(layer, fmt::format("{}-bit weights; architecture '{}' supports {}", layer.weight_bits, a.name,
                                a.supported_bits.empty() ? fmt::format("1 to {}", a.max_weight_bits)
                                                         : fmt::format("{}", fmt::join(a.supported_bits, ", "))));
    }
  }
  for (const auto* format : {&in, &out}) {
    if (format->bits > a.max_activation_bits || (format == &in && !supported(format->bits))) {
      refuse(layer, fmt::format("{}-bit {} activations; architecture '{}' supports {}", format->bits,
                                format == &in ? "input" : "output", a.name,
                                a.supported_bits.empty() ? fmt::format("1 to {}", a.max_activation_bits)
                                                         : fmt::format("{}", fmt::join(a.supported_bits, ", "))));
    }
  }
  if (layer.kind == LayerKind::convolution && layer.groups != 1) {
    refuse(layer, fmt::format("{} groups; the array runs convolutions of one group", layer.groups));
  }
}

// Rows of the output computed before the buffers turn over: as many as fit, and few enough that the input rows of the
// next block can be loaded meanwhile where that is possible at all.
int choose_block_rows(const Architecture& a, const IntegerLayer& layer, const TensorFormat& in, const TensorFormat& out,
                      std::int64_t slots, std::int64_t rows_needed, std::int64_t out_slot) {
  const auto& w = layer.window;
  const int height = out.shape.height;
  const auto span = [&](std::int64_t rows) {
    return std::min(rows_needed, (rows - 1) * w.stride_height + (w.kernel_height - 1) * w.dilation_height + 1);
  };
  if (out.shape.width > a.psum_depth) {
    refuse(layer, fmt::format("an output row of {} pixels does not fit psum_depth = {} of architecture '{}'",
                              out.shape.width, a.psum_depth, a.name));
  }
  const std::int64_t out_capacity = std::int64_t{a.plane_banks()} * a.output_depth;
  if (out_slot > out_capacity) {
    refuse(layer, fmt::format("an output row takes {} lines a parity, the output buffer half holds {} "
                              "(output_depth = {} x {} banks) in architecture '{}'",
                              out_slot, out_capacity, a.output_depth, a.plane_banks(), a.name));
  }
  if (span(1) > slots) {
    refuse(layer, fmt::format("one output row needs {} input rows, the activation buffer holds {} (rows of {} x {} "
                              "channels at {} bits; activation_depth = {}) in architecture '{}'",
                              span(1), slots, in.shape.width, in.shape.channels, in.bits, a.activation_depth, a.name));
  }
  const std::int64_t limit = std::min<std::int64_t>({height, a.psum_depth / out.shape.width, out_capacity / out_slot});
  std::int64_t fits = 1, overlaps = 0;
  for (std::int64_t rows = 1; rows <= limit; ++rows) {
    if (span(rows) <= slots) fits = rows;
    if (std::min(rows_needed, span(rows) + rows * w.stride_height) <= slots) overlaps = rows;
  }
  return static_cast<int>(2 * overlaps >= fits ? overlaps : fits);
}

// Parameter records in the order post-processing uses them: groups of post_lanes for every output tile and macro.
struct Group {
  int first_channel;
  int channels;
};

std::vector<Group> parameter_groups(const Architecture& a, int channels, int lanes, int macros) {
  std::vector<Group> groups;
  for (int tile = 0; tile < channels; tile += macros * lanes) {
    for (int macro = tile; macro < std::min(channels, tile + macros * lanes); macro += lanes) {
      const int end = std::min(channels, macro + lanes);
      for (int first = macro; first < end; first += a.post_lanes) {
        groups.push_back({first, std::min(a.post_lanes, end - first)});
      }
    }
  }
  return groups;
}

class Image {
 public:
  std::uint32_t reserve(std::int64_t bytes) {
    const auto at = static_cast<std::int64_t>(bytes_.size());
    if (at + bytes > std::numeric_limits<std::int32_t>::max()) {
      throw std::invalid_argument("the network's memory image exceeds 2 GiB");
    }
    bytes_.resize(static_cast<std::size_t>(ceil_div(at + bytes, alignment) * alignment), 0);
    return static_cast<std::uint32_t>(at);
  }
  void put32(std::uint32_t address, std::uint32_t value) {
    for (int i = 0; i < 4; ++i)
      bytes_[address + static_cast<std::uint32_t>(i)] = static_cast<std::uint8_t>(value >> (8 * i));
  }
  void put64(std::uint32_t address, std::uint64_t value) {
    put32(address, static_cast<std::uint32_t>(value));
    put32(address + 4, static_cast<std::uint32_t>(value >> 32));
  }
  void set_bit(std::uint32_t address, int bit) {
    auto& byte = bytes_[address + static_cast<std::uint32_t>(bit / 8)];
    byte = static_cast<std::uint8_t>(byte | (1u << (bit % 8)));
  }
  std::vector<std::uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<std::uint8_t> bytes_;
};

void put_parameters(Image& image, std::uint32_t address, const Architecture& a, const IntegerLayer& layer,
                    const std::vector<Group>& groups) {
  const std::uint32_t record_bytes = static_cast<std::uint32_t>(std::max(16, a.data_bits / 8));
  const std::uint64_t bias_mask = (std::uint64_t{1} << 48) - 1;
  for (const auto& group : groups) {
    for (int i = 0; i < a.post_lanes; ++i, address += record_bytes) {
      if (i >= group.channels) continue;
      const auto c = static_cast<std::size_t>(group.first_channel + i);
      image.put64(address,
                  (static_cast<std::uint64_t>(layer.bias[c]) & bias_mask) | (std::uint64_t{layer.multiplier[c]} << 48));
      image.put64(address + 8, layer.shift[c]);
    }
  }
}

// One row of a macro's tile after the other: bit j*w + b is bit b of output j's weight (1-bit weights: 1 for +1).
void put_weights(Image& image, std::uint32_t address, const Architecture& a, const IntegerLayer& layer, int lanes) {
  const int channels = layer.out_channels();
  const int k = static_cast<int>(static_cast<std::int64_t>(layer.weights.size()) / channels);
  const auto row_bytes = static_cast<std::uint32_t>(ceil_div(a.columns, a.data_bits) * a.data_bits / 8);
  for (int tile = 0; tile < channels; tile += a.tiles * lanes) {
    for (int row_tile = 0; row_tile < k; row_tile += a.rows) {
      for (int macro = tile; macro < std::min(channels, tile + a.tiles * lanes); macro += lanes) {
        for (int row = row_tile; row < std::min(k, row_tile + a.rows); ++row, address += row_bytes) {
          for (int j = 0; j < std::min(lanes, channels - macro); ++j) {
            const int weight = layer.weights[static_cast<std::size_t>(macro + j) * static_cast<std::size_t>(k) +
                                             static_cast<std::size_t>(row)];
            const unsigned code = layer.weight_bits == 1 ? (weight > 0 ? 1u : 0u) : static_cast<unsigned>(weight);
            for (int b = 0; b < layer.weight_bits; ++b) {
              if ((code >> b) & 1u) image.set_bit(address, j * layer.weight_bits + b);
            }
          }
        }
      }
    }
  }
}

// Array rows of a layer's weights: every macro that holds outputs has k of them.
std::int64_t weight_rows(int channels, int lanes, std::int64_t k) { return ceil_div(channels, lanes) * k; }

Descriptor describe(const Architecture& a, const IntegerNetwork& network, const IntegerLayer& layer,
                    const std::vector<TensorPlacement>& places, std::size_t groups, int lanes, bool last) {
  const auto& in = network.tensors[static_cast<std::size_t>(layer.input)];
  const auto& out = network.tensors[static_cast<std::size_t>(layer.output)];
  const auto& w = layer.window;
  const bool pooling = layer.kind != LayerKind::convolution;
  const int channels = in.shape.channels, line = a.data_bits;
  const int in_lines = places[static_cast<std::size_t>(layer.input)].row_lines;
  const int out_lines = places[static_cast<std::size_t>(layer.output)].row_lines;

  const std::int64_t slot = ceil_div(in_lines, 2) * in.bits;
  const std::int64_t capacity = std::int64_t{a.plane_banks()} * a.activation_depth;
  const std::int64_t slots = std::min<std::int64_t>({capacity / slot, 65535 / slot, in.shape.height});
  const std::int64_t ring = slots * slot;
  const std::int64_t rows_needed =
      std::min<std::int64_t>(in.shape.height, std::int64_t{out.shape.height - 1} * w.stride_height +
                                                  (w.kernel_height - 1) * w.dilation_height + 1 - w.pad_top);
  const std::int64_t out_slot = ceil_div(out_lines, 2) * out.bits;
  if (slots == 0) {
    refuse(layer,
           fmt::format("an input row of {} x {} channels at {} bits takes {} lines a parity, the activation "
                       "buffer holds {} (activation_depth = {} x {} banks) in architecture '{}'",
                       in.shape.width, channels, in.bits, slot, capacity, a.activation_depth, a.plane_banks(), a.name));
  }
  const int block_rows = choose_block_rows(a, layer, in, out, slots, rows_needed, out_slot);
  const int blocks = static_cast<int>(ceil_div(out.shape.height, block_rows));
  const int last_rows = out.shape.height - (blocks - 1) * block_rows;

  const std::int64_t run = pooling ? lanes : std::int64_t{w.dilation_width == 1 ? w.kernel_width : 1} * channels;
  const std::int64_t k = std::int64_t{w.kernel_height} * w.kernel_width * channels;
  const std::int64_t k_tiles = pooling ? std::int64_t{w.kernel_height} * w.kernel_width : ceil_div(k, a.rows);
  const int macros = pooling ? 1 : a.tiles;
  const std::int64_t n_tiles = ceil_div(out.shape.channels, std::int64_t{macros} * lanes);
  if (run > 65535 || std::int64_t{in.shape.width} * channels >= (1 << 19) ||
      std::int64_t{out.shape.width} * out.shape.channels >= (1 << 19)) {
    refuse(layer, "a row of the input or output exceeds 524287 values, or a kernel row 65535: too long to address");
  }

  const auto positive_mod = [](std::int64_t value, std::int64_t modulus) {
    return ((value % modulus) + modulus) % modulus;
  };
  Descriptor d;
  const auto set = [&](DescriptorWord word, std::int64_t value) { d[word] = static_cast<std::uint32_t>(value); };
  const bool resident = !pooling && weight_rows(out.shape.channels, lanes, k) <= a.weight_depth;
  const std::uint32_t opcode = layer.kind == LayerKind::convolution ? OP_CONVOLUTION
                               : layer.kind == LayerKind::max_pool  ? OP_MAX_POOL
                                                                    : OP_AVERAGE_POOL;
  set(D_CONTROL, opcode | (std::uint32_t{last} << C_LAST) | (std::uint32_t{resident} << C_RESIDENT) |
                     (std::uint32_t{in.coding == Coding::twos_complement} << C_SIGNED) |
                     (std::uint32_t{layer.acc_shift != 0} << C_ACC_SHIFT) | (descriptor_magic << 16));
  set(D_WIDTHS, layer.weight_bits | (in.bits << 8) | (out.bits << 16));
  set(D_IN_ADDRESS, places[static_cast<std::size_t>(layer.input)].address);
  set(D_OUT_ADDRESS, places[static_cast<std::size_t>(layer.output)].address);
  set(D_IN_ROW_BEATS, std::int64_t{in_lines} * in.bits);
  set(D_IN_HEIGHT, in.shape.height);
  set(D_IN_ROW_BITS, std::int64_t{in.shape.width} * channels);
  set(D_IN_SLOT, slot);
  set(D_IN_RING, ring);
  set(D_IN_SLOTS, slots);
  set(D_RUN_LENGTH, run);
  set(D_RUN_LENGTH_LAST, pooling ? out.shape.channels - (n_tiles - 1) * lanes : run);
  const bool single_run = !pooling && w.dilation_width == 1;
  set(D_RUN_COUNT_X, single_run ? 1 : w.kernel_width);
  set(D_RUN_STEP_X, single_run ? 0 : std::int64_t{w.dilation_width} * channels);
  set(D_RUN_COUNT_Y, w.kernel_height);
  set(D_RUN_STEP_Y, w.dilation_height);
  set(D_RUN_STEP_RING, positive_mod(w.dilation_height * slot, ring));
  set(D_PIXEL_STEP_X, std::int64_t{w.stride_width} * channels);
  set(D_PIXEL_START_X, -std::int64_t{w.pad_left} * channels);
  set(D_PIXEL_STEP_Y, w.stride_height);
  set(D_PIXEL_STEP_RING, positive_mod(w.stride_height * slot, ring));
  set(D_PIXEL_START_Y, -w.pad_top);
  set(D_PIXEL_START_RING, positive_mod(-w.pad_top * slot, ring));
  set(D_OUT_WIDTH, out.shape.width);
  set(D_OUT_HEIGHT, out.shape.height);
  set(D_BLOCK_ROWS, block_rows);
  set(D_BLOCKS, blocks);
  set(D_BLOCK_STEP_Y, std::int64_t{block_rows} * w.stride_height);
  set(D_BLOCK_SPAN, std::int64_t{block_rows - 1} * w.stride_height + (w.kernel_height - 1) * w.dilation_height + 1);
  set(D_ROWS_NEEDED, rows_needed);
  set(D_K_TILES, k_tiles);
  set(D_N_TILES, n_tiles);
  set(D_OUT_CHANNELS, out.shape.channels);
  set(D_LANES, lanes);
  set(D_TILE_STEP_X, pooling ? lanes : 0);
  set(D_ROWS_LAST, pooling ? 1 : k - (k_tiles - 1) * a.rows);
  const int joiner_steps = std::max(1, static_cast<int>(std::bit_width(static_cast<unsigned>(layer.weight_bits - 1))));
  // Pooling accumulates whole codes; two cycles apart, a pixel's partial sum is back before it is read again.
  set(D_VECTOR_INTERVAL, pooling ? 2 : std::max(in.bits, joiner_steps));
  set(D_PARAM_BEATS, static_cast<std::int64_t>(groups) * a.post_lanes * std::max(1, 128 / line));
  set(D_OUT_ROW_LINES, out_lines);
  set(D_OUT_ROW_BITS, std::int64_t{out.shape.width} * out.shape.channels);
  set(D_OUT_SLOT, out_slot);
  set(D_CLIP_LOW, layer.clip_low);
  set(D_CLIP_HIGH, layer.clip_high);
  const std::int64_t lowest_code = in.coding == Coding::twos_complement ? -(std::int64_t{1} << (in.bits - 1)) : 0;
  // Max pooling leaves padding out: it feeds the lowest code.
  const std::int64_t padding = layer.kind == LayerKind::max_pool ? lowest_code : in.zero_point;
  set(D_ZERO_POINT, padding & ((std::int64_t{1} << in.bits) - 1));
  set(D_BLOCK_BEATS, std::int64_t{block_rows} * out_lines * out.bits);
  set(D_LAST_BLOCK_BEATS, std::int64_t{last_rows} * out_lines * out.bits);
  return d;
}

}  // namespace

Program lower(const IntegerNetwork& network, const Architecture& architecture) {
  validate(network);
  validate(architecture);
  const Architecture& a = architecture;
  Program program;
  program.architecture = a;
  program.formats = network.tensors;
  Image image;
  program.list_address = image.reserve(static_cast<std::int64_t>(network.layers.size()) * descriptor_stride);
  for (const auto& format : network.tensors) {
    TensorPlacement place;
    place.row_lines = static_cast<int>(ceil_div(std::int64_t{format.shape.width} * format.shape.channels, a.data_bits));
    const std::int64_t bytes = std::int64_t{format.shape.height} * place.row_lines * format.bits * a.data_bits / 8;
    place.bytes = static_cast<std::uint32_t>(bytes);
    place.address = image.reserve(bytes);
    program.tensors.push_back(place);
  }
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const auto& layer = network.layers[i];
    const auto& in = network.tensors[static_cast<std::size_t>(layer.input)];
    const auto& out = network.tensors[static_cast<std::size_t>(layer.output)];
    check_widths(a, layer, in, out);
    const std::int64_t bound = accumulator_bound(network, layer);
    if (bound >= std::int64_t{1} << (a.accumulator_bits - 1)) {
      refuse(layer,
             fmt::format("accumulators can reach {}, which needs {} bits; architecture '{}' has "
                         "accumulator_bits = {}",
                         bound, std::bit_width(static_cast<std::uint64_t>(bound)) + 1, a.name, a.accumulator_bits));
    }
    const bool pooling = layer.kind != LayerKind::convolution;
    const int lanes = pooling ? std::min({a.rows, a.columns, a.data_bits, in.shape.channels})
                              : a.outputs_per_macro(layer.weight_bits);
    const auto groups = parameter_groups(a, layer.out_channels(), lanes, pooling ? 1 : a.tiles);
    if (groups.size() > static_cast<std::size_t>(a.parameter_depth)) {
      refuse(layer, fmt::format("{} channels need {} groups of {} parameter records; architecture '{}' holds "
                                "parameter_depth = {}",
                                layer.out_channels(), groups.size(), a.post_lanes, a.name, a.parameter_depth));
    }
    const std::int64_t k = static_cast<std::int64_t>(layer.weights.size()) / std::max(1, layer.out_channels());
    if (!pooling && std::min<std::int64_t>(a.rows, k) > a.weight_depth) {
      refuse(layer, fmt::format("a weight tile of {} rows does not fit weight_depth = {} of architecture '{}'", a.rows,
                                a.weight_depth, a.name));
    }
    Descriptor d = describe(a, network, layer, program.tensors, groups.size(), lanes, i + 1 == network.layers.size());
    const std::uint32_t record_bytes = static_cast<std::uint32_t>(std::max(16, a.data_bits / 8));
    d[D_PARAM_ADDRESS] = image.reserve(static_cast<std::int64_t>(groups.size()) * a.post_lanes * record_bytes);
    put_parameters(image, d[D_PARAM_ADDRESS], a, layer, groups);
    if (!pooling) {
      const std::int64_t row_bytes = ceil_div(a.columns, a.data_bits) * a.data_bits / 8;
      d[D_WEIGHT_ADDRESS] = image.reserve(weight_rows(layer.out_channels(), lanes, k) * row_bytes);
      put_weights(image, d[D_WEIGHT_ADDRESS], a, layer, lanes);
    }
    for (int word = 0; word < DESCRIPTOR_WORDS; ++word) {
      image.put32(program.list_address + static_cast<std::uint32_t>(i) * descriptor_stride +
                      static_cast<std::uint32_t>(word) * 4,
                  d.words[static_cast<std::size_t>(word)]);
    }
    program.layers.push_back(d);
    program.layer_names.push_back(layer.name);
    program.layer_output.push_back(layer.output);
  }
  program.image = image.take();
  return program;
}

}  // namespace bitstrata::generate
