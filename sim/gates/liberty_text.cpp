// SPDX-License-Identifier: Apache-2.0
#include "sim/gates/liberty_text.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <memory>
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
  LibertyValue simple_value() {
    while (peek() == ' ' || peek() == '\t') next();
    const bool marks = peek() == '"';
    std::string value;
    if (marks) {
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
    return {value, marks};
  }
  std::vector<LibertyValue> arguments() {
    std::vector<LibertyValue> values;
    next();
    while (true) {
      skip();
      if (peek() == ')') break;
      if (peek() == ',') {
        next();
        continue;
      }
      if (at_ >= text_.size()) fail("the file ends inside parentheses");
      const bool marks = peek() == '"';
      values.push_back({marks ? quoted() : word(), marks});
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
    std::vector<LibertyValue> values = arguments();
    skip();
    if (peek() != '{') {
      if (peek() == ';') next();
      into.attributes.push_back({std::move(name), std::move(values), line, true});
      return;
    }
    next();
    if (++depth_ > deepest) fail(fmt::format("more than {} groups lie in each other", deepest));
    LibertyGroup group{std::move(name), {}, {}, {}, line};
    for (LibertyValue& value : values) group.arguments.push_back(std::move(value.text));
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

// What a file may hold; the largest libraries have a tenth of it.
constexpr std::size_t longest = std::size_t{1} << 30;

// A file's text, which gzip may have compressed.
std::string whole_text(const std::filesystem::path& file) {
  model::refuse_device(file);
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> in(
      std::filesystem::is_directory(file) ? nullptr : gzopen(file.c_str(), "rb"), gzclose);
  if (!in) throw std::runtime_error(fmt::format("{}: cannot be read", file.string()));
  std::string text;
  std::array<char, 1 << 16> part;
  int count = 0;
  while ((count = gzread(in.get(), part.data(), static_cast<unsigned>(part.size()))) > 0) {
    text.append(part.data(), static_cast<std::size_t>(count));
    if (text.size() > longest) throw std::runtime_error(fmt::format("{}: it holds more than 1 GiB", file.string()));
  }
  int error = Z_OK;
  gzerror(in.get(), &error);
  if (count < 0 || error != Z_OK)
    throw std::runtime_error(fmt::format("{}: its compression (gzip) is damaged", file.string()));
  return text;
}

bool plain_name(std::string_view text) {
  return !text.empty() && std::isdigit(static_cast<unsigned char>(text.front())) == 0 &&
         std::ranges::all_of(text, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; });
}

void write(const LibertyGroup& group, const LibertyNames& renamed, std::string& to) {
  const bool table = group.find("values") != nullptr;
  to += group.name + " (";
  for (std::size_t i = 0; i < group.arguments.size(); ++i) {
    const auto other =
        table ? renamed.find(template_key(template_kind(group.name), group.arguments[i])) : renamed.end();
    const std::string& name = other == renamed.end() ? group.arguments[i] : other->second;
    if (i > 0) to += ", ";
    to += plain_name(name) ? name : '"' + name + '"';
  }
  to += ") {\n";
  for (const LibertyAttribute& attribute : group.attributes) to += liberty_text(attribute);
  for (const LibertyGroup& inner : group.groups) write(inner, renamed, to);
  to += "}\n";
}

}  // namespace

std::string_view template_kind(std::string_view table) {
  return table.ends_with("power") ? "power_lut_template" : "lu_table_template";
}
std::string template_key(std::string_view kind, std::string_view name) { return fmt::format("{} {}", kind, name); }

std::string liberty_text(const LibertyAttribute& attribute) {
  std::string text = attribute.name + (attribute.list ? " (" : " : ");
  for (std::size_t i = 0; i < attribute.values.size(); ++i) {
    const LibertyValue& value = attribute.values[i];
    if (i > 0) text += ", ";
    text += value.quoted ? '"' + value.text + '"' : value.text;
  }
  return text + (attribute.list ? ");\n" : ";\n");
}

std::string liberty_text(const LibertyGroup& group, const LibertyNames& renamed) {
  std::string text;
  write(group, renamed, text);
  return text;
}

const LibertyAttribute* LibertyGroup::find(std::string_view attribute) const {
  const auto found = std::ranges::find(attributes, attribute, &LibertyAttribute::name);
  return found == attributes.end() ? nullptr : &*found;
}

std::string_view LibertyGroup::text(std::string_view attribute) const {
  const LibertyAttribute* found = find(attribute);
  return found && !found->values.empty() ? std::string_view(found->values.front().text) : std::string_view();
}

std::string LibertyGroup::joined(std::string_view attribute) const {
  std::string all;
  if (const LibertyAttribute* found = find(attribute)) {
    for (const LibertyValue& value : found->values) all += (all.empty() ? "" : ", ") + value.text;
  }
  return all;
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
  return Reader(whole_text(file), file.string()).library();
}

}  // namespace bitstrata::sim::gates
