// SPDX-License-Identifier: Apache-2.0
// Reads the YAML files people write: every error names file and line, every misspelt word the nearest known one.
#pragma once

#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bitstrata::model {

// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
int edit_distance(std::string_view a, std::string_view b);

// The candidate with the smallest edit distance (the first among equals); empty when there are none.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

// "; did you mean 'x'?" when a candidate is close enough to be a likely slip, else empty.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

// `text` with a question mark in place of every control character: a message is one line, whatever words of a file
// stand in it.
std::string in_one_line(std::string text);

// A YAML value together with the file it stands in. All errors are std::runtime_error.
class YamlReader {
 public:
  static YamlReader from_file(const std::filesystem::path& file);
  // `label` stands for the file name in messages.
  static YamlReader from_text(const std::string& text, const std::string& label);

  // Refuses keys that are not in `known` and keys written twice; fails when this is not a map.
  void check_keys(const std::vector<std::string>& known) const;
  // Fails unless the key `format` is there and says `expected`.
  void check_format(const std::string& expected) const;

  bool is_map() const { return node_.IsMap(); }
  bool is_list() const { return node_.IsSequence(); }
  bool has(const std::string& key) const;
  // The value of `key`; fails when the key is missing.
  YamlReader at(const std::string& key) const;
  std::vector<YamlReader> items() const;  // of a list
  // The keys of a map, in the file's order; fails where one stands twice.
  std::vector<std::pair<std::string, YamlReader>> members() const;

  int as_int() const;        // decimal digits with an optional sign; leading zeros and other bases are refused
  double as_double() const;  // finite
  bool as_bool() const;
  std::string as_string() const;  // without control characters, line ends among them: a name, a word, a path
  std::string as_text() const;    // of any lines

  // Leave `value` alone when the key is absent.
  void read(const std::string& key, int& value) const;
  void read(const std::string& key, double& value) const;
  void read(const std::string& key, bool& value) const;
  void read(const std::string& key, std::string& value) const;
  void read(const std::string& key, std::vector<int>& value) const;
  void read(const std::string& key, std::vector<std::string>& value) const;

  std::string where() const;          // "plan.yaml:7"
  int line() const { return line_; }  // of the file, from 1
  [[noreturn]] void fail(const std::string& message) const;

 private:
  YamlReader(YAML::Node node, std::string file, std::string key, int line);
  std::string subject() const;  // how messages call this value

  YAML::Node node_;
  std::string file_;
  std::string key_;  // the key under which this value stands; empty at the top
  int line_;         // that of the key where there is one: a nested value begins a line later
};

}  // namespace bitstrata::model
