// SPDX-License-Identifier: Apache-2.0
#include "model/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

namespace bitstrata::model {
namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

template <typename T>
void append(std::span<const std::uint8_t> bytes, Reals& to) {
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + i, sizeof(T));
    to.push_back(static_cast<float>(value));
  }
}

Reals decode(StoredType type, std::span<const std::uint8_t> bytes) {
  Reals values;
  values.reserve(bytes.size() / width_of(type));
  switch (type) {
    case StoredType::uint8:
      append<std::uint8_t>(bytes, values);
      break;
    case StoredType::int8:
      append<std::int8_t>(bytes, values);
      break;
    case StoredType::int16:
      append<std::int16_t>(bytes, values);
      break;
    case StoredType::uint16:
      append<std::uint16_t>(bytes, values);
      break;
    case StoredType::int32:
      append<std::int32_t>(bytes, values);
      break;
    case StoredType::int64:
      append<std::int64_t>(bytes, values);
      break;
    case StoredType::float32:
      append<float>(bytes, values);
      break;
    case StoredType::float64:
      append<double>(bytes, values);
      break;
  }
  return values;
}

double entry(const std::vector<double>& values, int channel, double otherwise) {
  return values.empty() ? otherwise : values[values.size() == 1 ? 0 : at(channel)];
}

float prepared(const Preparation& preparation, float stored, int channel) {
  return static_cast<float>((preparation.scale * stored - entry(preparation.mean, channel, 0)) /
                            entry(preparation.deviation, channel, 1));
}

}  // namespace

Reals resized(const Reals& from, Shape old, int height, int width) {
  const Shape now{height, width, old.channels};
  Reals to;
  to.reserve(at(now.elements()));
  const auto place = [](int position, int count, int old_count) {
    const double x = (position + 0.5) * old_count / count - 0.5;
    return std::clamp(x, 0.0, static_cast<double>(old_count - 1));
  };
  for (int y = 0; y < now.height; ++y) {
    const double row = place(y, now.height, old.height);
    const int top = static_cast<int>(row), bottom = std::min(top + 1, old.height - 1);
    for (int x = 0; x < now.width; ++x) {
      const double column = place(x, now.width, old.width);
      const int left = static_cast<int>(column), right = std::min(left + 1, old.width - 1);
      for (int c = 0; c < now.channels; ++c) {
        const auto value = [&](int r, int k) {
          return double{from[at((std::int64_t{r} * old.width + k) * old.channels + c)]};
        };
        const double upper = value(top, left) + (column - left) * (value(top, right) - value(top, left));
        const double lower = value(bottom, left) + (column - left) * (value(bottom, right) - value(bottom, left));
        to.push_back(static_cast<float>(upper + (row - top) * (lower - upper)));
      }
    }
  }
  return to;
}

Samples::Samples(Shape stored, StoredType type, std::vector<std::uint8_t> bytes, std::vector<int> labels,
                 Preparation preparation)
    : stored_(stored),
      type_(type),
      bytes_(std::move(bytes)),
      labels_(std::move(labels)),
      preparation_(std::move(preparation)) {
  const std::size_t each = at(stored.elements()) * width_of(type);
  if (each == 0 || bytes_.size() % each != 0 || bytes_.empty()) {
    throw std::invalid_argument(fmt::format("{} bytes are no whole number of samples of {}x{}x{} ({} bytes each)",
                                            bytes_.size(), stored.height, stored.width, stored.channels, each));
  }
  count_ = static_cast<int>(bytes_.size() / each);
  if (!labels_.empty() && labels_.size() != at(count_)) {
    throw std::invalid_argument(fmt::format("{} labels for {} samples", labels_.size(), count_));
  }
  for (const std::vector<double>* values : {&preparation_.mean, &preparation_.deviation}) {
    if (values->size() > 1 && values->size() != at(stored.channels)) {
      throw std::invalid_argument(
          fmt::format("{} entries of mean or std for {} channels", values->size(), stored.channels));
    }
  }
}

Shape Samples::shape() const {
  Shape shape = stored_;
  if (preparation_.resize_height > 0) shape.height = preparation_.resize_height;
  if (preparation_.resize_width > 0) shape.width = preparation_.resize_width;
  return shape;
}

std::span<const std::uint8_t> Samples::bytes(int first, int count) const {
  const std::size_t each = at(stored_.elements()) * width_of(type_);
  return std::span(bytes_).subspan(at(first) * each, at(count) * each);
}

void Samples::check_index(int index) const {
  if (index < 0 || index >= count_) throw std::out_of_range(fmt::format("sample {} of {}", index, count_));
}

std::size_t Samples::place(std::size_t index) const {
  const std::size_t channels = at(stored_.channels), pixel = index / channels, c = index % channels;
  const std::size_t from = preparation_.reverse_channels ? channels - 1 - c : c;
  return preparation_.channels_first ? from * at(std::int64_t{stored_.height} * stored_.width) + pixel
                                     : pixel * channels + from;
}

Reals Samples::values(int index) const {
  check_index(index);
  const Reals stored = decode(type_, bytes(index, 1));
  Reals values(stored.size());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = stored[place(i)];
  if (shape() != stored_) values = resized(values, stored_, shape().height, shape().width);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = prepared(preparation_, values[i], static_cast<int>(i % at(stored_.channels)));
  }
  return values;
}

Reals Samples::zero() const {
  Reals values;
  for (int c = 0; c < stored_.channels; ++c) values.push_back(prepared(preparation_, 0, c));
  return values;
}

bool Samples::byte_pixels() const {
  const auto all = [](const std::vector<double>& values, double wanted) {
    return std::all_of(values.begin(), values.end(), [wanted](double value) { return value == wanted; });
  };
  // People write 1/255 with some ten digits, which the 24 bits of a value do not hold apart.
  constexpr double tolerance = 0x1p-25;
  return type_ == StoredType::uint8 && shape() == stored_ && std::abs(255 * preparation_.scale - 1) < tolerance &&
         all(preparation_.mean, 0) && all(preparation_.deviation, 1);
}

std::vector<std::uint8_t> Samples::pixels(int index) const {
  check_index(index);
  if (!byte_pixels()) throw std::logic_error("these samples are no pixels of bytes");
  const std::span<const std::uint8_t> stored = bytes(index, 1);
  std::vector<std::uint8_t> pixels(stored.size());
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = stored[place(i)];
  return pixels;
}

ChannelOrder Samples::stored_order() const {
  if (!preparation_.told || shape() != stored_) return ChannelOrder::any;
  return preparation_.channels_first ? ChannelOrder::first : ChannelOrder::last;
}

namespace {

bool is_flat(Shape samples, Shape input) {
  return samples != input && input.height == 1 && input.width == 1 && input.elements() == samples.elements();
}

// A sample that is a vector of the file's input, element by element, which the file makes an image of.
bool is_vector(Shape samples, Shape input, ChannelOrder order) {
  return samples.height == 1 && samples.width == 1 && samples != input && samples.channels == input.elements() &&
         (order != ChannelOrder::any || input.channels == 1);
}

// A sample of one channel whose rows and columns are the two sides of the file's input, in its order.
bool is_matrix(Shape samples, Shape input, ChannelOrder order) {
  const int pixels = input.height * input.width;
  if (samples.channels != 1 || samples == input || pixels != std::max(input.height, input.width)) return false;
  if (order == ChannelOrder::first) return samples.height == input.channels && samples.width == pixels;
  return order == ChannelOrder::last && samples.height == pixels && samples.width == input.channels;
}

}  // namespace

bool guesses_flat_order(const Samples& samples, const FloatNetwork& network) {
  const Shape shape = samples.shape();
  return is_flat(shape, network.graph.node(0).output) && samples.flat_order() == ChannelOrder::any &&
         shape.channels > 1 && shape.height * shape.width > 1;
}

Reals fit(const Samples& samples, int index, const FloatNetwork& network) {
  const Shape shape = samples.shape(), input = network.graph.node(0).output;
  if (shape == input) {
    const ChannelOrder stored = samples.stored_order(), read = network.input_order;
    const bool equal_sides = shape.height == shape.width && shape.width == shape.channels;
    if (equal_sides && stored != read && stored != ChannelOrder::any && read != ChannelOrder::any) {
      const bool first = read == ChannelOrder::first;
      throw std::invalid_argument(fmt::format(
          "the network's input of {0}x{0}x{0} has its channels {1}, but the data set's 'layout: {2}' has them {3}; "
          "'layout: {4}' feeds the values as they are stored",
          shape.height, first ? "first" : "last", first ? "nhwc" : "nchw", first ? "last" : "first",
          first ? "nchw" : "nhwc"));
    }
    return samples.values(index);
  }
  if (is_matrix(shape, input, network.input_order)) {
    Reals values = samples.values(index);
    if (network.input_order == ChannelOrder::last) return values;
    Reals turned;
    turned.reserve(values.size());
    for (int pixel = 0; pixel < shape.width; ++pixel)
      for (int c = 0; c < shape.height; ++c) turned.push_back(values[at(c) * at(shape.width) + at(pixel)]);
    return turned;
  }
  if (is_vector(shape, input, network.input_order)) {
    const Reals values = samples.values(index);
    if (network.input_order != ChannelOrder::first) return values;
    const std::size_t channels = at(input.channels), pixels = values.size() / channels;
    Reals turned;
    turned.reserve(values.size());
    for (std::size_t pixel = 0; pixel < pixels; ++pixel)
      for (std::size_t c = 0; c < channels; ++c) turned.push_back(values[c * pixels + pixel]);
    return turned;
  }
  if (!is_flat(shape, input)) {
    throw std::invalid_argument(
        fmt::format("the samples are {}x{}x{}, the network reads {}x{}x{} (height, width, channels)", shape.height,
                    shape.width, shape.channels, input.height, input.width, input.channels));
  }
  const Reals values = samples.values(index);
  if (samples.flat_order() == ChannelOrder::last) return values;
  Reals result;
  result.reserve(values.size());
  for (int c = 0; c < shape.channels; ++c)
    for (std::size_t pixel = 0; pixel < values.size() / at(shape.channels); ++pixel)
      result.push_back(values[pixel * at(shape.channels) + at(c)]);
  return result;
}

}  // namespace bitstrata::model
