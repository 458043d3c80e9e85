// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/recorded.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <stdexcept>

#include "sim/gates/recorded_bytes.h"

namespace bitstrata::sim::gates {

namespace {

std::vector<int> samples_of(const model::Samples& samples, int layer) {
  std::set<int> labels;
  for (int i = 0; i < samples.count(); ++i) labels.insert(samples.label(i));
  const int label = *std::next(labels.begin(), layer % static_cast<int>(labels.size()));
  std::vector<int> chosen;
  for (int i = 0; i < samples.count(); ++i) {
    if (samples.label(i) == label) chosen.push_back(i);
  }
  return chosen;
}

std::int32_t code_of(double value, double step, std::int32_t high) {
  return static_cast<std::int32_t>(std::min(static_cast<double>(high), std::round(value / step)));
}

// Step of least squared error over the chosen samples; from the largest value's down to a sixteenth of it are tried.
double best_step(const model::Samples& samples, const std::vector<int>& chosen, std::int32_t high) {
  model::Reals all;
  for (const int i : chosen) {
    const model::Reals values = samples.values(i);
    all.insert(all.end(), values.begin(), values.end());
  }
  const double most = *std::ranges::max_element(all);
  double best = 1, least = std::numeric_limits<double>::infinity();
  for (int sixteenths = 16; sixteenths >= 1 && most > 0; --sixteenths) {
    const double step = most * sixteenths / 16 / high;
    double error = 0;
    for (const double value : all) {
      const double difference = value - code_of(value, step, high) * step;
      error += difference * difference;
    }
    if (error < least) {
      least = error;
      best = step;
    }
  }
  return best;
}

}  // namespace

const model::Samples& recorded_activations() {
  static const model::Samples samples = [] {
    const auto& [shape, images, labels] = recorded_bytes();
    return model::Samples({shape[0], shape[1], shape[2]}, model::StoredType::uint16, {images.begin(), images.end()},
                          {labels.begin(), labels.end()}, {});
  }();
  return samples;
}

void check_recorded(const model::Samples& samples) {
  if (!samples.labelled()) throw std::invalid_argument("activations need labels: which layer each sample belongs to");
  for (int i = 0; i < samples.count(); ++i) {
    for (const double value : samples.values(i)) {
      if (!(value >= 0))
        throw std::invalid_argument(fmt::format("activations must be at least 0; sample {} has {:g}", i, value));
    }
  }
}

model::Codes recorded_codes(const model::Samples& samples, int layer, int stream, const model::TensorFormat& format) {
  const std::vector<int> chosen = samples_of(samples, layer);
  const std::int32_t high = model::code_range(format.coding, format.bits).high;
  const double step = best_step(samples, chosen, high);
  const int count = static_cast<int>(chosen.size());
  const model::Reals values = samples.values(chosen[static_cast<std::size_t>(stream % count)]);
  const model::Shape map = samples.shape(), shape = format.shape;
  const bool mirrored = stream / count % 2 != 0;
  model::Codes codes;
  codes.reserve(static_cast<std::size_t>(shape.elements()));
  for (int y = 0; y < shape.height; ++y) {
    for (int x = 0; x < shape.width; ++x) {
      const int column = mirrored ? map.width - 1 - x % map.width : x % map.width;
      for (int c = 0; c < shape.channels; ++c) {
        const auto at =
            static_cast<std::size_t>((y % map.height * map.width + column) * map.channels + c % map.channels);
        codes.push_back(code_of(values[at], step, high));
      }
    }
  }
  return codes;
}

std::uint64_t hash_of(const model::Samples& samples) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto mix = [&](std::uint64_t value) { hash = (hash ^ value) * 0x100000001b3ULL; };
  for (const std::uint8_t byte : samples.bytes(0, samples.count())) mix(byte);
  for (int i = 0; i < samples.count(); ++i) mix(static_cast<std::uint64_t>(samples.label(i)));
  return hash;
}

}  // namespace bitstrata::sim::gates
