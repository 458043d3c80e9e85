// SPDX-License-Identifier: Apache-2.0
#include "cli/condition.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <functional>
#include <optional>
#include <stdexcept>

#include "model/yaml_reader.h"

namespace bitstrata::cli {

// Nothing: not known.
struct Condition::Node {
  std::function<std::optional<bool>(const SweepPoint&)> holds;
};

namespace {

using Truth = std::optional<bool>;

struct Token {
  enum class Kind { word, number, text, sign, end } kind = Kind::end;
  std::string text;
  std::size_t place = 0;  // from 1
};

constexpr int deepest = 100;  // brackets and negations in each other

[[noreturn]] void refuse(const std::string& text, const std::string& what) {
  throw std::invalid_argument(model::in_one_line(fmt::format("--where \"{}\": {}", text, what)));
}

std::vector<Token> tokens_of(const std::string& text) {
  std::vector<Token> tokens;
  const auto is = [](char c, const char* more) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           (c != '\0' && std::string(more).find(c) != std::string::npos);
  };
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const std::size_t start = i;
    if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      ++i;
    } else if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '+') {
      for (++i; i < text.size(); ++i) {
        const bool exponent = (text[i] == '-' || text[i] == '+') && (text[i - 1] == 'e' || text[i - 1] == 'E');
        if (!is(text[i], "._") && !exponent) break;
      }
      tokens.push_back({Token::Kind::number, text.substr(start, i - start), start + 1});
    } else if (is(c, "_")) {
      while (i < text.size() && is(text[i], "_.")) ++i;
      tokens.push_back({Token::Kind::word, text.substr(start, i - start), start + 1});
    } else if (c == '\'' || c == '"') {
      const std::size_t end = text.find(c, i + 1);
      if (end == std::string::npos) refuse(text, fmt::format("the {} at place {} has no end", c, start + 1));
      tokens.push_back({Token::Kind::text, text.substr(start + 1, end - start - 1), start + 1});
      i = end + 1;
    } else {
      const std::string two = text.substr(i, 2);
      const bool pair = two == "<=" || two == ">=" || two == "==" || two == "!=";
      if (!pair && std::string("<>=()").find(c) == std::string::npos)
        refuse(text, fmt::format("'{}' at place {} is not understood; it takes < <= > >= == !=, and, or, not, ( )", c,
                                 start + 1));
      i += pair ? 2 : 1;
      tokens.push_back({Token::Kind::sign, text.substr(start, i - start), start + 1});
    }
  }
  tokens.push_back({Token::Kind::end, "", text.size() + 1});
  return tokens;
}

// A side of a comparison.
struct Operand {
  std::string text;
  std::function<Cell(const SweepPoint&)> of;
};

const char* kind_of(const Cell& cell) {
  if (std::holds_alternative<bool>(cell)) return "true or false";
  return std::holds_alternative<std::string>(cell) ? "words" : "a number";
}

double number_of(const Cell& cell) {
  const auto* whole = std::get_if<std::int64_t>(&cell);
  return whole != nullptr ? static_cast<double>(*whole) : std::get<double>(cell);
}

template <typename T>
bool compare(const std::string& sign, const T& a, const T& b) {
  if (sign == "<") return a < b;
  if (sign == "<=") return a <= b;
  if (sign == ">") return a > b;
  if (sign == ">=") return a >= b;
  return (a == b) == (sign != "!=");
}

// Reads the grammar from the top: or, and, not, comparison.
class Reader {
 public:
  Reader(const std::string& text, const std::vector<Column>& columns)
      : text_(text), columns_(columns), tokens_(tokens_of(text)) {}

  Condition::Node whole() {
    Condition::Node node = either();
    if (here().kind != Token::Kind::end) unexpected("and, or, or the end");
    return node;
  }

 private:
  const Token& here() const { return tokens_[at_]; }
  bool is_word(const char* word) const { return here().kind == Token::Kind::word && here().text == word; }
  bool is_sign(const char* sign) const { return here().kind == Token::Kind::sign && here().text == sign; }

  [[noreturn]] void unexpected(const std::string& wanted) const {
    const Token& token = here();
    refuse(text_, token.kind == Token::Kind::end
                      ? fmt::format("it ends where {} is expected", wanted)
                      : fmt::format("'{}' at place {} stands where {} is expected", token.text, token.place, wanted));
  }

  Condition::Node either() {
    Condition::Node left = both();
    while (is_word("or")) {
      ++at_;
      left = {[a = std::move(left.holds), b = both().holds](const SweepPoint& p) -> Truth {
        const Truth x = a(p), y = b(p);
        if (x == true || y == true) return true;
        return x && y ? Truth(false) : std::nullopt;
      }};
    }
    return left;
  }

  Condition::Node both() {
    Condition::Node left = one();
    while (is_word("and")) {
      ++at_;
      left = {[a = std::move(left.holds), b = one().holds](const SweepPoint& p) -> Truth {
        const Truth x = a(p), y = b(p);
        if (x == false || y == false) return false;
        return x && y ? Truth(true) : std::nullopt;
      }};
    }
    return left;
  }

  Condition::Node one() {
    if (++depth_ > deepest) refuse(text_, fmt::format("more than {} brackets and nots in each other", deepest));
    Condition::Node node;
    if (is_word("not")) {
      ++at_;
      node = {[a = one().holds](const SweepPoint& p) -> Truth {
        const Truth x = a(p);
        return x ? Truth(!*x) : std::nullopt;
      }};
    } else if (is_sign("(")) {
      ++at_;
      node = either();
      if (!is_sign(")")) unexpected("')'");
      ++at_;
    } else {
      node = comparison();
    }
    --depth_;
    return node;
  }

  Condition::Node comparison() {
    const Operand left = operand();
    const std::string sign = here().kind == Token::Kind::sign ? here().text : "";
    if (sign.empty() || sign == "(" || sign == ")") return alone(left);
    ++at_;
    const Operand right = operand();
    if (here().kind == Token::Kind::sign && !is_sign(")")) unexpected("and, or, or the end");
    return {[text = text_, left, right, sign](const SweepPoint& p) -> Truth {
      const Cell a = left.of(p), b = right.of(p);
      if (std::holds_alternative<std::monostate>(a) || std::holds_alternative<std::monostate>(b)) return std::nullopt;
      if (kind_of(a) != std::string(kind_of(b)))
        refuse(text, fmt::format("{} is {}, and {} is {}", left.text, kind_of(a), right.text, kind_of(b)));
      const bool number = std::holds_alternative<std::int64_t>(a) || std::holds_alternative<double>(a);
      if (number) return compare(sign, number_of(a), number_of(b));
      if (sign != "==" && sign != "=" && sign != "!=")
        refuse(text, fmt::format("{} is {}, which has no order; it takes == and !=", left.text, kind_of(a)));
      return std::holds_alternative<bool>(a) ? compare(sign, std::get<bool>(a), std::get<bool>(b))
                                             : compare(sign, std::get<std::string>(a), std::get<std::string>(b));
    }};
  }

  // A column of yes and no.
  Condition::Node alone(const Operand& operand) const {
    return {[text = text_, operand](const SweepPoint& p) -> Truth {
      const Cell cell = operand.of(p);
      if (std::holds_alternative<std::monostate>(cell)) return std::nullopt;
      if (!std::holds_alternative<bool>(cell))
        refuse(text, fmt::format("{} is {} and no condition; it takes a comparison", operand.text, kind_of(cell)));
      return std::get<bool>(cell);
    }};
  }

  Operand operand() {
    const Token token = here();
    const auto always = [](Cell cell) { return [cell](const SweepPoint&) { return cell; }; };
    switch (token.kind) {
      case Token::Kind::number: {
        double value = 0;
        const char* first = token.text.data() + (token.text[0] == '+' ? 1 : 0);
        const auto [end, error] = std::from_chars(first, token.text.data() + token.text.size(), value);
        if (error != std::errc{} || end != token.text.data() + token.text.size())
          refuse(text_, fmt::format("'{}' at place {} is no number", token.text, token.place));
        ++at_;
        return {token.text, always(value)};
      }
      case Token::Kind::text:
        ++at_;
        return {fmt::format("'{}'", token.text), always(token.text)};
      case Token::Kind::word:
        if (token.text == "and" || token.text == "or" || token.text == "not") unexpected("a column or a value");
        ++at_;
        if (token.text == "true" || token.text == "false") return {token.text, always(token.text == "true")};
        return {token.text, column(token.text).of};
      default:
        unexpected("a column or a value");
    }
  }

  const Column& column(const std::string& name) const {
    const auto found = std::ranges::find(columns_, name, &Column::name);
    if (found != columns_.end()) return *found;
    std::vector<std::string> known;
    for (const Column& one : columns_) known.push_back(one.name);
    refuse(text_,
           fmt::format("no column of points.csv and no key of architecture files is '{}' (words stand in quotes){}",
                       name, model::did_you_mean(name, known)));
  }

  const std::string& text_;
  const std::vector<Column>& columns_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Condition::Condition(const std::string& text, std::vector<Column> columns)
    : text_(text), top_(std::make_unique<Node>(Reader(text_, columns).whole())) {}

Condition::~Condition() = default;

bool Condition::holds(const SweepPoint& point) const { return top_->holds(point).value_or(false); }

}  // namespace bitstrata::cli
