// SPDX-License-Identifier: Apache-2.0
#include "sim/layer_sample.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace bitstrata::sim {

using namespace model;

namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

int part_of(int wanted, int all) { return wanted <= 0 ? all : std::min(wanted, all); }

// Rows [first, first + count) of a tensor; rows outside hold `padding`.
Codes rows_of(const TensorFormat& format, const Codes& codes, int first, int count, std::int32_t padding = 0) {
  const std::int64_t row = std::int64_t{format.shape.width} * format.shape.channels;
  Codes part(static_cast<std::size_t>(row * count), padding);
  for (int y = std::max(0, -first); y < count && first + y < format.shape.height; ++y)
    std::copy_n(codes.begin() + (first + y) * row, row, part.begin() + y * row);
  return part;
}

// Rows of the input that `rows` rows of the output are made from, and the step from one output row to the next.
struct Rows {
  int first_of_first = 0, step = 1, extent = 1;  // of output row 0; of a row of the output
  int divisor = 1;                               // output rows that come from one row of the input
  int first(int row) const { return row / divisor * step + first_of_first; }
  int count(int rows) const { return (rows / divisor - 1) * step + extent; }
};

Rows rows_read(const IntegerLayer& layer) {
  if (enlarges(layer.kind)) return {.divisor = layer.factor[0]};
  if (has_two_inputs(layer.kind)) return {};
  const Window& w = layer.window;
  return {-w.pad_top, w.stride_height, (w.kernel_height - 1) * w.dilation_height + 1, 1};
}

// Some outputs of a convolution, evenly spread.
void take_channels(IntegerLayer& layer, int wanted) {
  const int all = layer.out_channels();
  const int count = part_of(wanted, all);
  if (count == all) return;
  const auto chosen = [&](int n) { return at(static_cast<int>(std::int64_t{n} * all / count)); };
  const std::size_t each = layer.weights.size() / at(all);
  std::vector<std::int16_t> weights;
  weights.reserve(each * at(count));
  const auto take = [&](auto& values) {
    if (values.empty()) return;
    for (int n = 0; n < count; ++n) values[at(n)] = values[chosen(n)];
    values.resize(at(count));
  };
  for (int n = 0; n < count; ++n) {
    const WeightBlock block = layer.weights.block(chosen(n) * each, each);
    weights.insert(weights.end(), block.begin(), block.end());
  }
  layer.weights = std::move(weights);
  take(layer.bias);
  take(layer.multiplier);
  take(layer.shift);
  take(layer.negative_multiplier);
}

void count_macs(IntegerLayer& layer, const Shape& input, const Shape& output) {
  if (!has_weights(layer.kind)) return;
  layer.macs = std::int64_t{layer.window.kernel_height} * layer.window.kernel_width * (input.channels / layer.groups) *
               output.elements();
}

// How one tensor holds two: their channels beside each other where they are as many, so that a convolution in groups
// takes them out again, else one tensor behind the other. Codes that do not fit beside a sign are moved down.
struct Joined {
  Joined(const TensorFormat& first, const TensorFormat& second)
      : one(first.shape.channels), other(second.shape.channels), bits(std::max(first.bits, second.bits)) {
    if (first.coding == Coding::twos_complement || second.coding == Coding::twos_complement)
      coding = Coding::twos_complement;
  }
  bool beside() const { return one == other; }
  int place(int which, int channel) const { return beside() ? 2 * channel + which : which * one + channel; }
  int moved(const TensorFormat& format) const {
    return coding != format.coding && coding == Coding::twos_complement && format.bits == bits ? 1 << (bits - 1) : 0;
  }

  int one = 0, other = 0;  // channels
  int bits = 0;
  Coding coding = Coding::unsigned_code;
};

// The convolution that takes one of the two out, codes as they are.
IntegerLayer take_out(const Joined& joined, int which, const TensorFormat& format, int weight_bits) {
  const int channels = format.shape.channels;
  IntegerLayer layer{.name = which == 0 ? "first input" : "second input"};
  layer.output = 1 + which;
  layer.groups = joined.beside() ? channels : 1;
  layer.weight_bits = weight_bits;
  const int each = (joined.one + joined.other) / layer.groups;
  std::vector<std::int16_t> weights(at(channels) * at(each), 0);
  for (int c = 0; c < channels; ++c) weights[at(c) * at(each) + at(joined.place(which, c) % each)] = 1;
  layer.weights = std::move(weights);
  layer.bias.assign(at(channels), joined.moved(format));
  layer.multiplier.assign(at(channels), 1);
  layer.shift.assign(at(channels), 0);
  const CodeRange range = code_range(format.coding, format.bits);
  layer.clip_low = range.low;
  layer.clip_high = range.high;
  return layer;
}

LayerSample sample_two(const IntegerNetwork& network, const IntegerLayer& original,
                       std::span<const std::vector<Codes>> images, const SamplePart& part, int rows,
                       const std::vector<int>& first_row) {
  const TensorFormat &whole_one = network.tensors[at(original.input)],
                     &whole_other = network.tensors[at(original.second)];
  TensorFormat one = whole_one, other = whole_other, output = network.tensors[at(original.output)];
  const bool meets_all = other.shape.elements() == other.shape.channels;  // one pixel
  one.shape.height = output.shape.height = other.shape.height = rows;
  other.shape.width = one.shape.width;
  const Joined joined(one, other);
  TensorFormat both{
      .shape = {rows, one.shape.width, joined.one + joined.other}, .bits = joined.bits, .coding = joined.coding};
  LayerSample sample;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const Codes first = rows_of(whole_one, images[i][at(original.input)], first_row[i], rows);
    const Codes& whole = images[i][at(original.second)];
    const Codes second = meets_all ? whole : rows_of(whole_other, whole, first_row[i], rows);
    Codes& codes = sample.inputs.emplace_back(at(static_cast<int>(both.shape.elements())), 0);
    for (int pixel = 0; pixel < rows * one.shape.width; ++pixel) {
      std::int32_t* const here = codes.data() + std::int64_t{pixel} * both.shape.channels;
      for (int c = 0; c < joined.one; ++c)
        here[joined.place(0, c)] = first[at(pixel) * at(joined.one) + at(c)] - joined.moved(one);
      for (int c = 0; c < joined.other; ++c)
        here[joined.place(1, c)] = second[at(meets_all ? 0 : pixel) * at(joined.other) + at(c)] - joined.moved(other);
    }
  }
  sample.network.name = network.name;
  sample.network.tensors = {both, one, other, output};
  for (int which = 0; which < 2; ++which) {
    IntegerLayer taking = take_out(joined, which, sample.network.tensors[at(1 + which)], part.weight_bits);
    count_macs(taking, both.shape, sample.network.tensors[at(1 + which)].shape);
    sample.network.layers.push_back(std::move(taking));
  }
  IntegerLayer layer = original;
  layer.input = 1;
  layer.second = 2;
  layer.output = 3;
  sample.network.layers.push_back(std::move(layer));
  return sample;
}

}  // namespace

LayerSample sample_layer(const IntegerNetwork& network, std::size_t index, std::span<const std::vector<Codes>> images,
                         const SamplePart& part) {
  IntegerLayer layer = network.layers.at(index);
  TensorFormat input = network.tensors[at(layer.input)], output = network.tensors[at(layer.output)];
  const Rows read = rows_read(layer);
  const int all = output.shape.height;
  const int rows = part.rows > 0 ? part_of(std::max(1, part.rows / read.divisor) * read.divisor, all) : all;
  std::vector<int> first_row;  // of the output, by image
  for (std::size_t i = 0; i < images.size(); ++i) {
    const auto last = static_cast<std::int64_t>(std::max<std::size_t>(images.size(), 2) - 1);
    first_row.push_back(static_cast<int>((all - rows) * static_cast<std::int64_t>(i) / last) / read.divisor *
                        read.divisor);
  }
  if (has_two_inputs(layer.kind)) return sample_two(network, layer, images, part, rows, first_row);
  if (has_weights(layer.kind) && layer.groups == 1) take_channels(layer, part.channels);
  LayerSample sample;
  sample.network.name = network.name;
  const int height = rows == all ? input.shape.height : read.count(rows);
  // A pooling leaves padding out: the lowest code never is the largest.
  const std::int32_t padding =
      accumulation(layer.kind) == Accumulation::maximum ? code_range(input.coding, input.bits).low : input.zero_point;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const Codes& codes = images[i][at(layer.input)];
    sample.inputs.push_back(rows == all ? codes : rows_of(input, codes, read.first(first_row[i]), height, padding));
  }
  if (rows != all) layer.window.pad_top = layer.window.pad_bottom = 0;
  input.shape.height = height;
  output.shape.height = rows;
  if (has_weights(layer.kind)) output.shape.channels = layer.out_channels();
  count_macs(layer, input.shape, output.shape);
  layer.input = 0;
  layer.output = 1;
  sample.network.tensors = {input, output};
  sample.network.layers.push_back(std::move(layer));
  return sample;
}

}  // namespace bitstrata::sim
