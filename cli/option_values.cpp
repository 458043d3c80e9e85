// SPDX-License-Identifier: Apache-2.0
#include "cli/option_values.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <regex>
#include <stdexcept>
#include <string>
#include <typeinfo>

namespace bitstrata::cli {

namespace po = boost::program_options;

namespace {

template <class T>
void check_whole(const std::string& option, const std::string& text) {
  static const std::regex decimal("-?(0|[1-9][0-9]*)");
  if (!std::regex_match(text, decimal)) {
    throw std::invalid_argument(
        fmt::format("--{} is '{}'; it is a whole number in decimal digits, such as 64", option, text));
  }
  T value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{}) {
    throw std::invalid_argument(fmt::format("--{} is {}; allowed is {} to {}", option, text,
                                            std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  }
}

void check_real(const std::string& option, const std::string& text) {
  static const std::regex decimal(R"(-?(0|[1-9][0-9]*)?(\.[0-9]+)?([eE][-+]?[0-9]+)?)");
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (!std::regex_match(text, decimal) || error != std::errc{} || end != text.data() + text.size() ||
      !std::isfinite(value)) {
    throw std::invalid_argument(
        fmt::format("--{} is '{}'; it is a finite decimal number, such as 0.5 or 1e-3", option, text));
  }
}

}  // namespace

void check_values(const po::parsed_options& given, const po::options_description& options) {
  for (const auto& option : given.options) {
    const po::option_description* const known = options.find_nothrow(option.string_key, false);
    if (known == nullptr || option.value.empty()) continue;
    const auto* const typed = dynamic_cast<const po::typed_value_base*>(known->semantic().get());
    if (typed == nullptr) continue;
    for (const std::string& text : option.value) {
      if (text.empty()) throw std::invalid_argument(fmt::format("--{} is empty", option.string_key));
      const std::type_info& type = typed->value_type();
      if (type == typeid(int)) check_whole<int>(option.string_key, text);
      if (type == typeid(std::int64_t)) check_whole<std::int64_t>(option.string_key, text);
      if (type == typeid(double)) check_real(option.string_key, text);
    }
  }
}

}  // namespace bitstrata::cli
