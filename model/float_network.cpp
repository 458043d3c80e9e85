// SPDX-License-Identifier: Apache-2.0
#include "model/float_network.h"

#include <fmt/format.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>

#include "model/activations.h"
#include "model/float_means.h"
#include "model/float_steps.h"
#include "model/float_sums.h"

namespace bitstrata::model {
namespace {

template <typename T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// Sums of products without bias, by matrix products: fast and exact for codes in float64, and for float32 the best
// there is where nothing depends on the last bit.
template <typename T>
void convolve(const Node& node, Shape in, const std::vector<T>& weights, const std::vector<T>& from,
              std::vector<T>& to) {
  const Eigen::Index pixels = Eigen::Index{node.output.height} * node.output.width;
  const int depth = in.channels / node.groups, outputs = node.out_channels / node.groups;
  const Eigen::Index fan_in = Eigen::Index{node.window.kernel_height} * node.window.kernel_width * depth;
  const Eigen::Map<const Matrix<T>> factors(weights.data(), node.out_channels, fan_in);
  Eigen::Map<Matrix<T>> result(to.data(), pixels, node.out_channels);
  Matrix<T> patches(pixels, fan_in);
  for (int group = 0; group < node.groups; ++group) {
    T* patch = patches.data();
    for (int y = 0; y < node.output.height; ++y) {
      for (int x = 0; x < node.output.width; ++x) {
        for_taps(node.window, in, y, x, [&](std::int64_t pixel, int) {
          if (pixel < 0) {
            std::fill_n(patch, depth, T{0});
          } else {
            std::copy_n(from.data() + pixel * in.channels + group * depth, depth, patch);
          }
          patch += depth;
        });
      }
    }
    const Matrix<T> part = patches * factors.middleRows(Eigen::Index{group} * outputs, outputs).transpose();
    result.middleCols(Eigen::Index{group} * outputs, outputs) = part;
  }
}

template <typename T>
void sum_products(const Node& node, Shape in, const std::vector<T>& weights, const std::vector<T>& from,
                  std::vector<T>& to) {
  if (node.op == Op::linear) {
    const auto inputs = static_cast<Eigen::Index>(from.size());
    const Eigen::Map<const Matrix<T>> factors(weights.data(), node.out_channels, inputs);
    const Eigen::Map<const Eigen::Vector<T, Eigen::Dynamic>> input(from.data(), inputs);
    Eigen::Map<Eigen::Vector<T, Eigen::Dynamic>>(to.data(), node.out_channels) = factors * input;
  } else if (is_depthwise(node, in)) {
    sum_depthwise(node, in, weights, from, to);
  } else {
    convolve(node, in, weights, from, to);
  }
}

// What the values of `node` are whole multiples of.
double unit_of(const FloatNetwork& network, int node) {
  while (!network.grids[at(node)]) {
    const Node& source = network.graph.node(node);
    if (source.inputs.empty())
      throw std::invalid_argument(fmt::format("the codes that node '{}' gives have no scale", source.name));
    node = source.inputs[0];
  }
  return network.grids[at(node)]->scale;
}

std::int32_t limited(double code, CodeRange range) {
  if (std::isnan(code))
    throw std::invalid_argument("a value is not a number: the file's scales or weights lead beyond 32-bit floats");
  return static_cast<std::int32_t>(std::clamp<double>(code, range.low, range.high));
}

float requantized(const Grid& grid, double sum, float factor) {
  const double code = std::nearbyint(static_cast<float>(sum) * factor) + grid.zero_point;
  return static_cast<float>(grid.value(limited(code, grid.range())));
}

// The means over all pixels of codes, whose sums become codes by one factor.
void average_codes(const FloatNetwork& network, int index, const Reals& from, Reals& to) {
  const Grid& grid = network.grids[at(index)].value();
  const auto unit = static_cast<float>(unit_of(network, network.graph.node(index).inputs[0]));
  std::vector<double> sums(to.size());
  for (std::size_t k = 0; k < from.size(); ++k) sums[k % to.size()] += std::nearbyint(from[k] / unit);
  const float factor = unit / (static_cast<float>(grid.scale) * static_cast<float>(from.size() / to.size()));
  for (std::size_t c = 0; c < to.size(); ++c) to[c] = requantized(grid, sums[c], factor);
}

// Sums of codes: Sums::codes and Sums::requantized.
void weigh_codes(const FloatNetwork& network, int index, const Reals& from, Reals& to) {
  const Node& node = network.graph.node(index);
  const Parameters& p = network.parameters[at(index)];
  const auto unit = static_cast<float>(unit_of(network, node.inputs[0]));
  const std::size_t channels = p.bias.size(), each = p.weights.size() / channels;
  std::vector<double> weights(p.weights.size()), codes(from.size()), sums(to.size());
  for (std::size_t k = 0; k < weights.size(); ++k) weights[k] = std::nearbyint(p.weights[k] / p.scales[k / each]);
  for (std::size_t k = 0; k < codes.size(); ++k) codes[k] = std::nearbyint(from[k] / unit);
  sum_products(node, network.graph.input_shape(index), weights, codes, sums);
  const auto& grid = network.grids[at(index)];
  const bool coded = p.sums == Sums::requantized && grid;
  for (std::size_t i = 0; i < to.size(); ++i) {
    const std::size_t n = i % channels;
    const float scale = unit * static_cast<float>(p.scales[n]);
    if (!coded) {
      to[i] = static_cast<float>(sums[i]) * scale + p.bias[n];
      continue;
    }
    to[i] = requantized(*grid, sums[i] + std::nearbyint(p.bias[n] / (unit * p.scales[n])),
                        scale / static_cast<float>(grid->scale));
  }
}

void weigh(const FloatNetwork& network, int index, const Reals& from, bool rounded, Reals& to) {
  const Node& node = network.graph.node(index);
  const Parameters& p = network.parameters[at(index)];
  if (rounded && p.sums != Sums::values && p.weight_bits != 0) {
    weigh_codes(network, index, from, to);
    return;
  }
  const Shape in = network.graph.input_shape(index);
  if (rounded && network.quantized()) {
    if (p.transposed) {
      sum_transposed(node, in, *p.transposed, p.weights, from, to);
    } else {
      sum_in_order(node, in, p.weights, from, to);
    }
  } else {
    sum_products(node, in, p.weights, from, to);
  }
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += p.bias[i % p.bias.size()];
}

// The file's values at a node, `factor` times the node's: of codes, those that its DequantizeLinear gives.
Reals scaled(const FloatNetwork& network, int node, double factor, const Reals& values) {
  int origin = node;
  while (!network.grids[at(origin)]) {
    if (!keeps_codes(network.graph.node(origin).op)) break;
    origin = network.graph.node(origin).inputs[0];
  }
  const std::optional<Grid>& grid = network.grids[at(origin)];
  Reals result(values.size());
  if (!grid) {
    std::ranges::transform(values, result.begin(), [f = static_cast<float>(factor)](float v) { return v * f; });
    return result;
  }
  const auto unit = static_cast<float>(grid->scale), of_file = static_cast<float>(grid->scale * factor);
  std::ranges::transform(values, result.begin(), [=](float v) { return std::nearbyint(v / unit) * of_file; });
  return result;
}

// The grid's values for those that the file rounds by a scale of its own.
void round_by(const Grid& grid, double scale, Reals& values) {
  Grid of_file = grid;
  of_file.scale = scale;
  for (float& value : values) value = static_cast<float>(grid.value(of_file.code(value)));
}

// The node's values, rounded to its grid as the file rounds what its operator gives.
void mean_of_file(const FloatNetwork& network, int index, const std::vector<Reals>& values, Reals& to) {
  const Mean& mean = *network.parameters[at(index)].mean;
  Reals source = values[at(mean.source)];
  take_steps(mean.steps, at(network.graph.node(mean.source).output.channels), values[at(mean.source)], source);
  take_mean(mean, network.graph.node(mean.source).output, network.graph.node(index).output,
            mean.factor == 1 || !mean.steps.empty() ? source : scaled(network, mean.source, mean.factor, source), to);
  const std::optional<Grid>& grid = network.grids[at(index)];
  if (grid && mean.scale != 0) return round_by(*grid, mean.scale, to);
  if (mean.unit != 1)
    for (float& value : to) value = static_cast<float>(value / mean.unit);
  if (grid)
    for (float& value : to) value = static_cast<float>(grid->value(grid->code(value)));
}

void pool(const Node& node, Shape in, const Reals& from, Reals& to) {
  const bool max = node.op == Op::max_pool;
  const int channels = in.channels;
  const auto divisor = static_cast<float>(node.window.kernel_height * node.window.kernel_width);
  float* target = to.data();
  for (int y = 0; y < node.output.height; ++y) {
    for (int x = 0; x < node.output.width; ++x, target += channels) {
      std::fill_n(target, channels, max ? -std::numeric_limits<float>::infinity() : 0.0F);
      for_taps(node.window, in, y, x, [&](std::int64_t pixel, int) {
        if (pixel < 0) return;
        const float* values = from.data() + pixel * channels;
        for (int c = 0; c < channels; ++c) target[c] = max ? std::max(target[c], values[c]) : target[c] + values[c];
      });
      if (!max)
        for (int c = 0; c < channels; ++c) target[c] /= divisor;
    }
  }
}

template <typename Operation>
void combine(const Reals& a, const Reals& b, Reals& to, Operation operation) {
  // The smaller one is a pixel that meets all pixels of the other.
  const Reals& whole = a.size() >= b.size() ? a : b;
  const Reals& other = a.size() >= b.size() ? b : a;
  for (std::size_t i = 0; i < to.size(); ++i) {
    const float y = other.size() == whole.size() ? other[i] : other[i % other.size()];
    to[i] = operation(whole[i], y);
  }
}

void combine(const Node& node, const Reals& a, const Reals& b, Reals& to) {
  switch (node.op) {
    case Op::add:
      return combine(a, b, to, std::plus<>());
    case Op::multiply:
      return combine(a, b, to, std::multiplies<>());
    default:
      throw std::logic_error(fmt::format("{} of two tensors has no float form", to_string(node.op)));
  }
}

void concatenate(const FloatNetwork& network, const Node& node, const std::vector<Reals>& values, Reals& to) {
  const std::int64_t pixels = std::int64_t{node.output.height} * node.output.width;
  std::int64_t first = 0;
  for (const int input : node.inputs) {
    const int channels = network.graph.node(input).output.channels;
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      std::copy_n(values[at(input)].data() + pixel * channels, channels,
                  to.data() + pixel * node.output.channels + first);
    }
    first += channels;
  }
}

// A product whose tensors meet their factors first.
void product_of_file(const FloatNetwork& network, int index, const std::vector<Reals>& values, Reals& to) {
  const Node& node = network.graph.node(index);
  const Product& product = *network.parameters[at(index)].product;
  std::array<Reals, 2> operands;
  for (std::size_t i = 0; i < 2; ++i) {
    operands[i] = values[at(node.inputs[i])];
    for (float& value : operands[i]) value = static_cast<float>(value * product.factors[i]);
  }
  combine(node, operands[0], operands[1], to);
  round_by(*network.grids[at(index)], product.scale, to);
}

// The node's values, rounded to its grid, by the file's own operators. `to` holds those that its layer gives.
void written_of_file(const FloatNetwork& network, int index, const std::vector<Reals>& values, Reals& to) {
  const Written& written = *network.parameters[at(index)].written;
  const Reals source = written.source < 0 ? to : values[at(written.source)];
  to = source;
  take_steps(written.steps, at(network.graph.node(index).output.channels), source, to);
  if (const std::optional<Grid>& grid = network.grids[at(index)])
    round_by(*grid, written.scale != 0 ? written.scale : grid->scale, to);
}

void upsample(const Node& node, Shape in, const Reals& from, Reals& to) {
  float* target = to.data();
  for (int y = 0; y < node.output.height; ++y) {
    for (int x = 0; x < node.output.width; ++x, target += in.channels) {
      const std::int64_t pixel = std::int64_t{y / node.factor} * in.width + x / node.factor;
      std::copy_n(from.data() + pixel * in.channels, in.channels, target);
    }
  }
}

void spread(const Node& node, Shape in, const Reals& from, Reals& to) {
  const auto [rows, columns] = node.block;
  const int channels = node.output.channels;
  float* target = to.data();
  for (int y = 0; y < node.output.height; ++y) {
    for (int x = 0; x < node.output.width; ++x, target += channels) {
      const std::int64_t pixel = std::int64_t{y / rows} * in.width + x / columns;
      const int first = (y % rows * columns + x % columns) * channels;
      std::copy_n(from.data() + pixel * in.channels + first, channels, target);
    }
  }
}

}  // namespace

CodeRange Grid::range() const {
  CodeRange range = code_range(coding, bits);
  range.low += cut_low;
  range.high -= cut_high;
  return range;
}

double Grid::value(std::int32_t code) const {
  return coding == Coding::bipolar ? scale * (2 * code - 1) : scale * (code - zero_point);
}

std::int32_t Grid::code(float value) const {
  if (coding == Coding::bipolar) return value >= 0 ? 1 : 0;
  const CodeRange limits = range();
  const float step = value / static_cast<float>(scale);
  double code = 0;
  switch (rounding) {
    case Rounding::half_up:
      code = std::floor(double{step} + zero_point + 0.5);
      break;
    case Rounding::half_even:
      code = std::nearbyint(step + static_cast<float>(zero_point));
      break;
    case Rounding::half_even_step:
      code = std::nearbyint(double{step}) + zero_point;
      break;
    case Rounding::half_away:
      code = std::round(step + static_cast<float>(zero_point));
      break;
    case Rounding::floor:
      code = std::floor(step + static_cast<float>(zero_point));
      break;
  }
  return limited(code, limits);
}

bool FloatNetwork::quantized() const {
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (!parameters[i].of_importer && (parameters[i].weight_bits != 0 || (i < grids.size() && grids[i]))) return true;
  return false;
}

Reals prepare_input(const FloatNetwork& network, std::span<const float> input) {
  const Shape shape = network.graph.node(0).output;
  if (static_cast<std::int64_t>(input.size()) != shape.elements()) {
    throw std::invalid_argument(fmt::format("network '{}' reads {}x{}x{} values, {} were given", network.graph.name(),
                                            shape.height, shape.width, shape.channels, input.size()));
  }
  Reals values(input.begin(), input.end());
  if (!network.input_scale.empty()) {
    const auto channels = network.input_scale.size();
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] =
          static_cast<float>(network.input_scale[i % channels] * values[i] + network.input_offset[i % channels]);
    }
  }
  return values;
}

std::vector<std::int32_t> encode(const Grid& grid, std::span<const float> values) {
  std::vector<std::int32_t> codes;
  codes.reserve(values.size());
  for (const float value : values) codes.push_back(grid.code(value));
  return codes;
}

std::vector<Reals> run_all(const FloatNetwork& network, std::span<const float> input, RunOptions options) {
  const Network& graph = network.graph;
  std::vector<Reals> values(graph.nodes().size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Node& node = graph.nodes()[i];
    Reals& to = values[i];
    if (node.op == Op::input) {
      to = prepare_input(network, input);
    } else {
      to.resize(at(node.output.elements()));
      if (options.round && network.quantized() && network.parameters[i].mean) {
        mean_of_file(network, static_cast<int>(i), values, to);
        continue;
      }
      if (options.round && network.grids[i] && network.parameters[i].product.value_or(Product{}).scale != 0) {
        product_of_file(network, static_cast<int>(i), values, to);
        continue;
      }
      const Reals& from = values[at(node.inputs.at(0))];
      const Shape in = graph.input_shape(static_cast<int>(i));
      if (is_activation(node.op)) {
        for (std::size_t k = 0; k < to.size(); ++k) to[k] = activate(node, from[k]);
      } else if (has_weights(node.op)) {
        weigh(network, static_cast<int>(i), from, options.round, to);
      } else if (combines_codes(node.op)) {
        combine(node, from, values[at(node.inputs.at(1))], to);
      } else {
        switch (node.op) {
          case Op::max_pool:
          case Op::average_pool:
            if (options.round && network.grids[i] && network.parameters[i].sums == Sums::requantized) {
              average_codes(network, static_cast<int>(i), from, to);
            } else {
              pool(node, in, from, to);
            }
            break;
          case Op::concatenate:
            concatenate(network, node, values, to);
            break;
          case Op::upsample:
            upsample(node, in, from, to);
            break;
          case Op::depth_to_space:
            spread(node, in, from, to);
            break;
          case Op::batch_norm:
            throw std::invalid_argument(
                fmt::format("node '{}': a batch norm must be folded before it is run", node.name));
          default:
            throw std::logic_error(fmt::format("{} has no float form", to_string(node.op)));
        }
      }
    }
    if (options.round && network.quantized() && network.parameters[i].written) {
      written_of_file(network, static_cast<int>(i), values, to);
    } else if (options.round && network.grids[i]) {
      const Grid& grid = *network.grids[i];
      for (float& value : to) value = static_cast<float>(grid.value(grid.code(value)));
    }
  }
  return values;
}

Reals run(const FloatNetwork& network, std::span<const float> input, RunOptions options) {
  return std::move(run_all(network, input, options).back());
}

}  // namespace bitstrata::model
