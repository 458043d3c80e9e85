// SPDX-License-Identifier: Apache-2.0
#include "model/float_means.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace bitstrata::model {
namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// The rows or columns of the image in one window: from `first` to before `end`, and how many count.
struct Extent {
  int first, end, counted;
};

Extent extent_of(int output, int stride, int before, int kernel, int size, int counted_before, int counted_after) {
  const int start = output * stride - before, stop = start + kernel;
  return {std::max(start, 0), std::min(stop, size),
          std::min(stop, size + counted_after) - std::max(start, -counted_before)};
}

// The values of one channel of the image.
struct Channel {
  const float* values;
  Shape shape;
  float at(int y, int x) const { return values[(std::int64_t{y} * shape.width + x) * shape.channels]; }
};

float sum_by_rows(const Channel& image, Extent rows, Extent columns) {
  float sum = 0;
  for (int y = rows.first; y < rows.end; ++y)
    for (int x = columns.first; x < columns.end; ++x) sum += image.at(y, x);
  return sum;
}

// Each column first, then over the columns.
float sum_by_columns(const Channel& image, Extent rows, Extent columns) {
  float sum = 0;
  for (int x = columns.first; x < columns.end; ++x) {
    float column = 0;
    for (int y = rows.first; y < rows.end; ++y) column += image.at(y, x);
    sum += column;
  }
  return sum;
}

// Four sums of every fourth pixel; they are added across, and the pixels beyond the last four behind them.
float sum_by_lanes(const Channel& image) {
  const std::int64_t pixels = std::int64_t{image.shape.height} * image.shape.width, channels = image.shape.channels;
  std::array<float, 4> lanes{};
  for (std::int64_t p = 0; p < pixels / 4 * 4; ++p) lanes[at(p % 4)] += image.values[p * channels];
  float sum = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
  for (std::int64_t p = pixels / 4 * 4; p < pixels; ++p) sum += image.values[p * channels];
  return sum;
}

void average(const Mean& mean, Shape in, Shape out, const Reals& from, Reals& to) {
  const Window& w = mean.window;
  for (int c = 0; c < in.channels; ++c) {
    const Channel image{from.data() + c, in};
    for (int y = 0; y < out.height; ++y) {
      const Extent rows =
          extent_of(y, w.stride_height, w.pad_top, w.kernel_height, in.height, mean.counted_top, mean.counted_bottom);
      for (int x = 0; x < out.width; ++x) {
        const Extent columns =
            extent_of(x, w.stride_width, w.pad_left, w.kernel_width, in.width, mean.counted_left, mean.counted_right);
        const float sum = mean.order == Mean::Order::lanes     ? sum_by_lanes(image)
                          : mean.order == Mean::Order::columns ? sum_by_columns(image, rows, columns)
                                                               : sum_by_rows(image, rows, columns);
        to[at((std::int64_t{y} * out.width + x) * out.channels + c)] =
            sum / static_cast<float>(std::int64_t{rows.counted} * columns.counted);
      }
    }
  }
}

// Two neighbours along one side, and what each is multiplied by.
struct Neighbours {
  int first, second;
  float first_weight, second_weight;
};

Neighbours neighbours(int output, int factor, bool centred, int size) {
  const auto step = static_cast<float>(factor), position = static_cast<float>(output);
  const float place =
      std::clamp(centred ? (position + 0.5F) / step - 0.5F : position / step, 0.0F, static_cast<float>(size - 1));
  const int first = std::min(static_cast<int>(place), size - 1), second = std::min(first + 1, size - 1);
  if (first == second) return {first, second, 0.5F, 0.5F};
  return {first, second, std::abs(place - static_cast<float>(second)), std::abs(place - static_cast<float>(first))};
}

void enlarge(const Mean& mean, Shape in, Shape out, const Reals& from, Reals& to) {
  for (int y = 0; y < out.height; ++y) {
    const Neighbours rows = neighbours(y, mean.enlarged, mean.centred, in.height);
    for (int x = 0; x < out.width; ++x) {
      const Neighbours columns = neighbours(x, mean.enlarged, mean.centred, in.width);
      for (int c = 0; c < in.channels; ++c) {
        const Channel image{from.data() + c, in};
        to[at((std::int64_t{y} * out.width + x) * out.channels + c)] =
            columns.first_weight * rows.first_weight * image.at(rows.first, columns.first) +
            columns.second_weight * rows.first_weight * image.at(rows.first, columns.second) +
            columns.first_weight * rows.second_weight * image.at(rows.second, columns.first) +
            columns.second_weight * rows.second_weight * image.at(rows.second, columns.second);
      }
    }
  }
}

}  // namespace

void take_mean(const Mean& mean, Shape in, Shape out, const Reals& from, Reals& to) {
  if (mean.enlarged > 1) {
    enlarge(mean, in, out, from, to);
  } else {
    average(mean, in, out, from, to);
  }
}

}  // namespace bitstrata::model
