// SPDX-License-Identifier: Apache-2.0
#include "model/onnx/view.h"

#include <fmt/format.h>

#include <numeric>
#include <stdexcept>

namespace bitstrata::model::interchange {
namespace {

// Drops factors of size 1 and joins neighbours that continue each other.
std::vector<Factor> canonical(const std::vector<Factor>& factors) {
  std::vector<Factor> result;
  for (const Factor& factor : factors) {
    if (factor.size == 1) continue;
    if (!result.empty() && result.back().stride == factor.size * factor.stride) {
      result.back() = {result.back().size * factor.size, factor.stride};
    } else {
      result.push_back(factor);
    }
  }
  return result;
}

}  // namespace

View View::of(std::vector<std::vector<Factor>> dims) {
  View view;
  for (auto& dim : dims) view.dims_.push_back(canonical(dim));
  return view;
}

View View::plain(const Dims& dims) {
  std::vector<std::vector<Factor>> result(dims.size());
  std::int64_t stride = 1;
  for (std::size_t i = dims.size(); i-- > 0;) {
    result[i] = {{dims[i], stride}};
    stride *= dims[i];
  }
  return of(std::move(result));
}

View View::nchw(Shape s) {
  return of({{}, {{s.channels, 1}}, {{s.height, std::int64_t{s.width} * s.channels}}, {{s.width, s.channels}}});
}

View View::nhwc(Shape s) {
  return of({{}, {{s.height, std::int64_t{s.width} * s.channels}}, {{s.width, s.channels}}, {{s.channels, 1}}});
}

View View::ncw(Shape s) { return of({{}, {{s.channels, 1}}, {{s.width, s.channels}}}); }

View View::nch(Shape s) { return of({{}, {{s.channels, 1}}, {{s.height, s.channels}}}); }

View View::flat(Shape s) { return of({{}, {{s.elements(), 1}}}); }

std::int64_t View::size(int index) const {
  std::int64_t size = 1;
  for (const Factor& factor : dim(index)) size *= factor.size;
  return size;
}

Dims View::sizes() const {
  Dims sizes;
  for (int i = 0; i < rank(); ++i) sizes.push_back(size(i));
  return sizes;
}

std::int64_t View::elements() const {
  const Dims all = sizes();
  return std::accumulate(all.begin(), all.end(), std::int64_t{1}, std::multiplies<>());
}

std::vector<Factor> View::factors() const {
  std::vector<Factor> all;
  for (const auto& dim : dims_) all.insert(all.end(), dim.begin(), dim.end());
  return canonical(all);
}

View View::reshaped(const Dims& sizes) const {
  if (elements_of(sizes) != elements()) {
    throw std::invalid_argument(
        fmt::format("{} elements as {} do not go into {}", elements(), to_text(this->sizes()), to_text(sizes)));
  }
  std::vector<Factor> left = factors();  // taken from the end, least significant first
  std::vector<std::vector<Factor>> dims(sizes.size());
  for (std::size_t i = sizes.size(); i-- > 0;) {
    std::int64_t wanted = sizes[i];
    while (wanted > 1) {
      Factor& last = left.back();
      const std::int64_t part = std::gcd(wanted, last.size);
      if (part != wanted && part != last.size) {
        throw std::invalid_argument(
            fmt::format("{} as {} would mix dimensions that lie apart", to_text(this->sizes()), to_text(sizes)));
      }
      dims[i].insert(dims[i].begin(), {part, last.stride});
      wanted /= part;
      last = {last.size / part, last.stride * part};
      if (last.size == 1) left.pop_back();
    }
  }
  return of(std::move(dims));
}

View View::transposed(const std::vector<std::int64_t>& order) const {
  std::vector<std::vector<Factor>> dims;
  std::vector<bool> seen(dims_.size(), false);
  for (const std::int64_t from : order) {
    if (from < 0 || from >= rank() || seen[static_cast<std::size_t>(from)]) {
      throw std::invalid_argument(fmt::format("the order {} is none of {} dimensions", to_text(order), rank()));
    }
    seen[static_cast<std::size_t>(from)] = true;
    dims.push_back(dims_[static_cast<std::size_t>(from)]);
  }
  if (order.size() != dims_.size()) {
    throw std::invalid_argument(fmt::format("the order {} is none of {} dimensions", to_text(order), rank()));
  }
  return of(std::move(dims));
}

std::vector<std::int64_t> View::order() const {
  std::vector<std::int64_t> result = {0};
  for (const Factor& factor : factors()) {
    std::vector<std::int64_t> next;
    next.reserve(result.size() * static_cast<std::size_t>(factor.size));
    for (const std::int64_t base : result) {
      for (std::int64_t i = 0; i < factor.size; ++i) next.push_back(base + i * factor.stride);
    }
    result = std::move(next);
  }
  return result;
}

}  // namespace bitstrata::model::interchange
