// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/boolean.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace bitstrata::sim::gates {

namespace {

// Brackets and negations in each other; each takes a part of the stack. Functions of six inputs need few.
constexpr int deepest = 256;

bool begins_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool inside_name(char c) { return begins_name(c) || c == '[' || c == ']'; }

class Parser {
 public:
  Parser(std::string_view text, std::span<const std::string> inputs) : text_(text), inputs_(inputs) {
    if (inputs.size() > static_cast<std::size_t>(max_inputs))
      throw std::invalid_argument(fmt::format("function \"{}\" has more than {} inputs", text, max_inputs));
  }
  TruthTable parse() {
    const TruthTable table = sum();
    if (peek() != '\0') fail();
    return table;
  }

 private:
  [[noreturn]] void fail() const {
    throw std::invalid_argument(fmt::format("function \"{}\" is damaged at character {}", text_, at_ + 1));
  }
  char peek() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char a, char b) {
    if (peek() != a && peek() != b) return false;
    ++at_;
    return true;
  }
  TruthTable sum() {
    TruthTable table = product();
    while (take('+', '|')) table |= product();
    return table;
  }
  TruthTable product() {
    TruthTable table = difference();
    while (true) {
      const char c = peek();
      if (take('*', '&') || begins_name(c) || c == '(' || c == '!') {
        table &= difference();
      } else {
        return table;
      }
    }
  }
  TruthTable difference() {
    TruthTable table = factor();
    while (take('^', '^')) table ^= factor();
    return table;
  }
  TruthTable factor() {
    if (++depth_ > deepest)
      throw std::invalid_argument(
          fmt::format("a function of {} characters has more than {} brackets in each other", text_.size(), deepest));
    TruthTable table = 0;
    if (take('!', '~')) {
      table = ~factor();
      --depth_;
      return table;
    }
    if (take('(', '(')) {
      table = sum();
      if (!take(')', ')')) fail();
    } else {
      table = name();
    }
    --depth_;
    while (take('\'', '\'')) table = ~table;
    return table;
  }
  TruthTable name() {
    if (!begins_name(peek())) fail();
    const std::size_t from = at_;
    while (at_ < text_.size() && inside_name(text_[at_])) ++at_;
    const std::string_view word = text_.substr(from, at_ - from);
    if (word == "0") return 0;
    if (word == "1") return ~TruthTable{0};
    const auto found = std::ranges::find(inputs_, word);
    if (found == inputs_.end())
      throw std::invalid_argument(fmt::format("function \"{}\" uses '{}', which is no input", text_, word));
    return input_table[found - inputs_.begin()];
  }

  std::string_view text_;
  std::span<const std::string> inputs_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

TruthTable parse_function(std::string_view text, std::span<const std::string> inputs) {
  return Parser(text, inputs).parse();
}

std::vector<std::string> function_names(std::string_view text) {
  std::vector<std::string> names;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t from = at;
    while (at < text.size() && inside_name(text[at])) ++at;
    if (at == from) {
      ++at;
      continue;
    }
    std::string name(text.substr(from, at - from));
    if (name != "0" && name != "1" && std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace bitstrata::sim::gates
