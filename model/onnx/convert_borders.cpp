// SPDX-License-Identifier: Apache-2.0
// Means that are taken over fewer values at the border of the image: average pooling that leaves padding out, and
// enlarging by interpolation.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "model/onnx/converter.h"

namespace bitstrata::model::interchange {
namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// The positions of a window along one side of the image.
struct Side {
  int size, stride, dilation, before, after;
  const Taps& taps;
  int kernel() const { return static_cast<int>(taps.weights.size()); }
  int outputs() const { return (size + before + after - dilation * (kernel() - 1) - 1) / stride + 1; }
  int position(int output, int tap) const { return output * stride - before + tap * dilation; }

  // The sum of the weights of the taps that lie in the image, or in padding that counts.
  std::vector<std::int64_t> sums() const {
    std::vector<std::int64_t> result(at(outputs()), 0);
    for (int o = 0; o < outputs(); ++o)
      for (int k = 0; k < kernel(); ++k) {
        const int p = position(o, k);
        if (p >= -taps.counted_before && p < size + taps.counted_after) result[at(o)] += taps.weights[at(k)];
      }
    return result;
  }

  // So many ones more than the image is large let the last output have a place among them.
  int missing() const { return std::max(0, (outputs() - 1) * stride + 1 - size); }

  // A convolution that makes `wanted` of size + missing() ones in padding of zeros. A tap left of the output's place
  // falls into the padding for the first outputs, one right of it for the last: each changes the sum from one output to
  // the next, and the tap in place makes up the rest.
  struct Map {
    std::vector<std::int64_t> weights;
    int before, after;
  };
  Map map_of(const std::vector<std::int64_t>& wanted) const {
    const int count = outputs(), last = (count - 1) * stride, ones = size + missing();
    std::map<int, std::int64_t> by_place = {{0, wanted[at(count / 2)]}, {ones - 1 - last, 0}};
    const auto add = [&](int place, std::int64_t weight) { by_place[place] += weight, by_place[0] -= weight; };
    for (int o = 1; o < count; ++o) {
      const std::int64_t change = wanted[at(o)] - wanted[at(o - 1)];
      if (change == 0) continue;
      if (o <= count / 2) {
        add(-((o - 1) * stride + 1), change);
      } else {
        add(ones - o * stride, -change);
      }
    }
    const int first = by_place.begin()->first, end = by_place.rbegin()->first;
    Map map{std::vector<std::int64_t>(at(end - first) + 1, 0), -first, last + end - (ones - 1)};
    for (const auto& [place, weight] : by_place) map.weights[at(place - first)] = weight;
    return map;
  }
};

bool all_equal(const std::vector<std::int64_t>& values) {
  return std::all_of(values.begin(), values.end(), [&](std::int64_t v) { return v == values[0]; });
}

// Numbers that are 1 / value times their result.
std::int64_t reciprocals(std::vector<std::int64_t>& values) {
  std::int64_t common = 1;
  for (const std::int64_t v : values) common = std::lcm(common, v);
  for (std::int64_t& v : values) v = common / v;
  return common;
}

}  // namespace

// One kernel for every channel, of exact codes: `groups` is 1 where one channel is spread over all.
int Converter::same_kernels(const OnnxNode& node, int input, const std::string& suffix, const Window& window,
                            int groups, const std::vector<std::int64_t>& kernel, int channels, double scale) {
  check_weights(node, channels * static_cast<std::int64_t>(kernel.size()));
  const int made = added(network_.graph.add_convolution(input, fresh_name(node, suffix), channels, window, groups));
  Parameters& p = network_.parameters[at(made)];
  for (int c = 0; c < channels; ++c)
    for (const std::int64_t weight : kernel)
      p.weights.push_back(static_cast<float>(static_cast<double>(weight) * scale));
  p.bias.assign(at(channels), 0.0F);
  const auto [low, high] = std::minmax_element(kernel.begin(), kernel.end());
  p.weight_bits = bits_for(std::min<std::int64_t>(*low, 0), *high, true);
  p.of_importer = true;
  if (p.weight_bits > 16) refuse(node, fmt::format("needs weights of {} bits at the border", p.weight_bits));
  p.scales.assign(at(channels), scale);
  return made;
}

// Sums with the taps' weights, each divided by the sum of the weights that lie in the image: a convolution, and where
// the divisors differ a product with a map of their reciprocals, as whole numbers of a common unit.
Value Converter::weighted_mean(const OnnxNode& node, Value x, const Window& w, const Taps& rows, const Taps& columns,
                               Geometry geometry) {
  const Shape in = shape(x);
  const int channels = in.channels;
  const Side sides[2] = {{in.height, w.stride_height, w.dilation_height, w.pad_top, w.pad_bottom, rows},
                         {in.width, w.stride_width, w.dilation_width, w.pad_left, w.pad_right, columns}};
  std::vector<std::int64_t> kernel, factors[2] = {sides[0].sums(), sides[1].sums()};
  for (const std::int64_t a : rows.weights)
    for (const std::int64_t b : columns.weights) kernel.push_back(a * b);
  for (const auto& sums : factors) {
    if (std::find(sums.begin(), sums.end(), 0) != sums.end())
      refuse(node, "a window lies in the padding alone, and the mean of no values is no number");
  }
  Value result = x;
  result.pad = {};
  result.exclusive = true;
  result.node = same_kernels(node, x.node, "", w, channels, kernel, channels, 1);
  result.view = view_of(geometry, shape(result));
  if (all_equal(factors[0]) && all_equal(factors[1])) {
    result.factor = x.factor / static_cast<double>(factors[0][0] * factors[1][0]);
    return result;
  }
  // Sums of codes stay exact where a tensor has room for them. Enlarging and pooling to the largest keep codes.
  int origin = x.node;
  while (!network_.grids[at(origin)]) {
    const Node& source = network_.graph.node(origin);
    if (source.op != Op::upsample && source.op != Op::max_pool) break;
    origin = source.inputs[0];
  }
  const std::int64_t total = std::accumulate(kernel.begin(), kernel.end(), std::int64_t{0});
  if (const std::optional<Grid>& grid = network_.grids[at(origin)]; grid && grid->coding != Coding::bipolar) {
    const CodeRange range = grid->range();
    const std::int64_t low = total * std::min(0, range.low - grid->zero_point);
    const std::int64_t high = total * std::max(0, range.high - grid->zero_point);
    Grid sums{.bits = bits_for(low, high, low < 0), .scale = grid->scale};
    if (low < 0) sums.coding = Coding::twos_complement;
    if (sums.bits <= 16) network_.grids[at(result.node)] = sums;
  }
  double common = 1;
  Side::Map map[2];
  for (int i = 0; i < 2; ++i) {
    common *= static_cast<double>(reciprocals(factors[i]));
    map[i] = sides[i].map_of(factors[i]);
  }
  const std::int64_t largest =
      *std::max_element(factors[0].begin(), factors[0].end()) * *std::max_element(factors[1].begin(), factors[1].end());
  Grid whole{.bits = bits_for(0, largest, false)};
  if (whole.bits > 16)
    refuse(node, fmt::format("divides by numbers whose least common multiple needs {} bits", whole.bits));
  // The map holds the reciprocals themselves where they are so near that products which have a float come out as it.
  // Where they are not, values halfway between two codes would fall to the other side: it holds whole numbers then, and
  // the unit goes on as a factor.
  double unit = 1 / common;
  const double stored = static_cast<float>(unit);
  for (const std::int64_t a : factors[0])
    for (const std::int64_t b : factors[1]) {
      const double reciprocal = static_cast<float>(static_cast<double>(a * b) * stored);
      if (std::abs(reciprocal * (common / static_cast<double>(a * b)) - 1) > 0x1p-25) unit = 1;
    }
  // Ones, whatever the image holds; small scales of the zero weights keep the bias exact.
  const int more[2] = {sides[0].missing(), sides[1].missing()};
  const Window larger{.kernel_height = more[0] + 1,
                      .kernel_width = more[1] + 1,
                      .pad_top = more[0],
                      .pad_bottom = more[0],
                      .pad_left = more[1],
                      .pad_right = more[1]};
  check_weights(node, std::int64_t{channels} * (more[0] + 1) * (more[1] + 1));
  const int ones = added(network_.graph.add_convolution(x.node, fresh_name(node, "_ones"), 1, larger));
  Parameters& p = network_.parameters[at(ones)];
  p.weights.assign(at(std::int64_t{channels} * (more[0] + 1) * (more[1] + 1)), 0.0F);
  p.bias = {1.0F};
  p.weight_bits = 2;
  p.of_importer = true;
  p.scales = {1.0 / 256};
  network_.grids[at(ones)] = Grid{.bits = 2};
  std::vector<std::int64_t> both;
  for (const std::int64_t a : map[0].weights)
    for (const std::int64_t b : map[1].weights) both.push_back(a * b);
  const Window border{.kernel_height = static_cast<int>(map[0].weights.size()),
                      .kernel_width = static_cast<int>(map[1].weights.size()),
                      .stride_height = w.stride_height,
                      .stride_width = w.stride_width,
                      .pad_top = map[0].before,
                      .pad_bottom = map[0].after,
                      .pad_left = map[1].before,
                      .pad_right = map[1].after};
  Value divisors = result;
  divisors.node = same_kernels(node, ones, "_border", border, 1, both, channels, unit);
  whole.scale = unit;
  network_.grids[at(divisors.node)] = whole;
  result.factor = divisors.factor = 1;
  OnnxNode product = node;
  product.name += "_mean";
  result = join(product, result, divisors, Op::multiply);
  result.factor = x.factor / (common * unit);
  return result;
}

// Between whole pixels ONNX interpolates along both sides. The mean over a box that moves over the image enlarged by
// repeating pixels is the same; the file repeats the pixels at the border, which a mean of those inside does too.
Value Converter::enlarged_linearly(const OnnxNode& node, Value x, int factor, bool centred, Geometry geometry) {
  const Value small = x;
  x.node = added(network_.graph.add_upsample(x.node, fresh_name(node, "_repeated"), factor));
  const bool even = factor % 2 == 0;
  Taps taps{.weights = std::vector<std::int64_t>(at(factor), 1)};
  int before = 0, after = factor - 1;
  if (centred) {
    before = after = factor / 2;
    if (even) {
      taps.weights.assign(at(factor) + 1, 2);
      taps.weights.front() = taps.weights.back() = 1;
    }
  }
  const auto side = static_cast<int>(taps.weights.size());
  const Window window{.kernel_height = side,
                      .kernel_width = side,
                      .pad_top = before,
                      .pad_bottom = after,
                      .pad_left = before,
                      .pad_right = after};
  const Value result = weighted_mean(node, x, window, taps, taps, geometry);
  take_mean(small, result, {.enlarged = factor, .centred = centred});
  return result;
}

// One channel that meets all channels of another tensor.
Value Converter::widened(const OnnxNode& node, const Value& one, int channels, Geometry geometry) {
  Value result = one;
  result.node = same_kernels(node, one.node, "_spread", {}, 1, {1}, channels, 1);
  result.view = view_of(geometry, shape(result));
  result.exclusive = true;
  if (std::optional<Grid> grid = network_.grids[at(one.node)]) {
    grid->rounding = Rounding::half_up;  // nothing is rounded
    network_.grids[at(result.node)] = grid;
  }
  return result;
}

}  // namespace bitstrata::model::interchange
