// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/weights.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "quant/fixed_point.h"

namespace bitstrata::quant {
namespace {

double rounded(double weight, double scale, int bits) {
  if (bits == 1) return weight >= 0 ? scale : -scale;
  const double largest = std::exp2(bits - 1) - 1;
  return std::clamp(std::nearbyint(weight / scale), -largest, largest) * scale;
}

double scale_of(std::span<const float> weights, int bits) {
  double largest = 0, sum = 0;
  for (const float w : weights) {
    largest = std::max(largest, std::abs(static_cast<double>(w)));
    sum += std::abs(static_cast<double>(w));
  }
  if (bits == 1) return sum / static_cast<double>(std::max<std::size_t>(1, weights.size()));
  const double whole = largest / (std::exp2(bits - 1) - 1);
  if (!clipped(bits) || whole == 0) return whole;
  double best = whole, least = std::numeric_limits<double>::infinity();
  for (int k = 0; k < 40; ++k) {
    const double scale = whole * (1 - 0.02 * k);
    double error = 0;
    for (const float w : weights) {
      const double difference = w - rounded(w, scale, bits);
      error += difference * difference;
    }
    if (error < least) least = error, best = scale;
  }
  return best;
}

}  // namespace

std::vector<double> weight_scales(const model::Parameters& p, std::size_t channels, bool per_channel,
                                  double input_scale) {
  const std::size_t each = p.weights.size() / channels;
  const std::span<const float> all(p.weights);
  std::vector<double> scales;
  for (std::size_t n = 0; n < (per_channel ? channels : 1); ++n) {
    scales.push_back(scale_of(per_channel ? all.subspan(n * each, each) : all, p.weight_bits));
  }
  scales.resize(channels, scales.front());
  const double largest = *std::max_element(scales.begin(), scales.end());
  for (std::size_t n = 0; n < channels; ++n) {
    // A dead channel would ask for a bias beyond all accumulators.
    const double least = std::max(largest * 0x1p-12, std::abs(static_cast<double>(p.bias[n])) / input_scale * 0x1p-31);
    if (p.weight_bits > 1 || scales[n] == 0) scales[n] = std::max(scales[n], least);
    if (scales[n] == 0) scales[n] = 1;
    scales[n] = static_cast<double>(static_cast<float>(scales[n]));
  }
  return scales;
}

void round_weights(model::Parameters& p) {
  const std::size_t each = p.weights.size() / p.scales.size();
  for (std::size_t i = 0; i < p.weights.size(); ++i) {
    p.weights[i] = static_cast<float>(rounded(p.weights[i], p.scales[i / each], p.weight_bits));
  }
}

void correct_bias(model::Parameters& p, const std::vector<float>& before, const model::Node& node,
                  const std::vector<double>& means, std::size_t input_channels) {
  // A convolution sees every pixel at every tap: the mean of a channel. A linear layer sees each element.
  const std::size_t outputs = p.bias.size(), each = p.weights.size() / outputs;
  const auto groups = static_cast<std::size_t>(node.groups);
  const std::size_t depth = node.op == model::Op::linear ? means.size() : input_channels / groups;
  for (std::size_t n = 0; n < outputs; ++n) {
    const std::size_t first = node.op == model::Op::linear ? 0 : n / (outputs / groups) * depth;
    double error = 0;
    for (std::size_t k = 0; k < each; ++k) {
      error += (static_cast<double>(p.weights[n * each + k]) - before[n * each + k]) * means[first + k % depth];
    }
    p.bias[n] = static_cast<float>(p.bias[n] - error);
  }
}

}  // namespace bitstrata::quant
