// SPDX-License-Identifier: Apache-2.0
#include "model/style.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

namespace bitstrata::model {

namespace {

// Weight stationary: cells hold planes of weights, w neighbouring columns an output, whose counts are joined in
// every plane.
struct Pim final : Style {
  constexpr Pim() {
    name = "pim";
    most_tiles = 64;
  }
  int columns_of_output(int weight_bits) const override { return weight_bits; }
  int weight_row_bits(int, int columns) const override { return columns; }
  std::int64_t units_at_work(std::int64_t outputs, int weight_bits, std::int64_t) const override {
    return outputs * weight_bits;
  }
  int planes_held(int) const override { return 1; }
  int vector_cycles(int, int activation_planes) const override { return activation_planes; }
  int sum_cycles(int) const override { return 1; }
  std::int64_t joiner_adds(int weight_bits, int activation_planes, std::int64_t outputs) const override {
    return outputs * (weight_bits - 1) * activation_planes;
  }
};

// Both operands bit-serial: dot units meet all pairs of planes, and a group's sums leave one vector after the other.
struct Overlay final : Style {
  constexpr Overlay() {
    name = "overlay";
    number = 1;
    most_vectors = 64;
    row_is_a_value = false;
  }
  int columns_of_output(int) const override { return 1; }
  int weight_row_bits(int rows, int) const override { return rows; }
  std::int64_t units_at_work(std::int64_t outputs, int, std::int64_t vectors) const override {
    return outputs * vectors;
  }
  int planes_held(int max_weight_bits) const override { return max_weight_bits; }
  int vector_cycles(int weight_bits, int activation_planes) const override { return weight_bits * activation_planes; }
  int sum_cycles(int vectors) const override { return vectors; }
  std::int64_t joiner_adds(int, int, std::int64_t) const override { return 0; }
};

constexpr Pim pim;
constexpr Overlay overlay;

constexpr std::array<const Style*, 2> all = {&pim, &overlay};

}  // namespace

std::span<const Style* const> styles() { return all; }

bool Style::known(std::string_view name) {
  return std::ranges::any_of(styles(), [&](const Style* style) { return style->name == name; });
}

const Style& Style::of(std::string_view name) {
  for (const Style* style : all)
    if (style->name == name) return *style;
  std::string names;
  for (const Style* style : all) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", style->name);
  }
  throw std::invalid_argument(fmt::format("style is '{}'; known: {}", name, names));
}

}  // namespace bitstrata::model
