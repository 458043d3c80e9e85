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

// One layer, its weights converted once for any number of images.
class FastLayer {
 public:
  FastLayer(const IntegerNetwork& network, const IntegerLayer& layer)
      : network_(network),
        layer_(layer),
        from_(network.tensors.at(static_cast<std::size_t>(layer.input))),
        to_(network.tensors.at(static_cast<std::size_t>(layer.output)).shape) {
    const std::int64_t bound = accumulator_bound(network, layer);
    const int multiplier = *std::max_element(layer.multiplier.begin(), layer.multiplier.end());
    // Room for the product and for the rounding term, which is at most 2^62.
    narrow_ = layer.activation == Activation::clip && bound < (std::int64_t{1} << 62) / std::max(1, multiplier);
    if (layer.second >= 0) second_ = network.tensors.at(static_cast<std::size_t>(layer.second)).shape;
    if (layer.kind != LayerKind::convolution) return;
    const std::int64_t sum = product_bound();
    if (sum < float_limit) {
      float_weights_ = weights<float>();
    } else if (sum < double_limit) {
      double_weights_ = weights<double>();
    } else {
      slow_ = true;
    }
  }

  Codes run(const Codes& input, const Codes& second) const {
    if (slow_) return run_layer_reference(network_, layer_, input, second);
    Codes output(static_cast<std::size_t>(to_.elements()));
    if (layer_.kind > LayerKind::average_pool) {
      combine(input, second, output);
    } else if (layer_.kind != LayerKind::convolution) {
      pool(input, output);
    } else if (layer_.groups > 1 && layer_.groups == from_.shape.channels && to_.channels == layer_.groups) {
      depthwise(input, output);
    } else if (float_weights_.size() != 0) {
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
    const std::size_t count = layer_.weights.size() / layer_.bias.size();
    std::int64_t worst = 0;
    for (std::size_t n = 0; n < layer_.bias.size(); ++n) {
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < count; ++i) sum += std::abs(int{layer_.weights[n * count + i]});
      worst = std::max(worst, sum * largest_code);
    }
    return worst;
  }

  template <typename Real>
  Matrix<Real> weights() const {
    const auto rows = static_cast<Eigen::Index>(layer_.bias.size());
    const auto columns = static_cast<Eigen::Index>(layer_.weights.size()) / rows;
    return Eigen::Map<const Matrix<std::int16_t>>(layer_.weights.data(), rows, columns).template cast<Real>();
  }

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

  template <typename Real>
  void convolve(const Matrix<Real>& weights, const Codes& input, Codes& output) const {
    const Eigen::Index pixels = Eigen::Index{to_.height} * to_.width;
    const Eigen::Index outputs = to_.channels / layer_.groups;
    const int depth = from_.shape.channels / layer_.groups;
    Matrix<Real> patches(pixels, weights.cols());
    Matrix<Real> sums(pixels, outputs);
    for (int group = 0; group < layer_.groups; ++group) {
      Real* patch = patches.data();
      for (int y = 0; y < to_.height; ++y) {
        for (int x = 0; x < to_.width; ++x) {
          taps(y, x, [&](std::int64_t pixel) {
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
      sums.noalias() = patches * weights.middleRows(group * outputs, outputs).transpose();
      for (Eigen::Index pixel = 0; pixel < pixels; ++pixel) {
        finish(sums.data() + pixel * outputs, static_cast<int>(group * outputs), static_cast<int>(outputs),
               output.data() + pixel * to_.channels + group * outputs);
      }
    }
  }

  // One output a channel: sums of all channels side by side. Weights are turned to [tap][channel] once.
  void depthwise(const Codes& input, Codes& output) const {
    const int channels = to_.channels;
    const auto taps_count = static_cast<std::size_t>(layer_.window.kernel_height * layer_.window.kernel_width);
    std::vector<std::int64_t> weights(layer_.weights.size());
    for (std::size_t n = 0; n < static_cast<std::size_t>(channels); ++n) {
      for (std::size_t t = 0; t < taps_count; ++t) {
        weights[t * static_cast<std::size_t>(channels) + n] = layer_.weights[n * taps_count + t];
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

  // Operators on single values, pixel by pixel.
  void combine(const Codes& input, const Codes& second, Codes& output) const {
    const int channels = to_.channels, mine = from_.shape.channels;
    std::vector<std::int64_t> sums(static_cast<std::size_t>(channels));
    const bool one_pixel = second_ != from_.shape;
    const bool multiply = layer_.kind == LayerKind::multiply;
    std::int32_t* target = output.data();
    for (int y = 0; y < to_.height; ++y) {
      for (int x = 0; x < to_.width; ++x) {
        const std::int64_t pixel = layer_.kind == LayerKind::upsample
                                       ? std::int64_t{y / layer_.factor[0]} * from_.shape.width + x / layer_.factor[0]
                                       : std::int64_t{y} * to_.width + x;
        const std::int32_t* a = input.data() + pixel * mine;
        std::copy_n(a, mine, sums.begin());
        if (layer_.kind == LayerKind::concatenate) {
          std::copy_n(second.data() + pixel * second_.channels, second_.channels, sums.begin() + mine);
        } else if (layer_.kind != LayerKind::upsample) {
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
    const bool max = layer_.kind == LayerKind::max_pool;
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
  bool narrow_ = false;  // requantization fits into int64
  bool slow_ = false;    // sums could leave double's exact integers
};

std::vector<FastLayer> prepare(const IntegerNetwork& network) {
  std::vector<FastLayer> layers;
  layers.reserve(network.layers.size());
  for (const IntegerLayer& layer : network.layers) layers.emplace_back(network, layer);
  return layers;
}

std::vector<Codes> run_prepared(const IntegerNetwork& network, const std::vector<FastLayer>& layers,
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
  return FastLayer(network, layer).run(input, second);
}

std::vector<Codes> run_all(const IntegerNetwork& network, const Codes& input) {
  check_codes(network.tensors.at(0), input, reader_of(network));
  return run_prepared(network, prepare(network), input);
}

Codes run(const IntegerNetwork& network, const Codes& input) {
  return std::move(run_all(network, input).at(output_index(network)));
}

std::vector<Codes> run_batch(const IntegerNetwork& network, std::span<const Codes> inputs, int threads) {
  const std::size_t output = output_index(network);
  for (const Codes& input : inputs) check_codes(network.tensors.at(0), input, reader_of(network));
  const std::vector<FastLayer> layers = prepare(network);
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
