// SPDX-License-Identifier: Apache-2.0
// Golden inference through matrix products. Sums of integers are exact in float below 2^24 and in double below 2^53,
// whatever their order, so the result is the definition's, code for code.
#include <fmt/format.h>

#include <Eigen/Core>
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <future>
#include <limits>
#include <stdexcept>
#include <thread>

#include "model/golden.h"
#include "model/golden_check.h"

namespace bitstrata::model {
namespace {

template <typename Real>
using Matrix = Eigen::Matrix<Real, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr std::int64_t float_limit = std::int64_t{1} << 24;
constexpr std::int64_t double_limit = std::int64_t{1} << 53;

// Products are made of parts of the matrices: of so many elements, or of one row where that is longer.
constexpr Eigen::Index part_elements = Eigen::Index{1} << 18;
Eigen::Index rows_of_part(Eigen::Index rows, Eigen::Index columns) {
  return std::clamp<Eigen::Index>(part_elements / std::max<Eigen::Index>(1, columns), 1, rows);
}

// One layer. For many images all weights are converted at once, else large ones a part at a time.
class MatrixLayer {
 public:
  MatrixLayer(const IntegerNetwork& network, const IntegerLayer& layer, bool many_images = false)
      : network_(network),
        layer_(layer),
        from_(network.tensors.at(static_cast<std::size_t>(layer.input))),
        to_(network.tensors.at(static_cast<std::size_t>(layer.output)).shape) {
    const std::int64_t bound = accumulator_bound(network, layer);
    const int multiplier = *std::max_element(layer.multiplier.begin(), layer.multiplier.end());
    // Room for the product and for the rounding term, which is at most 2^62.
    narrow_ = layer.activation == Activation::clip && bound < (std::int64_t{1} << 62) / std::max(1, multiplier);
    if (layer.second >= 0) second_ = network.tensors.at(static_cast<std::size_t>(layer.second)).shape;
    if (!has_weights(layer.kind)) return;
    const std::int64_t sum = product_bound();
    in_float_ = sum < float_limit;
    slow_ = sum >= double_limit;
    if (slow_ || (!many_images && layer.weights.size() > part_elements)) return;
    if (in_float_) {
      float_weights_ = weights<float>(0, to_.channels);
    } else {
      double_weights_ = weights<double>(0, to_.channels);
    }
  }

  Codes run(const Codes& input, const Codes& second) const {
    if (slow_) return run_layer_reference(network_, layer_, input, second);
    Codes output(static_cast<std::size_t>(to_.elements()));
    if (!has_window(layer_.kind)) {
      combine(input, second, output);
    } else if (!has_weights(layer_.kind)) {
      pool(input, output);
    } else if (layer_.groups > 1 && layer_.groups == from_.shape.channels && to_.channels == layer_.groups) {
      depthwise(input, output);
    } else if (in_float_) {
      convolve(float_weights_, input, output);
    } else {
      convolve(double_weights_, input, output);
    }
    return output;
  }

 private:
  // The largest sum of |weight * code| of any output: all partial sums stay below it.
  std::int64_t product_bound() const {
    const CodeRange range = code_range(from_.coding, from_.bits);
    const std::int64_t largest_code = std::max(std::abs(range.low), std::abs(range.high));
    const std::vector<std::int64_t> sums = layer_.weights.magnitudes(layer_.weights.size() / layer_.bias.size());
    return *std::max_element(sums.begin(), sums.end()) * largest_code;
  }

  // Weights of the outputs [first, first + count), a row each.
  template <typename Real>
  Matrix<Real> weights(Eigen::Index first, Eigen::Index count) const {
    const Eigen::Index columns = this->columns();
    const WeightBlock block =
        layer_.weights.block(static_cast<std::size_t>(first * columns), static_cast<std::size_t>(count * columns));
    return Eigen::Map<const Matrix<std::int16_t>>(block.data(), count, columns).template cast<Real>();
  }
  Eigen::Index columns() const { return static_cast<Eigen::Index>(layer_.weights.size()) / to_.channels; }

  // Calls visit(input pixel, or -1 in the padding) for every tap of one output pixel.
  template <typename Visit>
  void taps(int y, int x, Visit visit) const {
    const Window& w = layer_.window;
    for (int ky = 0; ky < w.kernel_height; ++ky) {
      const int in_y = y * w.stride_height - w.pad_top + ky * w.dilation_height;
      for (int kx = 0; kx < w.kernel_width; ++kx) {
        const int in_x = x * w.stride_width - w.pad_left + kx * w.dilation_width;
        const bool inside = in_y >= 0 && in_y < from_.shape.height && in_x >= 0 && in_x < from_.shape.width;
        visit(inside ? std::int64_t{in_y} * from_.shape.width + in_x : std::int64_t{-1});
      }
    }
  }

  // `converted`: all weights, where they are few.
  template <typename Real>
  void convolve(const Matrix<Real>& converted, const Codes& input, Codes& output) const {
    const Eigen::Index outputs = to_.channels / layer_.groups, part = rows_of_part(outputs, columns());
    const Eigen::Index pixels = Eigen::Index{to_.height} * to_.width, block = rows_of_part(pixels, columns());
    Matrix<Real> sums, patches;
    for (Eigen::Index first = 0; first < to_.channels; first += outputs) {
      for (Eigen::Index n = first; n < first + outputs; n += part) {
        const Eigen::Index count = std::min(part, first + outputs - n);
        const bool all = converted.size() != 0;
        const Matrix<Real> some = all ? Matrix<Real>() : weights<Real>(n, count);
        const auto rows = all ? converted.middleRows(n, count) : some.middleRows(0, count);
        for (Eigen::Index pixel = 0; pixel < pixels; pixel += block) {
          patches.resize(std::min(block, pixels - pixel), columns());
          gather(input, first / outputs, pixel, patches);
          sums.noalias() = patches * rows.transpose();
          for (Eigen::Index i = 0; i < sums.rows(); ++i) {
            finish(sums.data() + i * count, static_cast<int>(n), static_cast<int>(count),
                   output.data() + (pixel + i) * to_.channels + n);
          }
        }
      }
    }
  }

  // What the windows of the output pixels from `first` on hold of a group's channels, a row each.
  template <typename Real>
  void gather(const Codes& input, Eigen::Index group, Eigen::Index first, Matrix<Real>& patches) const {
    const int depth = from_.shape.channels / layer_.groups;
    Real* patch = patches.data();
    for (Eigen::Index i = first; i < first + patches.rows(); ++i) {
      taps(static_cast<int>(i / to_.width), static_cast<int>(i % to_.width), [&](std::int64_t pixel) {
        if (pixel < 0) {
          std::fill_n(patch, depth, static_cast<Real>(from_.zero_point));
        } else {
          const std::int32_t* codes = input.data() + pixel * from_.shape.channels + group * depth;
          for (int c = 0; c < depth; ++c) patch[c] = static_cast<Real>(codes[c]);
        }
        patch += depth;
      });
    }
  }

  // One output a channel: sums of all channels side by side. Weights are turned to [tap][channel] once.
  void depthwise(const Codes& input, Codes& output) const {
    const int channels = to_.channels;
    const auto taps_count = static_cast<std::size_t>(layer_.window.kernel_height * layer_.window.kernel_width);
    const WeightBlock by_channel = layer_.weights.all();
    std::vector<std::int64_t> weights(by_channel.size());
    for (std::size_t n = 0; n < static_cast<std::size_t>(channels); ++n) {
      for (std::size_t t = 0; t < taps_count; ++t) {
        weights[t * static_cast<std::size_t>(channels) + n] = by_channel[n * taps_count + t];
      }
    }
    std::vector<std::int64_t> sums(static_cast<std::size_t>(channels));
    std::int32_t* target = output.data();
    for (int y = 0; y < to_.height; ++y) {
      for (int x = 0; x < to_.width; ++x) {
        std::fill(sums.begin(), sums.end(), 0);
        const std::int64_t* weight = weights.data();
        taps(y, x, [&](std::int64_t pixel) {
          if (pixel < 0) {
            for (int c = 0; c < channels; ++c) sums[static_cast<std::size_t>(c)] += weight[c] * from_.zero_point;
          } else {
            const std::int32_t* codes = input.data() + pixel * channels;
            for (int c = 0; c < channels; ++c) sums[static_cast<std::size_t>(c)] += weight[c] * codes[c];
          }
          weight += channels;
        });
        finish(sums.data(), 0, channels, target);
        target += channels;
      }
    }
  }

  // Where the codes lie in the input that an operator on single values reads for the output pixel.
  std::int64_t first_code(int y, int x) const {
    if (!enlarges(layer_.kind)) return (std::int64_t{y} * to_.width + x) * from_.shape.channels;
    const bool spreads = operands(layer_.kind) == Operands::spread;
    const int rows = layer_.factor[0], columns = spreads ? layer_.factor[1] : rows;
    const int place = spreads ? y % rows * columns + x % columns : 0;
    return (std::int64_t{y / rows} * from_.shape.width + x / columns) * from_.shape.channels +
           std::int64_t{place} * to_.channels;
  }

  // Operators on single values, pixel by pixel.
  void combine(const Codes& input, const Codes& second, Codes& output) const {
    const int channels = to_.channels, mine = from_.shape.channels;
    std::vector<std::int64_t> sums(static_cast<std::size_t>(channels));
    const bool one_pixel = second_ != from_.shape;
    const bool multiply = accumulation(layer_.kind) == Accumulation::product;
    std::int32_t* target = output.data();
    for (int y = 0; y < to_.height; ++y) {
      for (int x = 0; x < to_.width; ++x) {
        const std::int64_t pixel = std::int64_t{y} * to_.width + x;
        const std::int32_t* a = input.data() + first_code(y, x);
        std::copy_n(a, std::min(mine, channels), sums.begin());
        if (joins_channels(layer_.kind)) {
          std::copy_n(second.data() + pixel * second_.channels, second_.channels, sums.begin() + mine);
        } else if (combines_codes(layer_.kind)) {
          const std::int32_t* b = second.data() + (one_pixel ? 0 : pixel * mine);
          for (int c = 0; c < channels; ++c) {
            sums[static_cast<std::size_t>(c)] = (multiply ? std::int64_t{a[c]} * b[c] : 0) +
                                                std::int64_t{layer_.factor[0]} * a[c] +
                                                std::int64_t{layer_.factor[1]} * b[c];
          }
        }
        finish(sums.data(), 0, channels, target);
        target += channels;
      }
    }
  }

  void pool(const Codes& input, Codes& output) const {
    const bool max = accumulation(layer_.kind) == Accumulation::maximum;
    const int channels = to_.channels;
    std::vector<std::int64_t> sums(static_cast<std::size_t>(channels));
    std::int32_t* target = output.data();
    for (int y = 0; y < to_.height; ++y) {
      for (int x = 0; x < to_.width; ++x) {
        std::fill(sums.begin(), sums.end(), max ? std::numeric_limits<std::int64_t>::min() : 0);
        taps(y, x, [&](std::int64_t pixel) {
          if (pixel < 0) return;  // average pooling has no padding
          const std::int32_t* codes = input.data() + pixel * channels;
          for (int c = 0; c < channels; ++c) {
            std::int64_t& sum = sums[static_cast<std::size_t>(c)];
            sum = max ? std::max<std::int64_t>(sum, codes[c]) : sum + codes[c];
          }
        });
        finish(sums.data(), 0, channels, target);
        target += channels;
      }
    }
  }

  // Bias, scale, round, clip for `count` neighbouring channels.
  template <typename Sum>
  void finish(const Sum* sums, int first, int count, std::int32_t* codes) const {
    if (!narrow_) {
      for (int i = 0; i < count; ++i) codes[i] = requantize(layer_, first + i, static_cast<std::int64_t>(sums[i]));
      return;
    }
    const std::int64_t* bias = layer_.bias.data() + first;
    const std::uint16_t* multiplier = layer_.multiplier.data() + first;
    const std::uint8_t* shift = layer_.shift.data() + first;
    for (int i = 0; i < count; ++i) {
      const std::int64_t value = (static_cast<std::int64_t>(sums[i]) << layer_.acc_shift) + bias[i];
      // 2^(shift-1); 0 for shift 0. Unsigned, as 2^63 passes through.
      const auto half = static_cast<std::int64_t>((std::uint64_t{1} << shift[i]) >> 1);
      const std::int64_t scaled = (value * multiplier[i] + half) >> shift[i];
      codes[i] = static_cast<std::int32_t>(std::clamp<std::int64_t>(scaled, layer_.clip_low, layer_.clip_high));
    }
  }

  const IntegerNetwork& network_;
  const IntegerLayer& layer_;
  const TensorFormat& from_;
  Shape to_;
  Shape second_;
  Matrix<float> float_weights_;
  Matrix<double> double_weights_;
  bool in_float_ = false;  // sums stay in float's exact integers
  bool narrow_ = false;    // requantization fits into int64
  bool slow_ = false;      // sums could leave double's exact integers
};

std::vector<MatrixLayer> prepare(const IntegerNetwork& network) {
  std::vector<MatrixLayer> layers;
  layers.reserve(network.layers.size());
  for (const IntegerLayer& layer : network.layers) layers.emplace_back(network, layer, true);
  return layers;
}

std::vector<Codes> run_prepared(const IntegerNetwork& network, const std::vector<MatrixLayer>& layers,
                                const Codes& input) {
  std::vector<Codes> tensors(network.tensors.size());
  tensors.at(0) = input;
  const Codes none;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const IntegerLayer& layer = network.layers[i];
    const Codes& second = layer.second < 0 ? none : tensors.at(static_cast<std::size_t>(layer.second));
    tensors.at(static_cast<std::size_t>(layer.output)) =
        layers[i].run(tensors.at(static_cast<std::size_t>(layer.input)), second);
  }
  return tensors;
}

std::size_t output_index(const IntegerNetwork& network) {
  if (network.layers.empty()) throw std::invalid_argument(fmt::format("network '{}' has no layers", network.name));
  return static_cast<std::size_t>(network.layers.back().output);
}

std::string reader_of(const IntegerNetwork& network) { return fmt::format("network '{}'", network.name); }

}  // namespace

Codes run_layer(const IntegerNetwork& network, const IntegerLayer& layer, const Codes& input, const Codes& second) {
  check_inputs(network, layer, input, second);
  return MatrixLayer(network, layer).run(input, second);
}

std::vector<Codes> run_batch(const IntegerNetwork& network, std::span<const Codes> inputs, int threads) {
  const std::size_t output = output_index(network);
  for (const Codes& input : inputs) check_codes(network.tensors.at(0), input, reader_of(network));
  const std::vector<MatrixLayer> layers = prepare(network);
  std::vector<Codes> outputs(inputs.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < inputs.size(); i = next++) {
      outputs[i] = std::move(run_prepared(network, layers, inputs[i])[output]);
    }
  };
  const unsigned cores =
      threads > 0 ? static_cast<unsigned>(threads) : std::max(1U, std::thread::hardware_concurrency());
  const std::size_t helpers = std::min<std::size_t>(cores, std::max<std::size_t>(1, inputs.size())) - 1;
  std::vector<std::future<void>> running;
  for (std::size_t i = 0; i < helpers; ++i) running.push_back(std::async(std::launch::async, work));
  work();
  for (std::future<void>& helper : running) helper.get();
  return outputs;
}

}  // namespace bitstrata::model
