// SPDX-License-Identifier: Apache-2.0
#include "model/float_network.h"

#include <fmt/format.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace bitstrata::model {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ConstMap = Eigen::Map<const Matrix>;

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// Calls visit(offset of the input pixel in pixels, or -1 in the padding, index of the tap) for one output pixel.
template <typename Visit>
void taps(const Window& w, Shape in, int y, int x, Visit visit) {
  int tap = 0;
  for (int ky = 0; ky < w.kernel_height; ++ky) {
    const int in_y = y * w.stride_height - w.pad_top + ky * w.dilation_height;
    for (int kx = 0; kx < w.kernel_width; ++kx, ++tap) {
      const int in_x = x * w.stride_width - w.pad_left + kx * w.dilation_width;
      const bool inside = in_y >= 0 && in_y < in.height && in_x >= 0 && in_x < in.width;
      visit(inside ? std::int64_t{in_y} * in.width + in_x : std::int64_t{-1}, tap);
    }
  }
}

// One output a channel: no matrix product, all channels side by side.
void depthwise(const Node& node, Shape in, const Parameters& p, const Reals& from, Reals& to) {
  const int channels = in.channels, count = node.window.kernel_height * node.window.kernel_width;
  Reals turned(p.weights.size());  // [tap][channel]
  for (int c = 0; c < channels; ++c)
    for (int t = 0; t < count; ++t) turned[at(t * channels + c)] = p.weights[at(c * count + t)];
  float* target = to.data();
  for (int y = 0; y < node.output.height; ++y) {
    for (int x = 0; x < node.output.width; ++x, target += channels) {
      std::copy(p.bias.begin(), p.bias.end(), target);
      taps(node.window, in, y, x, [&](std::int64_t pixel, int tap) {
        if (pixel < 0) return;
        const float* values = from.data() + pixel * channels;
        const float* weights = turned.data() + tap * channels;
        for (int c = 0; c < channels; ++c) target[c] += weights[c] * values[c];
      });
    }
  }
}

void convolve(const Node& node, Shape in, const Parameters& p, const Reals& from, Reals& to) {
  const Eigen::Index pixels = Eigen::Index{node.output.height} * node.output.width;
  const int depth = in.channels / node.groups, outputs = node.out_channels / node.groups;
  const Eigen::Index fan_in = Eigen::Index{node.window.kernel_height} * node.window.kernel_width * depth;
  const ConstMap weights(p.weights.data(), node.out_channels, fan_in);
  const Eigen::Map<const Eigen::RowVectorXf> bias(p.bias.data(), node.out_channels);
  Eigen::Map<Matrix> result(to.data(), pixels, node.out_channels);
  Matrix patches(pixels, fan_in);
  for (int group = 0; group < node.groups; ++group) {
    float* patch = patches.data();
    for (int y = 0; y < node.output.height; ++y) {
      for (int x = 0; x < node.output.width; ++x) {
        taps(node.window, in, y, x, [&](std::int64_t pixel, int) {
          if (pixel < 0) {
            std::fill_n(patch, depth, 0.0F);
          } else {
            std::copy_n(from.data() + pixel * in.channels + group * depth, depth, patch);
          }
          patch += depth;
        });
      }
    }
    const Matrix part = patches * weights.middleRows(Eigen::Index{group} * outputs, outputs).transpose();
    result.middleCols(Eigen::Index{group} * outputs, outputs) = part;
  }
  result.rowwise() += bias;
}

void linear(const Node& node, const Parameters& p, const Reals& from, Reals& to) {
  const ConstMap weights(p.weights.data(), node.out_channels, static_cast<Eigen::Index>(from.size()));
  const Eigen::Map<const Eigen::VectorXf> input(from.data(), static_cast<Eigen::Index>(from.size()));
  Eigen::Map<Eigen::VectorXf> result(to.data(), node.out_channels);
  result = weights * input;
  result += Eigen::Map<const Eigen::VectorXf>(p.bias.data(), node.out_channels);
}

void pool(const Node& node, Shape in, const Reals& from, Reals& to) {
  const bool max = node.op == Op::max_pool;
  const int channels = in.channels;
  const auto divisor = static_cast<float>(node.window.kernel_height * node.window.kernel_width);
  float* target = to.data();
  for (int y = 0; y < node.output.height; ++y) {
    for (int x = 0; x < node.output.width; ++x, target += channels) {
      std::fill_n(target, channels, max ? -std::numeric_limits<float>::infinity() : 0.0F);
      taps(node.window, in, y, x, [&](std::int64_t pixel, int) {
        if (pixel < 0) return;
        const float* values = from.data() + pixel * channels;
        for (int c = 0; c < channels; ++c) target[c] = max ? std::max(target[c], values[c]) : target[c] + values[c];
      });
      if (!max)
        for (int c = 0; c < channels; ++c) target[c] /= divisor;
    }
  }
}

void combine(const Node& node, const Reals& a, const Reals& b, Reals& to) {
  const bool add = node.op == Op::add;
  // The smaller one is a pixel that meets all pixels of the other.
  const Reals& whole = a.size() >= b.size() ? a : b;
  const Reals& other = a.size() >= b.size() ? b : a;
  for (std::size_t i = 0; i < to.size(); ++i) {
    const float y = other.size() == whole.size() ? other[i] : other[i % other.size()];
    to[i] = add ? whole[i] + y : whole[i] * y;
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

void upsample(const Node& node, Shape in, const Reals& from, Reals& to) {
  float* target = to.data();
  for (int y = 0; y < node.output.height; ++y) {
    for (int x = 0; x < node.output.width; ++x, target += in.channels) {
      const std::int64_t pixel = std::int64_t{y / node.factor} * in.width + x / node.factor;
      std::copy_n(from.data() + pixel * in.channels, in.channels, target);
    }
  }
}

float activate(const Node& node, float x) {
  switch (node.op) {
    case Op::relu:
      return node.limit > 0 ? std::clamp(x, 0.0F, static_cast<float>(node.limit)) : std::max(x, 0.0F);
    case Op::leaky_relu:
      return x < 0 ? static_cast<float>(node.slope) * x : x;
    case Op::hard_sigmoid:
      return std::clamp(x / 6 + 0.5F, 0.0F, 1.0F);
    case Op::hard_swish:
      return x * std::clamp(x / 6 + 0.5F, 0.0F, 1.0F);
    case Op::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Op::silu:
      return x / (1 + std::exp(-x));
    default:
      return x;
  }
}

}  // namespace

CodeRange Grid::range() const {
  CodeRange range = code_range(coding, bits);
  if (narrow && coding == Coding::twos_complement) ++range.low;
  return range;
}

double Grid::value(std::int32_t code) const {
  return coding == Coding::bipolar ? scale * (2 * code - 1) : scale * (code - zero_point);
}

std::int32_t Grid::code(double value) const {
  if (coding == Coding::bipolar) return value >= 0 ? 1 : 0;
  const CodeRange limits = range();
  const double code = std::floor(value / scale + zero_point + (floor ? 0.0 : 0.5));
  return static_cast<std::int32_t>(std::clamp(code, static_cast<double>(limits.low), static_cast<double>(limits.high)));
}

bool FloatNetwork::quantized() const {
  return std::any_of(parameters.begin(), parameters.end(), [](const Parameters& p) { return p.weight_bits != 0; });
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
      const Reals& from = values[at(node.inputs.at(0))];
      const Shape in = graph.input_shape(static_cast<int>(i));
      const Parameters& p = network.parameters[i];
      switch (node.op) {
        case Op::convolution:
          if (node.groups > 1 && node.groups == in.channels && node.out_channels == in.channels) {
            depthwise(node, in, p, from, to);
          } else {
            convolve(node, in, p, from, to);
          }
          break;
        case Op::linear:
          linear(node, p, from, to);
          break;
        case Op::max_pool:
        case Op::average_pool:
          pool(node, in, from, to);
          break;
        case Op::add:
        case Op::multiply:
          combine(node, from, values[at(node.inputs.at(1))], to);
          break;
        case Op::concatenate:
          concatenate(network, node, values, to);
          break;
        case Op::upsample:
          upsample(node, in, from, to);
          break;
        case Op::input:
        case Op::batch_norm:
          throw std::invalid_argument(
              fmt::format("node '{}': a batch norm must be folded before it is run", node.name));
        default:
          for (std::size_t k = 0; k < to.size(); ++k) to[k] = activate(node, from[k]);
          break;
      }
    }
    if (options.round && network.grids[i]) {
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
