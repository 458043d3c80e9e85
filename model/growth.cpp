// SPDX-License-Identifier: Apache-2.0
#include "model/growth.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <stdexcept>

namespace bitstrata::model {

namespace {

// Bits of a number that goes up to `most`.
int bits_to_hold(int most) { return std::bit_width(static_cast<unsigned>(most)); }

#define X(name, value, meaning) std::string_view{#name},
constexpr std::array names = {BITSTRATA_FACTORS(X)};
#undef X

double factor(std::size_t place, const Architecture& architecture) {
#define X(name, value, meaning) +[](const Architecture& a) { return static_cast<double>(value); },
  static constexpr std::array<double (*)(const Architecture&), names.size()> values = {BITSTRATA_FACTORS(X)};
#undef X
  return values[place](architecture);
}

}  // namespace

Scale::Scale(std::string_view text) {
  if (text == "fixed") return;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('*', begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    const auto found = std::ranges::find(names, word);
    if (found == names.end())
      throw std::invalid_argument(
          fmt::format("'{}' is no factor; 'fixed' is, and products of {}", word, fmt::join(names, ", ")));
    factors_.push_back(static_cast<int>(found - names.begin()));
    begin = end + 1;
  }
  std::ranges::sort(factors_);
}

double Scale::of(const Architecture& architecture) const {
  double product = 1;
  for (const int place : factors_) product *= factor(static_cast<std::size_t>(place), architecture);
  return product;
}

std::string Scale::text() const {
  if (factors_.empty()) return "fixed";
  std::vector<std::string_view> words;
  for (const int place : factors_) words.push_back(names[static_cast<std::size_t>(place)]);
  return fmt::format("{}", fmt::join(words, "*"));
}

double Growth::of(const Architecture& architecture) const {
  double sum = 0;
  for (const GrowthTerm& term : terms) sum += term.per.of(architecture) * term.value;
  return sum;
}

}  // namespace bitstrata::model
