// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

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
  std::vector<std::size_t> width;
  for (std::size_t i = 0; i < header_.size(); ++i) {
    std::size_t widest = header_[i].size();
    for (const auto* rows : {&rows_, &totals_}) {
      for (const Row& row : *rows) widest = std::max(widest, row[i].size());
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
  for (const Row& row : rows_) text += line(row);
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
