// SPDX-License-Identifier: Apache-2.0
// The syntax of Liberty files (.lib, also compressed by gzip), without their meaning: nested groups of attributes.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bitstrata::sim::gates {

struct LibertyValue {
  std::string text;  // without quotes and line continuations
  bool quoted = false;
};

// `name : value;` (one value) or `name (value, value, ...);`.
struct LibertyAttribute {
  std::string name;
  std::vector<LibertyValue> values;
  int line = 0;
  bool list = false;  // the form in parentheses
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
  // All values of an attribute in parentheses, parted by commas: `index_1 (1, 2)` is `index_1 ("1, 2")`.
  std::string joined(std::string_view attribute) const;
};

// The numbers in a text, parted by commas or blanks. Throws std::invalid_argument quoting what is no finite
// number.
std::vector<double> liberty_numbers(std::string_view text);
// The one number in a text. Throws std::invalid_argument naming `what` it should be.
double liberty_number(std::string_view text, std::string_view what);

// Delays and energies have templates of their own, which may have the same names: the kind that a table (`cell_rise`,
// `fall_power`) follows, and what tells apart templates of both kinds.
std::string_view template_kind(std::string_view table);
std::string template_key(std::string_view kind, std::string_view name);

// The group as Liberty text that reads as the same again, but for templates' names that `renamed` (by template_key)
// replaces.
using LibertyNames = std::map<std::string, std::string, std::less<>>;
std::string liberty_text(const LibertyGroup& group, const LibertyNames& renamed = {});
// An attribute as Liberty text.
std::string liberty_text(const LibertyAttribute& attribute);

// The one outermost group (`library`) of a file. Throws std::runtime_error, "file:line: what", where the file cannot
// be read or its text is damaged.
LibertyGroup read_liberty_text(const std::filesystem::path& file);

}  // namespace bitstrata::sim::gates
