// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/liberty_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "model/input_file.h"

namespace bitstrata::sim::gates {

namespace {

// Groups in groups; libraries have six at most. Each takes a part of the stack.
constexpr int deepest = 64;

bool blank(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }
bool of_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         (std::string_view("_.$-+[]<>/!'*&|^").find(c) != std::string_view::npos);
}

class Reader {
 public:
  Reader(std::string text, std::string file) : text_(std::move(text)), file_(std::move(file)) {}

  LibertyGroup library() {
    skip();
    LibertyGroup outer;
    statement(outer);
    if (outer.groups.size() != 1) fail("a Liberty file is one group 'library (name) { ... }'");
    skip();
    if (at_ < text_.size()) fail("something follows the library's closing brace");
    return std::move(outer.groups.front());
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error(fmt::format("{}:{}: {}", file_, line_, what));
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  char next() {
    const char c = peek();
    if (c == '\n') ++line_;
    ++at_;
    return c;
  }
  bool starts(std::string_view with) const { return std::string_view(text_).substr(at_).starts_with(with); }

  // Blanks, line continuations, comments.
  void skip() {
    while (at_ < text_.size()) {
      if (blank(peek()) || (peek() == '\\')) {
        next();
      } else if (starts("/*")) {
        const int from = line_;
        while (at_ < text_.size() && !starts("*/")) next();
        if (at_ >= text_.size()) fail(fmt::format("the comment that begins in line {} does not end", from));
        at_ += 2;
      } else if (starts("//")) {
        while (at_ < text_.size() && peek() != '\n') next();
      } else {
        return;
      }
    }
  }

  std::string quoted() {
    const int from = line_;
    std::string value;
    next();
    while (peek() != '"') {
      if (at_ >= text_.size()) fail(fmt::format("the quoted text that begins in line {} does not end", from));
      const char c = next();
      if (c == '\\' || c == '\n' || c == '\r') {
        value += ' ';
      } else {
        value += c;
      }
    }
    next();
    return value;
  }
  std::string word() {
    std::string value;
    while (at_ < text_.size() && of_name(peek())) value += next();
    if (value.empty()) {
      fail(at_ < text_.size() ? fmt::format("unexpected '{}'", peek()) : "the file ends inside a group");
    }
    return value;
  }
  // The value of a simple attribute goes to the semicolon, or to the line's end where there is none.
  std::string simple_value() {
    while (peek() == ' ' || peek() == '\t') next();
    std::string value;
    if (peek() == '"') {
      value = quoted();
    } else {
      while (at_ < text_.size() && !(std::string_view(";}\n").find(peek()) != std::string_view::npos) &&
             !starts("/*")) {
        const char c = next();
        if (c != '\\') value += c;
      }
      while (!value.empty() && blank(value.back())) value.pop_back();
    }
    skip();
    if (peek() == ';') next();
    return value;
  }
  std::vector<std::string> arguments() {
    std::vector<std::string> values;
    next();
    while (true) {
      skip();
      if (peek() == ')') break;
      if (peek() == ',') {
        next();
        continue;
      }
      if (at_ >= text_.size()) fail("the file ends inside parentheses");
      values.push_back(peek() == '"' ? quoted() : word());
    }
    next();
    return values;
  }

  void statement(LibertyGroup& into) {
    const int line = line_;
    std::string name = word();
    skip();
    if (peek() == ':') {
      next();
      into.attributes.push_back({std::move(name), {simple_value()}, line});
      return;
    }
    if (peek() != '(') fail(fmt::format("':' or '(' expected after '{}'", name));
    std::vector<std::string> values = arguments();
    skip();
    if (peek() != '{') {
      if (peek() == ';') next();
      into.attributes.push_back({std::move(name), std::move(values), line});
      return;
    }
    next();
    if (++depth_ > deepest) fail(fmt::format("more than {} groups lie in each other", deepest));
    LibertyGroup group{std::move(name), std::move(values), {}, {}, line};
    for (skip(); peek() != '}'; skip()) {
      if (at_ >= text_.size()) fail(fmt::format("the file ends inside group '{}' of line {}", group.name, group.line));
      if (peek() == ';') {
        next();
        continue;
      }
      statement(group);
    }
    --depth_;
    next();
    skip();
    if (peek() == ';') next();
    into.groups.push_back(std::move(group));
  }

  std::string text_, file_;
  std::size_t at_ = 0;
  int line_ = 1;
  int depth_ = 0;
};

}  // namespace

const LibertyAttribute* LibertyGroup::find(std::string_view attribute) const {
  const auto found = std::ranges::find(attributes, attribute, &LibertyAttribute::name);
  return found == attributes.end() ? nullptr : &*found;
}

std::string_view LibertyGroup::text(std::string_view attribute) const {
  const LibertyAttribute* found = find(attribute);
  return found && !found->values.empty() ? std::string_view(found->values.front()) : std::string_view();
}

std::vector<double> liberty_numbers(std::string_view text) {
  std::vector<double> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    while (at != end && (blank(*at) || *at == ',')) ++at;
    if (at == end) return numbers;
    if (*at == '+') ++at;
    double number = 0;
    const auto [rest, error] = std::from_chars(at, end, number);
    // Infinities and what is no number would go on into every energy without a word.
    if (error != std::errc{} || !std::isfinite(number) || (rest != end && !blank(*rest) && *rest != ','))
      throw std::invalid_argument(fmt::format("'{}' is no number", std::string(at, std::find(at, end, ','))));
    numbers.push_back(number);
    at = rest;
  }
}

double liberty_number(std::string_view text, std::string_view what) {
  const std::vector<double> numbers = liberty_numbers(text);
  if (numbers.size() != 1) throw std::invalid_argument(fmt::format("'{}' is no number", what));
  return numbers.front();
}

LibertyGroup read_liberty_text(const std::filesystem::path& file) {
  model::refuse_device(file);
  std::ifstream in(file, std::ios::binary);
  if (!in || std::filesystem::is_directory(file))
    throw std::runtime_error(fmt::format("{}: cannot be read", file.string()));
  return Reader({std::istreambuf_iterator<char>(in), {}}, file.string()).library();
}

}  // namespace bitstrata::sim::gates
