// SPDX-License-Identifier: Apache-2.0
// The syntax of Liberty files (.lib), without their meaning: nested groups of attributes.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bitstrata::sim::gates {

// `name : value;` (one value) or `name (value, value, ...);`.
struct LibertyAttribute {
  std::string name;
  std::vector<std::string> values;  // without quotes and line continuations
  int line = 0;
};

// `name (argument, ...) { ... }`.
struct LibertyGroup {
  std::string name;
  std::vector<std::string> arguments;
  std::vector<LibertyAttribute> attributes;
  std::vector<LibertyGroup> groups;
  int line = 0;

  const LibertyAttribute* find(std::string_view attribute) const;
  // First value of an attribute; empty where it is absent.
  std::string_view text(std::string_view attribute) const;
};

// The numbers in a text, parted by commas or blanks. Throws std::invalid_argument quoting what is no finite
// number.
std::vector<double> liberty_numbers(std::string_view text);
// The one number in a text. Throws std::invalid_argument naming `what` it should be.
double liberty_number(std::string_view text, std::string_view what);

// The one outermost group (`library`) of a file. Throws std::runtime_error, "file:line: what", where the file cannot
// be read or its text is damaged.
LibertyGroup read_liberty_text(const std::filesystem::path& file);

}  // namespace bitstrata::sim::gates
