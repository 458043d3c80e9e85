// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc/dots.h"

#include <algorithm>
#include <bit>

namespace bitstrata::sim::systemc {

Dots::Dots(const model::Architecture& architecture)
    : outputs_(architecture.columns), row_words_((architecture.rows + 63) / 64) {
  if (!architecture.overlay()) return;
  const auto units = static_cast<std::size_t>(architecture.vectors) * static_cast<std::size_t>(outputs_);
  planes_.resize(static_cast<std::size_t>(architecture.max_weight_bits * row_words_ * outputs_));
  for (auto* of_units : {&counts_, &sums_, &held_}) of_units->resize(units);
}

void Dots::reset() {
  std::ranges::fill(planes_, 0);
  for (auto* of_units : {&counts_, &sums_, &held_}) std::ranges::fill(*of_units, 0);
}

void Dots::write_plane(int output, int plane, const Word* bits) {
  if (toggles_) {
    toggles_->plane_written(&planes_[static_cast<std::size_t>(plane * row_words_ * outputs_ + output)], bits);
    written_ = true;
  }
  for (int w = 0; w < row_words_; ++w) {
    planes_[static_cast<std::size_t>((plane * row_words_ + w) * outputs_ + output)] = bits[w];
  }
}

void Dots::settle(int vectors, int weight_plane, const Word* activations) {
  if (!toggles_ || (activations == nullptr && !written_)) return;
  written_ = false;
  if (activations != nullptr) toggles_->activations(activations, vectors);
  toggles_->weight_planes(&planes_[static_cast<std::size_t>(weight_plane * row_words_ * outputs_)]);
}

void Dots::capture() {
  held_ = sums_;
  if (toggles_) toggles_->joined(0, held_);
}

void Dots::count(int vectors, int outputs, int weight_plane, const Word* activations) {
  for (int v = 0; v < vectors; ++v, activations += row_words_) {
    std::int64_t* const counts = &counts_[at(v)];
    const Word* weights = &planes_[static_cast<std::size_t>(weight_plane * row_words_ * outputs_)];
    for (int n = 0; n < outputs; ++n) counts[n] = std::popcount(weights[n] & activations[0]);
    for (int w = 1; w < row_words_; ++w) {
      weights += outputs_;
      for (int n = 0; n < outputs; ++n) counts[n] += std::popcount(weights[n] & activations[w]);
    }
    if (toggles_) toggles_->counts(at(v), {counts, static_cast<std::size_t>(outputs)});
  }
}

void Dots::accumulate(int vectors, int outputs, bool first, bool shift, bool negative) {
  const std::int64_t factor = first ? 0 : shift ? 2 : 1, sign = negative ? -1 : 1;
  for (int v = 0; v < vectors; ++v) {
    std::int64_t* const sums = &sums_[at(v)];
    const std::int64_t* const counts = &counts_[at(v)];
    if (toggles_) {
      for (int n = 0; n < outputs; ++n) {
        toggles_->operands(at(v) + static_cast<std::size_t>(n), sums[n] * factor, counts[n] * sign);
      }
    }
    for (int n = 0; n < outputs; ++n) sums[n] = sums[n] * factor + counts[n] * sign;
    if (toggles_) toggles_->accumulators(at(v), {sums, static_cast<std::size_t>(outputs)});
  }
}

}  // namespace bitstrata::sim::systemc
