// SPDX-License-Identifier: Apache-2.0
// Tables for people (aligned columns, Markdown) and for programs (CSV).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bitstrata::cli {

// The first `left` columns are words and align left, the others are numbers and align right. A cell may be empty.
class Table {
 public:
  explicit Table(std::vector<std::string> header, std::size_t left = 1);
  // Throws std::logic_error when there are not as many cells as columns.
  void add(std::vector<std::string> row);
  // Set apart by a rule; for totals.
  void add_total(std::vector<std::string> row);

  const std::vector<std::string>& header() const { return header_; }
  const std::vector<std::vector<std::string>>& rows() const { return rows_; }
  std::size_t left() const { return left_; }

  // Very long words of the left columns are cut in their middle, so that no two become the same; markdown() and csv()
  // keep them.
  std::string text() const;
  std::string markdown() const;
  std::string csv() const;

 private:
  std::vector<std::string> header_;
  std::size_t left_;
  std::vector<std::vector<std::string>> rows_, totals_;
};

// A number with enough digits for a table (four significant ones), never in scientific notation.
std::string short_number(double value);
// An integer with thousands separated by commas.
std::string grouped(std::int64_t value);

}  // namespace bitstrata::cli
