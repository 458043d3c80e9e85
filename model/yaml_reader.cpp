// SPDX-License-Identifier: Apache-2.0
// Reads YAML through yaml-cpp and turns its errors into messages a person can act on.
#include "model/yaml_reader.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <stdexcept>

#include "model/input_file.h"

namespace bitstrata::model {
namespace {

// yaml-cpp counts lines from 0 and gives -1 where it knows none.
int line_of(const YAML::Node& node) { return std::max(0, node.Mark().line) + 1; }

bool control(char c) { return static_cast<unsigned char>(c) < 32 || c == 127; }

// The line on which a document's first value begins, from 0; -1 where it holds none.
struct FirstValue final : YAML::EventHandler {
  int line = -1;

  void begins(const YAML::Mark& mark) {
    if (line < 0) line = std::max(0, mark.line);
  }
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { begins(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t, const std::string&) override {
    begins(mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    begins(mark);
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    begins(mark);
  }
  void OnMapEnd() override {}
};

// Nobody misspells a word of this length; comparing it would take its length squared.
constexpr std::size_t longest_word = 200;

}  // namespace

int edit_distance(std::string_view a, std::string_view b) {
  // Optimal string alignment: `weigth` is one slip away from `weight`, as a person sees it.
  const std::size_t width = b.size() + 1;
  std::vector<int> cost((a.size() + 1) * width);
  const auto at = [&](std::size_t i, std::size_t j) -> int& { return cost[i * width + j]; };
  for (std::size_t i = 0; i <= a.size(); ++i) at(i, 0) = static_cast<int>(i);
  for (std::size_t j = 0; j <= b.size(); ++j) at(0, j) = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int replace = at(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0 : 1);
      at(i, j) = std::min({replace, at(i - 1, j) + 1, at(i, j - 1) + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
      }
    }
  }
  return at(a.size(), b.size());
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  const auto best = std::min_element(candidates.begin(), candidates.end(), [&](const auto& a, const auto& b) {
    return edit_distance(word, a) < edit_distance(word, b);
  });
  return best == candidates.end() ? std::string{} : *best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > longest_word) return {};
  const std::string best = nearest(word, candidates);
  // Beyond about half of the letters the suggestion would be a guess.
  const int limit = std::max<int>(2, static_cast<int>(word.size()) / 2);
  if (best.empty() || edit_distance(word, best) > limit) return {};
  return fmt::format("; did you mean '{}'?", best);
}

std::string in_one_line(std::string text) {
  std::replace_if(text.begin(), text.end(), control, '?');
  return text;
}

YamlReader::YamlReader(YAML::Node node, std::string file, std::string key, int line)
    : node_(std::move(node)), file_(std::move(file)), key_(std::move(key)), line_(line) {}

YamlReader YamlReader::from_file(const std::filesystem::path& file) {
  refuse_device(file);
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (!stream || !(text << stream.rdbuf())) {
    throw std::runtime_error(fmt::format("cannot read {}: missing, empty or not a readable file", file.string()));
  }
  return from_text(text.str(), file.string());
}

YamlReader YamlReader::from_text(const std::string& text, const std::string& label) {
  if (const std::size_t zero = text.find('\0'); zero != std::string::npos) {
    const auto begin = text.begin();
    throw std::runtime_error(fmt::format("{}:{}: holds a zero byte; YAML is text in UTF-8", label,
                                         1 + std::count(begin, begin + static_cast<std::ptrdiff_t>(zero), '\n')));
  }
  try {
    const YAML::Node document = YAML::Load(text);
    // YAML::LoadAll reads some malformed texts for ever; two documents are all that has to be known of.
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    FirstValue first, second;
    if (parser.HandleNextDocument(first) && parser.HandleNextDocument(second) && second.line >= 0)
      throw std::runtime_error(
          fmt::format("{}:{}: a second YAML document begins here; a file holds one", label, second.line + 1));
    return YamlReader(document, label, "", 1);
  } catch (const YAML::Exception& error) {
    const bool deep = error.msg == "bad file";  // what yaml-cpp says where brackets are nested too deep
    throw std::runtime_error(fmt::format("{}:{}: not valid YAML: {}", label, error.mark.line + 1,
                                         deep ? "nested too deep" : in_one_line(error.msg)));
  }
}

std::string YamlReader::where() const { return fmt::format("{}:{}", file_, line_); }

void YamlReader::fail(const std::string& message) const {
  throw std::runtime_error(in_one_line(fmt::format("{}: {}", where(), message)));
}

std::string YamlReader::subject() const { return key_.empty() ? "the file" : fmt::format("'{}'", key_); }

void YamlReader::check_keys(const std::vector<std::string>& known) const {
  for (const auto& [key, value] : members()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      const std::string hint = did_you_mean(key, known);
      throw std::runtime_error(
          in_one_line(fmt::format("unknown key '{}' in {}{}", key, value.where(),
                                  hint.empty() ? fmt::format("; known keys: {}", fmt::join(known, ", ")) : hint)));
    }
  }
}

void YamlReader::check_format(const std::string& expected) const {
  if (!has("format")) fail(fmt::format("missing key 'format'; expected 'format: {}'", expected));
  const YamlReader format = at("format");
  if (format.as_string() != expected) {
    format.fail(fmt::format("format is '{}', expected '{}'", format.as_string(), expected));
  }
}

bool YamlReader::has(const std::string& key) const { return node_.IsMap() && node_[key].IsDefined(); }

YamlReader YamlReader::at(const std::string& key) const {
  if (!node_.IsMap()) fail(fmt::format("{} must be a map of keys to values", subject()));
  for (const auto& member : node_) {
    if (member.first.IsScalar() && member.first.Scalar() == key) {
      return YamlReader(member.second, file_, key, line_of(member.first));
    }
  }
  fail(fmt::format("missing key '{}'", key));
}

std::vector<YamlReader> YamlReader::items() const {
  if (!node_.IsSequence()) fail(fmt::format("{} must be a list", subject()));
  std::vector<YamlReader> result;
  for (const auto& item : node_) result.push_back(YamlReader(item, file_, key_, line_of(item)));
  return result;
}

std::vector<std::pair<std::string, YamlReader>> YamlReader::members() const {
  if (!node_.IsMap()) fail(fmt::format("{} must be a map of keys to values", subject()));
  std::vector<std::pair<std::string, YamlReader>> result;
  std::set<std::string> seen;
  for (const auto& member : node_) {
    if (!member.first.IsScalar()) fail(fmt::format("{} has a key that is not a word", subject()));
    const std::string& key = member.first.Scalar();
    result.emplace_back(key, YamlReader(member.second, file_, key, line_of(member.first)));
    if (!seen.insert(key).second) {
      throw std::runtime_error(
          in_one_line(fmt::format("key '{}' stands twice, again in {}", key, result.back().second.where())));
    }
  }
  return result;
}

int YamlReader::as_int() const {
  if (!node_.IsScalar()) fail(fmt::format("{} must be a whole number", subject()));
  // Not yaml-cpp's own: it reads 064 as 52 and 0x40 as 64.
  const std::string& text = node_.Scalar();
  const std::string digits = text.substr(text.starts_with('-') || text.starts_with('+') ? 1 : 0);
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) {
    fail(fmt::format("{} must be a whole number, is '{}'", subject(), text));
  }
  if (digits.size() > 1 && digits[0] == '0') {
    const std::size_t first = std::min(digits.find_first_not_of('0'), digits.size() - 1);
    fail(fmt::format("{} is '{}', which some read as octal; write {} without leading zeros", subject(), text,
                     digits.substr(first)));
  }
  int value = 0;
  const char* const begin = text.data() + (text.starts_with('+') ? 1 : 0);
  if (std::from_chars(begin, text.data() + text.size(), value).ec != std::errc{}) {
    fail(fmt::format("{} is '{}'; allowed is {} to {}", subject(), text, std::numeric_limits<int>::min(),
                     std::numeric_limits<int>::max()));
  }
  return value;
}

double YamlReader::as_double() const {
  double value = 0;
  if (!node_.IsScalar() || !YAML::convert<double>::decode(node_, value) || !std::isfinite(value)) {
    fail(fmt::format("{} must be a number{}", subject(),
                     node_.IsScalar() ? fmt::format(", is '{}'", node_.Scalar()) : std::string{}));
  }
  const std::string& text = node_.Scalar();
  const std::size_t sign = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  if (text.size() > sign + 1 && text[sign] == '0' && text[sign + 1] >= '0' && text[sign + 1] <= '9')
    fail(fmt::format("{} is '{}', which some read as octal; write it without leading zeros", subject(), text));
  const std::string mantissa = text.substr(0, text.find_first_of("eE"));
  if (value == 0 && mantissa.find_first_of("123456789") != std::string::npos && text.find('x') == std::string::npos)
    fail(fmt::format("{} is '{}', which is too small for a number of 64 bits", subject(), text));
  return value;
}

bool YamlReader::as_bool() const {
  bool value = false;
  if (!node_.IsScalar() || !YAML::convert<bool>::decode(node_, value)) {
    fail(fmt::format("{} must be true or false{}", subject(),
                     node_.IsScalar() ? fmt::format(", is '{}'", node_.Scalar()) : std::string{}));
  }
  return value;
}

std::string YamlReader::as_string() const {
  const std::string text = as_text();
  if (std::any_of(text.begin(), text.end(), control))
    fail(fmt::format("{} is '{}', with a line end or another control character in it; write it in one line", subject(),
                     text));
  return text;
}

std::string YamlReader::as_text() const {
  if (!node_.IsScalar()) fail(fmt::format("{} must be a word or a text", subject()));
  return node_.Scalar();
}

void YamlReader::read(const std::string& key, int& value) const {
  if (has(key)) value = at(key).as_int();
}

void YamlReader::read(const std::string& key, double& value) const {
  if (has(key)) value = at(key).as_double();
}

void YamlReader::read(const std::string& key, bool& value) const {
  if (has(key)) value = at(key).as_bool();
}

void YamlReader::read(const std::string& key, std::string& value) const {
  if (has(key)) value = at(key).as_string();
}

void YamlReader::read(const std::string& key, std::vector<int>& value) const {
  if (!has(key)) return;
  value.clear();
  for (const auto& item : at(key).items()) value.push_back(item.as_int());
}

void YamlReader::read(const std::string& key, std::vector<std::string>& value) const {
  if (!has(key)) return;
  value.clear();
  for (const auto& item : at(key).items()) value.push_back(item.as_string());
}

}  // namespace bitstrata::model
