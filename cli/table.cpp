// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <set>
#include <stdexcept>
#include <string_view>

namespace bitstrata::cli {

namespace {

using Row = std::vector<std::string>;

std::string csv_cell(const std::string& cell) {
  if (cell.find_first_of(",\"\n\r") == std::string::npos) return cell;
  std::string quoted(1, '"');
  for (const char c : cell) quoted.append(c == '"' ? 2 : 1, c);
  quoted.push_back('"');
  return quoted;
}

// Longer words do not fit on a screen beside their numbers. Exporters give layers names of hundreds of letters.
constexpr std::size_t most_letters = 40;

// Beginning and end with an ellipsis between them. Both tell names of exporters apart: modules first, a number last.
std::string cut(const std::string& word, std::size_t most) {
  if (word.size() <= most) return word;
  constexpr std::string_view ellipsis = "...";
  const std::size_t kept = most - ellipsis.size(), end = kept / 2;
  // Never within a letter of several bytes (the second and further ones are 10xxxxxx).
  const auto within = [&](std::size_t at) { return (static_cast<unsigned char>(word[at]) & 0xc0) == 0x80; };
  std::size_t first = kept - end, last = word.size() - end;
  while (first > 0 && within(first)) --first;
  while (last < word.size() && within(last)) ++last;
  return fmt::format("{}{}{}", word.substr(0, first), ellipsis, word.substr(last));
}

// The words of a column, long ones cut; less where different words would become the same.
void shorten(std::vector<Row>& rows, std::size_t column) {
  std::set<std::string> words;
  std::size_t longest = 0;
  for (const Row& row : rows) {
    words.insert(row[column]);
    longest = std::max(longest, row[column].size());
  }
  for (std::size_t most = most_letters; most < longest; most += 8) {
    std::set<std::string> shown;
    for (const std::string& word : words) shown.insert(cut(word, most));
    if (shown.size() != words.size()) continue;
    for (Row& row : rows) row[column] = cut(row[column], most);
    return;
  }
}

}  // namespace

Table::Table(Row header, std::size_t left) : header_(std::move(header)), left_(left) {}

void Table::add(Row row) {
  if (row.size() != header_.size()) throw std::logic_error("table row and header differ in length");
  rows_.push_back(std::move(row));
}

void Table::add_total(Row row) {
  if (row.size() != header_.size()) throw std::logic_error("table row and header differ in length");
  totals_.push_back(std::move(row));
}

std::string Table::text() const {
  std::vector<Row> rows = rows_;
  for (std::size_t i = 0; i < left_; ++i) shorten(rows, i);
  std::vector<std::size_t> width;
  for (std::size_t i = 0; i < header_.size(); ++i) {
    std::size_t widest = header_[i].size();
    for (const std::vector<Row>* some : std::initializer_list<const std::vector<Row>*>{&rows, &totals_}) {
      for (const Row& row : *some) widest = std::max(widest, row[i].size());
    }
    width.push_back(widest);
  }
  const auto line = [&](const Row& row) {
    std::string text;
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += fmt::format(fmt::runtime(i < left_ ? "{}{:<{}}" : "{}{:>{}}"), i == 0 ? "" : "  ", row[i], width[i]);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text + "\n";
  };
  std::size_t whole = 2 * (width.size() - 1);
  for (const std::size_t w : width) whole += w;
  std::string text = line(header_) + std::string(whole, '-') + "\n";
  for (const Row& row : rows) text += line(row);
  if (!totals_.empty()) text += std::string(whole, '-') + "\n";
  for (const Row& row : totals_) text += line(row);
  return text;
}

std::string Table::markdown() const {
  const auto line = [](const Row& row) { return fmt::format("| {} |\n", fmt::join(row, " | ")); };
  std::string text = line(header_) + "|";
  for (std::size_t i = 0; i < header_.size(); ++i) text += i < left_ ? "---|" : "---:|";
  text += "\n";
  for (const auto* rows : {&rows_, &totals_}) {
    for (const Row& row : *rows) text += line(row);
  }
  return text;
}

std::string Table::csv() const {
  const auto line = [](const Row& row) {
    Row cells;
    for (const std::string& cell : row) cells.push_back(csv_cell(cell));
    return fmt::format("{}\n", fmt::join(cells, ","));
  };
  std::string text = line(header_);
  for (const auto* rows : {&rows_, &totals_}) {
    for (const Row& row : *rows) text += line(row);
  }
  return text;
}

std::string short_number(double value) {
  if (value == 0 || !std::isfinite(value)) return fmt::format("{:g}", value);
  const int before = static_cast<int>(std::floor(std::log10(std::abs(value)))) + 1;
  return fmt::format("{:.{}f}", value, std::clamp(4 - before, 0, 12));
}

std::string grouped(std::int64_t value) {
  std::string text = fmt::format("{}", value);
  const std::size_t first = text[0] == '-' ? 1 : 0;
  for (std::size_t at = text.size(); at > first + 3;) text.insert(at -= 3, 1, ',');
  return text;
}

}  // namespace bitstrata::cli
