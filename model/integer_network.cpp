// SPDX-License-Identifier: Apache-2.0
// Checks of integer networks: whatever passes `validate` can be executed by every engine.
#include "model/integer_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <set>
#include <stdexcept>

namespace bitstrata::model {
namespace {

// Room for the multiplication by multiplier[n] is made in `requantize`; the sum itself must stay in int64.
constexpr std::int64_t largest_bound = std::int64_t{1} << 62;

// Sides of tensors and windows, and products of them: within these, sums of sizes stay in int and products in int64.
constexpr int largest_side = 1 << 24;
constexpr std::int64_t largest_product = std::int64_t{1} << 38;

template <typename... Args>
[[noreturn]] void refuse(const std::string& what, fmt::format_string<Args...> format, Args&&... args) {
  throw std::invalid_argument(fmt::format("{}: {}", what, fmt::format(format, std::forward<Args>(args)...)));
}

std::string to_text(Shape shape) { return fmt::format("{}x{}x{}", shape.height, shape.width, shape.channels); }

void check_tensor(const TensorFormat& tensor, const std::string& what) {
  const Shape& s = tensor.shape;
  if (s.height < 1 || s.width < 1 || s.channels < 1) refuse(what, "the shape {} has a side below 1", to_text(s));
  if (std::max({s.height, s.width, s.channels}) > largest_side ||
      std::int64_t{s.height} * s.width > largest_product / s.channels) {
    refuse(what, "the shape {} is too large; a side has at most {} and a tensor {} values", to_text(s), largest_side,
           largest_product);
  }
  if (tensor.bits < 1 || tensor.bits > 16) refuse(what, "bits is {}; allowed is 1..16", tensor.bits);
  if (tensor.coding == Coding::bipolar && tensor.bits != 1) {
    refuse(what, "bipolar codes have 1 bit, not {}", tensor.bits);
  }
  if (tensor.coding == Coding::twos_complement && tensor.bits < 2) {
    refuse(what, "two's complement codes need at least 2 bits");
  }
  const CodeRange range = code_range(tensor.coding, tensor.bits);
  if (tensor.zero_point < range.low || tensor.zero_point > range.high) {
    refuse(what, "zero_point {} is no code; codes are {}..{}", tensor.zero_point, range.low, range.high);
  }
  if (tensor.coding == Coding::bipolar && tensor.zero_point != 0) {
    refuse(what, "zero_point of bipolar codes is 0, not {}", tensor.zero_point);
  }
  if (!std::isfinite(tensor.scale) || tensor.scale <= 0) refuse(what, "scale is {}; it must be above 0", tensor.scale);
}

// Positions of the window along one axis; each position of a max pool must see at least one real tap.
int check_axis(const std::string& what, const char* axis, LayerKind kind, int size, int kernel, int stride, int before,
               int after, int dilation) {
  if (kernel < 1 || stride < 1 || dilation < 1) refuse(what, "kernel, stride and dilation of {} must be >= 1", axis);
  if (before < 0 || after < 0) refuse(what, "padding of {} is negative", axis);
  if (accumulation(kind) == Accumulation::sum && (before != 0 || after != 0))
    refuse(what, "average pooling takes no padding");
  if (std::max({kernel, stride, dilation, before, after}) > largest_side)
    refuse(what, "kernel, stride, dilation and padding of {} are at most {}", axis, largest_side);
  const std::int64_t reach = std::int64_t{dilation} * (kernel - 1) + 1;
  const std::int64_t padded = std::int64_t{size} + before + after;
  if (reach > padded) refuse(what, "a kernel reaching over {} does not fit the padded {} of {}", reach, axis, padded);
  const int count = static_cast<int>((padded - reach) / stride + 1);
  if (accumulation(kind) == Accumulation::maximum) {
    for (int position = 0; position < count; ++position) {
      const std::int64_t first = std::int64_t{position} * stride - before;
      const std::int64_t outside = first >= 0 ? 0 : (-first + dilation - 1) / dilation;  // taps before the tensor
      if (outside >= kernel || first + outside * dilation >= size)
        refuse(what, "position {} of the window's {} lies in the padding alone", position, axis);
    }
  }
  return count;
}

Shape window_output(const IntegerLayer& layer, Shape input, const std::string& what) {
  const Window& w = layer.window;
  return {check_axis(what, "height", layer.kind, input.height, w.kernel_height, w.stride_height, w.pad_top,
                     w.pad_bottom, w.dilation_height),
          check_axis(what, "width", layer.kind, input.width, w.kernel_width, w.stride_width, w.pad_left, w.pad_right,
                     w.dilation_width),
          layer.out_channels()};
}

void check_shapes(const IntegerLayer& layer, Shape input, const Shape* second, Shape output, const std::string& what) {
  Shape expected = input;
  switch (operands(layer.kind)) {
    case Operands::window:
      expected = window_output(layer, input, what);
      break;
    case Operands::pair:
      if (*second != input) refuse(what, "joins {} and {}", to_text(input), to_text(*second));
      break;
    case Operands::pair_or_pixel:
      if (*second != input && *second != Shape{.channels = input.channels})
        refuse(what, "joins {} and {}", to_text(input), to_text(*second));
      break;
    case Operands::joined:
      if (second->height != input.height || second->width != input.width) {
        refuse(what, "joins {} and {}; heights and widths must agree", to_text(input), to_text(*second));
      }
      expected.channels += second->channels;
      break;
    case Operands::enlarged:
      if (layer.factor[0] < 1 || layer.factor[0] > 64)
        refuse(what, "enlarges by {}; allowed is 1..64", layer.factor[0]);
      expected.height *= layer.factor[0];
      expected.width *= layer.factor[0];
      break;
    case Operands::spread: {
      const auto [rows, columns] = layer.factor;
      if (rows < 1 || rows > 64 || columns < 1 || columns > 64)
        refuse(what, "spreads pixels to blocks of {}x{}; allowed is 1..64", rows, columns);
      if (input.channels % (rows * columns) != 0) {
        refuse(what, "spreads {} channels to blocks of {}x{}, which they are no multiple of", input.channels, rows,
               columns);
      }
      expected = {input.height * rows, input.width * columns, input.channels / (rows * columns)};
      break;
    }
  }
  if (output != expected) refuse(what, "gives {}, its output tensor is {}", to_text(expected), to_text(output));
  if (layer.out_channels() != output.channels) {
    refuse(what, "has {} biases for {} channels", layer.out_channels(), output.channels);
  }
  if (has_weights(layer.kind)) {
    if (layer.groups < 1 || input.channels % layer.groups != 0 || output.channels % layer.groups != 0) {
      refuse(what, "{} groups do not divide {} input and {} output channels", layer.groups, input.channels,
             output.channels);
    }
  } else if (!has_window(layer.kind) && layer.window != Window{}) {
    refuse(what, "is a {}; its window must be 1x1", to_string(layer.kind));
  } else if (has_window(layer.kind) && input.channels != output.channels) {
    refuse(what, "pooling keeps {} channels, its output tensor has {}", input.channels, output.channels);
  }
}

void check_weights(const IntegerLayer& layer, Shape input, Shape output, const std::string& what) {
  if (!has_weights(layer.kind)) {
    if (layer.weight_bits != 0 || !layer.weights.empty()) refuse(what, "pooling has no weights; weight_bits must be 0");
    if (layer.macs != 0) refuse(what, "macs is {}; pooling counts 0", layer.macs);
    return;
  }
  if (layer.weight_bits < 1 || layer.weight_bits > 16)
    refuse(what, "weight_bits is {}; allowed is 1..16", layer.weight_bits);
  std::int64_t taps = std::int64_t{layer.window.kernel_height} * layer.window.kernel_width, count = 0, macs = 0;
  if (__builtin_mul_overflow(taps, input.channels / layer.groups, &taps) ||
      __builtin_mul_overflow(taps, output.channels, &count) || __builtin_mul_overflow(taps, output.elements(), &macs)) {
    refuse(what, "its multiplications are more than 64 bits count");
  }
  if (static_cast<std::int64_t>(layer.weights.size()) != count) {
    refuse(what, "has {} weights, its shape needs {}", layer.weights.size(), count);
  }
  if (layer.macs != macs) refuse(what, "macs is {}, its shape gives {}", layer.macs, macs);
  const int low = layer.weight_bits == 1 ? -1 : -(1 << (layer.weight_bits - 1));
  const int high = layer.weight_bits == 1 ? 1 : (1 << (layer.weight_bits - 1)) - 1;
  layer.weights.for_each_block(1, [&](std::size_t, const WeightBlock& block) {
    for (int weight : block) {
      if (weight < low || weight > high || (layer.weight_bits == 1 && weight == 0)) {
        refuse(what, "weight {} is not among the {}-bit weights{}", weight, layer.weight_bits,
               layer.weight_bits == 1 ? std::string(" -1 and +1") : fmt::format(" {}..{}", low, high));
      }
    }
  });
}

void check_activation(const IntegerLayer& layer, const TensorFormat& output, const std::string& what) {
  const bool leaky = layer.activation == Activation::leaky, table = layer.activation == Activation::table;
  if (layer.negative_multiplier.size() != (leaky ? layer.bias.size() : 0)) {
    refuse(what, "has {} multipliers for negative values; a {} activation needs {}", layer.negative_multiplier.size(),
           to_string(layer.activation), leaky ? layer.bias.size() : 0);
  }
  if (layer.table.size() != (table ? 256U : 0U)) {
    refuse(what, "its table has {} entries; a {} activation needs {}", layer.table.size(), to_string(layer.activation),
           table ? 256 : 0);
  }
  if (table) {
    if (const int most = info(layer.activation).most_bits; output.bits > most)
      refuse(what, "a table gives at most {} bits, its output has {}", most, output.bits);
    for (int code : layer.table) {
      if (code < layer.clip_low || code > layer.clip_high) {
        refuse(what, "its table holds {}; its output's codes are {}..{}", code, layer.clip_low, layer.clip_high);
      }
    }
  }
  if (layer.activation != Activation::hard_swish) return;
  if (layer.swish_three < 0 || layer.swish_three > 65535 || layer.swish_six < 0 || layer.swish_six > 65535) {
    refuse(what, "swish_three {} and swish_six {} must lie in 0..65535", layer.swish_three, layer.swish_six);
  }
  if (layer.swish_shift < 0 || layer.swish_shift > 31) {
    refuse(what, "swish_shift is {}; allowed is 0..31", layer.swish_shift);
  }
  if (std::abs(std::int64_t{layer.swish_offset}) > 65535) {
    refuse(what, "swish_offset {} is outside -65535..65535", layer.swish_offset);
  }
}

void check_post(const IntegerLayer& layer, const TensorFormat& input, const TensorFormat& output,
                const std::string& what) {
  const std::size_t channels = layer.bias.size();
  if (layer.multiplier.size() != channels || layer.shift.size() != channels) {
    refuse(what, "has {} biases, {} multipliers and {} shifts; their counts must agree", channels,
           layer.multiplier.size(), layer.shift.size());
  }
  for (int shift : layer.shift) {
    if (shift > 63) refuse(what, "shift {} is above 63", shift);
  }
  // Other kinds pass bipolar codes through unshifted.
  const int least = has_weights(layer.kind) && input.coding == Coding::bipolar ? 1 : 0;
  if (layer.acc_shift < least || layer.acc_shift > most_acc_shift) {
    refuse(what, "acc_shift is {}; for a {} of {} codes it is {}..{}", layer.acc_shift, to_string(layer.kind),
           to_string(input.coding), least, most_acc_shift);
  }
  const CodeRange range = code_range(output.coding, output.bits);
  if (layer.clip_low > layer.clip_high || layer.clip_low < range.low || layer.clip_high > range.high) {
    refuse(what, "clips to {}..{}; the output's codes are {}..{}", layer.clip_low, layer.clip_high, range.low,
           range.high);
  }
  if (combines_codes(layer.kind)) {
    for (int factor : layer.factor) {
      if (std::abs(std::int64_t{factor}) > 65535) refuse(what, "factor {} is outside -65535..65535", factor);
    }
  }
  check_activation(layer, output, what);
}

}  // namespace

const char* to_string(Coding coding) {
  switch (coding) {
    case Coding::unsigned_code:
      return "unsigned";
    case Coding::twos_complement:
      return "twos_complement";
    case Coding::bipolar:
      return "bipolar";
  }
  return "unknown";
}

IntegerLayer layer_of(const Network& network, int node) {
  const Node& n = network.node(node);
  IntegerLayer layer{.name = n.name, .kind = info(n.op).kind.value_or(LayerKind::average_pool)};
  layer.macs = network.macs(node);
  layer.groups = n.groups;
  if (has_window(layer.kind)) layer.window = n.window;
  if (n.op == Op::linear) {
    const Shape in = network.input_shape(node);
    layer.window = {.kernel_height = in.height, .kernel_width = in.width};
  }
  if (operands(layer.kind) == Operands::enlarged) layer.factor[0] = n.factor;
  if (operands(layer.kind) == Operands::spread) layer.factor = n.block;
  return layer;
}

CodeRange code_range(Coding coding, int bits) {
  switch (coding) {
    case Coding::unsigned_code:
      return {0, (std::int32_t{1} << bits) - 1};
    case Coding::twos_complement:
      return {-(std::int32_t{1} << (bits - 1)), (std::int32_t{1} << (bits - 1)) - 1};
    case Coding::bipolar:
      return {0, 1};
  }
  return {};
}

namespace {

bool is_depthwise(const IntegerLayer& layer, const TensorFormat& input, const TensorFormat& output) {
  return layer.kind == LayerKind::convolution && layer.groups > 1 && layer.groups == input.shape.channels &&
         layer.groups == output.shape.channels && layer.window.dilation_width == 1 &&
         output.shape.width <= input.shape.width;
}

}  // namespace

void mark_depthwise(IntegerNetwork& network) {
  const auto at = [](int tensor) { return static_cast<std::size_t>(tensor); };
  std::vector<int> readers(network.tensors.size(), 0);
  std::vector<const IntegerLayer*> writers(network.tensors.size(), nullptr);
  for (TensorFormat& format : network.tensors) format.depthwise = {};
  for (const IntegerLayer& layer : network.layers) {
    ++readers[at(layer.input)];
    if (layer.second >= 0) ++readers[at(layer.second)];
    writers[at(layer.output)] = &layer;
  }
  for (const IntegerLayer& layer : network.layers) {
    TensorFormat& input = network.tensors[at(layer.input)];
    const IntegerLayer* const writer = writers[at(layer.input)];
    if (!is_depthwise(layer, input, network.tensors[at(layer.output)]) || readers[at(layer.input)] != 1 ||
        writer == nullptr || !has_weights(writer->kind) || writer->groups != 1)
      continue;
    const Shape& read = network.tensors[at(writer->input)].shape;
    const Window& w = layer.window;
    input.depthwise = {
        .rows = std::min(input.shape.height, (w.kernel_height - 1) * w.dilation_height + 1 + w.stride_height),
        .kernel_values = w.kernel_height * w.kernel_width,
        .writer_rows = std::min(read.height, (writer->window.kernel_height - 1) * writer->window.dilation_height + 1),
        .writer_values = std::int64_t{read.width} * read.channels};
  }
}

void validate(const IntegerNetwork& network) {
  const std::string self = fmt::format("integer network '{}'", network.name);
  if (network.tensors.empty() || network.layers.empty()) refuse(self, "has no tensors or no layers");
  for (std::size_t i = 0; i < network.tensors.size(); ++i) {
    check_tensor(network.tensors[i], fmt::format("{}, tensor {}", self, i));
  }
  std::set<std::string> names;
  std::vector<bool> written(network.tensors.size(), false);
  written[0] = true;
  for (const IntegerLayer& layer : network.layers) {
    const std::string what = fmt::format("layer '{}'", layer.name);
    if (layer.name.empty()) refuse(self, "a layer has no name");
    if (!names.insert(layer.name).second) refuse(what, "the name stands twice");
    const int tensors = static_cast<int>(network.tensors.size());
    if (layer.input < 0 || layer.input >= tensors || !written[static_cast<std::size_t>(layer.input)]) {
      refuse(what, "reads tensor {}, which no earlier layer writes", layer.input);
    }
    if (layer.output < 0 || layer.output >= tensors || written[static_cast<std::size_t>(layer.output)]) {
      refuse(what, "writes tensor {}, which does not exist or is written already", layer.output);
    }
    if (has_two_inputs(layer.kind)
            ? layer.second < 0 || layer.second >= tensors || !written[static_cast<std::size_t>(layer.second)]
            : layer.second != -1) {
      refuse(what, "its second input is tensor {}; a {} reads {}", layer.second, to_string(layer.kind),
             has_two_inputs(layer.kind) ? "two tensors of earlier layers" : "one tensor");
    }
    written[static_cast<std::size_t>(layer.output)] = true;
    const TensorFormat& input = network.tensors[static_cast<std::size_t>(layer.input)];
    const TensorFormat& output = network.tensors[static_cast<std::size_t>(layer.output)];
    const Shape* second = layer.second >= 0 ? &network.tensors[static_cast<std::size_t>(layer.second)].shape : nullptr;
    check_shapes(layer, input.shape, second, output.shape, what);
    check_weights(layer, input.shape, output.shape, what);
    check_post(layer, input, output, what);
    accumulator_bound(network, layer);
  }
  // A tensor in strips is read by its depthwise convolution only; alone, such a layer is a network, too.
  for (std::size_t t = 0; t < network.tensors.size(); ++t) {
    if (network.tensors[t].depthwise.rows == 0) continue;
    const int tensor = static_cast<int>(t);
    for (const IntegerLayer& layer : network.layers) {
      const bool reads = layer.input == tensor || layer.second == tensor;
      if (reads && !is_depthwise(layer, network.tensors[t], network.tensors[static_cast<std::size_t>(layer.output)]))
        refuse(self, "tensor {} is marked as a depthwise convolution's alone, but '{}' reads it", t, layer.name);
      if (layer.output == tensor && (!has_weights(layer.kind) || layer.groups != 1))
        refuse(self, "tensor {} is marked as a dense convolution's, but '{}' writes it", t, layer.name);
    }
  }
  const auto unwritten = std::find(written.begin(), written.end(), false);
  if (unwritten != written.end()) refuse(self, "no layer writes tensor {}", unwritten - written.begin());
}

namespace {

std::int64_t largest_code(const TensorFormat& format) {
  const CodeRange range = code_range(format.coding, format.bits);
  return std::max(std::abs(range.low), std::abs(range.high));
}

}  // namespace

std::int64_t accumulator_bound(const IntegerNetwork& network, const IntegerLayer& layer) {
  const std::int64_t largest = largest_code(network.tensors.at(static_cast<std::size_t>(layer.input)));
  const std::int64_t second =
      layer.second < 0 ? 0 : largest_code(network.tensors.at(static_cast<std::size_t>(layer.second)));
  const std::int64_t taps = std::int64_t{layer.window.kernel_height} * layer.window.kernel_width;
  const std::size_t per_channel = layer.bias.empty() ? 0 : layer.weights.size() / layer.bias.size();
  std::vector<std::int64_t> weight_sums = layer.weights.magnitudes(per_channel);
  weight_sums.resize(layer.bias.size(), 0);
  std::int64_t worst = 0;
  for (std::size_t n = 0; n < layer.bias.size(); ++n) {
    const std::int64_t bias = layer.bias[n];
    std::int64_t sum = 0;
    switch (accumulation(layer.kind)) {
      case Accumulation::weighted_sum: {
        std::int64_t weight_sum = weight_sums[n];
        if (weight_sum > (largest_bound / (largest << layer.acc_shift))) weight_sum = -1;
        sum = weight_sum < 0 ? -1 : weight_sum * largest;
        break;
      }
      case Accumulation::sum:
        sum = taps * largest;
        break;
      case Accumulation::scaled_sum:
      case Accumulation::product:
        sum = std::abs(layer.factor[0]) * largest + std::abs(layer.factor[1]) * second +
              (accumulation(layer.kind) == Accumulation::product ? largest * second : 0);
        break;
      case Accumulation::maximum:
      case Accumulation::copy:
        sum = std::max(largest, second);
        break;
    }
    if (sum > 0) sum <<= layer.acc_shift;
    if (bias <= -largest_bound || bias >= largest_bound || sum < 0) {
      throw std::invalid_argument(
          fmt::format("layer '{}': channel {} could leave the 64-bit range (bias {})", layer.name, n, bias));
    }
    worst = std::max(worst, sum + std::abs(bias));
  }
  return worst;
}

}  // namespace bitstrata::model
